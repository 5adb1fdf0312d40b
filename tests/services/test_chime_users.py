"""Users of a Chime account, one at a time, their telephony settings, and invitations."""

from datetime import UTC, datetime

import pytest
from chime_calls import NOBODY, chime_of, emails, first_account, new_account, new_user, refusal, turn_into, user_of
from sqlalchemy import select

from rolecall.storage.tables import chime_users

ROOM_ARN = "arn:aws:a4b:us-east-1:111122223333:room/7315ffdf0eeb874dc4ab8a546e8b70ed"
MALFORMED_EMAILS = [
    "no-at.example.com",
    "no-dot@example",
    "two@at@example.com",
    "blank in@example.com",
    "tab\t@example.com",
    "new\nline@example.com",
    "@a.example.com",
    "dots@example..com",
    "end@example.",
    "x" * 309 + "@example.com",
]

ON_ONE_USER = [
    ("GetUser", {}),
    ("UpdateUser", {"LicenseType": "Basic"}),
    ("UpdateUser", {"UserType": "SharedDevice", "AlexaForBusinessMetadata": {"IsAlexaForBusinessEnabled": True}}),
    ("LogoutUser", {}),
    ("ResetPersonalPIN", {}),
    ("GetUserSettings", {}),
    (
        "UpdateUserSettings",
        {"UserSettings": {"Telephony": {"InboundCalling": True, "OutboundCalling": True, "SMS": True}}},
    ),
]


@pytest.fixture
def chime(world):
    return chime_of(world)


@pytest.fixture
def account_id(chime):
    return new_account(chime)


def now(world):
    return datetime.fromtimestamp(int(world.clock.now_seconds()), UTC)


def test_a_created_user_is_registered(world, chime, account_id):
    world.clock.freeze()
    user = chime.create_user(AccountId=account_id, Email="Rosa.Diaz@example.com")["User"]
    assert user == {
        "UserId": user["UserId"],
        "AccountId": account_id,
        "PrimaryEmail": "Rosa.Diaz@example.com",
        "DisplayName": "Rosa.Diaz",
        "LicenseType": "Pro",
        "UserType": "PrivateUser",
        "UserRegistrationStatus": "Registered",
        "RegisteredOn": now(world),
        "AlexaForBusinessMetadata": {"IsAlexaForBusinessEnabled": False},
        "PersonalPIN": user["PersonalPIN"],
    }
    assert len(user["PersonalPIN"]) == 10
    assert user["PersonalPIN"].isdecimal()
    assert user_of(chime, account_id, user["UserId"]) == user


def test_create_user_answers_201(chime, account_id):
    answer = chime.create_user(AccountId=account_id, Email="a@example.com")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201


def test_a_shared_device_has_no_pin(chime, account_id):
    user = chime.create_user(AccountId=account_id, Email="room@example.com", UserType="SharedDevice")["User"]
    assert user["UserType"] == "SharedDevice"
    assert "PersonalPIN" not in user


def test_a_user_may_have_a_name_and_no_email(chime, account_id):
    user = chime.create_user(AccountId=account_id, Username="lobby")["User"]
    assert user["DisplayName"] == "lobby"
    assert "PrimaryEmail" not in user
    assert refusal(chime, "CreateUser", AccountId=account_id, Username="lobby")[0] == "ConflictException"


def test_a_user_without_name_and_email_is_refused(chime, account_id):
    assert refusal(chime, "CreateUser", AccountId=account_id) == (
        "BadRequestException",
        "Email or Username must be given.",
    )


def test_an_email_address_is_unique_in_its_account_without_regard_to_case(chime, account_id):
    new_user(chime, account_id, "li@example.com")
    refused = refusal(chime, "CreateUser", AccountId=account_id, Email="LI@Example.COM")
    assert refused == ("ConflictException", f"Account {account_id} already has a user with this Email.")
    new_user(chime, new_account(chime), "li@example.com")
    assert emails(chime, account_id) == ["li@example.com"]


def test_malformed_email_addresses_are_refused_and_not_repeated(chime, account_id):
    for email in MALFORMED_EMAILS:
        code, message = refusal(chime, "CreateUser", AccountId=account_id, Email=email)
        assert (code, "mail" in message, email in message) == ("BadRequestException", True, False)
        code, message = refusal(chime, "InviteUsers", AccountId=account_id, UserEmailList=[email])
        assert (code, "serEmailList" in message, email in message) == ("BadRequestException", True, False)
    assert emails(chime, account_id) == []


@pytest.mark.parametrize("username", ["", "  ", "x" * 321, "bell\a"])
def test_a_malformed_user_name_is_refused(chime, account_id, username):
    code, message = refusal(chime, "CreateUser", AccountId=account_id, Username=username)
    assert (code, "Username" in message) == ("BadRequestException", True)


def test_users_are_listed_by_email_address(chime, account_id):
    for email in ("bo@example.com", "Al@example.com", "cy@example.com"):
        new_user(chime, account_id, email)
    assert emails(chime, account_id) == ["Al@example.com", "bo@example.com", "cy@example.com"]


def test_users_are_filtered_by_email_address_and_type(chime, account_id):
    private = new_user(chime, account_id, "ana@example.com")
    device = new_user(chime, account_id, "room@example.com", UserType="SharedDevice")

    def found(**filters):
        return [user["UserId"] for user in chime.list_users(AccountId=account_id, **filters)["Users"]]

    assert found() == [private, device]
    assert found(UserEmail="ANA@example.com") == [private]
    assert found(UserType="SharedDevice") == [device]
    assert found(UserEmail="ana@example.com", UserType="SharedDevice") == []
    assert found(UserEmail="a@example.com") == []


def test_unknown_users_and_accounts_are_not_found(chime, account_id):
    elsewhere = new_user(chime, new_account(chime), "elsewhere@example.com")
    for operation, parameters in ON_ONE_USER:
        for user_id in (NOBODY, elsewhere):
            refused = refusal(chime, operation, AccountId=account_id, UserId=user_id, **parameters)
            assert refused == ("NotFoundException", f"User {user_id} was not found.")
        refused = refusal(chime, operation, AccountId=NOBODY, UserId=elsewhere, **parameters)
        assert refused == ("NotFoundException", f"Account {NOBODY} was not found.")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("ListUsers", {}),
        ("CreateUser", {"Email": "a@example.com"}),
        ("InviteUsers", {"UserEmailList": ["a@example.com"]}),
    ],
)
def test_users_of_unknown_accounts_are_not_found(chime, operation, parameters):
    assert refusal(chime, operation, AccountId=NOBODY, **parameters)[0] == "NotFoundException"


def test_update_user_changes_what_it_is_given(chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    before = user_of(chime, account_id, user_id)
    updated = chime.update_user(AccountId=account_id, UserId=user_id, LicenseType="Basic")["User"]
    assert updated == {**before, "LicenseType": "Basic"}
    metadata = {"IsAlexaForBusinessEnabled": False, "AlexaForBusinessRoomArn": ROOM_ARN}
    updated = chime.update_user(AccountId=account_id, UserId=user_id, AlexaForBusinessMetadata=metadata)["User"]
    assert updated == {**before, "LicenseType": "Basic", "AlexaForBusinessMetadata": metadata}
    assert chime.update_user(AccountId=account_id, UserId=user_id)["User"] == updated
    assert user_of(chime, account_id, user_id) == updated


@pytest.mark.parametrize("license_type", ["Plus", "ProTrial"])
def test_a_license_the_account_does_not_support_is_refused(chime, account_id, license_type):
    user_id = new_user(chime, account_id, "ana@example.com")
    code, message = refusal(chime, "UpdateUser", AccountId=account_id, UserId=user_id, LicenseType=license_type)
    assert (code, "LicenseType" in message) == ("BadRequestException", True)
    assert user_of(chime, account_id, user_id)["LicenseType"] == "Pro"


@pytest.mark.parametrize("arn", ["", "room", ROOM_ARN + "x" * 2048])
def test_a_malformed_room_arn_is_refused(chime, account_id, arn):
    user_id = new_user(chime, account_id, "room@example.com", UserType="SharedDevice")
    metadata = {"IsAlexaForBusinessEnabled": True, "AlexaForBusinessRoomArn": arn}
    code, message = refusal(
        chime, "UpdateUser", AccountId=account_id, UserId=user_id, AlexaForBusinessMetadata=metadata
    )
    assert (code, "AlexaForBusinessRoomArn" in message) == ("BadRequestException", True)


def test_logging_out_records_the_time(world, chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    before = user_of(chime, account_id, user_id)
    world.clock.freeze()
    answer = chime.logout_user(AccountId=account_id, UserId=user_id)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    with world.database.snapshot() as connection:
        times = dict(connection.execute(select(chime_users.c.user_id, chime_users.c.logged_out_at_seconds)).all())
    assert times.pop(user_id) == int(world.clock.now_seconds())
    assert set(times.values()) == {None}
    assert user_of(chime, account_id, user_id) == before


def test_a_reset_gives_another_pin(chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    before = user_of(chime, account_id, user_id)
    after = chime.reset_personal_pin(AccountId=account_id, UserId=user_id)["User"]
    assert after["PersonalPIN"] != before["PersonalPIN"]
    assert after == {**before, "PersonalPIN": after["PersonalPIN"]}
    assert after["PersonalPIN"].isdecimal()
    assert user_of(chime, account_id, user_id) == after


def test_telephony_settings_are_off_at_first_and_change_together(chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    other_id = new_user(chime, account_id, "other@example.com")

    def telephony(user_id):
        return chime.get_user_settings(AccountId=account_id, UserId=user_id)["UserSettings"]["Telephony"]

    off = {"InboundCalling": False, "OutboundCalling": False, "SMS": False}
    assert telephony(user_id) == off
    for wanted in ({**off, "InboundCalling": True}, {**off, "OutboundCalling": True}, {**off, "SMS": True}):
        chime.update_user_settings(AccountId=account_id, UserId=user_id, UserSettings={"Telephony": wanted})
        assert telephony(user_id) == wanted
    assert telephony(other_id) == off


def test_invited_users_wait_for_their_answer(world, chime, account_id):
    world.clock.freeze()
    answer = chime.invite_users(AccountId=account_id, UserEmailList=["Al@example.com", "bo@example.com"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    invites = answer["Invites"]
    assert len({invite.pop("InviteId") for invite in invites}) == 2
    assert invites == [
        {"Status": "Pending", "EmailAddress": email, "EmailStatus": "Sent"}
        for email in ("Al@example.com", "bo@example.com")
    ]
    first, second = chime.list_users(AccountId=account_id)["Users"]
    assert second["PrimaryEmail"] == "bo@example.com"
    assert first == {
        "UserId": first["UserId"],
        "AccountId": account_id,
        "PrimaryEmail": "Al@example.com",
        "LicenseType": "Pro",
        "UserType": "PrivateUser",
        "UserRegistrationStatus": "Unregistered",
        "UserInvitationStatus": "Pending",
        "InvitedOn": now(world),
        "AlexaForBusinessMetadata": {"IsAlexaForBusinessEnabled": False},
    }


def test_a_pending_invitation_can_be_sent_again(world, chime, account_id):
    first = chime.invite_users(AccountId=account_id, UserEmailList=["al@example.com"])["Invites"][0]
    world.clock.advance(3600)
    again = chime.invite_users(AccountId=account_id, UserEmailList=["AL@example.com"], UserType="SharedDevice")
    assert again["Invites"][0]["Status"] == "Pending"
    assert again["Invites"][0]["InviteId"] != first["InviteId"]
    (user,) = chime.list_users(AccountId=account_id)["Users"]
    assert (now(world) - user["InvitedOn"]).total_seconds() < 60
    assert user["UserType"] == "SharedDevice"


def test_members_are_not_invited_again(chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    before = user_of(chime, account_id, user_id)
    invites = chime.invite_users(AccountId=account_id, UserEmailList=["ANA@example.com", "bo@example.com"])["Invites"]
    assert [(invite["Status"], invite["EmailStatus"]) for invite in invites] == [
        ("Failed", "NotSent"),
        ("Pending", "Sent"),
    ]
    assert user_of(chime, account_id, user_id) == before
    assert emails(chime, account_id) == ["ana@example.com", "bo@example.com"]


def test_an_invitation_lifts_the_suspension_of_a_team_user(chime, account_id):
    user_id = new_user(chime, account_id, "ana@example.com")
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[user_id])
    chime.invite_users(AccountId=account_id, UserEmailList=["ana@example.com"])
    user = user_of(chime, account_id, user_id)
    assert (user["UserRegistrationStatus"], user["UserInvitationStatus"]) == ("Registered", "Pending")
    assert user["LicenseType"] == "Pro"


def test_a_suspended_user_who_never_registered_waits_again_after_an_invitation(chime, account_id):
    chime.invite_users(AccountId=account_id, UserEmailList=["al@example.com"])
    (user,) = chime.list_users(AccountId=account_id)["Users"]
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[user["UserId"]])
    assert user_of(chime, account_id, user["UserId"])["UserRegistrationStatus"] == "Suspended"
    chime.invite_users(AccountId=account_id, UserEmailList=["al@example.com"])
    assert user_of(chime, account_id, user["UserId"])["UserRegistrationStatus"] == "Unregistered"


def test_no_user_is_invited_when_one_address_is_malformed(chime, account_id):
    refused = refusal(chime, "InviteUsers", AccountId=account_id, UserEmailList=["al@example.com", "b o@example.com"])
    assert (refused[0], "UserEmailList" in refused[1]) == ("BadRequestException", True)
    assert emails(chime, account_id) == []


@pytest.mark.parametrize("count", [0, 51])
def test_invitations_are_between_one_and_fifty(chime, account_id, count):
    addresses = [f"u{number}@example.com" for number in range(count)]
    code, message = refusal(chime, "InviteUsers", AccountId=account_id, UserEmailList=addresses)
    assert (code, "serEmailList" in message) == ("BadRequestException", True)


def test_only_team_accounts_invite(world, chime, account_id):
    turn_into(world, account_id, "EnterpriseLWA")
    refused = refusal(chime, "InviteUsers", AccountId=account_id, UserEmailList=["al@example.com"])
    assert refused == ("BadRequestException", "Only Team accounts support invitations.")


def test_the_declared_users_are_there(chime):
    assert emails(chime, first_account(chime)) == ["ana@example.com", "li@example.com", "sam@example.com"]
