"""Temporary credentials: issued as a sealed token, and opened again on every call that uses them. Nothing is stored.

The secret is derived from the access key id, and the token carries the rest. A token opens only together with the
access key id that it was issued for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from rolecall.ids import TEMPORARY_KEY_PREFIX, Identifiers
from rolecall.principals import Principal, Session, SessionContents
from rolecall.reprs import repr_without
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.tokens import SESSION_PURPOSE, BadTokenError, open_token, seal

# AWS's only limit since September 2026 (its announcement; the model's maximum of MinimumSessionTokenSize).
MAXIMUM_TOKEN_BYTES = 4096


class TokenTooLargeError(Exception):
    """The contents of a session do not fit into a token. ``size_bytes`` is the size that they would need."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"a session token of {size_bytes} bytes; {MAXIMUM_TOKEN_BYTES} are allowed")
        self.size_bytes = size_bytes


class TemporaryCredentials(Struct, frozen=True):
    """The credentials that STS answers. ``expires_at_seconds`` counts from the epoch."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at_seconds: int

    __repr__ = repr_without("secret_access_key", "session_token")


class SessionRequest(SessionContents, frozen=True, kw_only=True):
    """A session to be issued: its principal, its duration and its contents.

    ``minimum_token_bytes`` lets a caller test how large a token its own systems accept. ``began_at_seconds`` is for
    new credentials of a session that exists, which keeps its time of issue; None means now.
    """

    principal: Principal
    duration_seconds: int
    minimum_token_bytes: int = 0
    began_at_seconds: int | None = None


class OpenedSession(Struct, frozen=True):
    """An opened session token: its principal, its session, and the secret that signs its calls."""

    principal: Principal
    session: Session
    secret_access_key: str

    __repr__ = repr_without("secret_access_key")


def issue(
    keys: KeyRing, ids: Identifiers, now_seconds: float, request: SessionRequest, chain: tuple[str, ...] = ()
) -> TemporaryCredentials:
    """New temporary credentials. Stores nothing. Raises TokenTooLargeError.

    ``chain`` is the role chain of the session. AWS's tokens carry none, so its older part is left out when there is no
    room.
    """
    principal = request.principal
    access_key_id = ids.access_key_id(TEMPORARY_KEY_PREFIX, principal.account_id)
    now = int(now_seconds)
    issued_at_seconds = now if request.began_at_seconds is None else request.began_at_seconds
    expires_at_seconds = now + request.duration_seconds
    claims: dict[str, Any] = {
        "k": access_key_id,
        "t": request.type,
        "iat": issued_at_seconds,
        "exp": expires_at_seconds,
        "p": principal.parts,
    }
    for claim, value in (
        ("sn", request.session_name),
        ("pol", request.policies),
        ("arn", request.policy_arns),
        ("tag", request.tags),
        ("ttk", request.transitive_tag_keys),
        ("si", request.source_identity),
        ("mfa", request.mfa_authenticated_at_seconds),
        ("fp", request.federated_provider),
        ("ctx", request.context),
        ("ch", request.chained),
        ("v1", not request.everywhere),
        ("apol", request.approver_policies),
        ("aarn", request.approver_policy_arns),
        ("asd", request.approver_scope_down_policies),
        ("sc", request.scoped),
        ("sd", request.scope_down_policies),
    ):
        if value:
            claims[claim] = value
    key = keys.newest
    return TemporaryCredentials(
        access_key_id=access_key_id,
        secret_access_key=key.secret_access_key(access_key_id),
        session_token=_session_token(key, claims, chain, request.minimum_token_bytes),
        expires_at_seconds=expires_at_seconds,
    )


def _session_token(key: SealingKey, claims: dict[str, Any], chain: tuple[str, ...], minimum_bytes: int) -> str:
    token = ""
    for kept in dict.fromkeys((chain, chain[-1:], ())):
        claimed = {**claims, "by": kept} if kept else claims
        token = seal(key, SESSION_PURPOSE, claimed, minimum_characters=minimum_bytes, compressed=False)
        if len(token) <= MAXIMUM_TOKEN_BYTES:
            return token
    raise TokenTooLargeError(len(token))


def open_session(keys: KeyRing, access_key_id: str, session_token: str) -> OpenedSession:
    """The session in a token, if the token was issued for this access key id. Does not check expiry.

    Raises BadTokenError for a token that is damaged, of another key ring or purpose, or for another access key id.
    """
    key, claims = open_token(keys, SESSION_PURPOSE, session_token)
    if claims.get("k") != access_key_id:
        raise BadTokenError("issued for another access key id")
    return opened_from_claims(key, claims)


def opened_from_claims(key: SealingKey, claims: Mapping[str, Any]) -> OpenedSession:
    """The session that claims describe. Raises BadTokenError when they do not describe one."""
    try:
        access_key_id = claims["k"]
        session = Session(
            type=claims["t"],
            access_key_id=access_key_id,
            issued_at_seconds=claims["iat"],
            expires_at_seconds=claims["exp"],
            session_name=claims.get("sn", ""),
            policies=tuple(claims.get("pol", ())),
            policy_arns=tuple(claims.get("arn", ())),
            tags=tuple((name, value) for name, value in claims.get("tag", ())),
            transitive_tag_keys=tuple(claims.get("ttk", ())),
            source_identity=claims.get("si", ""),
            mfa_authenticated_at_seconds=claims.get("mfa"),
            federated_provider=claims.get("fp", ""),
            context=tuple((name, _context_value(value)) for name, value in claims.get("ctx", ())),
            chained=claims.get("ch", False),
            everywhere=not claims.get("v1", False),
            approver_policies=tuple(claims.get("apol", ())),
            approver_policy_arns=tuple(claims.get("aarn", ())),
            approver_scope_down_policies=tuple(claims.get("asd", ())),
            scoped=claims.get("sc", False),
            scope_down_policies=tuple(claims.get("sd", ())),
            chain=tuple(claims.get("by", ())),
        )
        principal = Principal(*claims["p"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadTokenError("sealed by an incompatible version") from error
    return OpenedSession(principal, session, key.secret_access_key(access_key_id))


def _context_value(value: str | list[str]) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(value)
