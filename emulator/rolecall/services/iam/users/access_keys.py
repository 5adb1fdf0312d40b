"""Long-term access keys of users, and of the root user when the root user calls."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.arns import root_arn
from rolecall.errors import AwsError
from rolecall.ids import LONG_TERM_KEY_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.iam.resource_kinds import NOT_A_USER_MESSAGE, user_permission
from rolecall.services.iam.users.users import (
    check_user_is_named,
    lock_owner,
    named_or_calling_user,
)
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.access_keys import (
    AccessKeyRecord,
    access_key_by_id,
    access_keys_of,
    add_access_key,
    remove_access_key,
    set_access_key_status,
)
from rolecall.storage.last_use import Use
from rolecall.storage.users import UserRecord, user_by_id

NOT_FOUND_MESSAGE = "The Access Key with id {access_key_id} cannot be found."
COUNT_MESSAGE = "Cannot exceed quota for AccessKeysPerUser: {limit}"
# This sentence of AWS has neither the colon nor the reason of its other refusals.
LAST_USED_REFUSED_MESSAGE = (
    "User: {arn} is not authorized to perform iam:GetAccessKeyLastUsed on resource: access key {access_key_id}"
)
# The model has this status since 2026, but the API reference names no way to set it.
EXPIRED_MESSAGE = "The status of an access key can be set to Active or Inactive only."
NEVER_USED = "N/A"


def _id_of(owner: UserRecord | None) -> str | None:
    """The id of a user; None for the root user."""
    return None if owner is None else owner.user_id


def _owned_key(call: Call, owner: UserRecord | None, access_key_id: str) -> AccessKeyRecord:
    key = access_key_by_id(call.db, call.account_id, access_key_id)
    if key is None or key.user_id != _id_of(owner):
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(access_key_id=access_key_id))
    return key


def _check_user_is_named_in_sessions(call: Call, parameters: Parameters) -> None:
    """API reference: "If a temporary access key is used, then UserName is required." Not for a root user's task."""
    check_user_is_named(call, parameters)
    session = call.caller.session
    if "UserName" not in parameters and session is not None and session.type != "AssumeRoot":
        raise AwsError("ValidationError", NOT_A_USER_MESSAGE)


@operation("iam", "CreateAccessKey", precheck=check_user_is_named)
def create_access_key(call: Call, *, UserName: str | None = None) -> Answer:
    """A new key, active at once. Its secret is shown only in this answer. API reference: CreateAccessKey.

    Raises AwsError: ValidationError, NoSuchEntity, LimitExceeded.
    """
    owner = named_or_calling_user(call, UserName)
    lock_owner(call, owner)
    quotas = call.settings.quotas
    limit = quotas.access_keys_per_root_count if owner is None else quotas.access_keys_per_user_count
    if len(access_keys_of(call.db, call.account_id, _id_of(owner))) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    key = AccessKeyRecord(
        access_key_id=call.ids.access_key_id(LONG_TERM_KEY_PREFIX, call.account_id),
        account_id=call.account_id,
        user_id=_id_of(owner),
        status="Active",
        created_at_seconds=int(call.now_seconds),
    )
    secret = call.ids.secret_access_key()
    add_access_key(call.db, key, secret)
    return {"AccessKey": {**_shown_key(owner, key), "SecretAccessKey": secret}}


def _shown_key(owner: UserRecord | None, key: AccessKeyRecord) -> Answer:
    return {
        "UserName": None if owner is None else owner.name,
        "AccessKeyId": key.access_key_id,
        "Status": key.status,
        "CreateDate": key.created_at_seconds,
    }


@operation("iam", "ListAccessKeys", precheck=_check_user_is_named_in_sessions)
def list_access_keys(
    call: Call, *, UserName: str | None = None, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Keys without their secrets, oldest first. Raises AwsError: ValidationError, NoSuchEntity."""
    owner = named_or_calling_user(call, UserName)
    found = access_keys_of(call.db, call.account_id, _id_of(owner))
    keys, rest = page(call, (_id_of(owner) or "root",), found, _position, Marker, MaxItems)
    return {"AccessKeyMetadata": [_shown_key(owner, key) for key in keys], **rest}


def _position(key: AccessKeyRecord) -> str:
    return f"{key.created_at_seconds:020d} {key.access_key_id}"


@operation("iam", "UpdateAccessKey", precheck=_check_user_is_named_in_sessions)
def update_access_key(call: Call, *, AccessKeyId: str, Status: str, UserName: str | None = None) -> None:
    """Switch a key on or off. Raises AwsError: ValidationError, NoSuchEntity, InvalidInput."""
    key = _owned_key(call, named_or_calling_user(call, UserName), AccessKeyId)
    if Status not in ("Active", "Inactive"):
        raise AwsError("InvalidInput", EXPIRED_MESSAGE)
    set_access_key_status(call.db, key.access_key_id, Status)


@operation("iam", "DeleteAccessKey", precheck=check_user_is_named)
def delete_access_key(call: Call, *, AccessKeyId: str, UserName: str | None = None) -> None:
    """Delete a key. Later calls with it are refused. Raises AwsError: ValidationError, NoSuchEntity."""
    key = _owned_key(call, named_or_calling_user(call, UserName), AccessKeyId)
    remove_access_key(call.db, key.access_key_id)


def _known_key(call: Call, access_key_id: str) -> AccessKeyRecord:
    """The key, if it is in the caller's account. AWS refuses an unknown key like a key of another account."""
    key = access_key_by_id(call.db, call.account_id, access_key_id)
    if key is None:
        arn = call.caller.principal.arn
        raise AwsError("AccessDenied", LAST_USED_REFUSED_MESSAGE.format(arn=arn, access_key_id=access_key_id))
    return key


def _user_of(call: Call, key: AccessKeyRecord) -> UserRecord | None:
    return None if key.user_id is None else user_by_id(call.db, key.user_id)


def _on_key(call: Call, parameters: Parameters) -> Sequence[Permission]:
    user = _user_of(call, _known_key(call, parameters["AccessKeyId"]))
    if user is None:
        return [Permission("iam:GetAccessKeyLastUsed", root_arn(call.account_id))]
    return [user_permission(call, user)]


@operation("iam", "GetAccessKeyLastUsed", permissions=_on_key)
def get_access_key_last_used(call: Call, *, AccessKeyId: str) -> Answer:
    """The key's user, and when, where and with which service it was last used. Raises AwsError AccessDenied."""
    key = _known_key(call, AccessKeyId)
    user = _user_of(call, key)
    use = call.sandbox.last_uses.of_key(key.access_key_id)
    if use is None and key.last_used_at_seconds is not None:
        use = Use(key.last_used_at_seconds, key.last_used_service or NEVER_USED, key.last_used_region or NEVER_USED)
    return {
        "UserName": None if user is None else user.name,
        "AccessKeyLastUsed": {
            "LastUsedDate": None if use is None else int(use.at_seconds),
            "ServiceName": NEVER_USED if use is None else use.service,
            "Region": NEVER_USED if use is None else use.region,
        },
    }
