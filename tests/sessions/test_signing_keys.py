"""Signing keys: an independent library verifies signatures with the published half."""

from __future__ import annotations

import base64
import hashlib

import jwt
import pytest

from rolecall.app import open_database
from rolecall.clock import Clock
from rolecall.sessions.algorithms import ALGORITHMS
from rolecall.sessions.signing_keys import (
    load_signing_key,
    new_signing_key,
    private_pem,
    public_jwk,
    sign,
)
from rolecall.storage.signing_keys import StoredSigningKey, add_signing_key, newest_signing_key, signing_keys_of
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

CLAIMS = {"sub": "somebody", "aud": "something"}


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_token_verifies_with_the_published_key(algorithm: str) -> None:
    key = new_signing_key(algorithm)
    published = public_jwk(key)
    token = sign(key, CLAIMS, {"typ": "JWT"})
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": published["kid"]}
    assert jwt.decode(token, jwt.PyJWK(published).key, algorithms=[algorithm], audience="something") == CLAIMS
    other = jwt.PyJWK(public_jwk(new_signing_key(algorithm)))
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token, other.key, algorithms=[algorithm], audience="something")


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_a_stored_key_is_the_same_key(algorithm: str) -> None:
    key = new_signing_key(algorithm)
    loaded = load_signing_key(algorithm, private_pem(key))
    assert public_jwk(loaded) == public_jwk(key)
    assert load_signing_key(algorithm, private_pem(key)) is loaded
    assert "d" not in public_jwk(key)
    assert "PRIVATE" not in repr(key)


def test_the_key_id_is_the_thumbprint_of_the_standard() -> None:
    published = public_jwk(new_signing_key("ES384"))
    covered = f'{{"crv":"P-384","kty":"EC","x":"{published["x"]}","y":"{published["y"]}"}}'
    digest = hashlib.sha256(covered.encode()).digest()
    assert published["kid"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_an_unknown_algorithm_has_no_keys() -> None:
    with pytest.raises(ValueError, match="HS256"):
        new_signing_key("HS256")


def test_keys_are_kept_by_issuer() -> None:
    database = open_database("sqlite://", read_world_file(str(builtin_world_path())), Clock())
    keys = [
        StoredSigningKey("a", "oidc one", "RS256", "first", None, 1),
        StoredSigningKey("b", "oidc one", "ES384", "second", None, 2),
        StoredSigningKey("c", "oidc one", "RS256", "third", None, 3),
        StoredSigningKey("d", "oidc two", "RS256", "fourth", None, 4),
    ]
    with database.snapshot() as connection:
        before = database.generation(connection)
    with database.transaction() as connection:
        for key in reversed(keys):
            add_signing_key(connection, key)
    with database.snapshot() as connection:
        assert database.generation(connection) > before
        assert signing_keys_of(connection, "oidc one") == keys[:3]
        assert newest_signing_key(connection, "oidc one", "RS256") == keys[2]
        assert newest_signing_key(connection, "oidc one", "ES256") is None
        assert "fourth" not in repr(signing_keys_of(connection, "oidc two"))
    database.close()
