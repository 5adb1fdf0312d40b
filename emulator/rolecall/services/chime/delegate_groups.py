"""Sign-in delegate groups: groups of a directory whose members sign in for others of an Enterprise account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.errors import AwsError, bad_request
from rolecall.services.chime.common import enterprise_account
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_settings

MAXIMUM_NAME_LENGTH = 256


class DelegateGroup(TypedDict, total=False):
    """A group in a request."""

    GroupName: str


@operation("chime", "AssociateSigninDelegateGroupsWithAccount")
def associate_signin_delegate_groups(
    call: Call, *, AccountId: str, SigninDelegateGroups: Sequence[DelegateGroup]
) -> Answer:
    """GetAccount shows the groups. One that the account has already stays."""
    account = enterprise_account(call, AccountId, locked=True)
    names = [group.get("GroupName", "") for group in SigninDelegateGroups]
    if not names or not all(0 < len(name) <= MAXIMUM_NAME_LENGTH for name in names):
        raise bad_request(f"Each group must have a GroupName of 1 to {MAXIMUM_NAME_LENGTH} characters.")
    known = chime_settings.delegate_groups(call.db, account.account_id)
    added = [name for name in dict.fromkeys(names) if name not in known]
    chime_settings.add_delegate_groups(call.db, account.account_id, added)
    return {}


@operation("chime", "DisassociateSigninDelegateGroupsFromAccount")
def disassociate_signin_delegate_groups(call: Call, *, AccountId: str, GroupNames: Sequence[str]) -> Answer:
    """All of the groups or, when the account lacks one, none. AWS's answer to an unknown group was not recorded."""
    account = enterprise_account(call, AccountId, locked=True)
    known = chime_settings.delegate_groups(call.db, account.account_id)
    for name in GroupNames:
        if name not in known:
            raise AwsError("NotFoundException", f"Sign-in delegate group {name} was not found.")
    chime_settings.remove_delegate_groups(call.db, account.account_id, set(GroupNames))
    return {}
