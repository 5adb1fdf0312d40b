"""Amazon Chime accounts and their settings."""

from datetime import UTC, datetime

import pytest
from chime_calls import NOBODY, chime_of, first_account, new_account, new_user, refusal, turn_into


@pytest.fixture
def chime(world):
    return chime_of(world)


def names(chime, **filters):
    return [account["Name"] for account in chime.list_accounts(**filters)["Accounts"]]


def test_a_new_account_is_an_active_team_account_of_the_caller(world, chime):
    world.clock.freeze()
    account = chime.create_account(Name="Field office")["Account"]
    assert account == {
        "AwsAccountId": world.first_account,
        "AccountId": account["AccountId"],
        "Name": "Field office",
        "AccountType": "Team",
        "CreatedTimestamp": datetime.fromtimestamp(int(world.clock.now_seconds()), UTC),
        "DefaultLicense": "Pro",
        "SupportedLicenses": ["Basic", "Pro"],
        "AccountStatus": "Active",
    }
    assert chime.get_account(AccountId=account["AccountId"])["Account"] == account
    assert account in chime.list_accounts()["Accounts"]


def test_create_account_answers_201(chime):
    assert chime.create_account(Name="x")["ResponseMetadata"]["HTTPStatusCode"] == 201


def test_two_accounts_may_share_a_name(chime):
    assert new_account(chime, "Twin") != new_account(chime, "Twin")
    assert names(chime, Name="Twin") == ["Twin", "Twin"]


@pytest.mark.parametrize("name", ["   ", "x" * 101])
def test_a_name_that_the_model_forbids_is_refused(chime, name):
    code, message = refusal(chime, "CreateAccount", Name=name)
    assert (code, "name" in message) == ("BadRequestException", True)


def test_accounts_are_listed_oldest_first(world, chime):
    for name in ("b", "a", "c"):
        world.clock.advance(2)
        new_account(chime, name)
    assert names(chime) == ["Sandbox", "b", "a", "c"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("Sales", ["Sales", "SalesXEU", "Sales_EU"]),
        ("Sales_", ["Sales_EU"]),
        ("%", []),
        ("sales", []),
        ("Sandbox", ["Sandbox"]),
    ],
)
def test_accounts_are_found_by_the_beginning_of_their_name(world, chime, prefix, expected):
    for name in ("Sales", "SalesXEU", "Sales_EU", "Not Sales"):
        world.clock.advance(2)
        new_account(chime, name)
    assert names(chime, Name=prefix) == expected


def test_accounts_are_found_by_the_email_address_of_a_user(chime):
    account_id = new_account(chime, "Other")
    new_user(chime, account_id, "Una@Example.com")
    assert names(chime, UserEmail="una@example.COM") == ["Other"]
    assert names(chime, UserEmail="ana@example.com") == ["Sandbox"]
    assert names(chime, UserEmail="ana@example.com", Name="Other") == []
    assert names(chime, UserEmail="nobody@example.com") == []


def test_a_malformed_email_filter_is_refused(chime):
    assert refusal(chime, "ListAccounts", UserEmail="a b@example.com")[0] == "BadRequestException"


@pytest.mark.parametrize("operation", ["GetAccount", "UpdateAccount", "DeleteAccount", "GetAccountSettings"])
def test_an_unknown_account_is_not_found(chime, operation):
    assert refusal(chime, operation, AccountId=NOBODY) == ("NotFoundException", f"Account {NOBODY} was not found.")


def test_settings_of_an_unknown_account_are_not_found(chime):
    settings = {"EnableDialOut": True}
    assert refusal(chime, "UpdateAccountSettings", AccountId=NOBODY, AccountSettings=settings)[0] == "NotFoundException"


def test_update_account_changes_what_it_is_given(chime):
    account_id = new_account(chime, "Before")
    renamed = chime.update_account(AccountId=account_id, Name="After")["Account"]
    assert (renamed["Name"], renamed["DefaultLicense"]) == ("After", "Pro")
    licensed = chime.update_account(AccountId=account_id, DefaultLicense="Basic")["Account"]
    assert (licensed["Name"], licensed["DefaultLicense"]) == ("After", "Basic")
    assert chime.update_account(AccountId=account_id)["Account"] == licensed
    assert chime.get_account(AccountId=account_id)["Account"] == licensed


def test_the_default_license_is_for_users_added_from_now_on(chime):
    account_id = new_account(chime)
    before = new_user(chime, account_id, "before@example.com")
    chime.update_account(AccountId=account_id, DefaultLicense="Basic")
    after = new_user(chime, account_id, "after@example.com")
    licenses = {user["UserId"]: user["LicenseType"] for user in chime.list_users(AccountId=account_id)["Users"]}
    assert licenses == {before: "Pro", after: "Basic"}


@pytest.mark.parametrize("license_type", ["Plus", "ProTrial"])
def test_a_license_the_account_does_not_support_cannot_be_the_default(chime, license_type):
    account_id = new_account(chime, "Kept")
    refused = refusal(chime, "UpdateAccount", AccountId=account_id, Name="Lost", DefaultLicense=license_type)
    assert refused == (
        "BadRequestException",
        "DefaultLicense must be a supported license of the account: Basic, Pro.",
    )
    assert chime.get_account(AccountId=account_id)["Account"]["Name"] == "Kept"


def test_an_account_without_users_is_deleted(chime):
    account_id = new_account(chime)
    chime.delete_account(AccountId=account_id)
    assert refusal(chime, "GetAccount", AccountId=account_id)[0] == "NotFoundException"
    assert refusal(chime, "DeleteAccount", AccountId=account_id)[0] == "NotFoundException"
    assert names(chime) == ["Sandbox"]


def test_an_account_is_deleted_once_all_its_users_are_suspended(chime):
    account_id = new_account(chime)
    users = [new_user(chime, account_id, f"u{number}@example.com") for number in range(2)]
    chime.batch_suspend_user(AccountId=account_id, UserIdList=users[:1])
    code, message = refusal(chime, "DeleteAccount", AccountId=account_id)
    assert (code, "suspended" in message) == ("UnprocessableEntityException", True)
    assert len(chime.list_users(AccountId=account_id)["Users"]) == 2
    chime.batch_suspend_user(AccountId=account_id, UserIdList=users[1:])
    chime.delete_account(AccountId=account_id)
    assert refusal(chime, "GetUser", AccountId=account_id, UserId=users[0])[0] == "NotFoundException"


def test_an_invited_user_keeps_an_account_from_being_deleted(chime):
    account_id = new_account(chime)
    chime.invite_users(AccountId=account_id, UserEmailList=["guest@example.com"])
    assert refusal(chime, "DeleteAccount", AccountId=account_id)[0] == "UnprocessableEntityException"


def test_an_enterprise_account_is_not_deleted_while_it_has_claimed_domains(world, chime):
    account_id = new_account(chime)
    turn_into(world, account_id, "EnterpriseLWA")
    code, message = refusal(chime, "DeleteAccount", AccountId=account_id)
    assert (code, "domains" in message) == ("UnprocessableEntityException", True)


def test_account_settings_are_off_at_first_and_change_one_by_one(chime):
    account_id = new_account(chime)

    def settings():
        return chime.get_account_settings(AccountId=account_id)["AccountSettings"]

    assert settings() == {"DisableRemoteControl": False, "EnableDialOut": False}
    chime.update_account_settings(AccountId=account_id, AccountSettings={"EnableDialOut": True})
    assert settings() == {"DisableRemoteControl": False, "EnableDialOut": True}
    chime.update_account_settings(AccountId=account_id, AccountSettings={"DisableRemoteControl": True})
    assert settings() == {"DisableRemoteControl": True, "EnableDialOut": True}
    chime.update_account_settings(AccountId=account_id, AccountSettings={})
    assert settings() == {"DisableRemoteControl": True, "EnableDialOut": True}
    chime.update_account_settings(AccountId=account_id, AccountSettings={"EnableDialOut": False})
    assert settings() == {"DisableRemoteControl": True, "EnableDialOut": False}


def test_settings_of_one_account_are_not_those_of_another(chime):
    other = first_account(chime)
    chime.update_account_settings(AccountId=new_account(chime), AccountSettings={"EnableDialOut": True})
    untouched = chime.get_account_settings(AccountId=other)["AccountSettings"]
    assert untouched == {"DisableRemoteControl": False, "EnableDialOut": False}
