"""The data for authorisation: keys, entities, and the policies that apply to them. Read once per change, then cached.

All functions take a connection of one snapshot and return plain records.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection, Table, bindparam, select

from rolecall.arns import FULL_ACCESS, iam_arn, organization_policy_arn, parse_arn
from rolecall.reprs import repr_without
from rolecall.storage import tables as t
from rolecall.storage.entity_tags import all_tags, tags_of
from rolecall.storage.prepared import PreparedSelect

ROOT_TARGET = "ROOT"
# The states of an account (Organizations User Guide, Monitor the state of your AWS accounts). In every state but ACTIVE
# its principals can do nothing. PENDING_CLOSURE is missing, because accounts close at once.
ACTIVE = "ACTIVE"
ACCOUNT_STATES = (ACTIVE, "PENDING_ACTIVATION", "SUSPENDED", "CLOSED")
SERVICE_CONTROL_POLICY = "SERVICE_CONTROL_POLICY"
RESOURCE_CONTROL_POLICY = "RESOURCE_CONTROL_POLICY"
# On in every organization that did not switch them off.
CONTROL_POLICY_TYPES = (SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY)


class AccessKey(Struct, frozen=True):
    """A long-term access key. ``user_id`` is None for a key of the account's root user."""

    access_key_id: str
    secret_access_key: str
    status: str
    account_id: str
    user_id: str | None

    __repr__ = repr_without("secret_access_key")


class Entity(Struct, frozen=True):
    """An IAM user or role as authorisation sees it."""

    kind: str
    entity_id: str
    account_id: str
    name: str
    path: str
    permissions_boundary_arn: str | None
    tags: tuple[tuple[str, str], ...]

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, self.kind, self.path, self.name)


class TrustedRole(Struct, frozen=True):
    """A role with the facts that AssumeRole needs."""

    entity: Entity
    trust_policy: str
    trust_principal_ids: Mapping[str, str]
    max_session_duration_seconds: int
    max_signin_session_duration_seconds: int | None
    linked_service: str | None


class Document(Struct, frozen=True):
    """One policy that applies to an entity. ``text`` is None for an AWS managed policy, which storage does not hold.

    ``group`` is the name of the group that gives a user the policy.
    """

    name: str
    arn: str
    text: str | None
    group: str = ""


class Organization(Struct, frozen=True):
    """The organization of an account, and the control policies that apply to the account.

    ``path`` is the account's place in the form of aws:PrincipalOrgPaths. The policies come level by level: root,
    organizational units, account. Full access is among them wherever AWS attaches it. The management account has none,
    because control policies do not restrict it. ``closed`` says that CloseAccount closed the account.
    """

    organization_id: str
    path: str
    service_control: tuple[tuple[Document, ...], ...]
    resource_control: tuple[tuple[Document, ...], ...]
    closed: bool = False


_ACCESS_KEY = PreparedSelect(
    select(
        t.access_keys.c.access_key_id,
        t.access_keys.c.secret_access_key,
        t.access_keys.c.status,
        t.access_keys.c.account_id,
        t.access_keys.c.user_id,
    ).where(t.access_keys.c.access_key_id == bindparam("access_key_id")),
    "access_key_id",
)
# In the order of Entity's fields between its kind and its tags.
_USER_COLUMNS = [t.users.c[name] for name in ("user_id", "account_id", "name", "path", "permissions_boundary_arn")]
_ROLE_COLUMNS = [t.roles.c[name] for name in ("role_id", "account_id", "name", "path", "permissions_boundary_arn")]
_TRUST_COLUMNS = [
    t.roles.c[name]
    for name in (
        "trust_policy",
        "trust_principal_ids",
        "max_session_duration_seconds",
        "max_signin_session_duration_seconds",
        "linked_service",
    )
]
_USER = PreparedSelect(select(*_USER_COLUMNS).where(t.users.c.user_id == bindparam("user_id")), "user_id")
_ROLE = PreparedSelect(select(*_ROLE_COLUMNS).where(t.roles.c.role_id == bindparam("role_id")), "role_id")
_TRUSTED_ROLE = PreparedSelect(
    select(*_ROLE_COLUMNS, *_TRUST_COLUMNS).where(
        t.roles.c.account_id == bindparam("account_id"), t.roles.c.name_key == bindparam("name_key")
    ),
    "account_id",
    "name_key",
)


def access_key(connection: Connection, access_key_id: str) -> AccessKey | None:
    row = _ACCESS_KEY.first(connection, access_key_id)
    return None if row is None else AccessKey(*row)


def user(connection: Connection, user_id: str) -> Entity | None:
    row = _USER.first(connection, user_id)
    return None if row is None else _entity(connection, "user", row)


def role(connection: Connection, role_id: str) -> Entity | None:
    row = _ROLE.first(connection, role_id)
    return None if row is None else _entity(connection, "role", row)


def _entity(connection: Connection, kind: Literal["user", "role"], row: Sequence[Any]) -> Entity:
    entity_id, account_id, name, path, boundary_arn = row
    return Entity(kind, entity_id, account_id, name, path, boundary_arn, tuple(tags_of(connection, kind, entity_id)))


def trusted_role(connection: Connection, arn: str) -> TrustedRole | None:
    """The role with an ARN; None when there is no such role, or when the path in the ARN is not the role's."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.resource_type != "role":
        return None
    row = _TRUSTED_ROLE.first(connection, parsed.account_id, parsed.resource_name.lower())
    if row is None:
        return None
    _role_id, account_id, name, path, *_ = row
    if iam_arn(account_id, "role", path, name) != arn:
        return None
    return _trusted(row, tuple(tags_of(connection, "role", row[0])))


def trusted_roles(connection: Connection, limit: int) -> Iterator[tuple[str, TrustedRole]]:
    """Many roles with their ARNs, at most ``limit``, in two statements."""
    rows = connection.execute(select(*_ROLE_COLUMNS, *_TRUST_COLUMNS).limit(limit)).all()
    tags = all_tags(connection, "role")
    for row in rows:
        role = _trusted(row, tuple(tags.get(row[0], ())))
        yield iam_arn(role.entity.account_id, "role", role.entity.path, role.entity.name), role


def _trusted(row: Sequence[Any], tags: tuple[tuple[str, str], ...]) -> TrustedRole:
    role_id, account_id, name, path, boundary_arn = row[:5]
    trust_policy, principal_ids, duration_seconds, signin_duration_seconds, service = row[5:]
    return TrustedRole(
        entity=Entity("role", role_id, account_id, name, path, boundary_arn, tags),
        trust_policy=trust_policy,
        trust_principal_ids=json.loads(principal_ids),
        max_session_duration_seconds=duration_seconds,
        max_signin_session_duration_seconds=signin_duration_seconds,
        linked_service=service,
    )


class _PoliciesOf:
    """The selects of the policies of one kind of entity."""

    __slots__ = ("_all_attached", "_all_inline", "_attached", "_inline")

    def __init__(self, inline: Table, attached: Table, owner: str) -> None:
        self._all_inline = select(inline.c[owner], inline.c.name, inline.c.document).order_by(inline.c.name)
        self._inline = PreparedSelect(
            select(inline.c.name, inline.c.document)
            .where(inline.c[owner] == bindparam("owner"))
            .order_by(inline.c.name),
            "owner",
        )
        default_version = (t.policy_versions.c.policy_id == t.policies.c.policy_id) & (
            t.policy_versions.c.version == t.policies.c.default_version
        )
        joined = attached.outerjoin(t.policies, t.policies.c.policy_id == attached.c.policy_id).outerjoin(
            t.policy_versions, default_version
        )
        columns = (attached.c.policy_arn, t.policy_versions.c.document)
        in_order = attached.c.policy_arn
        self._all_attached = select(attached.c[owner], *columns).select_from(joined).order_by(in_order)
        self._attached = PreparedSelect(
            select(*columns).select_from(joined).where(attached.c[owner] == bindparam("owner")).order_by(in_order),
            "owner",
        )

    def documents(self, connection: Connection, owner_id: str, group: str = "") -> list[Document]:
        """The inline policies by name, then the attached ones by ARN."""
        documents = [Document(name, "", text, group) for name, text in self._inline.all(connection, owner_id)]
        documents += [_attached(arn, text, group) for arn, text in self._attached.all(connection, owner_id)]
        return documents

    def all_documents(self, connection: Connection) -> dict[str, list[Document]]:
        """The same for every entity, by its id."""
        found: dict[str, list[Document]] = {}
        for owner_id, name, text in connection.execute(self._all_inline):
            found.setdefault(owner_id, []).append(Document(name, "", text))
        for owner_id, arn, text in connection.execute(self._all_attached):
            found.setdefault(owner_id, []).append(_attached(arn, text))
        return found


def _attached(arn: str, text: str | None, group: str = "") -> Document:
    return Document(arn.rpartition("/")[2], arn, text, group)


_OF_USER = _PoliciesOf(t.user_inline_policies, t.user_attached_policies, "user_id")
_OF_GROUP = _PoliciesOf(t.group_inline_policies, t.group_attached_policies, "group_id")
_OF_ROLE = _PoliciesOf(t.role_inline_policies, t.role_attached_policies, "role_id")
_GROUPS_OF_USER = PreparedSelect(
    select(t.groups.c.group_id, t.groups.c.name)
    .join(t.group_members, t.group_members.c.group_id == t.groups.c.group_id)
    .where(t.group_members.c.user_id == bindparam("user_id"))
    .order_by(t.groups.c.group_id),
    "user_id",
)
_ALL_GROUPS_OF_USERS = (
    select(t.group_members.c.user_id, t.groups.c.group_id, t.groups.c.name)
    .join(t.group_members, t.group_members.c.group_id == t.groups.c.group_id)
    .order_by(t.groups.c.group_id)
)
_CUSTOMER_POLICY = PreparedSelect(
    select(t.policies.c.path, t.policies.c.name, t.policy_versions.c.document)
    .join(t.policy_versions, t.policy_versions.c.policy_id == t.policies.c.policy_id)
    .where(
        t.policies.c.account_id == bindparam("account_id"),
        t.policies.c.name_key == bindparam("name_key"),
        t.policy_versions.c.version == t.policies.c.default_version,
    ),
    "account_id",
    "name_key",
)


def user_documents(connection: Connection, user_id: str) -> list[Document]:
    """Identity policies of a user: the user's own and its groups' policies."""
    documents = _OF_USER.documents(connection, user_id)
    for group_id, name in _GROUPS_OF_USER.all(connection, user_id):
        documents += _OF_GROUP.documents(connection, group_id, name)
    return documents


def all_principals(connection: Connection, limit: int) -> Iterator[tuple[Entity, list[Document]]]:
    """Users and roles with their identity policies, at most ``limit`` of each, in nine statements."""
    documents, tags = _OF_USER.all_documents(connection), all_tags(connection, "user")
    of_group, groups = _OF_GROUP.all_documents(connection), dict[str, list[tuple[str, str]]]()
    for user_id, group_id, name in connection.execute(_ALL_GROUPS_OF_USERS):
        groups.setdefault(user_id, []).append((group_id, name))
    for row in connection.execute(select(*_USER_COLUMNS).limit(limit)):
        through_groups = [
            replace(each, group=name)
            for group_id, name in groups.get(row[0], ())
            for each in of_group.get(group_id, ())
        ]
        yield _known_entity("user", row, tags), [*documents.get(row[0], ()), *through_groups]
    documents, tags = _OF_ROLE.all_documents(connection), all_tags(connection, "role")
    for row in connection.execute(select(*_ROLE_COLUMNS).limit(limit)):
        yield _known_entity("role", row, tags), documents.get(row[0], [])


def _known_entity(kind: str, row: Sequence[Any], tags: Mapping[str, Sequence[tuple[str, str]]]) -> Entity:
    entity_id, account_id, name, path, boundary_arn = row
    return Entity(kind, entity_id, account_id, name, path, boundary_arn, tuple(tags.get(entity_id, ())))


def role_documents(connection: Connection, role_id: str) -> list[Document]:
    return _OF_ROLE.documents(connection, role_id)


def customer_policy_document(connection: Connection, arn: str) -> str | None:
    """The default version of a customer managed policy; None when there is no such policy."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.resource_type != "policy":
        return None
    row = _CUSTOMER_POLICY.first(connection, parsed.account_id, parsed.resource_name.lower())
    if row is None:
        return None
    path, name, document = row
    return str(document) if iam_arn(parsed.account_id, "policy", path, name) == arn else None


_UNIT_OF_ACCOUNT = PreparedSelect(
    select(t.organizational_unit_accounts.c.ou_id).where(
        t.organizational_unit_accounts.c.account_id == bindparam("account_id")
    ),
    "account_id",
)
_PARENT_OF_UNIT = PreparedSelect(
    select(t.organizational_units.c.parent_id).where(t.organizational_units.c.ou_id == bindparam("ou_id")), "ou_id"
)


_ORGANIZATION = PreparedSelect(
    select(t.organizations.c.organization_id, t.organizations.c.management_account_id, t.organization_accounts.c.state)
    .select_from(t.organizations)
    .join(t.accounts, t.accounts.c.organization_id == t.organizations.c.organization_id)
    .outerjoin(t.organization_accounts, t.organization_accounts.c.account_id == t.accounts.c.account_id)
    .where(t.accounts.c.account_id == bindparam("account_id")),
    "account_id",
)
_POLICY_TYPE = PreparedSelect(
    select(t.organization_policy_types.c.enabled).where(
        t.organization_policy_types.c.organization_id == bindparam("organization_id"),
        t.organization_policy_types.c.policy_type == bindparam("policy_type"),
    ),
    "organization_id",
    "policy_type",
)
_POLICY_BY_ID = PreparedSelect(
    select(t.organization_policies.c.policy_id).where(
        t.organization_policies.c.organization_id == bindparam("organization_id"),
        t.organization_policies.c.policy_type == bindparam("policy_type"),
        t.organization_policies.c.policy_id == bindparam("policy_id"),
    ),
    "organization_id",
    "policy_type",
    "policy_id",
)
_POLICIES_AT_TARGET = PreparedSelect(
    select(t.organization_policies.c.policy_id, t.organization_policies.c.name, t.organization_policies.c.document)
    .join(
        t.organization_policy_targets,
        (t.organization_policy_targets.c.organization_id == t.organization_policies.c.organization_id)
        & (t.organization_policy_targets.c.policy_id == t.organization_policies.c.policy_id),
    )
    .where(
        t.organization_policies.c.organization_id == bindparam("organization_id"),
        t.organization_policies.c.policy_type == bindparam("policy_type"),
        t.organization_policy_targets.c.target == bindparam("target"),
    )
    .order_by(t.organization_policies.c.name),
    "organization_id",
    "policy_type",
    "target",
)


def organization_of(connection: Connection, account_id: str) -> Organization | None:
    row = _ORGANIZATION.first(connection, account_id)
    if row is None:
        return None
    organization_id, management_account, state = row
    units = _units_of(connection, account_id)
    path = "".join(f"{part}/" for part in (organization_id, root_of(organization_id), *units))
    if management_account == account_id:
        return Organization(organization_id, path, (), ())
    targets = (ROOT_TARGET, *units, account_id)
    management_account_id = management_account or default_account_id(connection) or ""
    levels = partial(_levels, connection, management_account_id, organization_id, targets)
    return Organization(
        organization_id,
        path,
        levels(SERVICE_CONTROL_POLICY),
        levels(RESOURCE_CONTROL_POLICY),
        closed=state not in (None, ACTIVE),
    )


def service_control_levels(
    connection: Connection, management_account_id: str, organization_id: str, targets: Sequence[str]
) -> tuple[tuple[Document, ...], ...]:
    """The service control policies of each target, where the root is ROOT_TARGET."""
    return _levels(connection, management_account_id, organization_id, targets, SERVICE_CONTROL_POLICY)


def root_of(organization_id: str) -> str:
    """The id of an organization's root."""
    return f"r-{organization_id[2:6]}"


def _units_of(connection: Connection, account_id: str) -> list[str]:
    """The organizational units an account is in, outermost first."""
    found: list[str] = []
    row = _UNIT_OF_ACCOUNT.first(connection, account_id)
    # A unit met twice would be a circle, which the sandbox file does not allow.
    while row is not None and row[0] is not None and row[0] not in found:
        found.insert(0, row[0])
        row = _PARENT_OF_UNIT.first(connection, row[0])
    return found


def policy_type_enabled(connection: Connection, organization_id: str, policy_type: str) -> bool:
    """Whether an organization uses policies of this type."""
    switched = _POLICY_TYPE.first(connection, organization_id, policy_type)
    return policy_type in CONTROL_POLICY_TYPES if switched is None else bool(switched[0])


def _levels(
    connection: Connection,
    management_account_id: str,
    organization_id: str,
    targets: Sequence[str],
    policy_type: str,
) -> tuple[tuple[Document, ...], ...]:
    """The policies of each level; no level while the type is off.

    AWS attaches full access to the root and to every unit and account when a type is switched on. As long as the policy
    has no row, it is attached everywhere; then it is attached to its own targets only.
    """
    if not policy_type_enabled(connection, organization_id, policy_type):
        return ()
    name = FULL_ACCESS[policy_type]
    arn_of = partial(organization_policy_arn, management_account_id, organization_id, policy_type)
    own_id = f"p-{name}"
    has_row = _POLICY_BY_ID.first(connection, organization_id, policy_type, own_id) is not None
    everywhere = () if has_row else (Document(name, arn_of(own_id), None),)

    def level(target: str) -> tuple[Document, ...]:
        rows = _POLICIES_AT_TARGET.all(connection, organization_id, policy_type, target)
        return (*everywhere, *(Document(own_name, arn_of(policy_id), text) for policy_id, own_name, text in rows))

    return tuple(level(target) for target in targets)


_ACCOUNT = PreparedSelect(
    select(t.accounts.c.account_id).where(t.accounts.c.account_id == bindparam("account_id")), "account_id"
)
_FIRST_ACCOUNT = PreparedSelect(select(t.accounts.c.account_id).order_by(t.accounts.c.position).limit(1))


def account_exists(connection: Connection, account_id: str) -> bool:
    return _ACCOUNT.first(connection, account_id) is not None


def default_account_id(connection: Connection) -> str | None:
    """The account that was declared first."""
    row = _FIRST_ACCOUNT.first(connection)
    return None if row is None else str(row[0])


def account_names(connection: Connection) -> dict[str, str]:
    """The names of all accounts by their ids. The account declared first comes first."""
    accounts = t.accounts.c
    found = connection.execute(select(accounts.account_id, accounts.name).order_by(accounts.position))
    return {row.account_id: row.name for row in found}


def user_with_policy(connection: Connection, account_id: str, policy_arn: str) -> str | None:
    """The id of the account's first user by name to which this managed policy is attached directly."""
    attached = t.user_attached_policies
    statement = (
        select(t.users.c.user_id)
        .join(attached, attached.c.user_id == t.users.c.user_id)
        .where(t.users.c.account_id == account_id, attached.c.policy_arn == policy_arn)
        .order_by(t.users.c.name_key)
        .limit(1)
    )
    return connection.execute(statement).scalar()
