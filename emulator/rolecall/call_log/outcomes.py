"""The outcome of one call: the value that the gateway passes to its observers, such as the decision log."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from rolecall.errors import AwsError
from rolecall.policy import Decision
from rolecall.principals import Caller
from rolecall.reprs import repr_without

# An error message repeats a one-time code that breaks a limit, because STS's model does not mark it as sensitive. A
# code with a blank too many is still valid without it. The pattern reaches from the first value to the last mention, so
# no value can end it early.
_SHOWN_CODE = re.compile(r"Value '.*' at 'tokenCode'", re.DOTALL)

# From the content of an encoded authorization message, and its expiry in seconds since the epoch, to its text.
SealMessage = Callable[[Mapping[str, Any], int], str]
# The service under which sign-ins are in the log, as in CloudTrail.
SIGN_IN_SERVICE = "signin"
# Steps of a sign-in in a browser. The service also has an API.
SIGN_IN_EVENTS = frozenset({"ConsoleLogin", "GetSigninToken"})

# Parameters of larger requests are not kept for the log, so that entries that wait for it stay small.
KEPT_BODY_BYTES = 65_536


class Recorder(Protocol):
    """How the parameters and the answer of an operation are written: as JSON, without secrets."""

    @property
    def parameters(self) -> Callable[[Any], str]: ...

    @property
    def answer(self) -> Callable[[Any], str] | None: ...

    @property
    def error_names(self) -> Mapping[str, str]: ...


class Recorded(Struct):
    """The parameters and the answer of a call with their secrets. Only what ``recorder`` makes of them may be written.

    ``parameters`` are None when they were malformed or the request has too many ``body_bytes``. ``answer`` is None when
    there was none or it is not recorded. Never changed, like an outcome.
    """

    recorder: Recorder
    body_bytes: int
    # Never shown in the text of an outcome, for example by a failing test.
    parameters: Mapping[str, Any] | None
    answer: Mapping[str, Any] | None

    __repr__ = repr_without("recorder", "parameters", "answer")


def recorded(
    recorder: Recorder, body_bytes: int, parameters: Mapping[str, Any] | None, answer: Mapping[str, Any] | None
) -> Recorded:
    """The parts of a call that the log needs. The rest would only take memory."""
    kept = parameters if body_bytes <= KEPT_BODY_BYTES else None
    return Recorded(recorder, body_bytes, kept, None if recorder.answer is None else answer)


class Outcome(Struct):
    """One call and its end. Never changed once it is made. It is not frozen, because every call makes one.

    ``caller`` is None until credentials are proven; ``access_key_id`` is then only the request's claim. ``decisions``
    are in the order of the questions, the refused one last. ``now_seconds`` is the sandbox's time,
    ``received_at_seconds`` the wall clock's. When a decision refused the call, ``seal_message`` is set, and
    ``unchecked`` holds the actions and resources that were not checked any more.
    """

    request_id: str
    service: str
    operation: str
    caller: Caller | None
    decisions: tuple[Decision, ...]
    error: AwsError | None
    region: str = ""
    access_key_id: str = ""
    source_ip: str = ""
    user_agent: str = ""
    status: int = 0
    now_seconds: float = 0.0
    received_at_seconds: float = 0.0
    latency_seconds: float = 0.0
    seal_message: SealMessage | None = None
    recorded: Recorded | None = None
    # In the service's own form, where ``error`` has the name that all services share.
    error_code: str = ""
    unchecked: Sequence[tuple[str, str]] = ()


Observer = Callable[[Outcome], None]


def result_of(outcome: Outcome) -> str:
    """Allowed, ExplicitDeny, ImplicitDeny, or the error code of a call that was refused before any policy counted."""
    if outcome.decisions:
        result: str = outcome.decisions[-1].outcome
        return result
    return "Allowed" if outcome.error is None else outcome.error_code or outcome.error.code


def without_codes(message: str) -> str:
    """An error's message without the one-time codes that it repeats. For every log."""
    return _SHOWN_CODE.sub("Value at 'tokenCode'", message) if "tokenCode" in message else message
