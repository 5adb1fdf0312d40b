"""Credentials over time: renewed, expired and revoked, and a service that is too busy."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from roster import NotAllowedError, Roster, role_session

pytestmark = pytest.mark.rolecall(config="sandbox.yaml")


def revoked_before(moment) -> str:
    """The policy that IAM's console uses to revoke the sessions of a role."""
    condition = {"DateLessThan": {"aws:TokenIssueTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def roster(rolecall, **session: int) -> Roster:
    return Roster(role_session(rolecall.role("roster-reader"), "tests", **session), "Production")


def assumed(rolecall) -> int:
    return sum(decision.operation == "AssumeRole" for decision in rolecall.decisions)


def test_credentials_are_kept_while_they_last(rolecall):
    reader = roster(rolecall)
    for _ in range(3):
        reader.emails()
    assert assumed(rolecall) == 1


def test_credentials_are_renewed_before_they_end(rolecall):
    # botocore renews in the last 15 minutes, so it renews credentials this short with the next call.
    reader = roster(rolecall, duration_seconds=900)
    reader.emails()
    before = assumed(rolecall)
    rolecall.clock.advance(minutes=20)
    assert len(reader.emails()) == 3
    assert assumed(rolecall) > before


def test_credentials_that_nobody_renews_expire(rolecall):
    answer = boto3.client("sts").assume_role(RoleArn=rolecall.role("roster-reader"), RoleSessionName="once")
    chime = rolecall.client("chime", credentials=answer["Credentials"])
    chime.list_accounts()
    rolecall.clock.advance(hours=1)
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        chime.list_accounts()


def test_sessions_that_are_revoked_end_at_once(rolecall):
    reader = roster(rolecall)
    reader.emails()
    rolecall.clock.advance(minutes=1)
    with rolecall.as_user("root"):
        boto3.client("iam").put_role_policy(
            RoleName="roster-reader",
            PolicyName="AWSRevokeOlderSessions",
            PolicyDocument=revoked_before(rolecall.clock.now),
        )
    with rolecall.expect_denied("chime:ListAccounts", by="identity-based policy"), pytest.raises(NotAllowedError):
        reader.emails()
    assert len(roster(rolecall).emails()) == 3


def test_a_service_that_is_away_for_a_moment_is_asked_again(rolecall):
    rolecall.faults.add(service="chime", operation="ListUsers", error="ServiceUnavailableException", times=2)
    assert len(roster(rolecall).emails()) == 3
    assert [rule["hits"] for rule in rolecall.faults.rules] == [2]


def test_a_region_in_which_sts_is_off(rolecall):
    rolecall.faults.add(kind="region_disabled", region="us-east-1")
    with pytest.raises(ClientError, match="RegionDisabledException"):
        roster(rolecall).emails()
