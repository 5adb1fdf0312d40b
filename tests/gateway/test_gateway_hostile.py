"""Thousands of requests that no client would send: each gets an answer in AWS's shape, and the application stays up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as Xml

import pytest
from amounts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_calls import FORM, Keys, Received, Sent, query_call, send, signed

from rolecall.services.catalogue import all_operations
from rolecall.wire import load_service

ADMIN: Keys = ("test", "test")
EXAMPLES = {"deadline": None, "suppress_health_check": list(HealthCheck)}
SPICE = (
    "",
    "%",
    "%0",
    "%zz",
    "%00",
    "%2F",
    "..",
    "//",
    "/./",
    "&&",
    "=",
    ";",
    "\r\n",
    "\x00",
    "é",
    "\ud7ff",
    "😀",
    "'\"><",
    "{",
    "[[[[",
    "null",
    "-1",
    "9" * 30,
    "NaN",
    "1e999",
    "arn:aws:iam::111122223333:role/x",
    "A" * 3000,
    "${aws:username}",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>&b;",
)
PIECES = st.one_of(st.sampled_from(SPICE), st.text(max_size=12))
TEXTS = st.lists(PIECES, max_size=5).map("".join)
HEADER_TEXTS = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60)
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "TRACE", "get", "X"])
SERVICES = st.sampled_from(["sts", "iam", "chime", "s3", "", "STS"])
HEADER_NAMES = st.sampled_from(
    [
        "Authorization",
        "X-Amz-Date",
        "Date",
        "Host",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
        "Content-Type",
        "Content-Length",
        "Accept",
        "X-Amz-Target",
        "Transfer-Encoding",
    ]
)
CONTENT_TYPES = st.sampled_from(
    [FORM, "application/json", "application/xml", "multipart/form-data; boundary=x", "", ";;;", "text/plain"]
)
QUERY_ACTIONS = sorted((op.service, op.name) for op in all_operations() if op.service in ("sts", "iam"))
CHIME_CALLS = [
    ("GET", "/accounts"),
    ("POST", "/accounts"),
    ("GET", "/accounts/{}"),
    ("POST", "/accounts/{}"),
    ("DELETE", "/accounts/{}"),
    ("GET", "/accounts/{}/settings"),
    ("PUT", "/accounts/{}/settings"),
    ("GET", "/accounts/{}/users"),
    ("POST", "/accounts/{}/users"),
    ("POST", "/accounts/{}/users?operation=add"),
    ("POST", "/accounts/{}/users?operation=suspend"),
    ("POST", "/accounts/{}/users?operation=unsuspend"),
    ("GET", "/accounts/{}/users/{}"),
    ("POST", "/accounts/{}/users/{}"),
    ("POST", "/accounts/{}/users/{}?operation=logout"),
    ("POST", "/accounts/{}/users/{}?operation=reset-personal-pin"),
    ("PUT", "/accounts/{}/users/{}/settings"),
    ("GET", "/phone-numbers"),
    ("GET", "/settings"),
]
MODELS = {(service, name): load_service(service).operation(name).input_members for service, name in QUERY_ACTIONS}
JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
JSON_KEYS = st.one_of(
    st.sampled_from(["Name", "Email", "UserEmailList", "UserIdList", "LicenseType", "AccountSettings"]), TEXTS
)


@pytest.fixture(scope="module")
def application(make_shared_world: Any) -> Any:
    from_file = {
        "version": 1,
        "accounts": [
            {
                "id": "111122223333",
                "users": [
                    {
                        "name": "admin",
                        "access_keys": [{"id": "test", "secret": "test"}],
                        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                    }
                ],
                "chime_accounts": [{"name": "Sandbox", "users": [{"email": "ana@example.com"}]}],
            }
        ],
    }
    return make_shared_world(json.dumps(from_file)).application


def survives(received: Received, method: str = "") -> None:
    """A 2xx, 4xx or 501 in AWS's form. S3's errors are one element, and an answer to HEAD has no body."""
    assert received.status < 500 or received.status == 501, received
    content_type = received.headers["Content-Type"]
    assert "html" not in content_type.lower()
    assert len(received.headers["x-amzn-RequestId"]) == 36
    for name, value in received.headers.items():
        assert "\r" not in name + value
        assert "\n" not in name + value
    if received.status == 204:
        assert received.body == b""
    elif method == "HEAD" and not received.body:
        assert received.status >= 400
    elif content_type == "text/xml":
        root = Xml.fromstring(received.body)  # noqa: S314
        assert root.tag == "Error" or root.tag.endswith("Response")
        assert (root.tag == "Error" or root.tag.endswith("ErrorResponse")) == (received.status >= 400)
    else:
        answer = json.loads(received.body)
        assert isinstance(answer, dict)
        assert received.status < 400 or answer.get("Code") or answer["Error"]["Code"]


def safe_query(text: str) -> str:
    """The header as a server passes it on: no line breaks, no surrounding blanks, bytes as Latin-1."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="%&=+/?;:@!$'()*,~-._{}[]<>\"")


def signed_if_possible(request: Sent, service: str) -> Sent:
    try:
        return signed(request, ADMIN, service)
    except Exception:  # botocore refuses to sign it, so it is sent unsigned
        return request


@settings(max_examples=examples(700), **EXAMPLES)
@given(METHODS, TEXTS, TEXTS, st.dictionaries(HEADER_NAMES, HEADER_TEXTS, max_size=4), st.binary(max_size=200))
def test_wild_requests(
    application: Any, method: str, path: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    headers.pop("Content-Length", None)
    survives(send(application, Sent(method, "/" + safe_query(path), safe_query(query), headers, body)), method)


@settings(max_examples=examples(700), **EXAMPLES)
@given(st.data(), st.sampled_from(QUERY_ACTIONS), SERVICES, METHODS)
def test_signed_query_calls_with_wild_parameters(
    application: Any, data: st.DataObject, call: tuple[str, str], service: str, method: str
) -> None:
    members = st.sampled_from(
        [
            *MODELS[call],
            "Tags.member.1.Key",
            "Tags.member.1.Value",
            "Tags.member.999999999.Key",
            "PolicyArns.member.1.arn",
            "Extra",
        ]
    )
    parameters = data.draw(st.dictionaries(members, TEXTS, max_size=6))
    request = query_call(
        call[0],
        call[1],
        **{name: value.encode("utf-8", "surrogatepass").decode("latin-1") for name, value in parameters.items()},
    )
    own_scope = data.draw(st.booleans())
    if method in ("GET", "HEAD"):
        request = replace(request, method=method, query=request.body.decode("ascii"), body=b"", headers={})
    survives(send(application, signed_if_possible(request, call[0] if own_scope else service)), method)


@settings(max_examples=examples(700), **EXAMPLES)
@given(
    st.sampled_from(CHIME_CALLS),
    TEXTS,
    TEXTS,
    st.dictionaries(JSON_KEYS, JSON_VALUES, max_size=4),
    st.binary(max_size=40),
    st.integers(0, 3),
    CONTENT_TYPES,
)
def test_signed_chime_calls_with_wild_values(
    application: Any,
    call: tuple[str, str],
    label: str,
    query: str,
    members: dict[str, Any],
    rubbish: bytes,
    kind: int,
    content_type: str,
) -> None:
    method, path = call
    path, _, fixed = path.partition("?")
    path = path.replace("{}", quote(label.encode("utf-8", "surrogatepass"), safe="%") or "x")
    body = rubbish if kind == 0 else json.dumps(members).encode("utf-8", "surrogatepass")
    text = "&".join(part for part in (fixed, safe_query(query) if kind == 1 else "") if part)
    headers = {"Content-Type": content_type} if method != "GET" else {}
    request = Sent(method, path, text, headers, b"" if method == "GET" else body)
    survives(send(application, signed_if_possible(request, "chime")))


Mutation = Callable[[Sent, str, int], Sent]
MUTATIONS: dict[str, Mutation] = {
    "method": lambda request, text, _: replace(request, method=("PUT", "GET", "DELETE", "PATCH")[len(text) % 4]),
    "path": lambda request, text, at: replace(
        request, path=request.path[: at + 1] + safe_query(text) + request.path[at + 1 :]
    ),
    "query": lambda request, text, at: replace(
        request, query=request.query[:at] + safe_query(text) + request.query[at + 1 :]
    ),
    "body": lambda request, text, at: replace(
        request, body=request.body[:at] + text.encode("utf-8", "surrogatepass") + request.body[at + 1 :]
    ),
    "no body": lambda request, _text, _at: replace(request, body=b""),
    "header": lambda request, text, at: _with_damaged_header(request, text, at),
    "no header": lambda request, _text, at: (
        request.with_header(list(request.headers)[at % len(request.headers)], None) if request.headers else request
    ),
    "second signature": lambda request, _text, _at: replace(
        request, query=request.query + "&X-Amz-Algorithm=AWS4-HMAC-SHA256"
    ),
}


def _with_damaged_header(request: Sent, text: str, at: int) -> Sent:
    if not request.headers:
        return request
    name = list(request.headers)[at % len(request.headers)]
    safe = text.encode("utf-8", "surrogatepass").decode("latin-1").translate({10: None, 13: None})
    value = request.headers[name]
    return request.with_header(name, value[: at % (len(value) + 1)] + safe + value[(at + 2) % (len(value) + 1) :])


VALID: list[Callable[[], Sent]] = [
    lambda: signed(query_call("sts", "GetCallerIdentity"), ADMIN, "sts"),
    lambda: signed(query_call("iam", "ListUsers", MaxItems="5"), ADMIN, "iam"),
    lambda: signed(Sent("GET", "/accounts", "max-results=5"), ADMIN, "chime"),
    lambda: signed(
        Sent("POST", "/accounts", "", {"Content-Type": "application/json"}, b'{"Name": "A"}'), ADMIN, "chime"
    ),
    lambda: signed(Sent("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15"), ADMIN, "sts", presigned_seconds=60),
]


@settings(max_examples=examples(900), **EXAMPLES)
@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.sampled_from(sorted(MUTATIONS)), TEXTS, st.integers(0, 400)), min_size=1, max_size=3),
)
def test_signed_requests_that_were_damaged_on_their_way(
    application: Any, make: Callable[[], Sent], mutations: list[tuple[str, str, int]]
) -> None:
    request = make()
    for name, text, at in mutations:
        request = MUTATIONS[name](request, text, at)
    survives(send(application, request))


def test_undamaged_they_are_all_allowed(application: Any) -> None:
    for make in VALID:
        assert send(application, make()).status in (200, 201)


@pytest.mark.parametrize("service", ["sts", "chime"])
@pytest.mark.parametrize("length", ["-1", "abc", "99999999999", "1e3", " 5", "²"])
def test_lengths_that_are_no_lengths(application: Any, service: str, length: str) -> None:
    request = query_call("sts", "GetCallerIdentity") if service == "sts" else Sent("POST", "/accounts", body=b"{}")
    made = signed(request, ADMIN, service)
    from_server: list[tuple[int, dict[str, str]]] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": made.path,
        "QUERY_STRING": "",
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
        "CONTENT_LENGTH": length,
        "HTTP_HOST": "rolecall.localhost",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in made.headers.items()},
    }

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        from_server.append((int(status[:3]), dict(headers)))

    body = b"".join(application(environ, start))
    received = Received(*from_server[0], body)
    survives(received)
    assert received.status == 413


def test_a_body_over_the_limit(application: Any) -> None:
    request = replace(query_call("sts", "GetCallerIdentity"), body=b"A" * 1_048_577)
    received = send(application, signed(request, ADMIN, "sts"))
    message = "The request body is larger than 1048576 bytes."
    assert received.error == (413, "RequestEntityTooLarge", message)
    request = Sent("POST", "/accounts", body=b"A" * 1_048_577)
    assert send(application, signed(request, ADMIN, "chime")).error == (413, "RequestEntityTooLargeException", message)


def test_thousands_of_parameters(application: Any) -> None:
    many = {f"Tags.member.{n}.Key": f"k{n}" for n in range(1, 20_000)}
    received = send(application, signed(query_call("iam", "CreateUser", UserName="many", **many), ADMIN, "iam"))
    survives(received)
    assert received.status == 400
