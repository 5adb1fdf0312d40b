"""Many users at once: BatchSuspendUser, BatchUnsuspendUser, BatchUpdateUser.

A batch applies what it can; what it cannot is answered user by user, in the order of the request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.errors import bad_request
from rolecall.services.batches import error_members, errors_of
from rolecall.services.chime.common import ENTERPRISE_LWA, TEAM, locked_account, user_not_found
from rolecall.services.chime.user_changes import UserUpdate, apply_changes, changes_of, permissions_to_update_users
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_users

# Amazon Chime Administration Guide, Remove Users: a user who leaves a Team account loses the license it paid for.
LICENSE_OF_FREE_USERS = "Basic"


@operation("chime", "BatchSuspendUser")
def batch_suspend_user(call: Call, *, AccountId: str, UserIdList: Sequence[str]) -> Answer:
    """Team: the users go on as free users. EnterpriseLWA: they are signed out. Other types do not suspend this way."""
    account = locked_account(call, AccountId)
    changes: dict[str, Any] = {"registration_status": "Suspended"}
    if account.account_type == TEAM:
        changes["license_type"] = LICENSE_OF_FREE_USERS
    elif account.account_type == ENTERPRISE_LWA:
        changes["logged_out_at_seconds"] = int(call.now_seconds)
    else:
        raise bad_request("Only users of Team and EnterpriseLWA accounts can be suspended.")
    users = _users(call, account.account_id, UserIdList, "UserIdList")
    for user in users.values():
        if user.registration_status != "Suspended":
            chime_users.update_user(call.db, user.user_id, changes)
    return {"UserErrors": _unknown(UserIdList, users)}


@operation("chime", "BatchUnsuspendUser")
def batch_unsuspend_user(call: Call, *, AccountId: str, UserIdList: Sequence[str]) -> Answer:
    """Suspended users become registered; the others stay as they are."""
    account = locked_account(call, AccountId)
    if account.account_type != ENTERPRISE_LWA:
        raise bad_request(
            "Only users of EnterpriseLWA accounts can be unsuspended. Invite users of Team accounts again."
        )
    users = _users(call, account.account_id, UserIdList, "UserIdList")
    for user in users.values():
        if user.registration_status == "Suspended":
            registered_at_seconds = user.registered_at_seconds or int(call.now_seconds)
            changes = {"registration_status": "Registered", "registered_at_seconds": registered_at_seconds}
            chime_users.update_user(call.db, user.user_id, changes)
    return {"UserErrors": _unknown(UserIdList, users)}


@operation("chime", "BatchUpdateUser", permissions=permissions_to_update_users)
def batch_update_user(call: Call, *, AccountId: str, UpdateUserRequestItems: Sequence[UserUpdate]) -> Answer:
    account = locked_account(call, AccountId)
    user_ids = [item["UserId"] for item in UpdateUserRequestItems]
    users = _users(call, account.account_id, user_ids, "UpdateUserRequestItems")

    def change(item: UserUpdate) -> None:
        user_id = item["UserId"]
        if user_id not in users:
            raise user_not_found(user_id)
        changes = changes_of(item.get("LicenseType"), item.get("UserType"), item.get("AlexaForBusinessMetadata"))
        users[user_id] = apply_changes(call, users[user_id], changes)

    return {"UserErrors": errors_of(UpdateUserRequestItems, change, lambda item: {"UserId": item["UserId"]})}


def _users(call: Call, account_id: str, user_ids: Sequence[str], member: str) -> dict[str, chime_users.ChimeUser]:
    if not user_ids:
        raise bad_request(f"{member} must not be empty.")
    return chime_users.users_by_id(call.db, account_id, set(user_ids))


def _unknown(user_ids: Sequence[str], users: Mapping[str, object]) -> list[Answer]:
    return [
        {"UserId": user_id, **error_members(user_not_found(user_id))}
        for user_id in dict.fromkeys(user_ids)
        if user_id not in users
    ]
