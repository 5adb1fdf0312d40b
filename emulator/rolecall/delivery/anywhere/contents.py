"""What the resources of IAM Roles Anywhere have, for its operations and for CreateSession."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SERVICE = "rolesanywhere"
# It is in no model of AWS's SDKs.
SESSION_OPERATION = "CreateSession"
PRINCIPAL = "rolesanywhere.amazonaws.com"
# Resource types of the Service Authorization Reference.
TRUST_ANCHOR, PROFILE, CRL, SUBJECT = "trust-anchor", "profile", "crl", "subject"
# The model: "if this value is not provided, the default value will be 3600".
DEFAULT_DURATION_SECONDS = 3600
# IAM Roles Anywhere User Guide, "Certificate attribute mapping": the default mapping rules.
DEFAULT_MAPPINGS: Sequence[Mapping[str, Any]] = (
    {"certificateField": "x509Issuer", "mappingRules": [{"specifier": "*"}]},
    {"certificateField": "x509SAN", "mappingRules": [{"specifier": each} for each in ("DNS", "URI", "Name/*")]},
    {"certificateField": "x509Subject", "mappingRules": [{"specifier": "*"}]},
)
# IAM Roles Anywhere User Guide, "Customize notification settings": 45 days before the end.
DEFAULT_NOTIFICATIONS: Sequence[Mapping[str, Any]] = tuple(
    {"enabled": True, "event": event, "threshold": 45, "channel": "ALL", "configuredBy": PRINCIPAL}
    for event in ("CA_CERTIFICATE_EXPIRY", "END_ENTITY_CERTIFICATE_EXPIRY")
)


def notification_key(setting: Mapping[str, Any]) -> tuple[str, str]:
    """Event and channel. The model: without a channel, the setting is for all."""
    return setting["event"], setting.get("channel", "ALL")


def noted(
    present: Sequence[Mapping[str, Any]], added: Sequence[Mapping[str, Any]], account_id: str
) -> list[Mapping[str, Any]]:
    """The settings after each of ``added`` replaced the one with the same event and channel."""
    own = {"threshold": 45, "channel": "ALL"}
    found = {notification_key(each): dict(each) for each in present}
    found.update({notification_key(each): {**own, **each, "configuredBy": account_id} for each in added})
    return list(found.values())
