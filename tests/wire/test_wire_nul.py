"""NUL is refused wherever text comes from: databases and logs end texts there, so it must not get as far. And a
machine without AWS's models."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire import decode, match, models

NUL = "The request contains a NUL character."
CHANNEL = "arn:aws:chime:us-east-1:111122223333:app-instance/a/channel/b"


def refusal(method: str, path: str, query: str = "", body: bytes = b"", **headers: str) -> tuple[str, str]:
    request = HttpRequest(method, path, query, headers, body)
    with pytest.raises(AwsError) as caught:
        decode(match(request, "chime"), request)
    return caught.value.code, caught.value.message


def test_in_a_path() -> None:
    assert refusal("GET", "/accounts/a%00b") == ("MalformedQueryString", NUL)
    assert refusal("POST", "/accounts/a/users/%00", body=b"{}") == ("MalformedQueryString", NUL)


def test_in_a_query() -> None:
    assert refusal("GET", "/accounts", "name=a%00") == ("MalformedQueryString", NUL)


def test_in_a_header() -> None:
    bearer = {"x-amz-chime-bearer": "arn:aws:chime:us-east-1:111122223333:app-instance/a/user/b\x00"}
    assert refusal("GET", f"/channels/{quote(CHANNEL, safe='')}", **bearer) == ("MalformedInput", NUL)


def test_in_a_body() -> None:
    body = json.dumps({"Name": "a\x00"}).encode()
    assert refusal("POST", "/accounts", body=body)[0] == "MalformedInput"


def test_without_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_data_folder", lambda: None)
    with pytest.raises(LookupError, match=r"^botocore is not installed$"):
        models.load_model("sts")


def test_a_service_that_the_models_do_not_have() -> None:
    with pytest.raises(LookupError, match=r"^the installed botocore has no model of no-such-service$"):
        models.load_model("no-such-service")
