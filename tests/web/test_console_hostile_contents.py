"""Hostile names, texts and parameters are text on the pages of Chime, federation, time and least privilege."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from console_contents import Contents, fill
from console_visits import CONSOLE, Scan, post
from console_worlds import ANA, DEPLOY, HUB, TWO_ACCOUNTS
from logged_worlds import keep_log

SCRIPT = "<script>alert(1)</script>"
BREAKER = "\"'><img src=x onerror=alert(1)>{{7*7}}"
# ExternalUserId and ExternalMeetingId take 64 characters, and no control characters.
NAME = f"{SCRIPT}{BREAKER}"[:64]
UNCHECKED = Config(parameter_validation=False)


@pytest.fixture
def hostile(make_world: Any) -> Any:
    world = make_world(TWO_ACCOUNTS)
    keep_log(world)
    world.clock.freeze()
    return world


@pytest.fixture
def contents(hostile: Any) -> Contents:
    made = fill(lambda service: hostile.client(service, "admin", config=UNCHECKED), NAME)
    hostile.application.sandbox.faults.add(
        service="iam", error="Throttling", message=f"{SCRIPT} {BREAKER}", principal=f"arn:{SCRIPT}{BREAKER}"
    )
    messaging = hostile.client("chime-sdk-messaging", "admin")
    messaging.tag_resource(ResourceARN=made.channel, Tags=[{"Key": SCRIPT, "Value": BREAKER}])
    with pytest.raises(ClientError):
        hostile.client("iam", "ana", config=Config(user_agent=SCRIPT)).delete_role(RoleName="a")
    hostile.client("iam", "admin").put_user_policy(
        UserName="ana",
        PolicyName="own",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Action": "iam:GetUser",
                    "Resource": f"arn:aws:iam::{HUB}:user/{SCRIPT}{BREAKER}",
                },
            }
        ),
    )
    return made


def pages(contents: Contents) -> list[str]:
    at = {"account": HUB, "region": SCRIPT, "kind": BREAKER, "id": SCRIPT, "after": BREAKER, "before": SCRIPT}
    return [
        *contents.pages(HUB).values(),
        f"/chime?{urlencode({'account': SCRIPT})}",
        f"/chime?{urlencode({'after': SCRIPT})}",
        f"/chime/account?{urlencode({'account': SCRIPT, 'id': BREAKER})}",
        f"/chime/resources?{urlencode({**at, 'after': ''})}",
        f"/chime/resources?{urlencode(at)}",
        f"/chime/resource?{urlencode(at)}",
        "/federation",
        "/time",
        "/least-privilege",
        f"/least-privilege?{urlencode({'principal': SCRIPT, 'since': BREAKER})}",
        f"/least-privilege?{urlencode({'principal': ANA, 'since': BREAKER})}",
        f"/least-privilege?{urlencode({'principal': ANA, 'include_refused': SCRIPT})}",
    ]


def check(page: Any) -> None:
    assert page.status_code < 500
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    if page.mimetype != "text/html":
        assert page.mimetype == "application/json"
        return
    assert SCRIPT not in page.text
    assert "<img" not in page.text
    # What a template shows of a method, instead of a value with the same name.
    assert "built-in method" not in page.text
    found = Scan(page.text)
    assert found.inline == []
    assert all(address.startswith(f"{CONSOLE}/static/") for address in found.loaded)
    assert len(found.tokens) == found.posts


def test_hostile_texts_are_text_on_every_page(hostile: Any, contents: Contents) -> None:
    browser = hostile.application.test_client()
    shown = 0
    for path in pages(contents):
        for form in (path, f"{path}{'&' if '?' in path else '?'}format=json"):
            page = browser.get(CONSOLE + form)
            check(page)
            shown += page.text.count("&lt;script&gt;") if page.mimetype == "text/html" else 0
    # They are shown, and not left out.
    assert shown > 40


@pytest.mark.parametrize("text", [SCRIPT, BREAKER, f"</textarea>{SCRIPT}", "\ud800", "a\x00b\x1b[31m", "x" * 70_000])
def test_hostile_forms_come_back_as_text(hostile: Any, contents: Contents, text: str) -> None:
    browser = hostile.application.test_client()
    token = {"issuer": "ci", "subject": text, "audience": text, "claims": f"a={text}", "lifetime": text, "shape": text}
    saml = {"idp": "corp", "role": text, "provider": text, "session_name": text, "tags": text, "attributes": text}
    fault = dict.fromkeys(
        ("kind", "service", "operation", "principal", "region", "error", "message", "status", "times", "seed"), text
    )
    forms: list[tuple[str, dict[str, str]]] = [
        ("/federation/sign-in", {"principal": text}),
        ("/federation/token", token),
        ("/federation/token", {"issuer": text}),
        ("/federation/token", {"issuer": "ci", "subject": text, "claims": f"a={text}"}),
        ("/federation/assertion", saml),
        ("/federation/assertion", {**saml, "tags": f"a={text}", "attributes": "", "assertion_subject": text}),
        ("/federation/assertion", {**saml, "idp": text}),
        ("/time/clock", {"change": text}),
        ("/time/faults", fault),
        ("/time/faults", {"error": "Throttling", "message": text}),
        ("/time/faults/remove", {"id": text}),
        ("/time/load", {"confirm": text}),
        ("/time/reset", {"confirm": text}),
        ("/time/snapshot", {"last_used": text}),
        ("/chime/account/secret", {"account": text, "chime_account": text, "user": text, "bot": text}),
        ("/chime/resource/secret", {"account": text, "region": text, "kind": text, "id": text}),
    ]
    for path, given in forms:
        page = post(browser, path, "/time", **{name: each.encode("utf-8", "replace") for name, each in given.items()})
        if page.status_code != 303 and page.mimetype != "application/yaml":
            check(page)
    check(browser.get(f"{CONSOLE}/time"))


def test_the_commands_of_a_hostile_form_are_quoted_for_the_shell(hostile: Any, contents: Contents) -> None:
    browser = hostile.application.test_client()
    page = post(browser, "/federation/token", "/federation", issuer="ci", subject="a'; touch x; '$(id)`id`")
    command = page.text.split('id="command"', 1)[1].split(">", 1)[1].split("</pre>", 1)[0]
    assert "--subject &#39;a&#39;&#34;&#39;&#34;&#39;; touch x; &#39;&#34;&#39;&#34;&#39;$(id)`id`&#39;" in command
    page = post(browser, "/federation/token", "/federation", issuer="-rf")
    assert page.status_code in (200, 400)
    assert DEPLOY in browser.get(f"{CONSOLE}/federation").text
