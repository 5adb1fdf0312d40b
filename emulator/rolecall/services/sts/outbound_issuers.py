"""What the issuer of an account's outbound tokens publishes. Anyone may read it."""

from __future__ import annotations

from typing import Any

from rolecall.http import name_of_host
from rolecall.sessions.outbound_tokens import ISSUER_HOST_ENDING, discovery_document, key_purpose, key_set
from rolecall.sessions.signing_keys import load_signing_key
from rolecall.storage.engine import Database
from rolecall.storage.outbound_federation import federation_of_issuer
from rolecall.storage.signing_keys import signing_keys_of


def issuer_of_host(host: str) -> str | None:
    """The issuer that a Host header names; None for any other name."""
    name = name_of_host(host)
    return name.removesuffix(ISSUER_HOST_ENDING) if name.endswith(ISSUER_HOST_ENDING) else None


def published_discovery(database: Database, issuer_id: str, jwks_url: str) -> dict[str, Any] | None:
    """The discovery document, even while the issuer is switched off; None when there is no such issuer."""
    with database.snapshot() as connection:
        known = federation_of_issuer(connection, issuer_id)
    return None if known is None else discovery_document(issuer_id, jwks_url)


def published_keys(database: Database, issuer_id: str) -> dict[str, Any] | None:
    """The key set; None when there is no such issuer."""
    with database.snapshot() as connection:
        known = federation_of_issuer(connection, issuer_id)
        stored = [] if known is None else signing_keys_of(connection, key_purpose(known.account_id))
    return None if known is None else key_set(load_signing_key(key.algorithm, key.private_key) for key in stored)
