"""Every request that botocore signs is accepted, whatever the path, query string, headers and body."""

from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest
from amounts import examples
from botocore.awsrequest import AWSRequest
from hypothesis import given, settings
from hypothesis import strategies as st
from signing_helpers import FORM, LIST_USERS, TOKEN, botocore_signed, seconds, signed_at, verify

from rolecall.signing import read_signature

UUID = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
LABELS = [
    UUID,
    "a%2Fb",
    "a%2fb",
    "a%2Bb",
    "a+b",
    "a%20b",
    "%E1%88%B4",
    "%25",
    "%2E%2E",
    "arn%3Aaws%3Achime%3Aus-east-1%3A111122223333%3Aapp%2Fx",
    "arn:aws:chime:us-east-1:111122223333:app",
    "a@b.example",
    "~-._",
    "(x)!*'",
    "a,b;c=d&e$f",
]
PATHS = [
    "/",
    "//",
    "/accounts",
    "/accounts/",
    "//accounts//x//",
    "/./a",
    "/a/.",
    "/a/./b/",
    "/a/../b",
    "/a/b/..",
    "/..a/.b",
]
QUERIES = [
    "",
    LIST_USERS,
    "b=2&a=1",
    "a=2&a=1&a=1",
    "a=&b=",
    "a-1=x&a=y&a.1=z",
    "A=1&a=1",
    "name=Ana%20Li%2B1&operation=add",
    "next-token=%2B%2F%3D%3D",
    "x=%E1%88%B4%F0%9F%98%80",
    "max-results=99&next-token=" + "t" * 2000,
    "operation=batch-suspend",
    "%61=1",
]
BODIES = [b"", b"x", b'{"Email": "ana@example.com"}', bytes(range(256)), "Grüße ሴ 😀".encode(), b"\x00" * 10_000]
HEADERS: list[list[tuple[str, str]]] = [
    [],
    [("X-Inner", "a   b \t c")],
    [("X-Outer", "   a   ")],
    [("X-Twice", "one"), ("x-twice", "two"), ("X-TWICE", "  one  ")],
    [("X-Empty", "")],
    [("X-AMZ-Target", "Service.Operation"), ("X-Amz-Acl", "b,a")],
    [("Content-Type", "application/json"), ("User-Agent", "Boto3/1"), ("X-Amzn-Trace-Id", "Root=1")],
    [("X-Long", "v" * 500), ("X-Long-With-Blanks", "v  " * 500)],
    [("Accept", "*/*"), ("If-Match", '"a  b"')],
]


def accepted(service: str = "chime", token: str | None = None, **how) -> None:
    request = botocore_signed(service=service, token=token, **how)
    signature = verify(request, seconds(signed_at(request)), service, token or "")
    assert signature.presigned == ("presigned_seconds" in how)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("presigned", [{}, {"presigned_seconds": 60}])
def test_path_labels(label: str, presigned: dict) -> None:
    accepted(method="GET", target=f"/accounts/{label}/users", **presigned)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("presigned", [{}, {"presigned_seconds": 60}])
def test_paths(path: str, presigned: dict) -> None:
    accepted(method="GET", target=path, **presigned)


@pytest.mark.parametrize("query", [query for query in QUERIES if "%61" not in query])
@pytest.mark.parametrize("presigned", [{}, {"presigned_seconds": 60}])
def test_query_strings(query: str, presigned: dict) -> None:
    accepted(method="GET", target=f"/accounts?{query}", **presigned)


def test_parameters_given_apart_from_the_url_are_accepted() -> None:
    request = AWSRequest("GET", "http://127.0.0.1:4580/accounts", params={"name": "a+b c/d", "max-results": "5"})
    raw_query = request.prepare().url.partition("?")[2]
    accepted(method="GET", target="/accounts?" + raw_query.replace("+", "%20"))


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_bodies(body: bytes, method: str) -> None:
    accepted(method=method, target="/accounts", body=body)


@pytest.mark.parametrize("headers", HEADERS)
def test_headers(headers: list[tuple[str, str]]) -> None:
    accepted(method="POST", target="/accounts", body=b"{}", headers=headers)


@pytest.mark.parametrize("token", [TOKEN, "t", "a b  c", "x" * 4096])
@pytest.mark.parametrize("how", [{}, {"method": "GET", "presigned_seconds": 60}])
def test_session_tokens(token: str, how: dict) -> None:
    request = botocore_signed(service="sts", token=token, **how)
    signature = read_signature(request, seconds(signed_at(request)))
    assert signature is not None
    assert signature.session_token == token
    verify(request, seconds(signed_at(request)), "sts", token)


@pytest.mark.parametrize("service", ["sts", "iam", "chime"])
@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "us-gov-west-1"])
def test_services_and_regions(service: str, region: str) -> None:
    accepted(service=service, region=region, body=LIST_USERS.encode(), headers=FORM)


def test_a_presigned_query_operation_carries_its_parameters_in_the_url() -> None:
    accepted(service="sts", method="GET", target="/?Action=GetCallerIdentity&Version=2011-06-15", presigned_seconds=60)


def test_a_date_header_instead_of_x_amz_date() -> None:
    request = botocore_signed("GET", "/", headers={"Date": "to be replaced"})
    assert "x-amz-date" not in request.headers
    moment = parsedate_to_datetime(request.headers["date"])
    assert verify(request, moment.timestamp()).timestamp == moment.strftime("%Y%m%dT%H%M%SZ")


def test_unsigned_payload_is_accepted_when_the_client_declares_it() -> None:
    accepted(method="POST", target="/accounts", body=b"{}", unsigned_payload=True)


def test_a_declared_payload_hash_is_accepted() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    accepted(method="POST", target="/accounts", headers={"X-Amz-Content-SHA256": empty})


labels = st.text(max_size=12).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="-._~"))
paths = st.lists(labels, max_size=5).map(lambda parts: "/" + "/".join(parts)).filter(lambda path: "/.." not in path)
queries = st.lists(st.tuples(labels, labels), max_size=6).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
visible = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)


@settings(max_examples=examples(200), deadline=None)
@given(path=paths, query=queries, value=visible, body=st.binary(max_size=50), token=st.none() | st.just(TOKEN))
def test_whatever_an_sdk_encodes(path: str, query: str, value: str, body: bytes, token: str | None) -> None:
    accepted(method="PUT", target=f"{path}?{query}", headers={"X-Value": value}, body=body, token=token)
