"""Code for the subcommands that ask a running server: its address, and one request to its control endpoints."""

from __future__ import annotations

import http.client
import json
import os
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import click
from click.core import ParameterSource

from rolecall.commands.common import UnusableError, host_option, port_option
from rolecall.settings import CONTROL_TOKEN_VARIABLE, Address

_TIMEOUT_SECONDS = 30
# Looking whether a server runs must not make a command wait.
_LOOK_SECONDS = 1


def endpoint_option(help_text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option ``endpoint``: the URL of a server, or None."""
    return click.option(
        "--endpoint", envvar="ROLECALL_ENDPOINT", metavar="URL", default=None, show_envvar=True, help=help_text
    )


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options for the address of the server: ``endpoint``, ``host``, ``port``."""
    own_option = endpoint_option("URL of the server, instead of host and port.")
    return own_option(host_option(port_option(command)))


server_option = endpoint_option("URL of a running server, to ask it instead of the database.")


def server_instead(endpoint: str | None) -> str | None:
    """The server to ask instead of the database; None to use the database.

    For commands with :data:`server_option` and ``database_option``. What the command line says counts for more than the
    environment. Raises UsageError.
    """
    source_of = click.get_current_context().get_parameter_source
    given = [source_of(name) is ParameterSource.COMMANDLINE for name in ("endpoint", "database")]
    if all(given):
        raise click.UsageError("Give --endpoint or --database.")
    return None if given[1] else endpoint or None


def endpoint_of(endpoint: str | None, host: str, port: int) -> str:
    return endpoint or Address(host, port).url


def console_url(endpoint: str, request_id: str = "") -> str:
    """The address of the console of a server, or of the page about one call there."""
    address = f"{endpoint.rstrip('/')}/_rolecall/console"
    return f"{address}/decisions/{request_id}" if request_id else address


def knows_call(endpoint: str, request_id: str) -> bool:
    """Whether a server answers there that has this call in its log."""
    try:
        status, _ = _sent(endpoint, "GET", f"decisions/{quote(request_id, safe='')}", None, _LOOK_SECONDS)
    except UnusableError:
        return False
    return status == http.client.OK


def _over_http(host: str, port: int | None, timeout_seconds: float) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(host, port, timeout=timeout_seconds)


def _over_tls(host: str, port: int | None, timeout_seconds: float) -> http.client.HTTPConnection:
    # As every AWS SDK does.
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
    return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)


_connections = {"http": _over_http, "https": _over_tls}


def ask(endpoint: str, method: str, path: str, body: Any = None) -> Any:
    """The JSON answer of a control endpoint.

    Raises UnusableError with the server's message when it refuses, and when no server answers at that address.
    """
    status, answer = ask_for(endpoint, method, path, None if body is None else json.dumps(body))
    if status != http.client.OK:
        raise unusable(answer)
    return answer


def ask_text(endpoint: str, method: str, path: str, text: str | None = None) -> str:
    """The answer of a control endpoint as text. Raises UnusableError as :func:`ask`."""
    status, answer = _sent(endpoint, method, path, text)
    if status != http.client.OK:
        raise unusable(_json(endpoint, answer))
    return answer


def ask_for(endpoint: str, method: str, path: str, text: str | None) -> tuple[int, Any]:
    """Status and JSON of a control endpoint's answer, also of a refusal.

    Raises UnusableError when no server answers at that address.
    """
    status, answer = _sent(endpoint, method, path, text)
    return status, _json(endpoint, answer)


def unusable(answer: Any) -> UnusableError:
    """The error for a server's refusal: its message, and a line for each problem that it found in what was sent."""
    if not isinstance(answer, dict):
        return UnusableError(str(answer))
    problems = [f"line {each['line']}: {each['message']}" for each in answer.get("problems", ())]
    return UnusableError(str(answer.get("message", answer)), problems)


def _json(endpoint: str, answer: str) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise _unanswered(endpoint) from error


def _sent(
    endpoint: str, method: str, path: str, text: str | None, timeout_seconds: float = _TIMEOUT_SECONDS
) -> tuple[int, str]:
    try:
        address = urlsplit(endpoint)
        connection = _connections[address.scheme](address.hostname or "", address.port, timeout_seconds)
    except (KeyError, ValueError, http.client.InvalidURL) as error:
        raise UnusableError(f"{endpoint!r} is not the URL of a server: write it as http://127.0.0.1:4580") from error
    try:
        body = None if text is None else text.encode()
        token = os.environ.get(CONTROL_TOKEN_VARIABLE, "")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, f"{address.path.rstrip('/')}/_rolecall/{path}", body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unanswered(endpoint) from error
    finally:
        connection.close()


def _unanswered(endpoint: str) -> UnusableError:
    return UnusableError(
        f"Rolecall does not answer at {endpoint}: start it with rolecall serve, "
        "or give its address with --endpoint, or --host and --port"
    )
