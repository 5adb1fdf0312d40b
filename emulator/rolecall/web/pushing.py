"""Websockets that receive the events of messaging: which requests ask for one, and who may have one."""

from __future__ import annotations

from typing import Any

from rolecall.errors import bad_request
from rolecall.gateway.connect import PushSession, connect, frame_text
from rolecall.gateway.pushed_events import Ending, Follower, News
from rolecall.storage.engine import DatabaseError
from rolecall.web.application import RolecallApplication
from rolecall.web.aws import BodyTooLargeError, read_request

__all__ = ["DatabaseError", "Ending", "Follower", "News", "PushSession", "connected", "established", "follower"]


def established() -> str:
    """The text that tells a client that it receives every event from now on."""
    return frame_text("SESSION_ESTABLISHED")


def connected(application: RolecallApplication, environ: dict[str, Any]) -> PushSession:
    """The session for the request of a websocket. Raises AwsError."""
    try:
        request = read_request(environ, 0)
    except BodyTooLargeError as error:
        raise bad_request("A connect has no body.") from error
    return connect(application.sandbox, request)


def follower(application: RolecallApplication) -> Follower:
    return Follower(application.sandbox)
