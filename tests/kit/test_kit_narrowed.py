"""``sandbox.narrowed``: the weaker credentials that a program gives to a sub-process."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall

LIST_ONLY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["chime:List*", "sts:*"], "Resource": "*"}],
}


@pytest.fixture
def own(rolecall: Rolecall) -> Any:
    """Credentials of a session of the administrator."""
    return rolecall.client("sts").get_session_token()["Credentials"]


@pytest.mark.parametrize("policy", [LIST_ONLY, json.dumps(LIST_ONLY)])
def test_the_policy_is_a_ceiling(rolecall: Rolecall, own: Any, policy: Any) -> None:
    narrowed = rolecall.narrowed(own, policy)
    assert sorted(narrowed) == ["AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken"]
    assert narrowed["Expiration"] == own["Expiration"]
    rolecall.assert_allowed("chime:CreateAccount", credentials=own)
    with rolecall.as_credentials(narrowed):
        chime = boto3.client("chime")
        assert chime.list_accounts()["Accounts"]
        with rolecall.expect_denied("chime:CreateAccount", by="scope-down policy 1 of 1"):
            chime.create_account(Name="more")


def test_narrowed_credentials_are_narrowed_again(rolecall: Rolecall, own: Any) -> None:
    nothing = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}
    twice = rolecall.narrowed(rolecall.narrowed(own, LIST_ONLY), nothing)
    rolecall.assert_denied("chime:ListAccounts", by="scope-down policy 2 of 2", credentials=twice)


def test_a_shorter_life(rolecall: Rolecall, own: Any) -> None:
    rolecall.clock.freeze()
    narrowed = rolecall.narrowed(own, duration_seconds=60)
    rolecall.clock.advance(seconds=59)
    rolecall.client("chime", credentials=narrowed).create_account(Name="more")
    rolecall.clock.advance(seconds=1)
    with pytest.raises(ClientError, match="ExpiredToken"):
        rolecall.client("chime", credentials=narrowed).list_accounts()


def test_what_sts_refuses(rolecall: Rolecall, own: Any) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        rolecall.narrowed(own)
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        rolecall.narrowed(own, {"Statement": "none"})
    with pytest.raises(ClientError, match="AccessDenied"):
        rolecall.narrowed(("test", "test"), LIST_ONLY)
