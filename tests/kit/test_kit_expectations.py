"""Assertions of the kit: they hold when they should, and give the reasons when they do not."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall
from rolecall.kit.decisions import LAYER_NAMES

READ_ONLY = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "chime:List*", "Resource": "*"}}


def create_user(client: Any, email: str = "new@example.com") -> None:
    account_id = client.list_accounts()["Accounts"][0]["AccountId"]
    client.create_user(AccountId=account_id, Username=email, Email=email)


def test_a_refusal_that_was_expected_is_no_error(rolecall: Rolecall) -> None:
    with rolecall.as_role("chime-reader"), rolecall.expect_denied("chime:CreateUser") as refusal:
        create_user(boto3.client("chime"))
    assert refusal.decision is not None
    assert refusal.decision.layer == "identity-based policy"
    assert not refusal.handled
    assert refusal.error.response["Error"]["Code"] == "ForbiddenException"


def test_the_kind_of_policy_that_refuses(rolecall: Rolecall) -> None:
    with rolecall.as_role("chime-manager", Policy=json.dumps(READ_ONLY)):
        with rolecall.expect_denied("CHIME:createuser", by="session policy"):
            create_user(boto3.client("chime"))
        with (
            pytest.raises(AssertionError, match="to be refused by permissions boundary, but it was not") as failed,
            rolecall.expect_denied("chime:CreateUser", by="permissions boundary"),
        ):
            create_user(boto3.client("chime"))
    text = str(failed.value)
    assert "ImplicitDeny: chime:CreateUser on *, decided by the session policies" in text
    assert "The block ended with:" in text
    assert isinstance(failed.value.__cause__, ClientError)


def test_a_refusal_that_the_program_handles_itself(rolecall: Rolecall) -> None:
    with rolecall.as_role("chime-reader"), rolecall.expect_denied("chime:CreateUser") as refusal:
        with pytest.raises(ClientError):
            create_user(boto3.client("chime"))
        assert boto3.client("chime").list_accounts()["Accounts"]
    assert refusal.handled
    with pytest.raises(RuntimeError, match="handled the error itself: ask decision"):
        _ = refusal.error
    assert refusal.decision is not None


def test_no_refusal_is_a_failure_that_tells_what_happened(rolecall: Rolecall) -> None:
    with pytest.raises(AssertionError) as failed, rolecall.expect_denied("chime:CreateUser"):
        create_user(rolecall.client("chime", user="admin"))
    lines = str(failed.value).splitlines()
    assert lines[0] == "expected chime:CreateUser to be refused, but it was not."
    assert "This call asked for it:" in lines
    with pytest.raises(AssertionError, match="No call reached the sandbox"), rolecall.expect_denied("chime:CreateUser"):
        pass
    with pytest.raises(AssertionError) as failed, rolecall.expect_denied("chime:CreateUser"):
        rolecall.client("chime").list_accounts()
    assert "Allowed: chime:ListAccounts as arn:aws:iam::111122223333:user/admin [" in str(failed.value)


def test_calls_of_before_and_of_other_sandboxes_do_not_count(rolecall: Rolecall) -> None:
    with rolecall.as_role("chime-reader"):
        chime = boto3.client("chime")
        with pytest.raises(ClientError):
            create_user(chime)
        with Rolecall() as other, pytest.raises(AssertionError), other.expect_denied("chime:CreateUser"):
            create_user(chime)
        with pytest.raises(AssertionError), rolecall.expect_denied("chime:CreateUser"):
            pass


def test_other_errors_leave_the_block(rolecall: Rolecall) -> None:
    with pytest.raises(ZeroDivisionError), rolecall.expect_denied("chime:CreateUser"):
        raise ZeroDivisionError


def test_an_error_after_the_expected_refusal_leaves_the_block(rolecall: Rolecall) -> None:
    def handle_one_and_make_another() -> None:
        chime = boto3.client("chime")
        with rolecall.expect_denied("chime:CreateUser"):
            with pytest.raises(ClientError):
                create_user(chime)
            chime.get_account(AccountId="11111111-1111-4111-8111-111111111111")

    with rolecall.as_role("chime-reader"), pytest.raises(ClientError, match="NotFoundException"):
        handle_one_and_make_another()


def test_an_error_other_than_a_refusal_is_not_expected(rolecall: Rolecall) -> None:
    with (
        pytest.raises(AssertionError, match="NoSuchEntity") as failed,
        rolecall.expect_denied("iam:GetUser"),
    ):
        rolecall.client("iam").get_user(UserName="missing")
    assert "it was not" in str(failed.value)


def test_a_role_that_may_not_be_assumed(rolecall: Rolecall) -> None:
    with rolecall.expect_denied("sts:AssumeRole", by="trust policy"), rolecall.as_role("chime-partner"):
        pass


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("chime:CreateUsr", "chime has no action 'CreateUsr', did you mean chime:CreateUser?"),
        ("CreateUser", "is not an action: write it as"),
        ("chyme:CreateUser", "no service has the prefix 'chyme', did you mean chime?"),
        ("chime:*", "name one action, without * and ?"),
    ],
)
def test_an_action_that_does_not_exist_is_a_mistake_of_the_test(rolecall: Rolecall, action: str, message: str) -> None:
    for ask in (rolecall.expect_denied, rolecall.assert_denied, rolecall.assert_allowed):
        with pytest.raises(ValueError, match=r"action|prefix") as failed:
            ask(action)
        assert message in str(failed.value)


def test_every_kind_of_policy_can_be_named(rolecall: Rolecall) -> None:
    for kind, words in LAYER_NAMES.items():
        assert rolecall.expect_denied("chime:CreateUser", by=words).by == words
        assert rolecall.expect_denied("chime:CreateUser", by=kind.value).by == words
    assert rolecall.expect_denied("chime:CreateUser", by="Trust Policy").by == "role trust policy"
    with pytest.raises(ValueError, match="kinds are identity-based policy"):
        rolecall.expect_denied("chime:CreateUser", by="bucket policy")
    with pytest.raises(ValueError, match="there is no kind of policy"):
        rolecall.assert_denied("chime:CreateUser", role="chime-reader", by="bucket policy")


def test_what_a_principal_may_do_without_a_call(rolecall: Rolecall) -> None:
    rolecall.assert_allowed("chime:ListUsers", role="chime-reader")
    rolecall.assert_denied("chime:CreateUser", role="chime-reader", by="identity-based policy")
    rolecall.assert_denied("chime:ListUsers", role="chime-denied")
    rolecall.assert_allowed("chime:CreateUser")
    rolecall.assert_allowed("chime:CreateUser", user="admin")
    rolecall.assert_denied("chime:ListUsers", user="developer")
    with rolecall.as_role("chime-reader"):
        rolecall.assert_denied("chime:CreateUser")
    asked = [call.operation for call in rolecall.decisions]
    assert asked == ["AssumeRole"]
    credentials = rolecall.client("sts").get_federation_token(Name="ana", Policy=json.dumps(READ_ONLY))["Credentials"]
    rolecall.assert_allowed("chime:ListUsers", credentials=credentials)
    rolecall.assert_denied("chime:GetUser", credentials=credentials, by="session")
    rolecall.client("iam").create_user(UserName="keyless")
    rolecall.assert_denied("chime:ListUsers", user="keyless")


def test_trust_policies_and_context_keys_count(rolecall: Rolecall) -> None:
    reader, partner = rolecall.role("chime-reader"), rolecall.role("chime-partner")
    rolecall.assert_allowed("sts:AssumeRole", user="developer", resource=reader)
    rolecall.assert_denied("sts:AssumeRole", user="developer", resource=partner, by="role trust policy")
    rolecall.assert_allowed(
        "sts:AssumeRole", user="developer", resource=partner, context={"sts:ExternalId": "partner-id"}
    )
    with pytest.raises(LookupError, match="no role"):
        rolecall.assert_denied("sts:AssumeRole", user="developer", resource=f"{reader}s")
    rolecall.assert_denied("sts:AssumeRole", user="developer")


def test_an_assertion_agrees_with_the_call(rolecall: Rolecall) -> None:
    for role in ("chime-reader", "chime-manager", "chime-denied"):
        with rolecall.as_role(role):
            try:
                create_user(boto3.client("chime"), f"{role}@example.com")
            except ClientError:
                rolecall.assert_denied("chime:CreateUser", role=role)
            else:
                rolecall.assert_allowed("chime:CreateUser", role=role)


def test_a_failed_assertion_shows_the_reasons(rolecall: Rolecall) -> None:
    with pytest.raises(AssertionError) as failed:
        rolecall.assert_allowed("chime:ListUsers", role="chime-denied")
    text = str(failed.value)
    assert text.startswith("expected chime:ListUsers to be allowed, but it is refused.\n\n    ExplicitDeny (identity)")
    assert "NoChime" in text
    with pytest.raises(AssertionError, match="to be refused, but it is allowed") as failed:
        rolecall.assert_denied("chime:ListUsers", role="chime-reader")
    assert "AmazonChimeReadOnly" in str(failed.value)
    with pytest.raises(AssertionError, match="refused by session policy, but it is refused by identity-based policy"):
        rolecall.assert_denied("chime:CreateUser", role="chime-reader", by="session policy")


def test_a_question_that_makes_no_sense(rolecall: Rolecall) -> None:
    with pytest.raises(TypeError, match="one of user, role and credentials"):
        rolecall.assert_allowed("chime:ListUsers", user="admin", role="chime-reader")
    with pytest.raises(TypeError):
        rolecall.assert_allowed("chime:ListUsers", usr="admin")
    with pytest.raises(LookupError, match="no role 'reader'"):
        rolecall.assert_denied("chime:ListUsers", role="reader")
    with pytest.raises(LookupError, match="these credentials are refused: InvalidClientTokenId"):
        rolecall.assert_denied("chime:ListUsers", credentials=("nobody", "x"))
    credentials = rolecall.client("sts").get_session_token()["Credentials"]
    rolecall.clock.advance(days=2)
    with pytest.raises(LookupError, match="ExpiredToken"):
        rolecall.assert_allowed("chime:ListUsers", credentials=credentials)
