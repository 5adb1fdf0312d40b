"""Requests signed by botocore, as Rolecall receives them."""

from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from msgspec.structs import replace

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.signing import Signature, check_scope, check_signature, read_signature

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.e30/+=" * 4
ENDPOINT = "http://127.0.0.1:4580"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
LIST_USERS = "Action=ListUsers&Version=2010-05-08"


def seconds(timestamp: str) -> float:
    """``20150830T123600Z`` as seconds since the epoch."""
    return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


def botocore_signed(
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    *,
    service: str = "iam",
    region: str = "us-east-1",
    token: str | None = None,
    presigned_seconds: int | None = None,
    unsigned_payload: bool = False,
) -> HttpRequest:
    """A request to ``target`` (path and query string) signed by botocore, at the present time."""
    given = headers.items() if isinstance(headers, Mapping) else headers or []
    request = AWSRequest(method=method, url=ENDPOINT + target, data=body)
    for name, value in given:
        request.headers.add_header(name, value)
    if unsigned_payload:
        request.context["payload_signing_enabled"] = False
    credentials = Credentials(KEY_ID, SECRET, token)
    if presigned_seconds is None:
        SigV4Auth(credentials, service, region).add_auth(request)
    else:
        SigV4QueryAuth(credentials, service, region, expires=presigned_seconds).add_auth(request)
    raw_path, _, raw_query = request.url.removeprefix(ENDPOINT).partition("?")
    sent = {"host": "127.0.0.1:4580"}
    for name, untrimmed in request.headers.items():
        # Spaces around a header's value are no part of it (RFC 9110, 5.5), so no server passes them on.
        value = untrimmed.strip(" \t")
        sent[name.lower()] = f"{sent[name.lower()]},{value}" if name.lower() in sent else value
    return HttpRequest(method, raw_path, raw_query, sent, body)


def with_header(request: HttpRequest, name: str, value: str | None) -> HttpRequest:
    """The request with one header changed, added, or (for None) removed."""
    headers = {known: text for known, text in request.headers.items() if known != name}
    return replace(request, headers=headers if value is None else {**headers, name: value})


def signed_at(request: HttpRequest) -> str:
    date = request.headers.get("x-amz-date")
    if date is None:
        date = request.raw_query.split("X-Amz-Date=")[1][:16]
    return date


def verify(request: HttpRequest, wall_seconds: float, service: str = "iam", token: str = "") -> Signature:
    """All steps as the gateway makes them, with one known key. Raises AwsError."""
    signature = read_signature(request, wall_seconds)
    if signature is None:
        raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token")
    check_scope(signature, service=service)
    if signature.access_key_id != KEY_ID or signature.session_token != token:
        raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.")
    check_signature(request, signature, SECRET, raw_path=request.raw_path)
    return signature
