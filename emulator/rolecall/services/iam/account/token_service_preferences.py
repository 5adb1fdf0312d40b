"""The account's setting for the version of tokens from STS's global endpoint."""

from __future__ import annotations

from rolecall.services.registry import Call, operation
from rolecall.storage.account_preferences import set_global_endpoint_token_version


@operation("iam", "SetSecurityTokenServicePreferences")
def set_token_service_preferences(call: Call, *, GlobalEndpointTokenVersion: str) -> None:
    """Version 1 tokens work in the Regions that every account has; version 2 tokens work everywhere.

    API reference: SetSecurityTokenServicePreferences. The setting does not change tokens that were issued before.
    """
    set_global_endpoint_token_version(call.db, call.account_id, GlobalEndpointTokenVersion)
