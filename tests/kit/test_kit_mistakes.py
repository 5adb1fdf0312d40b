"""Common first mistakes: each is reported at once, with what to write instead."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from reserved_ports import reserved_port

from rolecall import Rolecall, SandboxEndedError, UnknownIdentityError

Act = Callable[[Rolecall], Any]


def entered(block: Any) -> None:
    with block:
        """Nothing: it cannot be entered."""


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda s: entered(s.as_role("chime-readr")), UnknownIdentityError, "did you mean 'chime-reader'?"),
        (lambda s: entered(s.as_user("developper")), UnknownIdentityError, "did you mean 'developer'?"),
        (lambda s: s.role("arn:aws:iam::111122223333:role/chime-reade"), UnknownIdentityError, "mean 'chime-reader'?"),
        (lambda s: s.user("nobody-like-it"), UnknownIdentityError, "no user 'nobody-like-it'; it has admin, developer"),
        (lambda s: s.role("x", account="partner"), UnknownIdentityError, "in account partner; it has chime-partner"),
        (lambda s: entered(s.as_role(3)), TypeError, "a role must be given as a str, its name or ARN, not as int"),
        (
            lambda s: s.client("sts", user=["admin"]),
            TypeError,
            "a user must be given as a str, its name or ARN, not as list",
        ),
        (
            lambda s: s.assert_allowed("sts:AssumeRole", resource="chime-reader"),
            ValueError,
            r"resource='chime-reader' is not an ARN, .*sandbox.role\('chime-reader'\)",
        ),
        (
            lambda s: s.assert_allowed("chime:ListUsers", resource="nonsense"),
            ValueError,
            "resource='nonsense' is not an ARN",
        ),
        (lambda s: s.assert_allowed("chime:ListUsers", context=["aws:SourceIp"]), TypeError, "context must map"),
        (lambda s: s.assert_allowed("chime:ListUsers", context={"aws:x": None}), TypeError, "aws:x .* not NoneType"),
        (lambda s: s.assert_allowed("chime:ListUsers", rol="chime-reader"), TypeError, "rol"),
        (lambda s: s.expect_denied(None), ValueError, "None is not an action: write it as chime:ListUsers"),
        (lambda s: s.expect_denied("chime:*"), ValueError, r"name one action, without \*"),
        (lambda s: s.expect_denied("chime:CreateUser", by=3), ValueError, "there is no kind of policy 3; the kinds"),
        (lambda s: s.clock.advance("1h"), TypeError, r"a timedelta, or seconds, .*hours=2.*not str"),
        (lambda s: s.clock.advance(days=1e9), ValueError, "goes from 1970"),
        (lambda s: s.clock.set("tomorrow"), ValueError, "2030-01-01T00:00:00Z"),
        (lambda s: s.clock.set(None), TypeError, "a datetime, .* not NoneType"),
        (lambda s: s.load(None), TypeError, "a snapshot must be the text .* not NoneType"),
    ],
)
def test_mistakes_are_said(rolecall: Rolecall, act: Act, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        act(rolecall)


@pytest.mark.parametrize(
    "act",
    [
        lambda s: s.clock.now,
        lambda s: s.faults.rules,
        lambda s: s.decisions,
        lambda s: s.expect_denied("chime:CreateUser"),
        lambda s: s.assert_allowed("chime:CreateUser"),
        lambda s: entered(s.as_user("admin")),
        lambda s: entered(s),
        lambda s: s.client("sts"),
        lambda s: s.snapshot(),
        lambda s: s.load(""),
        lambda s: s.reset(),
        lambda s: s.mfa_code("device"),
    ],
)
def test_a_sandbox_that_has_ended_says_so(act: Act) -> None:
    sandbox = Rolecall()
    sandbox.close()
    sandbox.close()
    with pytest.raises(SandboxEndedError, match="this sandbox has ended: use it inside its block"):
        act(sandbox)


@pytest.mark.parametrize("region", [None, "", "us east", "-", 3])
def test_an_unknown_region(region: Any) -> None:
    with pytest.raises(ValueError, match="region must be the name of an AWS Region, such as us-east-1, not "):
        Rolecall(region=region)


@pytest.mark.parametrize("seed", ["1", 1.5, True])
def test_a_seed_that_is_not_a_number(seed: Any) -> None:
    with pytest.raises(TypeError, match="seed must be a whole number, not "):
        Rolecall(seed=seed)


@pytest.mark.parametrize("port", [-1, 65536, "4580", True])
def test_an_invalid_port(port: Any) -> None:
    with pytest.raises(ValueError, match="port is a number from 0 to 65535, not "):
        Rolecall.start(port=port)


def test_a_port_that_is_taken_is_an_error_of_the_system_and_leaves_nothing() -> None:
    threads = threading.active_count()
    port = reserved_port()
    taken = socket.create_server(("127.0.0.1", port))
    with taken, pytest.raises(OSError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .*port=0"):
        Rolecall.start(port=port)
    assert threading.active_count() == threads
    # The port is free again, so nothing of the attempt is left.
    with Rolecall.start(port=port) as sandbox:
        assert sandbox.endpoint_url == f"http://127.0.0.1:{port}"
        assert boto3.client("sts").get_caller_identity()["Arn"].endswith("user/admin")


def test_a_host_that_is_not_here() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1 port 0"):
        Rolecall.start(host="192.0.2.1")


def test_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Rolecall.start(host="::1"):
        assert boto3.client("sts").get_caller_identity()["Arn"].endswith("user/admin")


@pytest.mark.parametrize(
    ("operator", "key", "expected", "given"),
    [
        ("Bool", "aws:MultiFactorAuthPresent", "true", True),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "300", 10),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "300", 10.5),
        ("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", datetime(2019, 1, 1, tzinfo=UTC)),
        ("DateLessThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", datetime(2019, 12, 31)),  # noqa: DTZ001
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], {"a"}),
        ("ForAllValues:StringEquals", "aws:TagKeys", ["a", "b"], ["a", "b"]),
    ],
)
def test_values_of_context_keys_as_people_write_them(operator: str, key: str, expected: Any, given: Any) -> None:
    allow = {"Effect": "Allow", "Action": "chime:*", "Resource": "*", "Condition": {operator: {key: expected}}}
    user = {"name": "ana", "inline_policies": {"own": {"Version": "2012-10-17", "Statement": allow}}}
    sandbox = Rolecall({"version": 1, "accounts": [{"id": "111122223333", "users": [user]}]})
    sandbox.assert_allowed("chime:ListUsers", user="ana", context={key: given})
    sandbox.close()
