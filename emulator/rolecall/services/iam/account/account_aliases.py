"""The alias of an account (IAM User Guide, "Use an alias for your AWS account ID")."""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.account_aliases import alias_of, remove_alias, set_alias
from rolecall.storage.problems import AlreadyThere

# AWS's wording of these was not recorded.
TAKEN_MESSAGE = "The account alias {alias} already exists."
NOT_FOUND_MESSAGE = "The account alias {alias} cannot be found."


@operation("iam", "CreateAccountAlias")
def create_account_alias(call: Call, *, AccountAlias: str) -> None:
    """A new alias takes the place of the old one. Raises AwsError EntityAlreadyExists: an account has this alias."""
    try:
        set_alias(call.db, call.account_id, AccountAlias)
    except AlreadyThere as error:
        raise AwsError("EntityAlreadyExists", TAKEN_MESSAGE.format(alias=AccountAlias)) from error


@operation("iam", "DeleteAccountAlias")
def delete_account_alias(call: Call, *, AccountAlias: str) -> None:
    """Raises AwsError NoSuchEntity when the account has another alias or no alias."""
    if not remove_alias(call.db, call.account_id, AccountAlias):
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(alias=AccountAlias))


@operation("iam", "ListAccountAliases")
def list_account_aliases(call: Call, *, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS) -> Answer:
    """The alias of the account, or an empty list. Raises AwsError ValidationError for a marker of another list."""
    alias = alias_of(call.db, call.account_id)
    aliases, rest = page(call, (), [] if alias is None else [alias], str, Marker, MaxItems)
    return {"AccountAliases": aliases, **rest}
