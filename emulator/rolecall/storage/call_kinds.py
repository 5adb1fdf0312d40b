"""The kinds of calls in the log: calls that policies cannot tell apart, counted.

A principal may have made every call of the log, and reading so many rows takes long. Rows never change, so the counts
of a part of the log hold for good, and only the newest and the oldest part are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

from rolecall.caches import BoundedCache

# Positions of the log. A part begins behind a multiple of this.
PART_CALLS = 4096
_PARTS_REMEMBERED = 512
# Calls that are all different are not counted any faster this way, and would fill the memory.
_KINDS_REMEMBERED = 64

# Whatever else decides about the rows, beside their positions.
Question = tuple[object, ...]
Rows = Iterable[tuple[str, str, str, str, int]]


class CallKind(NamedTuple):
    """Calls that policies cannot tell apart: how many there are, and the place of the newest one in the log.

    ``outcome`` and ``decisions`` are as in :class:`LoggedCall`. The place is 0 for calls that are in no log.
    """

    service: str
    operation: str
    outcome: str
    decisions: str
    calls: int
    newest_position: int


class _Call(Protocol):
    @property
    def service(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def decisions(self) -> str: ...


def kinds_of(calls: Iterable[_Call]) -> list[CallKind]:
    """The kinds of some calls, in the order in which each comes first."""
    return counted((call.service, call.operation, call.outcome, call.decisions, 0) for call in calls)


def counted(rows: Rows) -> list[CallKind]:
    """``rows`` are the members of kinds with a position each, the newest call first."""
    found: dict[tuple[str, str, str, str], list[int]] = {}
    for *kind, position in rows:
        known = found.setdefault(tuple(kind), [0, position])  # type: ignore[arg-type]
        known[0] += 1
    return [CallKind(*kind, count, position) for kind, (count, position) in found.items()]


class KnownKinds:
    """The kinds of whole parts of one log, by question. Safe to share between threads."""

    def __init__(self) -> None:
        self._parts: BoundedCache[tuple[Question, int], list[CallKind]] = BoundedCache(_PARTS_REMEMBERED)

    def between(
        self, question: Question, behind: int, last: int, read: Callable[[int, int], list[CallKind]]
    ) -> list[CallKind]:
        """The kinds of the calls with positions above ``behind`` and up to ``last``, the newest first.

        ``read`` reads those between two positions. ``question`` says what else it depends on.
        """
        return _merged(kind for part in self._each(question, behind, last, read) for kind in part)

    def _each(
        self, question: Question, behind: int, last: int, read: Callable[[int, int], list[CallKind]]
    ) -> Iterator[list[CallKind]]:
        end = last
        while end > behind:
            begin = (end - 1) // PART_CALLS * PART_CALLS
            if begin < behind or end - begin < PART_CALLS:
                yield read(max(begin, behind), end)
            else:
                part = self._parts.get((question, begin))
                if part is None:
                    part = read(begin, end)
                    if len(part) <= _KINDS_REMEMBERED:
                        self._parts.put((question, begin), part)
                yield part
            end = begin


def _merged(kinds: Iterable[CallKind]) -> list[CallKind]:
    found: dict[tuple[str, str, str, str], CallKind] = {}
    for kind in kinds:
        newer = found.get(kind[:4])
        found[kind[:4]] = kind if newer is None else newer._replace(calls=newer.calls + kind.calls)
    return list(found.values())
