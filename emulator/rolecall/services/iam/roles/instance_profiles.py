"""Instance profiles: create, show, list, delete and tag them, and put a role into one."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from rolecall.access.permission import Permission
from rolecall.arns import iam_arn
from rolecall.errors import AwsError
from rolecall.ids import INSTANCE_PROFILE_PREFIX
from rolecall.services.iam.common import (
    DEFAULT_PAGE_ITEMS,
    add_tags,
    concurrent_modification,
    page,
    tag_answer,
    tag_pairs,
)
from rolecall.services.iam.named import NamedKind, name_key
from rolecall.services.iam.resource_kinds import listing
from rolecall.services.iam.roles.roles import DELETE_IN_PROFILE_MESSAGE, existing_role, modifiable_role, shown_role
from rolecall.services.iam.roles.trust import shown_trust_policies
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.passed_roles import passing_permission
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.instance_profiles import (
    InstanceProfile,
    add_profile,
    count_profiles,
    list_profiles,
    lock_profile,
    profile_by_name,
    profiles_of_roles,
    put_role,
    remove_profile,
    take_role,
)
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.roles import role_by_name, roles_by_id

NOT_FOUND_MESSAGE = "Instance Profile {name} cannot be found."
ALREADY_EXISTS_MESSAGE = "Instance Profile {name} already exists."
NOT_IN_PROFILE_MESSAGE = "Role {role} in Instance Profile {name} cannot be found."
ROLES_MESSAGE = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: {limit}"
COUNT_MESSAGE = "Cannot exceed quota for InstanceProfilesPerAccount: {limit}"
# Only EC2 uses instance profiles.
_SERVICE = "ec2.amazonaws.com"


PROFILES: NamedKind[InstanceProfile] = NamedKind(
    attrgetter("instance_profile_id"), profile_by_name, NOT_FOUND_MESSAGE, ALREADY_EXISTS_MESSAGE
)


def _locked_id(call: Call, name: str) -> str:
    profile_id = PROFILES.existing_id(call, name)
    lock_profile(call.db, profile_id)
    return profile_id


taggable("instance_profile", "InstanceProfile", "InstanceProfileName", PROFILES.existing_id, changeable=_locked_id)


@operation("iam", "CreateInstanceProfile")
def create_instance_profile(
    call: Call, *, InstanceProfileName: str, Path: str = "/", Tags: Sequence[Tag] = ()
) -> Answer:
    """A new instance profile without a role.

    Raises AwsError: InvalidInput (tags), LimitExceeded, EntityAlreadyExists.
    """
    tags = tag_pairs(Tags, case_sensitive=True)
    if profile_by_name(call.db, call.account_id, InstanceProfileName) is not None:
        raise PROFILES.already_exists(InstanceProfileName)
    limit = call.settings.quotas.instance_profiles_per_account_count
    if count_profiles(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    profile = InstanceProfile(
        instance_profile_id=call.ids.unique_id(INSTANCE_PROFILE_PREFIX),
        account_id=call.account_id,
        name=InstanceProfileName,
        path=Path,
        role_id=None,
        created_at_seconds=int(call.now_seconds),
    )
    try:
        add_profile(call.db, profile)
    except AlreadyThere as error:
        raise PROFILES.already_exists(InstanceProfileName) from error
    [shown] = shown_profiles(call, [profile])
    if tags:
        add_tags(call, "instance_profile", profile.instance_profile_id, tags)
        shown["Tags"] = tag_answer(tags)
    return {"InstanceProfile": shown}


def shown_profiles(call: Call, profiles: Sequence[InstanceProfile]) -> list[Answer]:
    """Instance profiles with their roles, as lists show them: without tags."""
    roles = list(roles_by_id(call.db, [each.role_id for each in profiles if each.role_id is not None]).values())
    documents = shown_trust_policies(call, roles)
    shown = {role.role_id: shown_role(call, role, text) for role, text in zip(roles, documents, strict=True)}
    return [
        {
            "Path": profile.path,
            "InstanceProfileName": profile.name,
            "InstanceProfileId": profile.instance_profile_id,
            "Arn": profile.arn,
            "CreateDate": profile.created_at_seconds,
            "Roles": [] if profile.role_id is None else [shown[profile.role_id]],
        }
        for profile in profiles
    ]


@operation("iam", "GetInstanceProfile")
def get_instance_profile(call: Call, *, InstanceProfileName: str) -> Answer:
    """One instance profile with its role and tags. Raises AwsError NoSuchEntity."""
    profile = PROFILES.existing(call, InstanceProfileName)
    [shown] = shown_profiles(call, [profile])
    shown["Tags"] = tag_answer(tags_of(call.db, "instance_profile", profile.instance_profile_id))
    return {"InstanceProfile": shown}


@operation("iam", "ListInstanceProfiles", permissions=listing("instance-profile"))
def list_instance_profiles(
    call: Call, *, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Instance profiles by name. Raises AwsError ValidationError (marker)."""
    profiles, rest = PROFILES.page(call, list_profiles, PathPrefix, Marker, MaxItems)
    return {"InstanceProfiles": shown_profiles(call, profiles), **rest}


@operation("iam", "ListInstanceProfilesForRole")
def list_instance_profiles_for_role(
    call: Call, *, RoleName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """The instance profiles that a role is in, by name. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    role_id = existing_role(call, RoleName).role_id
    found = profiles_of_roles(call.db, [role_id]).get(role_id, [])
    profiles, rest = page(call, (role_id,), found, name_key, Marker, MaxItems)
    return {"InstanceProfiles": shown_profiles(call, profiles), **rest}


@operation("iam", "DeleteInstanceProfile")
def delete_instance_profile(call: Call, *, InstanceProfileName: str) -> None:
    """Delete an instance profile without a role. Raises AwsError: NoSuchEntity, DeleteConflict."""
    if not remove_profile(call.db, PROFILES.existing_id(call, InstanceProfileName)):
        raise AwsError("DeleteConflict", DELETE_IN_PROFILE_MESSAGE)


def _adding(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The permission on the profile, and the permission to pass the role to EC2.

    API reference, AddRoleToInstanceProfile: the caller "must be granted the PassRole permission on the IAM role". The
    key iam:AssociatedResourceArn is "arn:aws:ec2:*:CallerAccountId:instance/*".
    """
    instances = f"arn:aws:ec2:*:{call.account_id}:instance/*"
    role = role_by_name(call.db, call.account_id, parameters["RoleName"])
    role_arn = iam_arn(call.account_id, "role", "/", parameters["RoleName"]) if role is None else role.arn
    passing = passing_permission(call, role_arn, _SERVICE, instances)
    return [*table_permissions(call, parameters), passing]


@operation("iam", "AddRoleToInstanceProfile", permissions=_adding)
def add_role_to_instance_profile(call: Call, *, InstanceProfileName: str, RoleName: str) -> None:
    """Put a role into an empty instance profile. A role may be in several profiles.

    Raises AwsError: NoSuchEntity (profile, role), UnmodifiableEntity, LimitExceeded.
    """
    profile = PROFILES.existing(call, InstanceProfileName)
    role = modifiable_role(call, RoleName)
    try:
        is_put = put_role(call.db, profile.instance_profile_id, role.role_id)
    except AlreadyThere as error:  # another transaction deleted the role in the meantime
        raise concurrent_modification() from error
    if not is_put:
        limit = call.settings.quotas.roles_per_instance_profile_count
        raise AwsError("LimitExceeded", ROLES_MESSAGE.format(limit=limit))


@operation("iam", "RemoveRoleFromInstanceProfile")
def remove_role_from_instance_profile(call: Call, *, InstanceProfileName: str, RoleName: str) -> None:
    """Take a role out of an instance profile. Raises AwsError: NoSuchEntity (profile, role), UnmodifiableEntity."""
    profile = PROFILES.existing(call, InstanceProfileName)
    role = modifiable_role(call, RoleName)
    if not take_role(call.db, profile.instance_profile_id, role.role_id):
        message = NOT_IN_PROFILE_MESSAGE.format(role=role.name, name=profile.name)
        raise AwsError("NoSuchEntity", message)
