"""Passwords for the console: of users and, in a session of AssumeRoot, of the root user.

Rolecall has no sign-in with a password. It keeps passwords, checks them against the account's policy, changes and
deletes them as AWS does.
"""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.errors import AwsError
from rolecall.services.iam.account.password_policy import granted_to_users
from rolecall.services.iam.account.password_rules import check_is_new, check_password, hashed, is_password
from rolecall.services.iam.common import check_set_or_reset, concurrent_modification, signin_duration
from rolecall.services.iam.resource_kinds import NOT_A_USER_MESSAGE, calling_user
from rolecall.services.iam.users.users import (
    check_user_is_named,
    existing_user,
    lock_owner,
    named_or_calling_user,
)
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.login_profiles import (
    LoginProfile,
    add_login_profile,
    login_profile_of,
    remembered_passwords,
    remove_login_profile,
    set_max_signin_session_duration,
    set_password,
    set_reset_required,
)
from rolecall.storage.password_policies import password_policy_of
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.users import UserRecord

NOT_FOUND_MESSAGE = "Login Profile for User {name} cannot be found."
ALREADY_EXISTS_MESSAGE = "Login Profile for user {name} already exists."
ONLY_USERS_MESSAGE = "Only IAM Users can change their own password."
# AWS's wording of these was not recorded.
NO_PASSWORD_MESSAGE = "Must specify password when not calling with an AssumeRoot session"  # noqa: S105
PASSWORD_MESSAGE = "Must not specify password when calling with an AssumeRoot session"  # noqa: S105
WRONG_PASSWORD_MESSAGE = "The old password was incorrect."  # noqa: S105
ROOT_SIGNIN_MESSAGE = "MaxSigninSessionDuration is not supported for the root user"
# AWS's name for the root user in place of a user name.
_ROOT_NAME = "root"


def _is_root_task(call: Call) -> bool:
    session = call.caller.session
    return session is not None and session.type == "AssumeRoot"


def _check_root_calls_by_task(call: Call, parameters: Parameters) -> None:
    """API reference: "When you make this request with root user credentials, you must use an AssumeRoot session to
    omit the user name."
    """
    check_user_is_named(call, parameters)
    if "UserName" not in parameters and call.caller.principal.type == "Account" and not _is_root_task(call):
        raise AwsError("ValidationError", NOT_A_USER_MESSAGE)


def _check_new_profile(call: Call, parameters: Parameters) -> None:
    """API reference, CreateLoginProfile, Password: "must be omitted when you make the request with an AssumeRoot
    session. It is required in all other cases."
    """
    _check_root_calls_by_task(call, parameters)
    if ("Password" in parameters) is _is_root_task(call):
        raise AwsError("ValidationError", PASSWORD_MESSAGE if _is_root_task(call) else NO_PASSWORD_MESSAGE)
    # API reference, MaxSigninSessionDuration: "This setting is not supported for the root user." CreateLoginProfile
    # has no InvalidInput among its errors.
    if "MaxSigninSessionDuration" in parameters and "UserName" not in parameters and _is_root_task(call):
        raise AwsError("ValidationError", ROOT_SIGNIN_MESSAGE)


def _profile_of(call: Call, owner: UserRecord | None) -> LoginProfile:
    profile = login_profile_of(call.db, call.account_id, None if owner is None else owner.user_id)
    if profile is None:
        name = _ROOT_NAME if owner is None else owner.name
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(name=name))
    return profile


def _shown(call: Call, owner: UserRecord | None, profile: LoginProfile) -> Answer:
    shown: Answer = {
        "UserName": None if owner is None else owner.name,
        "CreateDate": profile.created_at_seconds,
        "PasswordResetRequired": profile.reset_required,
        **signin_duration(call, profile.max_signin_session_duration_seconds),
    }
    return {"LoginProfile": shown}


@operation("iam", "CreateLoginProfile", precheck=_check_new_profile, slow=True)
def create_login_profile(
    call: Call,
    *,
    UserName: str | None = None,
    Password: str | None = None,
    PasswordResetRequired: bool = False,
    MaxSigninSessionDuration: int | None = None,
) -> Answer:
    """A first password. For the root user it only allows password recovery. API reference: CreateLoginProfile.

    Raises AwsError: ValidationError, NoSuchEntity, EntityAlreadyExists, PasswordPolicyViolation.
    """
    owner = named_or_calling_user(call, UserName)
    lock_owner(call, owner)
    user_id = None if owner is None else owner.user_id
    name = _ROOT_NAME if owner is None else owner.name
    if login_profile_of(call.db, call.account_id, user_id) is not None:
        raise AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE.format(name=name))
    if Password is not None:
        check_password(Password, password_policy_of(call.db, call.account_id))
    profile = LoginProfile(
        account_id=call.account_id,
        user_id=user_id,
        password_hash=None if Password is None else hashed(Password),
        reset_required=PasswordResetRequired,
        created_at_seconds=int(call.now_seconds),
        max_signin_session_duration_seconds=MaxSigninSessionDuration,
    )
    try:
        add_login_profile(call.db, profile)
    except AlreadyThere as error:  # another transaction deleted the user in the meantime
        raise concurrent_modification() from error
    return _shown(call, owner, profile)


@operation("iam", "GetLoginProfile", precheck=_check_root_calls_by_task)
def get_login_profile(call: Call, *, UserName: str | None = None) -> Answer:
    """When the password was created, and whether the user must change it.

    Raises AwsError: ValidationError, NoSuchEntity.
    """
    owner = named_or_calling_user(call, UserName)
    return _shown(call, owner, _profile_of(call, owner))


@operation("iam", "UpdateLoginProfile", slow=True)
def update_login_profile(
    call: Call,
    *,
    UserName: str,
    Password: str | None = None,
    PasswordResetRequired: bool | None = None,
    MaxSigninSessionDuration: int | None = None,
    ResetMaxSigninSessionDuration: bool = False,
) -> None:
    """Set a user's password, whether the user must change it, or how long a sign-in session may last.

    Raises AwsError: InvalidInput (value and reset together), NoSuchEntity, PasswordPolicyViolation.
    """
    sets_signin = check_set_or_reset(
        "MaxSigninSessionDuration", MaxSigninSessionDuration, reset=ResetMaxSigninSessionDuration
    )
    owner = existing_user(call, UserName)
    lock_owner(call, owner)
    profile = _profile_of(call, owner)
    if Password is not None:
        _change(call, profile, Password)
    if PasswordResetRequired is not None:
        set_reset_required(call.db, profile, required=PasswordResetRequired)
    if sets_signin:
        set_max_signin_session_duration(call.db, profile, MaxSigninSessionDuration)


def _change(call: Call, profile: LoginProfile, password: str) -> None:
    policy = password_policy_of(call.db, call.account_id)
    check_password(password, policy)
    count = 0 if policy is None or policy.reuse_prevention_count is None else policy.reuse_prevention_count
    check_is_new(password, remembered_passwords(call.db, profile, count), count)
    set_password(call.db, profile, hashed(password), int(call.now_seconds))


@operation("iam", "DeleteLoginProfile", precheck=_check_root_calls_by_task)
def delete_login_profile(call: Call, *, UserName: str | None = None) -> None:
    """Delete the password. Raises AwsError: ValidationError, NoSuchEntity."""
    owner = named_or_calling_user(call, UserName)
    lock_owner(call, owner)
    remove_login_profile(call.db, _profile_of(call, owner))


def _check_is_a_user(call: Call, _parameters: Parameters) -> None:
    if call.caller.principal.type != "User":
        raise AwsError("InvalidUserType", ONLY_USERS_MESSAGE)


def _on_own_password(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The permission on the calling user. The account's password policy can grant it."""
    [permission] = table_permissions(call, parameters)
    return [granted_to_users(call, permission)]


@operation("iam", "ChangePassword", permissions=_on_own_password, precheck=_check_is_a_user)
def change_password(call: Call, *, OldPassword: str, NewPassword: str) -> None:
    """Change the caller's own password, given the present one. A required change is done then. API: ChangePassword.

    Raises AwsError: InvalidUserType, NoSuchEntity, AccessDenied, PasswordPolicyViolation.
    """
    owner = calling_user(call)
    lock_owner(call, owner)
    profile = _profile_of(call, owner)
    if profile.password_hash is None or not is_password(profile.password_hash, OldPassword):
        raise AwsError("AccessDenied", WRONG_PASSWORD_MESSAGE)
    _change(call, profile, NewPassword)
    set_reset_required(call.db, profile, required=False)
