"""What became of one call: the value that the gateway hands to whoever asked to be told, the decision log first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emulator.errors import AwsError
from emulator.policy import Decision
from emulator.principals import Caller

# A message repeats a one-time code that breaks a limit, because STS's model does not mark it as sensitive, and with a
# space too many it is still good. From the first value to the last mention, so that no value can end it early.
_SHOWN_CODE = re.compile(r"Value '.*' at 'tokenCode'", re.DOTALL)

# From the content of an encoded authorization message and its expiry, in seconds since the epoch, to its text.
SealMessage = Callable[[Mapping[str, Any], int], str]


@dataclass(slots=True)
class Outcome:
    """One call and its end. Never changed once it is made; not frozen, because making it is on every call's road.

    ``caller`` is None until credentials are proven; ``access_key_id`` is then only what the request claims.
    ``decisions`` are in the order of the questions, the refused one last. ``now_seconds`` is the sandbox's time,
    ``received_at_seconds`` the wall clock's. ``seal_message`` is there when a decision refused;
    ``further`` are then the actions and resources that were not asked about any more.
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
    further: Sequence[tuple[str, str]] = ()


Observer = Callable[[Outcome], None]


def without_codes(message: str) -> str:
    """An error's message without the one-time codes that it repeats; for every log."""
    return _SHOWN_CODE.sub("Value at 'tokenCode'", message) if "tokenCode" in message else message
