"""Calls of AWS operations to a running server, signed like every client's calls.

The client ignores the profiles and proxies of the user. A profile may name this very program as its
``credential_process``. Raises errors of its own, so that no command needs botocore.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from rolecall.inprocess import session_apart
from rolecall.service_records import DEFAULT_REGION

_TIMEOUT_SECONDS = 30


class Keys(NamedTuple):
    """What signs a call. ``session_token`` is None for a long-term key."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


class RefusedError(Exception):
    """The server refused a call, with the code and message of its answer."""

    def __init__(self, code: str, message: str, request_id: str) -> None:
        super().__init__(f"{code}: {message}")
        self.request_id = request_id


class UnusableCallError(Exception):
    """No answer came, or the call could not be sent. The user sees the message."""


class UnknownOperationError(Exception):
    """The installed botocore does not know the operation."""


def call(endpoint: str, keys: Keys, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of one operation, in the names of the service's model.

    ``endpoint`` is the URL of the server. The call is sent once and never repeated. Raises RefusedError,
    UnusableCallError and UnknownOperationError.
    """
    config = Config(
        retries={"total_max_attempts": 1},
        # As every command of Rolecall, which is about a server of this machine.
        proxies={},
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=_TIMEOUT_SECONDS,
        use_fips_endpoint=False,
        use_dualstack_endpoint=False,
    )
    try:
        client = session_apart().create_client(
            service,
            region_name=DEFAULT_REGION,
            endpoint_url=endpoint,
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            aws_session_token=keys.session_token,
            config=config,
        )
        client.meta.events.register("before-call", partial(_send_here, endpoint))
        if operation not in client.meta.service_model.operation_names:
            raise UnknownOperationError(operation)
        answer: dict[str, Any] = client._make_api_call(operation, dict(parameters))  # type: ignore[attr-defined]
    except ClientError as error:
        told = error.response.get("Error", {})
        request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
        raise RefusedError(told.get("Code", ""), told.get("Message", ""), request_id) from error
    except (BotoCoreError, ResponseParserError, ValueError) as error:
        raise UnusableCallError(str(error)) from error
    return answer


def _send_here(endpoint: str, params: dict[str, Any], **_more: Any) -> None:
    """Keep a call on the server. The endpoint rules of some operations, as of Sign-In, ignore ``endpoint_url``."""
    here = urlsplit(endpoint)
    params["url"] = urlsplit(params["url"])._replace(scheme=here.scheme, netloc=here.netloc).geturl()
