"""Hostile names, texts and parameters are text on every page of the console."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from botocore.config import Config
from console_visits import CONSOLE, Scan, post
from logged_worlds import keep_log, refused

SCRIPT = "<script>alert(1)</script>"
BREAKER = "\"'><img src=x onerror=alert(1)>{{7*7}}"
# IAM's paths take every printable character.
PATH = f"/{SCRIPT}{BREAKER.replace(' ', '+')}/"
HUB = "111122223333"
BAIT = f"arn:aws:iam::{HUB}:policy/bait"


def policy(principal: str = "") -> str:
    who = {"Principal": {"AWS": principal}, "Action": "sts:AssumeRole"} if principal else {"Action": "iam:CreateUser"}
    target = {} if principal else {"Resource": f"arn:aws:iam::{HUB}:user/{SCRIPT}{BREAKER}"}
    condition = {"StringEquals": {"aws:RequestTag/a": [SCRIPT, BREAKER]}}
    statement = {"Effect": "Allow", **who, **target, "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def hostile(world: Any) -> Any:
    """The built-in sandbox with hostile texts wherever IAM takes them."""
    keep_log(world)
    iam = world.client("iam")
    iam.create_user(UserName="mallory", Path=PATH)
    iam.put_user_policy(UserName="mallory", PolicyName="p", PolicyDocument=policy())
    iam.create_group(GroupName="gang", Path=PATH)
    iam.add_user_to_group(GroupName="gang", UserName="mallory")
    root = f"arn:aws:iam::{HUB}:root"
    iam.create_role(RoleName="trap", Path=PATH, Description=BREAKER, AssumeRolePolicyDocument=policy(root))
    iam.create_policy(PolicyName="bait", PolicyDocument=policy())
    iam.create_open_id_connect_provider(Url="https://idp.example.com", ClientIDList=[BREAKER[:40]])
    iam.put_user_policy(UserName="developer", PolicyName="p", PolicyDocument=policy())
    return world


def arn(kind: str, name: str) -> str:
    return f"arn:aws:iam::{HUB}:{kind}{PATH}{name}"


def pages(world: Any) -> list[str]:
    client = world.client("iam", "developer", config=Config(user_agent=SCRIPT + BREAKER))
    request_id, _ = refused(client.create_user, UserName="x", Tags=[{"Key": "a", "Value": "b"}])
    trap, bait, mallory = arn("role", "trap"), BAIT, arn("user", "mallory")
    one, edit = "/identities/one?arn=", "/policies/one?"
    asked = {"principal": SCRIPT, "action": BREAKER, "resource": SCRIPT, "context": BREAKER, "service": SCRIPT}
    every = {"account": SCRIPT, "name": BREAKER, "kind": SCRIPT, "after": BREAKER, "from": SCRIPT, "to": BREAKER}
    return [
        "",
        "/decisions",
        f"/decisions/{request_id}",
        f"/decisions?{urlencode({'principal': SCRIPT, 'action': BREAKER})}",
        "/identities",
        f"/identities?{urlencode({**every, 'account': HUB, 'kind': ''})}",
        f"/identities?{urlencode(every)}",
        *(one + quote(each) for each in (mallory, arn("group", "gang"), trap)),
        one + quote(f"arn:aws:iam::{HUB}:oidc-provider/idp.example.com"),
        f"{one}{quote(mallory)}&action={quote(SCRIPT + BREAKER)}",
        "/trust",
        f"/trust?{urlencode(every)}",
        f"/trust/edge?from={quote(f'arn:aws:iam::{HUB}:user/admin')}&to={quote(trap)}",
        "/policies",
        f"/policies?name={quote(BREAKER)}",
        f"{edit}arn={quote(bait)}",
        f"{edit}{urlencode({'arn': bait, **asked})}",
        f"{edit}owner={quote(mallory)}&name=p",
        f"{edit}owner={quote(trap)}&trust=yes",
        f"{edit}{urlencode({'owner': SCRIPT, 'name': BREAKER})}",
        f"/simulator?{urlencode(asked)}",
        f"/simulator?{urlencode({**asked, 'principal': 'user/developer', 'action': 'iam:CreateUser', 'context': ''})}",
        f"/{quote(SCRIPT)}",
        f"/words?start={quote(SCRIPT)}",
    ]


def check(page: Any) -> None:
    assert page.status_code < 500
    if page.mimetype != "text/html":
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        return
    assert SCRIPT not in page.text
    assert "<img" not in page.text
    found = Scan(page.text)
    assert found.inline == []
    assert all(address.startswith(f"{CONSOLE}/static/") for address in found.loaded)
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_hostile_texts_are_text_on_every_page(hostile: Any) -> None:
    browser = hostile.application.test_client()
    shown = 0
    for path in pages(hostile):
        page = browser.get(CONSOLE + path)
        check(page)
        shown += page.text.count("&lt;script&gt;")
    # They are shown, and not left out.
    assert shown > 50


def test_hostile_forms_come_back_as_text(hostile: Any) -> None:
    browser = hostile.application.test_client()
    path = f"/policies/one?arn={quote(BAIT)}"
    fields = {"principal": SCRIPT, "action": BREAKER, "resource": SCRIPT, "context": BREAKER}
    for document in (f"</textarea>{SCRIPT}", policy().replace("CreateUser", f"{SCRIPT}"), BREAKER):
        for button in ("check", "save", SCRIPT):
            page = post(browser, path, path, do=button, document=document, **fields)
            check(page)
            # AWS stores a policy that names an unknown action. Then the browser is sent on.
            assert page.status_code == 303 or "&lt;script&gt;" in page.text
    for target in (f"/keys/{quote(SCRIPT, safe='')}", f"/mfa-codes/{quote(SCRIPT)}"):
        check(post(browser, target))


def test_every_page_says_that_it_changes_nothing_by_itself(hostile: Any) -> None:
    """Every POST that a page offers carries the token."""
    browser = hostile.application.test_client()
    for path in pages(hostile):
        found = Scan(browser.get(CONSOLE + path).text)
        assert len(found.tokens) == found.posts


def test_the_file_of_others_is_unchanged_and_has_its_licence(world: Any) -> None:
    """The digest of dist/dagre.min.js in @dagrejs/dagre 3.1.3, from the npm registry."""
    browser = world.application.test_client()
    script = browser.get(f"{CONSOLE}/static/dagre.min.js")
    assert script.mimetype == "text/javascript"
    digest = "54a503e346f93ca0bb10abe7999587e037262935687aca45eb4e4b0f64bbb578"
    assert hashlib.sha256(script.data).hexdigest() == digest
    licence = browser.get(f"{CONSOLE}/static/dagre.min.js.LEGAL.txt")
    assert licence.mimetype == "text/plain"
    assert "Permission is hereby granted, free of charge" in licence.text
