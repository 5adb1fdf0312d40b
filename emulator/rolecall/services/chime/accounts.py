"""Amazon Chime accounts: CreateAccount, GetAccount, ListAccounts, UpdateAccount, DeleteAccount."""

from __future__ import annotations

from typing import Any

from rolecall.errors import AwsError
from rolecall.services.chime.common import (
    TEAM,
    checked_email,
    checked_license,
    locked_account,
)
from rolecall.services.chime.kinds import ACCOUNT, shown_account
from rolecall.services.chime.user_numbers import ASSOCIATIONS
from rolecall.services.numbers import release
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import get
from rolecall.storage import chime_accounts, chime_users, phone_numbers
from rolecall.storage.chime_accounts import BEFORE_THE_FIRST, ChimeAccount

DEFAULT_LICENSE = "Pro"
USERS_REMAIN = "All users of account {account_id} must be suspended before it can be deleted."
DOMAINS_REMAIN = "The claimed domains of account {account_id} must be released before it can be deleted."


@operation("chime", "CreateAccount")
def create_account(call: Call, *, Name: str) -> Answer:
    """A Team account: the API makes no other type."""
    account = ChimeAccount(
        account_id=call.ids.uuid(),
        aws_account_id=call.account_id,
        name=Name,
        account_type=TEAM,
        default_license=DEFAULT_LICENSE,
        account_status="Active",
        disable_remote_control=False,
        enable_dial_out=False,
        created_at_seconds=int(call.now_seconds),
    )
    chime_accounts.add_account(call.db, account)
    return {"Account": shown_account(call.db, account)}


get(ACCOUNT, "GetAccount")


@operation("chime", "ListAccounts")
def list_accounts(
    call: Call,
    *,
    Name: str | None = None,
    UserEmail: str | None = None,
    NextToken: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
) -> Answer:
    """Accounts whose name begins with ``Name`` and that have a user of that email address, oldest first."""
    email_key = None if UserEmail is None else checked_email(UserEmail, "UserEmail").lower()
    filters = (Name, email_key)
    found = chime_accounts.list_accounts(
        call.db,
        call.account_id,
        name_prefix=Name or "",
        user_email=email_key or "",
        after=BEFORE_THE_FIRST if NextToken is None else position_of(call, filters, NextToken),
        limit=MaxResults + 1,
    )
    accounts, rest = one_page(call, filters, found, MaxResults, lambda each: (each.created_at_seconds, each.account_id))
    return {"Accounts": [shown_account(call.db, account) for account in accounts], **rest}


@operation("chime", "UpdateAccount")
def update_account(call: Call, *, AccountId: str, Name: str | None = None, DefaultLicense: str | None = None) -> Answer:
    """The default license is given to users added from now on; those the account has keep theirs."""
    account = locked_account(call, AccountId)
    changes: dict[str, Any] = {}
    if Name is not None:
        changes["name"] = Name
    if DefaultLicense is not None:
        changes["default_license"] = checked_license(DefaultLicense, "DefaultLicense")
    chime_accounts.update_account(call.db, account.account_id, changes)
    return {"Account": shown_account(call.db, account._replace(**changes))}


@operation("chime", "DeleteAccount")
def delete_account(call: Call, *, AccountId: str) -> Answer:
    """Amazon Chime API reference, DeleteAccount: users of a Team account are suspended first.

    Enterprise accounts have claimed domains, which only the console releases.
    """
    account = locked_account(call, AccountId)
    if account.account_type != TEAM:
        raise AwsError("UnprocessableEntityException", DOMAINS_REMAIN.format(account_id=AccountId))
    if chime_users.has_users_not_suspended(call.db, account.account_id):
        raise AwsError("UnprocessableEntityException", USERS_REMAIN.format(account_id=AccountId))
    for number in phone_numbers.numbers_assigned_to(call.db, call.account_id, "AccountId", account.account_id):
        release(call, number, *ASSOCIATIONS)
    chime_accounts.remove_account(call.db, account.account_id)
    return {}
