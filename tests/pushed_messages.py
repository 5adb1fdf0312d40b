"""A websocket client of messaging, for tests: connects as amazon-chime-sdk-js does, and reads what is pushed."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from rolecall.http import HttpRequest

# The limit for what must happen. It does not measure speed: it ends a test that would hang.
PATIENCE_SECONDS = 60
EVENT_TYPE, MESSAGE_TYPE = "x-amz-chime-event-type", "x-amz-chime-message-type"


def presigned(
    url: str, user_arn: str, keys: tuple[str, ...], *, service: str = "chime", region: str = "us-east-1", **more: str
) -> str:
    """``ws://…/connect?…`` for a server's URL. ``keys`` are id, secret and maybe a token."""
    asked = {"sessionId": "5e55", "userArn": user_arn} | {name.replace("_", "-"): value for name, value in more.items()}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in asked.items() if value)
    request = AWSRequest("GET", f"{url}/connect?{query}")
    SigV4QueryAuth(Credentials(*keys), service, region, expires=10).add_auth(request)
    return f"ws{str(request.url).removeprefix('http')}"


def http_request(url: str) -> HttpRequest:
    """The request that a client makes for the URL of a websocket."""
    parts = urlsplit(url)
    headers = {"host": parts.netloc, "connection": "Upgrade", "upgrade": "websocket"}
    return HttpRequest("GET", parts.path, parts.query, headers, b"")


class Socket:
    """An open websocket. Events are read in the order in which they come."""

    def __init__(self, url: str, **options: Any) -> None:
        if url.startswith("wss://"):
            options.setdefault("ssl", ssl.create_default_context())
        opening = connect(url, open_timeout=PATIENCE_SECONDS, close_timeout=PATIENCE_SECONDS, proxy=None, **options)
        self.connection: ClientConnection = opening.__enter__()

    def event(self) -> tuple[str, Any]:
        """The type of the next event and its payload as read from JSON. Raises ConnectionClosed."""
        frame = json.loads(self.connection.recv(PATIENCE_SECONDS))
        payload = frame.get("Payload")
        return frame["Headers"][EVENT_TYPE], None if payload is None else json.loads(payload)

    def until(self, wanted: Callable[[str, Any], bool]) -> list[tuple[str, Any]]:
        """All events up to the first wanted one, which is the last of the list."""
        found = [self.event()]
        while not wanted(*found[-1]):
            found.append(self.event())
        return found

    def closing(self) -> tuple[int, str]:
        """Code and reason with which the server closes. Events before that are dropped."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.connection.recv(PATIENCE_SECONDS)
        received = self.connection.protocol.close_rcvd
        assert received is not None, "the connection ended without a close"
        return received.code, received.reason

    def close(self) -> None:
        self.connection.close()
