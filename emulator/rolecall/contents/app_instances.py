"""New app instances, users, their devices, bots and administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The member with the tokens of a device, and the settings of an app instance about messages.
ENDPOINT_SECRET, RETENTION = "EndpointAttributes", "AppInstanceRetentionSettings"
# AWS General Reference, Amazon Chime SDK endpoints and quotas.
MAXIMUM_ENDPOINTS = 10


def new_app_instance(arn: str, name: str, metadata: str | None, now_seconds: float) -> dict[str, Any]:
    return {"AppInstanceArn": arn, **_named(name, metadata, now_seconds)}


def new_user(arn: str, name: str, metadata: str | None, now_seconds: float) -> dict[str, Any]:
    return {"AppInstanceUserArn": arn, **_named(name, metadata, now_seconds)}


def new_bot(
    arn: str, configuration: Mapping[str, Any], name: str | None, metadata: str | None, now_seconds: float
) -> dict[str, Any]:
    return {"AppInstanceBotArn": arn, "Configuration": configuration, **_named(name, metadata, now_seconds)}


def new_admin(app_instance_arn: str, now_seconds: float) -> dict[str, Any]:
    return {"AppInstanceArn": app_instance_arn, "CreatedTimestamp": now_seconds}


def new_endpoint(
    user_arn: str,
    endpoint_id: str,
    endpoint_type: str,
    application_arn: str,
    attributes: Mapping[str, str],
    allow_messages: str,
    name: str | None,
    now_seconds: float,
) -> dict[str, Any]:
    """A device of a user. ``attributes`` are its tokens."""
    return {
        "AppInstanceUserArn": user_arn,
        "EndpointId": endpoint_id,
        **({} if name is None else {"Name": name}),
        "Type": endpoint_type,
        "ResourceArn": application_arn,
        ENDPOINT_SECRET: attributes,
        "CreatedTimestamp": now_seconds,
        "LastUpdatedTimestamp": now_seconds,
        "AllowMessages": allow_messages,
        "EndpointState": {"Status": "ACTIVE"},
    }


def _named(name: str | None, metadata: str | None, now_seconds: float) -> dict[str, Any]:
    """The members that app instances, users and bots have in common."""
    return {
        **({} if name is None else {"Name": name}),
        **({} if metadata is None else {"Metadata": metadata}),
        "CreatedTimestamp": now_seconds,
        "LastUpdatedTimestamp": now_seconds,
    }
