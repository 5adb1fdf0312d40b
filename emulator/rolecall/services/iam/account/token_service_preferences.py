"""How the account wants tokens of STS's global endpoint to be."""

from __future__ import annotations

from rolecall.services.registry import Call, operation
from rolecall.storage.account_preferences import set_global_endpoint_token_version


@operation("iam", "SetSecurityTokenServicePreferences")
def set_token_service_preferences(call: Call, *, GlobalEndpointTokenVersion: str) -> None:
    """Version 1 tokens are good in Regions that every account has, version 2 tokens everywhere.

    API reference: SetSecurityTokenServicePreferences. Tokens that were issued stay what they are.
    """
    set_global_endpoint_token_version(call.db, call.account_id, GlobalEndpointTokenVersion)
