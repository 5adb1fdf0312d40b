"""Hostile requests at every front door, shaped as the models and the routes say: no failure, and no long work.

HOSTILE_REQUESTS sets their number: 2,000 by default, 20,000 in CI, 1,000,000 with --all. Each example of hypothesis is
the seed of a hundred requests, because drawing each part of a request costs more than the request.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import botocore.session
import pytest
from amounts import usual
from botocore.exceptions import BotoCoreError
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_calls import Sent, send, signed

from rolecall.service_records import SERVICE_RECORDS
from rolecall.services.catalogue import all_operations

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS") or usual(2000, most=1_000_000))
BATCH = 100
MOST_SECONDS = 1.0
DECLARED = """
version: 1
accounts:
  - id: '111122223333'
    users:
      - name: admin
        access_keys: [{id: test, secret: test}]
        attached_policies: ['arn:aws:iam::aws:policy/AdministratorAccess']
"""
DOORS = ("query", "json", "rest", "pages")
SCALARS: tuple[Any, ...] = (
    "",
    " ",
    "\x00",
    "é😀\ud7ff",
    "%00%zz",
    "../../etc/passwd",
    "'\"><&;",
    "${aws:username}${",
    "*" * 300,
    "?*" * 200,
    "A" * 5000,
    "[" * 2000,
    '{"Version":"2012-10-17","Statement":[' + '{"Effect":"Allow"},' * 100 + "]}",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>&b;",
    "arn:aws:iam::111122223333:role/chime-reader",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:" + ":" * 500,
    "9" * 400,
    -1,
    0,
    2**63,
    1e308,
    True,
    None,
    [],
    {},
    [[[[[[]]]]]],
    {"a": {"a": {"a": {}}}},
)
HEADERS = (
    "Authorization",
    "Content-Type",
    "Host",
    "Origin",
    "Sec-Fetch-Site",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Target",
    "X-Forwarded-For",
    "Cookie",
    "Accept",
)
PARAMETERS = (
    "Action",
    "Version",
    "principal",
    "since",
    "limit",
    "format",
    "SigninToken",
    "Destination",
    "code",
    "state",
)


@cache
def operations(protocol: str) -> list[tuple[str, Any]]:
    """The emulated operations of services with this protocol, with botocore's models of them."""
    session = botocore.session.get_session()
    known = set(session.get_available_services())
    found = []
    for each in all_operations():
        record = SERVICE_RECORDS[each.service]
        if each.service in known and record.protocol.startswith(protocol):
            found.append((record.signing_name, session.get_service_model(each.service).operation_model(each.name)))
    return found


@cache
def serializer(protocol: str) -> Any:
    return create_serializer(protocol, include_validation=False)


def value(shape: Any, rng: random.Random, depth: int = 0) -> Any:
    """A value of the shape, or now and then anything else."""
    if rng.random() < 0.15 or depth > 6:
        return rng.choice(SCALARS)
    kind = shape.type_name
    if kind == "structure":
        required = set(shape.required_members)
        chosen = [name for name in shape.members if name in required or rng.random() < 0.3]
        return {name: value(shape.members[name], rng, depth + 1) for name in chosen}
    if kind == "list":
        return [value(shape.member, rng, depth + 1) for _ in range(rng.choice((0, 1, 2, 120)))]
    if kind == "map":
        return {str(value(shape.key, rng, 9)): value(shape.value, rng, depth + 1) for _ in range(rng.randrange(3))}
    if kind == "string":
        if getattr(shape, "enum", None) and rng.random() < 0.8:
            return rng.choice(shape.enum)
        return rng.choice(("a", "admin", "chime-reader", "AKIARTX3GSDSROLECALL", "2030-01-01T00:00:00Z", "x" * 64))
    return {"boolean": True, "timestamp": 1_900_000_000, "blob": b"a\x00\xff"}.get(kind, rng.randrange(-2, 2000))


def call(protocol: str, rng: random.Random) -> Sent:
    """A call that a client might make of hostile values; some are signed, some then damaged."""
    service, operation = rng.choice(operations(protocol))
    parameters = value(operation.input_shape, rng) if operation.input_shape is not None else {}
    try:
        made = serializer(operation.service_model.protocol).serialize_to_request(
            parameters if isinstance(parameters, dict) else {}, operation
        )
    except (BotoCoreError, TypeError, ValueError, AttributeError, KeyError, OverflowError, RuntimeError):
        # The serializer takes no such value. Then the body is the values themselves.
        made = {
            "method": "POST",
            "url_path": "/",
            "query_string": {},
            "headers": {},
            "body": json.dumps(parameters, default=str),
        }
    body = made["body"]
    content = (
        body
        if isinstance(body, bytes)
        else urlencode(body, doseq=True).encode()
        if isinstance(body, dict)
        else str(body).encode("utf-8", "replace")
    )
    query = made["query_string"]
    text = urlencode(query, doseq=True) if isinstance(query, (dict, list)) else quote(str(query), safe="=&%")
    headers = {name: clean(held) for name, held in made["headers"].items()}
    sent = Sent(made["method"], safe_path(made["url_path"]), text, headers, content)
    if rng.random() < 0.8:
        sent = signed(sent, ("test", "test"), service)
    return sent if rng.random() < 0.7 else damaged(sent, rng)


def clean(held: Any) -> str:
    """What may stand in a header: any other character never reaches the application."""
    return (
        str(held).encode("latin-1", "replace").decode("latin-1").replace("\r", "").replace("\n", "").replace("\x00", "")
    )


def safe_path(path: str) -> str:
    found = quote(path.encode("utf-8", "replace"), safe="/%:;,@&=+$!*'()~.-_")
    return found if found.startswith("/") else f"/{found}"


def damaged(sent: Sent, rng: random.Random) -> Sent:
    """The request with one part changed on its way."""
    part = rng.randrange(5)
    hostile = rng.choice(SCALARS)
    if part == 0 and sent.body:
        at = rng.randrange(len(sent.body))
        return Sent(
            sent.method, sent.path, sent.query, sent.headers, sent.body[:at] + rng.randbytes(3) + sent.body[at + 1 :]
        )
    if part == 1:
        return Sent(sent.method, sent.path, sent.query, sent.headers, json.dumps(hostile).encode())
    if part == 2:
        return sent.with_header(rng.choice(HEADERS), clean(hostile))
    if part == 3:
        return Sent(sent.method, safe_path(sent.path + str(hostile)[:200]), sent.query, sent.headers, sent.body)
    return Sent(
        sent.method,
        sent.path,
        f"{sent.query}&{urlencode({rng.choice(PARAMETERS): str(hostile).encode('utf-8', 'replace')})}",
        sent.headers,
        sent.body,
    )


def page(rules: list[Any], rng: random.Random) -> Sent:
    """A request to one of the application's own pages: control endpoints, sign-in, console, documents for providers."""
    rule = rng.choice(rules)
    path = ""
    for is_dynamic, text in rule._trace:
        path += (str(rng.choice(SCALARS)) if rng.random() < 0.5 else "admin") if is_dynamic else text.lstrip("|")
    method = (
        rng.choice(sorted(rule.methods)) if rng.random() < 0.8 else rng.choice(("GET", "POST", "PUT", "DELETE", "X"))
    )
    names = rng.sample(PARAMETERS, rng.randrange(3))
    query = urlencode({name: str(rng.choice(SCALARS)).encode("utf-8", "replace") for name in names})
    body = rng.choice(
        (
            b"",
            json.dumps(rng.choice(SCALARS)).encode(),
            json.dumps({str(name): rng.choice(SCALARS) for name in names}).encode(),
            urlencode({name: str(rng.choice(SCALARS)).encode("utf-8", "replace") for name in names}).encode(),
            b"version: 2\naccounts: [{id: '111122223333', users: " + b"[" * 50,
            b"&a [*a, *a]\n",
            rng.randbytes(60),
        )
    )
    sent = Sent(method, safe_path(path), query, {}, body)
    for _ in range(rng.randrange(3)):
        sent = sent.with_header(rng.choice(HEADERS), clean(rng.choice(SCALARS)))
    return sent


@pytest.fixture(scope="module")
def makers(make_shared_world: Any) -> Mapping[str, tuple[Any, Callable[[random.Random], Sent]]]:
    """By door: the world, and what makes a request. Pages have a world of their own: they can move its clock."""
    calls, pages = make_shared_world(DECLARED), make_shared_world(DECLARED)
    rules = [rule for rule in pages.application.url_map.iter_rules() if rule.rule.startswith("/")]
    assert len(rules) > 20
    return {
        "query": (calls, lambda rng: call("query", rng)),
        "json": (calls, lambda rng: call("json", rng)),
        "rest": (calls, lambda rng: call("rest-json", rng)),
        "pages": (pages, lambda rng: page(rules, rng)),
    }


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_no_request_makes_the_server_fail_or_work_for_long(makers: Any, door: str) -> None:
    world, make = makers[door]
    statuses: dict[int, int] = {}

    @settings(
        max_examples=max(1, REQUESTS // BATCH // len(DOORS)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(st.integers(0, 2**64 - 1))
    def batch(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(BATCH):
            request = make(rng)
            begun = time.thread_time()
            status = send(world.application, request).status
            spent = time.thread_time() - begun
            # 501 says that a parameter is not emulated.
            assert status < 500 or status == 501, (status, request)
            assert spent < MOST_SECONDS, (spent, request)
            statuses[status] = statuses.get(status, 0) + 1
        # The test's own record of every call.
        world.outcomes.clear()

    batch()
    # Otherwise the requests would all end at the first check.
    assert len(statuses) > 2, statuses
    assert statuses.get(200, 0) > 0, statuses
