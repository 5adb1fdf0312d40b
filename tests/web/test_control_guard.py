"""The guard of the control endpoints: pages of other sites, and names that lead a browser to this machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from rolecall.inprocess import call_wsgi


def ask(world: Any, method: str = "GET", path: str = "health", target: str = "", **headers: str) -> tuple[int, Any]:
    environ: dict[str, Any] = EnvironBuilder(f"/_rolecall/{path}", method=method).get_environ()
    environ.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    environ |= {"RAW_URI": target or environ["PATH_INFO"], "REMOTE_ADDR": "127.0.0.1"}
    status, answered, body = call_wsgi(world.application, environ)
    assert answered["Content-Type"] == "application/json"
    return status, json.loads(body)


@pytest.mark.parametrize("path", ["health", "snapshot", "decisions"])
@pytest.mark.parametrize(
    "host",
    [
        "attacker.example.com",
        "attacker.example.com:4580",
        "127.0.0.1.attacker.example.com",
        "localhost.attacker.example.com",
        "notlocalhost.example",
        # Frameworks read these as an empty name.
        "a_b.evil.example",
        "a~b.evil.example",
        "a!b.evil.example",
        "[::1].evil.example",
        "[::1]evil.example",
        "[::1",
        "localhost:80@evil.example",
        "localhost/.evil.example",
        "localhost evil.example",
        "localhost, evil.example",
        " ",
        "",
        ":4580",
        "sts.amazonaws.com",
    ],
)
def test_a_public_name_that_leads_to_this_machine_is_not_answered(world: Any, host: str, path: str) -> None:
    # The headers of a browser after a page's name was bound to 127.0.0.1: everything is of one site.
    status, answer = ask(world, path=path, Host=host)
    assert status == 403
    assert "Use an address, localhost or" in answer["message"]
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
    """Browsers send no Origin when a page loads an image or a script from here, or leads a user here."""
    for mode in ("no-cors", "navigate"):
        status, answer = ask(world, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode)
        assert (status, "other sites" in answer["message"]) == (403, True)
    assert ask(world, "POST", "reset", Sec_Fetch_Site=site)[0] == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_a_browser_says_is_of_this_site(world: Any, site: str) -> None:
    assert ask(world, Sec_Fetch_Site=site, Sec_Fetch_Mode="cors")[0] == 200


PATHS = [
    "/_rolecall/health",
    "/_rolecall/snapshot",
    "/_rolecall/no-such-endpoint",
    "/_rolecall/session",
    "/_rolecall/oidc/ci/jwks.json",
    "/_rolecall/oidc/ci/.well-known/openid-configuration",
    "/_rolecall/saml/idp/metadata.xml",
    "/_rolecall/outbound/x/.well-known/jwks.json",
    "/federation",
    "/_rolecall",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["attacker.example.com", "a_b.evil.example", ""])
def test_no_path_of_rolecall_s_own_answers_to_a_public_name(world: Any, path: str, host: str) -> None:
    environ = EnvironBuilder(path).get_environ()
    environ["HTTP_HOST"] = host
    status, _, body = call_wsgi(world.application, environ)
    assert (status, "public name" in json.loads(body)["message"]) == (403, True)


def test_a_target_in_absolute_form_names_the_host_too(world: Any) -> None:
    assert ask(world, target="http://evil.example/_rolecall/health", Host="localhost")[0] == 403
    assert ask(world, target="http://[/_rolecall/health", Host="localhost")[0] == 403
    assert ask(world, target="http://LOCALHOST/_rolecall/health", Host="localhost")[0] == 200


def test_a_page_of_another_site_leads_to_the_sign_in_page_and_loads_nothing_of_it(world: Any) -> None:
    browser = world.application.test_client()
    for path in ("/_rolecall/session", "/federation"):
        led = browser.get(path, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
        assert led.status_code in (400, 401)
        loaded = browser.get(path, headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})
        assert loaded.status_code == 403
    signed_out = browser.post("/_rolecall/session/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert signed_out.status_code == 403


def test_a_permitted_name_is_answered(make_admitting: Any) -> None:
    world = make_admitting(hosts=["rolecall.lan", "*.corp.example"])
    for host, status in (
        ("rolecall.lan:4580", 200),
        ("a.b.corp.example", 200),
        ("corp.example", 403),
        ("x.rolecall.lan", 403),
        ("evilcorp.example", 403),
    ):
        assert ask(world, Host=host)[0] == status, host
