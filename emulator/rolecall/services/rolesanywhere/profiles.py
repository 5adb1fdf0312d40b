"""Profiles: which roles a certificate may get, and what limits its sessions (IAM Roles Anywhere API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rolecall.access.permission import Permission
from rolecall.access.policies import MalformedPolicy, parsed_policy
from rolecall.arns import parse_arn
from rolecall.delivery.anywhere.contents import DEFAULT_DURATION_SECONDS, DEFAULT_MAPPINGS, PRINCIPAL, PROFILE
from rolecall.policy import PolicyKind
from rolecall.services.kinds import RESOURCE_NOT_FOUND, kind_with_arn
from rolecall.services.passed_roles import passing_permission
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.rolesanywhere.common import SERVICE, Tag, check_count, invalid
from rolecall.services.rolesanywhere.verbs import changed, delete, get, list_, made

# The guide, "Quotas".
MAXIMUM_PROFILES = 250

PROFILES = kind_with_arn(SERVICE, PROFILE, "profileId", identified_by="profileId", absent_code=RESOURCE_NOT_FOUND)

get(PROFILES, "GetProfile")
list_(PROFILES, "ListProfiles")
delete(PROFILES, "DeleteProfile")


def with_passing(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The operation's own permission, and iam:PassRole for each role (Service Authorization Reference)."""
    roles = dict.fromkeys(parameters.get("roleArns") or ())
    return [*table_permissions(call, parameters), *(passing_permission(call, role, PRINCIPAL) for role in roles)]


def with_passing_present(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The operation's own permission, and iam:PassRole for the roles that the profile has."""
    found = PROFILES.kept.find(call, PROFILES, (parameters["profileId"],), locked=False)
    roles = () if found is None else found.content["roleArns"]
    return with_passing(call, {**parameters, "roleArns": roles})


@operation(SERVICE, "EnableProfile", permissions=with_passing_present)
def enable_profile(call: Call, *, profileId: str) -> Answer:
    return changed(call, PROFILES, profileId, {"enabled": True})


@operation(SERVICE, "DisableProfile")
def disable_profile(call: Call, *, profileId: str) -> Answer:
    return changed(call, PROFILES, profileId, {"enabled": False})


@operation(SERVICE, "CreateProfile", permissions=with_passing)
def create_profile(
    call: Call,
    *,
    name: str,
    roleArns: Sequence[str],
    requireInstanceProperties: bool | None = None,
    sessionPolicy: str | None = None,
    managedPolicyArns: Sequence[str] = (),
    durationSeconds: int = DEFAULT_DURATION_SECONDS,
    enabled: bool = False,
    tags: Sequence[Tag] = (),
    acceptRoleSessionName: bool = False,
) -> Answer:
    """A profile with the default attribute mappings."""
    _check(call, roleArns, sessionPolicy, managedPolicyArns)
    check_count(call, PROFILES, MAXIMUM_PROFILES, "profiles")
    content: dict[str, Any] = {
        "profileId": call.ids.uuid(),
        "name": name,
        # The guide, "log file entries": the ARN of the caller, though the API reference calls it the account.
        "createdBy": call.caller.principal.arn,
        "enabled": enabled,
        "roleArns": list(roleArns),
        "managedPolicyArns": list(managedPolicyArns),
        "durationSeconds": durationSeconds,
        "acceptRoleSessionName": acceptRoleSessionName,
        "requireInstanceProperties": bool(requireInstanceProperties),
        "attributeMappings": [dict(each) for each in DEFAULT_MAPPINGS],
    }
    if sessionPolicy is not None:
        content["sessionPolicy"] = sessionPolicy
    return made(call, PROFILES, content, tags)


@operation(SERVICE, "UpdateProfile", permissions=with_passing)
def update_profile(
    call: Call,
    *,
    profileId: str,
    name: str | None = None,
    sessionPolicy: str | None = None,
    roleArns: Sequence[str] | None = None,
    managedPolicyArns: Sequence[str] | None = None,
    durationSeconds: int | None = None,
    acceptRoleSessionName: bool | None = None,
) -> Answer:
    """What the request leaves out stays as it is."""
    _check(call, roleArns or (), sessionPolicy, managedPolicyArns or ())
    asked = {
        "name": name,
        "sessionPolicy": sessionPolicy,
        "roleArns": None if roleArns is None else list(roleArns),
        "managedPolicyArns": None if managedPolicyArns is None else list(managedPolicyArns),
        "durationSeconds": durationSeconds,
        "acceptRoleSessionName": acceptRoleSessionName,
    }
    members = {member: value for member, value in asked.items() if value is not None}
    return changed(call, PROFILES, profileId, members)


def _check(call: Call, role_arns: Sequence[str], policy: str | None, managed: Sequence[str]) -> None:
    """Raises AwsError ValidationException. AWS's wording was not recorded."""
    for arn in role_arns:
        parsed = parse_arn(arn)
        if parsed is None or parsed.account_id != call.account_id:
            raise invalid(f"{arn} is not the ARN of a role of this account.")
    for arn in managed:
        parsed = parse_arn(arn)
        if parsed is None or parsed.account_id not in ("aws", call.account_id):
            raise invalid(f"{arn} is not the ARN of a managed policy.")
        if call.policies.managed_document(call.db, arn) is None:
            raise invalid(f"There is no managed policy {arn}.")
    if policy is not None:
        try:
            parsed_policy(policy, PolicyKind.SESSION)
        except MalformedPolicy as error:
            raise invalid(f"sessionPolicy is not a policy: {error.message}") from error
