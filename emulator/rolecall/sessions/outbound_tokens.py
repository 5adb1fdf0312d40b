"""Outbound web identity tokens: the name of their issuer, its published documents, and the keys that sign for it.

IAM User Guide, "Outbound identity federation".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rolecall.sessions.signing_keys import SigningKey, public_jwk

ALGORITHMS = ("RS256", "ES384")
ISSUER_HOST_ENDING = ".tokens.sts.global.api.aws"
CLAIM_NAMESPACE = "https://sts.amazonaws.com/"
# The claims that every token has. The discovery document lists only these.
_CLAIMS = ("iss", "sub", "aud", "iat", "exp", "jti", CLAIM_NAMESPACE)


def issuer_url(issuer_id: str) -> str:
    """The issuer in the form that tokens use: ``https://<uuid>.tokens.sts.global.api.aws``."""
    return f"https://{issuer_id}{ISSUER_HOST_ENDING}"


def key_purpose(account_id: str) -> str:
    """The purpose under which the account's signing keys are stored."""
    return f"outbound {account_id}"


def discovery_document(issuer_id: str, jwks_url: str) -> dict[str, Any]:
    """The issuer's metadata (OpenID Connect Discovery 1.0). ``jwks_url`` is the address of its keys."""
    return {
        "issuer": issuer_url(issuer_id),
        "jwks_uri": jwks_url,
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "claims_supported": list(_CLAIMS),
    }


def key_set(keys: Iterable[SigningKey]) -> dict[str, Any]:
    """The public halves as a JSON Web Key Set (RFC 7517)."""
    return {"keys": [public_jwk(key) for key in keys]}
