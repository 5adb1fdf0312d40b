"""Sign-in at IAM Identity Center: clients, codes, sessions and tokens. Only digests of secrets are stored.

A write deletes what has expired, so that the tables do not grow for ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage import tables as t
from rolecall.storage.identity_center import IdentityCenter

# The page on which a user approves a device, and how often a device may ask whether that has happened.
DEVICE_PAGE = "/_rolecall/sso/device"
POLLING_SECONDS = 1
PENDING, APPROVED, DENIED, SPENT = "pending", "approved", "denied", "spent"
ACCESS, REFRESH = "access", "refresh"


class SsoClient(Struct, frozen=True):
    """A registered client. ``grant_types`` and ``redirect_uris`` are empty when it registered none."""

    client_id: str
    secret_digest: str
    name: str
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    expires_at_seconds: int


class SsoCode(Struct, frozen=True):
    """A device code, which has a ``user_code``, or an authorization code, which has a ``redirect_uri``."""

    code_digest: str
    client_id: str
    user_code: str | None
    status: str
    user_id: str | None
    redirect_uri: str
    code_challenge: str
    polled_at_millis: int | None
    session_id: str | None
    expires_at_seconds: int


class SsoSession(Struct, frozen=True):
    session_id: str
    client_id: str
    user_id: str
    scopes: tuple[str, ...]
    expires_at_seconds: int


class SsoToken(Struct, frozen=True):
    token_digest: str
    kind: str
    expires_at_seconds: int
    session: SsoSession


def digest(secret: str) -> str:
    """What is stored of a secret of at least 128 random bits, which no list of digests can reveal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def is_start_url(center: IdentityCenter | None, url: str) -> bool:
    """Whether a URL is the access portal's address. Users copy it with what browsers add, as in ``/start#/``."""
    return center is not None and _bare(url) == _bare(center.start_url)


def _bare(url: str) -> str:
    return url.partition("#")[0].partition("?")[0].rstrip("/").lower()


def add_client(connection: Connection, client: SsoClient, now_seconds: float) -> None:
    connection.execute(delete(t.sso_clients).where(t.sso_clients.c.expires_at_seconds <= now_seconds))
    connection.execute(
        insert(t.sso_clients).values(
            client_id=client.client_id,
            secret_digest=client.secret_digest,
            name=client.name,
            scopes=json.dumps(client.scopes),
            redirect_uris=json.dumps(client.redirect_uris),
            grant_types=json.dumps(client.grant_types),
            expires_at_seconds=client.expires_at_seconds,
        )
    )


def client_by_id(connection: Connection, client_id: str) -> SsoClient | None:
    c = t.sso_clients.c
    row = connection.execute(
        select(
            c.client_id, c.secret_digest, c.name, c.scopes, c.redirect_uris, c.grant_types, c.expires_at_seconds
        ).where(c.client_id == client_id)
    ).first()
    if row is None:
        return None
    known_id, secret_digest, name, *lists, expires_at_seconds = row
    scopes, redirect_uris, grant_types = (tuple(json.loads(text)) for text in lists)
    return SsoClient(known_id, secret_digest, name, scopes, redirect_uris, grant_types, expires_at_seconds)


def add_code(connection: Connection, code: SsoCode, now_seconds: float) -> None:
    connection.execute(delete(t.sso_codes).where(t.sso_codes.c.expires_at_seconds <= now_seconds - _KEPT_SECONDS))
    connection.execute(insert(t.sso_codes).values(**{name: getattr(code, name) for name in _CODE_COLUMNS}))


def code_by_digest(connection: Connection, code_digest: str) -> SsoCode | None:
    return _code(connection, t.sso_codes.c.code_digest == code_digest)


def code_by_user_code(connection: Connection, user_code: str) -> SsoCode | None:
    return _code(connection, t.sso_codes.c.user_code == user_code)


def waiting_devices(connection: Connection, now_seconds: float, limit: int) -> list[tuple[str, str, int]]:
    """The device codes that wait for a decision, the newest first: user code, client's name, end in whole seconds."""
    codes, clients = t.sso_codes.c, t.sso_clients.c
    statement = (
        select(codes.user_code, clients.name, codes.expires_at_seconds)
        .join_from(t.sso_codes, t.sso_clients, clients.client_id == codes.client_id)
        .where(codes.user_code.is_not(None), codes.status == PENDING, codes.expires_at_seconds > now_seconds)
        .order_by(codes.expires_at_seconds.desc(), codes.user_code)
        .limit(limit)
    )
    return [(code, name, ends) for code, name, ends in connection.execute(statement)]


def decide_code(connection: Connection, code_digest: str, status: str, user_id: str | None) -> bool:
    """Approve or deny a pending code. False when that was done before."""
    c = t.sso_codes.c
    still = (c.code_digest == code_digest) & (c.status == PENDING)
    return connection.execute(update(t.sso_codes).where(still).values(status=status, user_id=user_id)).rowcount == 1


def spend_code(connection: Connection, code_digest: str, session_id: str) -> bool:
    """Record that an approved code became a session. False when it was spent before."""
    c = t.sso_codes.c
    still = (c.code_digest == code_digest) & (c.status == APPROVED)
    values = {"status": SPENT, "session_id": session_id}
    return connection.execute(update(t.sso_codes).where(still).values(**values)).rowcount == 1


def note_poll(connection: Connection, code_digest: str, at_millis: int) -> None:
    chosen = t.sso_codes.c.code_digest == code_digest
    connection.execute(update(t.sso_codes).where(chosen).values(polled_at_millis=at_millis))


def add_session(connection: Connection, session: SsoSession, now_seconds: float) -> None:
    connection.execute(delete(t.sso_sessions).where(t.sso_sessions.c.expires_at_seconds <= now_seconds))
    connection.execute(
        insert(t.sso_sessions).values(
            session_id=session.session_id,
            client_id=session.client_id,
            user_id=session.user_id,
            scopes=json.dumps(session.scopes),
            expires_at_seconds=session.expires_at_seconds,
        )
    )


def end_session(connection: Connection, session_id: str) -> None:
    """End a session with all of its tokens."""
    connection.execute(delete(t.sso_sessions).where(t.sso_sessions.c.session_id == session_id))


def add_token(connection: Connection, session_id: str, secret: str, kind: str, expires_at_seconds: int) -> None:
    connection.execute(
        insert(t.sso_tokens).values(
            token_digest=digest(secret), session_id=session_id, kind=kind, expires_at_seconds=expires_at_seconds
        )
    )


def remove_token(connection: Connection, token_digest: str) -> bool:
    """False when another transaction removed the token first."""
    chosen = t.sso_tokens.c.token_digest == token_digest
    return connection.execute(delete(t.sso_tokens).where(chosen)).rowcount == 1


def remove_expired_tokens(connection: Connection, session_id: str, now_seconds: float) -> None:
    c = t.sso_tokens.c
    connection.execute(delete(t.sso_tokens).where(c.session_id == session_id, c.expires_at_seconds <= now_seconds))


def token_of(connection: Connection, secret: str, kind: str) -> SsoToken | None:
    """The token of that kind with its session. Does not check expiry."""
    tokens, sessions = t.sso_tokens.c, t.sso_sessions.c
    row = connection.execute(
        select(
            tokens.token_digest,
            tokens.kind,
            tokens.expires_at_seconds,
            sessions.session_id,
            sessions.client_id,
            sessions.user_id,
            sessions.scopes,
            sessions.expires_at_seconds,
        )
        .join_from(t.sso_tokens, t.sso_sessions, sessions.session_id == tokens.session_id)
        .where(tokens.token_digest == digest(secret), tokens.kind == kind)
    ).first()
    if row is None:
        return None
    session = SsoSession(row[3], row[4], row[5], tuple(json.loads(row[6])), row[7])
    return SsoToken(row[0], row[1], row[2], session)


# An expired code is kept for a while, because AWS says of such a code that it has expired.
_KEPT_SECONDS = 86_400
_CODE_COLUMNS = (
    "code_digest",
    "client_id",
    "user_code",
    "status",
    "user_id",
    "redirect_uri",
    "code_challenge",
    "polled_at_millis",
    "session_id",
    "expires_at_seconds",
)


def _code(connection: Connection, condition: Any) -> SsoCode | None:
    row: Sequence[Any] | None = connection.execute(
        select(*(t.sso_codes.c[name] for name in _CODE_COLUMNS)).where(condition)
    ).first()
    return None if row is None else SsoCode(*row)
