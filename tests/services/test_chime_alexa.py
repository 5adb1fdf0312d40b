"""Alexa for Business on shared devices: it makes Chime's service-linked role, and needs the permission to do so."""

import pytest
from chime_calls import chime_of, first_account, new_account, new_user, refusal, user_of
from msgspec.structs import replace

from rolecall.data import service_linked_roles
from rolecall.storage import chime_users
from rolecall.storage.roles import RoleRecord, add_role, role_by_name
from rolecall.storage.service_linked_roles import RoleUsage, resources_using

ROLE = "AWSServiceRoleForAmazonChime"
ON = {"IsAlexaForBusinessEnabled": True}
OFF = {"IsAlexaForBusinessEnabled": False}
ORDINARY_ROLE = RoleRecord(
    role_id="AROAORDINARYROLE00001",
    account_id="",
    name=ROLE,
    path="/",
    description="",
    trust_policy='{"Version": "2012-10-17", "Statement": []}',
    trust_principal_ids={},
    max_session_duration_seconds=3600,
    permissions_boundary_arn=None,
    linked_service=None,
    created_at_seconds=0,
)


@pytest.fixture
def chime(world):
    return chime_of(world)


@pytest.fixture
def account_id(chime):
    return new_account(chime)


@pytest.fixture
def device(chime, account_id):
    return new_user(chime, account_id, "room@example.com", UserType="SharedDevice")


def role_of(world):
    with world.database.snapshot() as connection:
        return role_by_name(connection, world.first_account, ROLE)


def using(world):
    with world.database.snapshot() as connection:
        return resources_using(connection, world.first_account, chime_users.ALEXA_SERVICE)


def test_the_service_is_one_of_the_table():
    assert service_linked_roles()[chime_users.ALEXA_SERVICE].role_name == ROLE


def test_turning_it_on_for_a_shared_device_makes_the_role_once(world, chime, account_id, device):
    assert role_of(world) is None
    updated = chime.update_user(AccountId=account_id, UserId=device, AlexaForBusinessMetadata=ON)["User"]
    assert updated["AlexaForBusinessMetadata"] == ON
    made = role_of(world)
    assert made.linked_service == "chime.amazonaws.com"
    second = new_user(chime, account_id, "second@example.com", UserType="SharedDevice")
    items = [{"UserId": second, "AlexaForBusinessMetadata": ON}]
    assert chime.batch_update_user(AccountId=account_id, UpdateUserRequestItems=items)["UserErrors"] == []
    assert role_of(world) == made
    assert using(world) == [RoleUsage("us-east-1", tuple(sorted((device, second))))]


def test_the_role_is_in_use_until_it_is_off_on_every_device(world, chime, account_id, device):
    chime.update_user(AccountId=account_id, UserId=device, AlexaForBusinessMetadata=ON)
    assert using(world) == [RoleUsage("us-east-1", (device,))]
    chime.update_user(AccountId=account_id, UserId=device, AlexaForBusinessMetadata=OFF)
    assert using(world) == []


def test_private_users_need_no_role_until_they_become_devices(world, chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    chime.update_user(AccountId=account_id, UserId=user_id, AlexaForBusinessMetadata=ON)
    assert role_of(world) is None
    chime.update_user(AccountId=account_id, UserId=user_id, UserType="SharedDevice")
    assert role_of(world) is not None


def test_a_caller_who_may_not_make_the_role_may_not_turn_it_on(world, chime):
    manager = chime_of(world, credentials=world.assume("chime-manager"))
    account_id = first_account(manager)
    device = new_user(manager, account_id, "room@example.com", UserType="SharedDevice")
    items = [{"UserId": device, "AlexaForBusinessMetadata": ON}]
    for operation, parameters in (
        ("UpdateUser", {"UserId": device, "AlexaForBusinessMetadata": ON}),
        ("BatchUpdateUser", {"UpdateUserRequestItems": items}),
    ):
        code, message = refusal(manager, operation, AccountId=account_id, **parameters)
        assert (code, "iam:CreateServiceLinkedRole" in message) == ("ForbiddenException", True)
    assert role_of(world) is None
    assert user_of(manager, account_id, device)["AlexaForBusinessMetadata"] == OFF
    changed = manager.update_user(AccountId=account_id, UserId=device, LicenseType="Basic")["User"]
    assert changed["LicenseType"] == "Basic"
    chime.update_user(AccountId=account_id, UserId=device, AlexaForBusinessMetadata=ON)
    chime.update_user(AccountId=account_id, UserId=device, AlexaForBusinessMetadata=OFF)
    assert manager.update_user(AccountId=account_id, UserId=device, AlexaForBusinessMetadata=ON)["User"]["UserId"]


def test_an_ordinary_role_of_that_name_stands_in_the_way(world, chime, account_id, device):
    with world.database.transaction() as connection:
        add_role(connection, replace(ORDINARY_ROLE, account_id=world.first_account))
    parameters = {"AccountId": account_id, "UserId": device, "AlexaForBusinessMetadata": ON}
    code, message = refusal(chime, "UpdateUser", **parameters)
    assert (code, ROLE in message) == ("BadRequestException", True)
    items = [{"UserId": device, "AlexaForBusinessMetadata": ON}, {"UserId": device, "LicenseType": "Basic"}]
    errors = chime.batch_update_user(AccountId=account_id, UpdateUserRequestItems=items)["UserErrors"]
    assert [error["ErrorCode"] for error in errors] == ["BadRequest"]
    user = user_of(chime, account_id, device)
    assert (user["LicenseType"], user["AlexaForBusinessMetadata"]) == ("Basic", OFF)


def test_readers_read_and_change_nothing(world, chime):
    account_id = first_account(chime)
    reader = chime_of(world, credentials=world.assume("chime-reader"))
    before = reader.list_users(AccountId=account_id)["Users"]
    user_id = before[0]["UserId"]
    assert user_of(reader, account_id, user_id) == before[0]
    assert refusal(reader, "CreateUser", AccountId=account_id, Email="x@example.com")[0] == "ForbiddenException"
    assert refusal(reader, "ResetPersonalPIN", AccountId=account_id, UserId=user_id)[0] == "ForbiddenException"
    assert reader.list_users(AccountId=account_id)["Users"] == before
