"""The pages on which a user approves a program: what they refuse, what they show, and what they never do."""

from __future__ import annotations

from typing import Any

import pytest
from sso_calls import (
    CHALLENGE,
    DEVICE_GRANT,
    WORLD,
    by_code_client,
    hidden_of,
    oidc,
    refused,
    registered,
    started,
)

DEVICE = "/_rolecall/sso/device"
AUTHORIZE = "/_rolecall/sso/authorize"
APPROVE = "/_rolecall/sso/approve"
HOSTILE = "<script>alert(1)</script>"
CALLBACK = "http://127.0.0.1:8400/oauth/callback"


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def browser(world: Any) -> Any:
    return world.application.test_client()


def asked(client: dict[str, str], **other: str) -> dict[str, str]:
    wanted = {
        "response_type": "code",
        "client_id": client["clientId"],
        "redirect_uri": CALLBACK,
        "state": "x&y=1",
        "code_challenge_method": "S256",
        "code_challenge": CHALLENGE,
        **other,
    }
    return {name: value for name, value in wanted.items() if value}


def is_pending(world: Any, client: dict[str, str], device: dict[str, Any]) -> bool:
    answer = refused(
        oidc(world).create_token,
        "AuthorizationPendingException",
        400,
        **client,
        grantType=DEVICE_GRANT,
        deviceCode=device["deviceCode"],
    )
    return bool(answer["error"] == "authorization_pending")


# A device.


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "rolecall.example.com"},
    ],
)
def test_other_sites(world: Any, browser: Any, headers: dict[str, str]) -> None:
    """A page of another site can neither load the pages nor send their forms."""
    client = registered(world)
    device = started(world, client)
    form = {**hidden_of(browser.get(DEVICE, query_string={"user_code": device["userCode"]}).text), "user": "ana"}
    assert browser.post(DEVICE, data={**form, "decision": "allow"}, headers=headers).status_code == 403
    assert browser.get(DEVICE, headers=headers).status_code == 403
    assert browser.get("/authorize", query_string=asked(client), headers=headers).status_code == 403
    assert (
        browser.post(APPROVE, json={"user_code": device["userCode"], "user": "ana"}, headers=headers).status_code == 403
    )
    assert is_pending(world, client, device)


def test_another_machine(browser: Any) -> None:
    for path in (DEVICE, "/authorize"):
        assert browser.get(path, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_a_form_of_another_browser_or_request(world: Any, browser: Any) -> None:
    client = registered(world)
    device, second = started(world, client), started(world, client)
    form = hidden_of(browser.get(DEVICE, query_string={"user_code": device["userCode"]}).text)
    given = {**form, "user": "ana", "decision": "allow"}
    other = world.application.test_client()
    assert other.post(DEVICE, data=given).status_code == 400
    other.get(DEVICE, query_string={"user_code": device["userCode"]})
    assert other.post(DEVICE, data=given).status_code == 400
    assert browser.post(DEVICE, data={**given, "user_code": second["userCode"]}).status_code == 400
    for form_value in ("", "x", form["form"][:-1]):
        assert browser.post(DEVICE, data={**given, "form": form_value}).status_code == 400
    world.clock.advance(900)
    assert browser.post(DEVICE, data=given).status_code == 400
    world.clock.advance(-900)
    assert is_pending(world, client, device)
    assert browser.post(DEVICE, data={**given, "user": "unknown"}).status_code == 400
    assert browser.post(DEVICE, data=given).status_code == 200
    assert browser.post(DEVICE, data=given).status_code == 400


def test_codes_that_nobody_can_approve(world: Any, browser: Any) -> None:
    client = registered(world)
    device = started(world, client)
    assert browser.get(DEVICE).status_code == 200
    assert browser.get(DEVICE, query_string={"user_code": "BBBB-BBBB"}).status_code == 400
    assert (
        browser.get(DEVICE, query_string={"user_code": device["userCode"].lower().replace("-", "")}).status_code == 200
    )
    world.clock.advance(600)
    assert browser.get(DEVICE, query_string={"user_code": device["userCode"]}).status_code == 400


def test_the_page_shows_what_is_granted(world: Any, browser: Any) -> None:
    device = started(world, registered(world, clientName=HOSTILE))
    page = browser.get(DEVICE, query_string={"user_code": device["userCode"]})
    assert HOSTILE not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    for text in (
        device["userCode"],
        "sso:account:access",
        "Developer in account 111122223333",
        "Audit in account 444455556666",
    ):
        assert text in page.text
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    cookie = page.headers["Set-Cookie"]
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/_rolecall/sso"):
        assert attribute in cookie


def test_denying_on_the_page(world: Any, browser: Any) -> None:
    client = registered(world)
    device = started(world, client)
    form = hidden_of(browser.get(DEVICE, query_string={"user_code": device["userCode"]}).text)
    assert "denied" in browser.post(DEVICE, data={**form, "user": "ana", "decision": "deny"}).text
    refused(
        oidc(world).create_token,
        "AccessDeniedException",
        400,
        **client,
        grantType=DEVICE_GRANT,
        deviceCode=device["deviceCode"],
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_code": "x"},
        {"user": "ana"},
        {"user_code": "x", "user": 1},
        {"user_code": "x", "deny": False},
        {"user_code": "x", "deny": True, "user": "ana"},
        {"user_code": "x", "user": "ana", "more": 1},
        [],
    ],
)
def test_decisions_without_a_browser_that_make_no_sense(browser: Any, body: Any) -> None:
    assert browser.post(APPROVE, json=body).status_code == 400


def test_a_decision_without_a_browser(world: Any, browser: Any) -> None:
    device = started(world, registered(world))
    unknown = browser.post(APPROVE, json={"user_code": device["userCode"], "user": "unknown"})
    assert (unknown.status_code, unknown.json["message"]) == (
        400,
        "The directory of IAM Identity Center has no user 'unknown'.",
    )
    answer = browser.post(APPROVE, json={"user_code": device["userCode"], "user": "ANA"})
    assert (answer.status_code, answer.json) == (200, {"status": "approved", "user": "ANA"})
    assert browser.post(APPROVE, json={"user_code": device["userCode"], "user": "ana"}).status_code == 400


# A code by redirect.


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "",
        "http://127.0.0.1:8400/other",
        "http://127.0.0.1:8400/oauth/callback?x=1",
        "http://127.0.0.1:8400/oauth/callback#x",
        "https://127.0.0.1:8400/oauth/callback",
        "http://127.0.0.1.evil.example/oauth/callback",
        "http://127.0.0.1@evil.example/oauth/callback",
        "http://evil.example\\@127.0.0.1/oauth/callback",
        "http://localhost:8400/oauth/callback",
        "http://127.0.0.1:99999999/oauth/callback",
        "//127.0.0.1/oauth/callback",
    ],
)
def test_a_redirect_that_the_client_did_not_register(world: Any, browser: Any, redirect_uri: str) -> None:
    """The browser is sent nowhere."""
    page = browser.get("/authorize", query_string=asked(by_code_client(world), redirect_uri=redirect_uri))
    assert page.status_code == 400
    assert "Location" not in page.headers


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "unsupported_response_type"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scopes": "sso:account:access other"}, "invalid_scope"),
    ],
)
def test_requests_that_go_back_with_an_error(world: Any, browser: Any, parameters: Any, error: str) -> None:
    answer = browser.get("/authorize", query_string=asked(by_code_client(world), **parameters))
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{CALLBACK}?error={error}&state=x%26y%3D1"


def test_an_unknown_client(world: Any, browser: Any) -> None:
    assert browser.get("/authorize", query_string=asked({"clientId": "unknown"})).status_code == 400
    device_only = registered(world, grantTypes=[DEVICE_GRANT], redirectUris=["http://127.0.0.1/oauth/callback"])
    answer = browser.get("/authorize", query_string=asked(device_only))
    assert answer.headers["Location"] == f"{CALLBACK}?error=unauthorized_client&state=x%26y%3D1"


def test_denying_goes_back_with_an_error(world: Any, browser: Any) -> None:
    page = browser.get("/authorize", query_string=asked(by_code_client(world)))
    assert "form-action 'self' http://127.0.0.1:8400;" in page.headers["Content-Security-Policy"]
    form = {**hidden_of(page.text), "state": "x&y=1", "user": "ana"}
    answer = browser.post(AUTHORIZE, data={**form, "decision": "deny"})
    assert answer.headers["Location"] == f"{CALLBACK}?error=access_denied&state=x%26y%3D1"


def test_a_form_with_other_parameters(world: Any, browser: Any) -> None:
    page = browser.get("/authorize", query_string=asked(by_code_client(world)))
    form = {**hidden_of(page.text), "state": "x&y=1", "user": "ana", "decision": "allow"}
    for other in ({"state": "z"}, {"code_challenge": "w" * 43}, {"redirect_uri": "http://127.0.0.1:1/oauth/callback"}):
        assert browser.post(AUTHORIZE, data={**form, **other}).status_code == 400
    assert world.application.test_client().post(AUTHORIZE, data=form).status_code == 400
    assert "code=" in browser.post(AUTHORIZE, data=form).headers["Location"]


def test_a_client_cannot_decide_for_the_user(world: Any, browser: Any) -> None:
    client = by_code_client(world)
    page = browser.get("/authorize", query_string={**asked(client), "user": "bob", "decision": "allow", "form": "x"})
    hidden = hidden_of(page.text)
    assert {"user", "decision"}.isdisjoint(hidden)
    assert hidden["form"] != "x"
    answer = browser.post(AUTHORIZE, data={**hidden, "state": "x&y=1", "user": "ana", "decision": "deny"})
    assert "error=access_denied" in answer.headers["Location"]
