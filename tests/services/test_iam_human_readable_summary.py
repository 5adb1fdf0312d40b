"""GetHumanReadableSummary: what a delegation request asks for, seen by those who may see the request."""

from __future__ import annotations

from typing import Any

import pytest
from iam_calls import ACCOUNT, OTHER_ACCOUNT, WORLD, identity, put_rights, refusal


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


def arn(account_id: str, request_id: str) -> str:
    return f"arn:aws:iam::{account_id}:delegation-request/{request_id}"


@pytest.fixture
def request_id(world: Any) -> str:
    made = world.client("iam", user="kim").create_delegation_request(
        OwnerAccountId=ACCOUNT,
        Description="Nightly audit",
        Permissions={"PolicyTemplateArn": "arn:aws:iam::aws:policy/AmazonChimeReadOnly"},
        RequestorWorkflowId="audit",
        NotificationChannel=f"arn:aws:sns:us-east-1:{OTHER_ACCOUNT}:updates",
        SessionDuration=3600,
    )
    return str(made["DelegationRequestId"])


def test_a_summary_says_who_asks_for_what(world: Any, request_id: str) -> None:
    iam = world.client("iam")
    answer = iam.get_human_readable_summary(EntityArn=arn(ACCOUNT, request_id))
    assert (answer["SummaryState"], answer["Locale"]) == ("AVAILABLE", "en")
    content = answer["SummaryContent"]
    for part in (
        f"Account {OTHER_ACCOUNT} asks",
        f"to account {ACCOUNT} for 3600 seconds",
        "Nightly audit",
        "chime:Get*",
    ):
        assert part in content
    assert iam.get_human_readable_summary(EntityArn=arn(ACCOUNT, request_id), Locale="en-GB")["Locale"] == "en-GB"
    other = iam.get_human_readable_summary(EntityArn=arn(ACCOUNT, request_id), Locale="de")
    assert (other["SummaryState"], "SummaryContent" in other) == ("NOT_SUPPORTED", False)
    # The requestor sees it too.
    requestor = world.client("iam", user="kim")
    shown = requestor.get_human_readable_summary(EntityArn=arn(OTHER_ACCOUNT, request_id))
    assert shown["SummaryContent"] == content


def test_rights_are_those_of_the_request(world: Any, request_id: str) -> None:
    iam, bob = world.client("iam"), world.client("iam", user="bob")
    assert refusal(bob.get_human_readable_summary, EntityArn=arn(ACCOUNT, request_id))[0] == "AccessDenied"
    put_rights(iam, "bob", "own", identity("iam:AssociateDelegationRequest"))
    bob.associate_delegation_request(DelegationRequestId=request_id)
    # The owner needs no policy.
    bob.get_human_readable_summary(EntityArn=arn(ACCOUNT, request_id))
    put_rights(iam, "bob", "own", identity("iam:GetHumanReadableSummary", effect="Deny"))
    assert refusal(bob.get_human_readable_summary, EntityArn=arn(ACCOUNT, request_id))[0] == "AccessDenied"


def test_what_has_no_summary(world: Any) -> None:
    iam = world.client("iam")
    missing = arn(ACCOUNT, "no-such-request-0000")
    assert refusal(iam.get_human_readable_summary, EntityArn=missing)[0] == "NoSuchEntity"
    for other in (f"arn:aws:iam::{ACCOUNT}:user/bob", "arn:aws:s3:::bucket-with-name", "not-an-arn-but-long-enough"):
        assert refusal(iam.get_human_readable_summary, EntityArn=other)[0] == "InvalidInput"
