"""A changed signed request does not verify: each way of tampering by name, then all of them at random."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from amounts import examples
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from signing_helpers import (
    FORM,
    KEY_ID,
    LIST_USERS,
    SECRET,
    TOKEN,
    botocore_signed,
    seconds,
    signed_at,
    verify,
    with_header,
)

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.signing import check_signature, read_signature

BODY = b"Action=CreateUser&Version=2010-05-08&UserName=ana"
USER = "/accounts/12a3456b-7c89-012d-3456-78901e23fg45/users/u1"
HEADERS = {**FORM, "X-Extra": "one two"}

BY_HEADER = botocore_signed("POST", "/", BODY, HEADERS)
BY_HEADER_WITH_TOKEN = botocore_signed("POST", USER + "?operation=add&name=Ana%20Li", BODY, HEADERS, token=TOKEN)
PRESIGNED = botocore_signed("GET", "/?" + LIST_USERS, presigned_seconds=600)
PRESIGNED_WITH_TOKEN = botocore_signed("GET", USER + "?a=1&b=%2F", token=TOKEN, presigned_seconds=600)
SIGNED = [BY_HEADER, BY_HEADER_WITH_TOKEN, PRESIGNED, PRESIGNED_WITH_TOKEN]
NAMES = ["by header", "by header with token", "presigned", "presigned with token"]


def outcome(request: HttpRequest, at: HttpRequest) -> str:
    """The refusal's code, or empty. The key is known here, and any token counts as the key's own."""
    try:
        signature = read_signature(request, seconds(signed_at(at)))
        if signature is None:
            return "MissingAuthenticationToken"
        return outcome_with_token(request, at, signature.session_token)
    except AwsError as error:
        return error.code


def outcome_with_token(request: HttpRequest, at: HttpRequest, token: str) -> str:
    try:
        verify(request, seconds(signed_at(at)), "iam", token)
    except AwsError as error:
        return error.code
    return ""


def authorization_with(old: str, new: str) -> Callable[[HttpRequest], HttpRequest]:
    def change(request: HttpRequest) -> HttpRequest:
        authorization = request.headers["authorization"]
        assert old in authorization
        return with_header(request, "authorization", authorization.replace(old, new))

    return change


def with_signature(change: Callable[[str], str]) -> Callable[[HttpRequest], HttpRequest]:
    def changed(request: HttpRequest) -> HttpRequest:
        authorization = request.headers.get("authorization", "")
        if authorization:
            start, mark, signature = authorization.rpartition("Signature=")
            return with_header(request, "authorization", start + mark + change(signature))
        start, mark, signature = request.raw_query.rpartition("X-Amz-Signature=")
        return replace(request, raw_query=start + mark + change(signature))

    return changed


def query_with(old: str, new: str) -> Callable[[HttpRequest], HttpRequest]:
    def change(request: HttpRequest) -> HttpRequest:
        assert old in request.raw_query
        return replace(request, raw_query=request.raw_query.replace(old, new))

    return change


def test_the_requests_verify_untouched() -> None:
    assert [outcome(request, request) for request in SIGNED] == ["", "", "", ""]


EVERY_REQUEST = {
    "method changed": lambda request: replace(request, method="PUT"),
    "method in lower case": lambda request: replace(request, method=request.method.lower()),
    "path changed": lambda request: replace(request, raw_path="/accounts/other"),
    "path extended": lambda request: replace(request, raw_path=request.raw_path.rstrip("/") + "/x"),
    "body changed": lambda request: replace(request, body=b"Action=DeleteUser&Version=2010-05-08&UserName=ana"),
    "body added or extended": lambda request: replace(request, body=request.body + b"&Path=%2Fadmin%2F"),
    "parameter added": lambda request: replace(request, raw_query=request.raw_query + "&UserName=eve"),
    "parameter put first": lambda request: replace(request, raw_query="UserName=eve&" + request.raw_query),
    "host changed": lambda request: with_header(request, "host", "iam.example.com"),
    "host removed": lambda request: with_header(request, "host", None),
    "content hash header of another body": lambda request: with_header(request, "x-amz-content-sha256", "0" * 64),
    "payload declared unsigned": lambda request: with_header(request, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    "payload declared as a stream": lambda request: with_header(
        request, "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    ),
    "x-amz header added": lambda request: with_header(request, "x-amz-target", "Other.Operation"),
    "signature shortened": with_signature(lambda signature: signature[:-1]),
    "signature extended": with_signature(lambda signature: signature + "0"),
    "signature in upper case": with_signature(str.upper),
    "signature emptied": with_signature(lambda signature: ""),
    "signature of zeros": with_signature(lambda signature: "0" * 64),
    "signature of letters above ASCII": with_signature(lambda signature: "é" * 64),
    "signature of another request": with_signature(
        lambda signature: BY_HEADER_WITH_TOKEN.headers["authorization"].rpartition("=")[2][::-1]
    ),
}


@pytest.mark.parametrize("request_", SIGNED, ids=NAMES)
@pytest.mark.parametrize("change", EVERY_REQUEST.values(), ids=EVERY_REQUEST.keys())
def test_tampering(request_: HttpRequest, change: Callable[[HttpRequest], HttpRequest]) -> None:
    changed = change(request_)
    assert changed != request_
    assert outcome(changed, request_) == "SignatureDoesNotMatch"


BY_HEADER_ONLY = {
    "signed header changed": lambda request: with_header(request, "x-extra", "one three"),
    "signed header's case changed": lambda request: with_header(request, "x-extra", "One two"),
    "signed header removed": lambda request: with_header(request, "x-extra", None),
    "signed header emptied": lambda request: with_header(request, "x-extra", ""),
    "signed header's value doubled": lambda request: with_header(request, "x-extra", "one two,one two"),
    "content type changed": lambda request: with_header(request, "content-type", "application/json"),
    "header name taken from the signed ones": authorization_with(";x-extra", ""),
    "header name added to the signed ones": authorization_with("host;", "host;range;"),
    "region changed": authorization_with("us-east-1", "us-west-2"),
    "service changed": authorization_with("/iam/", "/sts/"),
    "terminator changed": authorization_with("aws4_request", "aws4_reques"),
    "date header changed by a second": lambda request: with_header(
        request, "x-amz-date", signed_at(request)[:-3] + ("00Z" if signed_at(request)[-3:] != "00Z" else "01Z")
    ),
}


@pytest.mark.parametrize("request_", SIGNED[:2], ids=NAMES[:2])
@pytest.mark.parametrize("change", BY_HEADER_ONLY.values(), ids=BY_HEADER_ONLY.keys())
def test_tampering_with_a_header_signature(request_: HttpRequest, change: Callable[[HttpRequest], HttpRequest]) -> None:
    changed = change(request_)
    assert changed != request_
    assert outcome(changed, request_) == "SignatureDoesNotMatch"


def test_tampering_scope_date() -> None:
    day = signed_at(BY_HEADER)[:8]
    changed = authorization_with(f"/{day}/", "/20150830/")(BY_HEADER)
    assert outcome(changed, BY_HEADER) == "SignatureDoesNotMatch"


def test_tampering_access_key_of_another_user() -> None:
    changed = authorization_with(KEY_ID, "AKIDOTHER")(BY_HEADER)
    assert outcome(changed, BY_HEADER) == "InvalidClientTokenId"


def test_a_scope_changed_with_its_check_left_out_still_breaks_the_signature() -> None:
    for old, new in (("us-east-1", "us-west-2"), ("/iam/", "/sts/"), ("aws4_request", "aws5_request")):
        changed = authorization_with(old, new)(BY_HEADER)
        signature = read_signature(changed, seconds(signed_at(BY_HEADER)))
        assert signature is not None
        with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
            check_signature(changed, signature, SECRET, raw_path="/")


@pytest.mark.parametrize("token", ["another", TOKEN + "x", TOKEN.lower(), None])
def test_tampering_token_swapped_in_the_header(token: str | None) -> None:
    changed = with_header(BY_HEADER_WITH_TOKEN, "x-amz-security-token", token)
    assert outcome(changed, BY_HEADER_WITH_TOKEN) == "SignatureDoesNotMatch"


def test_tampering_token_added_to_a_request_without() -> None:
    changed = with_header(BY_HEADER, "x-amz-security-token", TOKEN)
    assert outcome(changed, BY_HEADER) == "SignatureDoesNotMatch"
    changed = authorization_with("x-amz-date", "x-amz-date;x-amz-security-token")(changed)
    assert outcome(changed, BY_HEADER) == "SignatureDoesNotMatch"


PRESIGNED_ONLY = {
    "parameter changed": query_with("=", "=x"),
    "expiry extended": query_with("X-Amz-Expires=600", "X-Amz-Expires=604800"),
    "expiry removed": query_with("X-Amz-Expires=600", ""),
    "signed headers extended": query_with("X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=host%3Brange"),
    "region changed": query_with("us-east-1", "us-west-2"),
    "service changed": query_with("%2Fiam%2F", "%2Fsts%2F"),
    "second signature": lambda request: replace(request, raw_query=request.raw_query + "&X-Amz-Signature=0"),
    "second signature first": lambda request: replace(request, raw_query="X-Amz-Signature=0&" + request.raw_query),
    "second expiry": lambda request: replace(request, raw_query="X-Amz-Expires=604800&" + request.raw_query),
    "second credential": lambda request: replace(
        request, raw_query=request.raw_query + "&X-Amz-Credential=A%2F20150830%2Fus-east-1%2Fiam%2Faws4_request"
    ),
    "token added": lambda request: replace(request, raw_query=request.raw_query + "&X-Amz-Security-Token=t"),
    "token added first": lambda request: replace(request, raw_query="X-Amz-Security-Token=t&" + request.raw_query),
    "Authorization header added": lambda request: with_header(
        request, "authorization", BY_HEADER.headers["authorization"]
    ),
}


@pytest.mark.parametrize("request_", SIGNED[2:], ids=NAMES[2:])
@pytest.mark.parametrize("change", PRESIGNED_ONLY.values(), ids=PRESIGNED_ONLY.keys())
def test_tampering_with_a_presigned_request(
    request_: HttpRequest, change: Callable[[HttpRequest], HttpRequest]
) -> None:
    changed = change(request_)
    assert changed != request_
    assert outcome(changed, request_) in {"SignatureDoesNotMatch", "IncompleteSignature"}


def test_tampering_token_removed_from_a_presigned_request() -> None:
    before, _, after = PRESIGNED_WITH_TOKEN.raw_query.partition("&X-Amz-Security-Token=")
    changed = replace(PRESIGNED_WITH_TOKEN, raw_query=before + "&" + after.partition("&")[2])
    assert outcome(changed, PRESIGNED_WITH_TOKEN) == "SignatureDoesNotMatch"


def test_a_signed_content_hash_that_is_not_the_bodys_is_refused() -> None:
    request = botocore_signed("POST", "/", BODY, {"X-Amz-Content-SHA256": "0" * 64})
    assert "x-amz-content-sha256" in request.headers["authorization"]
    assert outcome(request, request) == "SignatureDoesNotMatch"


def test_an_unsigned_payload_is_still_bound_to_the_rest() -> None:
    request = botocore_signed("POST", "/", BODY, unsigned_payload=True)
    assert outcome(replace(request, body=b"another"), request) == ""
    assert outcome(replace(request, raw_query="a=1"), request) == "SignatureDoesNotMatch"
    assert outcome(with_header(request, "x-amz-content-sha256", None), request) == "SignatureDoesNotMatch"


def test_the_caller_decides_which_path_is_signed() -> None:
    signature = read_signature(BY_HEADER_WITH_TOKEN, seconds(signed_at(BY_HEADER_WITH_TOKEN)))
    assert signature is not None
    check_signature(BY_HEADER_WITH_TOKEN, signature, SECRET, raw_path=USER)
    with pytest.raises(AwsError, match="SignatureDoesNotMatch"):
        check_signature(BY_HEADER_WITH_TOKEN, signature, SECRET, raw_path=USER + "2")


def test_a_line_break_in_a_header_does_not_stand_for_another_header() -> None:
    request = botocore_signed("GET", "/", headers={"X-A": "1", "X-B": "2"})
    changed = with_header(with_header(request, "x-a", "1\nx-b:2"), "x-b", None)
    assert outcome(changed, request) == "SignatureDoesNotMatch"


def test_spaces_made_of_other_characters_are_not_blanks() -> None:
    request = botocore_signed("GET", "/", headers={"X-A": "one two"})
    for blank in ("\xa0", "\x85"):
        assert outcome(with_header(request, "x-a", f"one{blank}two"), request) == "SignatureDoesNotMatch"


# At random. A change that still verifies must mean the same: escapes, spaces and order have several spellings.


def meaning(request: HttpRequest) -> tuple[object, ...]:
    """The meaning of a request for a service, read without the code of signing."""
    authorization = request.headers.get("authorization", "").replace(",", " ").split()
    known = [
        part for part in authorization if part.startswith(("AWS4-", "Credential=", "SignedHeaders=", "Signature="))
    ]
    credentials = sorted(part.lower() if part.startswith("SignedHeaders=") else part for part in known)
    segments: list[str] = []
    for segment in request.raw_path.split("/"):
        if segment == ".." and segments:
            segments.pop()
        elif segment not in {"", ".", ".."}:
            segments.append(segment)
    headers = {
        name: b" ".join(value.encode("latin-1", "replace").split())
        for name, value in request.headers.items()
        if name != "authorization"
    }
    query = sorted(parse_qsl(request.raw_query, keep_blank_values=True, encoding="latin-1"))
    return (
        request.method,
        segments,
        # The root user's ARN has no name after a slash.
        segments and request.raw_path[-1:] == "/",
        query,
        sorted(headers.items()),
        credentials,
        request.body,
    )


@pytest.mark.parametrize("path", ["/.", "/./", "//", "//.", "/a/..", "/a/../", "/a/b/../.."])
@pytest.mark.parametrize("original", [BY_HEADER, PRESIGNED], ids=["by header", "presigned"])
def test_every_way_to_write_the_root_is_the_root(original: HttpRequest, path: str) -> None:
    changed = replace(original, raw_path=path)
    assert meaning(changed) == meaning(original)
    assert outcome(changed, original) == ""


@pytest.mark.parametrize("path", [f"{USER}/", f"{USER}/x/", "/", "/.", f"{USER}/.."])
@pytest.mark.parametrize("original", [BY_HEADER_WITH_TOKEN, PRESIGNED_WITH_TOKEN], ids=["by header", "presigned"])
def test_another_path_means_something_else(original: HttpRequest, path: str) -> None:
    changed = replace(original, raw_path=path)
    assert meaning(changed) != meaning(original)
    assert outcome(changed, original) == "SignatureDoesNotMatch"


FIELDS = ["method", "raw_path", "raw_query", "body"]


def mutated(text: str, kind: str, at: int, inserted: str) -> str:
    at %= len(text) + 1
    if kind == "insert":
        return text[:at] + inserted + text[at:]
    if kind == "delete":
        return text[:at] + text[at + len(inserted) :]
    return text[:at] + inserted + text[at + len(inserted) :]


@settings(max_examples=examples(2500), deadline=None)
@given(
    which=st.integers(0, len(SIGNED) - 1),
    field=st.sampled_from(FIELDS) | st.integers(0, 10),
    kind=st.sampled_from(["insert", "delete", "replace"]),
    at=st.integers(0, 2000),
    inserted=st.text(st.characters(max_codepoint=255), min_size=1, max_size=3),
)
def test_a_mutated_request_never_verifies(which: int, field: str | int, kind: str, at: int, inserted: str) -> None:
    original = SIGNED[which]
    if isinstance(field, int):
        name = sorted(original.headers)[field % len(original.headers)]
        changed = with_header(original, name, mutated(original.headers[name], kind, at, inserted))
    elif field == "body":
        body = mutated(original.body.decode("latin-1"), kind, at, inserted).encode("latin-1")
        changed = replace(original, body=body)
    else:
        changed = replace(original, **{field: mutated(getattr(original, field), kind, at, inserted)})
    assume(meaning(changed) != meaning(original))
    assert outcome(changed, original) != ""


anything = st.text(max_size=60)
pieces = st.sampled_from(
    [
        *("AWS4-HMAC-SHA256", " ", "Credential=", "Signature=", "SignedHeaders=", "host", ";", ",", "/", "=", "&", "%"),
        *(
            "X-Amz-Algorithm=",
            "X-Amz-Date=",
            "%41",
            "20150830",
            "T123600Z",
            "us-east-1",
            "iam",
            "aws4_request",
            "\udc80",
        ),
    ]
)
assembled = st.lists(pieces, max_size=20).map("".join)


@settings(max_examples=examples(500), deadline=None)
@given(
    method=anything,
    raw_path=anything | assembled.map("/".__add__),
    raw_query=anything | assembled,
    headers=st.dictionaries(
        st.sampled_from(
            ["authorization", "host", "x-amz-date", "date", "x-amz-security-token", "x-amz-content-sha256"]
        ),
        anything | assembled,
    ),
    body=st.binary(max_size=20),
)
def test_nothing_but_aws_errors(
    method: str, raw_path: str, raw_query: str, headers: dict[str, str], body: bytes
) -> None:
    request = HttpRequest(method, raw_path, raw_query, headers, body)
    assert outcome(request, BY_HEADER) != ""
