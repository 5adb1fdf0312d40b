"""The order of refusals, end to end: a call with several faults gets the error of the first one in AWS's order."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from raw_calls import Keys, Received, Sent, keys_of, query_call, send, signed

ROLE = "arn:aws:iam::111122223333:role/nothing"
INVALID = "The security token included in the request is invalid"
EXPIRED = "The security token included in the request is expired"
UNKNOWN = ("AKIAQAAAAAAAQAAAAAAA", "no such key's secret")
SERVICES = ("sts", "iam", "chime")
# AWS's order. Each fault -> the code in the query and in the JSON protocol, and the beginning of the message.
FAULTS: dict[str, tuple[int, str, int, str, str]] = {
    "old": (403, "SignatureDoesNotMatch", 403, "InvalidSignatureException", "Signature expired: "),
    "scope": (403, "SignatureDoesNotMatch", 403, "InvalidSignatureException", "Credential should be scoped to correct"),
    "damaged token": (403, "InvalidClientTokenId", 403, "UnrecognizedClientException", INVALID),
    "expired token": (403, "ExpiredToken", 403, "ExpiredTokenException", EXPIRED),
    "unknown key": (403, "InvalidClientTokenId", 403, "UnrecognizedClientException", INVALID + "."),
    "signature": (
        403,
        "SignatureDoesNotMatch",
        403,
        "InvalidSignatureException",
        "The request signature we calculated",
    ),
    "limit": (400, "ValidationError", 400, "BadRequestException", "1 validation error detected: "),
    "permission": (403, "AccessDenied", 403, "ForbiddenException", "User: arn:aws:"),
    "not built": (501, "NotImplemented", 501, "NotImplemented", "Rolecall does not emulate "),
}
ORDER = list(FAULTS)
# With an unknown key, a token can only belong to another key.
IMPOSSIBLE = {("damaged token", "unknown key"), ("expired token", "unknown key")}
PAIRS = [pair for pair in itertools.combinations_with_replacement(ORDER, 2) if pair not in IMPOSSIBLE]

WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": "111122223333",
                "users": [
                    {
                        "name": "admin",
                        "access_keys": [{"id": "admin_key_for_tests", "secret": "admin-secret"}],
                        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                    },
                    {"name": "nobody", "access_keys": [{"id": "nobody_key_for_tests", "secret": "nobody-secret"}]},
                ],
                "roles": [
                    {
                        "name": name,
                        "trust_policy": {
                            "Version": "2012-10-17",
                            "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
                        },
                        "attached_policies": policies,
                    }
                    for name, policies in (
                        ("everything", ["arn:aws:iam::aws:policy/AdministratorAccess"]),
                        ("nothing", []),
                    )
                ],
            }
        ],
    }
)


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    return make_shared_world(WORLD)


def call_of(service: str, faults: set[str]) -> Sent:
    """An unsigned call. The faults set its parameters and whether it is emulated."""
    too_much = "limit" in faults
    if service == "sts":
        # A role that trusts every principal would admit any caller, so the probe is a call without a resource policy.
        return query_call("sts", "GetAccessKeyInfo", AccessKeyId="A" if too_much else "ASIAY34FZKBOKMUTVV7A")
    if service == "iam":
        return query_call("iam", "ListUsers", MaxItems="1001" if too_much else "1000")
    return Sent("GET", "/accounts", "max-results=" + ("201" if too_much else "200"))


def keys_for(world: Any, faults: set[str]) -> Keys:
    if "unknown key" in faults:
        return UNKNOWN
    keys = keys_of(world.assume("nothing" if "permission" in faults else "everything", "admin"))
    if "damaged token" in faults:
        keys = (keys[0], keys[1], keys[2][:-8] + "AAAAAAAA")  # type: ignore[misc]
    return keys


def outcome(world: Any, service: str, faults: set[str], monkeypatch: pytest.MonkeyPatch) -> Received:
    keys = keys_for(world, faults)
    if "signature" in faults:
        keys = (keys[0], "another secret", *keys[2:])
    # No service signs with this name, so path and host decide.
    scope = "chime-sdk-voice" if service == "chime" else "s3"
    request = signed(call_of(service, faults), keys, scope if "scope" in faults else service)
    if "not built" in faults:
        # Every operation of these services is emulated, or may be some day.
        monkeypatch.setattr("rolecall.gateway.road.find", lambda _service, _operation: None)
    if "old" in faults:
        monkeypatch.setattr(world.clock, "wall_seconds", lambda: time.time() + 960)
    if "expired token" in faults:
        monkeypatch.setattr(world.clock, "now_seconds", lambda: time.time() + 3700)
    return send(world.application, request)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " and ".join(dict.fromkeys(pair)).replace(" ", "-"))
def test_the_first_of_two_faults_is_reported(
    worlds: Any, service: str, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    received = outcome(worlds, service, set(pair), monkeypatch)
    query_status, query_code, json_status, json_code, beginning = FAULTS[pair[0]]
    status, code, message = received.error
    expected = (json_status, json_code) if service == "chime" else (query_status, query_code)
    assert (status, code) == expected
    assert message.startswith(beginning)
    if pair[0] == "damaged token":
        assert message == INVALID


@pytest.mark.parametrize("service", SERVICES)
def test_without_a_fault_the_call_succeeds(worlds: Any, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(worlds, service, set(), monkeypatch).status == 200


# Errors before any check of the signature.


@pytest.mark.parametrize("service", SERVICES)
def test_no_signature_at_all(worlds: Any, service: str) -> None:
    received = send(worlds.application, call_of(service, set()))
    code = "MissingAuthenticationTokenException" if service == "chime" else "MissingAuthenticationToken"
    assert received.error == (403, code, "Request is missing Authentication Token")


@pytest.mark.parametrize("service", SERVICES)
def test_two_signatures(worlds: Any, service: str) -> None:
    request = signed(call_of(service, set()), UNKNOWN, service)
    query = "&".join(part for part in (request.query, "X-Amz-Algorithm=AWS4-HMAC-SHA256") if part)
    received = send(worlds.application, replace(request, query=query))
    code = "InvalidSignatureException" if service == "chime" else "SignatureDoesNotMatch"
    assert received.error == (403, code, "")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("a=%", "Incomplete trailing escape % sequence"),
        ("a=%4", "Incomplete trailing escape % sequence"),
        ("a=%zz", "Illegal hex character in escape % pattern: %zz"),
    ],
)
def test_a_query_string_with_a_broken_escape(worlds: Any, query: str, message: str) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), UNKNOWN, "sts")
    assert send(worlds.application, replace(request, query=query)).error == (400, "MalformedQueryString", message)


def test_a_path_with_a_broken_escape(worlds: Any) -> None:
    request = signed(Sent("GET", "/accounts"), UNKNOWN, "chime")
    received = send(worlds.application, replace(request, path="/accounts/%zz"))
    assert received.status == 400


@pytest.mark.parametrize(
    ("authorization", "message"),
    [
        ("Bearer token", "Unsupported AWS 'algorithm': 'Bearer'."),
        ("AWS4-HMAC-SHA1 Credential=a", "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'."),
        (
            "AWS4-HMAC-SHA256 Credential",
            "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: "
            "'AWS4-HMAC-SHA256 Credential'",
        ),
        (
            "AWS4-HMAC-SHA256 Other=1",
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' "
            "parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host;x-amz-date, Signature=00",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c'",
        ),
    ],
)
def test_an_authorization_header_that_cannot_be_read(worlds: Any, authorization: str, message: str) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), UNKNOWN, "sts").with_header("Authorization", authorization)
    assert send(worlds.application, request).error == (400, "IncompleteSignature", message)


def test_a_host_that_is_not_signed(worlds: Any) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), UNKNOWN, "sts")
    authorization = request.headers["Authorization"].replace(";host;", ";")
    received = send(worlds.application, request.with_header("Authorization", authorization))
    message = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    assert received.error == (403, "SignatureDoesNotMatch", message)


def seconds_after_signing(world: Any, request: Sent, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the machine's clock at so many seconds after the signature's time."""
    text = request.headers.get("X-Amz-Date") or dict(parse_qsl(request.query))["X-Amz-Date"]
    signed_at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    monkeypatch.setattr(world.clock, "wall_seconds", lambda: signed_at + seconds)


def test_a_request_from_the_future(worlds: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), UNKNOWN, "sts")
    seconds_after_signing(worlds, request, -901, monkeypatch)
    status, code, message = send(worlds.application, request).error
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert message.startswith("Signature not yet current: ")
    assert message.endswith(" + 15 min.)")


@pytest.mark.parametrize("seconds", [-899, 899])
def test_clocks_may_differ_by_fifteen_minutes(worlds: Any, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), ("admin_key_for_tests", "admin-secret"), "sts")
    seconds_after_signing(worlds, request, seconds, monkeypatch)
    assert send(worlds.application, request).status == 200


def test_a_moved_clock_does_not_make_signatures_old(make_world: Any) -> None:
    world = make_world(WORLD)
    world.clock.advance(365 * 86_400)
    assert world.client("sts").get_caller_identity()["Account"] == "111122223333"


@pytest.mark.parametrize(
    ("scope", "service", "sentence"),
    [
        ({"region": "nowhere"}, "sts", "Credential should be scoped to a valid region. "),
        ({"region": "us-east-1"}, "chime", "Credential should be scoped to correct service: 'sts'."),
        (
            {"region": "moon"},
            "s3",
            "Credential should be scoped to a valid region. Credential should be scoped to correct service: 'sts'.",
        ),
    ],
)
def test_a_scope_that_is_wrong(worlds: Any, scope: dict[str, str], service: str, sentence: str) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), ("admin_key_for_tests", "admin-secret"), service, **scope)
    if service == "chime":
        # For Chime this is no call: path and method decide, and "/" belongs to no operation.
        assert send(worlds.application, request).error[1] == "UnknownOperationException"
        return
    assert send(worlds.application, request).error == (403, "SignatureDoesNotMatch", sentence)


# Session credentials that are incomplete or mixed up.


def test_temporary_keys_need_their_own_token(worlds: Any) -> None:
    first, second = (worlds.client("sts", "admin").get_session_token()["Credentials"] for _ in range(2))
    call = query_call("sts", "GetCallerIdentity")
    for keys, message in (
        (keys_of(first)[:2], INVALID + "."),
        ((first["AccessKeyId"], first["SecretAccessKey"], second["SessionToken"]), INVALID),
        ((second["AccessKeyId"], first["SecretAccessKey"], first["SessionToken"]), INVALID),
        ((first["AccessKeyId"], first["SecretAccessKey"], "no token"), INVALID),
        (("admin_key_for_tests", "admin-secret", first["SessionToken"]), INVALID),
    ):
        received = send(worlds.application, signed(call, keys, "sts"))
        assert received.error == (403, "InvalidClientTokenId", message)
    mixed = (first["AccessKeyId"], second["SecretAccessKey"], first["SessionToken"])
    status, code, _ = send(worlds.application, signed(call, mixed, "sts")).error
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert send(worlds.application, signed(call, keys_of(first), "sts")).status == 200


def test_a_token_of_another_sandbox_is_refused(worlds: Any, make_world: Any) -> None:
    foreign = make_world(WORLD).client("sts", "admin").get_session_token()["Credentials"]
    received = send(worlds.application, signed(query_call("sts", "GetCallerIdentity"), keys_of(foreign), "sts"))
    assert received.error == (403, "InvalidClientTokenId", INVALID)


# Signatures.

ADMIN: Keys = ("admin_key_for_tests", "admin-secret")


def test_the_message_shows_what_should_have_been_signed_and_no_secret(worlds: Any) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), (ADMIN[0], "wrong"), "sts")
    _, _, message = send(worlds.application, request).error
    assert "\n\nThe Canonical String for this request should have been\n'POST\n/\n" in message
    assert "\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n" in message
    assert ADMIN[1] not in message


def test_a_body_that_was_changed_on_its_way(worlds: Any) -> None:
    request = signed(query_call("iam", "CreateUser", UserName="ana"), ADMIN, "iam")
    status, code, _ = send(worlds.application, replace(request, body=request.body.replace(b"ana", b"eve"))).error
    assert (status, code) == (403, "SignatureDoesNotMatch")
    assert worlds.client("iam", "admin").list_users()["Users"][-1]["UserName"] == "nobody"


@pytest.mark.parametrize("name", ["X-Amz-Date", "Host", "Content-Type"])
def test_a_signed_header_that_was_changed_on_its_way(worlds: Any, name: str) -> None:
    request = signed(query_call("sts", "GetCallerIdentity"), ADMIN, "sts")
    if name == "X-Amz-Date":
        value = request.headers[name][:-2] + ("0Z" if request.headers[name][-2] != "0" else "1Z")
    else:
        value = "other.localhost" if name == "Host" else "application/x-www-form-urlencoded"
    status, code, _ = send(worlds.application, request.with_header(name, value)).error
    assert (status, code) == (403, "SignatureDoesNotMatch")


def test_a_payload_hash_must_be_the_body_s(worlds: Any) -> None:
    call = query_call("sts", "GetCallerIdentity").with_header("X-Amz-Content-Sha256", "0" * 64)
    status, code, _ = send(worlds.application, signed(call, ADMIN, "sts")).error
    assert (status, code) == (403, "SignatureDoesNotMatch")


def test_an_unsigned_payload_may_change_but_only_when_the_client_signed_that(worlds: Any) -> None:
    call = query_call("sts", "GetCallerIdentity").with_header("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")
    request = signed(call, ADMIN, "sts")
    other = query_call("sts", "GetAccessKeyInfo", AccessKeyId="ASIAY34FZKBOKMUTVV7A")
    assert send(worlds.application, replace(request, body=other.body)).status == 200
    plain = signed(query_call("sts", "GetCallerIdentity"), ADMIN, "sts")
    claimed = plain.with_header("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")
    status, code, _ = send(worlds.application, claimed).error
    assert (status, code) == (403, "SignatureDoesNotMatch")


# Presigned.


def presigned(keys: Keys, seconds: int = 60) -> Sent:
    call = Sent("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15")
    return signed(call, keys, "sts", presigned_seconds=seconds)


def test_a_presigned_get(worlds: Any) -> None:
    for keys in (ADMIN, keys_of(worlds.assume("everything", "admin"))):
        received = send(worlds.application, presigned(keys))
        assert received.status == 200
        assert b"<Arn>arn:aws:" in received.body


def test_a_presigned_get_is_good_for_fifteen_minutes_whatever_it_says(
    worlds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = presigned(ADMIN, 1), presigned(ADMIN, 604_800)
    seconds_after_signing(worlds, short, 899, monkeypatch)
    assert send(worlds.application, short).status == 200
    for request in (short, long):
        seconds_after_signing(worlds, request, 901, monkeypatch)
        status, code, message = send(worlds.application, request).error
        assert (status, code, message[:18]) == (403, "SignatureDoesNotMatch", "Signature expired:")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("GetCallerIdentity", "GetSessionToken"),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("us-east-1", "us-west-2"),
        ("admin_key_for_tests", "nobody_key_for_tests"),
    ],
)
def test_a_presigned_get_that_was_changed(worlds: Any, before: str, after: str) -> None:
    request = presigned(ADMIN)
    assert before in request.query
    status, code, _ = send(worlds.application, replace(request, query=request.query.replace(before, after))).error
    assert (status, code) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("name", ["X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"])
def test_a_presigned_get_that_lacks_a_part(worlds: Any, name: str) -> None:
    request = presigned(ADMIN)
    query = "&".join(part for part in request.query.split("&") if not part.startswith(f"{name}="))
    message = f"AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
    received = send(worlds.application, replace(request, query=query))
    assert received.error == (400, "IncompleteSignature", message)
