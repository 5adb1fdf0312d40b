"""Websockets that receive the events of messaging: which requests ask for one, and who may have one."""

from __future__ import annotations

from typing import Any

from rolecall.errors import bad_request
from rolecall.gateway.connect import PushSession, connect_steps, frame_text, status_of
from rolecall.gateway.pushed_events import Ending, Follower, News
from rolecall.http import DroppedConnectionError
from rolecall.storage.engine import DatabaseError
from rolecall.waits import Steps
from rolecall.web.application import RolecallApplication
from rolecall.web.aws import BodyTooLargeError, read_request

__all__ = [
    "DatabaseError",
    "DroppedConnectionError",
    "Ending",
    "Follower",
    "News",
    "PushSession",
    "connecting",
    "established",
    "follower",
    "status_of",
]


def established() -> str:
    """The text that tells a client that it receives every event from now on."""
    return frame_text("SESSION_ESTABLISHED")


def connecting(application: RolecallApplication, environ: dict[str, Any]) -> Steps[PushSession]:
    """The steps to the session for the request of a websocket. Raise AwsError, and DroppedConnectionError."""
    try:
        request = read_request(environ, 0)
    except BodyTooLargeError as error:
        raise bad_request("A connect has no body.") from error
    return (yield from connect_steps(application.sandbox, request))


def follower(application: RolecallApplication) -> Follower:
    return Follower(application.sandbox)
