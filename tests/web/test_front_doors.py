"""The front doors: which requests are Rolecall's own, and that the guard of a door stands before all of its pages."""

from __future__ import annotations

from typing import Any

import pytest

from rolecall.web.front_doors import FRONT_DOORS, is_page

# An issuer of this form may be an account's outbound issuer.
ISSUER_HOST = "b1a3cb0c-1a2b-3c4d-5e6f-112233445566.tokens.sts.global.api.aws"
HTML = {"HTTP_ACCEPT": "text/html"}


@pytest.mark.parametrize(
    ("path", "more", "expected"),
    [
        ("/_rolecall", {}, True),
        ("/_rolecall/", {}, True),
        ("/_rolecall/health", {}, True),
        ("/_rolecall/nothing/there", {}, True),
        ("/_rolecallers", {}, False),
        ("x_rolecall/health", {}, False),
        ("/accounts/_rolecall", {}, False),
        ("//_rolecall/health", {}, False),
        ("/federation", {}, True),
        ("/federation/", {}, False),
        ("/federation/below", {}, False),
        ("/.well-known/jwks.json", {}, False),
        ("/.well-known/jwks.json", {"HTTP_HOST": ISSUER_HOST}, True),
        ("/.well-known", {"HTTP_HOST": ISSUER_HOST}, False),
        ("/", {}, False),
        ("/", HTML, True),
        ("", HTML, False),
        ("*", HTML, False),
        ("//", HTML, False),
        ("/", {**HTML, "QUERY_STRING": "Action=GetCallerIdentity"}, False),
        ("/", {**HTML, "HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 …"}, False),
        ("/", {**HTML, "REQUEST_METHOD": "POST"}, False),
        ("/accounts/1/users", HTML, False),
    ],
)
def test_which_requests_come_to_a_front_door(path: str, more: dict[str, str], expected: bool) -> None:
    assert is_page({"REQUEST_METHOD": "GET", "PATH_INFO": path, "HTTP_HOST": "127.0.0.1:4580", **more}) is expected


def test_every_page_lies_behind_the_door_of_its_prefix(world: Any) -> None:
    prefixes = {door.name: door.prefix for door in FRONT_DOORS}
    rules = {(rule.endpoint.partition(".")[0], rule.rule) for rule in world.application.url_map.iter_rules()}
    assert {name for name, _ in rules} == set(prefixes)
    for name, path in rules:
        assert path == prefixes[name] or path.startswith(prefixes[name].rstrip("/") + "/")


OTHER_MACHINE = {"REMOTE_ADDR": "192.0.2.1"}
ANOTHER_SITE = {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "no-cors"}


@pytest.mark.parametrize(
    ("stranger", "refusing"),
    [
        (OTHER_MACHINE, {"control", "console", "sso", "authorize", "programs", "program_pages"}),
        (
            ANOTHER_SITE,
            {"control", "console", "sso", "authorize", "sign_in", "session", "programs", "program_pages"},
        ),
        ({}, set()),
    ],
)
def test_the_guard_of_a_door_stands_before_all_of_its_pages(
    world: Any, stranger: dict[str, str], refusing: set[str]
) -> None:
    answers: dict[str, set[bool]] = {}
    for rule in world.application.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            path = rule.rule.replace("<name>", "main").replace("<request_id>", "id").replace("<issuer_id>", "id")
            # The name of an issuer, for its documents; the start page is for browsers.
            host = ISSUER_HOST if path.startswith("/.well-known") else "127.0.0.1:4580"
            environ = {**HTML, **stranger, "HTTP_HOST": host}
            status = world.application.test_client().open(path, method=method, environ_overrides=environ).status_code
            answers.setdefault(rule.endpoint.partition(".")[0], set()).add(status == 403)
    assert answers == {door.name: {door.name in refusing} for door in FRONT_DOORS}
