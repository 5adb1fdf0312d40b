"""The road of one call, from an HTTP request to an HTTP answer. Read it from the top of :meth:`Gateway.answer`.

Each step takes values and returns a value; no step calls the next. AWS errors are caught here and nowhere else. Any
unexpected error is caught at the same place, logged with its request id and answered as InternalFailure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from rolecall.access.authorization_ids import authorization_tail
from rolecall.access.check import RefusedError
from rolecall.call_log.outcomes import Outcome, Recorded, recorded, without_codes
from rolecall.clock import monotonic_seconds
from rolecall.errors import AwsError
from rolecall.faults.active import NOT_STRUCK, Struck
from rolecall.gateway.caller import (
    authenticate,
    check_signed,
    facts_of,
    proven,
    resolve,
    second_factor_of,
    use_second_factor,
    with_second_factor,
)
from rolecall.gateway.operation import read_answer, unless_refused, within_limits, write_answer
from rolecall.gateway.permission import authorise, check_kind
from rolecall.gateway.received import Received, region_of
from rolecall.http import DroppedConnectionError, HttpAnswer, HttpRequest
from rolecall.identities import Identity, IdentityStore
from rolecall.policy import Decision
from rolecall.printable import printable
from rolecall.sandbox import Sandbox
from rolecall.services.catalogue import find, takes_long
from rolecall.services.registry import (
    Answer,
    Call,
    Parameters,
    not_emulated,
)
from rolecall.sessions.authorization_messages import seal_message
from rolecall.sessions.flaws import Flaw
from rolecall.sessions.issuer_keys import KeysWantedError
from rolecall.signing import Signature, check_scope, check_unread_signature, read_signature
from rolecall.storage.engine import database_failure
from rolecall.storage.problems import SnapshotMovedError
from rolecall.waits import LONG_WORK, Fetch, Pause, Steps, wait_here
from rolecall.wire import (
    Target,
    Unserved,
    claimed_service,
    decode,
    encode_answer,
    encode_error,
    encode_unserved_error,
    error_code,
    error_status,
    likely_service,
    load_service,
    match,
    not_served,
    recognise_unserved,
)

log = logging.getLogger("rolecall.gateway")

INTERNAL_FAILURE_MESSAGE = "The request processing has failed because of an unknown error, exception or failure."


class Gateway:
    """Answers the AWS calls of a sandbox. It keeps nothing itself: what outlives a call is the sandbox's."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._database = sandbox.database
        self._clock = sandbox.clock
        self._ids = sandbox.ids
        self._generations = sandbox.generations

    def answer(self, request: HttpRequest) -> tuple[str, HttpAnswer]:
        """The request id and the answer. Raises only DroppedConnectionError, and only when a fault rule asks for it."""
        return wait_here(self.steps(request), self._clock.pause)

    def steps(self, request: HttpRequest) -> Steps[tuple[str, HttpAnswer]]:
        """The same as :meth:`answer`. Yields what the call has to wait for, so that another thread can wait."""
        received = Received(self._ids.uuid(), request, self._clock.wall_seconds(), monotonic_seconds())
        service = ""
        try:
            signature = read_signature(request, received.at_seconds)
            service = "" if signature is None else signature.service
            unserved = recognise_unserved(request, service) if signature is not None else None
            if signature is not None and unserved is not None:
                return received.request_id, self._refuse_unserved(received, unserved, signature)
            target = match(request, service)
        except AwsError as error:
            failure = error
        except Exception as error:
            failure = unexpected(received.request_id, error)
        else:
            rules = self._generations.faults
            if rules is not None or takes_long(target.service.name, target.operation.name, target.inputs):
                yield LONG_WORK
            return received.request_id, (yield from self._answer(received, target, signature))
        return received.request_id, self._answer_unmatched(received, service or claimed_service(request), failure)

    def refuse(self, request: HttpRequest, service: str, error: AwsError) -> tuple[str, HttpAnswer]:
        """The answer to a call that is refused before it is read, such as one that is too large.

        Without a ``service`` it has the form of the service that the request looks like.
        """
        received = Received(self._ids.uuid(), request, self._clock.wall_seconds(), monotonic_seconds())
        return received.request_id, self._answer_unmatched(received, claimed_service(request), error, service)

    def call_as(
        self,
        whose: Callable[[Connection, IdentityStore], Identity],
        service: str,
        operation: str,
        parameters: dict[str, Any],
        request: HttpRequest,
    ) -> Answer | None:
        """An AWS call of one of Rolecall's own pages, by an identity that has signed nothing.

        It takes the road of every call: the model's limits, the kind of credentials, the policies, the operation, the
        log. Only the signature is missing, and fault rules do not strike it. ``request`` gives address, program and
        host. Raises AwsError, also for operations that need a proof besides the caller.
        """
        received = Received(self._ids.uuid(), request, self._clock.wall_seconds(), monotonic_seconds())
        model = load_service(service)
        target = Target(model, model.operation(operation), "/", {}, {})
        registered = find(service, operation)
        identity: Identity | None = None
        identities: IdentityStore | None = None
        decisions: Sequence[Decision] = ()
        answer: Answer | None = None
        failure: AwsError | None = None
        try:
            if registered is None or registered.proof or second_factor_of(registered, parameters):
                raise not_emulated(service, operation)
            with self._database.snapshot() as connection:
                identities = self._generations.current(connection)
                now_seconds = self._clock.now_seconds()
                identity = whose(connection, identities)
                within_limits(target, parameters, self._generations.settings.minimum_session_seconds)
                call = self.call_for(received, target, None, identity, identities, connection, now_seconds)
                check_kind(call, registered, parameters)
                decisions = authorise(call, registered, parameters, request, identity)
                answer = read_answer(call, registered, target, parameters)
            if registered.writes:
                written = self._database.write(partial(write_answer, call, registered, parameters, answer))
                answer = unless_refused(written)
        except AwsError as error:
            failure = error
        except Exception as error:
            failure = unexpected(received.request_id, error)
        status = 200 if failure is None else failure.status or error_status(service, failure.code)
        kept = recorded(target.operation.recorder, 0, parameters, answer if failure is None else None)
        self.observe(received, service, operation, identity, status, failure, None, decisions, identities, kept)
        if failure is not None:
            raise failure
        return answer

    def _answer_unmatched(
        self, received: Received, signing_name: str, error: AwsError, guessed_service: str = ""
    ) -> HttpAnswer:
        """The answer to a call without a matching operation, in the form that suits the request."""
        request, request_id = received.request, received.request_id
        unserved = recognise_unserved(request, signing_name)
        if unserved is not None:
            answer = encode_unserved_error(unserved, error, request_id, request.method)
            # An unsigned request must not name a service in the log.
            self.observe(received, "", "", None, answer.status, error)
            return answer
        service = guessed_service or likely_service(request, signing_name)
        answer = encode_error(service, error, request_id, None if guessed_service else request)
        self.observe(received, service, "", None, answer.status, error)
        return answer

    def _refuse_unserved(self, received: Received, unserved: Unserved, signature: Signature) -> HttpAnswer:
        """The answer to a call of a service that Rolecall does not serve. The caller is authenticated first, as on AWS.

        A key that does not exist or a wrong signature is refused as everywhere. Only an authenticated caller sees that
        the service is missing. Only then does the log show the caller and the service.
        """
        request, request_id = received.request, received.request_id
        identity: Identity | None = None
        try:
            with self._database.snapshot() as connection:
                identities = self._generations.current(connection)
                # Rolecall does not know the Regions of such a service.
                check_scope(signature, service=unserved.service, valid_region=bool)
                now_seconds, settings = self._clock.now_seconds(), self._generations.settings
                found, has_secret = resolve(connection, identities, signature, now_seconds, settings)
                if has_secret:
                    check_unread_signature(request, signature, found.secret_access_key)
                identity = found
            failure = not_served(unserved)
        except AwsError as error:
            failure = error
        except Exception as error:
            failure = unexpected(request_id, error)
        answer = encode_unserved_error(unserved, failure, request_id, request.method)
        shown_names = ("", "") if identity is None else (unserved.service, unserved.operation)
        self.observe(received, *shown_names, identity, answer.status, failure, signature)
        return answer

    def _answer(
        self, received: Received, target: Target, signature: Signature | None, known: Struck | None = None
    ) -> Steps[HttpAnswer]:
        """The answer. ``known`` holds what fault rules did to the call before it started again."""
        service, operation = target.service.name, target.operation.name
        request, request_id = received.request, received.request_id
        identity: Identity | None = None
        identities: IdentityStore | None = None
        decisions: Sequence[Decision] = ()
        asked: Parameters | None = None
        answer: Any = None
        failure: AwsError | None = None
        registered = find(service, operation)
        struck = known or NOT_STRUCK
        try:
            check_signed(signature, target, registered)
            with self._database.snapshot(self._purpose(target, known)) as connection:
                identities = self._generations.current(connection)
                # Read only now, because the new generation may bring settings, and a clock that another process moved.
                settings, now_seconds = self._generations.settings, self._clock.now_seconds()
                identity = authenticate(connection, identities, received, target, signature, now_seconds, settings)
                faults = self._generations.faults if known is None else None
                if faults is not None:
                    struck = faults.on_credentials(connection, facts_of(request, target, signature, identity))
                    struck.raise_error()
                asked = parameters = within_limits(target, decode(target, request), settings.minimum_session_seconds)
                call = self.call_for(received, target, signature, identity, identities, connection, now_seconds)
                if faults is not None:
                    struck = faults.on_call(connection, facts_of(request, target, signature, identity))
                    struck.raise_error()
                    call = _spoilt(call, struck)
                call, identity = proven(call, identity, registered, parameters, identities)
                check_kind(call, registered, parameters)
                factor = second_factor_of(registered, parameters)
                if factor is None:
                    decisions = authorise(call, registered, parameters, request, identity)
                    answer = read_answer(call, registered, target, parameters)
            if factor is not None:
                self._database.write(partial(use_second_factor, call, factor, parameters))
                with self._database.snapshot() as connection:
                    call = with_second_factor(call, connection)
                    decisions = authorise(call, registered, parameters, request, identity)
                    answer = read_answer(call, registered, target, parameters)
            if registered is not None and registered.writes:
                answer = self._database.write(partial(write_answer, call, registered, parameters, answer))
            encoded = encode_answer(target.operation, unless_refused(answer), request, request_id)
        except KeysWantedError as wanted:
            # Only now, outside the snapshot: an issuer may be slow. The result is cached, so the repetition ends.
            yield Fetch(wanted.url, wanted.fetch)
            return (yield from self._answer(received, target, signature, struck))
        except SnapshotMovedError:
            return (yield from self._answer(received, target, signature, struck))
        except AwsError as error:
            failure = error
        except Exception as error:
            failure = unexpected(request_id, error)
        if failure is not None:
            if isinstance(failure, RefusedError):
                failure.message += authorization_tail(service, request_id, region_of(signature, request))
            encoded = encode_error(service, failure, request_id, request)
        if struck.delay_seconds:
            yield Pause(struck.delay_seconds)
        kept = recorded(target.operation.recorder, len(request.body), asked, answer if failure is None else None)
        self.observe(
            received, service, operation, identity, encoded.status, failure, signature, decisions, identities, kept
        )
        if struck.drops:
            raise DroppedConnectionError
        return encoded

    def _purpose(self, target: Target, known: Struck | None) -> str:
        """What the snapshot of a call is for. Empty where the call must not start again because of other writers.

        With fault rules it would count twice, and a call that starts again must come to an end.
        """
        may_start_again = known is None and self._generations.faults is None
        return f"{target.service.name}:{target.operation.name}" if may_start_again else ""

    def call_for(
        self,
        received: Received,
        target: Target,
        signature: Signature | None,
        identity: Identity,
        identities: IdentityStore,
        connection: Connection,
        now_seconds: float,
    ) -> Call:
        """What the later steps and the operation know of a call."""
        # By position: a score of keyword arguments would take two microseconds.
        return Call(
            target.service.name,
            target.operation.name,
            identity.caller,
            identity.caller.principal.account_id,
            region_of(signature, received.request),
            now_seconds,
            received.request_id,
            connection,
            identities.keys,
            self._ids,
            self._generations.settings,
            identities.policies,
            target.operation,
            self._sandbox,
            host=received.request.headers.get("host", ""),
            scheme=received.request.scheme,
            headers=received.request.headers,
            received_at_seconds=received.at_seconds,
        )

    def observe(
        self,
        received: Received,
        service: str,
        operation: str,
        identity: Identity | None,
        status: int,
        error: AwsError | None,
        signature: Signature | None = None,
        decisions: Sequence[Decision] = (),
        identities: IdentityStore | None = None,
        kept: Recorded | None = None,
    ) -> None:
        """Tell the observers, such as the decision log, what became of a call."""
        if error is not None and log.isEnabledFor(logging.INFO):
            text = without_codes(error.reason or error.message)
            log.info("%s", printable(f"{received.request_id} {operation} {error.code}: {text}"))
        caller, seal = None if identity is None else identity.caller, None
        if isinstance(error, RefusedError):
            decisions = (*error.allowed, error.decision)
            if identities is not None and caller is not None:
                seal = partial(seal_message, identities.keys, caller.principal.account_id)
        request = received.request
        outcome = Outcome(
            received.request_id,
            service,
            operation,
            caller,
            tuple(decisions),
            error,
            region_of(signature, request) if signature is not None or caller is not None else "",
            "" if signature is None else signature.access_key_id,
            request.remote_address,
            request.headers.get("user-agent", ""),
            status,
            self._clock.now_seconds(),
            received.at_seconds,
            monotonic_seconds() - received.started_seconds,
            seal,
            kept,
            "" if error is None else error_code(service, error.code),
            error.unchecked if isinstance(error, RefusedError) else (),
        )
        self._sandbox.observe(outcome)


def _spoilt(call: Call, struck: Struck) -> Call:
    """The call with what fault rules do to its answer."""
    if struck.identity_provider_down:
        call = replace(call, identity_provider_down=True)
    if struck.stale or struck.wrong:
        call = replace(call, flaw=Flaw(struck.stale, struck.wrong))
    return call


def unexpected(request_id: str, error: Exception) -> AwsError:
    """The answer to a failure of Rolecall or of its database, which goes to the log."""
    failure = database_failure(error)
    if failure:
        log.error("%s %s", request_id, failure)
        return AwsError("ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
    log.error("%s failed unexpectedly", request_id, exc_info=error)
    return AwsError("InternalFailure", INTERNAL_FAILURE_MESSAGE)
