"""Finds a resource on which a decision comes out in a wanted way, or shows that there is none.

A statement matches a resource when the resource is in the language of its patterns. So the search walks through all
patterns at once, character by character, and remembers which positions of each pattern have been reached. Two texts
that reach the same positions are alike, so each set of positions is visited once. The number of visits is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rolecall.policy.patterns import MANY, ONE, Positions, cached_glob, overlapping, positions_of

MAXIMUM_STATES = 20_000
_FILLING = "x"
# One of them stands for every character that no pattern names. AWS's names may have them.
_OTHERS = "abcdefghijklmnopqrstuvwxyz0123456789_=+@ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class TooManyStatesError(Exception):
    """The patterns are too many to be followed together."""


def resource_with(
    about: Sequence[str], patterns: Sequence[str], wanted: Callable[[Sequence[bool]], bool]
) -> str | None:
    """A text that matches one of the patterns ``about`` and is ``wanted``; None when there is none.

    ``wanted`` gets, for each of ``patterns``, whether the text matches it. All are patterns of
    :mod:`rolecall.policy.patterns`. Raises TooManyStatesError.
    """
    # Most policies name resources that a text made of one pattern shows.
    for text in dict.fromkeys(_filled(pattern) for pattern in (*about, *patterns)):
        in_question = any(cached_glob(pattern)(text) for pattern in about)
        if in_question and wanted([cached_glob(pattern)(text) for pattern in patterns]):
            return text
    # The others that a search has to follow: a pattern of everything, or of nothing in question, is never in doubt.
    doubtful = [
        place
        for place, pattern in enumerate(patterns)
        if pattern != MANY and any(overlapping(each, pattern) for each in about)
    ]
    matching = [pattern == MANY for pattern in patterns]

    def is_wanted(found: Sequence[bool]) -> bool:
        for place, is_matching in zip(doubtful, found, strict=True):
            matching[place] = is_matching
        return wanted(matching)

    return _searched(about, [patterns[place] for place in doubtful], is_wanted)


def _filled(pattern: str) -> str:
    """A text that the pattern matches. A star is filled, because names are not empty."""
    return pattern.replace(MANY, _FILLING).replace(ONE, _FILLING)


def _searched(about: Sequence[str], patterns: Sequence[str], wanted: Callable[[Sequence[bool]], bool]) -> str | None:
    """A shortest such text, character by character."""
    machines = [positions_of(pattern) for pattern in (*about, *patterns)]
    count = len(about)
    named = {character for machine in machines for character in machine.taking}
    other = next((character for character in _OTHERS if character not in named), "")
    start = tuple(1 for _ in machines)
    reached: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None] = {start: None}
    asked: set[tuple[bool, ...]] = set()
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        ends = tuple(bool(bits & machine.final) for bits, machine in zip(state, machines, strict=True))
        if any(ends[:count]) and ends[count:] not in asked:
            if wanted(ends[count:]):
                return _spelled(reached, state)
            asked.add(ends[count:])
        if not patterns and asked:
            return None
        for character in _next_characters(machines, state, other):
            following = tuple(machine.step(bits, character) for bits, machine in zip(state, machines, strict=True))
            # A text that left every pattern of the question cannot come back.
            if following in reached or not any(following[:count]):
                continue
            reached[following] = (state, character)
            if len(reached) > MAXIMUM_STATES:
                raise TooManyStatesError
            waiting.append(following)
    return None


def _next_characters(machines: Sequence[Positions], state: Sequence[int], other: str) -> list[str]:
    """The characters that some pattern waits for at its reached positions, and one that none of them names."""
    found = {other: None} if other else {}
    for machine, bits in zip(machines, state, strict=True):
        # Most patterns have a few characters; only those that a reached position takes make a difference.
        for character, taking in machine.taking.items():
            if bits & taking & ~machine.others:
                found[character] = None
    return list(found)


def _spelled(reached: dict[tuple[int, ...], tuple[tuple[int, ...], str] | None], state: tuple[int, ...]) -> str:
    characters: list[str] = []
    step = reached[state]
    while step is not None:
        state, character = step
        characters.append(character)
        step = reached[state]
    return "".join(reversed(characters))
