"""Pages of ListAccounts and ListUsers, and tokens that are forged, foreign or from another list."""

import pytest
from botocore.config import Config
from chime_calls import chime_of, first_account, new_account, new_user, refusal

TWO_OWNERS = """
version: 1
accounts:
  - id: "111122223333"
    users:
      - name: one
        access_keys: [{id: keyofone, secret: secret-one}]
        attached_policies: &all ["arn:aws:iam::aws:policy/AdministratorAccess"]
  - id: "444455556666"
    users:
      - {name: two, access_keys: [{id: keyoftwo, secret: secret-two}], attached_policies: *all}
"""


@pytest.fixture
def chime(world):
    return chime_of(world)


def filled(chime, count=5):
    account_id = new_account(chime)
    for number in range(count):
        new_user(chime, account_id, f"u{number}@example.com")
    return account_id


def pages(read, member, **parameters):
    """All pages of a list; bounded, so that an endless list fails."""
    found, token = [], {}
    for _ in range(20):
        answer = read(**parameters, **token)
        found.append(answer[member])
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}
    raise AssertionError("the list does not end")


@pytest.mark.parametrize(("size", "expected"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (200, [5])])
def test_pages_of_users_are_the_whole_list(chime, size, expected):
    account_id = filled(chime)
    found = pages(chime.list_users, "Users", AccountId=account_id, MaxResults=size)
    assert [len(page) for page in found] == expected
    assert [user for page in found for user in page] == chime.list_users(AccountId=account_id)["Users"]


def test_more_accounts_than_a_page_holds(world, chime):
    """101 accounts, the default one included: a page has as many as MaxResults says."""
    for number in range(100):
        new_account(chime, f"a{number:03}")
    found = pages(chime.list_accounts, "Accounts", MaxResults=100)
    assert [len(page) for page in found] == [100, 1]
    assert len({account["AccountId"] for page in found for account in page}) == 101
    whole = [account for page in pages(chime.list_accounts, "Accounts") for account in page]
    assert whole == [account for page in found for account in page]
    unchecked = chime_of(world, config=Config(parameter_validation=False))
    for size in (99, 100):
        answer = unchecked.list_accounts(MaxResults=size)
        assert (len(answer["Accounts"]), "NextToken" in answer) == (size, True)


def test_pages_of_accounts_are_the_whole_list(world, chime):
    for number in range(4):
        world.clock.advance(number % 2)
        new_account(chime, f"a{number}")
    found = pages(chime.list_accounts, "Accounts", MaxResults=2)
    assert [len(page) for page in found] == [2, 2, 1]
    assert [account for page in found for account in page] == chime.list_accounts()["Accounts"]


def test_a_hundred_is_the_default(chime):
    account_id = new_account(chime)
    for start in (0, 50, 100):
        addresses = [f"u{number:03}@example.com" for number in range(start, start + 50)]
        chime.invite_users(AccountId=account_id, UserEmailList=addresses)
    found = pages(chime.list_users, "Users", AccountId=account_id)
    assert [len(page) for page in found] == [100, 50]
    assert len({user["UserId"] for page in found for user in page}) == 150


def test_users_with_and_without_email_page_together(chime):
    account_id = filled(chime, 2)
    for name in ("alpha", "zeta"):
        chime.create_user(AccountId=account_id, Username=name)
    found = pages(chime.list_users, "Users", AccountId=account_id, MaxResults=1)
    assert [page[0]["DisplayName"] for page in found] == ["alpha", "u0", "u1", "zeta"]


def test_a_list_continues_while_users_come_and_change(chime):
    account_id = filled(chime, 3)
    token = chime.list_users(AccountId=account_id, MaxResults=2)["NextToken"]
    new_user(chime, account_id, "a-first@example.com")
    new_user(chime, account_id, "z-last@example.com")
    rest = chime.list_users(AccountId=account_id, NextToken=token)["Users"]
    assert [user["DisplayName"] for user in rest] == ["u2", "z-last"]


@pytest.mark.parametrize("size", [0, -1, 201])
def test_a_page_has_one_to_two_hundred_results(world, size):
    chime = chime_of(world, config=Config(parameter_validation=False))
    code, message = refusal(chime, "ListUsers", AccountId=first_account(chime), MaxResults=size)
    assert (code, "maxResults" in message) == ("BadRequestException", True)
    assert refusal(chime, "ListAccounts", MaxResults=size)[0] == "BadRequestException"


def test_invented_tokens_are_refused(chime):
    account_id = first_account(chime)
    for token in ["", "1", "eyJhbGciOiJub25lIn0.e30.", "\u00e9", "%00", "x" * 5000]:
        assert refusal(chime, "ListAccounts", NextToken=token)[0] == "BadRequestException"
        code, message = refusal(chime, "ListUsers", AccountId=account_id, NextToken=token)
        assert (code, "NextToken" in message) == ("BadRequestException", True), token


def test_a_token_with_any_character_changed_is_refused(chime):
    account_id = filled(chime, 2)
    token = chime.list_users(AccountId=account_id, MaxResults=1)["NextToken"]
    for position in range(0, len(token), 17):
        changed = "A" if token[position] != "A" else "B"
        forged = token[:position] + changed + token[position + 1 :]
        assert refusal(chime, "ListUsers", AccountId=account_id, NextToken=forged)[0] == "BadRequestException"


def test_a_token_is_refused_with_other_filters_or_in_another_list(chime):
    account_id, other_id = filled(chime), filled(chime)
    token = chime.list_users(AccountId=account_id, UserType="PrivateUser", MaxResults=1)["NextToken"]
    for filters in (
        {"AccountId": account_id},
        {"AccountId": account_id, "UserType": "SharedDevice"},
        {"AccountId": account_id, "UserType": "PrivateUser", "UserEmail": "u1@example.com"},
        {"AccountId": other_id, "UserType": "PrivateUser"},
    ):
        assert refusal(chime, "ListUsers", NextToken=token, **filters)[0] == "BadRequestException"
    assert refusal(chime, "ListAccounts", NextToken=token)[0] == "BadRequestException"
    accounts = chime.list_accounts(MaxResults=1)["NextToken"]
    assert refusal(chime, "ListAccounts", NextToken=accounts, Name="T")[0] == "BadRequestException"
    assert refusal(chime, "ListUsers", AccountId=account_id, NextToken=accounts)[0] == "BadRequestException"
    again = chime.list_users(AccountId=account_id, UserType="PrivateUser", NextToken=token, MaxResults=200)
    assert len(again["Users"]) == 4


def test_a_token_is_refused_in_another_aws_account(make_world):
    world = make_world(TWO_OWNERS)
    one, two = chime_of(world, user="one"), chime_of(world, user="two")
    for owner in (one, two):
        new_account(owner, "a")
        new_account(owner, "b")
    token = one.list_accounts(MaxResults=1)["NextToken"]
    assert refusal(two, "ListAccounts", NextToken=token)[0] == "BadRequestException"
    assert len(one.list_accounts(NextToken=token)["Accounts"]) == 1


def test_another_aws_account_sees_nothing_and_changes_nothing(make_world):
    world = make_world(TWO_OWNERS)
    one, two = chime_of(world, user="one"), chime_of(world, user="two")
    account_id = new_account(one)
    user_id = new_user(one, account_id, "ana@example.com")
    before = one.list_users(AccountId=account_id)["Users"], one.get_account(AccountId=account_id)["Account"]
    assert two.list_accounts()["Accounts"] == []
    assert two.list_accounts(UserEmail="ana@example.com")["Accounts"] == []
    whole, single = {"AccountId": account_id}, {"AccountId": account_id, "UserId": user_id}
    telephony = {"InboundCalling": True, "OutboundCalling": True, "SMS": True}
    for operation, parameters in (
        ("GetAccount", whole),
        ("UpdateAccount", {**whole, "Name": "taken"}),
        ("DeleteAccount", whole),
        ("GetAccountSettings", whole),
        ("UpdateAccountSettings", {**whole, "AccountSettings": {"EnableDialOut": True}}),
        ("ListUsers", whole),
        ("InviteUsers", {**whole, "UserEmailList": ["x@example.com"]}),
        ("CreateUser", {**whole, "Email": "x@example.com"}),
        ("GetUser", single),
        ("UpdateUser", {**single, "LicenseType": "Basic"}),
        ("LogoutUser", single),
        ("ResetPersonalPIN", single),
        ("GetUserSettings", single),
        ("UpdateUserSettings", {**single, "UserSettings": {"Telephony": telephony}}),
        ("BatchSuspendUser", {**whole, "UserIdList": [user_id]}),
        ("BatchUnsuspendUser", {**whole, "UserIdList": [user_id]}),
        ("BatchUpdateUser", {**whole, "UpdateUserRequestItems": [{"UserId": user_id, "LicenseType": "Basic"}]}),
    ):
        refused = refusal(two, operation, **parameters)
        assert refused == ("NotFoundException", f"Account {account_id} was not found."), operation
    assert (one.list_users(AccountId=account_id)["Users"], one.get_account(AccountId=account_id)["Account"]) == before
