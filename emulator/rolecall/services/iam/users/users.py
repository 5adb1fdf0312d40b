"""Users: create, show, list, change, delete, and their permissions boundary."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from rolecall.arns import root_arn
from rolecall.caches import KeptMapping
from rolecall.errors import AwsError
from rolecall.ids import USER_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, tag_answer, tag_pairs
from rolecall.services.iam.named import NamedKind
from rolecall.services.iam.policies.entity_policies import policies_of, refuse_policies_left
from rolecall.services.iam.policies.managed_policies import check_boundary, shown_boundary
from rolecall.services.iam.resource_kinds import NOT_A_USER_MESSAGE, calling_user, listing, renaming
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.access_keys import access_keys_of, lock_account
from rolecall.storage.entity_policies import lock_entity
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.groups import groups_of
from rolecall.storage.login_profiles import login_profile_of
from rolecall.storage.mfa_devices import devices_of
from rolecall.storage.problems import AlreadyThere, StillReferenced
from rolecall.storage.signing_certificates import certificates_of
from rolecall.storage.users import (
    UserRecord,
    add_user,
    count_users,
    list_users,
    move_user,
    remove_user,
    set_permissions_boundary,
    user_by_name,
)

NOT_FOUND_MESSAGE = "The user with name {name} cannot be found."
ALREADY_EXISTS_MESSAGE = "User with name {name} already exists."
COUNT_MESSAGE = "Cannot exceed quota for UsersPerAccount: {limit}"
DELETE_KEYS_MESSAGE = "Cannot delete entity, must delete access keys first."
DELETE_MFA_MESSAGE = "Cannot delete entity, must delete MFA device first."
DELETE_PROFILE_MESSAGE = "Cannot delete entity, must delete login profile first."
DELETE_CERTIFICATES_MESSAGE = "Cannot delete entity, must delete certificates first."
# AWS's wording was not recorded.
DELETE_GROUPS_MESSAGE = "Cannot delete entity, must remove users from group first."
DELETE_REFERENCED_MESSAGE = "Cannot delete entity, must remove referenced objects first."


USERS: NamedKind[UserRecord] = NamedKind(attrgetter("user_id"), user_by_name, NOT_FOUND_MESSAGE, ALREADY_EXISTS_MESSAGE)
existing_user = USERS.existing


def _locked_id(call: Call, name: str) -> str:
    user_id = USERS.existing_id(call, name)
    lock_entity(call.db, "user", user_id)
    return user_id


policies_of("user", USERS)
taggable("user", "User", "UserName", USERS.existing_id, changeable=_locked_id)


def named_or_calling_user(call: Call, name: str | None) -> UserRecord | None:
    """The named user, else the user who calls; None for the root user.

    Raises AwsError as :func:`existing_user` and :func:`calling_user` do.
    """
    return calling_user(call) if name is None else existing_user(call, name)


def lock_owner(call: Call, user: UserRecord | None) -> None:
    """Lock the user, or the root user: other calls that add something to it must wait."""
    if user is None:
        lock_account(call.db, call.account_id)
    else:
        lock_entity(call.db, "user", user.user_id)


def check_user_is_named(call: Call, parameters: Parameters) -> None:
    """What AWS refuses before it evaluates any policy: a role session that names no user."""
    if "UserName" not in parameters and call.caller.principal.type not in ("User", "Account"):
        raise AwsError("ValidationError", NOT_A_USER_MESSAGE)


@operation("iam", "CreateUser")
def create_user(
    call: Call,
    *,
    UserName: str,
    Path: str = "/",
    PermissionsBoundary: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A new user without any credentials. API reference: CreateUser.

    Raises AwsError: InvalidInput (tags, boundary), NoSuchEntity or PolicyNotAttachable (boundary), LimitExceeded,
    EntityAlreadyExists.
    """
    tags = tag_pairs(Tags, case_sensitive=False)
    if PermissionsBoundary is not None:
        check_boundary(call, PermissionsBoundary)
    if user_by_name(call.db, call.account_id, UserName) is not None:
        raise USERS.already_exists(UserName)
    limit = call.settings.quotas.users_per_account_count
    if count_users(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    user = UserRecord(
        user_id=call.ids.unique_id(USER_PREFIX),
        account_id=call.account_id,
        name=UserName,
        path=Path,
        permissions_boundary_arn=PermissionsBoundary,
        created_at_seconds=int(call.now_seconds),
    )
    try:
        add_user(call.db, user)
    except AlreadyThere as error:
        raise USERS.already_exists(UserName) from error
    add_tags(call, "user", user.user_id, tags)
    return {"User": _whole_user(call, user)}


def shown_user(user: UserRecord) -> Answer:
    """A user as lists show it: AWS leaves out its tags and boundary."""
    return {
        "Path": user.path,
        "UserName": user.name,
        "UserId": user.user_id,
        "Arn": user.arn,
        "CreateDate": user.created_at_seconds,
    }


def _whole_user(call: Call, user: UserRecord) -> Answer:
    # Users and their tags raise the generation, so this holds for one.
    key = ("GetUser", user.user_id)
    known: KeptMapping | None = call.policies.resources.get(key)
    if known is not None:
        return known
    shown = KeptMapping(shown_user(user))
    shown.update(shown_boundary(user.permissions_boundary_arn))
    tags = tags_of(call.db, "user", user.user_id)
    if tags:
        shown["Tags"] = tag_answer(tags)
    call.policies.resources.put(key, shown)
    return shown


@operation("iam", "GetUser", precheck=check_user_is_named)
def get_user(call: Call, *, UserName: str | None = None) -> Answer:
    """One user, by default the one who calls.

    Raises AwsError: NoSuchEntity, ValidationError (no name, and the caller is neither a user nor root).
    """
    user = named_or_calling_user(call, UserName)
    return {"User": _root_user(call) if user is None else _whole_user(call, user)}


def _root_user(call: Call) -> Answer:
    """The root user has neither name nor path. Its oldest access key shows the age of the account."""
    keys = access_keys_of(call.db, call.account_id, None)
    return {
        "UserId": call.account_id,
        "Arn": root_arn(call.account_id),
        "CreateDate": keys[0].created_at_seconds if keys else None,
    }


@operation("iam", "ListUsers", permissions=listing("user"))
def list_users_operation(
    call: Call, *, PathPrefix: str = "/", Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Users by name. Raises AwsError ValidationError (marker)."""
    return USERS.shown_page(call, "Users", list_users, _listed_users, PathPrefix, Marker, MaxItems)


def _listed_users(_call: Call, users: Sequence[UserRecord]) -> list[Answer]:
    return [shown_user(user) for user in users]


@operation("iam", "UpdateUser", permissions=renaming("user"))
def update_user(call: Call, *, UserName: str, NewPath: str | None = None, NewUserName: str | None = None) -> None:
    """Change a user's name, its path, or both. Keys, groups and policies stay.

    Raises AwsError: NoSuchEntity, EntityAlreadyExists.
    """
    USERS.move(call, move_user, UserName, NewUserName, NewPath)


@operation("iam", "DeleteUser")
def delete_user(call: Call, *, UserName: str) -> None:
    """Delete a user that has no credentials, groups or policies left. Raises AwsError: NoSuchEntity, DeleteConflict."""
    user = existing_user(call, UserName)
    if access_keys_of(call.db, call.account_id, user.user_id):
        raise AwsError("DeleteConflict", DELETE_KEYS_MESSAGE)
    if devices_of(call.db, call.account_id, user.user_id):
        raise AwsError("DeleteConflict", DELETE_MFA_MESSAGE)
    if login_profile_of(call.db, call.account_id, user.user_id) is not None:
        raise AwsError("DeleteConflict", DELETE_PROFILE_MESSAGE)
    if certificates_of(call.db, call.account_id, user.user_id):
        raise AwsError("DeleteConflict", DELETE_CERTIFICATES_MESSAGE)
    refuse_policies_left(call, "user", user.user_id)
    if groups_of(call.db, user.user_id):
        raise AwsError("DeleteConflict", DELETE_GROUPS_MESSAGE)
    try:
        remove_user(call.db, user.user_id)
    # It has SSH keys or service-specific credentials, or another transaction added something in the meantime.
    except StillReferenced as error:
        raise AwsError("DeleteConflict", DELETE_REFERENCED_MESSAGE) from error


@operation("iam", "PutUserPermissionsBoundary")
def put_user_permissions_boundary(call: Call, *, UserName: str, PermissionsBoundary: str) -> None:
    """Set or replace the boundary. Raises AwsError: NoSuchEntity, InvalidInput, PolicyNotAttachable."""
    user = existing_user(call, UserName)
    check_boundary(call, PermissionsBoundary)
    set_permissions_boundary(call.db, user.user_id, PermissionsBoundary)


@operation("iam", "DeleteUserPermissionsBoundary")
def delete_user_permissions_boundary(call: Call, *, UserName: str) -> None:
    """Remove the boundary, if there is one. Raises AwsError NoSuchEntity."""
    user = existing_user(call, UserName)
    set_permissions_boundary(call.db, user.user_id, None)
