"""The account's password policy."""

from __future__ import annotations

import json
from collections.abc import Sequence

from msgspec.structs import replace

from rolecall.access.permission import Permission
from rolecall.access.policies import parsed_policy
from rolecall.errors import AwsError
from rolecall.policy import NamedPolicy, PolicyKind, compile_policies
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.password_policies import (
    PasswordPolicy,
    password_policy_of,
    put_password_policy,
    remove_password_policy,
)

NO_POLICY_MESSAGE = "The Password Policy with domain name {account_id} cannot be found."
NOTHING_TO_DELETE_MESSAGE = "The account policy with name PasswordPolicy cannot be found."


def granted_to_users(call: Call, permission: Permission) -> Permission:
    """The permission, granted to every user of the account where its policy lets users change their passwords.

    IAM User Guide: "the permissions are applied at the account-level for all users by IAM". So a deny still holds.
    """
    if call.caller.principal.type != "User":
        return permission
    policy = password_policy_of(call.db, call.account_id)
    if policy is None or not policy.users_may_change:
        return permission
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": call.caller.principal.arn},
        "Action": permission.action,
        "Resource": permission.resource,
    }
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    named = NamedPolicy(parsed_policy(text, PolicyKind.RESOURCE), "AllowUsersToChangePassword of the account")
    return replace(permission, resource_policy=compile_policies([named], PolicyKind.RESOURCE))


def _on_policy(call: Call, parameters: Parameters) -> Sequence[Permission]:
    return [granted_to_users(call, permission) for permission in table_permissions(call, parameters)]


@operation("iam", "GetAccountPasswordPolicy", permissions=_on_policy)
def get_account_password_policy(call: Call) -> Answer:
    """The account's own policy. Raises AwsError NoSuchEntity when the account has the default policy."""
    policy = password_policy_of(call.db, call.account_id)
    if policy is None:
        raise AwsError("NoSuchEntity", NO_POLICY_MESSAGE.format(account_id=call.account_id))
    return {
        "PasswordPolicy": {
            "MinimumPasswordLength": policy.minimum_length,
            "RequireSymbols": policy.require_symbols,
            "RequireNumbers": policy.require_numbers,
            "RequireUppercaseCharacters": policy.require_uppercase,
            "RequireLowercaseCharacters": policy.require_lowercase,
            "AllowUsersToChangePassword": policy.users_may_change,
            "ExpirePasswords": policy.maximum_age_days is not None,
            "MaxPasswordAge": policy.maximum_age_days,
            "PasswordReusePrevention": policy.reuse_prevention_count,
            "HardExpiry": policy.hard_expiry,
        }
    }


@operation("iam", "UpdateAccountPasswordPolicy")
def update_account_password_policy(
    call: Call,
    *,
    MinimumPasswordLength: int = 6,
    RequireSymbols: bool = False,
    RequireNumbers: bool = False,
    RequireUppercaseCharacters: bool = False,
    RequireLowercaseCharacters: bool = False,
    AllowUsersToChangePassword: bool = False,
    MaxPasswordAge: int | None = None,
    PasswordReusePrevention: int | None = None,
    HardExpiry: bool | None = None,
) -> None:
    """Replace the whole policy: a missing parameter gets its default. API reference: UpdateAccountPasswordPolicy."""
    policy = PasswordPolicy(
        minimum_length=MinimumPasswordLength,
        require_symbols=RequireSymbols,
        require_numbers=RequireNumbers,
        require_uppercase=RequireUppercaseCharacters,
        require_lowercase=RequireLowercaseCharacters,
        users_may_change=AllowUsersToChangePassword,
        maximum_age_days=MaxPasswordAge,
        reuse_prevention_count=PasswordReusePrevention,
        hard_expiry=HardExpiry,
    )
    put_password_policy(call.db, call.account_id, policy)


@operation("iam", "DeleteAccountPasswordPolicy")
def delete_account_password_policy(call: Call) -> None:
    """Return to the default policy. Raises AwsError NoSuchEntity."""
    if not remove_password_policy(call.db, call.account_id):
        raise AwsError("NoSuchEntity", NOTHING_TO_DELETE_MESSAGE)
