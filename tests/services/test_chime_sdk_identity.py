"""App instances, users, bots and administrators beyond what every kind has."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError

from rolecall.ids import Identifiers
from rolecall.worlds.snapshots import load_database, save_database

ACCOUNT = "111122223333"
DAY = 86_400
PINPOINT = f"arn:aws:mobiletargeting:us-east-1:{ACCOUNT}:apps/a1"
PHONE = {"Type": "GCM", "ResourceArn": PINPOINT, "EndpointAttributes": {"DeviceToken": "device-token"}}
ALIAS = f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/ABCDEFGHIJ/KLMNOPQRST"
INVOKED = {"StandardMessages": "MENTIONS", "TargetedMessages": "ALL"}


def _user(name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}],
        "inline_policies": {"own": {"Version": "2012-10-17", "Statement": list(statements)}},
    }


def _allow(action: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    _user("admin", _allow("*")),
                    _user("chime", _allow("chime:*")),
                    _user("pinpoint", _allow("chime:*"), _allow("mobiletargeting:GetApp", PINPOINT)),
                    _user("on_types", _allow("chime:*", f"arn:aws:chime:us-east-1:{ACCOUNT}:app-instance/*")),
                ],
            }
        ],
    }
)


class Identity:
    """Calls by the names of operations, and an app instance with one user."""

    def __init__(self, world: Any) -> None:
        self.world, self.clock = world, world.clock
        world.clock.freeze()
        self.admin = self.client("admin")

    def client(self, user: str) -> Any:
        return self.world.client("chime-sdk-identity", user)

    def call(self, operation: str, client: Any = None, **parameters: Any) -> dict[str, Any]:
        answer = getattr(client or self.admin, xform_name(operation))(**parameters)
        del answer["ResponseMetadata"]
        return dict(answer)

    def refused(self, operation: str, client: Any = None, **parameters: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.call(operation, client, **parameters)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    def instance(self, **more: Any) -> str:
        return str(self.call("CreateAppInstance", Name="chat", **more)["AppInstanceArn"])

    def user(self, instance_arn: str, user_id: str = "ana", **more: Any) -> str:
        parameters = {"AppInstanceArn": instance_arn, "AppInstanceUserId": user_id, "Name": user_id, **more}
        return str(self.call("CreateAppInstanceUser", **parameters)["AppInstanceUserArn"])

    def bot(self, instance_arn: str, **lex: Any) -> str:
        configuration = {"Lex": {"LexBotAliasArn": ALIAS, "LocaleId": "en_US", **(lex or {"InvokedBy": INVOKED})}}
        made = self.call("CreateAppInstanceBot", AppInstanceArn=instance_arn, Configuration=configuration)
        return str(made["AppInstanceBotArn"])

    def describe(self, arn: str) -> dict[str, Any]:
        return dict(self.call("DescribeAppInstanceUser", AppInstanceUserArn=arn)["AppInstanceUser"])

    def admins(self, instance_arn: str) -> list[dict[str, str]]:
        answer = self.call("ListAppInstanceAdmins", AppInstanceArn=instance_arn)
        assert answer["AppInstanceArn"] == instance_arn
        return [each["Admin"] for each in answer["AppInstanceAdmins"]]


@pytest.fixture
def identity(make_world: Any) -> Identity:
    return Identity(make_world(WORLD))


def test_callers_choose_the_ids_of_users(identity: Identity) -> None:
    instance = identity.instance()
    # Cognito's ids have colons, and words of paths are ids as well.
    for user_id in ("us-east-1:5f9e-a", "user", "endpoints", "a@b.c", "a" * 64):
        arn = identity.user(instance, user_id)
        assert arn == f"{instance}/user/{user_id}"
        assert identity.describe(arn)["Name"] == user_id
        identity.call("UpdateAppInstanceUser", AppInstanceUserArn=arn, Name="x", Metadata="m")
        identity.call("RegisterAppInstanceUserEndpoint", AppInstanceUserArn=arn, **PHONE)
        assert identity.call("ListAppInstanceUserEndpoints", AppInstanceUserArn=arn)["AppInstanceUserEndpoints"]
        assert identity.call("DescribeAppInstanceUser", AppInstanceUserArn=arn)["AppInstanceUser"]["Metadata"] == "m"
    for user_id in ("a/b", "-a", "a" * 65, ""):
        with pytest.raises((ClientError, ParamValidationError), match=r"[Uu]serId"):
            identity.user(instance, user_id)
    code, message = identity.refused(
        "CreateAppInstanceUser", AppInstanceArn=instance, AppInstanceUserId="user", Name="again"
    )
    assert (code, "exists already" in message) == ("ConflictException", True)
    # The same id in another app instance is another user.
    assert identity.user(identity.instance(), "user") != f"{instance}/user/user"


def test_a_user_expires_by_the_clock_of_the_sandbox(identity: Identity) -> None:
    """API reference, ExpirationSettings: the days count from the creation."""
    instance = identity.instance()
    days = {"ExpirationDays": 2, "ExpirationCriterion": "CREATED_TIMESTAMP"}
    arn = identity.user(instance, ExpirationSettings=days)
    assert identity.describe(arn)["ExpirationSettings"] == days
    identity.call("CreateAppInstanceAdmin", AppInstanceArn=instance, AppInstanceAdminArn=arn)
    identity.clock.advance(2 * DAY - 1)
    assert identity.admins(instance) == [{"Arn": arn, "Name": "ana"}]
    longer = {**days, "ExpirationDays": 3}
    putting = identity.call("PutAppInstanceUserExpirationSettings", AppInstanceUserArn=arn, ExpirationSettings=longer)
    assert putting == {"AppInstanceUserArn": arn, "ExpirationSettings": longer}
    identity.clock.advance(DAY)
    identity.describe(arn)
    identity.clock.advance(1)
    assert identity.refused("DescribeAppInstanceUser", AppInstanceUserArn=arn)[0] == "NotFoundException"
    assert identity.call("ListAppInstanceUsers", AppInstanceArn=instance)["AppInstanceUsers"] == []
    assert identity.admins(instance) == []
    named = {"AppInstanceArn": instance, "AppInstanceAdminArn": arn}
    assert identity.refused("DescribeAppInstanceAdmin", **named)[0] == "NotFoundException"
    # The id is free again, and what the expired user had is gone.
    assert identity.user(instance) == arn
    assert identity.admins(instance) == []
    assert "ExpirationSettings" not in identity.describe(arn)
    identity.call("PutAppInstanceUserExpirationSettings", AppInstanceUserArn=arn, ExpirationSettings=days)
    assert identity.call("PutAppInstanceUserExpirationSettings", AppInstanceUserArn=arn) == {"AppInstanceUserArn": arn}
    identity.clock.advance(9 * DAY)
    assert "ExpirationSettings" not in identity.describe(arn)


def test_administrators_are_users_and_bots_of_the_app_instance(identity: Identity) -> None:
    instance, other = identity.instance(), identity.instance()
    ana, bot, stranger = identity.user(instance), identity.bot(instance), identity.user(other)
    made = identity.call("CreateAppInstanceAdmin", AppInstanceArn=instance, AppInstanceAdminArn=ana)
    assert made == {"AppInstanceAdmin": {"Arn": ana, "Name": "ana"}, "AppInstanceArn": instance}
    identity.clock.advance(1)
    identity.call("CreateAppInstanceAdmin", AppInstanceArn=instance, AppInstanceAdminArn=bot)
    identity.call("UpdateAppInstanceUser", AppInstanceUserArn=ana, Name="Ana", Metadata="")
    assert identity.admins(instance) == [{"Arn": ana, "Name": "Ana"}, {"Arn": bot}]
    assert identity.admins(other) == []
    page = identity.call("ListAppInstanceAdmins", AppInstanceArn=instance, MaxResults=1)
    rest = identity.call("ListAppInstanceAdmins", AppInstanceArn=instance, NextToken=page["NextToken"])
    assert [each["Admin"]["Arn"] for each in (*page["AppInstanceAdmins"], *rest["AppInstanceAdmins"])] == [ana, bot]
    token = {"AppInstanceArn": other, "NextToken": page["NextToken"]}
    assert identity.refused("ListAppInstanceAdmins", **token)[0] == "BadRequestException"
    described = identity.call("DescribeAppInstanceAdmin", AppInstanceArn=instance, AppInstanceAdminArn=ana)
    assert described["AppInstanceAdmin"]["Admin"] == {"Arn": ana, "Name": "Ana"}
    assert described["AppInstanceAdmin"]["AppInstanceArn"] == instance
    for arn, code in (
        (ana, "ConflictException"),
        (stranger, "BadRequestException"),
        (instance, "BadRequestException"),
        (f"{instance}/channel/c", "BadRequestException"),
        (f"{instance}/user/nobody", "NotFoundException"),
    ):
        named = {"AppInstanceArn": instance, "AppInstanceAdminArn": arn}
        assert identity.refused("CreateAppInstanceAdmin", **named)[0] == code
    for operation in ("DescribeAppInstanceAdmin", "DeleteAppInstanceAdmin"):
        named = {"AppInstanceArn": other, "AppInstanceAdminArn": ana}
        assert identity.refused(operation, **named)[0] == "NotFoundException"
    identity.call("DeleteAppInstanceBot", AppInstanceBotArn=bot)
    assert identity.admins(instance) == [{"Arn": ana, "Name": "Ana"}]
    named = {"AppInstanceArn": instance, "AppInstanceAdminArn": ana}
    assert identity.call("DeleteAppInstanceAdmin", **named) == {}
    assert identity.admins(instance) == []
    assert identity.refused("DeleteAppInstanceAdmin", **named)[0] == "NotFoundException"
    identity.describe(ana)


def test_with_an_app_instance_everything_in_it_goes(identity: Identity) -> None:
    instance = identity.instance()
    ana, bot = identity.user(instance), identity.bot(instance)
    identity.call("CreateAppInstanceAdmin", AppInstanceArn=instance, AppInstanceAdminArn=ana)
    identity.call("RegisterAppInstanceUserEndpoint", AppInstanceUserArn=ana, **PHONE)
    identity.call("DeleteAppInstance", AppInstanceArn=instance)
    for operation, named in (
        ("DescribeAppInstanceUser", {"AppInstanceUserArn": ana}),
        ("DescribeAppInstanceBot", {"AppInstanceBotArn": bot}),
        ("ListAppInstanceUserEndpoints", {"AppInstanceUserArn": ana}),
        ("ListAppInstanceUsers", {"AppInstanceArn": instance}),
        ("ListAppInstanceAdmins", {"AppInstanceArn": instance}),
    ):
        assert identity.refused(operation, **named)[0] == "NotFoundException"
    with identity.world.database.snapshot() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM resources").scalar() == 0


def test_retention_of_messages(identity: Identity) -> None:
    instance = identity.instance()
    named = {"AppInstanceArn": instance}
    assert identity.call("GetAppInstanceRetentionSettings", **named) == {"AppInstanceRetentionSettings": {}}
    kept = {"ChannelRetentionSettings": {"RetentionDays": 5475}}
    put = identity.call("PutAppInstanceRetentionSettings", **named, AppInstanceRetentionSettings=kept)
    assert put["AppInstanceRetentionSettings"] == kept
    deletes_at = put["InitiateDeletionTimestamp"].timestamp()
    assert int(identity.clock.now_seconds()) + 30 * DAY == deletes_at
    assert identity.call("GetAppInstanceRetentionSettings", **named) == put
    off: dict[str, Any] = {"ChannelRetentionSettings": {}}
    put = identity.call("PutAppInstanceRetentionSettings", **named, AppInstanceRetentionSettings=off)
    assert put == {"AppInstanceRetentionSettings": off}
    for days in (0, 5476):
        wrong = {"ChannelRetentionSettings": {"RetentionDays": days}}
        with pytest.raises((ClientError, ParamValidationError), match=r"[Rr]etentionDays"):
            identity.call("PutAppInstanceRetentionSettings", **named, AppInstanceRetentionSettings=wrong)


def test_a_bot_has_one_way_of_being_invoked(identity: Identity) -> None:
    instance = identity.instance()
    old = identity.bot(instance, RespondsTo="STANDARD_MESSAGES")
    new = identity.bot(instance, InvokedBy=INVOKED, WelcomeIntent="Hello")
    assert old != new
    for lex in (
        {"WelcomeIntent": "Hello"},
        {"RespondsTo": "STANDARD_MESSAGES", "InvokedBy": INVOKED},
    ):
        with pytest.raises(ClientError, match="either RespondsTo or InvokedBy"):
            identity.bot(instance, **lex)
        configuration = {"Lex": {"LexBotAliasArn": ALIAS, "LocaleId": "en_US", **lex}}
        changing = {"AppInstanceBotArn": new, "Name": "n", "Metadata": "m", "Configuration": configuration}
        assert identity.refused("UpdateAppInstanceBot", **changing)[0] == "BadRequestException"
    configuration = {"Lex": {"LexBotAliasArn": ALIAS, "LocaleId": "de_DE", "InvokedBy": INVOKED}}
    changing = {"AppInstanceBotArn": old, "Name": "n", "Metadata": "m", "Configuration": configuration}
    identity.call("UpdateAppInstanceBot", **changing)
    found = identity.call("DescribeAppInstanceBot", AppInstanceBotArn=old)["AppInstanceBot"]
    assert (found["Configuration"], found["Name"], found["Metadata"]) == (configuration, "n", "m")


def test_registering_a_device_needs_the_pinpoint_application(identity: Identity) -> None:
    """Service Authorization Reference: mobiletargeting:GetApp is a dependent action."""
    ana = identity.user(identity.instance())
    register = {"AppInstanceUserArn": ana, **PHONE}
    code, message = identity.refused("RegisterAppInstanceUserEndpoint", identity.client("chime"), **register)
    assert (code, f"mobiletargeting:GetApp on resource: {PINPOINT}" in message) == ("AccessDeniedException", True)
    pinpoint = identity.client("pinpoint")
    assert identity.call("RegisterAppInstanceUserEndpoint", pinpoint, **register)["AppInstanceUserArn"] == ana
    other = {**register, "ResourceArn": PINPOINT + "2"}
    assert identity.refused("RegisterAppInstanceUserEndpoint", pinpoint, **other)[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:s3:::a1",
        PINPOINT.replace("apps/", "templates/"),
        PINPOINT.replace("us-east-1", "eu-central-1"),
        PINPOINT.replace(ACCOUNT, "444455556666"),
    ],
)
def test_a_device_with_another_arn_is_inactive(identity: Identity, arn: str) -> None:
    """Developer Guide, Using mobile push notifications: the application is of the same account and Region."""
    named = {"AppInstanceUserArn": identity.user(identity.instance())}
    made = identity.call("RegisterAppInstanceUserEndpoint", **named, **{**PHONE, "ResourceArn": arn})
    found = identity.call("DescribeAppInstanceUserEndpoint", **named, EndpointId=made["EndpointId"])
    state = {"Status": "INACTIVE", "StatusReason": "INVALID_PINPOINT_ARN"}
    assert found["AppInstanceUserEndpoint"]["EndpointState"] == state
    [listed] = identity.call("ListAppInstanceUserEndpoints", **named)["AppInstanceUserEndpoints"]
    assert listed["EndpointState"] == state


def test_a_user_has_at_most_ten_devices_and_their_tokens_are_kept_apart(identity: Identity) -> None:
    ana = identity.user(identity.instance())
    made = [
        identity.call(
            "RegisterAppInstanceUserEndpoint", AppInstanceUserArn=ana, ClientRequestToken=f"t{number}", **PHONE
        )
        for number in range(10)
    ]
    assert len({each["EndpointId"] for each in made}) == 10
    again = identity.call("RegisterAppInstanceUserEndpoint", AppInstanceUserArn=ana, ClientRequestToken="t3", **PHONE)
    assert again == made[3]
    refused = identity.refused("RegisterAppInstanceUserEndpoint", AppInstanceUserArn=ana, **PHONE)
    assert refused == ("ResourceLimitExceededException", "A user may have at most 10 endpoints.")
    with identity.world.database.snapshot() as connection:
        contents = connection.exec_driver_sql("SELECT content FROM resources").scalars().all()
    assert len(contents) == 12
    assert not any("device-token" in content for content in contents)
    identity.call("DeleteAppInstanceUser", AppInstanceUserArn=ana)
    named = {"AppInstanceUserArn": ana, "EndpointId": made[0]["EndpointId"]}
    assert identity.refused("DescribeAppInstanceUserEndpoint", **named)[0] == "NotFoundException"


def test_an_account_has_at_most_a_hundred_app_instances(identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolecall.services.chime_sdk_identity.app_instances.MAXIMUM_APP_INSTANCES", 2)
    identity.instance(ClientRequestToken="one")
    identity.instance()
    assert identity.refused("CreateAppInstance", Name="third")[0] == "ResourceLimitExceededException"
    assert identity.instance(ClientRequestToken="one")


def test_lists_are_authorised_on_what_they_list(identity: Identity) -> None:
    instance = identity.instance()
    on_types = identity.client("on_types")
    for operation in ("ListAppInstanceUsers", "ListAppInstanceBots"):
        identity.call(operation, on_types, AppInstanceArn=instance)
    identity.call("ListAppInstances", on_types)
    # Creating names no resource in AWS's table.
    for operation, more in (
        ("CreateAppInstance", {"Name": "n"}),
        ("CreateAppInstanceUser", {"AppInstanceArn": instance, "AppInstanceUserId": "u", "Name": "n"}),
    ):
        assert identity.refused(operation, on_types, **more)[0] == "AccessDeniedException"


def test_calls_at_the_same_time_make_one_user(identity: Identity) -> None:
    instance = identity.instance()

    def join(number: int) -> str:
        try:
            return identity.user(instance, ClientRequestToken=f"t{number % 2}")
        except ClientError as error:
            return str(error.response["Error"]["Code"])

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(join, range(8)))
    assert set(answers) == {f"{instance}/user/ana", "ConflictException"}
    assert len(identity.call("ListAppInstanceUsers", AppInstanceArn=instance)["AppInstanceUsers"]) == 1


def test_a_snapshot_keeps_it_all(identity: Identity, make_world: Any) -> None:
    instance = identity.instance()
    ana = identity.user(instance, ClientRequestToken="one")
    identity.call("CreateAppInstanceAdmin", AppInstanceArn=instance, AppInstanceAdminArn=ana)
    endpoint = identity.call("RegisterAppInstanceUserEndpoint", AppInstanceUserArn=ana, **PHONE)
    before = identity.call("DescribeAppInstanceUserEndpoint", **endpoint)
    saved = save_database(identity.world.database, identity.world.declared.settings)
    other = make_world(WORLD)
    load_database(other.database, saved, other.clock.now_seconds(), Identifiers())
    moved = Identity(other)
    assert moved.call("DescribeAppInstanceUserEndpoint", **endpoint) == before
    assert moved.admins(instance) == identity.admins(instance) != []
    assert moved.user(instance, ClientRequestToken="one") == ana


def test_a_token_never_answers_something_else(identity: Identity) -> None:
    """Members that no later call changes: another user's id, another application of Pinpoint."""
    arn = identity.call("CreateAppInstance", Name="tokens", ClientRequestToken="one")["AppInstanceArn"]
    asked = {"AppInstanceArn": arn, "AppInstanceUserId": "ana", "Name": "Ana", "ClientRequestToken": "two"}
    ana = identity.call("CreateAppInstanceUser", **asked)
    assert identity.call("CreateAppInstanceUser", **asked) == ana
    code, message = identity.refused("CreateAppInstanceUser", **{**asked, "AppInstanceUserId": "bo"})
    assert (code, message) == ("ConflictException", "ClientRequestToken was used with other parameters.")
    phone = {"AppInstanceUserArn": ana["AppInstanceUserArn"], **PHONE, "ClientRequestToken": "three"}
    first = identity.call("RegisterAppInstanceUserEndpoint", **phone)
    assert identity.call("RegisterAppInstanceUserEndpoint", **phone) == first
    other = {**phone, "ResourceArn": phone["ResourceArn"] + "x"}
    assert identity.refused("RegisterAppInstanceUserEndpoint", **other)[0] == "ConflictException"
