"""Writes the declared IAM Identity Center: its directory, permission sets, their roles, and who is assigned."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping

from rolecall.arns import saml_provider_arn
from rolecall.ids import ROLE_PREFIX, Identifiers
from rolecall.storage import tables as t
from rolecall.storage.identity_center import sso_provider_name
from rolecall.storage.world_rows import WorldRows
from rolecall.worlds import world as w
from rolecall.worlds.identity_center import (
    DeclaredDirectoryUser,
    DeclaredIdentityCenter,
    DeclaredPermissionSet,
    policy_arn,
    role_name,
    role_path,
)
from rolecall.worlds.members import columns_of

# As seen in accounts with IAM Identity Center.
INLINE_POLICY_NAME = "AwsSSOInlinePolicy"
ROLE_MAX_SESSION_SECONDS = 43_200
_DIRECTORY = uuid.UUID("2b7f5a0e-3d0c-4b7a-9a55-0d5f4f3f5c11")
_NO_COLUMNS: frozenset[str] = frozenset()
_DATES = frozenset({"attached_at_seconds"})


def trust_policy(account_id: str, instance_id: str) -> str:
    """The trust policy of the roles, as seen in accounts with IAM Identity Center."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": saml_provider_arn(account_id, sso_provider_name(instance_id))},
                    "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
                    "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
                }
            ],
        }
    )


def put_identity_center(db: WorldRows, world: w.World, now_seconds: int, ids: Identifiers) -> None:
    """The accounts with their policies are there already. A sandbox without Identity Center gets none."""
    if world.identity_center is None and not world.permission_sets:
        return
    center = world.identity_center or DeclaredIdentityCenter()
    values = {**columns_of(center), "start_url": center.portal_url}
    db.put(t.identity_centers, {"number": 1}, values, {})
    groups = {name.lower(): _group(db, center, name) for name in center.groups}
    users = {user.name.lower(): _user(db, center, user, groups) for user in center.users}
    for permission_set in world.permission_sets:
        _permission_set(db, center, permission_set, users, groups, now_seconds, ids)


def _directory_id(center: DeclaredIdentityCenter, kind: str, name: str) -> str:
    """An id that is the same each time the file is read. Identity store ids begin with a part of the store's id."""
    made = uuid.uuid5(_DIRECTORY, f"{center.identity_store_id}/{kind}/{name.lower()}")
    return f"{center.identity_store_id.removeprefix('d-')}-{made}"


def _group(db: WorldRows, center: DeclaredIdentityCenter, name: str) -> str:
    key = {"name_key": name.lower()}
    db.put(t.directory_groups, key, {"name": name}, {"group_id": _directory_id(center, "group", name)})
    row = db.find(t.directory_groups, key)
    return "" if row is None else str(row["group_id"])


def _user(db: WorldRows, center: DeclaredIdentityCenter, user: DeclaredDirectoryUser, groups: Mapping[str, str]) -> str:
    key = {"name_key": user.name.lower()}
    values = {**columns_of(user), "attributes": json.dumps(dict(user.attributes))}
    db.put(t.directory_users, key, values, {"user_id": user.user_id or _directory_id(center, "user", user.name)})
    row = db.find(t.directory_users, key)
    user_id = "" if row is None else str(row["user_id"])
    memberships = [{"group_id": groups[name.lower()]} for name in dict.fromkeys(user.groups)]
    db.replace(t.directory_members, {"user_id": user_id}, memberships, _NO_COLUMNS)
    return user_id


def _permission_set(
    db: WorldRows,
    center: DeclaredIdentityCenter,
    permission_set: DeclaredPermissionSet,
    users: Mapping[str, str],
    groups: Mapping[str, str],
    now_seconds: int,
    ids: Identifiers,
) -> None:
    key = {"name_key": permission_set.name.lower()}
    made = uuid.uuid5(_DIRECTORY, f"{center.instance_id}/permission-set/{permission_set.name.lower()}").hex[:16]
    new = {"permission_set_id": permission_set.permission_set_id or f"ps-{made}"}
    db.put(t.permission_sets, key, columns_of(permission_set), new)
    row = db.find(t.permission_sets, key)
    owner = {"permission_set_id": "" if row is None else str(row["permission_set_id"])}
    assigned = {
        (account_id, principal_id): None
        for assignment in permission_set.assignments
        for account_id in assignment.accounts
        for principal_id in (
            *(users[name.lower()] for name in assignment.users),
            *(groups[name.lower()] for name in assignment.groups),
        )
    }
    rows = [{"account_id": account_id, "principal_id": principal_id} for account_id, principal_id in assigned]
    db.replace(t.permission_set_assignments, owner, rows, _NO_COLUMNS)
    for account_id in permission_set.account_ids:
        role_id = _role(db, center, permission_set, account_id, now_seconds, ids)
        db.put(t.permission_set_roles, {"role_id": role_id}, {**owner, "account_id": account_id}, {})


def _role(
    db: WorldRows,
    center: DeclaredIdentityCenter,
    permission_set: DeclaredPermissionSet,
    account_id: str,
    now_seconds: int,
    ids: Identifiers,
) -> str:
    name = role_name(permission_set.name, account_id)
    boundary = permission_set.permissions_boundary
    key = {"account_id": account_id, "name_key": name.lower()}
    values = {
        "name": name,
        "path": role_path(center.region),
        "description": permission_set.description,
        "trust_policy": trust_policy(account_id, center.instance_id),
        "max_session_duration_seconds": ROLE_MAX_SESSION_SECONDS,
        "permissions_boundary_arn": None if boundary is None else policy_arn(account_id, boundary),
    }
    new = {"role_id": ids.unique_id(ROLE_PREFIX), "created_at_seconds": now_seconds}
    db.put(t.roles, key, values, new)
    row = db.find(t.roles, key)
    owner = {"role_id": "" if row is None else str(row["role_id"])}
    named = (*permission_set.managed_policies, *permission_set.customer_managed_policies)
    attached = [_attached(db, account_id, policy_arn(account_id, text), now_seconds) for text in named]
    db.replace(t.role_attached_policies, owner, attached, _DATES)
    inline: Iterable[dict[str, str]] = ()
    if permission_set.inline_policy is not None:
        inline = [{"name": INLINE_POLICY_NAME, "document": permission_set.inline_policy}]
    db.replace(t.role_inline_policies, owner, inline, _NO_COLUMNS)
    return owner["role_id"]


def _attached(db: WorldRows, account_id: str, arn: str, now_seconds: int) -> dict[str, str | int | None]:
    """The row of an attached policy. A policy of AWS has no id."""
    of_account = {"account_id": account_id, "name_key": arn.rpartition("/")[2].lower()}
    policy = None if arn.startswith("arn:aws:iam::aws:") else db.find(t.policies, of_account)
    policy_id = None if policy is None else str(policy["policy_id"])
    return {"policy_arn": arn, "policy_id": policy_id, "attached_at_seconds": now_seconds}
