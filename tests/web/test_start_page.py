"""The page at ``/`` is for browsers alone. Programs get AWS's answers there."""

from __future__ import annotations

from typing import Any

import pytest

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def browser(world: Any) -> Any:
    return world.application.test_client()


def test_a_browser_sees_what_this_is_and_finds_its_way(browser: Any) -> None:
    page = browser.get("/", headers=HTML)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    paths = ("console", "session", "decisions", "health", "docs/policies.md")
    for link in (f"/_rolecall/{path}" for path in paths):
        assert f'href="{link}"' in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("GET", "/", {"Accept": "*/*"}),
        ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", HTML),
        ("POST", "/", HTML),
        ("GET", "/accounts", HTML),
        ("GET", "/", {**HTML, "Authorization": "AWS4-HMAC-SHA256 Credential=test"}),
    ],
)
def test_everything_else_is_an_aws_call(browser: Any, method: str, path: str, headers: dict[str, str]) -> None:
    answer = browser.open(path, method=method, headers=headers)
    assert answer.status_code in (400, 403)
    assert "x-amzn-RequestId" in answer.headers


def test_the_documentation_is_served_as_text(browser: Any) -> None:
    page = browser.get("/_rolecall/docs/policies.md")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert page.text.startswith("# Policies\n")


@pytest.mark.parametrize(
    "name", ["no-such.md", "..%2FREADME.md", "%2e%2e/README.md", "policies", "POLICIES.md", "a%00.md"]
)
def test_nothing_but_the_documentation_is_served(browser: Any, name: str) -> None:
    assert browser.get(f"/_rolecall/docs/{name}").status_code == 404
