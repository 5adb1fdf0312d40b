"""Tags of users, roles, customer managed policies, identity providers, MFA devices, server certificates and instance
profiles.


For users, roles and providers, keys that differ only in case are one key. For the others they are two (IAM User Guide,
Tags for IAM resources). A key keeps the case in which it was last written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct
from sqlalchemy import Connection, Delete, Select, Table, bindparam, delete, select

from rolecall.storage import tables as t
from rolecall.storage.changes import CHANGES_ALONE
from rolecall.storage.prepared import PreparedInsert, PreparedSelect

TaggedKind = Literal[
    "user",
    "role",
    "policy",
    "oidc_provider",
    "saml_provider",
    "mfa_device",
    "server_certificate",
    "instance_profile",
]
Tag = tuple[str, str]


class _TagStatements(Struct, frozen=True):
    """The statements for one kind's table of tags, built once. If ``case_sensitive``, ``a`` and ``A`` are two keys."""

    select_all: PreparedSelect
    select_everything: Select[Any]
    delete_one: Delete
    insert: PreparedInsert
    owner: str
    case_sensitive: bool

    def key_key(self, key: str) -> str:
        return key if self.case_sensitive else key.lower()


def _statements(table: Table, owner: str, *, case_sensitive: bool) -> _TagStatements:
    of_owner = table.c[owner] == bindparam("owner")
    return _TagStatements(
        select_all=PreparedSelect(
            select(table.c.key, table.c.value).where(of_owner).order_by(table.c.key_key), "owner"
        ),
        select_everything=select(table.c[owner], table.c.key, table.c.value).order_by(table.c.key_key),
        delete_one=delete(table).where(of_owner, table.c.key_key == bindparam("removed")),
        insert=PreparedInsert(table),
        owner=owner,
        case_sensitive=case_sensitive,
    )


_KINDS: Mapping[TaggedKind, _TagStatements] = MappingProxyType(
    {
        "user": _statements(t.user_tags, "user_id", case_sensitive=False),
        "role": _statements(t.role_tags, "role_id", case_sensitive=False),
        "policy": _statements(t.policy_tags, "policy_id", case_sensitive=True),
        "oidc_provider": _statements(t.oidc_provider_tags, "arn", case_sensitive=False),
        "saml_provider": _statements(t.saml_provider_tags, "arn", case_sensitive=False),
        "mfa_device": _statements(t.mfa_device_tags, "serial_number", case_sensitive=True),
        "server_certificate": _statements(t.server_certificate_tags, "certificate_id", case_sensitive=True),
        "instance_profile": _statements(t.instance_profile_tags, "instance_profile_id", case_sensitive=True),
    }
)


def tags_of(connection: Connection, kind: TaggedKind, owner_id: str) -> list[Tag]:
    """The tags of an entity, sorted by key."""
    return [(row[0], row[1]) for row in _KINDS[kind].select_all.all(connection, owner_id)]


def all_tags(connection: Connection, kind: TaggedKind) -> dict[str, list[Tag]]:
    """The tags of every entity of a kind, by its id, sorted as :func:`tags_of` does."""
    found: dict[str, list[Tag]] = {}
    for owner_id, key, value in connection.execute(_KINDS[kind].select_everything):
        found.setdefault(owner_id, []).append((key, value))
    return found


def is_case_sensitive(kind: TaggedKind) -> bool:
    """Whether ``a`` and ``A`` are two keys."""
    return _KINDS[kind].case_sensitive


def key_key(kind: TaggedKind, key: str) -> str:
    """The form of a tag key in which it is compared and sorted."""
    return _KINDS[kind].key_key(key)


def put_tags(connection: Connection, kind: TaggedKind, owner_id: str, tags: Iterable[Tag]) -> None:
    """Add tags. A tag whose key is there already replaces the old key and value."""
    statements = _KINDS[kind]
    present = {statements.key_key(key) for key, _ in tags_of(connection, kind, owner_id)}
    rows = [
        {statements.owner: owner_id, "key_key": statements.key_key(key), "key": key, "value": value}
        for key, value in tags
    ]
    replaced = [{"owner": owner_id, "removed": row["key_key"]} for row in rows if row["key_key"] in present]
    if replaced:
        connection.execute(statements.delete_one.execution_options(**{CHANGES_ALONE: owner_id}), replaced)
    if rows:
        statements.insert.execute(connection, rows)


def remove_tags(connection: Connection, kind: TaggedKind, owner_id: str, keys: Iterable[str]) -> None:
    """Remove the tags with these keys. A key that is not there is no error."""
    statements = _KINDS[kind]
    rows = [{"owner": owner_id, "removed": statements.key_key(key)} for key in keys]
    if rows:
        connection.execute(statements.delete_one.execution_options(**{CHANGES_ALONE: owner_id}), rows)


def new_tag_count(connection: Connection, kind: TaggedKind, owner_id: str, tags: Iterable[Tag]) -> int:
    """How many tags the entity would have after :func:`put_tags`."""
    keys = {key_key(kind, key) for key, _ in tags_of(connection, kind, owner_id)}
    return len(keys.union(key_key(kind, key) for key, _ in tags))
