"""Hostile requests, shaped as models, routes and protocols say. Each comes from a seeded ``Random``."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import botocore.session
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.serialize import create_serializer
from raw_calls import Sent, signed
from websockets.frames import Frame, Opcode

from rolecall.inprocess import ENDPOINT_URL
from rolecall.server.upgrades import CONNECT_PATH
from rolecall.service_records import SERVICE_RECORDS
from rolecall.services.catalogue import all_operations

ACCOUNT = "111122223333"
KEYS = ("test", "test")
INSTANCE, TASK, POD = "i-0123456789abcdef0", "0123456789abcdef0123456789abcdef", "a-0123456789abcdef0"


def _trusting(service: str) -> dict[str, Any]:
    action = ["sts:AssumeRole", "sts:TagSession"]
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": action}
    return {"Version": "2012-10-17", "Statement": statement}


DECLARED = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    {
                        "name": "admin",
                        "access_keys": [{"id": KEYS[0], "secret": KEYS[1]}],
                        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                    }
                ],
                "roles": [
                    {"name": "app", "trust_policy": _trusting("ec2")},
                    {"name": "task", "trust_policy": _trusting("ecs-tasks")},
                    {"name": "pod", "trust_policy": _trusting("pods.eks")},
                ],
                "instances": [{"id": INSTANCE, "role": "app"}],
                "tasks": [{"id": TASK, "role": "task"}],
                "pods": [{"id": POD, "role": "pod", "namespace": "shop", "service_account": "cart", "cluster": "prod"}],
            }
        ],
    }
)
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
def operations(protocol: str) -> Mapping[str, list[Any]]:
    """botocore's models of the emulated operations, by service, of the services with this protocol."""
    session = botocore.session.get_session()
    found: dict[str, list[Any]] = {}
    for each in all_operations():
        if SERVICE_RECORDS[each.service].protocol == protocol:
            model = session.get_service_model(each.service).operation_model(each.name)
            found.setdefault(each.service, []).append(model)
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


def bare(shape: Any, *, given: bool) -> Any:
    """A value of the shape with nothing in its lists and maps: of all members, or of the required ones alone."""
    kind = shape.type_name
    if kind == "structure":
        names = shape.members if given else shape.required_members
        # A structure may hold itself.
        return {name: bare(shape.members[name], given=False) for name in names}
    if kind in ("list", "map"):
        return [] if kind == "list" else {}
    if kind == "string":
        enum = getattr(shape, "enum", None)
        return enum[0] if enum else "a" * max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "timestamp": 1_900_000_000, "blob": b"a"}.get(kind, shape.metadata.get("min", 1))


def call(protocol: str, rng: random.Random) -> Sent:
    """A call that a client might make of hostile values; some are signed, some then damaged."""
    service, known = rng.choice(list(operations(protocol).items()))
    operation = rng.choice(known)
    sent = serialized(operation, value(operation.input_shape, rng) if operation.input_shape is not None else {})
    if rng.random() < 0.8:
        sent = signed(sent, KEYS, SERVICE_RECORDS[service].signing_name)
    return sent if rng.random() < 0.7 else damaged(sent, rng)


def serialized(operation: Any, parameters: Any) -> Sent:
    """The call as botocore would send it, without a signature."""
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
    return Sent(made["method"], safe_path(made["url_path"]), text, headers, content)


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


def bytes_of(sent: Sent, rng: random.Random) -> bytes:
    """The request on the wire, now and then in a form that few clients choose, or damaged."""
    body = sent.body
    lines = [f"{sent.method} {sent.path}{'?' if sent.query else ''}{sent.query} HTTP/1.{rng.choice('1111012')}"]
    lines += [f"{name}: {held}" for name, held in {"Host": "rolecall.localhost", **sent.headers}.items()]
    form = rng.randrange(6)
    if form == 0:
        size = rng.choice((1, 7, 4096))
        body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts_of(body, size)) + b"0\r\n\r\n"
        lines.append("Transfer-Encoding: chunked")
    elif form == 1:
        lines.append(f"Content-Length: {rng.choice((-1, 0, 10**30, len(body) + 5, 'x', '1, 2'))}")
    else:
        lines.append(f"Content-Length: {len(body)}")
    if rng.random() < 0.2:
        lines.append(
            rng.choice((" folded", "Expect: 100-continue", "A" * 9000, "a_b: c", "Connection: close", ":", "é: é"))
        )
    text = rng.choice(("\r\n",) * 9 + ("\n",)).join([*lines, "", ""]).encode("latin-1", "replace") + body
    if rng.random() < 0.3:
        at = rng.randrange(len(text))
        text = (
            text[:at] + rng.choice((b"\0", b"\r\n", b"\n\n", b"", b" ", b"\xff" * 50)) + text[at + rng.randrange(4) :]
        )
    return text


def parts_of(content: bytes, size: int) -> list[bytes]:
    """The bytes in pieces of this size."""
    return [content[at : at + size] for at in range(0, len(content), size)]


def asked_websocket(user_arn: str, rng: random.Random) -> Sent:
    """The request that opens a websocket."""
    asked = {"sessionId": "a", "userArn": user_arn}
    for name in ("sessionId", "userArn", "prefetch-on", "prefetch-sort-by", rng.choice(PARAMETERS)):
        if rng.random() < 0.1:
            asked[name] = str(rng.choice(SCALARS)).encode("utf-8", "replace").decode()
    made = AWSRequest("GET", f"{ENDPOINT_URL}{CONNECT_PATH}?{urlencode(asked)}")
    SigV4QueryAuth(Credentials(*KEYS), "chime", "us-east-1", expires=rng.choice((10, 10, 10, 0, 10**9))).add_auth(made)
    path, _, query = str(made.url).removeprefix(ENDPOINT_URL).partition("?")
    headers = {
        "Host": "rolecall.localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    sent = Sent("GET", path, query, headers, b"")
    if rng.random() < 0.2:
        name = rng.choice((*headers, "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol", "Origin"))
        sent = sent.with_header(name, clean(rng.choice(SCALARS)))
    return sent if rng.random() < 0.8 else damaged(sent, rng)


def frames(rng: random.Random) -> bytes:
    """What a client might send over its websocket; some of it is no frame."""
    made = b""
    for _ in range(rng.choice((0, 1, 5, 1200))):
        data = rng.choice((b"", b"a" * 125, b"a" * 126, b"\xff\xfe", b"\x03\xe8bye", b"a" * 40_000))
        frame = bytearray(Frame(Opcode.BINARY, data).serialize(mask=rng.random() < 0.95))
        # FIN, reserved bits and opcode (RFC 6455, 5.2), also those that do not exist.
        frame[0] = rng.choice((0x81, 0x82, 0x89, 0x8A, 0x88, 0x01, 0x00, 0x80, rng.randrange(256)))
        made += frame
        if len(made) > 200_000:
            break
    return made if rng.random() < 0.7 else made + rng.randbytes(40)


def plain_bytes_of(sent: Sent) -> bytes:
    lines = [
        f"{sent.method} {sent.path}?{sent.query} HTTP/1.1",
        *(f"{name}: {held}" for name, held in sent.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
