"""Speaker searches, whichever service runs them. A voice profile is made of what one found.

A Voice Connector runs some, a media pipeline others. Neither service may import the other one, so each registers how it
finds its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from rolecall.services.registry import Call

# How long a search analyses, by the sandbox's clock. AWS names no time: ten seconds of speech are what the Developer
# Guide asks for.
ANALYSIS_SECONDS = 10


class FoundVoice(NamedTuple):
    """What a speaker search found: ``voice`` names the speaker. ``finished_at_seconds`` is None if it did not succeed.

    The time is by the sandbox's clock.
    """

    domain_id: str
    voice: str
    finished_at_seconds: float | None


# Each takes a call and the id of a task. It gives None for the id of no task.
SEARCH_FINDERS: list[Callable[[Call, str], FoundVoice | None]] = []


def found_voice(call: Call, task_id: str) -> FoundVoice | None:
    """What the caller's speaker search of that id found; None for the id of no task."""
    return next((found for find in SEARCH_FINDERS if (found := find(call, task_id)) is not None), None)
