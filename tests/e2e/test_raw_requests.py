"""Requests that no SDK would send. The server refuses them all as AWS does and stays up."""

from __future__ import annotations

import functools
import json
import re
import socket
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

import pytest
from amounts import examples
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from served import ADMIN, PATIENCE_SECONDS, RawAnswer, Server

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
IDENTITY = b"Action=GetCallerIdentity&Version=2011-06-15"
ASSUME = b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/chime-reader&RoleSessionName=ab&"
MAXIMUM_BODY_BYTES = 1_048_576
XML_ERROR = re.compile(
    r'<ErrorResponse xmlns="[^"]+"><Error><Type>(?:Sender|Receiver)</Type><Code>(\w+)</Code>'
    r"<Message>[^<]*</Message></Error><RequestId>([0-9a-f-]{36})</RequestId></ErrorResponse>"
)


@dataclass(frozen=True)
class Case:
    """A request, how it is signed (``None``: not at all), and the status and code it must be answered with."""

    name: str
    status: int
    code: str
    method: str = "POST"
    path: str = "/"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: FORM)
    signed_for: str | None = "sts"
    secret: str = ADMIN[1]


def get(name: str, status: int, code: str, path: str, signed_for: str | None = "chime") -> Case:
    return Case(name, status, code, "GET", path, b"", {}, signed_for)


def account(name: str, status: int, code: str, body: bytes) -> Case:
    return Case(name, status, code, "POST", "/accounts", body, JSON, "chime")


BODIES = [
    Case("empty body", 400, "MissingAction"),
    Case("no action", 400, "MissingAction", body=b"Version=2011-06-15"),
    Case("action without a name", 400, "MissingAction", body=b"=GetCallerIdentity&Version=2011-06-15"),
    Case("unknown action", 400, "InvalidAction", body=b"Action=Nope&Version=2011-06-15"),
    Case("action of another case", 400, "InvalidAction", body=b"Action=getcalleridentity&Version=2011-06-15"),
    Case("action with markup", 400, "InvalidAction", body=b"Action=%3Cscript%3E&Version=2011-06-15"),
    Case("unknown version", 400, "InvalidAction", body=b"Action=GetCallerIdentity&Version=1999-01-01"),
    Case("version of another service", 400, "InvalidAction", body=b"Action=GetCallerIdentity&Version=2010-05-08"),
    Case("no version", 400, "InvalidAction", body=b"Action=GetCallerIdentity"),
    Case("action given twice", 400, "MalformedQueryString", body=IDENTITY + b"&Action=GetSessionToken"),
    Case("invalid UTF-8", 400, "MalformedQueryString", body=IDENTITY + b"&X=%ff%fe"),
    Case("half a surrogate pair", 400, "MalformedQueryString", body=IDENTITY + b"&X=%ed%a0%80"),
    Case("raw bytes", 400, "MalformedQueryString", body=b"\xff\xfe\x00\x01"),
    Case("NUL", 400, "MalformedQueryString", body=IDENTITY + b"&X=%00"),
    Case("broken escape", 400, "MalformedQueryString", body=IDENTITY + b"&X=%zz"),
    Case("cut escape", 400, "MalformedQueryString", body=IDENTITY + b"&X=%f"),
    Case(
        "thousands of parameters",
        400,
        "MalformedQueryString",
        body=IDENTITY + b"".join(b"&P%d=1" % index for index in range(20_000)),
    ),
    Case("very deep parameter", 400, "MalformedInput", body=ASSUME + b"Tags" + b".member.1" * 10_000 + b"=1"),
    Case("endless index", 400, "MalformedInput", body=ASSUME + b"Tags.member.99999999999999999999.Key=k"),
    Case("negative index", 400, "MalformedInput", body=ASSUME + b"Tags.member.-1.Key=k"),
    Case("number with exponent", 400, "MalformedInput", body=ASSUME + b"DurationSeconds=9e2"),
    Case("number of other digits", 400, "MalformedInput", body=ASSUME + b"DurationSeconds=%D9%A9%D9%A0%D9%A0"),
    Case("endless number", 400, "MalformedInput", body=ASSUME + b"DurationSeconds=" + b"9" * 10_000),
    Case("policy of brackets", 400, "MalformedPolicyDocument", body=ASSUME + b"Policy=" + b"[" * 2000),
    Case("form called JSON", 400, "MissingAction", body=IDENTITY, headers=JSON),
    Case("JSON called form", 400, "MissingAction", body=b'{"Action": "GetCallerIdentity"}'),
    Case("form of parts", 400, "MissingAction", body=IDENTITY, headers={"Content-Type": "multipart/form-data"}),
    Case("nobody signed", 403, "MissingAuthenticationToken", body=IDENTITY, signed_for=None),
    Case("signed for another service", 400, "InvalidAction", body=IDENTITY, signed_for="iam"),
    Case("signed by the wrong secret", 403, "SignatureDoesNotMatch", body=IDENTITY, secret="wrong"),
]

ACCOUNTS = [
    account("cut JSON", 400, "SerializationException", b'{"Name": "a'),
    account("list", 400, "SerializationException", b"[]"),
    account("null", 400, "SerializationException", b"null"),
    account("very deep list", 400, "SerializationException", b"[" * 100_000),
    account("very deep mapping", 400, "SerializationException", b'{"Name":' * 10_000),
    account("not a number", 400, "SerializationException", b'{"Name": NaN}'),
    account("endless number", 400, "SerializationException", b'{"Name": ' + b"9" * 5000 + b"}"),
    account("number for text", 400, "SerializationException", b'{"Name": 1}'),
    account("invalid UTF-8", 400, "SerializationException", b'{"Name": "\xff"}'),
    account("half a surrogate pair", 400, "SerializationException", b'{"Name": "\\ud800"}'),
    account("NUL", 400, "SerializationException", b'{"Name": "a\\u0000b"}'),
    account("UTF-16", 400, "SerializationException", '{"Name": "a"}'.encode("utf-16")),
    account("nothing", 400, "BadRequest", b""),
    account("no name", 400, "BadRequest", b"{}"),
    account("blank name", 400, "BadRequest", b'{"Name": " "}'),
]

ADDRESSES = [
    get("a path of no operation", 404, "UnknownOperationException", "/favicon.ico"),
    get("double slash", 404, "UnknownOperationException", "/accounts//users"),
    get("broken escape", 400, "InvalidURIPath", "/%zz"),
    get("cut escape", 400, "InvalidURIPath", "/%"),
    get("NUL", 400, "MalformedQueryString", "/accounts/%00"),
    get("up and away", 400, "InvalidURIPath", "/../../etc/passwd"),
    get("up and away, escaped", 404, "UnknownOperationException", "/%2e%2e/%2e%2e/etc/passwd"),
    get("like a control endpoint", 404, "UnknownOperationException", "/_rolecallx"),
    get("very long path", 404, "NotFound", "/accounts/" + "a" * 5000),
    get("broken escape in the query", 400, "MalformedQueryString", "/?Action=%zz", "sts"),
    get("invalid UTF-8 in the query", 400, "MalformedQueryString", "/?Action=%ff", "sts"),
    get("thousands of queries", 400, "MalformedQueryString", "/?" + "a=1&" * 12_000, "sts"),
    get("text for a number", 400, "SerializationException", "/accounts?max-results=abc"),
    get("endless number", 400, "SerializationException", "/accounts?max-results=" + "9" * 1000),
    get("foreign page token", 400, "BadRequest", "/accounts?next-token=zzz"),
]

METHODS = ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW")


def signed(server: Server, case: Case, service: str) -> dict[str, str]:
    """The headers of the case, with those that sign it as the administrator."""
    request = AWSRequest(case.method, server.url + case.path, dict(case.headers), case.body)
    SigV4Auth(Credentials(ADMIN[0], case.secret), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def sent(server: Server, case: Case) -> RawAnswer:
    headers = dict(case.headers) if case.signed_for is None else signed(server, case, case.signed_for)
    return server.request(case.method, case.path, case.body or None, headers)


def code_of(answer: RawAnswer) -> str:
    """The code of an error in AWS's shape; anything else fails the test."""
    request_id = answer.headers["x-amzn-requestid"]
    assert str(uuid.UUID(request_id)) == request_id
    if answer.headers["content-type"] == "text/xml":
        found = XML_ERROR.fullmatch(answer.body.decode())
        assert found, answer.body
        assert found[2] == request_id
        return found[1]
    assert answer.headers["content-type"] == "application/json"
    document = json.loads(answer.body)
    # The errors of the model have two more members.
    more = {"RequestId": request_id, "Resource": None} if len(document) > 2 else {}
    assert document == {"Code": document["Code"], "Message": document["Message"], **more}
    assert isinstance(document["Message"], str)
    assert answer.headers["x-amzn-errortype"]
    return str(document["Code"])


def still_serves(server: Server) -> bool:
    return sent(server, Case("good", 200, "", body=IDENTITY)).status == 200


@pytest.mark.parametrize("case", [*BODIES, *ACCOUNTS, *ADDRESSES], ids=lambda case: case.name)
def test_a_bad_request_is_refused_in_the_shape_of_aws(server: Server, case: Case) -> None:
    answer = sent(server, case)
    assert (answer.status, code_of(answer)) == (case.status, case.code)
    assert still_serves(server)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("path", "service"), [("/", "sts"), ("/favicon.ico", "chime"), ("/", None), ("/x", None)])
def test_methods_nothing_is_bound_to(server: Server, method: str, path: str, service: str | None) -> None:
    answer = sent(server, Case("", 0, "", method, path, IDENTITY, {}, service))
    assert answer.status in (400, 403, 404)
    assert code_of(answer) in ("MissingAction", "InvalidAction", "UnknownOperationException")
    assert still_serves(server)


def test_a_member_that_is_not_emulated_is_named(server: Server) -> None:
    body = {"ClientRequestToken": "t1", "MediaRegion": "us-east-1", "ExternalMeetingId": "m1"}
    body["NotificationsConfiguration"] = {"SnsTopicArn": "arn:aws:sns:us-east-1:111122223333:topic"}
    case = Case("", 501, "NotImplemented", "POST", "/meetings", json.dumps(body).encode(), JSON, "chime")
    answer = sent(server, case)
    assert (answer.status, code_of(answer)) == (501, "NotImplemented")
    assert b"NotificationsConfiguration of CreateMeeting" in answer.body


@pytest.mark.parametrize(("path", "service"), [("/", "sts"), ("/accounts", "chime"), ("/", None), ("/accounts", None)])
def test_head_is_answered_without_a_body(server: Server, path: str, service: str | None) -> None:
    answer = sent(server, Case("", 0, "", "HEAD", path, b"", {}, service))
    assert 400 <= answer.status < 500
    assert answer.headers["x-amzn-requestid"]
    assert answer.body == b""
    assert still_serves(server)


def test_the_largest_body_is_read(server: Server) -> None:
    padding = b"&X=" + b"x" * (MAXIMUM_BODY_BYTES - len(IDENTITY) - 3)
    answer = sent(server, Case("", 0, "", body=IDENTITY + padding))
    assert answer.status in (200, 400)
    assert still_serves(server)


def raw(server: Server, data: bytes, *, cut: bool = False) -> bytes:
    """Everything the server sends back for these bytes until it closes, as it must."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        # The server may close the connection before it has the whole request. Its answer can still be read.
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
            if cut:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                received += chunk
    return received


def statuses(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", received)]


@pytest.mark.parametrize("path", [b"/", b"/accounts"])
def test_a_body_that_is_announced_as_too_large_is_not_waited_for(server: Server, path: bytes) -> None:
    head = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    received = raw(server, head % (path, MAXIMUM_BODY_BYTES + 1))
    assert statuses(received) == [413]
    assert b"RequestEntityTooLarge" in received
    assert b"x-amzn-requestid: " in received.lower()
    assert still_serves(server)


def test_a_chunked_body_is_read_like_any_other(server: Server) -> None:
    headers = signed(server, Case("", 0, "", body=IDENTITY), "sts")
    headers.pop("Content-Length", None)
    headers["Transfer-Encoding"] = "chunked"
    answer = server.request("POST", "/", _pieces(IDENTITY, 10), headers, encode_chunked=True)
    assert answer.status == 200
    answer = server.request("POST", "/", _pieces(IDENTITY + b"&X=1", 10), headers, encode_chunked=True)
    assert (answer.status, code_of(answer)) == (403, "SignatureDoesNotMatch")


def test_a_chunked_body_has_the_same_limit(server: Server) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    size = MAXIMUM_BODY_BYTES + 1
    assert statuses(raw(server, head + b"%x\r\n" % size + b"x" * size + b"\r\n0\r\n\r\n")) == [413]
    assert still_serves(server)


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_file_as_a_body_may_be_larger_than_a_call(server: Server, is_chunked: bool) -> None:
    """A large account, and a large file of expectations. Nothing of them may be cut off."""
    padding = b"#" * MAXIMUM_BODY_BYTES + b"\n"

    def answer(method: str, path: str, text: bytes) -> tuple[int, dict[str, list[dict[str, int]]]]:
        headers = {"Transfer-Encoding": "chunked"} if is_chunked else {}
        body = _pieces(padding + text, 65_536) if is_chunked else padding + text
        received = server.request(method, path, body, headers, encode_chunked=is_chunked)
        return received.status, json.loads(received.body)

    status, refused = answer("PUT", "/_rolecall/snapshot", b"version: 2\n")
    assert (status, refused["problems"][0]["line"]) == (400, 2)
    expectation = b"expectations: [{principal: user/no-one, may: 'iam:*'}]\n"
    status, refused = answer("POST", "/_rolecall/verify", expectation)
    assert (status, refused["problems"][0]["line"]) == (400, 2)
    assert still_serves(server)


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def test_a_client_that_waits_for_permission_gets_it(server: Server) -> None:
    case = Case("", 0, "", body=IDENTITY)
    headers = signed(server, case, "sts") | {"Content-Length": str(len(IDENTITY)), "Host": f"127.0.0.1:{server.port}"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{head}Expect: 100-continue\r\n\r\n".encode())
        assert statuses(connection.recv(65536)) == [100]
        connection.sendall(IDENTITY)
        assert statuses(connection.recv(65536)) == [200]


NO_REQUESTS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no HTTP": b"HELLO\r\n\r\n",
    "length that is no number": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
    "negative length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "blank in the path": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw bytes in the path": b"GET /\xc3\xa9\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "huge header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "thousands of headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 5000 + b"\r\n",
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_bytes_that_are_no_request_are_refused_or_dropped(server: Server, name: str) -> None:
    received = raw(server, NO_REQUESTS[name])
    assert all(400 <= status < 500 for status in statuses(received))
    assert b"<html" not in received.lower()
    assert still_serves(server)


ODD_REQUESTS = {
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "absolute address": b"GET http://other.example/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "tunnel": b"CONNECT other.example:443 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "method of another case": b"get / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "upgrade": b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n",
    "header as large as allowed": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
    + b"a" * 60_000
    + b"\r\n\r\n",
    "endless authorization": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 "
    + b"Credential=" * 5000
    + b"\r\n\r\n",
    "authorization of raw bytes": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    b"Authorization: AWS4-HMAC-SHA256 Credential=\xff/\xfe, SignedHeaders=host, Signature=\xfd\r\n\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    b"Connection: close\r\n\r\n0\r\n\r\n",
    "broken chunk": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
    "header for a proxy": b"GET / HTTP/1.1\r\nHost: a\r\nProxy: http://other.example\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", ODD_REQUESTS)
def test_an_odd_request_is_refused_in_the_shape_of_aws(server: Server, name: str) -> None:
    received = raw(server, ODD_REQUESTS[name])
    assert [400 <= status < 500 for status in statuses(received)] == [True]
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"x-amzn-requestid: " in head.lower()
    assert XML_ERROR.fullmatch(body.decode()) or json.loads(body)["Code"]
    assert still_serves(server)


def test_a_body_that_ends_early_is_refused(server: Server) -> None:
    received = raw(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nAction=", cut=True)
    assert all(400 <= status < 500 for status in statuses(received))
    assert still_serves(server)


def test_rubbish_after_a_good_request_does_not_spoil_its_answer(server: Server) -> None:
    case = Case("", 0, "", "GET", f"/?{IDENTITY.decode()}", headers={})
    headers = signed(server, case, "sts") | {"Host": f"127.0.0.1:{server.port}"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    good = f"GET {case.path} HTTP/1.1\r\n{head}\r\n".encode()
    last = f"GET {case.path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode()
    assert statuses(raw(server, good + last)) == [200, 200]
    found = statuses(raw(server, good + b"GARBAGE GARBAGE\r\n\r\n"))
    assert found[0] == 200
    assert all(400 <= status < 500 for status in found[1:])
    assert still_serves(server)


def test_many_idle_connections_do_not_keep_others_out(server: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) for _ in range(200)]
    try:
        for index, connection in enumerate(idle):
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n"[: index % 26])
        assert still_serves(server)
    finally:
        for connection in idle:
            connection.close()


HOSTILE = settings(
    max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
PIECES = st.sampled_from(
    [IDENTITY, ASSUME, b"&", b"=", b"%", b".member.", b"Tags.member.1.Key", b"Policy=", b'{"Name":', b"[", b'"', b"%00"]
)


@HOSTILE
@given(
    body=st.lists(PIECES | st.binary(max_size=8), max_size=12).map(b"".join), place=st.sampled_from(["sts", "chime"])
)
def test_any_signed_body_is_answered_by_aws_rules(server: Server, body: bytes, place: str) -> None:
    headers, path = (FORM, "/") if place == "sts" else (JSON, "/accounts")
    answer = sent(server, Case("", 0, "", "POST", path, body, headers, place))
    assert answer.status < 500
    if answer.status >= 300:
        assert code_of(answer)


@HOSTILE
@given(path=st.lists(st.sampled_from(["/", "accounts", "users", "%2F", "?", "%", "..", ";", "&a=", "+"]), max_size=8))
def test_any_address_is_answered_by_aws_rules(server: Server, path: list[str]) -> None:
    answer = sent(server, get("", 0, "", "/" + "".join(path)))
    assert answer.status < 500
    if answer.status >= 300:
        assert code_of(answer)


@HOSTILE
@given(
    data=st.lists(st.sampled_from([b"GET ", b"/", b" HTTP/1.1", b"\r\n", b"Host: a", b": "]) | st.binary(), max_size=9)
)
def test_any_bytes_leave_the_server_standing(server: Server, data: list[bytes]) -> None:
    received = raw(server, b"".join(data), cut=True)
    assert all(400 <= status < 500 for status in statuses(received))


@functools.cache
def _escaped() -> list[str]:
    return [quote_from_bytes(bytes([value])) for value in range(256)]


def test_every_escaped_byte_in_a_path(server: Server) -> None:
    for escaped in _escaped():
        answer = sent(server, get("", 0, "", f"/accounts/x{escaped}"))
        assert 400 <= answer.status < 500
        assert code_of(answer)
    assert still_serves(server)
