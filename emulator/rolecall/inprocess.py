"""Botocore clients that reach an application in this process, with real signing and parsing but without a socket."""

from __future__ import annotations

import importlib
import inspect
import io
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.session import Session

from rolecall.http import DroppedConnectionError
from rolecall.service_records import DEFAULT_REGION

ENDPOINT_URL = "http://rolecall.localhost"


class _Body(io.BytesIO):
    """A response body with the methods of urllib3 that botocore uses."""

    def stream(self, amount: int = 65536, **_ignored: Any) -> Iterator[bytes]:
        while chunk := self.read(amount):
            yield chunk


class _AwaitableBody:
    """A response body as aiobotocore expects it: awaited as a whole."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        return self._content


def environ_of(request: AWSPreparedRequest) -> dict[str, Any]:
    """The WSGI environment that a server would make of a signed request."""
    url = urlsplit(request.url)
    body: Any = request.body or b""
    if not isinstance(body, (bytes, bytearray)):
        body = body.encode() if isinstance(body, str) else body.read()
    raw_path = url.path or "/"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "RAW_URI": f"{raw_path}?{url.query}" if url.query else raw_path,
        "QUERY_STRING": url.query,
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": url.netloc,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def call_wsgi(application: Any, environ: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one WSGI call."""
    started: list[tuple[int, dict[str, str]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started.append((int(status.split(" ", 1)[0]), dict(headers)))

    body = b"".join(application(environ, start_response))
    status, headers = started[0]
    return status, headers, body


def _answered(application: Any, request: AWSPreparedRequest) -> tuple[int, dict[str, str], bytes]:
    try:
        return call_wsgi(application, environ_of(request))
    except DroppedConnectionError as error:
        raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error


def answer_of(application: Any, request: AWSPreparedRequest) -> AWSResponse:
    """The application's answer in the form of botocore's HTTP session. Without one, raises as botocore does."""
    headers: Any
    status, headers, body = _answered(application, request)
    return AWSResponse(request.url, status, headers, _Body(body))


def awaitable_answer_of(application: Any, request: AWSPreparedRequest) -> AWSResponse:
    """The same answer for a client of aiobotocore, which awaits the content."""
    status, headers, body = _answered(application, request)
    # A client of aiobotocore has loaded it. Other users need not install it.
    response: Callable[..., AWSResponse] = importlib.import_module("aiobotocore.awsrequest").AioAWSResponse
    return response(request.url, status, headers, _AwaitableBody(body))


def is_async(client: Any) -> bool:
    """Whether a client belongs to aiobotocore."""
    return inspect.iscoroutinefunction(client._make_api_call)


def route(client: Any, application: Any) -> Any:
    """Send every request of a botocore (or boto3) client to the application. Returns the client."""

    def answer(request: AWSPreparedRequest, **_ignored: Any) -> AWSResponse:
        return answer_of(application, request)

    client.meta.events.register("before-send", answer)
    return client


def session_apart() -> Session:
    """A botocore session that knows no profile, whatever the user's files and ``AWS_PROFILE`` say."""
    session = Session(session_vars={"profile": (None, None, None, None)})
    session.set_config_variable("credentials_file", "")
    session.set_config_variable("config_file", "")
    return session


def client(
    application: Any,
    service: str,
    access_key_id: str,
    secret_access_key: str,
    session_token: str | None = None,
    *,
    region: str = DEFAULT_REGION,
) -> Any:
    """A botocore client of the service that signs with these credentials. It ignores the environment."""
    made = session_apart().create_client(
        service,
        region_name=region,
        endpoint_url=ENDPOINT_URL,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret_access_key,
        aws_session_token=session_token,
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )
    return route(made, application)
