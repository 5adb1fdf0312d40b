"""Reads the JSON of ``aws iam get-account-authorization-details``: one account's users, groups, roles and policies.

IAM API Reference, GetAccountAuthorizationDetails. The answer has no access keys, MFA devices, passwords or identity
providers, no descriptions, no tags of policies and no longest duration of a role's sessions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from rolecall.arns import iam_arn, parse_arn
from rolecall.data import managed_policy, service_linked_roles
from rolecall.importing.found import Found, Part, Place, Section
from rolecall.policy import MalformedPolicy, PolicyKind, parse_policy, trusted_principals

LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_OF_ENTITY = frozenset(("Arn", "Path", "CreateDate", "AttachedManagedPolicies"))
_OF_POLICY = frozenset(
    (
        *("PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "PolicyVersionList", "Description", "Tags"),
        *("AttachmentCount", "PermissionsBoundaryUsageCount", "IsAttachable", "CreateDate", "UpdateDate"),
    )
)
_LINKED_PATH = re.compile(r"/aws-service-role/([^/]+)/")
_UNIQUE_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{12,28}")
_VERSION = re.compile(r"v([1-9][0-9]{0,8})")


def is_account_details(value: Any) -> bool:
    return isinstance(value, dict) and any(name in value for name in LISTS[:3])


def read_account_details(found: Found, place: Place, value: Mapping[str, Any]) -> None:
    """Add the account of one answer. Raises EnoughFoundError."""
    answer = Part(found, place, value)
    answer.note_unknown((*LISTS, "IsTruncated"))
    if value.get("IsTruncated") is True:
        found.problem(place / "IsTruncated", "this is one page of several: import the pages as a whole")
    lists = {name: answer.parts(name) for name in LISTS}
    account_id = _account_id(found, place, [each for parts in lists.values() for each in parts])
    if account_id:
        found.account(account_id, place)
        _Account(found, account_id, lists).add()


def _account_id(found: Found, place: Place, entities: Iterable[Part]) -> str:
    """The account that all entities belong to; empty with a problem."""
    ids: dict[str, Part] = {}
    for entity in entities:
        arn = parse_arn(entity.text("Arn", required=True))
        if arn is None or arn.service != "iam":
            found.problem(entity.place / "Arn", "must be the ARN of an entity of IAM")
        elif arn.partition != "aws":
            found.problem(entity.place / "Arn", f"is in the partition {arn.partition}; Rolecall has the partition aws")
        elif arn.account_id != "aws":
            ids.setdefault(arn.account_id, entity)
    for other in list(ids.values())[1:]:
        found.problem(
            other.place / "Arn", f"belongs to another account than {next(iter(ids))}: one answer, one account"
        )
    if not ids:
        found.problem(place, "names no entity of an account, so the account is not known")
    return next(iter(ids), "")


class _Account:
    def __init__(self, found: Found, account_id: str, lists: Mapping[str, list[Part]]) -> None:
        self._found = found
        self._account_id = account_id
        self._lists = lists
        policies = lists["Policies"]
        self._of_aws = {part.text("Arn"): part for part in policies if ":aws:policy/" in part.text("Arn")}
        self._own = [part for part in policies if part.text("Arn") not in self._of_aws]
        # Unique ids of users and roles by ARN, for trust policies that name a deleted one.
        self._ids = {
            part.text("Arn"): part.text(id_key)
            for name, id_key in (("UserDetailList", "UserId"), ("RoleDetailList", "RoleId"))
            for part in lists[name]
        }
        # Policies of AWS that Rolecall does not have, by ARN -> the ARN of the customer managed policy in its place.
        self._replaced: dict[str, str] = {}
        self._profiles: set[str] = set()

    def add(self) -> None:
        for policy in self._own:
            self._policy(policy)
        for user in self._lists["UserDetailList"]:
            self._user(user)
        for group in self._lists["GroupDetailList"]:
            section = self._named(group, "Group", {"GroupPolicyList"}, "GroupPolicyList")
            self._add("groups", section, group)
        for role in self._lists["RoleDetailList"]:
            self._role(role)

    def _add(self, noun: str, section: Section, part: Part) -> None:
        self._found.add(self._account_id, noun, section, part.place)

    def _named(self, part: Part, kind: str, known: set[str], inline: str) -> Section:
        """What users, groups and roles have in common."""
        part.note_unknown(_OF_ENTITY | known | {f"{kind}Name", f"{kind}Id"})
        section: Section = {
            "name": part.text(f"{kind}Name", required=True),
            "unique_id": part.text(f"{kind}Id") or None,
            "created_at": part.text("CreateDate") or None,
            "path": part.text("Path") or "/",
        }
        attached = [each.text("PolicyArn", required=True) for each in part.parts("AttachedManagedPolicies")]
        arns = [self._known_policy(arn, part.place / "AttachedManagedPolicies") for arn in attached]
        section["attached_policies"] = [arn for arn in arns if arn]
        section["inline_policies"] = {
            each.text("PolicyName", required=True): _document(each, "PolicyDocument") for each in part.parts(inline)
        }
        boundary = part.part("PermissionsBoundary")
        if boundary is not None:
            arn = boundary.text("PermissionsBoundaryArn", required=True)
            section["permissions_boundary"] = self._known_policy(arn, boundary.place)
            if arn and not section["permissions_boundary"]:
                # Without it the entity would be allowed more than on AWS.
                self._found.problem(
                    boundary.place, f"Rolecall has no policy {arn}, and this file has no document of it"
                )
        return section

    def _user(self, part: Part) -> None:
        known = {"UserPolicyList", "GroupList", "Tags", "PermissionsBoundary"}
        section = self._named(part, "User", known, "UserPolicyList")
        section["groups"] = [name for _, name in part.texts("GroupList")]
        section["tags"] = _tags(part)
        self._add("users", section, part)

    def _role(self, part: Part) -> None:
        linked = _LINKED_PATH.fullmatch(part.text("Path"))
        if linked and linked[1] not in service_linked_roles():
            self._found.note(part.place, f"Rolecall knows no service-linked role of {linked[1]}: the role is left out")
            return
        known = {"AssumeRolePolicyDocument", "InstanceProfileList", "RolePolicyList", "Tags", "RoleLastUsed"}
        section = self._named(part, "Role", known | {"PermissionsBoundary"}, "RolePolicyList")
        section["trust_policy"] = _document(part, "AssumeRolePolicyDocument")
        section["trusted_ids"] = self._trusted_ids(part, section["trust_policy"])
        section["tags"] = _tags(part)
        used = part.part("RoleLastUsed")
        if used is not None:
            section["last_used_at"] = used.text("LastUsedDate") or None
            section["last_used_region"] = used.text("Region") or None
        if linked:
            section["linked_service"] = linked[1]
            own = service_linked_roles()[linked[1]].policy_arn
            section["attached_policies"] = [own] if own and section["attached_policies"] else []
        self._add("roles", section, part)
        for profile in part.parts("InstanceProfileList"):
            self._profile(profile, section["name"])

    def _profile(self, part: Part, role_name: str) -> None:
        part.note_unknown(
            ("Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate", "Roles", "Tags", "RoleLastUsed")
        )
        name = part.text("InstanceProfileName", required=True)
        section = {
            "name": name,
            "unique_id": part.text("InstanceProfileId") or None,
            "created_at": part.text("CreateDate") or None,
            "path": part.text("Path") or "/",
            "role": role_name,
            "tags": _tags(part),
        }
        if name not in self._profiles:
            self._profiles.add(name)
            self._add("instance_profiles", section, part)

    def _policy(self, part: Part) -> None:
        part.note_unknown(_OF_POLICY)
        section = {
            "name": part.text("PolicyName", required=True),
            "unique_id": part.text("PolicyId") or None,
            "created_at": part.text("CreateDate") or None,
            "path": part.text("Path") or "/",
            "description": part.text("Description"),
            "updated_at": part.text("UpdateDate") or None,
            "tags": _tags(part),
            **self._versions(part),
        }
        self._add("policies", section, part)

    def _versions(self, part: Part) -> Section:
        default, others = None, []
        for each in part.parts("PolicyVersionList"):
            number = _VERSION.fullmatch(each.text("VersionId"))
            if number is None:
                self._found.problem(each.place / "VersionId", "must be a version such as v1")
                continue
            version = {
                "version": int(number[1]),
                "created_at": each.text("CreateDate") or None,
                "document": _document(each, "Document"),
            }
            if each.value.get("IsDefaultVersion") is True and default is None:
                default = version
            else:
                others.append(version)
        if default is None:
            self._found.problem(part.place, "lacks its default version in PolicyVersionList")
            return {}
        section = {"document": default["document"], "default_version_created_at": default["created_at"]}
        if others or default["version"] != 1:
            section |= {"default_version": default["version"], "versions": others}
        return section

    def _known_policy(self, arn: str, place: Place) -> str:
        """The ARN of a policy that the sandbox can have; empty for a policy of AWS that nobody knows."""
        if ":aws:policy/" not in arn or managed_policy(arn) is not None or arn in self._replaced:
            return self._replaced.get(arn, arn)
        of_service = {each.policy_arn for each in service_linked_roles().values()}
        if arn in of_service:
            return arn
        part = self._of_aws.get(arn)
        if part is None:
            self._found.note(place, f"Rolecall has no policy {arn}: it is left out")
            return ""
        name = part.text("PolicyName", required=True)
        taken = {each.text("PolicyName").lower() for each in self._own}
        while name.lower() in taken:
            name += "-of-aws"
        self._add("policies", {"name": name, "document": self._versions(part).get("document")}, part)
        self._found.of_aws.add(
            (self._account_id, "policies", len(self._found.accounts[self._account_id]["policies"]) - 1)
        )
        self._replaced[arn] = iam_arn(self._account_id, "policy", "/", name)
        self._found.note(part.place, f"Rolecall has no policy {arn}: {self._replaced[arn]} takes its place")
        return self._replaced[arn]

    def _trusted_ids(self, part: Part, document: Any) -> Mapping[str, str] | None:
        """The ids that the trust policy means, if it names a deleted entity: AWS then shows an id instead of an ARN."""
        try:
            policy = parse_policy(document if isinstance(document, str) else json.dumps(document), PolicyKind.TRUST)
        except MalformedPolicy:
            return None
        self._note_providers(part, policy)
        principals = trusted_principals(policy)
        gone = {each for each in principals if _UNIQUE_ID.fullmatch(each)}
        if not gone:
            return None
        known = {each: self._ids[each] for each in principals if self._ids.get(each)}
        return known | {each: each for each in gone}

    def _note_providers(self, part: Part, policy: Any) -> None:
        for name in dict.fromkeys(_federated(policy)):
            arn = parse_arn(name)
            if arn is not None and arn.account_id == self._account_id:
                message = f"trusts {name}, which this file does not describe: declare the provider in the sandbox file"
                self._found.note(part.place / "AssumeRolePolicyDocument", message)


def _federated(policy: Any) -> Iterator[str]:
    for statement in policy.statements:
        if statement.principals is not None:
            yield from statement.principals.federated


def _tags(part: Part) -> dict[str, str]:
    return {each.text("Key", required=True): each.text("Value") for each in part.parts("Tags")}


def _document(part: Part, key: str) -> Any:
    """A policy document: a mapping as the AWS CLI writes it, or text as other programs do, percent-encoded or not."""
    value = part.value.get(key)
    if isinstance(value, str):
        return unquote(value) if value.startswith("%") else value
    if not isinstance(value, dict):
        part.found.problem(part.place / key, "must be a policy document" if value is not None else f"lacks {key}")
        return {}
    return value
