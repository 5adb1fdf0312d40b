"""Every operation of every service, there and back, with botocore's own serializer and parser at the other end."""

from __future__ import annotations

import json

import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_samples import (
    ALL_OPERATIONS,
    ENDPOINTS,
    PLAIN,
    SIGNING_NAMES,
    Sampler,
    operation_model,
    parsed,
    plain,
    request_of,
)

from rolecall.http import HttpRequest
from rolecall.wire import SERVICES, decode, encode_answer, load_service, match

ANY_ADDRESS = "127.0.0.1:4580"
PLAIN_REQUEST = HttpRequest("POST", "/", "", {}, b"")


def round_trip_answer(service_name: str, operation_name: str, sampler: Sampler) -> None:
    model = operation_model(service_name, operation_name)
    operation = load_service(service_name).operation(operation_name)
    sampler.milliseconds = model.service_model.protocol != "query"
    answer = sampler.value(model.output_shape) if model.output_shape else None
    http = encode_answer(operation, answer, PLAIN_REQUEST, "a-request-id")
    assert plain(parsed(model, http)) == plain(answer or {})


def round_trip_request(service_name: str, operation_name: str, sampler: Sampler) -> None:
    model = operation_model(service_name, operation_name)
    sampler.milliseconds = False
    parameters = sampler.value(model.input_shape) if model.input_shape else {}
    for host in hosts_of(service_name, operation_name):
        request = request_of(model, parameters, host)
        target = match(request, SIGNING_NAMES[service_name])
        assert (target.service.name, target.operation.name) == (service_name, operation_name)
        assert target.raw_path == request.raw_path
        assert plain(decode(target, request)) == plain(parameters)


def hosts_of(service_name: str, operation_name: str) -> list[str]:
    """Where a request can only be for that service. The voice service may answer for Chime at an address of both."""
    own = ENDPOINTS.get(service_name)
    if own is None:
        return [ANY_ADDRESS]
    is_chimes_alone = service_name == "chime" and operation_name not in load_service("chime-sdk-voice").operation_names
    return [own, ANY_ADDRESS] if is_chimes_alone else [own]


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_answer_is_read_by_botocore_as_it_was_given(service_name: str) -> None:
    for name, operation_name in ALL_OPERATIONS:
        if name == service_name:
            round_trip_answer(name, operation_name, Sampler(1))
            round_trip_answer(name, operation_name, Sampler(2, sparse=True))


@pytest.mark.parametrize("service_name", SERVICES)
def test_every_request_of_botocore_is_read_as_it_was_meant(service_name: str) -> None:
    for name, operation_name in ALL_OPERATIONS:
        if name == service_name:
            round_trip_request(name, operation_name, Sampler(1, alphabet=PLAIN))
            round_trip_request(name, operation_name, Sampler(2))
            round_trip_request(name, operation_name, Sampler(3, sparse=True))


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(ALL_OPERATIONS), st.integers(min_value=10), st.text(min_size=1, max_size=20))
def test_answers_with_any_text_survive(operation: tuple[str, str], seed: int, letters: str) -> None:
    legal = "".join(c for c in letters if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    round_trip_answer(*operation, Sampler(seed, alphabet=legal or "x", sparse=True))


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(ALL_OPERATIONS), st.integers(min_value=10), st.text(min_size=1, max_size=20))
def test_requests_with_any_text_survive(operation: tuple[str, str], seed: int, letters: str) -> None:
    legal = "".join(c for c in letters if c != "\x00" and not "\ud800" <= c <= "\udfff")
    round_trip_request(*operation, Sampler(seed, alphabet=legal or "x", sparse=True))


@pytest.mark.parametrize("service_name", SERVICES)
def test_no_operation_accepts_a_member_its_model_lacks(service_name: str) -> None:
    service = load_service(service_name)
    for name in service.operation_names:
        with pytest.raises(TypeError):
            encode_answer(service.operation(name), {"NoSuchMember": "x"}, PLAIN_REQUEST, "id")


def test_wrong_types_in_an_answer_are_refused() -> None:
    caller = load_service("sts").operation("GetCallerIdentity")
    roles = load_service("iam").operation("ListRoles")
    user = load_service("chime").operation("GetUser")
    for operation, answer in (
        (caller, {"Account": 111122223333}),
        (caller, {"Account": b"111122223333"}),
        (roles, {"IsTruncated": "false"}),
        (roles, {"Roles": {"RoleName": "x"}}),
        (roles, {"Roles": [{"Nick": "x"}]}),
        (roles, {"Roles": [{"MaxSessionDuration": True}]}),
        (user, {"User": {"UserId": 5}}),
        (user, {"User": {"Nick": "x"}}),
    ):
        with pytest.raises(TypeError):
            encode_answer(operation, answer, PLAIN_REQUEST, "id")


def test_members_without_a_value_are_left_out() -> None:
    operation = load_service("iam").operation("GetRole")
    http = encode_answer(operation, {"Role": {"RoleName": "r", "Description": None}}, PLAIN_REQUEST, "id")
    assert b"<RoleName>r</RoleName>" in http.body
    assert b"Description" not in http.body


@given(st.text(alphabet=st.characters(), max_size=30))
def test_no_text_makes_xml_that_cannot_be_parsed(text: str) -> None:
    model = operation_model("sts", "GetCallerIdentity")
    operation = load_service("sts").operation("GetCallerIdentity")
    found = parsed(model, encode_answer(operation, {"Arn": text, "Account": "1"}, PLAIN_REQUEST, "id"))
    assert found["Account"] == "1"
    assert len(found["Arn"]) == len(text)


def test_query_answers_have_the_shape_aws_gives_them() -> None:
    operation = load_service("sts").operation("GetCallerIdentity")
    http = encode_answer(operation, {"Account": "1"}, PLAIN_REQUEST, "rid")
    assert http.status == 200
    assert http.content_type == "text/xml"
    assert http.body.decode() == (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        "<Account>1</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>rid</RequestId></ResponseMetadata>"
        "</GetCallerIdentityResponse>"
    )
    nothing = encode_answer(load_service("iam").operation("DeleteRole"), None, PLAIN_REQUEST, "rid")
    assert nothing.body.decode() == (
        '<DeleteRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ResponseMetadata>'
        "<RequestId>rid</RequestId></ResponseMetadata></DeleteRoleResponse>"
    )


def test_query_answers_are_json_for_a_client_that_asks() -> None:
    request = HttpRequest("GET", "/", "", {"accept": "application/json"}, b"")
    operation = load_service("sts").operation("AssumeRole")
    answer = {"Credentials": {"AccessKeyId": 'A"', "Expiration": 1_700_000_000.0}, "PackedPolicySize": 3}
    http = encode_answer(operation, answer, request, "rid")
    assert http.content_type == "application/json"
    assert json.loads(http.body) == {
        "AssumeRoleResponse": {"AssumeRoleResult": answer, "ResponseMetadata": {"RequestId": "rid"}}
    }
    nothing = encode_answer(load_service("iam").operation("DeleteRole"), None, request, "rid")
    assert json.loads(nothing.body) == {"DeleteRoleResponse": {"ResponseMetadata": {"RequestId": "rid"}}}


def test_rest_answers_have_the_status_of_the_model() -> None:
    chime = load_service("chime")
    created = encode_answer(chime.operation("CreateUser"), {"User": {"UserId": "1"}}, PLAIN_REQUEST, "id")
    assert (created.status, created.body) == (201, b'{"User":{"UserId":"1"}}')
    gone = encode_answer(chime.operation("DeleteAccount"), {}, PLAIN_REQUEST, "id")
    assert (gone.status, gone.body) == (204, b"")


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("chime-sdk-meetings", "BatchUpdateAttendeeCapabilitiesExcept"),
        ("chime-sdk-meetings", "StartMeetingTranscription"),
        ("chime-sdk-meetings", "StopMeetingTranscription"),
        ("chime-sdk-media-pipelines", "UpdateMediaInsightsPipelineStatus"),
        ("chime-sdk-messaging", "AssociateChannelFlow"),
        ("sso", "Logout"),
    ],
)
def test_an_operation_without_output_answers_an_empty_body(service: str, name: str) -> None:
    """Smithy, AWS restJson1: without output an empty payload; with an output of no members, an empty object."""
    http = encode_answer(load_service(service).operation(name), {}, PLAIN_REQUEST, "id")
    assert (http.status, http.body) == (200, b"")
    redacted = encode_answer(load_service("chime").operation("RedactRoomMessage"), {}, PLAIN_REQUEST, "id")
    assert (redacted.status, redacted.body) == (200, b"{}")


def test_an_answer_with_members_is_never_sent_as_204() -> None:
    operation = load_service("chime").operation("PutRetentionSettings")
    answer = {"InitiateDeletionTimestamp": 1_700_000_000.25}
    http = encode_answer(operation, answer, PLAIN_REQUEST, "id")
    assert http.status == 200
    assert plain(parsed(operation_model("chime", "PutRetentionSettings"), http)) == answer
