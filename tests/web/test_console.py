"""The console: its pages, what they must show, and what they must never do."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from console_visits import CONSOLE, FILES, Scan, post
from logged_worlds import keep_log, refused

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def browser(world: Any) -> Any:
    keep_log(world)
    return world.application.test_client()


def refusal(world: Any, tag: str = "b") -> str:
    """The request id of a refused call of the user developer."""
    return refused(world.client("iam", "developer").create_user, UserName="x", Tags=[{"Key": "a", "Value": tag}])[0]


def test_the_first_page_shows_what_runs_who_can_call_and_the_last_refusals(world: Any, browser: Any) -> None:
    request_id = refusal(world)
    page = browser.get(CONSOLE)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    database = world.database.url.partition(":")[0]
    for text in ("111122223333", "developer", database):
        assert text in page.text
    assert f'href="{CONSOLE}/decisions/{request_id}"' in page.text
    assert f'href="{CONSOLE}/decisions"' in page.text


def test_secrets_are_shown_only_when_asked_for(world: Any, browser: Any) -> None:
    made = world.client("iam").create_access_key(UserName="developer")["AccessKey"]
    key_id, secret = made["AccessKeyId"], made["SecretAccessKey"]
    assert secret not in browser.get(CONSOLE).text
    assert browser.get(f"{CONSOLE}/keys/{key_id}").status_code == 405
    page = post(browser, f"/keys/{key_id}")
    assert page.status_code == 200
    assert f"export AWS_ACCESS_KEY_ID={key_id}" in page.text
    assert f"export AWS_SECRET_ACCESS_KEY={secret}" in page.text
    assert f"aws_secret_access_key = {secret}" in page.text
    assert "[profile rolecall-developer]" in page.text
    assert "no-store" in page.headers["Cache-Control"]


def test_only_active_keys_are_offered(world: Any, browser: Any) -> None:
    iam = world.client("iam")
    key_id = iam.create_access_key(UserName="developer")["AccessKey"]["AccessKeyId"]
    assert key_id in browser.get(CONSOLE).text
    iam.update_access_key(UserName="developer", AccessKeyId=key_id, Status="Inactive")
    assert key_id not in browser.get(CONSOLE).text
    assert post(browser, f"/keys/{key_id}").status_code == 404


@pytest.mark.parametrize(
    ("query", "allowed", "was_refused"),
    [
        ("", True, True),
        ("?outcome=Refused", False, True),
        ("?outcome=Allowed", True, False),
        ("?service=iam", False, True),
        ("?service=sts", True, False),
        ("?action=iam:CreateUser", False, True),
        ("?action=iam:Delete*", False, False),
        ("?principal=arn:aws:iam::111122223333:user/admin", True, False),
    ],
)
def test_the_list_is_filtered(world: Any, browser: Any, query: str, allowed: bool, was_refused: bool) -> None:
    request_id = refusal(world)
    world.assume("chime-reader")
    page = browser.get(f"{CONSOLE}/decisions{query}")
    assert page.status_code == 200
    assert ("sts:AssumeRole" in page.text) == allowed
    assert (request_id in page.text) == was_refused


@pytest.mark.parametrize("query", ["?action=nothing", "?outcome=1", "?service=iam&action=sts:AssumeRole", "?limit=0"])
def test_a_filter_that_cannot_be_understood_is_reported(browser: Any, query: str) -> None:
    assert browser.get(f"{CONSOLE}/decisions{query}").status_code == 400


def test_a_refusal_is_explained(world: Any, browser: Any) -> None:
    page = browser.get(f"{CONSOLE}/decisions/{refusal(world)}")
    assert page.status_code == 200
    for text in (
        "ImplicitDeny: iam:CreateUser on arn:aws:iam::111122223333:user/x",
        "identity-based policies",
        "has no statement that allows it (decided here)",
        "It failed on Action, Resource.",
        "assume-chime-roles",
        "aws:RequestTag/a",
        "aws:PrincipalArn",
    ):
        assert text in page.text
    marked = "".join(Scan(page.text).marked)
    assert "sts:AssumeRole" in marked
    assert "2012-10-17" not in marked


def test_an_attached_policy_has_its_nearest_statement_marked_too(world: Any, browser: Any) -> None:
    iam = world.client("iam")
    document = '{"Version": "2012-10-17", "Statement": {"Sid": "Near", "Effect": "Allow", "Action": "iam:CreateUser", '
    document += '"Resource": "arn:aws:iam::111122223333:user/other"}}'
    arn = iam.create_policy(PolicyName="near", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="developer", PolicyArn=arn)
    text = browser.get(f"{CONSOLE}/decisions/{refusal(world)}").text
    assert "It failed on Resource." in text
    assert '"Near"' in "".join(Scan(text).marked)


def test_an_allowed_call_has_its_page(world: Any, browser: Any) -> None:
    world.assume("chime-reader")
    call = browser.get("/_rolecall/decisions").json["decisions"][0]
    page = browser.get(f"{CONSOLE}/decisions/{call['request_id']}")
    assert page.status_code == 200
    assert "Allowed: sts:AssumeRole" in page.text


def test_hostile_names_are_text(world: Any, browser: Any) -> None:
    document = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:CreateUser", "Condition": '
    document += '{"StringEquals": {"aws:RequestTag/a": "<b>x</b>"}}, "Resource": "*"}]}'
    world.client("iam").put_user_policy(UserName="developer", PolicyName="p", PolicyDocument=document)
    client = world.client("iam", "developer", config=Config(user_agent=HOSTILE))
    request_id, _ = refused(client.create_user, UserName="x", Tags=[{"Key": "a", "Value": "b"}])
    for path in ("", "/decisions", f"/decisions/{request_id}", f"/decisions?principal={HOSTILE}"):
        text = browser.get(CONSOLE + path).text
        assert HOSTILE not in text
        assert "<b>x" not in text
        assert Scan(text).inline == []
    text = browser.get(f"{CONSOLE}/decisions/{request_id}").text
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text


def test_pages_run_and_load_nothing_but_the_console_s_files(world: Any, browser: Any) -> None:
    request_id = refusal(world)
    for path in ("", "/", "/decisions", f"/decisions/{request_id}", "/no-such-page", "/decisions/none"):
        page = browser.get(CONSOLE + path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        found = Scan(page.text)
        assert found.inline == []
        assert found.loaded == FILES
        for file in found.loaded:
            assert browser.get(file).status_code == 200


@pytest.mark.parametrize(
    "path", ["/no-such-page", "/decisions/none", "/static/none.css", "/static/..%2fcontrol.py", "//"]
)
def test_an_unknown_page_is_not_found(browser: Any, path: str) -> None:
    assert browser.get(CONSOLE + path).status_code == 404


def test_a_page_without_a_form_takes_none(browser: Any) -> None:
    for path in ("", "/decisions"):
        assert browser.post(CONSOLE + path).status_code == 405


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example.com"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example.com"}]
)
def test_other_sites_see_nothing(browser: Any, headers: dict[str, str]) -> None:
    for path in ("", "/decisions", "/static/console.js"):
        assert browser.get(CONSOLE + path, headers=headers).status_code == 403


def test_other_machines_see_nothing(browser: Any) -> None:
    assert browser.get(CONSOLE, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_a_sandbox_without_a_log_says_so(world: Any) -> None:
    plain = world.application.test_client()
    assert "There is no decision log" in plain.get(CONSOLE).text
    assert plain.get(f"{CONSOLE}/decisions").status_code == 404
