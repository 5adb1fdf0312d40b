"""The files in config/: each does what its comments say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from rolecall.identity_providers.oidc_tokens import mint
from rolecall.ids import Identifiers

CONFIG = Path(__file__).resolve().parents[2] / "config"
HUB, WORKLOAD = "111122223333", "444455556666"
OPERATOR = f"arn:aws:iam::{WORKLOAD}:role/operations/chime-operator"
GATEWAY = f"arn:aws:iam::{HUB}:role/gateway"
ABSENT = "00000000-0000-4000-8000-000000000000"


def refused(call: Any, **arguments: Any) -> str:
    """Code and message."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def test_these_are_all_examples() -> None:
    names = {path.name for path in CONFIG.glob("*.y*ml")}
    assert names == {"sandbox.yaml", "chime-sdk.yaml", "cross-account.yaml", "federation.yaml", "web-identity.yaml"}


# sandbox.yaml


def test_the_developer_may_take_on_the_roles_and_nothing_else(world: Any) -> None:
    sts = world.client("sts", "developer")
    for name in ("chime-reader", "chime-manager", "chime-denied"):
        world.assume(name, "developer")
    world.assume(f"arn:aws:iam::{WORKLOAD}:role/chime-partner", "developer", ExternalId="partner-id")
    other = f"arn:aws:iam::{HUB}:role/other"
    assert "no identity-based policy" in refused(sts.assume_role, RoleArn=other, RoleSessionName="session")
    assert refused(world.client("chime", "developer").list_accounts).startswith("ForbiddenException: ")
    assert refused(world.client("iam", "developer").list_users).startswith("AccessDenied: ")


def test_the_reader_may_look_at_everything_in_chime(world: Any) -> None:
    chime = world.client("chime", credentials=world.assume("chime-reader"))
    account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
    emails = {user["PrimaryEmail"] for user in chime.list_users(AccountId=account_id)["Users"]}
    assert emails == {"ana@example.com", "li@example.com", "sam@example.com"}
    assert "no identity-based policy allows" in refused(chime.create_account, Name="New")


def test_the_manager_may_do_everything_in_chime_for_four_hours(world: Any) -> None:
    credentials = world.assume("chime-manager", DurationSeconds=14_400)
    chime = world.client("chime", credentials=credentials)
    assert chime.create_account(Name="New")["Account"]["Name"] == "New"
    assert "AccessDenied" in refused(world.client("iam", credentials=credentials).list_users)
    sts = world.client("sts")
    arn = f"arn:aws:iam::{HUB}:role/chime-manager"
    message = refused(sts.assume_role, RoleArn=arn, RoleSessionName="session", DurationSeconds=14_401)
    assert message.endswith("exceeds the MaxSessionDuration set for this role.")


def test_the_denied_role_may_do_everything_but_chime(world: Any) -> None:
    credentials = world.assume("chime-denied")
    assert "with an explicit deny in an identity-based policy" in refused(
        world.client("chime", credentials=credentials).list_accounts
    )
    sts = world.client("sts", credentials=credentials)
    assert sts.get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == HUB


def test_the_partner_trusts_the_first_account_and_asks_for_an_external_id(world: Any) -> None:
    arn = f"arn:aws:iam::{WORKLOAD}:role/chime-partner"
    sts = world.client("sts")
    for more in ({}, {"ExternalId": "another-id"}):
        message = refused(sts.assume_role, RoleArn=arn, RoleSessionName="session", **more)
        assert message.endswith("because no role trust policy allows the sts:AssumeRole action")
    chime = world.client("chime", credentials=world.assume(arn, ExternalId="partner-id"))
    assert [account["Name"] for account in chime.list_accounts()["Accounts"]] == ["Partner"]


# cross-account.yaml


@pytest.fixture
def two_accounts(make_world: Any) -> Any:
    return make_world((CONFIG / "cross-account.yaml").read_text(encoding="utf-8"))


def assumed(world: Any, sts: Any, arn: str) -> Any:
    return sts.assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]


def test_ana_takes_on_the_role_of_the_workload_and_li_does_not(two_accounts: Any) -> None:
    chime = two_accounts.client("chime", credentials=assumed(two_accounts, two_accounts.client("sts", "ana"), OPERATOR))
    assert [account["Name"] for account in chime.list_accounts()["Accounts"]] == ["Workload"]
    li = two_accounts.client("sts", "li")
    for arn in (OPERATOR, GATEWAY):
        assert "no identity-based policy" in refused(li.assume_role, RoleArn=arn, RoleSessionName="session")


def test_one_role_leads_to_another(two_accounts: Any) -> None:
    first = assumed(two_accounts, two_accounts.client("sts", "ana"), GATEWAY)
    assert "no identity-based policy" in refused(two_accounts.client("chime", credentials=first).list_accounts)
    second = assumed(two_accounts, two_accounts.client("sts", credentials=first), OPERATOR)
    assert two_accounts.client("chime", credentials=second).list_accounts()["Accounts"]


def test_the_boundary_and_the_control_policy_hold_in_the_workload(two_accounts: Any) -> None:
    ana = two_accounts.client("sts", "ana")
    chime = two_accounts.client("chime", credentials=assumed(two_accounts, ana, OPERATOR))
    boundary = f"with an explicit deny in a permissions boundary: arn:aws:iam::{WORKLOAD}:policy/limits"
    assert refused(chime.delete_account, AccountId=ABSENT).endswith(boundary)
    for call in (chime.get_phone_number_settings, chime.list_phone_numbers):
        of_the_organization = f"arn:aws:organizations::{HUB}:policy/o-example1234/service_control_policy/p-"
        assert f"with an explicit deny in a service control policy: {of_the_organization}" in refused(call)


# federation.yaml


@pytest.fixture
def broker(make_world: Any) -> Any:
    return make_world((CONFIG / "federation.yaml").read_text(encoding="utf-8"))


def test_a_federated_user_may_what_the_broker_may_and_the_session_policy_names(broker: Any) -> None:
    sts = broker.client("sts", "broker")
    arn = f"arn:aws:iam::{HUB}:policy/read-users"
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    reading = broker.client(
        "chime", credentials=sts.get_federation_token(Name="ana", PolicyArns=[{"arn": arn}])["Credentials"]
    )
    account_id = reading.list_accounts()["Accounts"][0]["AccountId"]
    assert len(reading.list_users(AccountId=account_id)["Users"]) == 2
    assert "no session policy allows" in refused(
        reading.invite_users, AccountId=account_id, UserEmailList=["a@b.example"]
    )
    wide = broker.client("chime", credentials=sts.get_federation_token(Name="ana", Policy=everything)["Credentials"])
    assert "no identity-based policy allows" in refused(wide.create_account, Name="New")
    plain = broker.client("chime", credentials=sts.get_federation_token(Name="ana")["Credentials"])
    assert "no session policy allows" in refused(plain.list_accounts)


def test_its_sessions_may_be_short_enough_to_watch_them_expire(broker: Any) -> None:
    sts = broker.client("sts", "broker", config=Config(parameter_validation=False))
    credentials = sts.get_federation_token(Name="ana", DurationSeconds=60)["Credentials"]
    session = broker.client("sts", credentials=credentials)
    assert session.get_caller_identity()["Arn"].endswith(":federated-user/ana")
    broker.clock.advance(61)
    assert refused(session.get_caller_identity) == "ExpiredToken: The security token included in the request is expired"


# web-identity.yaml

NAMES = ("role", "issuer", "shape", "subject")
GITHUB, EKS = "https://token.actions.githubusercontent.com", "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"


def entered(world: Any, role: str, issuer: str, shape: str, subject: str) -> dict[str, Any]:
    token = mint(world.database, world.clock, Identifiers(), issuer=issuer, shape=shape, subject=subject)
    arn = f"arn:aws:iam::{HUB}:role/{role}"
    return world.client("sts").assume_role_with_web_identity(  # type: ignore[no-any-return]
        RoleArn=arn, RoleSessionName="session", WebIdentityToken=token
    )


def test_jobs_and_pods_get_their_roles_and_no_others(make_world: Any) -> None:
    world = make_world((CONFIG / "web-identity.yaml").read_text(encoding="utf-8"))
    job = entered(world, "deploy", GITHUB, "github-actions", "repo:octo-org/octo-repo:ref:refs/heads/main")
    assert world.client("chime", credentials=job["Credentials"]).create_account(Name="New")["Account"]["Name"] == "New"
    pod = entered(world, "chime-reader", EKS, "eks", "system:serviceaccount:chime:reader")
    assert world.client("chime", credentials=pod["Credentials"]).list_accounts()["Accounts"]
    for arguments in (
        ("deploy", GITHUB, "github-actions", "repo:octo-org/octo-repo:ref:refs/heads/feature"),
        ("deploy", GITHUB, "github-actions", "repo:octo-org/other:ref:refs/heads/main"),
        ("chime-reader", EKS, "eks", "system:serviceaccount:other:reader"),
        ("deploy", EKS, "eks", "system:serviceaccount:chime:reader"),
    ):
        message = "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
        assert refused(entered, world=world, **dict(zip(NAMES, arguments, strict=True))) == message


def test_the_administrator_has_a_key_of_awss_form_too(world: Any) -> None:
    """For clients that require key ids of 16 characters, and tools that recognise long-term keys by ``AKIA``."""
    keys = ("AKIARTX3GSDSROLECALL", "rolecall/sandbox/admin/not/a/real/secret")
    assert (len(keys[0]), len(keys[1])) == (20, 40)
    sts, iam = world.client("sts", keys=keys), world.client("iam", keys=keys)
    assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/admin"
    assert sts.get_access_key_info(AccessKeyId=keys[0])["Account"] == "111122223333"
    assert iam.get_access_key_last_used(AccessKeyId=keys[0])["UserName"] == "admin"
    assert [key["AccessKeyId"] for key in iam.list_access_keys()["AccessKeyMetadata"]] == [keys[0], "test"]
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        world.client("sts", keys=(keys[0], "test")).get_caller_identity()


# chime-sdk.yaml


def test_the_back_end_acts_for_members_of_the_chat_and_deletes_nothing(make_world: Any) -> None:
    world = make_world((CONFIG / "chime-sdk.yaml").read_text(encoding="utf-8"))
    messaging = world.client("chime-sdk-messaging", "backend")
    instance = f"arn:aws:chime:us-east-1:{HUB}:app-instance/5a0e8f7c-0b7e-4c53-9a3e-52f1a8c04d11"
    channel = f"{instance}/channel/general"
    message = {"ChannelArn": channel, "Content": "Hi", "Type": "STANDARD", "Persistence": "PERSISTENT"}
    messaging.send_channel_message(**message, ChimeBearer=f"{instance}/user/li", ClientRequestToken="token")
    listed = messaging.list_channel_messages(ChannelArn=channel, ChimeBearer=f"{instance}/user/ana")
    assert [each["Content"] for each in listed["ChannelMessages"]] == ["Hi", "Hello Ana.", "Good morning!"]
    # An administrator who is no member may read, and not send.
    sam = {"ChimeBearer": f"{instance}/user/sam"}
    assert refused(messaging.send_channel_message, **message, **sam, ClientRequestToken="sam").startswith("Forbidden")
    assert refused(messaging.delete_channel, ChannelArn=channel, **sam).startswith("AccessDenied")
    meetings = world.client("chime-sdk-meetings", "backend")
    joined = meetings.list_attendees(MeetingId="8f3c1f3e-7c5b-4b54-8d0b-6a1d0f2e2713")["Attendees"]
    assert sorted(each["ExternalUserId"] for each in joined) == ["ana", "li"]
