"""Rolecall as an OpenID Connect issuer: tokens that it signs, and the two documents with which clients verify them.

Every name is an issuer at ``/_rolecall/oidc/NAME``, under any address of the server. So is every provider that a
sandbox file declares with ``keys: rolecall``, under its own URL. A key is made when it is first needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rolecall.clock import Clock
from rolecall.identity_providers.asking import TokenRequestError
from rolecall.identity_providers.token_shapes import DEFAULT_AUDIENCE, SHAPES, ShapeError
from rolecall.ids import Identifiers
from rolecall.issuers import ISSUER_NAME, OWN_PREFIX, is_own, issuer_problem, key_purpose
from rolecall.sessions.algorithms import ALGORITHMS
from rolecall.sessions.signing_keys import (
    SigningKey,
    load_signing_key,
    new_signing_key,
    private_pem,
    public_jwk,
    sign,
)
from rolecall.storage.engine import Database
from rolecall.storage.oidc_providers import own_provider_urls
from rolecall.storage.signing_keys import StoredSigningKey, kept_first, newest_signing_key, signing_keys_of

DEFAULT_ALGORITHM = "RS256"
MAXIMUM_LIFETIME_SECONDS = 366 * 86_400


def issuer_url(base_url: str, issuer: str) -> str:
    """The URL of an issuer from its name or URL. Raises TokenRequestError."""
    if ISSUER_NAME.fullmatch(issuer):
        return f"{base_url.rstrip('/')}{OWN_PREFIX}{issuer}"
    if issuer_problem(issuer):
        raise TokenRequestError("issuer must be a name of letters, digits, - _ and . or the URL of a declared provider")
    return issuer


def mint(
    database: Database,
    clock: Clock,
    ids: Identifiers,
    *,
    issuer: str,
    subject: str | None = None,
    audience: str | Sequence[str] = DEFAULT_AUDIENCE,
    claims: Mapping[str, Any] | None = None,
    lifetime_seconds: int | None = None,
    shape: str = "plain",
    algorithm: str = DEFAULT_ALGORITHM,
) -> str:
    """A token of the issuer with that URL, issued now by the sandbox's clock.

    ``claims`` replace standard claims and claims of the shape. A claim of None is left out of the token. Raises
    TokenRequestError.
    """
    if shape not in SHAPES:
        raise TokenRequestError(f"shape must be one of {', '.join(SHAPES)}")
    if algorithm not in ALGORITHMS:
        raise TokenRequestError(f"algorithm must be one of {', '.join(sorted(ALGORITHMS))}")
    if lifetime_seconds is not None and not 1 <= lifetime_seconds <= MAXIMUM_LIFETIME_SECONDS:
        raise TokenRequestError(f"lifetime_seconds must be a whole number from 1 to {MAXIMUM_LIFETIME_SECONDS}")
    if claims is not None and "iss" in claims:
        raise TokenRequestError("the claim iss always names the issuer: choose it with issuer")
    _check_signs_for(database, issuer)
    known = SHAPES[shape]
    subject = known.subject if subject is None else subject
    now = int(clock.now_seconds())
    try:
        shaped = known.claims(subject, ids)
    except ShapeError as error:
        raise TokenRequestError(str(error)) from error
    if known.not_before_seconds is not None:
        shaped["nbf"] = now + known.not_before_seconds
    audiences: Any = audience if isinstance(audience, str) else list(audience)
    if known.audience_is_list and isinstance(audiences, str):
        audiences = [audiences]
    standard = {
        "iss": issuer,
        "sub": subject,
        "aud": audiences,
        "iat": now,
        "exp": now + (known.lifetime_seconds if lifetime_seconds is None else lifetime_seconds),
        "jti": ids.uuid(),
    }
    every = {**shaped, **standard, **(claims or {})}
    key = _signing_key(database, key_purpose(issuer), algorithm, now)
    return sign(key, {name: value for name, value in every.items() if value is not None})


def _check_signs_for(database: Database, issuer: str) -> None:
    if is_own(issuer):
        return
    with database.snapshot() as connection:
        known = own_provider_urls(connection)
    if issuer not in known:
        raise TokenRequestError(
            f"Rolecall does not sign for {issuer}: declare it in the sandbox file, under oidc_providers, with "
            "keys: rolecall"
        )


def _signing_key(database: Database, purpose: str, algorithm: str, now: int) -> SigningKey:
    """The issuer's newest key for the algorithm, made when there is none yet."""
    with database.snapshot() as connection:
        stored = newest_signing_key(connection, purpose, algorithm)
    if stored is None:
        made = new_signing_key(algorithm)
        first = StoredSigningKey(made.key_id, purpose, algorithm, private_pem(made), None, now)
        stored = database.write(partial(kept_first, first))
    return load_signing_key(algorithm, stored.private_key)


def discovery_document(issuer: str) -> dict[str, Any]:
    """The document ``/.well-known/openid-configuration`` (OpenID Connect Discovery 1.0, section 3)."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks.json",
        # There is no page for a browser, because tokens come from a control endpoint.
        "authorization_endpoint": "urn:rolecall:programmatic_authorization",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": sorted(ALGORITHMS),
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "jti"],
    }


def key_set(database: Database, issuer: str) -> dict[str, Any]:
    """The public keys of an issuer, as a JSON Web Key Set; empty before its first token."""
    with database.snapshot() as connection:
        rows = signing_keys_of(connection, key_purpose(issuer))
    return {"keys": [public_jwk(load_signing_key(row.algorithm, row.private_key)) for row in rows]}
