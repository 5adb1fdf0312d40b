"""Every form of the console's pages of Chime, federation, time and faults is for the visitor alone who opened it.

Without the form's token, from another site, from another machine or without the control token of a shared sandbox,
a form does nothing and shows nothing.
"""

from __future__ import annotations

import io
from html import unescape
from typing import Any

import pytest
from console_contents import Contents, fill
from console_visits import CONSOLE, form_token, post
from console_worlds import DEPLOY, HUB, TWO_ACCOUNTS
from sso_calls import registered, started

from rolecall.app import application_over
from rolecall.settings import MAXIMUM_SNAPSHOT_BYTES
from rolecall.web.body_limits import FORM_AROUND_BYTES
from rolecall.web.console import chime, chime_resources, federation, least_privilege, time_and_faults
from rolecall.web.control_access import control_access
from rolecall.web.origins import admission_of

CONTROL_TOKEN = "a-control-token-of-the-team"
PLACE = {"account": HUB, "region": "us-east-1"}
# Each form with what it needs to be carried out. The test of the forms' list finds one that is missing here.
FORMS: dict[str, dict[str, Any]] = {
    "/chime/account/secret": {"account": HUB, "chime_account": "ACCOUNT", "user": "USER"},
    "/chime/resource/secret": {**PLACE, "kind": "chime-sdk-meetings/attendee", "id": "ATTENDEE"},
    "/federation/sign-in": {"principal": "role/gateway"},
    "/federation/device": {"user_code": "CODE", "user": "ana"},
    "/federation/token": {"issuer": "ci"},
    "/federation/assertion": {
        "idp": "corp",
        "role": DEPLOY,
        "provider": f"arn:aws:iam::{HUB}:saml-provider/corp",
        "session_name": "ana",
    },
    "/time/clock": {"change": "+1h"},
    "/time/faults": {"service": "sts", "error": "Throttling"},
    "/time/faults/remove": {"id": "RULE"},
    "/time/faults/clear": {},
    "/time/snapshot": {},
    "/time/load": {"confirm": "yes", "file": "SNAPSHOT"},
    "/time/reset": {"confirm": "yes"},
}
# What only a form that was carried out answers.
SHOWN = ("JoinToken", 'id="minted"', 'id="secret"', "SigninToken", "access_keys:")


@pytest.fixture
def world(make_world: Any) -> Any:
    world = make_world(TWO_ACCOUNTS)
    world.clock.freeze()
    world.application.sandbox.faults.add(kind="delay", service="chime", operation="GetAccount", delay_seconds=0.001)
    return world


@pytest.fixture
def contents(world: Any) -> Contents:
    return fill(lambda service: world.client(service, "admin"))


def fields(world: Any, contents: Contents, path: str) -> dict[str, Any]:
    """The fields of a form, with the ids of this sandbox."""
    ids = {
        "ACCOUNT": contents.account,
        "USER": contents.user,
        "ATTENDEE": contents.attendee,
        "CODE": started(world, registered(world))["userCode"],
        "RULE": world.application.sandbox.faults.rules[0]["id"],
    }
    given = {name: ids.get(value, value) for name, value in FORMS[path].items()}
    if given.get("file") == "SNAPSHOT":
        given["file"] = (io.BytesIO(b"version: 1\naccounts: [{id: '111122223333'}]\n"), "snapshot.yaml")
    return given


def state(world: Any) -> tuple[str, float, list[dict[str, Any]]]:
    sandbox = world.application.sandbox
    return sandbox.save(), sandbox.clock.now_seconds(), sandbox.faults.rules


def check_nothing_was_done(world: Any, before: Any, answer: Any, status: int) -> None:
    assert answer.status_code == status
    assert not [text for text in (*SHOWN, "Location") if text in answer.text + str(answer.headers)]
    assert state(world) == before


def test_the_list_of_forms_is_complete() -> None:
    modules = (chime, chime_resources, federation, least_privilege, time_and_faults)
    pages = [page for module in modules for page in module.PAGES]
    assert {page.rule for page in pages if page.act} == set(FORMS)
    assert not [page.rule for page in pages if page.act and page.show]
    assert not [page.rule for page in pages if page.is_open]


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_carried_out_for_its_visitor(world: Any, contents: Contents, path: str) -> None:
    """So that the refusals below are refusals for their own reason."""
    answer = post(world.application.test_client(), path, "/time", **fields(world, contents, path))
    assert answer.status_code in (200, 303)


@pytest.mark.parametrize("token", [None, "", "x"])
def test_a_form_without_its_token_does_nothing(world: Any, contents: Contents, token: str | None) -> None:
    browser = world.application.test_client()
    browser.get(f"{CONSOLE}/time")
    before = state(world)
    for path in FORMS:
        data = {**fields(world, contents, path), **({} if token is None else {"form_token": token})}
        check_nothing_was_done(world, before, browser.post(CONSOLE + path, data=data), 400)


def test_the_token_of_another_browser_does_nothing(world: Any, contents: Contents) -> None:
    other = form_token(world.application.test_client(), "/time")
    browser = world.application.test_client()
    browser.get(f"{CONSOLE}/time")
    before = state(world)
    for path in FORMS:
        data = {**fields(world, contents, path), "form_token": other}
        check_nothing_was_done(world, before, browser.post(CONSOLE + path, data=data), 400)


@pytest.mark.parametrize(
    "sender",
    [
        {"headers": {"Origin": "https://evil.example.com"}},
        {"headers": {"Origin": "null"}},
        {"headers": {"Sec-Fetch-Site": "cross-site"}},
        {"headers": {"Host": "evil.example.com"}},
        {"environ_base": {"REMOTE_ADDR": "192.0.2.1"}},
    ],
    ids=["origin", "null", "fetch", "host", "machine"],
)
def test_a_form_of_another_site_or_machine_does_nothing(
    world: Any, contents: Contents, sender: dict[str, dict[str, str]]
) -> None:
    browser = world.application.test_client()
    token = form_token(browser, "/time")
    before = state(world)
    for path in FORMS:
        data = {**fields(world, contents, path), "form_token": token}
        check_nothing_was_done(world, before, browser.post(CONSOLE + path, data=data, **sender), 403)


def shared(world: Any) -> Any:
    """A browser of another machine at a sandbox with a control token."""
    world.application = application_over(
        world.database, world.declared, world.clock, admission=admission_of(control=control_access(CONTROL_TOKEN))
    )
    browser = world.application.test_client()
    browser.environ_base["REMOTE_ADDR"] = "192.0.2.1"
    return browser


def test_a_shared_sandbox_asks_for_the_control_token_first(world: Any, contents: Contents) -> None:
    browser = shared(world)
    token = form_token(browser)
    before = state(world)
    for path in FORMS:
        data = {**fields(world, contents, path), "form_token": token}
        check_nothing_was_done(world, before, browser.post(CONSOLE + path, data=data), 401)


def test_no_page_of_a_shared_sandbox_shows_anything_without_the_control_token(world: Any, contents: Contents) -> None:
    browser = shared(world)
    for path in (*contents.pages(HUB).values(), "/time", "/federation", "/least-privilege", "/chime?format=json"):
        page = browser.get(CONSOLE + path)
        assert page.status_code == 401
        assert "team" not in page.text.replace("of-the-team", "")


def test_with_the_control_token_a_visitor_of_another_machine_may_do_it(world: Any, contents: Contents) -> None:
    browser = shared(world)
    assert post(browser, "/sign-in", control_token=CONTROL_TOKEN).status_code == 303
    page = unescape(browser.get(f"{CONSOLE}/time").text)
    assert '/_rolecall/reset -H "Authorization: Bearer $ROLECALL_CONTROL_TOKEN"' in page
    assert CONTROL_TOKEN not in page
    assert post(browser, "/time/clock", "/time", change="+1h").status_code == 303
    assert post(browser, "/federation/token", "/federation", issuer="ci").status_code == 200
    # A reset does not sign the visitor out.
    assert post(browser, "/time/reset", "/time", confirm="yes").status_code == 303
    assert "The sandbox is as its file declares it." in browser.get(f"{CONSOLE}/time").text


def test_a_visitor_with_the_control_token_loads_snapshots_of_the_documented_size(world: Any) -> None:
    browser = shared(world)
    headers = {"REMOTE_ADDR": "192.0.2.1", "REQUEST_METHOD": "POST", "PATH_INFO": f"{CONSOLE}/time/load"}

    def limit(**more: str) -> int:
        names = ("rolecall-console-visitor", "rolecall-console-session")
        cookies = [(name, browser.get_cookie(name, path=CONSOLE)) for name in names]
        sent = "; ".join(f"{name}={each.value}" for name, each in cookies if each is not None)
        return int(world.application.body_limit({**headers, "HTTP_COOKIE": sent, **more}, 1000))

    form_token(browser)
    assert limit() == 1000
    post(browser, "/sign-in", control_token=CONTROL_TOKEN)
    assert limit() == MAXIMUM_SNAPSHOT_BYTES + FORM_AROUND_BYTES
    assert limit(HTTP_COOKIE="") == 1000
    assert limit(HTTP_COOKIE="rolecall-console-session=x") == 1000
    assert limit(PATH_INFO=f"{CONSOLE}/policies/one") == 1000
    # A session of the console proves nothing to the control endpoints.
    assert limit(PATH_INFO="/_rolecall/snapshot", REQUEST_METHOD="PUT") == 1000
    # Only addresses of --control-host may use the token at all.
    access = control_access(CONTROL_TOKEN, ["198.51.100.0/24"])
    world.application = application_over(
        world.database, world.declared, world.clock, admission=admission_of(control=access)
    )
    assert limit() == 1000
