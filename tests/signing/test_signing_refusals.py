"""Refusals before the signature itself is checked: AWS's order of checks, its codes and its words.

Row numbers of cases/refusals.json count the checks in AWS's order. Row 0 holds what AWS does not document.
"""

import json
from pathlib import Path

import pytest
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
from rolecall.signing import check_scope, check_signature, is_region_name, read_signature

TABLE = json.loads((Path(__file__).parent / "cases" / "refusals.json").read_text(encoding="utf-8"))
NOW = TABLE["now"]


def request_of(case: dict) -> HttpRequest:
    return HttpRequest("GET", case["path"], case["query"], case["headers"], b"")


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: f"{case['row']}-{case['name']}")
def test_refusal(case: dict) -> None:
    with pytest.raises(AwsError) as refused:
        verify(request_of(case), seconds(NOW), TABLE["service"])
    assert (refused.value.code, refused.value.message) == (case["code"], case["message"])
    assert refused.value.status == case.get("status")


def test_every_row_of_the_order_has_a_case() -> None:
    # The gateway makes the check of row 4. Rows 14 to 17 need the key.
    assert {case["row"] for case in TABLE["cases"]} >= {1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13}


@pytest.mark.parametrize("headers", [{}, {"host": "x"}, {"authorization": ""}, {"authorization": "  "}])
@pytest.mark.parametrize(
    "query", ["", "Action=GetCallerIdentity", "X-Amz-Signature=1&x-amz-algorithm=AWS4-HMAC-SHA256"]
)
def test_row_4_a_request_without_signature_has_none(headers: dict[str, str], query: str) -> None:
    assert read_signature(HttpRequest("GET", "/", query, headers, b""), seconds(NOW)) is None


def test_row_17_message_shows_what_should_have_been_signed() -> None:
    # The example of the AWS General Reference with a wrong signature. The hash below is of its canonical request.
    headers = {
        "host": "iam.amazonaws.com",
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "x-amz-date": NOW,
        "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date, Signature={'0' * 64}",
    }
    with pytest.raises(AwsError) as refused:
        verify(HttpRequest("GET", "/", LIST_USERS, headers, b""), seconds(NOW))
    assert refused.value.code == "SignatureDoesNotMatch"
    assert refused.value.message == (
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
        "Key and signing method. Consult the service documentation for details.\n\n"
        "The Canonical String for this request should have been\n"
        "'GET\n/\nAction=ListUsers&Version=2010-05-08\n"
        "content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n"
        "x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n\n"
        "The String-to-Sign should have been\n"
        "'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n"
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59'\n"
    )


def test_row_17_message_tells_neither_secret_nor_right_signature() -> None:
    request = botocore_signed("POST", "/", LIST_USERS.encode(), FORM)
    right = request.headers["authorization"].rpartition("=")[2]
    wrong = with_header(request, "authorization", request.headers["authorization"].replace(right, "0" * 64))
    with pytest.raises(AwsError) as refused:
        verify(wrong, seconds(signed_at(request)))
    for text in (refused.value.message, refused.value.reason, str(refused.value)):
        assert SECRET not in text
        assert right not in text


def test_reasons_for_the_log_hold_no_session_token() -> None:
    request = botocore_signed("POST", "/", LIST_USERS.encode(), FORM, token=TOKEN)
    signature = read_signature(request, seconds(signed_at(request)))
    assert signature is not None
    with pytest.raises(AwsError) as refused:
        check_signature(request, signature, "another secret", raw_path="/")
    assert refused.value.reason
    assert TOKEN not in refused.value.reason


def test_a_long_authorization_header_is_refused_without_echo() -> None:
    request = HttpRequest("GET", "/", "", {"host": "x", "authorization": "AWS4-HMAC-SHA256 " + "x" * 100_000}, b"")
    with pytest.raises(AwsError) as refused:
        read_signature(request, seconds(NOW))
    assert refused.value.code == "IncompleteSignature"
    assert refused.value.message == "Authorization header is longer than 8192 characters."


@pytest.mark.parametrize(
    ("offset_seconds", "accepted"), [(-901, False), (-900, True), (0, True), (900, True), (901, False)]
)
@pytest.mark.parametrize("service", ["iam", "sts", "chime"])
def test_clock_window_of_header_signatures(offset_seconds: int, accepted: bool, service: str) -> None:
    request = botocore_signed("GET", "/", service=service)
    now = seconds(signed_at(request)) - offset_seconds
    if accepted:
        assert verify(request, now, service).timestamp == signed_at(request)
    else:
        with pytest.raises(AwsError, match=r"SignatureDoesNotMatch: Signature (expired|not yet current): "):
            verify(request, now, service)


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.999])
def test_fractions_of_a_second_do_not_count(fraction: float) -> None:
    request = botocore_signed("GET", "/")
    assert verify(request, seconds(signed_at(request)) + 900 + fraction)


@pytest.mark.parametrize("expires_seconds", [1, 60, 899, 900, 901, 3600, 604_800])
def test_presigned_request_is_good_until_its_own_expiry(expires_seconds: int) -> None:
    request = botocore_signed("GET", "/?" + LIST_USERS, presigned_seconds=expires_seconds)
    signed = seconds(signed_at(request))
    assert verify(request, signed + expires_seconds).presigned
    with pytest.raises(AwsError, match="SignatureDoesNotMatch: Signature expired: "):
        verify(request, signed + expires_seconds + 1)


@pytest.mark.parametrize("expires_seconds", [0, 1, 60, 604_800, 99_999_999])
def test_presigned_sts_request_is_good_for_15_minutes_whatever_it_says(expires_seconds: int) -> None:
    request = botocore_signed(
        "GET", "/?Action=GetCallerIdentity&Version=2011-06-15", service="sts", presigned_seconds=expires_seconds
    )
    signed = seconds(signed_at(request))
    assert verify(request, signed + 900, "sts").presigned
    with pytest.raises(AwsError, match=r"SignatureDoesNotMatch: Signature expired: .* - 15 min\.\)"):
        verify(request, signed + 901, "sts")


def test_valid_region_is_the_callers_choice() -> None:
    request = botocore_signed("GET", "/", region="eu-west-1")
    signature = read_signature(request, seconds(signed_at(request)))
    assert signature is not None
    check_scope(signature, service="iam", valid_region={"eu-west-1"}.__contains__)
    with pytest.raises(AwsError, match=r"Credential should be scoped to a valid region\. $"):
        check_scope(signature, service="iam", valid_region={"us-east-1"}.__contains__)


@pytest.mark.parametrize(
    "region",
    [
        *("af-south-1", "ap-northeast-3", "ap-southeast-7", "ca-west-1", "cn-northwest-1", "eu-central-2"),
        *("il-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-gov-west-1", "us-iso-east-1"),
        *("us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1"),
    ],
)
def test_region_names(region: str) -> None:
    assert is_region_name(region)


@pytest.mark.parametrize(
    "region", ["", "us-east", "us-east-1\n", "us-east-1a", "aws-global", "us--1", "local", "us-up-1"]
)
def test_other_names_are_no_regions(region: str) -> None:
    assert not is_region_name(region)


def test_the_record_of_a_signature() -> None:
    request = botocore_signed("POST", "/", LIST_USERS.encode(), FORM, token=TOKEN)
    signature = read_signature(request, seconds(signed_at(request)))
    assert signature is not None
    assert (signature.access_key_id, signature.session_token) == (KEY_ID, TOKEN)
    assert (signature.scope_date, signature.region, signature.service) == (signed_at(request)[:8], "us-east-1", "iam")
    assert signature.terminator == "aws4_request"
    assert signature.signed_headers == ("content-type", "host", "x-amz-date", "x-amz-security-token")
    assert (signature.timestamp, signature.presigned) == (signed_at(request), False)
    assert request.headers["authorization"].endswith("Signature=" + signature.signature)
