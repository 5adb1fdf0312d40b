"""Sign-In: codes and sessions of ``aws login``, rows in, frozen records out. Only digests of secrets are stored.

A write deletes what expired long ago, so that the tables do not grow for ever.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select, update

from rolecall.arns import iam_arn, root_arn
from rolecall.principals import Principal
from rolecall.storage import tables as t
from rolecall.storage.login_profiles import login_profile_of
from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.sso_sessions import digest

ACTIVE, REVOKED = "ACTIVE", "REVOKED"
# AWS says of an old token that it has expired, so it has to be known for a while.
_KEPT_SECONDS = 7 * 86_400
_USER_AGENT_CHARACTERS = 1024


class SignInCode(Struct, frozen=True):
    """An authorization code. ``session_id`` is the session that it became."""

    code_digest: str
    account_id: str
    region: str
    principal: Principal
    credentials_mark: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    session_id: str | None
    signed_in_at_seconds: int
    expires_at_seconds: int


class SignInSession(Struct, frozen=True):
    """A session of a program. ``key_thumbprint`` names the key that must prove each refresh (RFC 7638)."""

    session_id: str
    account_id: str
    region: str
    principal: Principal
    owner_arn: str
    credentials_mark: str
    client_id: str
    redirect_uri: str
    key_thumbprint: str
    refresh_digest: str
    status: str
    revocation_reason: str
    user_agent: str
    issued_at_seconds: int
    expires_at_seconds: int
    last_used_at_seconds: int | None

    @property
    def arn(self) -> str:
        return f"arn:aws:signin:{self.region}:{self.account_id}:session/{self.session_id}"


_CODES, _SESSIONS = t.signin_codes, t.signin_sessions
_CODE_COLUMNS = tuple(_CODES.c[name] for name in SignInCode.__struct_fields__)
_SESSION_COLUMNS = tuple(_SESSIONS.c[name] for name in SignInSession.__struct_fields__)


def owner_arn_of(principal: Principal) -> str:
    """The ARN of the identity that a principal's sessions belong to, in the form of the API: without a path."""
    if principal.type == "Account":
        return root_arn(principal.account_id)
    if principal.type == "FederatedUser":
        return principal.arn
    kind = "role" if principal.type == "AssumedRole" else "user"
    return iam_arn(principal.account_id, kind, "/", principal.name)


def credentials_mark(connection: Connection, principal: Principal) -> str:
    """A text that changes when the password of a user or root user does. Empty for a role."""
    if principal.type not in ("Account", "User"):
        return ""
    user_id = principal.entity_id if principal.type == "User" else None
    profile = login_profile_of(connection, principal.account_id, user_id)
    return digest("" if profile is None or profile.password_hash is None else profile.password_hash)


def most_signin_seconds(connection: Connection, principal: Principal) -> int | None:
    """MaxSigninSessionDuration of a user or root user; None when it is not set."""
    user_id = principal.entity_id if principal.type == "User" else None
    profile = login_profile_of(connection, principal.account_id, user_id)
    return None if profile is None else profile.max_signin_session_duration_seconds


def add_code(connection: Connection, code: SignInCode, now_seconds: float) -> None:
    connection.execute(delete(_CODES).where(_CODES.c.expires_at_seconds <= now_seconds - _KEPT_SECONDS))
    connection.execute(insert(_CODES).values(**_values(code)))


def code_of(connection: Connection, code: str) -> SignInCode | None:
    row = connection.execute(select(*_CODE_COLUMNS).where(_CODES.c.code_digest == digest(code))).first()
    return None if row is None else SignInCode(*_read(row))


def spend_code(connection: Connection, code_digest: str, session_id: str) -> bool:
    """Record that a code became a session. False when it was spent before."""
    still = (_CODES.c.code_digest == code_digest) & _CODES.c.session_id.is_(None)
    return connection.execute(update(_CODES).where(still).values(session_id=session_id)).rowcount == 1


def add_session(connection: Connection, session: SignInSession, now_seconds: float) -> None:
    connection.execute(delete(_SESSIONS).where(_SESSIONS.c.expires_at_seconds <= now_seconds - _KEPT_SECONDS))
    values = {**_values(session), "user_agent": session.user_agent[:_USER_AGENT_CHARACTERS]}
    connection.execute(insert(_SESSIONS).values(**values))


def session_by_id(connection: Connection, session_id: str) -> SignInSession | None:
    return _one(connection, _SESSIONS.c.session_id == session_id)


def session_by_refresh_token(connection: Connection, token: str) -> SignInSession | None:
    return _one(connection, _SESSIONS.c.refresh_digest == digest(token))


def sessions_of(
    connection: Connection, account_id: str, owner_arn: str | None, now_seconds: float
) -> list[SignInSession]:
    """The sessions of an account that have not expired, or of one owner in it, the newest first."""
    chosen = (_SESSIONS.c.account_id == account_id) & (_SESSIONS.c.expires_at_seconds > now_seconds)
    if owner_arn is not None:
        chosen &= _SESSIONS.c.owner_arn == owner_arn
    order = _SESSIONS.c.issued_at_seconds.desc(), _SESSIONS.c.session_id
    rows = connection.execute(select(*_SESSION_COLUMNS).where(chosen).order_by(*order))
    return [SignInSession(*_read(row)) for row in rows]


def revoke(connection: Connection, session_id: str, reason: str = "") -> None:
    """End a session. One that has ended keeps its reason."""
    still = (_SESSIONS.c.session_id == session_id) & (_SESSIONS.c.status == ACTIVE)
    connection.execute(update(_SESSIONS).where(still).values(status=REVOKED, revocation_reason=reason))


def note_refresh(connection: Connection, session_id: str, user_agent: str, now_seconds: float) -> bool:
    """Record a refresh. False when the session has been revoked meanwhile."""
    still = (_SESSIONS.c.session_id == session_id) & (_SESSIONS.c.status == ACTIVE)
    values = {"last_used_at_seconds": int(now_seconds), "user_agent": user_agent[:_USER_AGENT_CHARACTERS]}
    return connection.execute(update(_SESSIONS).where(still).values(**values)).rowcount == 1


def use_proof(connection: Connection, proof: str, grant: str, until_seconds: float, now_seconds: float) -> bool:
    """Record that a proof came with a grant. False when it came with another one before. Times are wall-clock times."""
    proofs = t.dpop_proofs
    connection.execute(delete(proofs).where(proofs.c.expires_at_seconds <= now_seconds))
    row = {"proof_digest": digest(proof), "grant_digest": digest(grant), "expires_at_seconds": int(until_seconds)}
    try:
        with problem_for_conflict(connection, AlreadyThere("proof")):
            connection.execute(insert(proofs).values(**row))
    except AlreadyThere:
        known = connection.execute(
            select(proofs.c.grant_digest).where(proofs.c.proof_digest == row["proof_digest"])
        ).scalar()
        return bool(known == row["grant_digest"])
    return True


def _one(connection: Connection, condition: Any) -> SignInSession | None:
    row = connection.execute(select(*_SESSION_COLUMNS).where(condition)).first()
    return None if row is None else SignInSession(*_read(row))


def _values(record: SignInCode | SignInSession) -> dict[str, Any]:
    values = asdict(record)
    return {**values, "principal": json.dumps(record.principal.parts)}


def _read(row: Sequence[Any]) -> list[Any]:
    """The columns of a row. The fourth one of both tables is the principal."""
    return [*row[:3], Principal(*json.loads(row[3])), *row[4:]]
