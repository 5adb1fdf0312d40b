"""Snapshots: the whole world as one sandbox file, and back.

Loading a snapshot restores the saved world with the same unique ids, so credentials that were issued before still work.
Policies keep their exact text. A table without keys in the sandbox file is stored row by row, under ``rows``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec.structs import asdict

from rolecall.arns import declared_policy_id
from rolecall.clock import iso8601
from rolecall.data import changed_quotas
from rolecall.ids import Identifiers
from rolecall.policy import PolicyKind, kept_policy, trusted_principals
from rolecall.settings import SandboxSettings
from rolecall.storage import gather, worlds
from rolecall.storage import tables as t
from rolecall.storage.engine import Database
from rolecall.storage.problems import BadRowError
from rolecall.storage.trust import UnknownPrincipal, resolve_trust
from rolecall.worlds import checking as c
from rolecall.worlds import world as w
from rolecall.worlds.attached import RECORDS, section_of_attachment
from rolecall.worlds.chime_accounts import DeclaredChimeAccount, DeclaredChimeUser
from rolecall.worlds.collection import without_collection
from rolecall.worlds.declare import SNAPSHOT_BEGIN, SNAPSHOT_END, InvalidWorldError, read_world
from rolecall.worlds.located import Problem
from rolecall.worlds.members import section_of
from rolecall.worlds.own_idps import with_keys
from rolecall.worlds.references import referable_units
from rolecall.worlds.setup import present_settings, replace_world
from rolecall.worlds.snapshot_tables import PLAIN_TABLES
from rolecall.worlds.yaml_written import yaml_text

Row = Mapping[str, Any]
Section = dict[str, Any]

_USE_COLUMN_PREFIX = "last_used_"
_HEADING = f"{SNAPSHOT_BEGIN}the world as it was. It holds secrets. Load it with `rolecall snapshot load`.\n"


class UnsavableError(Exception):
    """A world that a sandbox file cannot describe."""


def save_database(database: Database, settings: SandboxSettings, *, last_used: bool = True) -> str:
    """The world of a database as a sandbox file. Raises UnsavableError."""
    with database.snapshot() as connection:
        return save(connection, settings, last_used=last_used)


def load_database(
    database: Database, text: str, now_seconds: float, ids: Identifiers, folder: str | None = None
) -> None:
    """Replace a database's world, or change nothing on an error. Paths in the text are relative to ``folder``.

    Raises InvalidWorldError with every problem of the text.
    """
    # Read before the transaction, because other writers wait for a transaction.
    world = with_keys(read_world(text, folder), int(now_seconds))
    database.write(lambda connection: _replace(connection, world, now_seconds, ids))


def save(connection: Any, settings: SandboxSettings, *, last_used: bool = True) -> str:
    """The world in a database as YAML. ``settings`` apply where the database stores none.

    Without ``last_used`` it leaves out when keys and roles were last used. So a call that changes nothing else does not
    change the text. Raises UnsavableError.
    """
    with without_collection():
        return _save(connection, settings, last_used=last_used)


def _save(connection: Any, settings: SandboxSettings, *, last_used: bool) -> str:
    tables = Tables(connection) if last_used else _TablesWithoutUses(connection)
    organization_id = _organization_id(tables)
    # Iterators, because the accounts and rows of a large world together take several times the text's memory.
    world = {
        "version": 1,
        "organization": _organization(tables, organization_id),
        "accounts": (
            without_defaults(_account(tables, row, organization_id))
            for row in sorted(tables.all(t.accounts), key=_by("position"))
        ),
        "settings": _settings(present_settings(connection, settings)),
        "rows": {name: _plain_rows(tables, name) for name in PLAIN_TABLES if tables.all(t.metadata.tables[name])},
    }
    return f"{_HEADING}{yaml_text(without_defaults(world))}{SNAPSHOT_END}\n"


def _settings(settings: SandboxSettings) -> dict[str, Any]:
    return asdict(settings) | {"quotas": changed_quotas(settings.quotas)}


def load(connection: Any, text: str, now_seconds: float, ids: Identifiers) -> None:
    """Replace the world of a connection, which has an open transaction. Raises InvalidWorldError."""
    _replace(connection, read_world(text), now_seconds, ids)


def _replace(connection: Any, world: w.World, now_seconds: float, ids: Identifiers) -> None:
    try:
        replace_world(connection, world, now_seconds, ids)
    except BadRowError as error:
        raise InvalidWorldError([Problem(1, str(error))]) from error


class Tables:
    """The tables at one moment. Each is read once, and ``read`` names the tables that were read."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._rows: dict[str, list[Row]] = {}
        self._grouped: dict[tuple[str, str], dict[Any, list[Row]]] = {}

    @property
    def read(self) -> frozenset[str]:
        return frozenset(self._rows)

    def all(self, table: Any) -> list[Row]:
        if table.name not in self._rows:
            self._rows[table.name] = worlds.rows(self.connection, table)
        return self._rows[table.name]

    def of(self, table: Any, column: str, value: Any) -> list[Row]:
        """The rows with this value in a column."""
        groups = self._grouped.get((table.name, column))
        if groups is None:
            groups = self._grouped[table.name, column] = {}
            for row in self.all(table):
                groups.setdefault(row[column], []).append(row)
        return groups.get(value, [])


class _TablesWithoutUses(Tables):
    def all(self, table: Any) -> list[Row]:
        return [
            {name: None if name.startswith(_USE_COLUMN_PREFIX) else value for name, value in row.items()}
            for row in super().all(table)
        ]


def _by(*columns: str) -> Callable[[Row], tuple[Any, ...]]:
    return lambda row: tuple(row[column] for column in columns)


def _named(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=_by("name_key"))


def _time_unless(seconds: int, usual_seconds: int) -> str | None:
    return None if seconds == usual_seconds else iso8601(seconds)


def _plain_rows(tables: Tables, name: str) -> Iterator[Row]:
    for row in tables.all(t.metadata.tables[name]):
        yield {str(column): value for column, value in row.items() if value is not None}


# The sections of the file.


def _organization_id(tables: Tables) -> str | None:
    """The organization that accounts belong to. Others may be left over from earlier files."""
    used = {row["organization_id"] for row in tables.all(t.accounts)} - {None}
    if len(used) > 1:
        raise UnsavableError(f"the database has accounts of several organizations: {', '.join(sorted(used))}")
    return next(iter(used), None)


def _organization(tables: Tables, organization_id: str | None) -> Section | None:
    if not tables.of(t.organizations, "organization_id", organization_id):
        return None
    of_organization = "organization_id", organization_id
    names = _unit_names(tables.of(t.organizational_units, *of_organization))

    def policies(policy_type: str) -> list[Section]:
        rows = sorted(tables.of(t.organization_policies, *of_organization), key=_by("name"))
        return [_organization_policy(tables, row, names) for row in rows if row["policy_type"] == policy_type]

    return {
        "id": organization_id,
        "management_account": tables.of(t.organizations, *of_organization)[0]["management_account_id"],
        "delegated_administrators": [
            row["account_id"] for row in tables.of(t.delegated_administrators, *of_organization)
        ],
        "features": [row["feature"] for row in tables.of(t.organization_features, *of_organization)],
        "organizational_units": [
            _unit(tables, unit, names) for unit in tables.of(t.organizational_units, *of_organization)
        ],
        "service_control_policies": policies(gather.SERVICE_CONTROL_POLICY),
        "resource_control_policies": policies(gather.RESOURCE_CONTROL_POLICY),
        "management_policies": [
            {**shown, "type": row["policy_type"]}
            for row in sorted(tables.of(t.organization_policies, *of_organization), key=_by("policy_type", "name"))
            if row["policy_type"] not in gather.CONTROL_POLICY_TYPES
            for shown in [_organization_policy(tables, row, names)]
        ],
    }


def _unit(tables: Tables, row: Row, names: Mapping[str, str]) -> Section:
    return {
        "name": row["name"],
        "id": row["ou_id"],
        "parent": names.get(row["parent_id"]),
        "accounts": [each["account_id"] for each in tables.of(t.organizational_unit_accounts, "ou_id", row["ou_id"])],
    }


def _unit_names(units: Sequence[Row]) -> dict[str, str]:
    """What other sections call each unit by its id: its name, or its id where a name could mean something else."""
    referable = referable_units((unit["name"], unit["ou_id"]) for unit in units)
    return {unit["ou_id"]: unit["name"] if unit["name"] in referable else unit["ou_id"] for unit in units}


def _organization_policy(tables: Tables, row: Row, names: Mapping[str, str]) -> Section:
    attached = tables.of(t.organization_policy_targets, "policy_id", row["policy_id"])
    targets = [each["target"] for each in attached if each["organization_id"] == row["organization_id"]]
    only_at_root = targets == [gather.ROOT_TARGET]
    declared_id = declared_policy_id(row["policy_type"], row["name"])
    return {
        "name": row["name"],
        "id": None if row["policy_id"] == declared_id else row["policy_id"],
        "description": row["description"],
        "attached": None if targets else False,
        "targets": [] if only_at_root else [names.get(target, target) for target in targets],
        "document": c.document_of(row["document"]),
    }


def _account(tables: Tables, row: Row, organization_id: str | None) -> Section:
    account_id = row["account_id"]
    of_account = "account_id", account_id
    root_keys = [key for key in tables.of(t.access_keys, *of_account) if key["user_id"] is None]
    chime_accounts = sorted(
        tables.of(t.chime_accounts, "aws_account_id", account_id), key=_by("created_at_seconds", "account_id")
    )
    return {
        "id": account_id,
        "name": row["name"],
        "in_organization": None if row["organization_id"] == organization_id else False,
        "root_access_keys": _access_keys(root_keys),
        "users": [_user(tables, user) for user in _named(tables.of(t.users, *of_account))],
        "groups": [_group(tables, group) for group in _named(tables.of(t.groups, *of_account))],
        "policies": [_policy(tables, policy) for policy in _named(tables.of(t.policies, *of_account))],
        "roles": [_role(tables, role) for role in _named(tables.of(t.roles, *of_account))],
        "instance_profiles": [
            _instance_profile(tables, profile) for profile in _named(tables.of(t.instance_profiles, *of_account))
        ],
        **_attachments(tables, account_id),
        "chime_accounts": [_chime_account(tables, account) for account in chime_accounts],
    }


def _attachments(tables: Tables, account_id: str) -> Section:
    rows = sorted(tables.of(t.attachments, "account_id", account_id), key=_by("created_at_seconds", "attachment_id"))
    return {
        make.section: [section_of_attachment(row) for row in rows if row["kind"] == kind]
        for kind, make in RECORDS.items()
    }


def _access_keys(rows: Iterable[Row]) -> list[Section]:
    return [section_of(w.DeclaredKey, row) for row in rows]


def _entity(make: type, kind: str, row: Row, **more: Any) -> Section:
    """A user, group, policy or role. Its name, unique id and creation come first."""
    shown = section_of(make, row, **more)
    first = {"name": shown["name"], "unique_id": row[f"{kind}_id"], "created_at": shown["created_at"]}
    return {**first, "path": shown["path"], **shown}


def _policies_of(tables: Tables, kind: str, row: Row) -> Section:
    owner = f"{kind}_id"
    attached = tables.of(t.metadata.tables[f"{kind}_attached_policies"], owner, row[owner])
    inline = tables.of(t.metadata.tables[f"{kind}_inline_policies"], owner, row[owner])
    return {
        "attached_policies": [each["policy_arn"] for each in attached],
        "inline_policies": {each["name"]: c.document_of(each["document"]) for each in inline},
    }


def _tags(tables: Tables, kind: str, row: Row) -> Mapping[str, str]:
    owner = f"{kind}_id"
    return {tag["key"]: tag["value"] for tag in tables.of(t.metadata.tables[f"{kind}_tags"], owner, row[owner])}


def _user(tables: Tables, row: Row) -> Section:
    memberships = tables.of(t.group_members, "user_id", row["user_id"])
    groups = [tables.of(t.groups, "group_id", each["group_id"])[0] for each in memberships]
    return _entity(
        w.DeclaredUser,
        "user",
        row,
        tags=_tags(tables, "user", row),
        access_keys=_access_keys(tables.of(t.access_keys, "user_id", row["user_id"])),
        groups=[group["name"] for group in _named(groups)],
        **_policies_of(tables, "user", row),
    )


def _group(tables: Tables, row: Row) -> Section:
    return _entity(w.DeclaredGroup, "group", row, **_policies_of(tables, "group", row))


def _policy(tables: Tables, row: Row) -> Section:
    versions = {each["version"]: each for each in tables.of(t.policy_versions, "policy_id", row["policy_id"])}
    default = versions.pop(row["default_version"])
    has_versions = row["latest_version"] > 1
    return _entity(
        w.DeclaredPolicy,
        "policy",
        row,
        updated_at=_time_unless(row["updated_at_seconds"], row["created_at_seconds"]),
        tags=_tags(tables, "policy", row),
        default_version=row["default_version"] if has_versions else None,
        default_version_created_at=_time_unless(default["created_at_seconds"], row["created_at_seconds"]),
        latest_version=row["latest_version"] if has_versions else None,
        document=c.document_of(default["document"]),
        versions=[section_of(w.DeclaredVersion, each) for each in versions.values()],
    )


def _role(tables: Tables, row: Row) -> Section:
    return _entity(
        w.DeclaredRole,
        "role",
        row,
        trusted_ids=_trusted_ids(tables, row),
        tags=_tags(tables, "role", row),
        **_policies_of(tables, "role", row),
    )


def _instance_profile(tables: Tables, row: Row) -> Section:
    roles = [] if row["role_id"] is None else tables.of(t.roles, "role_id", row["role_id"])
    return _entity(
        w.DeclaredInstanceProfile,
        "instance_profile",
        row,
        role=next((role["name"] for role in roles), None),
        tags=_tags(tables, "instance_profile", row),
    )


def _trusted_ids(tables: Tables, row: Row) -> Mapping[str, str] | None:
    """The unique ids that the trust policy's principals had when it was saved, if its text would give others today."""
    bound: dict[str, str] = json.loads(row["trust_principal_ids"])
    try:
        principals = _principals(row["trust_policy"])
        meant_today = resolve_trust(tables.connection, principals)
    except UnknownPrincipal:
        return bound
    return None if bound == meant_today else bound


@lru_cache(maxsize=4096)
def _principals(trust_policy: str) -> tuple[str, ...]:
    """The principals of a stored trust policy. Many roles have the same text."""
    return tuple(trusted_principals(kept_policy(trust_policy, PolicyKind.TRUST)))


def _chime_account(tables: Tables, row: Row) -> Section:
    users = sorted(
        tables.of(t.chime_users, "account_id", row["account_id"]),
        key=lambda user: (user["email_key"] or user["username"] or "", user["user_id"]),
    )
    return section_of(DeclaredChimeAccount, row, users=[section_of(DeclaredChimeUser, user) for user in users])


# From values to text.


# For these members an empty value differs from a missing one.
_KEPT_WHEN_EMPTY = ("trusted_ids", "accounts")
_DEFAULTS: Mapping[str, Any] = {
    "path": "/",
    "description": "",
    "name": "",
    "status": "Active",
    "max_session_duration": 3600,
    "disable_remote_control": False,
    "enable_dial_out": False,
    "alexa_for_business": False,
    "inbound_calling": False,
    "outbound_calling": False,
    "sms_messages": False,
}


def without_defaults(section: Section) -> Section:
    """The section without members that are absent, empty, or equal to their default."""
    shown = {}
    for name, value in section.items():
        if value is None or (value in ([], {}) and name not in _KEPT_WHEN_EMPTY):
            continue
        if name in _DEFAULTS and value == _DEFAULTS[name]:
            continue
        if name == "organization":
            value = without_defaults(value)
        elif isinstance(value, list):
            value = [without_defaults(each) if isinstance(each, dict) else each for each in value]
        shown[name] = value
    return shown
