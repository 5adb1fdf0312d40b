"""Requests signed by botocore and sent unchanged to the WSGI application, for cases that no client would send."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as Xml

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rolecall.inprocess import ENDPOINT_URL, call_wsgi, environ_of

VERSIONS = {"sts": "2011-06-15", "iam": "2010-05-08"}
FORM = "application/x-www-form-urlencoded; charset=utf-8"
Keys = tuple[str, str] | tuple[str, str, str]


@dataclass(frozen=True)
class Sent:
    """A request before it is sent. All of it can still be changed."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def with_header(self, name: str, value: str | None) -> Sent:
        """One header changed or added, or removed for None."""
        headers = {known: text for known, text in self.headers.items() if known.lower() != name.lower()}
        return replace(self, headers=headers if value is None else {**headers, name: value})


@dataclass(frozen=True)
class Received:
    """The answer of the application."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, code and message, from any form of an error."""
        if self.headers["Content-Type"] == "text/xml":
            found = {element.tag.rpartition("}")[2]: element.text or "" for element in Xml.fromstring(self.body).iter()}  # noqa: S314
            return self.status, found["Code"], found.get("Message", "")
        answer = json.loads(self.body)
        inner = answer.get("Error", answer)
        code = self.headers.get("x-amzn-ErrorType") or inner["Code"]
        return self.status, code, inner["Message"]


def query_call(service: str, action: str, **parameters: str) -> Sent:
    """An unsigned call of a query service, as a form."""
    body = urlencode({"Action": action, "Version": VERSIONS[service], **parameters}).encode()
    return Sent("POST", "/", "", {"Content-Type": FORM}, body)


def signed(
    request: Sent, keys: Keys, service: str, *, region: str = "us-east-1", presigned_seconds: int | None = None
) -> Sent:
    """The request signed by botocore, in its headers or (``presigned_seconds``) in its query string."""
    url = f"{ENDPOINT_URL}{request.path}" + (f"?{request.query}" if request.query else "")
    made = AWSRequest(method=request.method, url=url, data=request.body, headers=dict(request.headers))
    credentials = Credentials(*keys)
    if presigned_seconds is None:
        SigV4Auth(credentials, service, region).add_auth(made)
    else:
        SigV4QueryAuth(credentials, service, region, expires=presigned_seconds).add_auth(made)
    path, _, query = made.url.removeprefix(ENDPOINT_URL).partition("?")
    return replace(request, path=path, query=query, headers=dict(made.headers.items()))


def send(application: Any, request: Sent) -> Received:
    """Give the request to the application as a server would."""
    url = f"{ENDPOINT_URL}{request.path}" + (f"?{request.query}" if request.query else "")
    made = AWSRequest(method=request.method, url=url, headers=dict(request.headers)).prepare()
    made.url, made.body = url, request.body
    environ = environ_of(made)
    if not request.body and request.method in ("GET", "HEAD", "DELETE"):
        del environ["CONTENT_LENGTH"]
    return Received(*call_wsgi(application, environ))


def keys_of(credentials: Mapping[str, Any]) -> Keys:
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


# Values that satisfy the patterns of the Chime models.
_CANDIDATES = (
    "a",
    "abcdef",
    "ana@example.com",
    "+14155550100",
    "00000000-0000-4000-8000-000000000000",
    "123456",
    "1234567890",
    "o-abcdefghij/r-abcd",
    "10",
    "AB",
    "12:00",
    "arn:aws:chime:us-east-1:111122223333:x/y",
    "https://example.com",
)


def _text(shape: Any) -> str:
    if getattr(shape, "enum", None):
        return str(shape.enum[0])
    low, high = shape.metadata.get("min", 1), shape.metadata.get("max", 10_000)
    # Python's expressions have no Unicode classes. For these values \w is close enough.
    pattern = re.sub(r"\\p\{[A-Z]\}", r"\\w", shape.metadata.get("pattern") or ".*")
    for candidate in (*_CANDIDATES, "a" * low):
        if low <= len(candidate) <= high and re.fullmatch(pattern, candidate, re.S):
            return candidate
    raise LookupError(f"no value for {shape.name}: {pattern}")


def sample(shape: Any) -> Any:
    """A value that satisfies a shape, with required members alone."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)] * max(1, shape.metadata.get("min", 0))
    if shape.type_name == "map":
        return {sample(shape.key): sample(shape.value)}
    if shape.type_name == "string":
        return _text(shape)
    return {
        "boolean": True,
        "timestamp": 1_900_000_000,
        "blob": b"a",
    }.get(shape.type_name, max(1, shape.metadata.get("min", 1)))
