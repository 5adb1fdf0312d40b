"""The operation that a request asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_samples import ALL_OPERATIONS, SIGNING_NAMES, Sampler, operation_model, request_of, service_model

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire import SERVICES, Target, decode, likely_service, load_service, match
from rolecall.wire.match import _targets
from rolecall.wire.models import KNOWN_SERVICES, load_model

MAXIMUM_PARAMETERS = 10_000

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
ARN = "arn:aws:chime:us-east-1:111122223333:app-instance/a"


def post(body: str | bytes, query: str = "", headers: dict[str, str] | None = None, path: str = "/") -> HttpRequest:
    octets = body.encode("utf-8") if isinstance(body, str) else body
    return HttpRequest("POST", path, query, {**FORM, **(headers or {})}, octets)


def get(path: str, query: str = "", **headers: str) -> HttpRequest:
    return HttpRequest("GET", path, query, headers, b"")


def tagging(resource: str, **headers: str) -> HttpRequest:
    body = json.dumps({"ResourceARN": f"arn:aws:chime:us-east-1:111122223333:{resource}", "Tags": []})
    return post(body, "operation=tag-resource", headers, "/tags")


def found(target: Target) -> str:
    return f"{target.service.name}:{target.operation.name}"


def read(request: HttpRequest, signing_name: str) -> dict[str, Any]:
    return decode(match(request, signing_name), request)


def refusal(request: HttpRequest, signing_name: str) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        read(request, signing_name)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("name", SERVICES)
def test_what_routing_knows_beforehand_agrees_with_the_model(name: str) -> None:
    metadata = service_model(name).metadata
    known = KNOWN_SERVICES[name]
    assert known.protocol == metadata["protocol"]
    assert known.api_version == metadata["apiVersion"]
    assert known.endpoint_prefix == metadata["endpointPrefix"]
    assert known.signing_name == service_model(name).signing_name
    service = load_service(name)
    assert service.signing_name == known.signing_name
    assert set(service.operation_names) == set(service_model(name).operation_names)


def test_operations_know_their_members_and_errors() -> None:
    operation = load_service("sts").operation("AssumeRole")
    assert operation.required_members == ("RoleArn", "RoleSessionName")
    assert {"Tags", "DurationSeconds"} <= set(operation.input_members)
    assert "Credentials" in operation.output_members
    assert {"MalformedPolicyDocument", "PackedPolicyTooLarge"} <= operation.error_codes
    unsigned = {name for name in load_service("sts").operation_names if not load_service("sts").operation(name).signed}
    assert unsigned == {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}
    assert load_service("sts") is load_service("sts")
    assert load_service("sts").operation("AssumeRole") is operation
    with pytest.raises(KeyError):
        load_service("s3")
    with pytest.raises(KeyError):
        load_service("sts").operation("Nothing")
    with pytest.raises(LookupError):
        load_model("no-such-service")


def test_on_one_endpoint_every_chime_operation_finds_itself_and_sdk_operations_find_their_path() -> None:
    shared = set()
    for service_name, operation_name in ALL_OPERATIONS:
        model = operation_model(service_name, operation_name)
        parameters = Sampler(5).value(model.input_shape) if model.input_shape else {}
        target = match(request_of(model, parameters), SIGNING_NAMES[service_name])
        if target.service.name != service_name:
            assert target.operation.name == operation_name
            shared.add((service_name, target.service.name, operation_name))
    # The request tells Chime from the voice service; without a sign, the voice service answers all but one.
    numbers = load_service("chime").operation_names & load_service("chime-sdk-voice").operation_names
    others = {name for _, _, name in shared} - numbers
    assert ("chime-sdk-voice", "chime", "GetGlobalSettings") in shared
    assert {name for _, first, name in shared if first == "chime"} <= numbers
    assert {name for service, _, name in shared if service == "chime"} <= numbers - {"GetGlobalSettings"}
    assert others == {
        "ListTagsForResource",
        "TagResource",
        "UntagResource",
    }


@pytest.mark.parametrize(
    ("request_", "signing_name", "expected"),
    [
        (post("Action=GetCallerIdentity&Version=2011-06-15"), "sts", "sts:GetCallerIdentity"),
        (get("/", "Action=GetCallerIdentity&Version=2011-06-15"), "sts", "sts:GetCallerIdentity"),
        (get("", "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60"), "sts", "sts:GetCallerIdentity"),
        (post("Version=2011-06-15", "Action=GetCallerIdentity"), "sts", "sts:GetCallerIdentity"),
        (post("Action=ListUsers&Version=2010-05-08"), "iam", "iam:ListUsers"),
        (post("Action=ListUsers&Version=2010-05-08"), "", "iam:ListUsers"),
        (post("Action=AssumeRoleWithSAML&Version=2011-06-15"), "", "sts:AssumeRoleWithSAML"),
        (post("Action=GetCallerIdentity&Version=2011-06-15"), "s3", "sts:GetCallerIdentity"),
        (get("/accounts"), "chime", "chime:ListAccounts"),
        (get("/accounts"), "", "chime:ListAccounts"),
        (get("/console/accounts/1/users/2"), "chime", "chime:GetUser"),
        (get("/settings"), "chime", "chime:GetGlobalSettings"),
        (get("/settings", host="voice-chime.us-west-2.amazonaws.com"), "chime", "chime-sdk-voice:GetGlobalSettings"),
        (get("/settings", host="voice-chime.localhost:4580"), "chime", "chime-sdk-voice:GetGlobalSettings"),
        (get("/settings", host="127.0.0.1:4580"), "chime", "chime:GetGlobalSettings"),
        (get("/chime-sdk-voice/settings"), "chime", "chime-sdk-voice:GetGlobalSettings"),
        (get("/chime-sdk-voice/settings"), "", "chime-sdk-voice:GetGlobalSettings"),
        (get("/chime/settings"), "chime", "chime:GetGlobalSettings"),
        (
            get("/chime-sdk-voice/settings", host="chime.us-east-1.amazonaws.com"),
            "chime",
            "chime-sdk-voice:GetGlobalSettings",
        ),
        (
            get("/chime-sdk-meetings/tags", "arn=arn%3Aaws%3Achime%3Aus-east-1%3A1%3Avc%2Fs"),
            "chime",
            "chime-sdk-meetings:ListTagsForResource",
        ),
        (
            get("/console/tags", "arn=arn%3Aaws%3Achime%3Aus-east-1%3A1%3Avc%2Fs"),
            "chime",
            "chime-sdk-voice:ListTagsForResource",
        ),
        (get("/settings", host="service.chime.aws.amazon.com"), "chime", "chime:GetGlobalSettings"),
        (get("/voice-connectors"), "chime", "chime-sdk-voice:ListVoiceConnectors"),
        (post("{}", "operation=suspend", path="/accounts/1/users"), "chime", "chime:BatchSuspendUser"),
        (post("{}", path="/accounts/1/users"), "chime", "chime:BatchUpdateUser"),
        (get("/search", "type=phone-numbers"), "chime", "chime-sdk-voice:SearchAvailablePhoneNumbers"),
        (get("/phone-numbers", "product-type=BusinessCalling"), "chime", "chime:ListPhoneNumbers"),
        (
            HttpRequest("PUT", "/meetings/m/attendees/capabilities", "operation=batch-update-except", {}, b""),
            "chime",
            "chime-sdk-meetings:BatchUpdateAttendeeCapabilitiesExcept",
        ),
        (get("/meetings/m/attendees/capabilities"), "chime", "chime-sdk-meetings:GetAttendee"),
        (tagging("app-instance/a"), "chime", "chime-sdk-identity:TagResource"),
        (tagging("app-instance/a/user/channel/u"), "chime", "chime-sdk-identity:TagResource"),
        (tagging("app-instance/a/channel/c"), "chime", "chime-sdk-messaging:TagResource"),
        (tagging("app-instance/a/channel-flow/f"), "chime", "chime-sdk-messaging:TagResource"),
        (tagging("meeting/m"), "chime", "chime-sdk-meetings:TagResource"),
        (tagging("media-insights-pipeline-configuration/c"), "chime", "chime-sdk-media-pipelines:TagResource"),
        (tagging("vc/v"), "chime", "chime-sdk-voice:TagResource"),
        (tagging("vc/v", host="identity-chime.us-east-1.amazonaws.com"), "chime", "chime-sdk-identity:TagResource"),
        (tagging("other/v"), "chime", "chime-sdk-identity:TagResource"),
        (post("[" * 100_000, "operation=untag-resource", path="/tags"), "chime", "chime-sdk-identity:UntagResource"),
        (post('{"ResourceARN": 1}', "operation=tag-resource", path="/tags"), "chime", "chime-sdk-identity:TagResource"),
        (post("1", "operation=tag-resource", path="/tags"), "chime", "chime-sdk-identity:TagResource"),
        (
            get("/tags", "arn=arn%3Aaws%3Achime%3Aus-east-1%3A111122223333%3Asma%2Fs"),
            "chime",
            "chime-sdk-voice:ListTagsForResource",
        ),
    ],
)
def test_match(request_: HttpRequest, signing_name: str, expected: str) -> None:
    assert found(match(request_, signing_name)) == expected


@pytest.mark.parametrize(
    ("request_", "signing_name", "code", "message"),
    [
        (post(""), "sts", "MissingAction", None),
        (post("Version=2011-06-15"), "sts", "MissingAction", None),
        (post("Action=&Version=2011-06-15"), "sts", "MissingAction", None),
        (post("Action=Nope&Version=2011-06-15"), "sts", "InvalidAction", "operation Nope for version 2011-06-15"),
        (post("Action=GetUser&Version=2011-06-15"), "sts", "InvalidAction", "operation GetUser for version 2011-06-15"),
        (post("Action=ListUsers"), "iam", "InvalidAction", "operation ListUsers for version NO_VERSION_SPECIFIED"),
        (post("Action=ListUsers&Version=2011-06-15"), "iam", "InvalidAction", "for version 2011-06-15"),
        (post("Action=getcalleridentity&Version=2011-06-15"), "sts", "InvalidAction", None),
        (post('{"Action": "ListUsers"}', headers={"content-type": "application/json"}), "iam", "MissingAction", None),
        (post("Action=ListUsers&Version=2010-05-08", path="/iam"), "iam", "InvalidAction", None),
        (
            post("Action=ListUsers&Version=2010-05-08", headers={"content-type": "text/plain"}),
            "iam",
            "MissingAction",
            None,
        ),
        (HttpRequest("PUT", "/", "Action=ListUsers&Version=2010-05-08", {}, b""), "iam", "InvalidAction", None),
        (get("/nothing"), "chime", "InvalidAction", None),
        (get("/accounts/"), "chime", "InvalidAction", None),
        (get("/accounts//users"), "chime", "InvalidAction", None),
        (get("/search"), "chime", "InvalidAction", None),
        (get("/"), "chime", "InvalidAction", None),
        (HttpRequest("PATCH", "/accounts", "", {}, b""), "chime", "InvalidAction", None),
        (get("/accounts", host="voice-chime.us-east-1.amazonaws.com"), "chime", "InvalidAction", None),
        (get("/chime-sdk-voice/accounts"), "chime", "InvalidAction", None),
        (get("/chime-sdk-voice"), "chime", "InvalidAction", None),
        (get("/chime-sdk-voice/"), "chime", "InvalidAction", None),
        (get("/chime-sdk-voice/settings"), "iam", "InvalidAction", None),
        (get("/chime-sdk-voices/settings"), "chime", "InvalidAction", None),
        (get("/chime-sdk-voice/chime-sdk-voice/settings"), "chime", "InvalidAction", None),
        (get("/" + "a/" * 5000), "chime", "InvalidAction", None),
        (get("xaccounts"), "chime", "InvalidAction", None),
        (get("*"), "chime", "InvalidAction", None),
        (get("/" + "arn:/" * 63), "chime", "InvalidAction", None),
    ],
)
def test_no_match(request_: HttpRequest, signing_name: str, code: str, message: str | None) -> None:
    refused = refusal(request_, signing_name)
    assert refused[0] == code
    assert (message or "") in refused[1]


def test_labels_are_decoded_after_the_path_is_split() -> None:
    target = match(get("/accounts/a%2Fb%3F%20%C3%BC+/users/2"), "chime")
    assert target.inputs == {"accountId": "a/b? ü+", "userId": "2"}
    assert target.raw_path == "/accounts/a%2Fb%3F%20%C3%BC+/users/2"


@pytest.mark.parametrize(
    ("method", "path", "corrected", "operation"),
    [
        ("GET", f"/app-instances/{ARN}", "/app-instances/{}", "DescribeAppInstance"),
        ("GET", f"/app-instances/{ARN}/admins", "/app-instances/{}/admins", "ListAppInstanceAdmins"),
        (
            "DELETE",
            f"/app-instances/{ARN}/admins/{ARN}/user/u",
            "/app-instances/{}/admins/{}u",
            "DeleteAppInstanceAdmin",
        ),
        ("GET", f"/channels/{ARN}/channel/c", "/channels/{}c", "DescribeChannel"),
    ],
)
def test_an_arn_whose_slashes_lost_their_encoding_is_put_together_again(
    method: str, path: str, corrected: str, operation: str
) -> None:
    target = match(HttpRequest(method, path, "", {}, b"", path_is_rebuilt=True), "chime")
    encoded = "arn%3Aaws%3Achime%3Aus-east-1%3A111122223333%3Aapp-instance%2Fa"
    assert target.operation.name == operation
    expected = corrected.format(encoded, encoded).replace(encoded + "u", encoded + "%2Fuser%2Fu")
    assert target.raw_path == expected.replace(encoded + "c", encoded + "%2Fchannel%2Fc")
    assert next(iter(target.inputs.values())) == (ARN if operation != "DescribeChannel" else f"{ARN}/channel/c")


def test_parameters_are_read_as_a_form() -> None:
    body = (
        "Action=AssumeRole&Version=2011-06-15&RoleSessionName=a+b%2Bc%C3%BC&DurationSeconds=900&Unknown=1&&=x&"
        "TransitiveTagKeys.member.12=c&TransitiveTagKeys.member.2=b&TransitiveTagKeys.member.999999999=d&Tags=&"
        "PolicyArns.member.1.arn=x&PolicyArns.member.1.Other=y&PolicyArns.member.2.arn="
    )
    request = post(body)
    assert decode(match(request, "sts"), request) == {
        "RoleSessionName": "a b+cü",
        "DurationSeconds": 900,
        "TransitiveTagKeys": ["b", "c", "d"],
        "Tags": [],
        "PolicyArns": [{"arn": "x"}, {"arn": ""}],
    }


def test_bytes_above_ascii_need_not_be_escaped_but_must_be_utf8() -> None:
    request = post("Action=GetUser&Version=2010-05-08&UserName=ü")
    assert decode(match(request, "iam"), request) == {"UserName": "ü"}
    assert refusal(post(b"Action=GetUser&Version=2010-05-08&UserName=\xff"), "iam")[0] == "MalformedQueryString"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("RoleArn=%", "MalformedQueryString", "Incomplete trailing escape % sequence"),
        ("RoleArn=a%4", "MalformedQueryString", "Incomplete trailing escape % sequence"),
        ("RoleArn=%zz", "MalformedQueryString", "Illegal hex character in escape % pattern: %zz"),
        ("RoleArn=%4g", "MalformedQueryString", "Illegal hex character in escape % pattern: %4g"),
        ("Role%=x", "MalformedQueryString", "Incomplete trailing escape % sequence"),
        ("RoleArn=%ff", "MalformedQueryString", "UTF-8"),
        ("RoleArn=%ed%a0%80", "MalformedQueryString", "UTF-8"),
        ("RoleArn=%00", "MalformedQueryString", "NUL"),
        ("RoleArn=a\0", "MalformedQueryString", "NUL"),
        ("RoleArn=a&RoleArn=b", "MalformedQueryString", "RoleArn has more than one value"),
        ("&" * MAXIMUM_PARAMETERS, "MalformedQueryString", "parameters"),
        ("DurationSeconds=abc", "MalformedInput", "can not be converted to an Integer"),
        ("DurationSeconds=", "MalformedInput", "can not be converted to an Integer"),
        ("DurationSeconds=1.5", "MalformedInput", "can not be converted to an Integer"),
        ("DurationSeconds=2147483648", "MalformedInput", "can not be converted to an Integer"),
        ("DurationSeconds=٣", "MalformedInput", "can not be converted to an Integer"),
        ("Tags.member.x.Key=a", "MalformedInput", "x is not a valid index"),
        ("Tags.member.-1.Key=a", "MalformedInput", "not a valid index"),
        ("Tags.member.9999999999.Key=a", "MalformedInput", "not a valid index"),
        ("Tags.member.1.Key=a&Tags.member.01.Key=b", "MalformedInput", "given twice"),
        ("Tags.1.Key=a", "MalformedInput", "Unexpected key in list"),
        ("Tags=a", "MalformedInput", "Unexpected list element"),
        ("Tags.member.1=a", "MalformedInput", "Unexpected complex element"),
        ("Tags.member.1.Key.x=a", "MalformedInput", "Start of structure"),
        ("Tags.member.1.Key=a&Tags.member.1.Key.x=a", "MalformedInput", "Start of structure"),
        ("Tags.member.1.Key.x=a&Tags.member.1.Key=a", "MalformedInput", "Unexpected complex element"),
        ("Tags" + ".a" * 1000 + "=1", "MalformedInput", "too deeply"),
    ],
)
def test_broken_parameters(text: str, code: str, message: str) -> None:
    refused = refusal(post("Action=AssumeRole&Version=2011-06-15&" + text), "sts")
    assert refused[0] == code
    assert message in refused[1]


def test_the_same_parameter_in_url_and_body_must_agree() -> None:
    agreed = post("Action=GetCallerIdentity&Version=2011-06-15", "Action=GetCallerIdentity")
    assert match(agreed, "sts").operation.name == "GetCallerIdentity"
    assert refusal(post("Action=GetCallerIdentity&Version=2011-06-15", "Action=AssumeRole"), "sts")[0] == (
        "MalformedQueryString"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"Name": NaN}', "not valid JSON"),
        (b'{"Name": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"Name": "\xff"}', "not valid UTF-8"),
        (b"\xff\xfe{\x00}\x00", "not valid UTF-8"),
        (b'{"Name": "\\ud800"}', "surrogate"),
        (b'{"Name": "\\u0000"}', "NUL"),
        (b'{"Name": 5}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"Name": 5.0}', "DECIMAL_VALUE can not be converted to a String"),
        (b'{"Name": true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"Name": false}', "FALSE_VALUE can not be converted to a String"),
        (b'{"Name": []}', "Start of list found where not expected"),
        (b'{"Name": {}}', "Start of structure or map found where not expected."),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deeply"),
        (b'{"x": ' + b'{"a":' * 100_000, "too deeply"),
        (b'{"x": "' + b'\\"' * 200_000 + b"[" * 100, "not valid JSON"),
    ],
)
def test_broken_bodies(body: bytes, message: str) -> None:
    refused = refusal(HttpRequest("POST", "/accounts", "", {}, body), "chime")
    assert refused[0] == "MalformedInput"
    assert message in refused[1]


def test_brackets_inside_text_do_not_nest() -> None:
    request = HttpRequest("POST", "/accounts", "", {}, json.dumps({"Name": '["\\' * 500, "Other": [[]]}).encode())
    assert decode(match(request, "chime"), request) == {"Name": '["\\' * 500}


@pytest.mark.parametrize("body", [b"", b" ", b"{}", b'{"Name": null}', b'{"name": "x", "Other": {"a": []}}'])
def test_bodies_without_a_known_member(body: bytes) -> None:
    request = HttpRequest("POST", "/accounts", "", {}, body)
    assert decode(match(request, "chime"), request) == {}


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/accounts", "max-results=x", "MalformedInput"),
        ("/accounts", "max-results=%zz", "MalformedQueryString"),
        ("/accounts", "max-results=1&max-results=2", "MalformedQueryString"),
        ("/accounts/%ff/users", "", "MalformedQueryString"),
        ("/accounts/%00/users", "", "MalformedQueryString"),
        ("/accounts/a\0/users", "", "MalformedQueryString"),
        ("/accounts/%4/users", "", "MalformedQueryString"),
        ("/accounts/\u0394/users", "", "MalformedQueryString"),
    ],
)
def test_broken_urls(path: str, query: str, code: str) -> None:
    assert refusal(get(path, query), "chime")[0] == code


@pytest.mark.parametrize(
    ("request_", "signing_name", "expected"),
    [
        (post(""), "sts", "sts"),
        (post(""), "iam", "iam"),
        (get("/nothing"), "chime", "chime"),
        (get("/"), "chime", "chime"),
        (get("/nothing"), "", "chime"),
        (get("/"), "", "sts"),
        (get("/", host="iam.amazonaws.com"), "", "iam"),
        (get("/x", host="messaging-chime.eu-central-1.amazonaws.com"), "chime", "chime-sdk-messaging"),
    ],
)
def test_a_request_that_matches_nothing_is_still_answered_in_a_fitting_form(
    request_: HttpRequest, signing_name: str, expected: str
) -> None:
    assert likely_service(request_, signing_name) == expected


NUMBERS = "/phone-numbers/%2B12065550100"
# Each differs from another one in a single thing.
ALIKE: list[tuple[HttpRequest, str, str]] = [
    (get("/tags", f"arn={ARN}"), "chime", "chime-sdk-identity:ListTagsForResource"),
    (get("/tags", f"arn={ARN}/channel/c"), "chime", "chime-sdk-messaging:ListTagsForResource"),
    (get("/tags", "arn=arn:aws:chime:us-east-1:111122223333:vc/a"), "chime", "chime-sdk-voice:ListTagsForResource"),
    (get(NUMBERS), "chime", "chime-sdk-voice:GetPhoneNumber"),
    (get(NUMBERS, host="chime.us-east-1.amazonaws.com"), "chime", "chime:GetPhoneNumber"),
    (HttpRequest("DELETE", NUMBERS, "", {}, b""), "chime", "chime-sdk-voice:DeletePhoneNumber"),
    (HttpRequest("POST", NUMBERS, "operation=restore", {}, b""), "chime", "chime-sdk-voice:RestorePhoneNumber"),
    (HttpRequest("POST", NUMBERS, "", {}, b""), "chime", "chime-sdk-voice:UpdatePhoneNumber"),
    (HttpRequest("POST", NUMBERS, "", {}, b'{"ProductType":"BusinessCalling"}'), "chime", "chime:UpdatePhoneNumber"),
    (get("/", "Action=GetCallerIdentity&Version=2011-06-15"), "sts", "sts:GetCallerIdentity"),
    (get("/", "Action=GetUser&Version=2010-05-08"), "iam", "iam:GetUser"),
    (post("Action=GetUser&Version=2010-05-08"), "iam", "iam:GetUser"),
    (post("Action=ListUsers&Version=2010-05-08"), "iam", "iam:ListUsers"),
    *(
        (
            post("", headers={"x-amz-target": f"AWSOrganizationsV20161128.{name}"}),
            "organizations",
            f"organizations:{name}",
        )
        for name in ("ListRoots", "ListAccounts")
    ),
]


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_remembered_of_a_request_is_for_its_like_alone(order: int) -> None:
    for _ in range(2):
        for request, signing_name, expected in ALIKE[::order]:
            assert found(match(request, signing_name)) == expected
    # The signing name counts, too, and what was refused is refused again.
    for _ in range(2):
        for request, signing_name in ((ALIKE[9][0], "iam"), (ALIKE[10][0], "sts"), (ALIKE[3][0], "sts")):
            assert refusal(request, signing_name)[0] == "InvalidAction"


def test_a_presigned_request_is_not_remembered() -> None:
    request = get(NUMBERS, "X-Amz-Security-Token=secret&X-Amz-Signature=00")
    assert found(match(request, "chime")) == "chime-sdk-voice:GetPhoneNumber"
    assert not any("secret" in part for key in list(_targets._entries) for part in key)
