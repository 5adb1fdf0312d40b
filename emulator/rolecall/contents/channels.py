"""New channels, channel flows and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

ELASTIC, FLOW_MEMBER = "ElasticChannelConfiguration", "ChannelFlowArn"
# Developer Guide, Elastic channels.
ELASTIC_REGION = "us-east-1"
# AWS General Reference, Amazon Chime SDK endpoints and quotas; Developer Guide, Using channel flows.
# Recorded, amazon-chime-sdk-js issue 1355: ids of channels have 64 hexadecimal digits, unless the caller chooses them.
CHANNEL_ID_BYTES = 32
MAXIMUM_FLOWS = 100
MAXIMUM_PROCESSORS = 1
STANDARD, CONTROL = "STANDARD", "CONTROL"
PERSISTENT = "PERSISTENT"
# Developer Guide, Message types.
MAXIMUM_MESSAGE_BYTES: Mapping[str, int] = MappingProxyType({STANDARD: 4096, CONTROL: 30})


def new_channel(
    arn: str, name: str, mode: str, privacy: str, created_by_arn: str, optional: Mapping[str, Any], now_seconds: float
) -> dict[str, Any]:
    """A channel. ``optional`` members are left out where they are None."""
    return {
        "Name": name,
        "ChannelArn": arn,
        "Mode": mode,
        "Privacy": privacy,
        **{member: value for member, value in optional.items() if value is not None},
        "CreatedBy": {"Arn": created_by_arn},
        "CreatedTimestamp": now_seconds,
        "LastUpdatedTimestamp": now_seconds,
    }


def new_flow(arn: str, name: str, processors: Sequence[Any], now_seconds: float) -> dict[str, Any]:
    return {
        FLOW_MEMBER: arn,
        "Processors": processors,
        "Name": name,
        "CreatedTimestamp": now_seconds,
        "LastUpdatedTimestamp": now_seconds,
    }


def new_message(
    content: str, message_type: str, persistence: str, optional: Mapping[str, Any], now_seconds: float
) -> dict[str, Any]:
    """A message. ``optional`` members are left out where they are None."""
    return {
        "Content": content,
        **{member: value for member, value in optional.items() if value is not None},
        "Type": message_type,
        "Persistence": persistence,
        "Redacted": False,
        "LastUpdatedTimestamp": now_seconds,
    }
