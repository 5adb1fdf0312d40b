"""AWS calls over WSGI: every path that is not one of Rolecall's own.

The WSGI environment becomes an HttpRequest without Flask's request object, because building that object costs more
than authenticating the call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from rolecall.errors import AwsError
from rolecall.gateway import Gateway
from rolecall.http import HttpAnswer, HttpRequest
from rolecall.sandbox import Sandbox
from rolecall.waits import Steps, Wait, wait_here
from rolecall.web.browsers import guarded
from rolecall.web.certificate_sessions import SESSIONS_PATH, is_certificate_session, session_steps
from rolecall.web.origins import DEFAULT_ADMISSION, Admission
from rolecall.wire import http_date

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
WsgiApplication = Callable[[Environ, Any], Iterable[bytes]]
# The request id and the answer.
_Ended = tuple[str, HttpAnswer]

# Set by a server that can wait for many calls at once. The answer to such a call may be Unfinished.
WAITS_KEY = "rolecall.waits"
# Set by a server that has already read the body and the headers (by their names in lower case).
BODY_KEY = "rolecall.body"
HEADERS_KEY = "rolecall.headers"
# Set for a request that the server could not read: a Problem.
PROBLEM_KEY = "rolecall.problem"
TOO_LARGE_MESSAGE = "The request body is larger than {limit} bytes."
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
# Names of WSGI's own keys for the two headers that carry no HTTP_ prefix.
_PLAIN_HEADERS = (("CONTENT_TYPE", "content-type"), ("CONTENT_LENGTH", "content-length"))
_header_names: dict[str, str] = {}
_HEADER_NAMES_LIMIT, _HEADER_NAME_CHARACTERS = 256, 64


class Problem(Enum):
    """Why the server could not read a request: status, code and message. AWS's own answers are not recorded."""

    MALFORMED = (400, "InvalidAction", "The request is not valid HTTP.")
    LARGE_HEAD = (431, "RequestHeaderSectionTooLarge", "The request line and headers are too long.")
    LATE = (408, "RequestTimeout", "The request did not arrive in time.")

    @property
    def status_line(self) -> str:
        return _STATUS_LINES[self.value[0]]


class Unfinished:
    """A call that has to wait for ``wait`` before it goes on."""

    __slots__ = ("_send", "_steps", "wait")

    def __init__(self, steps: Steps[_Ended], send: Callable[[_Ended], list[bytes]]) -> None:
        self._steps = steps
        self._send = send
        self.wait: Wait

    def go_on(self) -> list[bytes] | Unfinished:
        """The body, or this call again when it has to wait once more. Raises DroppedConnectionError."""
        try:
            self.wait = next(self._steps)
        except StopIteration as ended:
            return self._send(ended.value)
        return self

    def __iter__(self) -> Iterator[bytes]:
        raise TypeError("the server sets rolecall.waits but does not wait for this unfinished call")


class BodyTooLargeError(Exception):
    """The body is longer than the limit and was not read to its end. ``request`` is the request without its body."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__()
        self.request = request


def aws_application(
    sandbox: Sandbox, maximum_body_bytes: int, admission: Admission = DEFAULT_ADMISSION
) -> WsgiApplication:
    """A WSGI application that answers AWS calls of programs, and of the web pages that ``admission`` allows."""
    gateway, clock = Gateway(sandbox), sandbox.clock

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            request = read_request(environ, maximum_body_bytes)
        except BodyTooLargeError as too_large:
            message = TOO_LARGE_MESSAGE.format(limit=maximum_body_bytes)
            error = AwsError("RequestEntityTooLarge", message)
            return answered(gateway.refuse(too_large.request, _guessed_service(environ), error), start_response)
        if request.raw_path == SESSIONS_PATH and is_certificate_session(request):
            steps = session_steps(sandbox, request)
        else:
            steps = gateway.steps(request)
        if WAITS_KEY in environ:
            return Unfinished(steps, lambda ended: answered(ended, start_response)).go_on()
        return answered(wait_here(steps, clock.pause), start_response)

    def answered(ended: _Ended, start_response: Any) -> list[bytes]:
        request_id, answer = ended
        return send(answer, request_id, clock.wall_seconds(), start_response)

    def refuse(message: str, environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            request = read_request(environ, maximum_body_bytes)
        except BodyTooLargeError as too_large:
            request = too_large.request
        request_id, answer = gateway.refuse(request, "", AwsError("AccessDenied", message, status=403))
        return send(answer, request_id, clock.wall_seconds(), start_response)

    return guarded(application, refuse, admission)


def refusing_application(sandbox: Sandbox) -> WsgiApplication:
    """A WSGI application that refuses requests which the server could not read, in AWS's form."""
    gateway, clock = Gateway(sandbox), sandbox.clock

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        status, code, message = environ[PROBLEM_KEY].value
        request = _request(environ, {}, b"")
        error = AwsError(code, message, status=status)
        request_id, answer = gateway.refuse(request, _guessed_service(environ), error)
        return send(answer, request_id, clock.wall_seconds(), start_response)

    return application


def read_request(environ: Environ, maximum_body_bytes: int) -> HttpRequest:
    """The request in a WSGI environment. Raises BodyTooLargeError."""
    if HEADERS_KEY in environ:
        headers = environ[HEADERS_KEY]
        body = environ[BODY_KEY]
        if len(body) > maximum_body_bytes or _announces_too_much(headers.get("content-length", ""), maximum_body_bytes):
            raise BodyTooLargeError(_request(environ, headers, b""))
        return _request(environ, headers, body)
    headers = {}
    for key, value in environ.items():
        if key.startswith("HTTP_"):
            headers[_header_names.get(key) or _header_name(key)] = value
    for key, name in _PLAIN_HEADERS:
        value = environ.get(key)
        if value:
            headers[name] = value
    body = _read_body(environ, headers.get("content-length", ""), maximum_body_bytes)
    if body is None:
        raise BodyTooLargeError(_request(environ, headers, b""))
    return _request(environ, headers, body)


def _request(environ: Environ, headers: Mapping[str, str], body: bytes) -> HttpRequest:
    target: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    raw_path = target.partition("?")[0]
    return HttpRequest(
        environ["REQUEST_METHOD"],
        raw_path or quote(environ["PATH_INFO"].encode("latin-1"), safe="/-._~"),
        environ.get("QUERY_STRING", ""),
        headers,
        body,
        environ["wsgi.url_scheme"],
        environ.get("REMOTE_ADDR") or "127.0.0.1",
        not raw_path,
    )


def _header_name(key: str) -> str:
    name = key[5:].replace("_", "-").lower()
    if len(_header_names) < _HEADER_NAMES_LIMIT and len(key) <= _HEADER_NAME_CHARACTERS:
        _header_names[key] = name
    return name


def _read_body(environ: Environ, content_length: str, maximum_body_bytes: int) -> bytes | None:
    """The body, or None when it is longer than the limit."""
    if not content_length:
        if not environ.get("wsgi.input_terminated") or environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return b""
        body: bytes = environ["wsgi.input"].read(maximum_body_bytes + 1)
    else:
        if _announces_too_much(content_length, maximum_body_bytes):
            return None
        body = environ["wsgi.input"].read(int(content_length))
    return None if len(body) > maximum_body_bytes else body


def _announces_too_much(content_length: str, maximum_body_bytes: int) -> bool:
    return bool(content_length) and not (content_length.isdecimal() and int(content_length) <= maximum_body_bytes)


def _guessed_service(environ: Environ) -> str:
    """The service for an error in an unread request. Query services use the root path, other services other paths."""
    return "sts" if environ["PATH_INFO"] in ("", "/") else "chime"


def send(answer: HttpAnswer, request_id: str, wall_seconds: float, start_response: Any) -> list[bytes]:
    # SDKs correct their clocks by this date, so it comes from the clock that judges signatures.
    headers = [
        ("x-amzn-RequestId", request_id),
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Date", http_date(wall_seconds)),
        *answer.headers.items(),
    ]
    start_response(_STATUS_LINES.get(answer.status) or f"{answer.status} Unknown", headers)
    return [answer.body]
