"""A session of a role: its principal and its credentials, from keys, identifiers, the time and the role."""

from __future__ import annotations

from typing import NamedTuple, TypedDict, Unpack

from rolecall.arns import assumed_role_arn
from rolecall.ids import Identifiers
from rolecall.principals import Principal, SessionType
from rolecall.sessions.credentials import SessionRequest, TemporaryCredentials, issue
from rolecall.sessions.keys import KeyRing
from rolecall.storage.gather import Entity


class RoleSessionContents(TypedDict, total=False):
    """What a session of a role may carry. The meanings are those of SessionRequest."""

    policies: tuple[str, ...]
    policy_arns: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    transitive_tag_keys: tuple[str, ...]
    source_identity: str
    federated_provider: str
    context: tuple[tuple[str, str | tuple[str, ...]], ...]
    chained: bool
    everywhere: bool
    minimum_token_bytes: int


class RoleSession(NamedTuple):
    """A session that was made: its principal, and its credentials."""

    principal: Principal
    credentials: TemporaryCredentials


def role_principal(role: Entity, session_name: str) -> Principal:
    """The principal of a role's session (IAM User Guide, "IAM identifiers")."""
    arn = assumed_role_arn(role.account_id, role.name, session_name)
    user_id = f"{role.entity_id}:{session_name}"
    return Principal("AssumedRole", role.account_id, arn, role.arn, user_id, role.entity_id, role.name)


def role_session(
    keys: KeyRing,
    ids: Identifiers,
    now_seconds: float,
    role: Entity,
    session_name: str,
    duration_seconds: int,
    *,
    type: SessionType = "AssumeRole",
    chain: tuple[str, ...] = (),
    **contents: Unpack[RoleSessionContents],
) -> RoleSession:
    """A new session of the role. Stores nothing. The caller has checked every rule about it.

    ``chain`` holds the ARNs of the callers that obtained it. Raises TokenTooLargeError.
    """
    principal = role_principal(role, session_name)
    request = SessionRequest(
        type=type, principal=principal, duration_seconds=duration_seconds, session_name=session_name, **contents
    )
    return RoleSession(principal, issue(keys, ids, now_seconds, request, chain))
