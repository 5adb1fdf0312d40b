"""New Voice Connectors, their groups, SIP media applications and SIP rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# AWS CLI examples: abcdef1ghij2klmno3pqr4.
CONNECTOR_ID_CHARACTERS = 22
# Amazon Chime SDK endpoints and quotas: PSTN audio.
SIP_APPLICATION_REGIONS = ("us-east-1", "us-west-2")
# Amazon Chime SDK endpoints and quotas, Voice Connectors per group.
MAXIMUM_CONNECTORS = 3
DEFAULT_DISTRIBUTION = "PriorityWeightedDistribution"
HOST_NAME_TRIGGER = "RequestUriHostname"


def outbound_host_name(connector_id: str) -> str:
    return f"{connector_id}.voiceconnector.chime.aws"


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
        "OutboundHostName": outbound_host_name(connector_id),
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


def new_connector_group(
    group_id: str, name: str, items: Sequence[Any], distribution: str, now_seconds: float
) -> dict[str, Any]:
    return {
        "VoiceConnectorGroupId": group_id,
        "Name": name,
        "VoiceConnectorItems": list(items),
        "CallDistributionType": distribution,
        "CreatedTimestamp": now_seconds,
        "UpdatedTimestamp": now_seconds,
    }


def new_sip_rule(
    rule_id: str,
    name: str,
    trigger_type: str,
    trigger_value: str,
    targets: Sequence[Any],
    *,
    disabled: bool,
    now_seconds: float,
) -> dict[str, Any]:
    return {
        "SipRuleId": rule_id,
        "Name": name,
        "Disabled": disabled,
        "TriggerType": trigger_type,
        "TriggerValue": trigger_value,
        "TargetApplications": list(targets),
        "CreatedTimestamp": now_seconds,
        "UpdatedTimestamp": now_seconds,
    }
