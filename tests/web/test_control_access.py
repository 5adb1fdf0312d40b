"""Other machines at the control endpoints: none without the token, and no proxy on this machine opens them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from rolecall.inprocess import call_wsgi
from rolecall.web.control_access import control_access

TOKEN = "0123456789abcdef-the-token"
HOSTS = ["10.1.0.0/16", "192.0.2.7", "2001:db8::/32"]


def ask(world: Any, address: str, path: str = "/_rolecall/health", method: str = "GET", **headers: str) -> Any:
    """Status, WWW-Authenticate and message of the answer to a request from an address."""
    environ: dict[str, Any] = EnvironBuilder(path, method=method).get_environ()
    environ.update({f"HTTP_{name.upper()}": value for name, value in headers.items()})
    environ |= {"RAW_URI": path, "REMOTE_ADDR": address}
    status, answered, body = call_wsgi(world.application, environ)
    message = json.loads(body).get("message", "") if answered["Content-Type"] == "application/json" else ""
    return status, answered.get("WWW-Authenticate", ""), message


@pytest.mark.parametrize("address", ["192.0.2.1", "10.1.2.3", "2001:db8::1", "::ffff:192.0.2.1", "", "somewhere"])
def test_without_the_option_no_token_helps_another_machine(world: Any, address: str) -> None:
    for header in ("", f"Bearer {TOKEN}", "Bearer ", "Bearer"):
        for method, path in (("GET", "health"), ("POST", "reset"), ("GET", "snapshot"), ("GET", "console")):
            status, _, message = ask(world, address, f"/_rolecall/{path}", method, Authorization=header)
            assert (status, "this machine only" in message) == (403, True)


@pytest.mark.parametrize("path", ["health", "snapshot", "clock"])
def test_with_the_option_another_machine_needs_the_token(make_admitting: Any, path: str) -> None:
    world = make_admitting(control=control_access(TOKEN))
    wrong = ["", TOKEN, f"Basic {TOKEN}", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer \xe9"]
    for header in [*wrong, f"Bearer {TOKEN.upper()}"]:
        status, challenge, message = ask(world, "192.0.2.1", f"/_rolecall/{path}", Authorization=header)
        assert (status, challenge, "control token" in message) == (401, 'Bearer realm="rolecall"', True), header
    for header in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
        assert ask(world, "192.0.2.1", f"/_rolecall/{path}", Authorization=header)[0] == 200


def test_a_refused_request_does_nothing(make_admitting: Any) -> None:
    world = make_admitting(control=control_access(TOKEN))
    world.client("iam").create_user(UserName="kept")
    assert ask(world, "192.0.2.1", "/_rolecall/reset", "POST")[0] == 401
    world.client("iam").get_user(UserName="kept")
    assert ask(world, "192.0.2.1", "/_rolecall/reset", "POST", Authorization=f"Bearer {TOKEN}")[0] == 200
    with pytest.raises(world.client("iam").exceptions.NoSuchEntityException):
        world.client("iam").get_user(UserName="kept")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("10.1.2.3", 200),
        ("::ffff:10.1.2.3", 200),
        ("192.0.2.7", 200),
        ("2001:db8:1::5", 200),
        ("10.2.2.3", 403),
        ("192.0.2.8", 403),
        ("2001:db9::1", 403),
        ("somewhere", 403),
        ("127.0.0.1", 200),
    ],
)
def test_the_token_is_good_for_the_named_machines_only(make_admitting: Any, address: str, status: int) -> None:
    world = make_admitting(control=control_access(TOKEN, HOSTS))
    assert ask(world, address, Authorization=f"Bearer {TOKEN}")[0] == status


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
def test_this_machine_needs_no_token(make_admitting: Any, address: str) -> None:
    assert ask(make_admitting(control=control_access(TOKEN)), address)[0] == 200
    assert ask(make_admitting(), address)[0] == 200


@pytest.mark.parametrize(
    "header", [{"X_Forwarded_For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"X_Real_IP": ""}, {"Via": "1.1 x"}]
)
def test_what_a_proxy_on_this_machine_sends_on_comes_from_another(make_admitting: Any, header: dict[str, str]) -> None:
    assert ask(make_admitting(), "127.0.0.1", **header)[0] == 403
    world = make_admitting(control=control_access(TOKEN))
    assert ask(world, "127.0.0.1", **header)[0] == 401
    assert ask(world, "127.0.0.1", Authorization=f"Bearer {TOKEN}", **header)[0] == 200
    # The proxy counts by its own address.
    named = make_admitting(control=control_access(TOKEN, HOSTS))
    assert ask(named, "127.0.0.1", Authorization=f"Bearer {TOKEN}", **header)[0] == 403


def test_the_token_opens_nothing_to_pages_of_other_sites_and_public_names(make_admitting: Any) -> None:
    world = make_admitting(control=control_access(TOKEN))
    proof = {"Authorization": f"Bearer {TOKEN}"}
    assert ask(world, "192.0.2.1", Host="evil.example", **proof)[0] == 403
    assert ask(world, "192.0.2.1", Host="10.0.0.1", Origin="http://evil.example", **proof)[0] == 403
    assert ask(world, "192.0.2.1", Sec_Fetch_Site="cross-site", **proof)[0] == 403


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(control_access(TOKEN))


@pytest.mark.parametrize(
    ("token", "hosts", "said"),
    [
        ("", ["10.0.0.1"], "--control-host needs --control-token"),
        ("short", [], "16 or more"),
        ("a token with blanks in it", [], "16 or more"),
        ("é" * 20, [], "16 or more"),
        (TOKEN, ["ci.example.com"], "'ci.example.com' is no address or network"),
        (TOKEN, ["10.0.0.1/8"], "'10.0.0.1/8' is no address or network"),
        (TOKEN, [""], "is no address or network"),
    ],
)
def test_options_that_cannot_be_used(token: str, hosts: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        control_access(token, hosts)
    if token:
        assert token not in str(caught.value)
