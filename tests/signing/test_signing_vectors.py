"""Signatures published by AWS: the example of the AWS General Reference, and the Signature Version 4 test suite."""

import json
from pathlib import Path

import pytest
from signing_helpers import seconds

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.signing import check_signature, read_signature
from rolecall.signing.authorization import Signature
from rolecall.signing.verify import canonical_request, signing_key

EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

PUBLISHED = json.loads((Path(__file__).parent / "cases" / "published_vectors.json").read_text(encoding="utf-8"))
VECTORS = PUBLISHED["vectors"]


def request_of(vector: dict) -> HttpRequest:
    raw_path, _, raw_query = vector["target"].encode().decode("latin-1").partition("?")
    headers = {"host": "example.amazonaws.com"} | vector["headers"]
    if "signed_headers" in vector:
        scope = f"{PUBLISHED['date'][:8]}/us-east-1/{vector.get('service', 'service')}/aws4_request"
        headers["x-amz-date"] = PUBLISHED["date"]
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, "
            f"SignedHeaders={vector['signed_headers']}, Signature={vector['signature']}"
        )
    return HttpRequest(vector["method"], raw_path, raw_query, headers, vector.get("body", "").encode())


def read(request: HttpRequest) -> Signature:
    signature = read_signature(request, seconds(PUBLISHED["date"]))
    assert signature is not None
    return signature


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_signature_verifies(vector: dict) -> None:
    request = request_of(vector)
    check_signature(request, read(request), PUBLISHED["secret"], raw_path=request.raw_path)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_signature_of_another_secret_is_refused(vector: dict) -> None:
    request = request_of(vector)
    with pytest.raises(AwsError) as refused:
        check_signature(request, read(request), PUBLISHED["secret"] + "x", raw_path=request.raw_path)
    assert refused.value.code == "SignatureDoesNotMatch"


def test_canonical_request_of_the_general_reference() -> None:
    request = request_of(next(vector for vector in VECTORS if vector["name"] == "general-reference-iam-list-users"))
    assert canonical_request(request, read(request), EMPTY_HASH, "/") == (
        "GET\n/\nAction=ListUsers&Version=2010-05-08\n"
        "content-type:application/x-www-form-urlencoded; charset=utf-8\nhost:iam.amazonaws.com\n"
        "x-amz-date:20150830T123600Z\n\ncontent-type;host;x-amz-date\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_derived_signing_keys_are_kept_apart() -> None:
    keys = {
        signing_key(secret, date, region, service).digest()
        for secret in ("a", "b")
        for date in ("20150830", "20150831")
        for region in ("us-east-1", "eu-west-1")
        for service in ("iam", "sts")
    }
    assert len(keys) == 16
