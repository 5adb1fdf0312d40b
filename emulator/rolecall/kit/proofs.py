"""Proofs of identity: tokens and assertions for the calls that need no signature, MFA codes, a user's consent."""

from __future__ import annotations

from typing import Any

from rolecall.identity_providers import mfa_codes, oidc_tokens, saml_assertions, sso_consent
from rolecall.sandbox import Sandbox


class Proofs:
    """Makes the proofs of one sandbox. Raises ValueError for one that cannot be made."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def web_identity_token(self, issuer: str, token: dict[str, Any]) -> str:
        sandbox = self._sandbox
        return oidc_tokens.mint(sandbox.database, sandbox.clock, sandbox.ids, issuer=issuer, **token)

    def saml_assertion(self, idp: str, assertion: dict[str, Any]) -> str:
        sandbox = self._sandbox
        return saml_assertions.mint(sandbox.database, sandbox.clock, sandbox.ids, idp=idp, **assertion)

    def mfa_code(self, device: str) -> str:
        return mfa_codes.unused_code(self._sandbox.database, self._sandbox.clock, device)

    def mfa_code_pair(self, device: str) -> tuple[str, str]:
        return mfa_codes.unused_pair(self._sandbox.database, self._sandbox.clock, device)

    def approve_device(self, user_code: str, user: str | None) -> None:
        sso_consent.approve_device(self._sandbox.database, self._sandbox.clock, user_code, user)
