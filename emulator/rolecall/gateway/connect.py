"""The road of a connect: from the presigned request of a websocket to the session of a user who receives events.

Developer Guide, Using websockets to receive messages. A connect goes through the steps of a call: signature, caller,
permission. No operation and no model belong to the action chime:Connect. The decision log has every connect.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from rolecall.access.check import check
from rolecall.access.context import Moment
from rolecall.access.permission import Permission
from rolecall.access.regions import check_endpoint
from rolecall.arns import parse_arn
from rolecall.clock import monotonic_seconds
from rolecall.errors import AwsError, bad_request
from rolecall.faults.active import NOT_STRUCK
from rolecall.faults.rules import CallFacts
from rolecall.gateway.caller import MISSING_TOKEN_MESSAGE, resolve
from rolecall.gateway.received import Received, region_of
from rolecall.gateway.road import Gateway, unexpected
from rolecall.http import DroppedConnectionError, HttpRequest
from rolecall.identities import Identity, IdentityStore
from rolecall.policy import Decision
from rolecall.reprs import repr_without
from rolecall.sandbox import Sandbox
from rolecall.service_records import SERVICE_RECORDS, SOCKET_OPERATIONS, requested_region
from rolecall.services.app_instance_kinds import USER
from rolecall.services.catalogue import find
from rolecall.services.chime_sdk_messaging.events import SYSTEM
from rolecall.services.chime_sdk_messaging.kinds import SERVICE
from rolecall.services.chime_sdk_messaging.prefetch import channel_details
from rolecall.services.permissions import stored_keys
from rolecall.services.registry import Call
from rolecall.signing import Signature, check_scope, check_signature, read_signature
from rolecall.storage import messaging_events
from rolecall.waits import Pause, Steps, wait_here
from rolecall.wire import Target, error_status, load_service

CONNECT = SOCKET_OPERATIONS[SERVICE]
_RESOURCE_TYPE = "app-instance-user"
_SWITCHING_PROTOCOLS = 101
_MAXIMUM_PARAMETERS = 32


class PushSession(Struct, eq=False):
    """One user who receives events. A session is equal to itself only.

    ``since_event_id`` is the last event that the connect could see, and ``unseen_event_ids`` are the ids before it that
    may still become visible: the session receives these events and all later ones. ``details`` are the texts that it
    receives at once. ``generation`` is the one of the database in which its credentials were last found valid.
    ``expires_at_seconds`` is by the sandbox's clock; None for keys without an end.
    """

    user_arn: str
    user_key: str
    signature: Signature
    expires_at_seconds: int | None
    since_event_id: int
    unseen_event_ids: frozenset[int]
    generation: int
    details: Sequence[str] = ()

    __repr__ = repr_without("signature")

    def awaits(self, event_id: int) -> bool:
        """Whether the connect could not see the event."""
        return event_id > self.since_event_id or event_id in self.unseen_event_ids


def frame_text(event_type: str, message_type: str = SYSTEM, payload: str | None = None) -> str:
    """The text that a client receives. ``payload`` is JSON, and stays a string in the text."""
    headers = {"x-amz-chime-event-type": event_type, "x-amz-chime-message-type": message_type}
    return _json({"Headers": headers, **({} if payload is None else {"Payload": payload})})


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def connect(sandbox: Sandbox, request: HttpRequest) -> PushSession:
    """The session for a presigned request. Raises AwsError for one that is refused, and DroppedConnectionError."""
    return wait_here(connect_steps(sandbox, request), sandbox.clock.pause)


def status_of(failure: AwsError) -> int:
    """The HTTP status that a call with this error would have."""
    return failure.status if failure.status is not None else error_status(SERVICE, failure.code)


def connect_steps(sandbox: Sandbox, request: HttpRequest) -> Steps[PushSession]:
    """The same as :func:`connect`. Yields the pause that a fault rule asks for."""
    received = Received(sandbox.ids.uuid(), request, sandbox.clock.wall_seconds(), monotonic_seconds())
    attempt = _Attempt(sandbox, received)
    session, failure = attempt.outcome()
    if attempt.struck.delay_seconds:
        yield Pause(attempt.struck.delay_seconds)
        if failure is None:
            # A session begins when the client gets it: what happened during the pause is no news.
            session, failure = attempt.outcome()
    status = _SWITCHING_PROTOCOLS if failure is None else status_of(failure)
    Gateway(sandbox).observe(
        received,
        SERVICE,
        CONNECT,
        attempt.identity,
        status,
        failure,
        attempt.signature,
        attempt.decisions,
        attempt.identities,
    )
    if attempt.struck.drops:
        raise DroppedConnectionError
    if session is None:
        raise failure or AwsError("InternalFailure")
    return session


class _Attempt:
    """One connect, and what is known of it so far: the log also shows it for a refused connect."""

    def __init__(self, sandbox: Sandbox, received: Received) -> None:
        self._sandbox = sandbox
        self._received = received
        self.signature: Signature | None = None
        self.identities: IdentityStore | None = None
        self.identity: Identity | None = None
        self.decisions: Sequence[Decision] = ()
        # What fault rules do to the connect. They count it once.
        self.struck = NOT_STRUCK
        self._was_counted = False

    def outcome(self) -> tuple[PushSession | None, AwsError | None]:
        """The session, or why there is none."""
        try:
            return self._session(), None
        except AwsError as error:
            return None, error
        except Exception as error:
            return None, unexpected(self._received.request_id, error)

    def _session(self) -> PushSession:
        sandbox, request = self._sandbox, self._received.request
        # Loads what the kinds of Chime's resources say about them.
        find(SERVICE, CONNECT)
        signature = self.signature = read_signature(request, self._received.at_seconds)
        if signature is None:
            raise AwsError("MissingAuthenticationToken", MISSING_TOKEN_MESSAGE)
        asked, service = _parameters(request.raw_query), load_service(SERVICE)
        with sandbox.database.snapshot() as connection:
            identities = self.identities = sandbox.generations.current(connection)
            settings, now_seconds = sandbox.generations.settings, sandbox.clock.now_seconds()
            check_scope(signature, service=SERVICE_RECORDS[SERVICE].signing_name)
            check_endpoint(SERVICE, signature.region)
            identity, has_secret = resolve(connection, identities, signature, now_seconds, settings)
            if has_secret:
                check_signature(request, signature, identity.secret_access_key, raw_path=request.raw_path)
            self.identity = identity
            self._strike(connection, signature, identity)
            # No model has an operation Connect: the call needs the service's alone.
            target = Target(service, service.operation("GetMessagingSessionEndpoint"), "/", {}, {})
            call = Gateway(sandbox).call_for(
                self._received, target, signature, identity, identities, connection, now_seconds
            )
            call = replace(call, operation=CONNECT)
            user_arn = asked.get("userArn", "")
            self.decisions = self._authorised(call, identity, user_arn)
            return _opened(call, signature, identity, user_arn, asked, identities.generation)

    def _strike(self, connection: Connection, signature: Signature, identity: Identity) -> None:
        """Let fault rules strike a proven caller, as they strike a call. Raises AwsError."""
        faults = None if self._was_counted else self._sandbox.generations.faults
        if faults is None:
            return
        self._was_counted = True
        region = region_of(signature, self._received.request)
        facts = CallFacts(SERVICE, CONNECT, region, identity.caller, bool(signature.session_token))
        for strike in (faults.on_credentials, faults.on_call):
            self.struck = strike(connection, facts)
            self.struck.raise_error()

    def _authorised(self, call: Call, identity: Identity, user_arn: str) -> Sequence[Decision]:
        """The decision about chime:Connect on the user's ARN. Raises AwsError, RefusedError."""
        parsed = parse_arn(user_arn)
        if parsed is None or not USER.id_of(user_arn):
            raise bad_request("userArn must be the ARN of an app instance user.")
        tags = stored_keys(call, "chime", _RESOURCE_TYPE, user_arn)
        permission = Permission("chime:Connect", user_arn, parsed.account_id, tags)
        session = identity.caller.session
        mfa_at_seconds = None if session is None else session.mfa_authenticated_at_seconds
        region = requested_region(SERVICE, call.region)
        moment = Moment(self._received.request, call.now_seconds, region, mfa_at_seconds)
        return check(identity.rights, [permission], moment, SERVICE_RECORDS[SERVICE].denied_code)


def _parameters(raw_query: str) -> Mapping[str, str]:
    """Raises AwsError BadRequestException."""
    try:
        pairs = parse_qsl(raw_query, keep_blank_values=True, max_num_fields=_MAXIMUM_PARAMETERS, errors="strict")
    except ValueError as error:
        raise bad_request("The query string cannot be read.") from error
    # As with the signature, the first of several equal parameters counts.
    return dict(reversed(pairs))


def _opened(
    call: Call, signature: Signature, identity: Identity, user_arn: str, asked: Mapping[str, str], generation: int
) -> PushSession:
    """The session of an authorised caller. Raises AwsError."""
    if not asked.get("sessionId"):
        raise bad_request("sessionId is missing.")
    prefetch_on, sort_by = asked.get("prefetch-on", ""), asked.get("prefetch-sort-by", "")
    if prefetch_on not in ("", "connect") or sort_by not in ("", "unread", "last-message-timestamp"):
        raise bad_request("The value of prefetch-on or of prefetch-sort-by is not known.")
    user = USER.kept.find(call, USER, (user_arn,), locked=False)
    if user is None:
        raise USER.not_found(user_arn)
    since_event_id, unseen_event_ids = messaging_events.newest(call.db)
    details: Sequence[str] = ()
    if prefetch_on:
        service = load_service(SERVICE)
        payloads = channel_details(
            lambda name: replace(call, operation=name, model=service.operation(name)), user_arn, user, sort_by
        )
        details = [frame_text("CHANNEL_DETAILS", payload=_json(each)) for each in payloads]
    return PushSession(
        user_arn,
        user.key,
        signature,
        identity.expires_at_seconds,
        since_event_id,
        unseen_event_ids,
        generation,
        details,
    )
