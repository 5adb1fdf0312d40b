"""The road of a request to an attachment: fault rules, the provider, the decision log.

It is shorter than the road of an AWS call (``gateway.road``), because no signature proves the caller. The address and
the token that belong to it do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from rolecall.access.check import RefusedError
from rolecall.call_log.outcomes import Outcome
from rolecall.clock import monotonic_seconds
from rolecall.delivery.asked import Asked, Delivered, Flaw, WorkWantedError
from rolecall.delivery.issuing import service_caller
from rolecall.delivery.kinds import KINDS, Kind
from rolecall.errors import AwsError
from rolecall.faults.active import NOT_STRUCK, Struck
from rolecall.faults.rules import CallFacts
from rolecall.http import DroppedConnectionError, HttpAnswer, HttpRequest
from rolecall.printable import printable
from rolecall.sandbox import Sandbox
from rolecall.storage.attachments import Attachment, attachment_by_id
from rolecall.storage.engine import database_failure
from rolecall.waits import LONG_WORK, Pause, Steps, wait_here
from rolecall.web.aws import WAITS_KEY, BodyTooLargeError, Environ, Unfinished, WsgiApplication, read_request, send
from rolecall.web.browsers import guarded
from rolecall.web.origins import DEFAULT_ADMISSION, Admission

log = logging.getLogger("rolecall.delivery")

# No request to an attachment has a body.
_MAXIMUM_BODY_BYTES = 4096
# A provider asks for at most one piece of work.
_MAXIMUM_ATTEMPTS = 3


def delivery_application(
    sandbox: Sandbox, attachment_id: str, admission: Admission = DEFAULT_ADMISSION
) -> WsgiApplication:
    """A WSGI application that answers for one attachment. It drops a request when the attachment is gone."""
    clock = sandbox.clock

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        try:
            request = read_request(environ, _MAXIMUM_BODY_BYTES)
        except BodyTooLargeError as too_large:
            request = too_large.request
        steps = answered(sandbox, attachment_id, request)

        def ended(result: tuple[str, HttpAnswer]) -> list[bytes]:
            return send(result[1], result[0], clock.wall_seconds(), start_response)

        if WAITS_KEY in environ:
            return Unfinished(steps, ended).go_on()
        return ended(wait_here(steps, clock.pause))

    def refuse(message: str, _environ: Environ, start_response: Any) -> Iterable[bytes]:
        answer = HttpAnswer(403, f"{message}\n".encode(), "text/plain")
        return send(answer, sandbox.ids.uuid(), clock.wall_seconds(), start_response)

    return guarded(application, refuse, admission)


def answered(sandbox: Sandbox, attachment_id: str, request: HttpRequest) -> Steps[tuple[str, HttpAnswer]]:
    """The request id and the answer. Raises DroppedConnectionError without an attachment, or for a fault rule."""
    request_id = sandbox.ids.uuid()
    if sandbox.generations.faults is not None:
        yield LONG_WORK
    struck: Struck | None = None
    for _ in range(_MAXIMUM_ATTEMPTS):
        road = _Road(sandbox, request_id, request)
        try:
            struck = road.run(attachment_id, struck)
        except WorkWantedError as wanted:
            struck = road.struck
            yield LONG_WORK
            wanted.work(sandbox.database)
            continue
        if struck.delay_seconds:
            yield Pause(struck.delay_seconds)
        road.observe()
        if struck.drops or road.answer is None:
            raise DroppedConnectionError
        return request_id, road.answer
    raise DroppedConnectionError


class _Road:
    """One request, and what is known about it so far."""

    def __init__(self, sandbox: Sandbox, request_id: str, request: HttpRequest) -> None:
        self.struck = NOT_STRUCK
        self.answer: HttpAnswer | None = None
        self._sandbox = sandbox
        self._request_id = request_id
        self._request = request
        self._received_at_seconds = sandbox.clock.wall_seconds()
        self._started_seconds = monotonic_seconds()
        self._kind: Kind | None = None
        self._attachment: Attachment | None = None
        self._operation = ""
        self._delivered: Delivered | None = None
        self._error: AwsError | None = None

    def run(self, attachment_id: str, known: Struck | None) -> Struck:
        """Answer the request. Raises WorkWantedError, and DroppedConnectionError for an attachment that is gone."""
        sandbox = self._sandbox
        try:
            with sandbox.database.snapshot() as connection:
                identities = sandbox.generations.current(connection)
                attachment = attachment_by_id(connection, attachment_id)
                if attachment is None:
                    raise DroppedConnectionError
                self._attachment, self._kind = attachment, KINDS[attachment.kind]
                asked = Asked(
                    attachment,
                    self._request,
                    sandbox.clock.now_seconds(),
                    connection,
                    identities.policies,
                    identities.keys,
                    sandbox.ids,
                    sandbox.attachments.cache,
                )
                self._answer(asked, self._kind, known)
        except (WorkWantedError, DroppedConnectionError):
            raise
        except Exception as error:
            self._fail(error)
        return self.struck

    def _answer(self, asked: Asked, kind: Kind, known: Struck | None) -> None:
        provider = kind.provider()
        try:
            self._operation = provider.operation_of(asked)
            faults = self._sandbox.generations.faults
            if known is not None:
                self.struck = known
            elif faults is not None:
                region = asked.attachment.facts["region"]
                facts = CallFacts(kind.name, self._operation, region, None, has_session_token=False, of_attachment=True)
                self.struck = faults.on_call(asked.db, facts)
            self.struck.raise_error()
            asked = replace(asked, flaw=Flaw(self.struck.stale, self.struck.wrong))
            self._delivered = provider.answer(asked, self._operation)
            self.answer, self._error = self._delivered.answer, self._delivered.error
        except AwsError as error:
            self._error = error
            self.answer = provider.refusal(error)

    def _fail(self, error: Exception) -> None:
        failure = database_failure(error)
        if failure:
            log.error("%s %s", self._request_id, failure)
            self._error = AwsError("ServiceUnavailable", status=503)
        else:
            log.error("%s failed unexpectedly", self._request_id, exc_info=error)
            self._error = AwsError("InternalServerError", status=500)
        self.answer = HttpAnswer(self._error.status or 500, b"", "text/plain")

    def observe(self) -> None:
        """Put the request into the decision log, under the name of its kind."""
        kind, attachment, error = self._kind, self._attachment, self._error
        if kind is None or attachment is None:
            return
        if error is not None and log.isEnabledFor(logging.INFO):
            text = error.reason or error.message
            log.info("%s", printable(f"{self._request_id} {self._operation} {error.code}: {text}"))
        decisions = () if self._delivered is None else tuple(self._delivered.decisions)
        if isinstance(error, RefusedError):
            decisions = (*error.allowed, error.decision)
        clock, request = self._sandbox.clock, self._request
        caller = service_caller(kind.principal, attachment.account_id)
        issued = None if self._delivered is None else self._delivered.caller
        outcome = Outcome(
            request_id=self._request_id,
            service=kind.name,
            operation=self._operation,
            caller=caller,
            decisions=decisions,
            error=error,
            region=attachment.facts["region"],
            access_key_id="" if issued is None else issued.access_key_id,
            source_ip=request.remote_address,
            user_agent=request.headers.get("user-agent", ""),
            status=0 if self.struck.drops or self.answer is None else self.answer.status,
            now_seconds=clock.now_seconds(),
            received_at_seconds=self._received_at_seconds,
            latency_seconds=monotonic_seconds() - self._started_seconds,
            error_code="" if error is None else error.code,
            unchecked=error.unchecked if isinstance(error, RefusedError) else (),
        )
        self._sandbox.observe(outcome)
