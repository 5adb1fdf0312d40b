"""Gives an account back in the form of ``aws iam get-account-authorization-details``.

IAM API Reference, GetAccountAuthorizationDetails; the AWS CLI writes documents as JSON and times in ISO 8601.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rolecall.arns import iam_arn
from rolecall.data import ManagedPolicy, managed_policy, managed_policy_document
from rolecall.storage.service_linked_roles import trust_policy
from rolecall.storage.trust import shown_trust_policy
from rolecall.worlds.world import DeclaredAccount, DeclaredPolicy, World

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Account:
    """An account of a snapshot, so every entity has its unique id and its times.

    ``arns`` has the users and roles of all accounts by unique id. ``attachments`` and ``boundaries`` count the uses of
    policies by ARN.
    """

    declared: DeclaredAccount
    arns: Mapping[str, str]
    attachments: Mapping[str, int]
    boundaries: Mapping[str, int]

    def arn(self, kind: str, entity: Any) -> str:
        return iam_arn(self.declared.account_id, kind, entity.path, entity.name)


def account_details(world: World, account: DeclaredAccount) -> Shown:
    """The answer for one account of a snapshot."""
    arns = {
        entity.unique_id or "": iam_arn(each.account_id, kind, entity.path, entity.name)
        for each in world.accounts
        for kind, entities in (("user", each.users), ("role", each.roles))
        for entity in entities
    }
    owners: list[Any] = [*account.users, *account.groups, *account.roles]
    bounded: list[Any] = [*account.users, *account.roles]
    boundaries = Counter(each.permissions_boundary for each in bounded)
    attachments = Counter(arn for owner in owners for arn in owner.attached_policies)
    of = _Account(account, arns, attachments, boundaries)
    return {
        "UserDetailList": [_user(of, each) for each in _by_name(account.users)],
        "GroupDetailList": [_group(of, each) for each in _by_name(account.groups)],
        "RoleDetailList": [_role(of, each) for each in _by_name(account.roles)],
        "Policies": [*(_policy(of, each) for each in _by_name(account.policies)), *_policies_of_aws(of)],
    }


def _by_name(entities: Iterable[Any]) -> list[Any]:
    return sorted(entities, key=lambda each: each.name.lower())


def _time(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds or 0, UTC).isoformat()


def _named(of: _Account, kind: str, entity: Any) -> Shown:
    return {
        "Path": entity.path,
        f"{kind}Name": entity.name,
        f"{kind}Id": entity.unique_id,
        "Arn": of.arn(kind.lower(), entity),
        "CreateDate": _time(entity.created_at_seconds),
    }


def _inline(entity: Any) -> list[Shown]:
    policies = sorted(entity.inline_policies.items())
    return [{"PolicyName": name, "PolicyDocument": json.loads(text)} for name, text in policies]


def _attached(entity: Any) -> list[Shown]:
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in sorted(entity.attached_policies)]


def _boundary(entity: Any) -> Shown:
    arn = entity.permissions_boundary
    if arn is None:
        return {}
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}


def _tags(tags: Mapping[str, str]) -> list[Shown]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags, key=str.lower)]


def _user(of: _Account, user: Any) -> Shown:
    groups = {group.name.lower(): group.name for group in of.declared.groups}
    return {
        **_named(of, "User", user),
        # AWS leaves this member out when it is empty, and no other one.
        **({"UserPolicyList": _inline(user)} if user.inline_policies else {}),
        "GroupList": [groups[name] for name in sorted(name.lower() for name in user.groups)],
        "AttachedManagedPolicies": _attached(user),
        **_boundary(user),
        "Tags": _tags(user.tags),
    }


def _group(of: _Account, group: Any) -> Shown:
    return {
        **_named(of, "Group", group),
        "GroupPolicyList": _inline(group),
        "AttachedManagedPolicies": _attached(group),
    }


def _role(of: _Account, role: Any) -> Shown:
    used = {}
    if role.last_used_at_seconds is not None:
        used = {"LastUsedDate": _time(role.last_used_at_seconds), "Region": role.last_used_region}
    return {
        **_shown_role(of, role),
        "InstanceProfileList": [_profile(of, each, role) for each in _profiles_of(of, role)],
        "RolePolicyList": _inline(role),
        "AttachedManagedPolicies": _attached(role),
        **_boundary(role),
        "Tags": _tags(role.tags),
        "RoleLastUsed": used,
    }


def _shown_role(of: _Account, role: Any) -> Shown:
    if role.linked_service is not None:
        document = trust_policy(role.linked_service)
    else:
        document = shown_trust_policy(role.trust_policy, role.trusted_ids or {}, of.arns)
    return {**_named(of, "Role", role), "AssumeRolePolicyDocument": json.loads(document)}


def _profiles_of(of: _Account, role: Any) -> list[Any]:
    return _by_name(each for each in of.declared.instance_profiles if (each.role or "").lower() == role.name.lower())


def _profile(of: _Account, profile: Any, role: Any) -> Shown:
    return {
        "Path": profile.path,
        "InstanceProfileName": profile.name,
        "InstanceProfileId": profile.unique_id,
        "Arn": of.arn("instance-profile", profile),
        "CreateDate": _time(profile.created_at_seconds),
        "Roles": [_shown_role(of, role)],
    }


def _policy(of: _Account, policy: DeclaredPolicy) -> Shown:
    default = policy.default_version or 1
    versions = {each.version: (each.created_at_seconds, each.document) for each in policy.versions}
    made = policy.default_version_created_at_seconds
    versions[default] = (policy.created_at_seconds if made is None else made, policy.document)
    updated = policy.updated_at_seconds
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.unique_id,
        "Arn": of.arn("policy", policy),
        "Path": policy.path,
        "DefaultVersionId": f"v{default}",
        **_uses(of, of.arn("policy", policy)),
        "IsAttachable": True,
        "CreateDate": _time(policy.created_at_seconds),
        "UpdateDate": _time(policy.created_at_seconds if updated is None else updated),
        "PolicyVersionList": [
            _version(f"v{number}", number == default, *versions[number]) for number in sorted(versions, reverse=True)
        ],
    }


def _uses(of: _Account, arn: str) -> Shown:
    return {"AttachmentCount": of.attachments.get(arn, 0), "PermissionsBoundaryUsageCount": of.boundaries.get(arn, 0)}


def _version(version_id: str, is_default: bool, made: int | None, document: str) -> Shown:
    return {
        "Document": json.loads(document),
        "VersionId": version_id,
        "IsDefaultVersion": is_default,
        "CreateDate": _time(made),
    }


def _policies_of_aws(of: _Account) -> Iterator[Shown]:
    """Those that the account uses. AWS lists no other ones."""
    used = [managed_policy(arn) for arn in {*of.attachments, *of.boundaries} if arn]
    for policy in _by_name(each for each in used if each is not None):
        yield _policy_of_aws(of, policy)


def _policy_of_aws(of: _Account, policy: ManagedPolicy) -> Shown:
    updated, document = policy.update_date_seconds, managed_policy_document(policy.arn)
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        **_uses(of, policy.arn),
        "IsAttachable": policy.is_attachable,
        "CreateDate": _time(policy.create_date_seconds),
        "UpdateDate": _time(updated),
        "PolicyVersionList": [_version(policy.default_version_id, True, updated, document)],
    }
