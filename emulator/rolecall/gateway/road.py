"""The road of one call, from an HTTP request to an HTTP answer. Read it from the top of :meth:`Gateway.answer`.

Each step takes values and returns a value; no step calls the next. AWS errors are caught here and nowhere else. Any
unexpected error is caught at the same place, logged with its request id and answered as InternalFailure.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import Connection

from rolecall.access.authorization_ids import authorization_tail
from rolecall.access.check import RefusedError
from rolecall.access.credential_rules import check_credential_kind
from rolecall.access.policies import PolicyStore
from rolecall.access.regions import check_region, check_token_region
from rolecall.call_log.outcomes import Observer, Outcome, Recorded, recorded, without_codes
from rolecall.clock import Clock, monotonic_seconds
from rolecall.errors import AwsError
from rolecall.faults.active import NOT_STRUCK, Struck
from rolecall.gateway.caller import check_call_scope, check_signed, facts_of, proven, second_factor_of
from rolecall.gateway.generation import Generations
from rolecall.gateway.permission import authorise, emulated
from rolecall.gateway.received import Received, account_of, region_of
from rolecall.http import DroppedConnectionError, HttpAnswer, HttpRequest
from rolecall.identities import NOBODY, Identity, IdentityStore
from rolecall.ids import Identifiers
from rolecall.policy import Decision
from rolecall.printable import printable
from rolecall.service_records import SERVICE_RECORDS
from rolecall.services.catalogue import find, takes_long
from rolecall.services.registry import (
    NO_USES,
    AccessReader,
    Answer,
    Call,
    Parameters,
    PendingUses,
    RefusalReader,
    RegisteredOperation,
    SecondFactor,
    no_accesses,
    no_refusal,
)
from rolecall.sessions.authorization_messages import seal_message
from rolecall.sessions.issuer_keys import IssuerKeys, KeysWantedError
from rolecall.settings import SandboxSettings
from rolecall.signing import Signature, check_scope, check_signature, check_unread_signature, read_signature
from rolecall.storage.clock_states import share_clock
from rolecall.storage.engine import Database, DatabaseUnavailableError
from rolecall.waits import LONG_WORK, Fetch, Pause, Steps, wait_here
from rolecall.wire import (
    Target,
    Unserved,
    check_constraints,
    claimed_service,
    decode,
    encode_answer,
    encode_error,
    encode_unserved_error,
    error_code,
    likely_service,
    match,
    not_served,
    recognise_unserved,
)

log = logging.getLogger("rolecall.gateway")

INTERNAL_FAILURE_MESSAGE = "The request processing has failed because of an unknown error, exception or failure."
MODEL_MINIMUM_SESSION_SECONDS = 900
# The operations with that minimum. Other operations have durations of their own.
_OPERATIONS_WITH_MINIMUM = frozenset(
    {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken", "GetSessionToken"}
)


class Gateway:
    """Answers AWS calls. Holds what outlives a call: the database, the clock, and the caches of one generation."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        ids: Identifiers,
        settings: SandboxSettings,
        observer: Observer | None = None,
        refusals: RefusalReader = no_refusal,
        accesses: AccessReader = no_accesses,
        uses: PendingUses = NO_USES,
        issuer_keys: IssuerKeys | None = None,
    ) -> None:
        self.database = database
        # Other processes may serve the same database. They share this clock.
        share_clock(database, clock)
        self.clock = clock
        self.ids = ids
        self._generations = Generations(database, clock, settings)
        self.observer = observer
        self.refusals = refusals
        self.accesses = accesses
        self.uses = uses
        self.issuer_keys = issuer_keys or IssuerKeys()

    @property
    def settings(self) -> SandboxSettings:
        """The settings in force, from the sandbox file or from a snapshot that was loaded."""
        return self._generations.settings

    def answer(self, request: HttpRequest) -> tuple[str, HttpAnswer]:
        """The request id and the answer. Raises only DroppedConnectionError, and only when a fault rule asks for it."""
        return wait_here(self.steps(request), self.clock.pause)

    def steps(self, request: HttpRequest) -> Steps[tuple[str, HttpAnswer]]:
        """The same as :meth:`answer`. Yields what the call has to wait for, so that another thread can wait."""
        received = Received(self.ids.uuid(), request, self.clock.wall_seconds(), monotonic_seconds())
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
            failure = _unexpected(received.request_id, error)
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
        received = Received(self.ids.uuid(), request, self.clock.wall_seconds(), monotonic_seconds())
        return received.request_id, self._answer_unmatched(received, claimed_service(request), error, service)

    def _answer_unmatched(
        self, received: Received, signing_name: str, error: AwsError, guessed_service: str = ""
    ) -> HttpAnswer:
        """The answer to a call without a matching operation, in the form that suits the request."""
        request, request_id = received.request, received.request_id
        unserved = recognise_unserved(request, signing_name)
        if unserved is not None:
            answer = encode_unserved_error(unserved, error, request_id, request.method)
            # An unsigned request must not name a service in the log.
            self._observe(received, "", "", None, answer.status, error)
            return answer
        service = guessed_service or likely_service(request, signing_name)
        answer = encode_error(service, error, request_id, None if guessed_service else request)
        self._observe(received, service, "", None, answer.status, error)
        return answer

    def _refuse_unserved(self, received: Received, unserved: Unserved, signature: Signature) -> HttpAnswer:
        """The answer to a call of a service that Rolecall does not serve. The caller is authenticated first, as on AWS.

        A key that does not exist or a wrong signature is refused as everywhere. Only an authenticated caller sees that
        the service is missing. Only then does the log show the caller and the service.
        """
        request, request_id = received.request, received.request_id
        identity: Identity | None = None
        try:
            with self.database.snapshot() as connection:
                identities = self._generations.current(connection)
                # Rolecall does not know the Regions of such a service.
                check_scope(signature, service=unserved.service, valid_region=bool)
                found, has_secret = self._resolve(connection, identities, signature, self.clock.now_seconds())
                if has_secret:
                    check_unread_signature(request, signature, found.secret_access_key)
                identity = found
            failure = not_served(unserved)
        except AwsError as error:
            failure = error
        except Exception as error:
            failure = _unexpected(request_id, error)
        answer = encode_unserved_error(unserved, failure, request_id, request.method)
        shown_names = ("", "") if identity is None else (unserved.service, unserved.operation)
        self._observe(received, *shown_names, identity, answer.status, failure, signature)
        return answer

    def _answer(
        self, received: Received, target: Target, signature: Signature | None, known: Struck | None = None
    ) -> Steps[HttpAnswer]:
        """The answer. ``known`` holds what fault rules did to the call before it started again."""
        service, operation = target.service.name, target.operation.name
        request, request_id = received.request, received.request_id
        identity: Identity | None = None
        identities: IdentityStore | None = None
        decisions: list[Decision] = []
        asked: Parameters | None = None
        answer: Answer | None = None
        failure: AwsError | None = None
        registered = find(service, operation)
        struck = known or NOT_STRUCK
        try:
            check_signed(signature, target, registered)
            with self.database.snapshot() as connection:
                identities = self._generations.current(connection)
                # Read only now, because the new generation may bring a clock that another process moved.
                now_seconds = self.clock.now_seconds()
                identity = self._authenticate(connection, identities, request, target, signature, now_seconds)
                faults = self._generations.faults if known is None else None
                if faults is not None:
                    struck = faults.on_credentials(connection, facts_of(request, target, signature, identity))
                    struck.raise_error()
                parameters = decode(target, request)
                self._check_parameters(target, parameters)
                asked = parameters
                call = self._call(received, target, signature, identity, identities, connection, now_seconds)
                if faults is not None:
                    struck = faults.on_call(connection, facts_of(request, target, signature, identity))
                    struck.raise_error()
                if struck.identity_provider_down:
                    call = replace(call, identity_provider_down=True)
                call, identity = self._allowed_kind(call, identity, registered, target, parameters)
                factor = second_factor_of(registered, parameters)
                if factor is None:
                    answer = self._carry_out(call, registered, target, parameters, request, identity, decisions)
            if factor is not None:
                with self._proved(call, factor, parameters, identities.generation) as proved:
                    answer = self._carry_out(proved, registered, target, parameters, request, identity, decisions)
            if registered is not None and registered.writes:
                with self.database.transaction() as connection:
                    # A separate store: if the writes are rolled back, nothing read between them may stay in the cache.
                    policies = PolicyStore(identities.generation)
                    call = replace(call, db=connection, policies=policies, prepared=answer)
                    answer = registered.function(call, **parameters)
            encoded = encode_answer(target.operation, answer, request, request_id)
        except KeysWantedError as wanted:
            # Only now, outside the snapshot: an issuer may be slow. The result is cached, so the repetition ends.
            yield Fetch(wanted.url, wanted.fetch)
            return (yield from self._answer(received, target, signature, struck))
        except AwsError as error:
            failure = error
        except Exception as error:
            failure = _unexpected(request_id, error)
        if failure is not None:
            if isinstance(failure, RefusedError):
                decisions = [*failure.allowed, failure.decision]
                failure.message += authorization_tail(service, request_id, region_of(signature, request))
            encoded = encode_error(service, failure, request_id, request)
        if struck.delay_seconds:
            yield Pause(struck.delay_seconds)
        kept = recorded(target.operation.recorder, len(request.body), asked, answer if failure is None else None)
        self._observe(
            received, service, operation, identity, encoded.status, failure, signature, decisions, identities, kept
        )
        if struck.drops:
            raise DroppedConnectionError
        return encoded

    def _allowed_kind(
        self,
        call: Call,
        identity: Identity,
        registered: RegisteredOperation | None,
        target: Target,
        parameters: Parameters,
    ) -> tuple[Call, Identity]:
        """The call and its caller, after the checks that come before any policy."""
        if registered is not None and registered.proof is not None:
            call, identity = proven(call, registered.proof, parameters)
        record = SERVICE_RECORDS[call.service]
        if self.settings.disabled_regions and record.has_regional_endpoints:
            account_id = account_of(call, parameters)
            check_region(self.settings.disabled_regions, call.region, target.operation.error_codes, account_id)
        check_credential_kind(identity.caller, record.credential_rules, call.operation)
        if registered is not None and registered.precheck is not None:
            registered.precheck(call, parameters)
        return call, identity

    def catch_up(self) -> None:
        """Load what other processes have changed since the last call: clock, fault rules, settings."""
        with self.database.snapshot() as connection:
            self._generations.current(connection)

    def _authenticate(
        self,
        connection: Connection,
        identities: IdentityStore,
        request: HttpRequest,
        target: Target,
        signature: Signature | None,
        now_seconds: float,
    ) -> Identity:
        if signature is None or not target.operation.signed:
            # The proof of identity is among the parameters.
            return NOBODY
        check_call_scope(signature, target, request)
        identity, has_secret = self._resolve(connection, identities, signature, now_seconds)
        if has_secret:
            check_signature(request, signature, identity.secret_access_key, raw_path=target.raw_path)
        return identity

    def _resolve(
        self, connection: Connection, identities: IdentityStore, signature: Signature, now_seconds: float
    ) -> tuple[Identity, bool]:
        """The identity for the key and the token, and whether its secret must have signed the call."""
        try:
            identity = identities.resolve(connection, signature.access_key_id, signature.session_token, now_seconds)
            session = identity.caller.session
            if session is not None and not session.everywhere:
                check_token_region(signature.region)
        except AwsError:
            lenient = not self.settings.strict and not signature.session_token
            if not lenient or identities.knows_key(connection, signature.access_key_id):
                raise
            # The sandbox is lenient by its own setting. This key has no known secret, so there is nothing to compare.
            return identities.administrator(connection, signature.access_key_id), False
        return identity, True

    def _check_parameters(self, target: Target, parameters: dict[str, Any]) -> None:
        duration_seconds = parameters.get("DurationSeconds")
        lowered = self.settings.minimum_session_seconds
        shorter = isinstance(duration_seconds, int) and lowered <= duration_seconds < MODEL_MINIMUM_SESSION_SECONDS
        if shorter and target.operation.name in _OPERATIONS_WITH_MINIMUM:
            # The sandbox allows shorter sessions than AWS, for tests of refreshing. Every other limit stays.
            parameters = {**parameters, "DurationSeconds": MODEL_MINIMUM_SESSION_SECONDS}
        check_constraints(target.operation, parameters)

    def _call(
        self,
        received: Received,
        target: Target,
        signature: Signature | None,
        identity: Identity,
        identities: IdentityStore,
        connection: Connection,
        now_seconds: float,
    ) -> Call:
        return Call(
            service=target.service.name,
            operation=target.operation.name,
            caller=identity.caller,
            account_id=identity.caller.principal.account_id,
            region=region_of(signature, received.request),
            now_seconds=now_seconds,
            request_id=received.request_id,
            db=connection,
            keys=identities.keys,
            ids=self.ids,
            settings=self.settings,
            policies=identities.policies,
            issuer_keys=self.issuer_keys,
            refusal=self.refusals,
            accesses=self.accesses,
            host=received.request.headers.get("host", ""),
            input_paths=target.operation.input_paths,
            answer_members=target.operation.output_members,
            answer_paths=target.operation.output_paths,
            uses=self.uses,
        )

    @contextmanager
    def _proved(self, call: Call, factor: SecondFactor, parameters: Parameters, generation: int) -> Iterator[Call]:
        """The call of a caller who proves a second factor with it, in a new snapshot.

        Raises AwsError for a proof that fails.
        """
        with self.database.transaction() as connection:
            factor.use(replace(call, db=connection), parameters)
        with self.database.snapshot() as connection:
            # A separate store: this snapshot may be of a later generation, so its data must not enter the cache.
            policies = PolicyStore(generation)
            yield replace(call, db=connection, policies=policies, mfa_at_seconds=int(call.now_seconds))

    def _carry_out(
        self,
        call: Call,
        registered: RegisteredOperation | None,
        target: Target,
        parameters: dict[str, Any],
        request: HttpRequest,
        identity: Identity,
        decisions: list[Decision],
    ) -> Any:
        """The answer of an operation that only reads, or what one that writes prepared for its transaction.

        Raises AwsError for a refused call. The decisions are added to ``decisions``. They stay there when the operation
        then fails.
        """
        decisions += authorise(call, registered, parameters, request, identity)
        function = emulated(registered, target, parameters)
        if registered is None or not registered.writes:
            return None if registered is None else function(call, **parameters)
        return None if registered.prepare is None else registered.prepare(call, parameters)

    def _observe(
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
        if error is not None and log.isEnabledFor(logging.INFO):
            text = without_codes(error.reason or error.message)
            log.info("%s", printable(f"{received.request_id} {operation} {error.code}: {text}"))
        if self.observer is None:
            return
        caller, seal = None if identity is None else identity.caller, None
        if isinstance(error, RefusedError) and identities is not None and caller is not None:
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
            self.clock.now_seconds(),
            received.at_seconds,
            monotonic_seconds() - received.started_seconds,
            seal,
            kept,
            "" if error is None else error_code(service, error.code),
            error.further if isinstance(error, RefusedError) else (),
        )
        self.observer(outcome)


def _unexpected(request_id: str, error: Exception) -> AwsError:
    if isinstance(error, DatabaseUnavailableError):
        log.error("%s the database did not answer: %s", request_id, getattr(error, "orig", error))
        return AwsError("ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
    log.error("%s failed unexpectedly", request_id, exc_info=error)
    return AwsError("InternalFailure", INTERNAL_FAILURE_MESSAGE)
