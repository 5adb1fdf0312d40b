"""The guard of the control endpoints: pages of other sites, and names that lead a browser to this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest


def ask(world: Any, method: str = "GET", path: str = "health", **headers: str) -> tuple[int, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = world.application.test_client().open(f"/_rolecall/{path}", method=method, headers=named)
    assert answer.content_type == "application/json"
    return answer.status_code, json.loads(answer.data)


@pytest.mark.parametrize("path", ["health", "snapshot", "decisions"])
@pytest.mark.parametrize(
    "host",
    [
        "attacker.example.com",
        "attacker.example.com:4580",
        "127.0.0.1.attacker.example.com",
        "localhost.attacker.example.com",
        "notlocalhost.example",
    ],
)
def test_a_public_name_that_leads_to_this_machine_is_not_answered(world: Any, host: str, path: str) -> None:
    # What a browser sends after the name of a page was bound to 127.0.0.1: everything is of one site.
    status, answer = ask(world, path=path, Host=host)
    assert status == 403
    assert "by an address, localhost or" in answer["message"]
    assert ask(world, "POST", "reset", Host=host, Origin=f"http://{host}")[0] == 403


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:4580",
        "[::1]:4580",
        "localhost",
        "LOCALHOST:4580",
        "localhost.",
        "rolecall.localhost",
        "rolecall",
        "rolecall.test",
        "host.docker.internal:4580",
    ],
)
def test_names_of_this_machine_are_answered(world: Any, host: str) -> None:
    assert ask(world, Host=host)[0] == 200
    assert ask(world, Host=host, Origin=f"http://{host}")[0] == 200


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]", ""])
def test_an_origin_that_is_none_is_that_of_another_site(world: Any, origin: str) -> None:
    status, answer = ask(world, Origin=origin)
    assert (status, "other sites" in answer["message"]) == (403, True)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_browser_says_is_of_another_site(world: Any, site: str) -> None:
    """Browsers send no Origin when a page loads something as an image or a script."""
    assert ask(world, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors")[0] == 403
    # A link that somebody follows: the page that has it learns nothing.
    assert ask(world, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate")[0] == 200


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_a_browser_says_is_of_this_site(world: Any, site: str) -> None:
    assert ask(world, Sec_Fetch_Site=site, Sec_Fetch_Mode="cors")[0] == 200
