"""Sets a declared world up in the database, and sets it up again from nothing on reset.

Setting up the same file twice changes nothing. A user's changes stay as long as the file stays the same. A changed file
restores what it declares and leaves everything else alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from rolecall.arns import FULL_ACCESS, declared_policy_id, iam_arn, oidc_provider_arn, saml_provider_arn
from rolecall.data import service_linked_roles
from rolecall.ids import GROUP_PREFIX, INSTANCE_PROFILE_PREFIX, POLICY_PREFIX, ROLE_PREFIX, USER_PREFIX, Identifiers
from rolecall.policy import PolicyKind, trusted_principals
from rolecall.sessions.saml.on_demand import read_metadata
from rolecall.sessions.saml.records import valid_until_seconds
from rolecall.settings import SandboxSettings
from rolecall.storage import gather, worlds
from rolecall.storage import service_linked_roles as linked
from rolecall.storage import tables as t
from rolecall.storage.context_providers import propagation_columns
from rolecall.storage.organization_accounts import new_membership
from rolecall.storage.problems import bad_rows
from rolecall.storage.trust import resolve_trust
from rolecall.storage.world_rows import WorldRows
from rolecall.worlds import world as w
from rolecall.worlds.attached_setup import declared_id, put_attachment
from rolecall.worlds.checking import accepted_policy
from rolecall.worlds.chime_sdk_setup import ChimeSdkRows
from rolecall.worlds.chime_setup import put_chime_account
from rolecall.worlds.collection import without_collection
from rolecall.worlds.identity_center_setup import put_identity_center
from rolecall.worlds.kept_settings import settings_of, settings_text
from rolecall.worlds.known_worlds import TEXT_STATE, AnyWorld, note_text, whole
from rolecall.worlds.members import columns_of, declared, new_columns_of
from rolecall.worlds.own_idps import own_metadata
from rolecall.worlds.references import referable_units
from rolecall.worlds.snapshot_tables import PLAIN_TABLES

_STATE = "world"
_SETTINGS_STATE = "settings"
# In place of a fingerprint: a snapshot was loaded. The next file counts as the file that the database was set up from.
_LOADED = "loaded"
_DATES = frozenset({"attached_at_seconds", "added_at_seconds", "created_at_seconds"})
_NO_COLUMNS: frozenset[str] = frozenset()
# Written before everything else, because declared issuers sign with these keys if they are there.
_SIGNING_KEYS = "signing_keys"


def set_up_world(connection: Any, given: AnyWorld, now_seconds: float, ids: Identifiers) -> bool:
    """Bring the database to the declared world, unless it was set up from it before. True when anything changed.

    Raises InvalidWorldError for a world that is read only now.
    """
    states = worlds.states(connection)
    if given.text_digest and states.get(TEXT_STATE) == given.text_digest:
        return False
    world = whole(given)
    fingerprint, present = _fingerprint(world), states.get(_STATE)
    note_text(connection, world)
    if present == fingerprint:
        return False
    if present != _LOADED:
        _Builder(connection, int(now_seconds), ids).build(world)
        _keep_settings(connection, world.settings)
    worlds.set_state(connection, _STATE, fingerprint)
    return present != _LOADED


def reset_world(connection: Any, world: w.World, now_seconds: float, ids: Identifiers) -> None:
    """Delete everything and set the declared world up again."""
    worlds.wipe(connection)
    set_up_world(connection, world, now_seconds, ids)


def replace_world(connection: Any, world: w.World, now_seconds: float, ids: Identifiers) -> None:
    """Delete everything and set up this world, which the sandbox file does not declare.

    The database still counts as set up from the file. The file is applied again when it changes, or on reset.
    """
    present = worlds.state(connection, _STATE)
    worlds.wipe(connection, for_another_world=True)
    _Builder(connection, int(now_seconds), ids).build(world)
    _keep_settings(connection, world.settings)
    worlds.set_state(connection, _STATE, present or _LOADED)


def _keep_settings(connection: Any, settings: SandboxSettings) -> None:
    worlds.set_state(connection, _SETTINGS_STATE, settings_text(settings))


def present_settings(connection: Any, declared: SandboxSettings) -> SandboxSettings:
    """The present settings: from the file, or from a snapshot that was loaded since; else ``declared``."""
    return settings_in(worlds.states(connection), declared)


def settings_in(states: Mapping[str, str], declared: SandboxSettings) -> SandboxSettings:
    """The present settings among the stored states of a sandbox; ``declared`` where none are stored."""
    text = states.get(_SETTINGS_STATE)
    return declared if text is None else settings_of(text, declared)


def _fingerprint(world: w.World) -> str:
    declared = asdict(world)
    # Another order of lines, or a comment, declares the same.
    del declared["text_digest"]
    text = json.dumps(declared, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Struct) else list(value)


def _unit_id(organization: w.DeclaredOrganization, unit: w.DeclaredUnit) -> str:
    """The declared id of a unit, or one that is the same each time the file is read."""
    root = gather.root_of(organization.organization_id).removeprefix("r-")
    digest = hashlib.sha256(f"{organization.organization_id}/{unit.name}".encode()).hexdigest()
    return unit.ou_id or f"ou-{root}-{digest[:8]}"


def _unit_ids(organization: w.DeclaredOrganization) -> dict[str, str]:
    """The id of each unit by everything that other sections may call it."""
    ids = {(unit.name, unit.ou_id): _unit_id(organization, unit) for unit in organization.organizational_units}
    return {called: ids[unit] for called, unit in referable_units(ids).items()}


def _depth(ou_id: str, parents: Mapping[str, str]) -> int:
    """How many units a unit is in. ``parents`` has the id of each unit's parent, empty below the root."""
    depth, parent = 0, parents[ou_id]
    while parent:
        depth, parent = depth + 1, parents[parent]
    return depth


class _Builder:
    """Writes one world's rows, in the order that their references need."""

    def __init__(self, connection: Any, now_seconds: int, ids: Identifiers) -> None:
        self._db = WorldRows(connection)
        self._now_seconds = now_seconds
        self._ids = ids

    def build(self, world: w.World) -> None:
        """Raises BadRowError when two entities conflict and the checks of the file did not notice it."""
        with without_collection(), bad_rows("the database cannot store it"):
            self._build(world)

    def _build(self, world: w.World) -> None:
        for row in world.rows.get(_SIGNING_KEYS, ()):
            worlds.put_row(self._db, _SIGNING_KEYS, row)
        organization = world.organization
        if organization is not None:
            values = {"management_account_id": organization.management_account_id or None}
            worlds.put(self._db, t.organizations, {"organization_id": organization.organization_id}, values, {})
        for position, account in enumerate(world.accounts):
            described = {
                "name": account.name,
                "position": position,
                "organization_id": organization.organization_id if organization and account.in_organization else None,
            }
            worlds.put(self._db, t.accounts, {"account_id": account.account_id}, described, {})
            if described["organization_id"] is not None:
                membership = new_membership(account.account_id, self._now_seconds)
                written = declared({"email": account.email or None, "state": account.state})
                new = {name: value for name, value in membership.items() if name not in written}
                worlds.put(self._db, t.organization_accounts, {"account_id": account.account_id}, written, new)
        if organization is not None:
            self._organization(organization)
            self._root_access(organization)
        for account in world.accounts:
            self._account(account)
        put_identity_center(self._db, world, self._now_seconds, self._ids)
        # Only now does every user and role exist that a trust policy may name.
        connection = self._db.written()
        for account in world.accounts:
            for role in account.roles:
                self._trust(connection, account.account_id, role)
        for table in PLAIN_TABLES:
            for row in world.rows.get(table, ()):
                worlds.put_row(self._db, table, row)
        self._db.written()

    def _organization(self, organization: w.DeclaredOrganization) -> None:
        units = _unit_ids(organization)
        # Parents first, because a unit refers to its parent.
        declared_units = {_unit_id(organization, unit): unit for unit in organization.organizational_units}
        parents = {ou_id: units.get(unit.parent, "") for ou_id, unit in declared_units.items()}
        for ou_id in sorted(declared_units, key=lambda ou_id: _depth(ou_id, parents)):
            values = {
                "organization_id": organization.organization_id,
                "name": declared_units[ou_id].name,
                "parent_id": parents[ou_id] or None,
            }
            worlds.put(self._db, t.organizational_units, {"ou_id": ou_id}, values, {})
        placed = {account_id: ou_id for ou_id, unit in declared_units.items() for account_id in unit.accounts}
        for account_id, ou_id in placed.items():
            worlds.put(self._db, t.organizational_unit_accounts, {"account_id": account_id}, {"ou_id": ou_id}, {})
        for policy in organization.service_control_policies:
            self._organization_policy(gather.SERVICE_CONTROL_POLICY, organization, policy, units)
        for policy in organization.resource_control_policies:
            self._organization_policy(gather.RESOURCE_CONTROL_POLICY, organization, policy, units)
        for other in organization.management_policies:
            self._organization_policy(other.policy_type, organization, other, units)

    def _organization_policy(
        self,
        policy_type: str,
        organization: w.DeclaredOrganization,
        policy: w.DeclaredControlPolicy,
        units: Mapping[str, str],
    ) -> None:
        owner = {"organization_id": organization.organization_id}
        named = {**owner, "policy_type": policy_type, "name": policy.name}
        present = worlds.find(self._db, t.organization_policies, named)
        policy_id = declared_policy_id(policy_type, policy.name)
        if policy.name != FULL_ACCESS.get(policy_type):
            policy_id = policy.policy_id or policy_id
        key = {**owner, "policy_id": policy_id if present is None else present["policy_id"]}
        values = {**named, "document": policy.document, "description": policy.description}
        del values["organization_id"]
        worlds.put(self._db, t.organization_policies, key, values, {})
        declared = policy.targets or (gather.ROOT_TARGET,) if policy.attached else ()
        targets = [{"target": units.get(target, target)} for target in declared]
        worlds.replace(self._db, t.organization_policy_targets, key, targets, _NO_COLUMNS)

    def _root_access(self, organization: w.DeclaredOrganization) -> None:
        owner = {"organization_id": organization.organization_id}
        administrators = [{"account_id": account_id} for account_id in organization.delegated_administrators]
        worlds.replace(self._db, t.delegated_administrators, owner, administrators, _NO_COLUMNS)
        features = [{"feature": feature} for feature in organization.features]
        worlds.replace(self._db, t.organization_features, owner, features, _NO_COLUMNS)

    def _account(self, account: w.DeclaredAccount) -> None:
        account_id = account.account_id
        for policy in account.policies:
            self._policy(account_id, policy)
        groups = {group.name.lower(): self._group(account_id, group) for group in account.groups}
        for user in account.users:
            self._user(account_id, user, groups)
        self._access_keys(account_id, None, account.root_access_keys)
        self._mfa_devices(account_id, None, account.root_mfa_devices)
        for role in account.roles:
            self._role(account_id, role)
        for service in account.service_linked_roles:
            facts = service_linked_roles()[service]
            made = linked.ensure(self._db.written(), account_id, facts, self._now_seconds, self._ids)
            self._db.noted(t.roles, {"account_id": account_id, "name_key": made.name.lower()})
        for profile in account.instance_profiles:
            self._instance_profile(account_id, profile)
        for attached in (account.instances, account.tasks, account.pods):
            for position, record in enumerate(attached):
                attachment_id = declared_id(record, account_id, position)
                put_attachment(self._db, account_id, record, attachment_id, self._now_seconds, self._ids)
        for provider in account.oidc_providers:
            self._oidc_provider(account_id, provider)
        for saml_provider in account.saml_providers:
            self._saml_provider(account_id, saml_provider)
        for chime_account in account.chime_accounts:
            put_chime_account(self._db, account_id, chime_account, self._now_seconds, self._ids)
        ChimeSdkRows(self._db, account_id, self._now_seconds, self._ids).put(account)

    def _entity(self, table: Any, id_column: str, prefix: str, account_id: str, entity: Any, **values: Any) -> str:
        """The unique id of a named entity, which is created or brought up to date."""
        key = {"account_id": account_id, "name_key": entity.name.lower()}
        new = {id_column: self._new_id(table, id_column, prefix, entity), **self._new_columns(entity)}
        if table is t.policies:
            new.setdefault("updated_at_seconds", new["created_at_seconds"])
        worlds.put(self._db, table, key, {**columns_of(entity), **values}, new)
        row = worlds.find(self._db, table, key)
        return "" if row is None else str(row[id_column])

    def _new_columns(self, record: Any) -> dict[str, Any]:
        """The columns of a new row. Without a declared time it was created now."""
        return {"created_at_seconds": self._now_seconds, **new_columns_of(record)}

    def _made_at(self, declared_seconds: int | None) -> int:
        return self._now_seconds if declared_seconds is None else declared_seconds

    def _new_id(self, table: Any, id_column: str, prefix: str, entity: Any) -> str:
        """The declared unique id, unless another entity has it by now."""
        if entity.unique_id is not None and worlds.find(self._db, table, {id_column: entity.unique_id}) is None:
            return str(entity.unique_id)
        return self._ids.unique_id(prefix)

    def _policy(self, account_id: str, policy: w.DeclaredPolicy) -> None:
        policy_id = self._entity(t.policies, "policy_id", POLICY_PREFIX, account_id, policy)
        key = {"policy_id": policy_id}
        if policy.default_version is not None:
            self._versions(key, policy, policy.default_version)
        row = worlds.find(self._db, t.policies, key) or {}
        created_at_seconds = _first(policy.default_version_created_at_seconds, policy.created_at_seconds)
        new = {"created_at_seconds": self._made_at(created_at_seconds)}
        version = {**key, "version": row["default_version"]}
        worlds.put(self._db, t.policy_versions, version, {"document": policy.document}, new)
        if policy.tags is not None:
            self._case_sensitive_tags(t.policy_tags, "policy_id", policy_id, policy.tags)

    def _versions(self, key: Mapping[str, str], policy: w.DeclaredPolicy, default_version: int) -> None:
        """All versions of a policy that declares more than its document."""
        highest = max([default_version, *(version.version for version in policy.versions)])
        numbers = {"default_version": default_version, "latest_version": policy.latest_version or highest}
        worlds.put(self._db, t.policies, key, numbers, {})
        for version in policy.versions:
            values = columns_of(version)
            version_key = {**key, "version": values.pop("version")}
            worlds.put(self._db, t.policy_versions, version_key, values, self._new_columns(version))

    def _group(self, account_id: str, group: w.DeclaredGroup) -> str:
        group_id = self._entity(t.groups, "group_id", GROUP_PREFIX, account_id, group)
        self._policies_of("group", group_id, account_id, group.attached_policies, group.inline_policies)
        return group_id

    def _user(self, account_id: str, user: w.DeclaredUser, groups: Mapping[str, str]) -> None:
        user_id = self._entity(t.users, "user_id", USER_PREFIX, account_id, user)
        self._policies_of("user", user_id, account_id, user.attached_policies, user.inline_policies)
        self._tags(t.user_tags, "user_id", user_id, user.tags)
        self._access_keys(account_id, user_id, user.access_keys)
        self._mfa_devices(account_id, user_id, user.mfa_devices)
        memberships = [
            {"group_id": groups[name.lower()], "added_at_seconds": self._now_seconds} for name in user.groups
        ]
        worlds.replace(self._db, t.group_members, {"user_id": user_id}, memberships, _DATES)

    def _role(self, account_id: str, role: w.DeclaredRole) -> None:
        role_id = self._entity(t.roles, "role_id", ROLE_PREFIX, account_id, role)
        self._policies_of("role", role_id, account_id, role.attached_policies, role.inline_policies)
        self._tags(t.role_tags, "role_id", role_id, role.tags)

    def _instance_profile(self, account_id: str, profile: w.DeclaredInstanceProfile) -> None:
        role = worlds.find(self._db, t.roles, {"account_id": account_id, "name_key": (profile.role or "").lower()})
        role_id = None if role is None else role["role_id"]
        id_column = "instance_profile_id"
        profile_id = self._entity(
            t.instance_profiles, id_column, INSTANCE_PROFILE_PREFIX, account_id, profile, role_id=role_id
        )
        self._case_sensitive_tags(t.instance_profile_tags, id_column, profile_id, profile.tags)

    def _trust(self, connection: Any, account_id: str, role: w.DeclaredRole) -> None:
        trusted_ids = role.trusted_ids
        if trusted_ids is None:
            trusted_ids = resolve_trust(
                connection, trusted_principals(accepted_policy(role.trust_policy, PolicyKind.TRUST))
            )
        resolved = json.dumps(dict(trusted_ids), sort_keys=True)
        key = {"account_id": account_id, "name_key": role.name.lower()}
        worlds.put(self._db, t.roles, key, {"trust_principal_ids": resolved}, {})

    def _policies_of(
        self, kind: str, owner_id: str, account_id: str, attached: Iterable[str], inline: Mapping[str, str]
    ) -> None:
        attached_table = t.metadata.tables[f"{kind}_attached_policies"]
        inline_table = t.metadata.tables[f"{kind}_inline_policies"]
        owner = {f"{kind}_id": owner_id}
        rows = [
            {
                "policy_arn": arn,
                "policy_id": self._policy_id(account_id, arn),
                "attached_at_seconds": self._now_seconds,
            }
            for arn in attached
        ]
        worlds.replace(self._db, attached_table, owner, rows, _DATES)
        documents = [{"name": name, "document": document} for name, document in inline.items()]
        worlds.replace(self._db, inline_table, owner, documents, _NO_COLUMNS)

    def _policy_id(self, account_id: str, arn: str) -> str | None:
        """None for an AWS managed policy."""
        row = worlds.find(self._db, t.policies, {"account_id": account_id, "name_key": arn.rpartition("/")[2].lower()})
        if row is None or iam_arn(account_id, "policy", row["path"], row["name"]) != arn:
            return None
        return str(row["policy_id"])

    def _tags(self, table: Any, owner: str, owner_id: str, tags: Mapping[str, str]) -> None:
        rows = [{"key_key": key.lower(), "key": key, "value": value} for key, value in tags.items()]
        worlds.replace(self._db, table, {owner: owner_id}, rows, _NO_COLUMNS)

    def _case_sensitive_tags(self, table: Any, owner: str, owner_id: str, tags: Mapping[str, str]) -> None:
        rows = [{"key_key": key, "key": key, "value": value} for key, value in tags.items()]
        worlds.replace(self._db, table, {owner: owner_id}, rows, _NO_COLUMNS)

    def _access_keys(self, account_id: str, user_id: str | None, keys: Iterable[w.DeclaredKey]) -> None:
        for key in keys:
            values = {"account_id": account_id, "user_id": user_id, **declared(columns_of(key))}
            key_id = {"access_key_id": values.pop("access_key_id")}
            worlds.put(self._db, t.access_keys, key_id, values, self._new_columns(key))

    def _mfa_devices(self, account_id: str, user_id: str | None, devices: Iterable[w.DeclaredMfaDevice]) -> None:
        for device in devices:
            key = {"serial_number": iam_arn(account_id, "mfa", "/", device.name)}
            present = worlds.find(self._db, t.mfa_devices, key) or {}
            values = {
                "account_id": account_id,
                "user_id": user_id,
                "of_root": user_id is None,
                "seed": device.seed,
                # A declared device that a user deactivated is enabled again, as other declared things are restored.
                "enabled_at_seconds": present.get("enabled_at_seconds") or self._now_seconds,
            }
            worlds.put(self._db, t.mfa_devices, key, values, {"created_at_seconds": self._now_seconds})

    def _oidc_provider(self, account_id: str, provider: w.DeclaredOidcProvider) -> None:
        key = {"arn": oidc_provider_arn(account_id, provider.url)}
        values = {
            "account_id": account_id,
            "key_source": provider.key_source,
            **columns_of(provider),
            **propagation_columns(provider.context_provider, provider.identity_center_instance_arn),
        }
        worlds.put(self._db, t.oidc_providers, key, values, self._new_columns(provider))
        clients = [{"client_id": client, "position": place} for place, client in enumerate(provider.client_ids)]
        worlds.replace(self._db, t.oidc_client_ids, key, clients, _NO_COLUMNS)
        prints = [{"thumbprint": text, "position": place} for place, text in enumerate(provider.thumbprints)]
        worlds.replace(self._db, t.oidc_thumbprints, key, prints, _NO_COLUMNS)
        self._tags(t.oidc_provider_tags, "arn", key["arn"], provider.tags)

    def _saml_provider(self, account_id: str, provider: w.DeclaredSamlProvider) -> None:
        key = {"arn": saml_provider_arn(account_id, provider.name)}
        own = provider.rolecall_idp
        document = own_metadata(self._db.written(), own, self._now_seconds) if own else provider.metadata
        present = worlds.find(self._db, t.saml_providers, key)
        created = self._now_seconds if present is None else int(present["created_at_seconds"])
        values = {
            "account_id": account_id,
            "name": provider.name,
            "metadata": document,
            "valid_until_seconds": valid_until_seconds(read_metadata(document), created),
            **propagation_columns(provider.context_provider, provider.identity_center_instance_arn),
        }
        new = {"provider_uuid": self._ids.upper_id(), "created_at_seconds": created}
        worlds.put(self._db, t.saml_providers, key, values, new)
        self._tags(t.saml_provider_tags, "arn", key["arn"], provider.tags)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)
