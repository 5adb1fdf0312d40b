"""The alias of an account: one for each account, and unique among all accounts."""

from __future__ import annotations

from typing import Any

import pytest
from iam_calls import WORLD, fails, key_id, refusal


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


@pytest.fixture
def other_account(world: Any) -> Any:
    return world.client("iam", keys=(key_id("kim1"), "kim1-secret"))


def aliases(iam: Any) -> list[str]:
    return list(iam.list_account_aliases()["AccountAliases"])


def test_an_account_has_one_alias_and_a_new_one_takes_its_place(iam: Any) -> None:
    assert aliases(iam) == []
    iam.create_account_alias(AccountAlias="example-corp")
    iam.create_account_alias(AccountAlias="other-corp")
    answer = iam.list_account_aliases(MaxItems=1)
    assert (answer["AccountAliases"], answer["IsTruncated"]) == (["other-corp"], False)
    iam.delete_account_alias(AccountAlias="other-corp")
    assert aliases(iam) == []


def test_an_alias_is_unique_among_all_accounts(iam: Any, other_account: Any) -> None:
    iam.create_account_alias(AccountAlias="example-corp")
    message = "The account alias example-corp already exists."
    fails(iam.create_account_alias, "EntityAlreadyExists", message, 409, AccountAlias="example-corp")
    other_account.create_account_alias(AccountAlias="other-corp")
    fails(other_account.create_account_alias, "EntityAlreadyExists", message, 409, AccountAlias="example-corp")
    # The refused call took nothing away.
    assert (aliases(iam), aliases(other_account)) == (["example-corp"], ["other-corp"])
    iam.create_account_alias(AccountAlias="new-corp")
    other_account.create_account_alias(AccountAlias="example-corp")
    assert (aliases(iam), aliases(other_account)) == (["new-corp"], ["example-corp"])


def test_an_alias_of_another_account_cannot_be_deleted(iam: Any, other_account: Any) -> None:
    iam.create_account_alias(AccountAlias="example-corp")
    message = "The account alias example-corp cannot be found."
    fails(other_account.delete_account_alias, "NoSuchEntity", message, 404, AccountAlias="example-corp")
    assert aliases(iam) == ["example-corp"]


@pytest.mark.parametrize("alias", ["Upper", "two--dashes", "-first", "last-", "under_score", "a" * 64])
def test_names_that_aws_refuses(iam: Any, alias: str) -> None:
    code, _, status = refusal(iam.create_account_alias, AccountAlias=alias)
    assert (code, status) == ("ValidationError", 400)


def test_a_caller_without_the_permission_is_refused(world: Any) -> None:
    bob = world.client("iam", user="bob")
    for call, action in (
        (bob.create_account_alias, "CreateAccountAlias"),
        (bob.delete_account_alias, "DeleteAccountAlias"),
        (bob.list_account_aliases, "ListAccountAliases"),
    ):
        arguments = {} if action.startswith("List") else {"AccountAlias": "example-corp"}
        code, message, status = refusal(call, **arguments)
        assert (code, status) == ("AccessDenied", 403)
        assert f"is not authorized to perform: iam:{action} on resource: * because" in message


def test_a_marker_of_another_list_is_refused(iam: Any) -> None:
    code, _, status = refusal(iam.list_account_aliases, Marker="nothing")
    assert (code, status) == ("ValidationError", 400)
