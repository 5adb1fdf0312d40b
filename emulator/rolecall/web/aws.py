"""AWS calls over WSGI: every path that is not Rolecall's own.

The WSGI environment becomes an HttpRequest without Flask's request object: building that costs more than the whole
authentication of a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from rolecall.errors import AwsError
from rolecall.gateway import Gateway
from rolecall.http import HttpAnswer, HttpRequest
from rolecall.web.browsers import guarded
from rolecall.web.origins import DEFAULT_ADMISSION, Admission

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
WsgiApplication = Callable[[Environ, Any], Iterable[bytes]]

TOO_LARGE_MESSAGE = "The request body is larger than {limit} bytes."
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
# Names of WSGI's own keys for the two headers that carry no HTTP_ prefix.
_PLAIN_HEADERS = (("CONTENT_TYPE", "content-type"), ("CONTENT_LENGTH", "content-length"))
_header_names: dict[str, str] = {}
_HEADER_NAMES_LIMIT = 256


class BodyTooLargeError(Exception):
    """The body is longer than the limit; it was not read to its end. ``request`` is what is known without it."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__()
        self.request = request


def aws_application(
    gateway: Gateway, maximum_body_bytes: int, admission: Admission = DEFAULT_ADMISSION
) -> WsgiApplication:
    """A WSGI application that answers AWS calls of programs, and of the web pages that ``admission`` lets in."""

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            request = read_request(environ, maximum_body_bytes)
        except BodyTooLargeError as too_large:
            message = TOO_LARGE_MESSAGE.format(limit=maximum_body_bytes)
            error = AwsError("RequestEntityTooLarge", message)
            request_id, answer = gateway.refuse(too_large.request, _guessed_service(environ), error)
        else:
            request_id, answer = gateway.answer(request)
        return send(answer, request_id, gateway.clock.wall_seconds(), start_response)

    def refuse(message: str, environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            request = read_request(environ, maximum_body_bytes)
        except BodyTooLargeError as too_large:
            request = too_large.request
        request_id, answer = gateway.refuse(request, "", AwsError("AccessDenied", message, status=403))
        return send(answer, request_id, gateway.clock.wall_seconds(), start_response)

    return guarded(application, refuse, admission)


def read_request(environ: Environ, maximum_body_bytes: int) -> HttpRequest:
    """The request in a WSGI environment. Raises BodyTooLargeError."""
    headers: dict[str, str] = {}
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            headers[_header_names.get(key) or _header_name(key)] = value
    for key, name in _PLAIN_HEADERS:
        value = environ.get(key)
        if value:
            headers[name] = value
    raw_path, _, _ = environ.get("RAW_URI", "").partition("?")
    body = _read_body(environ, headers.get("content-length", ""), maximum_body_bytes)
    request = HttpRequest(
        method=environ["REQUEST_METHOD"],
        raw_path=raw_path or quote(environ["PATH_INFO"].encode("latin-1"), safe="/-._~"),
        raw_query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body or b"",
        scheme=environ["wsgi.url_scheme"],
        remote_address=environ.get("REMOTE_ADDR") or "127.0.0.1",
    )
    if body is None:
        raise BodyTooLargeError(request)
    return request


def _header_name(key: str) -> str:
    name = key[5:].replace("_", "-").lower()
    if len(_header_names) < _HEADER_NAMES_LIMIT:
        _header_names[key] = name
    return name


def _read_body(environ: Environ, content_length: str, maximum_body_bytes: int) -> bytes | None:
    """The body, or None when it is longer than the limit."""
    if not content_length:
        if not environ.get("wsgi.input_terminated") or environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return b""
        body: bytes = environ["wsgi.input"].read(maximum_body_bytes + 1)
    else:
        length = int(content_length) if content_length.isdecimal() else maximum_body_bytes + 1
        if length > maximum_body_bytes:
            return None
        body = environ["wsgi.input"].read(length) if length else b""
    return None if len(body) > maximum_body_bytes else body


def _guessed_service(environ: Environ) -> str:
    """For an error before anything was understood: query services answer on the root path, the others below it."""
    return "sts" if environ["PATH_INFO"] in ("", "/") else "chime"


@lru_cache(maxsize=4)
def http_date(wall_seconds: int) -> str:
    """``Tue, 24 Nov 2026 00:29:44 GMT``; every answer of one second has the same."""
    return formatdate(wall_seconds, usegmt=True)


def send(answer: HttpAnswer, request_id: str, wall_seconds: float, start_response: Any) -> list[bytes]:
    # The date is of the clock that judges signatures: SDKs correct their own clocks by it.
    headers = [
        ("x-amzn-RequestId", request_id),
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Date", http_date(int(wall_seconds))),
        *answer.headers.items(),
    ]
    start_response(_STATUS_LINES.get(answer.status) or f"{answer.status} Unknown", headers)
    return [answer.body]
