"""Roles: create, show, list, change, delete. Their policies and tags are declared."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from rolecall.caches import KeptMapping
from rolecall.errors import AwsError
from rolecall.ids import ROLE_PREFIX
from rolecall.services.iam.common import (
    DEFAULT_PAGE_ITEMS,
    add_tags,
    check_set_or_reset,
    signin_duration,
    tag_answer,
    tag_pairs,
)
from rolecall.services.iam.named import NamedKind
from rolecall.services.iam.policies.entity_policies import policies_of, refuse_policies_left
from rolecall.services.iam.policies.managed_policies import check_boundary, encoded_document, shown_boundary
from rolecall.services.iam.resource_kinds import listing
from rolecall.services.iam.roles.trust import checked_trust_policy, shown_trust_policies
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.acquired_roles import acquired_role
from rolecall.storage.entity_policies import lock_entity
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.instance_profiles import profiles_of_roles
from rolecall.storage.problems import AlreadyThere, StillReferenced
from rolecall.storage.roles import (
    RESERVED_PATH,
    SERVICE_LINKED_PATH,
    RoleRecord,
    add_role,
    count_roles,
    list_roles,
    remove_role,
    role_by_name,
    set_description,
    set_max_session_duration,
    set_max_signin_session_duration,
    set_permissions_boundary,
    set_trust_policy,
)

DEFAULT_MAX_SESSION_DURATION_SECONDS = 3600
# API reference, RoleLastUsed: "Activity is only reported for the trailing 400 days."
TRACKING_SECONDS = 400 * 86_400

NOT_FOUND_MESSAGE = "The role with name {name} cannot be found."
ALREADY_EXISTS_MESSAGE = "Role with name {name} already exists."
COUNT_MESSAGE = "Cannot exceed quota for RolesPerAccount: {limit}"
SERVICE_LINKED_PATH_MESSAGE = "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles"
# AWS's wording is not recorded.
RESERVED_PATH_MESSAGE = "Path prefix '/aws-reserved/' can only be used by AWS"
PROTECTED_MESSAGE = "Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
DELETE_IN_PROFILE_MESSAGE = "Cannot delete entity, must remove roles from instance profile first."
DELETE_REFERENCED_MESSAGE = "Cannot delete entity, must remove referenced objects first."


ROLES: NamedKind[RoleRecord] = NamedKind(attrgetter("role_id"), role_by_name, NOT_FOUND_MESSAGE, ALREADY_EXISTS_MESSAGE)
existing_role = ROLES.existing


def modifiable_role(call: Call, name: str) -> RoleRecord:
    """The account's role with that name, unless it belongs to a service.

    Raises AwsError: NoSuchEntity, UnmodifiableEntity.
    """
    role = unreserved_role(call, name)
    if role.linked_service is not None:
        raise AwsError("UnmodifiableEntity", PROTECTED_MESSAGE.format(name=role.name))
    return role


def unreserved_role(call: Call, name: str) -> RoleRecord:
    """The account's role with that name, unless AWS made it for itself. Service-linked roles are included.

    Raises AwsError: NoSuchEntity, UnmodifiableEntity.
    """
    role = existing_role(call, name)
    if role.is_reserved:
        raise AwsError("UnmodifiableEntity", PROTECTED_MESSAGE.format(name=role.name))
    return role


def _locked_id(call: Call, name: str) -> str:
    """Of a role that is not reserved: AWS lets users tag even a service-linked role."""
    role_id = unreserved_role(call, name).role_id
    lock_entity(call.db, "role", role_id)
    return role_id


policies_of("role", ROLES, changeable=modifiable_role)
taggable("role", "Role", "RoleName", ROLES.existing_id, changeable=_locked_id)


@operation("iam", "CreateRole")
def create_role(
    call: Call,
    *,
    RoleName: str,
    AssumeRolePolicyDocument: str,
    Path: str = "/",
    Description: str = "",
    MaxSessionDuration: int = DEFAULT_MAX_SESSION_DURATION_SECONDS,
    MaxSigninSessionDuration: int | None = None,
    PermissionsBoundary: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A new role. API reference: CreateRole. AWS's answer lacks description and session duration.

    Raises AwsError: InvalidInput (path, tags, boundary), MalformedPolicyDocument, LimitExceeded, EntityAlreadyExists,
    NoSuchEntity or PolicyNotAttachable (boundary).
    """
    tags = tag_pairs(Tags, case_sensitive=False)
    if Path.startswith(SERVICE_LINKED_PATH):
        raise AwsError("InvalidInput", SERVICE_LINKED_PATH_MESSAGE)
    if Path.startswith(RESERVED_PATH):
        raise AwsError("InvalidInput", RESERVED_PATH_MESSAGE)
    principal_ids = checked_trust_policy(call, AssumeRolePolicyDocument)
    if PermissionsBoundary is not None:
        check_boundary(call, PermissionsBoundary)
    check_role_count(call)
    role = RoleRecord(
        role_id=call.ids.unique_id(ROLE_PREFIX),
        account_id=call.account_id,
        name=RoleName,
        path=Path,
        description=Description,
        trust_policy=AssumeRolePolicyDocument,
        trust_principal_ids=principal_ids,
        max_session_duration_seconds=MaxSessionDuration,
        max_signin_session_duration_seconds=MaxSigninSessionDuration,
        permissions_boundary_arn=PermissionsBoundary,
        linked_service=None,
        created_at_seconds=int(call.now_seconds),
    )
    store_new_role(call, role)
    shown = shown_role(call, role, AssumeRolePolicyDocument)
    shown.update(shown_boundary(role.permissions_boundary_arn))
    if tags:
        add_tags(call, "role", role.role_id, tags)
        shown["Tags"] = tag_answer(tags)
    return {"Role": shown}


def check_role_count(call: Call) -> None:
    """Raises AwsError LimitExceeded when the account cannot have one role more."""
    limit = call.settings.quotas.roles_per_account_count
    if count_roles(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))


def store_new_role(call: Call, role: RoleRecord) -> None:
    """Raises AwsError EntityAlreadyExists."""
    try:
        add_role(call.db, role)
    except AlreadyThere as error:
        raise ROLES.already_exists(role.name) from error


@operation("iam", "GetRole")
def get_role(call: Call, *, RoleName: str) -> Answer:
    """One role. A trusted user or role that was deleted since the policy was saved shows as its unique id.

    Raises AwsError NoSuchEntity.
    """
    role = existing_role(call, RoleName)
    used = last_used(call, role)
    # Roles, users, tags and templates of roles raise the generation, so this holds for one. The last use does not.
    key = ("GetRole", role.role_id, role.max_session_duration_seconds, *used.values())
    shown: KeptMapping | None = call.policies.resources.get(key)
    if shown is None:
        shown = KeptMapping(_described_role(call, role))
        shown["MaxSessionDuration"] = role.max_session_duration_seconds
        shown["RoleLastUsed"] = used
        call.policies.resources.put(key, shown)
    return {"Role": shown}


def _described_role(call: Call, role: RoleRecord) -> Answer:
    [trust_policy] = shown_trust_policies(call, [role])
    shown = shown_role(call, role, trust_policy)
    if role.description:
        shown["Description"] = role.description
    shown.update(shown_boundary(role.permissions_boundary_arn))
    tags = tags_of(call.db, "role", role.role_id)
    if tags:
        shown["Tags"] = tag_answer(tags)
    source = acquired_role(call.db, role.role_id)
    if source is not None:
        shown["SourceRoleTemplate"] = {
            "TemplateArn": source.template_arn,
            "TemplateMinorVersion": source.template_minor_version,
        }
    return shown


def last_used(call: Call, role: RoleRecord) -> Answer:
    """The last call of a session of the role. Assuming it does not count. API reference, RoleLastUsed."""
    at_seconds, region = role.last_used_at_seconds, role.last_used_region
    pending = call.sandbox.last_uses.of_role(role.role_id)
    if pending is not None:
        at_seconds, region = int(pending.at_seconds), pending.region
    if at_seconds is None or call.now_seconds - at_seconds > TRACKING_SECONDS:
        return {}
    return {"LastUsedDate": at_seconds, "Region": region}


def _listed_role(call: Call, role: RoleRecord, trust_policy: str) -> Answer:
    shown = shown_role(call, role, trust_policy)
    shown["MaxSessionDuration"] = role.max_session_duration_seconds
    if role.description:
        shown["Description"] = role.description
    return shown


def shown_role(call: Call, role: RoleRecord, trust_policy: str) -> Answer:
    """The members that every answer with the model's shape Role has."""
    return {**named_role(role, trust_policy), **signin_duration(call, role.max_signin_session_duration_seconds)}


def named_role(role: RoleRecord, trust_policy: str) -> Answer:
    """The members that the model's shapes Role and RoleDetail share."""
    return {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.role_id,
        "Arn": role.arn,
        "CreateDate": role.created_at_seconds,
        "AssumeRolePolicyDocument": encoded_document(trust_policy),
    }


@operation("iam", "ListRoles", permissions=listing("role"))
def list_roles_operation(
    call: Call, *, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Roles by name. AWS leaves out tags, boundary and last use. Raises AwsError ValidationError (marker)."""
    return ROLES.shown_page(call, "Roles", list_roles, _listed_roles, PathPrefix, Marker, MaxItems)


def _listed_roles(call: Call, roles: Sequence[RoleRecord]) -> list[Answer]:
    documents = shown_trust_policies(call, roles)
    return [_listed_role(call, role, text) for role, text in zip(roles, documents, strict=True)]


@operation("iam", "UpdateRole")
def update_role(
    call: Call,
    *,
    RoleName: str,
    Description: str | None = None,
    MaxSessionDuration: int | None = None,
    MaxSigninSessionDuration: int | None = None,
    ResetMaxSigninSessionDuration: bool = False,
) -> Answer:
    """Change the members that are passed. Of a service-linked role only the description may change.

    Raises AwsError: InvalidInput (value and reset together), NoSuchEntity, UnmodifiableEntity.
    """
    sets_signin = check_set_or_reset(
        "MaxSigninSessionDuration", MaxSigninSessionDuration, reset=ResetMaxSigninSessionDuration
    )
    of_service_too = MaxSessionDuration is None and not sets_signin
    role = unreserved_role(call, RoleName) if of_service_too else modifiable_role(call, RoleName)
    if Description is not None:
        set_description(call.db, role.role_id, Description)
    if MaxSessionDuration is not None:
        set_max_session_duration(call.db, role.role_id, MaxSessionDuration)
    if sets_signin:
        set_max_signin_session_duration(call.db, role.role_id, MaxSigninSessionDuration)
    return {}


@operation("iam", "UpdateRoleDescription")
def update_role_description(call: Call, *, RoleName: str, Description: str) -> Answer:
    """Change the description, even of a service-linked role. Raises AwsError: NoSuchEntity, UnmodifiableEntity.

    AWS's answer has neither the session duration nor the last use.
    """
    role = unreserved_role(call, RoleName)
    set_description(call.db, role.role_id, Description)
    return {"Role": _described_role(call, existing_role(call, RoleName))}


@operation("iam", "UpdateAssumeRolePolicy")
def update_assume_role_policy(call: Call, *, RoleName: str, PolicyDocument: str) -> None:
    """Replace the trust policy.

    Raises AwsError: NoSuchEntity, UnmodifiableEntity, MalformedPolicyDocument, LimitExceeded.
    """
    role = modifiable_role(call, RoleName)
    set_trust_policy(call.db, role.role_id, PolicyDocument, checked_trust_policy(call, PolicyDocument))


@operation("iam", "DeleteRole")
def delete_role(call: Call, *, RoleName: str) -> None:
    """Delete a role that has no policies and is in no instance profile.

    Raises AwsError: NoSuchEntity, UnmodifiableEntity, DeleteConflict.
    """
    role = modifiable_role(call, RoleName)
    if profiles_of_roles(call.db, [role.role_id]):
        raise AwsError("DeleteConflict", DELETE_IN_PROFILE_MESSAGE)
    refuse_policies_left(call, "role", role.role_id)
    try:
        remove_role(call.db, role.role_id)
    except StillReferenced as error:  # another transaction added something in the meantime
        raise AwsError("DeleteConflict", DELETE_REFERENCED_MESSAGE) from error


@operation("iam", "PutRolePermissionsBoundary")
def put_role_permissions_boundary(call: Call, *, RoleName: str, PermissionsBoundary: str) -> None:
    """Set or replace the boundary.

    Raises AwsError: NoSuchEntity, UnmodifiableEntity, InvalidInput, PolicyNotAttachable.
    """
    role = modifiable_role(call, RoleName)
    check_boundary(call, PermissionsBoundary)
    set_permissions_boundary(call.db, role.role_id, PermissionsBoundary)


@operation("iam", "DeleteRolePermissionsBoundary")
def delete_role_permissions_boundary(call: Call, *, RoleName: str) -> None:
    """Remove the boundary, if there is one. Raises AwsError: NoSuchEntity, UnmodifiableEntity."""
    role = modifiable_role(call, RoleName)
    set_permissions_boundary(call.db, role.role_id, None)
