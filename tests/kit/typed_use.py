"""The documented calls as a user's strict type checker reads them. Checked, not run: part of the linters.

The checker must find every mistake below. It complains about an ignore comment without a mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import pytest
from boto3.session import Session
from mypy_boto3_chime import ChimeClient
from mypy_boto3_chime_sdk_identity import ChimeSDKIdentityClient
from mypy_boto3_chime_sdk_media_pipelines import ChimeSDKMediaPipelinesClient
from mypy_boto3_chime_sdk_meetings import ChimeSDKMeetingsClient
from mypy_boto3_chime_sdk_messaging import ChimeSDKMessagingClient
from mypy_boto3_chime_sdk_voice import ChimeSDKVoiceClient
from mypy_boto3_iam import IAMClient, IAMServiceResource
from mypy_boto3_organizations import OrganizationsClient
from mypy_boto3_sts import STSClient

from rolecall import (
    BadConfigError,
    DecisionRecord,
    NotServedError,
    Rolecall,
    SandboxEndedError,
    UnknownIdentityError,
    __version__,
    sandboxed,
)

WORLD = {"version": 1, "accounts": [{"id": "123456789012", "users": [{"name": "ana"}]}]}
ERRORS: tuple[type[Exception], ...] = (BadConfigError, NotServedError, SandboxEndedError, UnknownIdentityError)


@pytest.fixture
def sandbox() -> Iterator[Rolecall]:
    with Rolecall(config=WORLD, seed=1, region="eu-west-1") as opened:
        yield opened


def making() -> None:
    assert_type(Rolecall(), Rolecall)
    assert_type(Rolecall(Path("sandbox.yaml")), Rolecall)
    assert_type(Rolecall("sandbox.yaml"), Rolecall)
    with Rolecall.start(port=0, host="127.0.0.1", seed=None) as started:
        assert_type(started, Rolecall)
        assert_type(started.endpoint_url, str)
        assert_type(started.environment, dict[str, str])
    with Rolecall.start(allow_hosts=["rolecall.lan"], allow_origins=("http://localhost:3000",)) as admitting:
        assert_type(admitting, Rolecall)
    assert_type(__version__, str)
    Rolecall(seeds=1)  # type: ignore[call-arg]
    Rolecall(seed="1")  # type: ignore[arg-type]


def acting(rolecall: Rolecall) -> None:
    with rolecall.as_role("chime-reader", DurationSeconds=900, user="developer") as reader:
        reader.client("chime").list_accounts()
    with rolecall.as_user("developer", account="sandbox"), rolecall.as_credentials(("id", "secret")):
        rolecall.client("sts", user="admin").get_caller_identity()
        rolecall.client("sts", credentials={"AccessKeyId": "id", "SecretAccessKey": "secret"}, region="eu-west-1")
        rolecall.session(user="admin").resource("iam")
        rolecall.resource("iam")
    assert_type(rolecall.user("ana"), str)
    assert_type(rolecall.role("chime-reader", account="partner"), str)
    assert_type(rolecall.account(), str)
    assert_type(rolecall.region, str)
    rolecall.as_role()  # type: ignore[call-arg]


def calling(rolecall: Rolecall) -> None:
    sts = rolecall.client("sts", user="admin")
    assert_type(sts, STSClient)
    credentials = sts.assume_role(RoleArn="arn", RoleSessionName="s1")["Credentials"]
    assert_type(rolecall.client("chime", credentials=credentials), ChimeClient)
    assert_type(rolecall.client("iam", region="eu-west-1", verify=False), IAMClient)
    assert_type(rolecall.client("organizations"), OrganizationsClient)
    assert_type(rolecall.client("chime-sdk-identity"), ChimeSDKIdentityClient)
    assert_type(rolecall.client("chime-sdk-meetings"), ChimeSDKMeetingsClient)
    assert_type(rolecall.client("chime-sdk-messaging"), ChimeSDKMessagingClient)
    assert_type(rolecall.client("chime-sdk-voice"), ChimeSDKVoiceClient)
    assert_type(rolecall.client("chime-sdk-media-pipelines"), ChimeSDKMediaPipelinesClient)
    assert_type(rolecall.client("s3"), Any)
    assert_type(rolecall.resource("iam"), IAMServiceResource)
    assert_type(rolecall.session(user="admin"), Session)
    with rolecall.as_role("chime-reader") as reader, rolecall.as_user() as user:
        assert_type(reader, Session)
        assert_type(user.client("sts"), STSClient)
    sts.assume_roll()  # type: ignore[attr-defined]
    sts.get_caller_identity()["Arm"]  # type: ignore[typeddict-item]
    rolecall.client("sts", usr="admin")  # type: ignore[call-overload]
    rolecall.client("sts", user=1)  # type: ignore[call-overload]


@sandboxed
def decorated(sandbox: Rolecall) -> str:
    return sandbox.account()


@sandboxed(config=WORLD, seed=1, region="eu-west-1")
def decorated_too() -> int:
    return 1


def decorating() -> None:
    assert_type(decorated_too(), int)
    sandboxed(WORLD)  # type: ignore[call-overload]
    sandboxed(seed="1")  # type: ignore[call-overload]


def asserting(rolecall: Rolecall) -> None:
    with rolecall.expect_denied("chime:CreateUser", by="session policy") as refusal:
        pass
    assert_type(refusal.decision, DecisionRecord)
    assert_type(refusal.decision.error_code, str)
    assert_type(refusal.error.response["Error"]["Code"], str)
    assert_type(refusal.handled, bool)
    rolecall.assert_allowed("chime:ListUsers", role="chime-reader", context={"aws:MultiFactorAuthPresent": True})
    rolecall.assert_denied("sts:AssumeRole", by="role trust policy", user="ana", resource=rolecall.role("helper"))
    rolecall.assert_allowed("chime:ListUsers", rol="chime-reader")  # type: ignore[call-arg]
    rolecall.assert_denied("chime:ListUsers", resource=1)  # type: ignore[arg-type]


def reading(rolecall: Rolecall) -> None:
    assert_type(rolecall.decisions, list[DecisionRecord])
    assert_type(rolecall.least_privilege("arn", since=timedelta(hours=1)).calls, int)
    rolecall.least_privilege()  # type: ignore[call-arg]
    assert_type(rolecall.refusals, list[DecisionRecord])
    decision = rolecall.decisions[0]
    assert_type(decision.time, datetime)
    assert_type(decision.actions, tuple[str, ...])
    assert_type(decision.denied, bool)
    assert_type(decision.reasons, str)
    decision.outcome = "Allowed"  # type: ignore[misc]


def meeting(rolecall: Rolecall) -> None:
    made = rolecall.meeting("ana", "bo", user="admin", ExternalMeetingId="standup")
    assert_type(made.meeting_id, str)
    assert_type(made.attendees["ana"]["JoinToken"], Any)


def changing(rolecall: Rolecall) -> None:
    assert_type(rolecall.clock.advance(hours=2), datetime)
    rolecall.clock.advance(timedelta(days=1))
    rolecall.clock.advance(90)
    rolecall.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    rolecall.clock.freeze("2030-01-01T00:00:00Z")
    rolecall.clock.unfreeze()
    assert_type(rolecall.clock.frozen, bool)
    assert_type(rolecall.clock.reset(), datetime)
    rolecall.clock.advance("1h")  # type: ignore[arg-type]
    assert_type(rolecall.faults.add(service="sts", operation="AssumeRole", error="Throttling", times=2), str)
    rolecall.faults.replace([{"service": "sts", "error": "Throttling"}])
    rolecall.faults.clear()
    rolecall.load(rolecall.snapshot())
    rolecall.reset()
    rolecall.close()


def proving(rolecall: Rolecall) -> None:
    assert_type(rolecall.mfa_code("admin-phone"), str)
    assert_type(rolecall.mfa_code_pair("admin-phone"), tuple[str, str])
    assert_type(rolecall.web_identity_token("https://issuer.example.com", subject="ana"), str)
    assert_type(rolecall.saml_assertion("idp", role="arn", provider="arn", session_name="s1"), str)
