"""What every Chime operation needs: whose account it is, and refusals in Chime's error names.

Another AWS account's Chime account does not exist for the caller: the answer is the same as for one nobody has.
"""

from __future__ import annotations

from rolecall.errors import AwsError, bad_request
from rolecall.services.registry import Call
from rolecall.storage import chime_accounts, chime_users
from rolecall.storage.chime_accounts import ChimeAccount
from rolecall.storage.chime_users import ChimeUser

# Amazon Chime Administration Guide and the AWS CLI's examples: every account type sells these two.
SUPPORTED_LICENSES = ("Basic", "Pro")
TEAM = "Team"
ENTERPRISE_LWA = "EnterpriseLWA"
MAXIMUM_EMAIL_LENGTH = 320


def account_not_found(account_id: str) -> AwsError:
    return AwsError("NotFoundException", f"Account {account_id} was not found.")


def user_not_found(user_id: str) -> AwsError:
    return AwsError("NotFoundException", f"User {user_id} was not found.")


def owned_account(call: Call, account_id: str) -> ChimeAccount:
    """The caller's Chime account of that id. Raises NotFoundException."""
    found = chime_accounts.account(call.db, call.account_id, account_id)
    if found is None:
        raise account_not_found(account_id)
    return found


def locked_account(call: Call, account_id: str) -> ChimeAccount:
    """The same, for a call whose writes depend on which users the account has. Raises NotFoundException."""
    found = chime_accounts.locked_account(call.db, call.account_id, account_id)
    if found is None:
        raise account_not_found(account_id)
    return found


def enterprise_account(call: Call, account_id: str, *, locked: bool = False) -> ChimeAccount:
    """The caller's Chime account, for what the API reference says Enterprise accounts have.

    Raises NotFoundException, and BadRequestException for a Team account; AWS's answer to that was not recorded.
    """
    account = (locked_account if locked else owned_account)(call, account_id)
    if account.account_type == TEAM:
        raise bad_request(f"Account {account_id} must be an Enterprise account. Its type is {TEAM}.")
    return account


def owned_user(call: Call, account_id: str, user_id: str) -> ChimeUser:
    """The user of that id in the caller's Chime account. Raises NotFoundException."""
    found = chime_users.user(call.db, call.account_id, account_id, user_id)
    if found is None:
        owned_account(call, account_id)
        raise user_not_found(user_id)
    return found


def checked_license(license_type: str, member: str) -> str:
    """A license that the account may give. Raises BadRequestException."""
    if license_type not in SUPPORTED_LICENSES:
        raise bad_request(f"{member} must be a supported license of the account: {', '.join(SUPPORTED_LICENSES)}.")
    return license_type


def checked_email(email: str, member: str) -> str:
    """An email address of one local part and a domain with a dot. Raises BadRequestException, without the address."""
    local, _, domain = email.rpartition("@")
    labels = domain.split(".")
    if (
        len(email) > MAXIMUM_EMAIL_LENGTH
        or not email.isprintable()
        or " " in email
        or not local
        or "@" in local
        or len(labels) < 2
        or "" in labels
    ):
        raise bad_request(f"{member} must be a valid email address of at most {MAXIMUM_EMAIL_LENGTH} characters.")
    return email
