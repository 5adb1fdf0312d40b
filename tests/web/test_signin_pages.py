"""The pages of Sign-In: whom they refuse, what they show, and where they send the browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from logged_worlds import keep_log
from signin_calls import (
    ACCOUNT,
    CALLBACK,
    CROSS_DEVICE,
    WORLD,
    Program,
    approved,
    asked,
    authorize_url,
    claims_of,
    code_shown,
    credentials_of,
    hidden_of,
    needs_the_model,
)
from yaml_tables import read_table

pytestmark = needs_the_model

PAGE, FORM, APPROVE = "/v1/authorize", "/_rolecall/signin/authorize", "/_rolecall/signin/approve"
HERE = "http://localhost/v1/sessions/confirmation"
REQUESTS = read_table((Path(__file__).parent / "cases" / "authorization_requests.yaml").read_text())
ANA = f"arn:aws:iam::{ACCOUNT}:user/team/ana"


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture(scope="module")
def unchanged(make_shared_world: Any) -> Any:
    return make_shared_world(WORLD)


@pytest.fixture
def browser(world: Any) -> Any:
    return world.application.test_client()


def opened(browser: Any, **changed: str) -> dict[str, str]:
    """The hidden fields of the page's form."""
    page = browser.get(PAGE, query_string=asked(**changed))
    assert page.status_code == 200, page.text
    return {**hidden_of(page.text), "state": "x&y=1"}


def decided(browser: Any, principal: str = ANA, decision: str = "allow", **changed: str) -> Any:
    return browser.post(FORM, data={**opened(browser, **changed), "principal": principal, "decision": decision})


@pytest.mark.parametrize("changed", REQUESTS["refused"].values(), ids=REQUESTS["refused"])
def test_requests_that_no_principal_can_approve(unchanged: Any, changed: dict[str, str]) -> None:
    """API reference: 400. The browser is sent nowhere."""
    browser = unchanged.application.test_client()
    answer = browser.get(PAGE, query_string=asked(**changed))
    assert (answer.status_code, "Location" in answer.headers) == (400, False)
    posted = browser.post(FORM, data={**asked(**changed), "principal": ANA, "decision": "allow"})
    assert (posted.status_code, "Location" in posted.headers) == (400, False)
    body = {"url": authorize_url(**changed), "principal": "user/ana"}
    assert browser.post(APPROVE, json=body).status_code == 400


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_pages_of_other_sites(browser: Any, headers: dict[str, str]) -> None:
    """A link may open the page, but a page of another site may not send its form."""
    form = opened(browser)
    assert browser.post(FORM, data={**form, "principal": ANA, "decision": "allow"}, headers=headers).status_code == 403
    assert browser.post(APPROVE, json={"url": authorize_url(), "principal": "root"}, headers=headers).status_code == 403


def test_another_machine(browser: Any) -> None:
    for path in (PAGE, "/v1/sessions/confirmation"):
        assert browser.get(path, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403
    assert browser.post(APPROVE, json={}, environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 403


def test_a_form_of_another_browser_or_request(world: Any, browser: Any) -> None:
    form = {**opened(browser), "principal": ANA, "decision": "allow"}
    other = world.application.test_client()
    assert other.post(FORM, data=form).status_code == 400
    opened(other)
    assert other.post(FORM, data=form).status_code == 400
    for changed in (
        {"state": "z"},
        {"code_challenge": "w" * 43},
        {"redirect_uri": "http://127.0.0.1:1/oauth/callback"},
        {"form": "x"},
        {"form": ""},
    ):
        assert browser.post(FORM, data={**form, **changed}).status_code == 400
    world.clock.advance(900)
    assert browser.post(FORM, data=form).status_code == 400
    world.clock.advance(-900)
    assert browser.post(FORM, data={**form, "principal": "user/unknown"}).status_code == 400
    assert "code=" in browser.post(FORM, data=form).headers["Location"]


def test_a_program_cannot_decide_for_the_user(browser: Any) -> None:
    page = browser.get(PAGE, query_string={**asked(), "principal": "root", "decision": "allow", "form": "x"})
    hidden = hidden_of(page.text)
    assert {"principal", "decision", "other"}.isdisjoint(hidden)
    assert hidden["form"] != "x"


def test_denying(browser: Any) -> None:
    answer = decided(browser, decision="deny")
    assert answer.headers["Location"] == f"{CALLBACK}?error=access_denied&state=x%26y%3D1"


def test_a_principal_without_the_permission(world: Any, browser: Any) -> None:
    """RFC 6749, section 4.1.2.1. The program learns nothing but the refusal, and the log has the decision."""
    answer = decided(browser, "user/plain")
    given = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    resource = f"arn:aws:signin:us-east-1:{ACCOUNT}:oauth2/public-client/localhost"
    assert given == {
        "error": "access_denied",
        "error_description": f"User: arn:aws:iam::{ACCOUNT}:user/plain is not authorized to perform: "
        f"signin:AuthorizeOAuth2Access on resource: {resource} because no identity-based policy allows the "
        "signin:AuthorizeOAuth2Access action",
        "state": "x&y=1",
    }
    logged = world.outcomes[-1]
    assert (logged.service, logged.operation, logged.status) == ("signin", "AuthorizeOAuth2Access", 403)
    assert [each.allowed for each in logged.decisions] == [False]


@pytest.mark.parametrize(
    ("key", "value"),
    [("signin:OAuthRedirectUri", CALLBACK), ("signin:OAuthClientId", asked()["client_id"])],
)
def test_the_condition_keys(world: Any, key: str, value: str) -> None:
    statement = {"Effect": "Deny", "Action": "signin:*", "Resource": "*", "Condition": {"StringEquals": {key: value}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.client("iam").put_user_policy(UserName="ana", PolicyName="own", PolicyDocument=policy)
    assert "explicit deny" in approved(world)["error_description"]


def test_the_other_client_is_another_resource(world: Any, browser: Any) -> None:
    """AWS CLI User Guide: policies tell aws login and aws login --remote apart."""
    resource = "arn:aws:signin:*:*:oauth2/public-client/localhost"
    statement = {"Effect": "Deny", "Action": "signin:*", "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.client("iam").put_user_policy(UserName="ana", PolicyName="own", PolicyDocument=policy)
    assert "error=access_denied" in decided(browser).headers["Location"]
    remote = {"client_id": CROSS_DEVICE, "redirect_uri": HERE}
    assert "code=" in decided(browser, **remote).headers["Location"]


def test_the_page(browser: Any) -> None:
    page = browser.get(PAGE, query_string=asked(state="<script>"))
    assert "<script>" not in page.text
    for text in (CALLBACK, ANA, f"arn:aws:iam::{ACCOUNT}:role/app", f"arn:aws:iam::{ACCOUNT}:root", "every permission"):
        assert text in page.text
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "form-action 'self' http://127.0.0.1:8400;" in policy
    assert "frame-ancestors 'none'" in policy
    for attribute in ("HttpOnly", "SameSite=Strict", "Path=/_rolecall/signin"):
        assert attribute in page.headers["Set-Cookie"]


@pytest.mark.parametrize(
    ("fields", "arn"),
    [
        ({"principal": ANA}, ANA),
        ({"principal": ANA, "other": " root "}, f"arn:aws:iam::{ACCOUNT}:root"),
        ({"principal": f"arn:aws:iam::{ACCOUNT}:role/app"}, f"arn:aws:sts::{ACCOUNT}:assumed-role/app/rolecall"),
        ({"principal": "role/app", "session_name": "ana"}, f"arn:aws:sts::{ACCOUNT}:assumed-role/app/ana"),
    ],
)
def test_signing_in_on_this_device(world: Any, browser: Any, fields: dict[str, str], arn: str) -> None:
    answer = browser.post(FORM, data={**opened(browser), **fields, "decision": "allow"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(f"{CALLBACK}?code=")
    given = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert given["state"] == "x&y=1"
    assert claims_of(Program().redeems(world, given["code"])["idToken"])["sub"] == arn


@pytest.mark.parametrize("name", ["a", "a b", "x" * 65, "a/b"])
def test_a_session_name_that_no_role_can_have(browser: Any, name: str) -> None:
    fields = {**opened(browser), "principal": "role/app", "session_name": name, "decision": "allow"}
    assert browser.post(FORM, data=fields).status_code == 400


def test_signing_in_for_another_device(world: Any, browser: Any) -> None:
    """aws login --remote: the user copies what the page shows."""
    remote = {"client_id": CROSS_DEVICE, "redirect_uri": HERE}
    answer = decided(browser, **remote)
    page = browser.get(answer.headers["Location"])
    given = code_shown(page.text)
    assert given["state"] == "x&y=1"
    tokens = Program().redeems(world, given["code"], clientId=CROSS_DEVICE, redirectUri=HERE)
    assert claims_of(tokens["idToken"])["aud"] == CROSS_DEVICE
    denied = browser.get(decided(browser, decision="deny", **remote).headers["Location"])
    assert denied.status_code == 400
    assert "access_denied" in denied.text
    hostile = browser.get("/v1/sessions/confirmation", query_string={"error": "<script>"})
    assert "<script>" not in hostile.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"url": "x"},
        {"principal": "root"},
        {"url": 1, "principal": "root"},
        {"url": "http://127.0.0.1:4580/other", "principal": "root"},
        {"url": "http://[", "principal": "root"},
        {"url": "URL", "principal": ""},
        {"url": "URL", "deny": False},
        {"url": "URL", "deny": True, "principal": "root"},
        {"url": "URL", "principal": "root", "more": 1},
        {"url": "URL", "principal": "user/unknown"},
    ],
)
def test_decisions_without_a_browser_that_make_no_sense(unchanged: Any, body: Any) -> None:
    if isinstance(body, dict) and body.get("url") == "URL":
        body = {**body, "url": authorize_url()}
    assert unchanged.application.test_client().post(APPROVE, json=body).status_code == 400


def test_denying_without_a_browser(world: Any, browser: Any) -> None:
    answer = browser.post(APPROVE, json={"url": authorize_url(), "deny": True})
    assert (answer.status_code, answer.json) == (200, {"location": f"{CALLBACK}?error=access_denied&state=x%26y%3D1"})


def test_a_service_linked_role(make_world: Any) -> None:
    """Only its service can use it."""
    linked = "    service_linked_roles: [voiceconnector.chime.amazonaws.com]\n    roles:\n"
    world = make_world(WORLD.replace("    roles:\n", linked))
    browser = world.application.test_client()
    assert "AWSServiceRole" not in browser.get(PAGE, query_string=asked()).text
    names = [each["RoleName"] for each in world.client("iam").list_roles()["Roles"]]
    [name] = [each for each in names if each.startswith("AWSServiceRole")]
    refused = browser.post(APPROVE, json={"url": authorize_url(), "principal": f"role/{name}"})
    assert (refused.status_code, refused.json["message"]) == (
        400,
        "This user or role is gone, or belongs to a service.",
    )


def test_the_trail(world: Any) -> None:
    """Sign-In User Guide, "Monitoring OAuth activity": the events, and the session of what follows."""
    keep_log(world)
    tokens = Program().signs_in(world)
    world.client("sts", credentials=credentials_of(tokens)).get_caller_identity()
    [session] = world.client("signin").list_sessions(principalArn=f"arn:aws:iam::{ACCOUNT}:*")["items"]
    answer = world.application.test_client().get("/_rolecall/decisions?format=cloudtrail")
    records = {each["eventName"]: each for each in map(json.loads, answer.text.splitlines())}
    asking = records["AuthorizeOAuth2Access"]
    assert (asking["eventSource"], asking["eventType"]) == ("signin.amazonaws.com", "AwsApiCall")
    assert (asking["readOnly"], asking["responseElements"]) == (True, None)
    assert asking["requestParameters"] == {
        "client_id": asked()["client_id"],
        "redirect_uri": CALLBACK,
        "code_challenge_method": "SHA-256",
    }
    for name in ("AuthorizeOAuth2Access", "CreateOAuth2Token", "GetCallerIdentity"):
        assert (records[name]["userIdentity"]["type"], records[name]["userIdentity"]["userName"]) == ("IAMUser", "ana")
    context = records["GetCallerIdentity"]["userIdentity"]["sessionContext"]
    assert context["signInSessionArn"] == session["sessionArn"]
    assert "signInSessionArn" not in asking["userIdentity"]["sessionContext"]
