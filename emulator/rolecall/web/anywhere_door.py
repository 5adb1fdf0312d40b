"""``POST /sessions`` with the signature of a certificate: CreateSession of IAM Roles Anywhere.

It is in no model of AWS's SDKs, so it does not come by the road of AWS calls. A request with any other signature does.
"""

from __future__ import annotations

import importlib
import json
import logging
from typing import Any

from flask import Blueprint, Response, request

from rolecall.access.check import RefusedError
from rolecall.call_log.outcomes import Outcome
from rolecall.clock import monotonic_seconds
from rolecall.delivery.issuing import Means, service_caller
from rolecall.errors import AwsError
from rolecall.http import HttpAnswer, HttpRequest
from rolecall.sandbox import Sandbox
from rolecall.storage.engine import DatabaseUnavailableError
from rolecall.web.aws import BodyTooLargeError, read_request
from rolecall.web.doors import Environ
from rolecall.wire import encode_error

log = logging.getLogger("rolecall.anywhere")

SESSIONS_PATH = "/sessions"
_SERVICE, _PRINCIPAL, _OPERATION = "rolesanywhere", "rolesanywhere.amazonaws.com", "CreateSession"
_ALGORITHMS = "AWS4-X509-"
_MAXIMUM_BODY_BYTES = 65_536
_CREATED = 201


def is_session(environ: Environ) -> bool:
    """Whether a request is for CreateSession, with the signature of a certificate."""
    at_path: bool = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] == SESSIONS_PATH
    authorization: str = environ.get("HTTP_AUTHORIZATION", "")
    return at_path and authorization.strip(" \t").startswith(_ALGORITHMS)


def register_sessions(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the operation."""

    @pages.post("")
    def create_session() -> Response:
        request_id = sandbox.ids.uuid()
        road = _Road(sandbox, request_id)
        try:
            found = road.answered(read_request(request.environ, _MAXIMUM_BODY_BYTES))
        except BodyTooLargeError as too_large:
            found = road.refused(too_large.request, AwsError("RequestEntityTooLarge", "The request is too large."))
        response = Response(found.body, found.status, found.headers, content_type=found.content_type)
        response.headers["x-amzn-RequestId"] = request_id
        return response


class _Road:
    """One request: what it asks, what was decided, and the row of the log."""

    def __init__(self, sandbox: Sandbox, request_id: str) -> None:
        self._sandbox, self._request_id = sandbox, request_id
        self._at_seconds, self._started_seconds = sandbox.clock.wall_seconds(), monotonic_seconds()
        self._asked: Any = None
        self._made: Any = None
        self._trusted = False

    def answered(self, request: HttpRequest) -> HttpAnswer:
        try:
            body = json.dumps(self._create(request)).encode()
        except AwsError as error:
            return self.refused(request, error)
        except DatabaseUnavailableError:
            return self.refused(request, AwsError("ServiceUnavailable", status=503))
        except Exception as error:
            log.error("%s failed unexpectedly", self._request_id, exc_info=error)
            return self.refused(request, AwsError("InternalFailure", status=500))
        self._observe(request, _CREATED, None)
        return HttpAnswer(_CREATED, body, "application/json")

    def refused(self, request: HttpRequest, error: AwsError) -> HttpAnswer:
        answer = encode_error(_SERVICE, error, self._request_id, request)
        self._observe(request, answer.status, error)
        return answer

    def _create(self, request: HttpRequest) -> dict[str, Any]:
        sandbox = self._sandbox
        # Loaded now: they load cryptography, and most servers never see a certificate.
        requests: Any = importlib.import_module("rolecall.delivery.anywhere.requests")
        sessions: Any = importlib.import_module("rolecall.delivery.anywhere.session")
        asked = self._asked = requests.read(request, self._at_seconds)
        failure: AwsError | None = None
        with sandbox.database.snapshot() as connection:
            identities = sandbox.generations.current(connection)
            now_seconds = sandbox.clock.now_seconds()
            means = Means(connection, identities.policies, identities.keys, sandbox.ids, now_seconds)
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

    def _observe(self, request: HttpRequest, status: int, error: AwsError | None) -> None:
        sandbox, asked = self._sandbox, self._asked
        decisions = () if self._made is None else tuple(self._made.decisions)
        if isinstance(error, RefusedError):
            decisions = (*error.allowed, error.decision)
        sandbox.observe(
            Outcome(
                request_id=self._request_id,
                service=_SERVICE,
                operation=_OPERATION,
                # The account in a request that no trusted certificate signed must not appear in its log.
                caller=service_caller(_PRINCIPAL, asked.account_id) if self._trusted else None,
                decisions=decisions,
                error=error,
                region="" if asked is None else asked.signature.region,
                access_key_id="" if self._made is None or error is not None else self._made.caller.access_key_id,
                source_ip=request.remote_address,
                user_agent=request.headers.get("user-agent", ""),
                status=status,
                now_seconds=sandbox.clock.now_seconds(),
                received_at_seconds=self._at_seconds,
                latency_seconds=monotonic_seconds() - self._started_seconds,
                error_code="" if error is None else error.code,
                unchecked=error.unchecked if isinstance(error, RefusedError) else (),
            )
        )
