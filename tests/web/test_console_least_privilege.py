"""The console's page of least privilege: what was done, the smallest policy, the difference to what there is."""

from __future__ import annotations

import json
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from console_visits import CONSOLE, text_of
from console_worlds import ADMIN, ANA, GATEWAY, HUB, TWO_ACCOUNTS

PAGE = "/least-privilege"


@pytest.fixture
def browser(two: Any) -> Any:
    return two.application.test_client()


def asked(browser: Any, principal: str, **more: str) -> Any:
    return browser.get(f"{CONSOLE}{PAGE}?{urlencode({'principal': principal, **more})}")


def policy_of(page: Any) -> Any:
    return json.loads(unescape(page.text.split('id="policy"', 1)[1].split(">", 1)[1].split("</pre>", 1)[0]))


def assume(two: Any) -> Any:
    return two.client("sts", "ana").assume_role(RoleArn=GATEWAY, RoleSessionName="session")["Credentials"]


def test_what_a_user_did_and_the_policy_for_it(two: Any, browser: Any) -> None:
    assume(two)
    assume(two)
    page = asked(browser, ANA)
    assert page.status_code == 200
    assert policy_of(page) == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": GATEWAY}],
    }
    text = text_of(page)
    assert "2 sts AssumeRole Allowed" in text
    assert "It comes from 2 calls that needed a permission." in text
    assert "Used, and not allowed now None of 1." in text
    assert "chime: 1 action chime:ListUsers" in text


def test_the_policy_is_that_of_the_control_endpoint(two: Any, browser: Any) -> None:
    assume(two)
    answer = browser.get(f"/_rolecall/policy?{urlencode({'principal': ANA})}").json
    assert policy_of(asked(browser, ANA)) == answer["policy"]


def test_what_was_used_and_is_not_allowed_any_more(two: Any, browser: Any) -> None:
    assume(two)
    two.client("iam", "admin").remove_user_from_group(GroupName="operators", UserName="ana")
    text = text_of(asked(browser, ANA))
    assert f"sts:AssumeRole {GATEWAY} ImplicitDeny" in text.split("Used, and not allowed now")[1]
    assert "None of 1." not in text


def test_refused_calls_are_left_out_unless_asked_for(two: Any, browser: Any) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        two.client("iam", "ana").get_user(UserName="admin")
    page = asked(browser, ANA)
    assert 'id="policy"' not in page.text
    assert "Ask with refused calls" in page.text
    page = asked(browser, ANA, include_refused="yes")
    assert policy_of(page)["Statement"][0]["Action"] == "iam:GetUser"
    assert f"iam:GetUser {ADMIN}" in text_of(page).split("Used, and not allowed now")[1]


def test_a_role_has_the_calls_of_its_sessions(two: Any, browser: Any) -> None:
    keys = assume(two)
    sts = two.client("sts", credentials=keys)
    sts.assume_role(RoleArn="arn:aws:iam::444455556666:role/break-glass", RoleSessionName="onward", ExternalId="really")
    for principal in (GATEWAY, f"arn:aws:sts::{HUB}:assumed-role/gateway/session"):
        page = asked(browser, principal)
        assert policy_of(page)["Statement"][0]["Action"] == "sts:AssumeRole"
        # The external id of the call is not part of the question, and the trust policy needs one.
        assert "break-glass" in text_of(page).split("Used, and not allowed now")[1]


def test_since_narrows_the_calls(two: Any, browser: Any) -> None:
    assume(two)
    two.clock.advance(3600)
    assert "AssumeRole" in text_of(asked(browser, ANA, since="2h"))
    assert "has no call of this principal since then" in text_of(asked(browser, ANA, since="15m"))


@pytest.mark.parametrize(
    "given", [{"principal": "ana"}, {"principal": "<script>"}, {"principal": ANA, "since": "soon"}]
)
def test_a_question_that_cannot_be_answered(browser: Any, given: dict[str, str]) -> None:
    page = asked(browser, **given)
    assert page.status_code == 400
    assert 'role="alert"' in page.text


def test_principals_without_policies(browser: Any) -> None:
    root = text_of(asked(browser, f"arn:aws:iam::{HUB}:root"))
    assert "a root user has no policies" in root
    gone = text_of(asked(browser, f"arn:aws:iam::{HUB}:user/gone"))
    assert "there is no user or role" in gone
    assert "Not known: see the notes." in gone


def test_without_a_log_there_is_nothing_to_say(make_world: Any) -> None:
    browser = make_world(TWO_ACCOUNTS).application.test_client()
    assert browser.get(CONSOLE + PAGE).status_code == 200
    assert asked(browser, ANA).status_code == 404


def test_the_command_is_named(browser: Any) -> None:
    page = unescape(asked(browser, ANA, since="15m", include_refused="yes").text)
    assert (
        f"curl -s -G --data-urlencode principal={ANA} --data-urlencode since=15m "
        "--data-urlencode include_refused=true http://localhost/_rolecall/policy" in page
    )
