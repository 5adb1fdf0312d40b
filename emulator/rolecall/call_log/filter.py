"""Which calls of the decision log a user asks for, in words. The endpoint and the commands share it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from rolecall.clock import duration_seconds
from rolecall.storage.decision_log import CallFilter

_ACTION = re.compile(r"[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{0,128}\*?")
_OUTCOME = re.compile(r"[A-Za-z]{1,128}")
_MAXIMUM_PRINCIPAL_CHARACTERS = 2048


class BadFilterError(ValueError):
    """A filter that cannot be understood. The user sees the message."""


def read_filter(
    given: Mapping[str, str], now_seconds: Callable[[], float], *, default_limit: int, maximum_limit: int
) -> CallFilter:
    """The filter of ``principal``, ``action``, ``outcome``, ``since`` and ``limit``. Raises BadFilterError.

    A missing or empty value does not filter. ``now_seconds`` gives the sandbox's time and is called only for durations.
    """
    action, outcome, principal = (given.get(name, "") for name in ("action", "outcome", "principal"))
    if action and not _ACTION.fullmatch(action):
        raise BadFilterError("action must be a service prefix and a name, such as chime:CreateUser or chime:List*.")
    if outcome and not _OUTCOME.fullmatch(outcome):
        raise BadFilterError("outcome must be Allowed, ExplicitDeny, ImplicitDeny, Refused or an error code.")
    if len(principal) > _MAXIMUM_PRINCIPAL_CHARACTERS:
        raise BadFilterError("principal must be the ARN of a user, a role or a session.")
    limit = given.get("limit") or str(default_limit)
    if not re.fullmatch(r"[0-9]{1,6}", limit) or not 1 <= int(limit) <= maximum_limit:
        raise BadFilterError(f"limit must be a number from 1 to {maximum_limit}.")
    return CallFilter(principal, action, outcome, since_seconds(given.get("since", ""), now_seconds), int(limit))


def since_seconds(text: str, now_seconds: Callable[[], float]) -> float | None:
    """A time as people write it, or a duration back from now; None for an empty text. Raises BadFilterError."""
    if not text:
        return None
    duration = duration_seconds(text)
    if duration is not None:
        return now_seconds() - duration
    problem = BadFilterError(
        "since must be a time such as 2030-01-01T00:00:00Z, seconds since the epoch, or how long ago, "
        "such as 15m or 1h30m."
    )
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise problem from error
    if not math.isfinite(seconds):
        raise problem
    return seconds
