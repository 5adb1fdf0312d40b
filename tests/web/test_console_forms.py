"""The console's forms: who may send one, and signing in on a shared sandbox."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from console_visits import CONSOLE, Scan, form_token, post

from rolecall.app import application_over
from rolecall.commands.serve import command
from rolecall.errors import AwsError
from rolecall.gateway import Gateway
from rolecall.http import HttpRequest
from rolecall.settings import ServerSettings
from rolecall.web.control_access import control_access
from rolecall.web.origins import admission_of

TOKEN = "a-control-token-of-the-team"
KEY = "/keys/developer"
SECRET = "AWS_SECRET_ACCESS_KEY"


@pytest.fixture
def browser(world: Any) -> Any:
    return world.application.test_client()


def shared(world: Any, token: str = TOKEN) -> Any:
    """A browser of another machine at a sandbox that has a control token."""
    world.application = application_over(
        world.database, world.declared, world.clock, admission=admission_of(control=control_access(token))
    )
    client = world.application.test_client()
    client.environ_base["REMOTE_ADDR"] = "192.0.2.1"
    return client


def test_a_form_of_the_console_is_accepted(browser: Any) -> None:
    assert SECRET in post(browser, KEY).text
    assert post(browser, KEY).status_code == 200


def test_every_form_that_changes_something_has_the_token(browser: Any) -> None:
    found = Scan(browser.get(CONSOLE).text)
    assert found.posts > 1
    assert len(found.tokens) == found.posts


@pytest.mark.parametrize("token", [None, "", "x", "IngvIg.aZ.bad"])
def test_a_form_without_the_token_is_refused(browser: Any, token: str | None) -> None:
    browser.get(CONSOLE)
    answer = browser.post(CONSOLE + KEY, data={} if token is None else {"form_token": token})
    assert answer.status_code == 400
    assert SECRET not in answer.text


def test_the_token_of_another_browser_is_refused(world: Any, browser: Any) -> None:
    other = form_token(world.application.test_client())
    browser.get(CONSOLE)
    assert browser.post(CONSOLE + KEY, data={"form_token": other}).status_code == 400


def test_a_token_without_its_cookie_is_refused(world: Any, browser: Any) -> None:
    token = form_token(browser)
    assert world.application.test_client().post(CONSOLE + KEY, data={"form_token": token}).status_code == 400


def test_a_token_in_the_url_is_refused(browser: Any) -> None:
    assert browser.post(f"{CONSOLE}{KEY}?form_token={form_token(browser)}").status_code == 400


def test_an_old_form_is_refused(browser: Any) -> None:
    with time_machine.travel("2027-01-01T00:00:00Z", tick=False):
        token = form_token(browser)
    with time_machine.travel("2027-01-01T12:00:01Z", tick=False):
        assert browser.post(CONSOLE + KEY, data={"form_token": token}).status_code == 400
    with time_machine.travel("2027-01-01T11:59:00Z", tick=False):
        assert browser.post(CONSOLE + KEY, data={"form_token": token}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example.com"},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_token(browser: Any, headers: dict[str, str]) -> None:
    answer = browser.post(CONSOLE + KEY, data={"form_token": form_token(browser)}, headers=headers)
    assert answer.status_code == 403
    assert SECRET not in answer.text


def test_a_form_of_another_machine_is_refused(browser: Any) -> None:
    data = {"form_token": form_token(browser)}
    assert browser.post(CONSOLE + KEY, data=data, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_a_form_that_is_too_large_is_refused(browser: Any) -> None:
    data = {"form_token": form_token(browser), "x": "x" * 300_000}
    assert browser.post(CONSOLE + KEY, data=data).status_code == 413


def test_cookies_are_for_the_console_alone(browser: Any) -> None:
    for cookie in browser.get(CONSOLE).headers.getlist("Set-Cookie"):
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert f"Path={CONSOLE}" in cookie
        assert "Secure" not in cookie
    secure = browser.get(CONSOLE, base_url="https://localhost", headers={"Cookie": ""})
    assert all("Secure" in cookie for cookie in secure.headers.getlist("Set-Cookie"))


def test_a_browser_keeps_its_name(browser: Any) -> None:
    browser.get(CONSOLE)
    assert browser.get(CONSOLE).headers.getlist("Set-Cookie") == []
    # Scripts on another port of this machine can set cookies, and then the form's token must not become theirs.
    browser.set_cookie("rolecall-console-visitor", "<script>", path=CONSOLE)
    assert browser.get(CONSOLE).headers.getlist("Set-Cookie") != []


# A shared sandbox.


def test_without_the_control_token_nothing_is_shown(world: Any) -> None:
    browser = shared(world)
    for path in ("", "/decisions", "/no-such-page"):
        page = browser.get(CONSOLE + path)
        assert page.status_code == 401
        assert 'name="control_token"' in page.text
        assert "developer" not in page.text
        assert 'aria-label="Pages"' not in page.text
    assert browser.get(f"{CONSOLE}/static/console.css").status_code == 200
    answer = post(browser, KEY)
    assert answer.status_code == 401
    assert SECRET not in answer.text
    # This machine is asked for the token too.
    assert world.application.test_client().get(CONSOLE).status_code == 401


def test_signing_in_and_out(world: Any) -> None:
    browser = shared(world)
    answer = post(browser, "/sign-in", control_token=TOKEN)
    assert (answer.status_code, answer.headers["Location"]) == (303, CONSOLE)
    page = browser.get(CONSOLE)
    assert page.status_code == 200
    assert "You are signed in." in page.text
    assert "You are signed in." not in browser.get(CONSOLE).text
    assert SECRET in post(browser, KEY).text
    assert TOKEN not in page.text + str(browser.get_cookie("rolecall-console-session", path=CONSOLE))
    assert post(browser, "/sign-out").status_code == 303
    assert browser.get(CONSOLE).status_code == 401


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ä" * 20])
def test_a_wrong_control_token_opens_nothing(world: Any, given: str) -> None:
    browser = shared(world)
    answer = post(browser, "/sign-in", control_token=given)
    assert answer.status_code == 401
    assert "This is not the control token" in answer.text
    assert browser.get(CONSOLE).status_code == 401


def test_signing_in_needs_the_form_of_this_browser(world: Any) -> None:
    browser = shared(world)
    assert browser.post(f"{CONSOLE}/sign-in", data={"control_token": TOKEN}).status_code == 400
    assert browser.get(CONSOLE).status_code == 401


def test_a_session_ends_with_its_token_with_its_browser_and_with_time(world: Any) -> None:
    browser = shared(world)
    with time_machine.travel("2027-01-01T00:00:00Z", tick=False):
        post(browser, "/sign-in", control_token=TOKEN)
        session = browser.get_cookie("rolecall-console-session", path=CONSOLE).value
        assert browser.get(CONSOLE).status_code == 200
        thief = world.application.test_client()
        thief.set_cookie("rolecall-console-session", session, path=CONSOLE)
        assert thief.get(CONSOLE).status_code == 401
        other = shared(world, "another-token-of-the-team")
        for name in ("visitor", "session"):
            value = browser.get_cookie(f"rolecall-console-{name}", path=CONSOLE).value
            other.set_cookie(f"rolecall-console-{name}", value, path=CONSOLE)
        assert other.get(CONSOLE).status_code == 401
    with time_machine.travel("2027-01-01T12:00:01Z", tick=False):
        assert browser.get(CONSOLE).status_code == 401


def test_other_sites_and_control_endpoints_stay_closed(world: Any) -> None:
    browser = shared(world)
    post(browser, "/sign-in", control_token=TOKEN)
    assert browser.get(CONSOLE, headers={"Origin": "https://evil.example.com"}).status_code == 403
    assert browser.get(CONSOLE, headers={"Host": "evil.example.com"}).status_code == 403
    assert browser.get("/_rolecall/snapshot").status_code == 401


@pytest.mark.parametrize("token", ["short", "x" * 15, "ä" * 16])
def test_a_weak_control_token_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="needs 16 or more"):
        control_access(token)


def test_serve_refuses_a_weak_control_token() -> None:
    result = CliRunner().invoke(command, ["--control-token", "short", "--database", "memory"])
    assert result.exit_code == 2
    assert "needs 16 or more" in " ".join(result.output.split())
    assert "short" not in repr(ServerSettings("sqlite://", control_token="short"))


# Calls that a form makes.


def call_as_root(world: Any, service: str, operation: str, **parameters: Any) -> Any:
    gateway = Gateway(world.application.sandbox)
    request = HttpRequest("POST", "/", "", {"user-agent": "x"}, b"", scheme="http", remote_address="127.0.0.1")
    return gateway.call_as(
        lambda db, identities: identities.root(db, "111122223333"), service, operation, parameters, request
    )


def test_a_call_of_the_console_takes_the_road_of_every_call(world: Any) -> None:
    made = call_as_root(world, "iam", "CreateUser", UserName="made")
    assert made["User"]["Arn"] == "arn:aws:iam::111122223333:user/made"
    assert world.client("iam").get_user(UserName="made")["User"]["UserName"] == "made"
    logged = next(each for each in world.outcomes if each.operation == "CreateUser")
    assert logged.caller.principal.arn == "arn:aws:iam::111122223333:root"
    assert (logged.status, logged.error, logged.user_agent) == (200, None, "x")


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("CreateUser", {"UserName": "developer"}, "EntityAlreadyExists"),
        ("CreateUser", {"UserName": "a b"}, "ValidationError"),
        ("CreateUser", {"UserName": "x" * 65}, "ValidationError"),
        ("GetUser", {"UserName": "nobody"}, "NoSuchEntity"),
    ],
)
def test_a_call_of_the_console_is_refused_as_every_call(
    world: Any, operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(AwsError) as refused:
        call_as_root(world, "iam", operation, **parameters)
    assert refused.value.code == code
    assert world.outcomes[-1].error.code == code
    assert world.outcomes[-1].status in (400, 404, 409)


def test_an_operation_that_needs_a_proof_cannot_be_called_so(world: Any) -> None:
    given = {"RoleArn": "arn:aws:iam::111122223333:role/x", "RoleSessionName": "abc", "WebIdentityToken": "x.y.z"}
    with pytest.raises(AwsError) as refused:
        call_as_root(world, "sts", "AssumeRoleWithWebIdentity", **given)
    assert refused.value.code == "NotImplemented"
