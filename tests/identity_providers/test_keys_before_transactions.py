"""Keys take tens of milliseconds to make. No transaction may last so long, because every other writer waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from rolecall.delivery.imds import identity_certificate
from rolecall.identity_providers import oidc_tokens, saml_assertions
from rolecall.ids import Identifiers
from rolecall.storage.engine import Database

OWN_IDP = {
    "version": 1,
    "accounts": [{"id": "111122223333", "saml_providers": [{"name": "corp", "rolecall_idp": "x"}]}],
}
ASSERTION = {
    "role": "arn:aws:iam::111122223333:role/staff",
    "provider": "arn:aws:iam::111122223333:saml-provider/corp",
    "session_name": "ana",
}


def _assertion(world: Any) -> None:
    saml_assertions.mint(world.database, world.clock, Identifiers(), idp="new", **ASSERTION)


def _token(world: Any) -> None:
    oidc_tokens.mint(world.database, world.clock, Identifiers(), issuer="http://127.0.0.1/_rolecall/oidc/new")


WAYS = {
    "SAML metadata": lambda world: saml_assertions.metadata_document(world.database, world.clock, "new"),
    "SAML assertion": _assertion,
    "OpenID Connect token": _token,
    "instance identity": lambda world: identity_certificate(world.database, world.clock.now_seconds()),
    "outbound federation": lambda world: world.client("iam").enable_outbound_web_identity_federation(),
    "a snapshot with an identity provider": lambda world: world.application.sandbox.load(json.dumps(OWN_IDP)),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_is_made_before_the_transaction(way: str, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, generate = Database._noting, rsa.generate_private_key
    open_transactions: list[Database] = []
    seen: list[int] = []

    @contextmanager
    def counted(database: Database, begun: Any) -> Iterator[Any]:
        with begin(database, begun) as connection:
            open_transactions.append(database)
            try:
                yield connection
            finally:
                open_transactions.pop()

    def noted(*arguments: Any) -> Any:
        seen.append(len(open_transactions))
        return generate(*arguments)

    monkeypatch.setattr(Database, "_noting", counted)
    monkeypatch.setattr(rsa, "generate_private_key", noted)
    WAYS[way](world)
    assert seen == [0]
