"""The principals of a trust policy: the user or role that each one named when the policy was saved.

AWS turns the ARN of a user or role into its unique id when a trust policy is saved. So a later entity with the same
name is not trusted by accident (IAM User Guide, AWS JSON policy elements: Principal).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from sqlalchemy import Column, Connection, Table, bindparam, select

from rolecall.arns import Arn, iam_arn, parse_arn
from rolecall.ids import ROLE_PREFIX, USER_PREFIX
from rolecall.storage import tables as t
from rolecall.storage.gather import account_exists
from rolecall.storage.prepared import PreparedSelect
from rolecall.storage.roles import RoleRecord, role_by_name
from rolecall.storage.users import UserRecord, user_by_name

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{12,124}")
_PREFIX_CHARACTERS = len(USER_PREFIX)


class UnknownPrincipal(Exception):  # noqa: N818 - says what is wrong with the policy, not that something failed
    """A trust policy names a text that is no principal, or a user or role that does not exist."""

    def __init__(self, principal: str) -> None:
        super().__init__(principal)
        self.principal = principal


def resolve_trust(connection: Connection, principals: Iterable[str]) -> dict[str, str]:
    """The unique id of every user and role among the ``AWS`` principals of a trust policy, by principal as written.

    ``principals`` are ARNs, account numbers, unique ids or ``*``. Accounts and sessions are matched as written, so they
    have no entry. A principal of an account outside the sandbox is accepted unchecked: its existence cannot be known,
    and no caller can act as it. Raises UnknownPrincipal.
    """
    ids: dict[str, str] = {}
    for principal in principals:
        unique_id = _resolve(connection, principal)
        if unique_id:
            ids[principal] = unique_id
    return ids


class PrincipalForm(Enum):
    """What a principal of a trust policy may name. Only the last three must exist."""

    ANYONE = "an account, its root user, or a federated user"
    UNIQUE_ID = "the unique id of a user or role"
    ENTITY = "the ARN of a user or role"
    SESSION = "the ARN of a session of a role"


def principal_form(principal: str) -> tuple[PrincipalForm, Arn | None]:
    """What a principal names, and its ARN if it is one. Raises UnknownPrincipal for a text that is no principal."""
    if principal == "*" or _ACCOUNT_ID.fullmatch(principal):
        return PrincipalForm.ANYONE, None
    if _UNIQUE_ID.fullmatch(principal):
        return PrincipalForm.UNIQUE_ID, None
    arn = parse_arn(principal)
    if arn is None or arn.region or not _ACCOUNT_ID.fullmatch(arn.account_id) or "*" in arn.resource:
        raise UnknownPrincipal(principal)
    kind, _, rest = arn.resource.partition("/")
    if (arn.service, arn.resource) == ("iam", "root"):
        return PrincipalForm.ANYONE, arn
    if rest and (arn.service, kind) in (("iam", "user"), ("iam", "role")):
        return PrincipalForm.ENTITY, arn
    if rest and (arn.service, kind) == ("sts", "federated-user"):
        return PrincipalForm.ANYONE, arn
    role_name, _, session_name = rest.partition("/")
    if (arn.service, kind) == ("sts", "assumed-role") and role_name and session_name and "/" not in session_name:
        return PrincipalForm.SESSION, arn
    raise UnknownPrincipal(principal)


def _resolve(connection: Connection, principal: str) -> str:
    form, arn = principal_form(principal)
    if form is PrincipalForm.UNIQUE_ID:
        if principal not in entity_arns(connection, [principal]):
            raise UnknownPrincipal(principal)
        return principal
    if arn is not None and form is PrincipalForm.ENTITY:
        return _entity_id(connection, principal, arn, arn.resource_type)
    if arn is not None and form is PrincipalForm.SESSION:
        _check_session(connection, principal, arn)
    return ""


def _entity_id(connection: Connection, principal: str, arn: Arn, kind: str) -> str:
    if not account_exists(connection, arn.account_id):
        return ""
    named = user_by_name if kind == "user" else role_by_name
    entity: UserRecord | RoleRecord | None = named(connection, arn.account_id, arn.resource_name)
    if entity is None or entity.arn != principal:
        raise UnknownPrincipal(principal)
    return entity.user_id if isinstance(entity, UserRecord) else entity.role_id


def _check_session(connection: Connection, principal: str, arn: Arn) -> None:
    """A session is matched by its ARN, but its role must exist."""
    if account_exists(connection, arn.account_id):
        role_name = arn.resource.split("/")[1]
        role = role_by_name(connection, arn.account_id, role_name)
        if role is None or role.name != role_name:
            raise UnknownPrincipal(principal)


def _by_id(table: Table, key: Column[Any]) -> PreparedSelect:
    columns = table.c
    statement = select(columns.account_id, columns.path, columns.name).where(key == bindparam("unique_id"))
    return PreparedSelect(statement, "unique_id")


# A unique id begins with the prefix of its kind (emulator/rolecall/ids.py).
_BY_PREFIX = {
    USER_PREFIX: ("user", _by_id(t.users, t.users.c.user_id)),
    ROLE_PREFIX: ("role", _by_id(t.roles, t.roles.c.role_id)),
}


def entity_arns(connection: Connection, unique_ids: Iterable[str]) -> dict[str, str]:
    """ARNs of the users and roles among ``unique_ids`` that still exist, by unique id."""
    found: dict[str, str] = {}
    for unique_id in set(unique_ids):
        known = _BY_PREFIX.get(unique_id[:_PREFIX_CHARACTERS])
        row = None if known is None else known[1].first(connection, unique_id)
        if known is not None and row is not None:
            found[unique_id] = iam_arn(row[0], known[0], row[1], row[2])
    return found


def shown_trust_policy(document: str, principal_ids: Mapping[str, str], arns: Mapping[str, str]) -> str:
    """A trust policy as AWS shows it: a deleted user or role by its unique id, a renamed one by its present ARN.

    ``principal_ids`` is the result of :func:`resolve_trust` when the policy was saved. ``arns`` is the present result
    of :func:`entity_arns` for those ids. If nothing has changed, the stored text is returned.
    """
    changed = {
        written: arns.get(unique_id, unique_id)
        for written, unique_id in principal_ids.items()
        if arns.get(unique_id, unique_id) != written
    }
    if not changed:
        return document
    policy = json.loads(document)
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principals = statement.get("Principal")
        if isinstance(principals, dict) and "AWS" in principals:
            principals["AWS"] = _renamed(principals["AWS"], changed)
    return json.dumps(policy, ensure_ascii=False, separators=(",", ":"))


def _renamed(value: Any, changed: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(one, changed) for one in value]
    return changed.get(value, value)
