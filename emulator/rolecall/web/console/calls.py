"""AWS calls that a form of the console makes. They take the road of every call, so limits, quotas and the log hold."""

from __future__ import annotations

from typing import Any

from flask import Request
from sqlalchemy import Connection

from rolecall.errors import AwsError
from rolecall.gateway import Gateway
from rolecall.http import HttpRequest
from rolecall.identities import Identity, IdentityStore
from rolecall.sandbox import Sandbox
from rolecall.web.console.pages import ConsoleError
from rolecall.wire import error_status

USER_AGENT = "Rolecall console"


def called(
    sandbox: Sandbox, request: Request, account_id: str, service: str, operation: str, **parameters: Any
) -> dict[str, Any]:
    """The answer to a call by the root user of an account. Raises ConsoleError with AWS's code and message."""

    def root(connection: Connection, identities: IdentityStore) -> Identity:
        return identities.root(connection, account_id)

    http = HttpRequest(
        "POST",
        "/",
        "",
        {"user-agent": USER_AGENT, "host": request.host},
        b"",
        scheme=request.scheme,
        remote_address=request.remote_addr or "127.0.0.1",
    )
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        return Gateway(sandbox).call_as(root, service, operation, given, http) or {}
    except AwsError as error:
        raise ConsoleError(
            f"{error.code}: {error.message}", error.status or error_status(service, error.code)
        ) from error
