"""Sign-ins in the decision log, so that they appear in CloudTrail's records as on AWS.

CloudTrail User Guide, AWS Management Console sign-in events: ``GetSigninToken`` and ``ConsoleLogin`` of the service
``signin``, with ``Success`` or ``Failure``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import request
from msgspec import Struct, field

from rolecall.call_log.outcomes import SIGN_IN_SERVICE, Outcome, Recorded
from rolecall.clock import monotonic_seconds
from rolecall.errors import AwsError
from rolecall.principals import Caller
from rolecall.sandbox import Sandbox
from rolecall.service_records import DEFAULT_REGION

EVENTS = {"getSigninToken": "GetSigninToken", "login": "ConsoleLogin"}
FAILURE = "Failure"


class _Destination(Struct, frozen=True):
    """The destination of a sign-in. The log records none of its other parameters."""

    parameters: Callable[[Any], str] = json.dumps
    answer: None = None
    error_names: Mapping[str, str] = field(default_factory=dict)


class SignInLog:
    """Records sign-ins in the decision log, if there is one."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def note(
        self, action: str, started_seconds: float, caller: Caller | None, destination: str = "", problem: str = ""
    ) -> None:
        """Record a sign-in, or a step of one, begun at ``started_seconds``. With a ``problem`` it failed."""
        decisions = self._sandbox.decisions
        if decisions is None:
            return
        clock, error = self._sandbox.clock, AwsError(FAILURE, problem) if problem else None
        took_seconds = monotonic_seconds() - started_seconds
        outcome = Outcome(
            request_id=self._sandbox.ids.uuid(),
            service=SIGN_IN_SERVICE,
            operation=EVENTS[action],
            caller=caller,
            decisions=(),
            error=error,
            region=DEFAULT_REGION,
            access_key_id="" if caller is None else caller.access_key_id,
            source_ip=request.remote_addr or "127.0.0.1",
            user_agent=request.headers.get("User-Agent", ""),
            status=400 if problem else 302 if action == "login" else 200,
            now_seconds=clock.now_seconds(),
            received_at_seconds=clock.wall_seconds() - took_seconds,
            latency_seconds=took_seconds,
            recorded=Recorded(_Destination(), 0, {"loginTo": destination} if destination else None, None),
        )
        decisions.record(outcome)
