"""Shared by the tests of web identities: a provider with declared keys, its tokens, and roles that trust it."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from jwt.api_jws import PyJWS
from sts_calls import ACCOUNT, OTHER, account, allow, declared, role, role_arn, trust, user

from rolecall.clock import Clock
from rolecall.sessions.signing_keys import SigningKey, new_signing_key, public_jwk
from rolecall.worlds.declare import read_world
from rolecall.worlds.world import World

HOST = "idp.example.com/tenant"
ISSUER = f"https://{HOST}"
GITHUB = "token.actions.githubusercontent.com"
GOOGLE = "accounts.google.com"
COGNITO = "cognito-identity.amazonaws.com"
AUDIENCE = "sts.amazonaws.com"
SUBJECT = "ana"
ACTION = "sts:AssumeRoleWithWebIdentity"
EVERY_ACTION = [ACTION, "sts:TagSession", "sts:SetSourceIdentity"]
NOT_AUTHORIZED = f"Not authorized to perform {ACTION}"


def provider_arn(host: str = HOST, account_id: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account_id}:oidc-provider/{host}"


@functools.cache
def signing_key(algorithm: str = "RS256", number: int = 0) -> SigningKey:
    """A key, made once; ``number`` selects one of several keys of an algorithm."""
    return new_signing_key(algorithm)


def key_set(*keys: SigningKey) -> str:
    return json.dumps({"keys": [public_jwk(key) for key in keys]})


def claims(now_seconds: float | None = None, **changed: Any) -> dict[str, Any]:
    """The claims of a valid token. A claim changed to None is left out."""
    now = int(Clock().now_seconds() if now_seconds is None else now_seconds)
    every = {"iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "iat": now, "exp": now + 3600, **changed}
    return {name: value for name, value in every.items() if value is not None}


def token(key: SigningKey | None = None, header: dict[str, Any] | None = None, **changed: Any) -> str:
    return signed(json.dumps(claims(**changed)).encode(), key or signing_key(), header)


def signed(payload: bytes, key: SigningKey, header: dict[str, Any] | None = None) -> str:
    """Any bytes as a token's payload, because libraries that make tokens refuse some test cases."""
    headers = {"kid": key.key_id, **(header or {})}
    return PyJWS().encode(payload, key.private_key, key.algorithm, headers)


def federated(provider: str | list[str], action: Any = ACTION, **more: Any) -> dict[str, Any]:
    """A trust policy for holders of the provider's tokens."""
    return trust({"Federated": provider}, action, **more)


def provider(folder: Path, url: str = ISSUER, *keys: SigningKey, **more: Any) -> dict[str, Any]:
    """A declared provider with a key set of its own."""
    name = f"{abs(hash(url))}.json"
    (folder / name).write_text(key_set(*(keys or (signing_key(),))), encoding="utf-8")
    return {"url": url, "client_ids": [AUDIENCE], "jwks_file": name, **more}


def federation_world(folder: Path, *roles: dict[str, Any], **more: Any) -> World:
    """A world whose first account has providers with declared keys, and a role ``open`` for the first of them."""
    providers = [
        provider(folder),
        provider(folder, f"https://{GITHUB}"),
        provider(folder, f"https://{GOOGLE}", client_ids=[]),
        provider(folder, f"https://{COGNITO}", client_ids=[]),
    ]
    trusting = role("open", federated(provider_arn(), EVERY_ACTION), allow("*"), max_session_duration=43200)
    first = account(
        roles=[trusting, *roles],
        oidc_providers=[*providers, *more.pop("oidc_providers", [])],
        users=[user("nobody")],
        **more,
    )
    return read_world(declared(first, account(OTHER)), str(folder))


def request(role: str = "open", text: str | None = None, **more: Any) -> dict[str, Any]:
    """The parameters of a valid call."""
    return {
        "RoleArn": role if role.startswith("arn:") else role_arn(role),
        "RoleSessionName": "session",
        "WebIdentityToken": token() if text is None else text,
        **more,
    }
