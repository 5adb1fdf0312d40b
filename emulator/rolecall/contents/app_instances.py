"""New app instances, users, bots and administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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


def _named(name: str | None, metadata: str | None, now_seconds: float) -> dict[str, Any]:
    """The members that app instances, users and bots have in common."""
    return {
        **({} if name is None else {"Name": name}),
        **({} if metadata is None else {"Metadata": metadata}),
        "CreatedTimestamp": now_seconds,
        "LastUpdatedTimestamp": now_seconds,
    }
