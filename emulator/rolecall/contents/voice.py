"""New Voice Connectors and SIP media applications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# AWS CLI examples: abcdef1ghij2klmno3pqr4.
CONNECTOR_ID_CHARACTERS = 22
# Amazon Chime SDK endpoints and quotas: PSTN audio.
SIP_APPLICATION_REGIONS = ("us-east-1", "us-west-2")


def new_voice_connector(
    connector_id: str,
    arn: str,
    name: str,
    aws_region: str,
    *,
    require_encryption: bool,
    network_type: str,
    integration_type: str | None,
    now_seconds: float,
) -> dict[str, Any]:
    return {
        "VoiceConnectorId": connector_id,
        "AwsRegion": aws_region,
        "Name": name,
        "OutboundHostName": f"{connector_id}.voiceconnector.chime.aws",
        "RequireEncryption": require_encryption,
        "CreatedTimestamp": now_seconds,
        "UpdatedTimestamp": now_seconds,
        "VoiceConnectorArn": arn,
        "NetworkType": network_type,
        **({} if integration_type is None else {"IntegrationType": integration_type}),
    }


def new_sip_application(
    application_id: str, arn: str, name: str, aws_region: str, endpoints: Sequence[Any], now_seconds: float
) -> dict[str, Any]:
    return {
        "SipMediaApplicationId": application_id,
        "AwsRegion": aws_region,
        "Name": name,
        "Endpoints": list(endpoints),
        "CreatedTimestamp": now_seconds,
        "UpdatedTimestamp": now_seconds,
        "SipMediaApplicationArn": arn,
    }
