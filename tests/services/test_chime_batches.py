"""BatchSuspendUser, BatchUnsuspendUser, BatchUpdateUser: they change what they can, and report errors user by user."""

import pytest
from botocore import xform_name
from chime_calls import NOBODY, chime_of, new_account, new_user, refusal, turn_into, user_of


@pytest.fixture
def chime(world):
    return chime_of(world)


@pytest.fixture
def account_id(chime):
    return new_account(chime)


@pytest.fixture
def users(chime, account_id):
    return [new_user(chime, account_id, f"u{number}@example.com") for number in range(3)]


def statuses(chime, account_id):
    return [user["UserRegistrationStatus"] for user in chime.list_users(AccountId=account_id)["Users"]]


def unknown(user_id):
    return {"UserId": user_id, "ErrorCode": "NotFound", "ErrorMessage": f"User {user_id} was not found."}


def test_team_users_are_suspended_and_become_free_users(chime, account_id, users):
    assert chime.batch_suspend_user(AccountId=account_id, UserIdList=users[:2])["UserErrors"] == []
    assert statuses(chime, account_id) == ["Suspended", "Suspended", "Registered"]
    assert [user_of(chime, account_id, user)["LicenseType"] for user in users] == ["Basic", "Basic", "Pro"]


def test_suspending_twice_changes_nothing_more(chime, account_id, users):
    chime.batch_suspend_user(AccountId=account_id, UserIdList=users[:1])
    suspended = user_of(chime, account_id, users[0])
    assert chime.batch_suspend_user(AccountId=account_id, UserIdList=users[:1])["UserErrors"] == []
    assert user_of(chime, account_id, users[0]) == suspended


@pytest.mark.parametrize("operation", ["batch_suspend_user", "batch_unsuspend_user"])
def test_unknown_users_are_named_and_the_others_done(world, chime, account_id, users, operation):
    elsewhere = new_user(chime, new_account(chime), "elsewhere@example.com")
    turn_into(world, account_id, "EnterpriseLWA")
    if operation == "batch_unsuspend_user":
        chime.batch_suspend_user(AccountId=account_id, UserIdList=users)
    before = statuses(chime, account_id)[0]
    wanted = [NOBODY, users[0], elsewhere, NOBODY, users[1]]
    errors = getattr(chime, operation)(AccountId=account_id, UserIdList=wanted)["UserErrors"]
    assert errors == [unknown(NOBODY), unknown(elsewhere)]
    done = statuses(chime, account_id)
    assert done[0] == done[1] != done[2] == before


def test_only_enterprise_users_are_unsuspended(world, chime, account_id, users):
    chime.batch_suspend_user(AccountId=account_id, UserIdList=users)
    refused = refusal(chime, "BatchUnsuspendUser", AccountId=account_id, UserIdList=users)
    assert (refused[0], "EnterpriseLWA" in refused[1]) == ("BadRequestException", True)
    assert statuses(chime, account_id) == ["Suspended"] * 3
    turn_into(world, account_id, "EnterpriseLWA")
    chime.batch_unsuspend_user(AccountId=account_id, UserIdList=users[:2])
    assert statuses(chime, account_id) == ["Registered", "Registered", "Suspended"]


def test_unsuspending_ignores_users_that_are_not_suspended(world, chime, account_id):
    chime.invite_users(AccountId=account_id, UserEmailList=["al@example.com"])
    (user,) = chime.list_users(AccountId=account_id)["Users"]
    turn_into(world, account_id, "EnterpriseLWA")
    assert chime.batch_unsuspend_user(AccountId=account_id, UserIdList=[user["UserId"]])["UserErrors"] == []
    assert user_of(chime, account_id, user["UserId"]) == user


def test_enterprise_users_keep_their_license_when_suspended(world, chime, account_id, users):
    turn_into(world, account_id, "EnterpriseLWA")
    chime.batch_suspend_user(AccountId=account_id, UserIdList=users[:1])
    assert user_of(chime, account_id, users[0])["LicenseType"] == "Pro"


@pytest.mark.parametrize("account_type", ["EnterpriseDirectory", "EnterpriseOIDC"])
def test_users_of_directories_are_not_suspended_here(world, chime, account_id, users, account_type):
    turn_into(world, account_id, account_type)
    assert refusal(chime, "BatchSuspendUser", AccountId=account_id, UserIdList=users)[0] == "BadRequestException"
    assert statuses(chime, account_id) == ["Registered"] * 3


@pytest.mark.parametrize(
    ("operation", "member", "limit"),
    [
        ("BatchSuspendUser", "UserIdList", 50),
        ("BatchUnsuspendUser", "UserIdList", 50),
        ("BatchUpdateUser", "UpdateUserRequestItems", 20),
    ],
)
def test_batches_have_limits_and_an_account(world, chime, account_id, operation, member, limit):
    turn_into(world, account_id, "EnterpriseLWA")

    def items(count):
        ids = [f"{number:036}" for number in range(count)]
        return {member: ids if member == "UserIdList" else [{"UserId": user_id} for user_id in ids]}

    for count in (0, limit + 1):
        code, message = refusal(chime, operation, AccountId=account_id, **items(count))
        assert (code, member[1:] in message) == ("BadRequestException", True)
    assert refusal(chime, operation, AccountId=NOBODY, **items(1))[0] == "NotFoundException"
    answer = getattr(chime, xform_name(operation))(AccountId=account_id, **items(limit))
    assert len(answer["UserErrors"]) == limit


def test_batch_update_applies_what_it_can_in_the_order_of_the_request(chime, account_id, users):
    items = [
        {"UserId": users[0], "LicenseType": "Basic"},
        {"UserId": NOBODY, "LicenseType": "Basic"},
        {"UserId": users[1], "LicenseType": "Plus", "UserType": "SharedDevice"},
        {"UserId": users[2], "LicenseType": "Basic"},
        {"UserId": users[2], "UserType": "SharedDevice"},
    ]
    errors = chime.batch_update_user(AccountId=account_id, UpdateUserRequestItems=items)["UserErrors"]
    license_error = "LicenseType must be a supported license of the account: Basic, Pro."
    assert errors == [
        unknown(NOBODY),
        {"UserId": users[1], "ErrorCode": "BadRequest", "ErrorMessage": license_error},
    ]
    found = [user_of(chime, account_id, user) for user in users]
    assert [(user["LicenseType"], user["UserType"]) for user in found] == [
        ("Basic", "PrivateUser"),
        ("Pro", "PrivateUser"),
        ("Basic", "SharedDevice"),
    ]
