"""``POST /sessions`` with the signature of a certificate: CreateSession of IAM Roles Anywhere.

It is in no model of AWS's SDKs, so its road is shorter than the road of an AWS call (``gateway.road``): no access key
proves the caller, and the trust policy of the role decides. A request with any other signature takes that road.
"""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

from rolecall.access.check import RefusedError
from rolecall.call_log.outcomes import Outcome
from rolecall.clock import monotonic_seconds
from rolecall.delivery.anywhere.contents import PRINCIPAL, SERVICE, SESSION_OPERATION
from rolecall.delivery.asked import Flaw
from rolecall.delivery.issuing import Means, service_caller
from rolecall.errors import AwsError
from rolecall.faults.active import NOT_STRUCK, Struck
from rolecall.faults.rules import CallFacts
from rolecall.gateway.road import unexpected
from rolecall.http import DroppedConnectionError, HttpAnswer, HttpRequest
from rolecall.printable import printable
from rolecall.sandbox import Sandbox
from rolecall.waits import LONG_WORK, Pause, Steps
from rolecall.wire import encode_error

log = logging.getLogger("rolecall.anywhere")

SESSIONS_PATH = "/sessions"
_ALGORITHMS = "AWS4-X509-"
_CREATED = 201


def is_certificate_session(request: HttpRequest) -> bool:
    """Whether a request to the path of CreateSession has the signature of a certificate."""
    authorization = request.headers.get("authorization", "")
    return request.method == "POST" and authorization.lstrip(" \t").startswith(_ALGORITHMS)


def session_steps(sandbox: Sandbox, request: HttpRequest) -> Steps[tuple[str, HttpAnswer]]:
    """The request id and the answer. Raises DroppedConnectionError only when a fault rule asks for it."""
    request_id = sandbox.ids.uuid()
    # Signatures of certificates take long to check, and the certificate is recorded.
    yield LONG_WORK
    road = _Road(sandbox, request_id, request)
    answer = road.answered()
    if road.struck.delay_seconds:
        yield Pause(road.struck.delay_seconds)
    road.observe(answer.status)
    if road.struck.drops:
        raise DroppedConnectionError
    return request_id, answer


class _Road:
    """One request: what it asks, what was decided, and the row of the log."""

    def __init__(self, sandbox: Sandbox, request_id: str, request: HttpRequest) -> None:
        self.struck: Struck = NOT_STRUCK
        self._sandbox, self._request_id, self._request = sandbox, request_id, request
        self._at_seconds, self._started_seconds = sandbox.clock.wall_seconds(), monotonic_seconds()
        self._asked: Any = None
        self._made: Any = None
        self._trusted = False
        self._error: AwsError | None = None

    def answered(self) -> HttpAnswer:
        try:
            return HttpAnswer(_CREATED, json.dumps(self._create()).encode(), "application/json")
        except AwsError as error:
            self._error = error
        except Exception as error:
            self._error = unexpected(self._request_id, error)
        return encode_error(SERVICE, self._error, self._request_id, self._request)

    def _create(self) -> dict[str, Any]:
        sandbox = self._sandbox
        # Loaded now: they load cryptography, and most servers never see a certificate.
        requests: Any = importlib.import_module("rolecall.delivery.anywhere.requests")
        sessions: Any = importlib.import_module("rolecall.delivery.anywhere.session")
        asked = self._asked = requests.read(self._request, self._at_seconds)
        failure: AwsError | None = None
        with sandbox.database.snapshot() as connection:
            identities = sandbox.generations.current(connection)
            self._strike(connection)
            now_seconds = sandbox.clock.now_seconds()
            flaw = Flaw(self.struck.stale, self.struck.wrong)
            means = Means(connection, identities.policies, identities.keys, sandbox.ids, now_seconds, flaw)
            sessions.check_trust(connection, asked, now_seconds)
            self._trusted = True
            try:
                self._made = sessions.make_session(means, asked)
            except AwsError as error:
                failure = error
        # Only a trusted certificate is recorded: any other could fill the database.
        arn = sandbox.database.write(
            lambda db: sessions.record(db, sandbox.ids, asked, now_seconds, failed=failure is not None)
        )
        if failure is not None:
            raise failure
        answer: dict[str, Any] = sessions.answer(self._made, arn, asked.role_arn)
        return answer

    def _strike(self, connection: Any) -> None:
        """What fault rules do to the call, after its signature was checked. Raises AwsError."""
        faults = self._sandbox.generations.faults
        if faults is None:
            return
        facts = CallFacts(SERVICE, SESSION_OPERATION, self._asked.signature.region, None, has_session_token=False)
        self.struck = faults.on_call(connection, facts)
        self.struck.raise_error()

    def observe(self, status: int) -> None:
        sandbox, asked, error = self._sandbox, self._asked, self._error
        if error is not None and log.isEnabledFor(logging.INFO):
            text = error.reason or error.message
            log.info("%s", printable(f"{self._request_id} {SESSION_OPERATION} {error.code}: {text}"))
        decisions = () if self._made is None else tuple(self._made.decisions)
        if isinstance(error, RefusedError):
            decisions = (*error.allowed, error.decision)
        request, clock = self._request, sandbox.clock
        sandbox.observe(
            Outcome(
                request_id=self._request_id,
                service=SERVICE,
                operation=SESSION_OPERATION,
                # The account in a request that no trusted certificate signed must not appear in its log.
                caller=service_caller(PRINCIPAL, asked.account_id) if self._trusted else None,
                decisions=decisions,
                error=error,
                region="" if asked is None else asked.signature.region,
                access_key_id="" if self._made is None or error is not None else self._made.caller.access_key_id,
                source_ip=request.remote_address,
                user_agent=request.headers.get("user-agent", ""),
                status=0 if self.struck.drops else status,
                now_seconds=clock.now_seconds(),
                received_at_seconds=self._at_seconds,
                latency_seconds=monotonic_seconds() - self._started_seconds,
                error_code="" if error is None else error.code,
                unchecked=error.unchecked if isinstance(error, RefusedError) else (),
            )
        )
