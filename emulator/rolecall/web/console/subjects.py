"""The policies that the console shows and edits: managed ones with their versions, inline ones, trust policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Request
from msgspec import Struct, field
from sqlalchemy import Connection

from rolecall.arns import Arn, organization_policy_arn, parse_arn
from rolecall.data import managed_policy, managed_policy_document
from rolecall.policy import PolicyKind
from rolecall.sandbox import Sandbox
from rolecall.storage.entity_policies import EntityKind, inline_document
from rolecall.storage.gather import CONTROL_POLICY_TYPES, SERVICE_CONTROL_POLICY, account_names
from rolecall.storage.groups import group_by_name
from rolecall.storage.organization_policies import PolicyRecord, policies_of_type
from rolecall.storage.organization_policies import policy as control_policy
from rolecall.storage.organizations import OrganizationRecord, organization_around
from rolecall.storage.policies import policy_by_arn, policy_version, policy_versions
from rolecall.storage.roles import role_by_name
from rolecall.storage.users import user_by_name
from rolecall.web.console.calls import called
from rolecall.web.console.pages import ConsoleError

NO_POLICY_MESSAGE = "The sandbox has no such policy."
READ_ONLY = "AWS owns this policy, so nobody else can change it."
LINKED = "The service {service} owns this role, so only the service can change its policies."
_PUTS = {
    "user": ("PutUserPolicy", "UserName"),
    "group": ("PutGroupPolicy", "GroupName"),
    "role": ("PutRolePolicy", "RoleName"),
}


class Version(Struct, frozen=True):
    number: int
    created_at_seconds: int
    is_default: bool


class Subject(Struct, frozen=True):
    """One stored policy. ``query`` names it in a URL. ``fixed`` says why it cannot be changed.

    ``arn`` names a managed policy. ``owner_arn`` is the identity of an inline policy or of a trust policy.
    ``version`` is the number of the version in ``document``, 0 for a policy without versions.
    """

    kind: PolicyKind
    name: str
    account_id: str
    document: str
    query: Mapping[str, str]
    arn: str = ""
    owner_arn: str = ""
    owner_kind: EntityKind = "role"
    versions: list[Version] = field(default_factory=list)
    version: int = 0
    fixed: str = ""


def subject_of(sandbox: Sandbox, given: Mapping[str, str]) -> Subject:
    """The policy that the parameters of a URL name. Raises ConsoleError."""
    with sandbox.database.snapshot() as connection:
        found = find_subject(connection, given)
    if found is None:
        raise ConsoleError(NO_POLICY_MESSAGE, 404)
    return found


def find_subject(connection: Connection, given: Mapping[str, str]) -> Subject | None:
    """The policy that the parameters of a URL name; None when there is none."""
    arn, owner, name, trust = (given.get(key, "") for key in ("arn", "owner", "name", "trust"))
    if not arn:
        return _of_owner(connection, owner, name, trust)
    parsed = parse_arn(arn)
    if parsed is not None and parsed.service == "organizations":
        return _control(connection, parsed)
    return _managed(connection, arn, given.get("version", ""))


def control_policies(connection: Connection) -> list[tuple[str, str, str]]:
    """The service and resource control policies of the sandbox's organization: ARN, name and type."""
    organization = next(
        filter(None, (organization_around(connection, each) for each in account_names(connection))), None
    )
    if organization is None:
        return []
    return [
        (_control_arn(organization, each), each.name, each.policy_type)
        for policy_type in CONTROL_POLICY_TYPES
        for each in policies_of_type(connection, organization.organization_id, policy_type)
    ]


def _control(connection: Connection, arn: Arn) -> Subject | None:
    """A control policy. AWS's own is the same in every organization."""
    organization = next(
        filter(None, (organization_around(connection, each) for each in account_names(connection))), None
    )
    if organization is None:
        return None
    found = control_policy(connection, organization.organization_id, str(arn).rpartition("/")[2])
    if found is None or found.policy_type not in CONTROL_POLICY_TYPES or _control_arn(organization, found) != str(arn):
        return None
    return Subject(
        PolicyKind.SCP if found.policy_type == SERVICE_CONTROL_POLICY else PolicyKind.RCP,
        found.name,
        organization.management_account_id or "",
        found.document,
        {"arn": str(arn)},
        arn=str(arn),
        fixed=READ_ONLY if found.aws_managed else "",
    )


def _control_arn(organization: OrganizationRecord, policy: PolicyRecord) -> str:
    return organization_policy_arn(
        organization.management_account_id or "", organization.organization_id, policy.policy_type, policy.policy_id
    )


def _managed(connection: Connection, arn: str, version: str) -> Subject | None:
    query = {"arn": arn}
    aws = managed_policy(arn)
    if aws is not None:
        name = arn.rpartition("/")[2]
        return Subject(PolicyKind.IDENTITY, name, "", managed_policy_document(arn), query, arn=arn, fixed=READ_ONLY)
    policy = policy_by_arn(connection, arn)
    if policy is None or policy.arn != arn:
        return None
    wanted = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else policy.default_version
    shown = policy_version(connection, policy.policy_id, wanted)
    if shown is None:
        return None
    versions = [
        Version(each.version, each.created_at_seconds, each.version == policy.default_version)
        for each in policy_versions(connection, policy.policy_id)
    ]
    return Subject(
        PolicyKind.IDENTITY,
        policy.name,
        policy.account_id,
        shown.document,
        query,
        arn=arn,
        versions=versions,
        version=wanted,
    )


def _of_owner(connection: Connection, owner: str, name: str, trust: str) -> Subject | None:
    arn = parse_arn(owner)
    if arn is None or arn.service != "iam":
        return None
    kind: EntityKind
    role = None
    if arn.resource_type == "user":
        kind, user = "user", user_by_name(connection, arn.account_id, arn.resource_name)
        real_arn, owner_id = ("", "") if user is None else (user.arn, user.user_id)
    elif arn.resource_type == "group":
        kind, group = "group", group_by_name(connection, arn.account_id, arn.resource_name)
        real_arn, owner_id = ("", "") if group is None else (group.arn, group.group_id)
    else:
        kind, role = "role", role_by_name(connection, arn.account_id, arn.resource_name)
        real_arn, owner_id = ("", "") if role is None else (role.arn, role.role_id)
    if real_arn != owner:
        return None
    fixed = LINKED.format(service=role.linked_service) if role is not None and role.linked_service else ""
    shared: dict[str, Any] = {"owner_arn": owner, "owner_kind": kind, "fixed": fixed}
    if trust:
        if role is None:
            return None
        query = {"owner": owner, "trust": "yes"}
        return Subject(PolicyKind.TRUST, "trust policy", arn.account_id, role.trust_policy, query, **shared)
    document = inline_document(connection, kind, owner_id, name)
    if document is None:
        return None
    query = {"owner": owner, "name": name}
    return Subject(PolicyKind.IDENTITY, name, arn.account_id, document, query, **shared)


def save(sandbox: Sandbox, request: Request, subject: Subject, document: str) -> str:
    """Store a text as the new version, or in the place of the policy. Gives what was done. Raises ConsoleError."""
    if subject.fixed:
        raise ConsoleError(subject.fixed, 403)
    account_id, owner = subject.account_id, subject.owner_arn.rpartition("/")[2]
    if subject.kind in (PolicyKind.SCP, PolicyKind.RCP):
        given: dict[str, Any] = {"PolicyId": subject.arn.rpartition("/")[2], "Content": document}
        called(sandbox, request, account_id, "organizations", "UpdatePolicy", **given)
        return "The policy is saved."
    if subject.arn:
        given = {"PolicyArn": subject.arn, "PolicyDocument": document, "SetAsDefault": True}
        made = called(sandbox, request, account_id, "iam", "CreatePolicyVersion", **given)
        return f"Version {made['PolicyVersion']['VersionId']} is saved, and it is the default version."
    if subject.kind is PolicyKind.TRUST:
        called(sandbox, request, account_id, "iam", "UpdateAssumeRolePolicy", RoleName=owner, PolicyDocument=document)
        return "The trust policy is saved."
    operation, parameter = _PUTS[subject.owner_kind]
    given = {parameter: owner, "PolicyName": subject.name, "PolicyDocument": document}
    called(sandbox, request, account_id, "iam", operation, **given)
    return "The policy is saved."
