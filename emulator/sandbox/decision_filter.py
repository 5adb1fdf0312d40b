"""Which calls of the decision log somebody asks for, in words: for the endpoint and for the commands alike."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from emulator.storage.decision_log import CallFilter

_ACTION = re.compile(r"[A-Za-z0-9-]{1,64}:[A-Za-z0-9]{0,128}\*?")
_OUTCOME = re.compile(r"[A-Za-z]{1,128}")
_MAXIMUM_PRINCIPAL_CHARACTERS = 2048


class BadFilterError(ValueError):
    """A filter that cannot be understood; the message is for whoever asked."""


def read_filter(given: Mapping[str, str], *, default_limit: int, maximum_limit: int) -> CallFilter:
    """The filter of ``principal``, ``action``, ``outcome``, ``since`` and ``limit``. Raises BadFilterError.

    What is missing or empty is not asked.
    """
    action, outcome, principal = (given.get(name, "") for name in ("action", "outcome", "principal"))
    if action and not _ACTION.fullmatch(action):
        raise BadFilterError("action is a service prefix and a name, such as chime:CreateUser or chime:List*.")
    if outcome and not _OUTCOME.fullmatch(outcome):
        raise BadFilterError("outcome is Allowed, ExplicitDeny, ImplicitDeny, Refused or an error code.")
    if len(principal) > _MAXIMUM_PRINCIPAL_CHARACTERS:
        raise BadFilterError("principal is the ARN of a user, a role or a session.")
    limit = given.get("limit") or str(default_limit)
    if not re.fullmatch(r"[0-9]{1,6}", limit) or not 1 <= int(limit) <= maximum_limit:
        raise BadFilterError(f"limit is a number from 1 to {maximum_limit}.")
    since = given.get("since", "")
    return CallFilter(principal, action, outcome, epoch_seconds(since) if since else None, int(limit))


def epoch_seconds(text: str) -> float:
    """A time as people write it. Raises BadFilterError."""
    problem = BadFilterError("since is a time such as 2030-01-01T00:00:00Z, or seconds since the epoch.")
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
