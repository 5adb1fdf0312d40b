"""Sets of actions as bits of a number, so that the whole table is split by the statements of a policy at once.

All actions that the same statements match get the same decision. So a principal with ten statements needs a few dozen
decisions for the twenty thousand actions of AWS, and not one for each.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from rolecall.data import Action, actions, resource_types, service_prefixes
from rolecall.policy import CompiledPolicies, Statement
from rolecall.policy.patterns import glob, wildcards
from rolecall.service_records import requested_region

ONE_ACTION_MESSAGE = "name one action, without * and ?"
_WILD = ("*", "?")
_TABLES_KEPT = 2
_PATTERNS_KEPT = 16_384


def is_wild(text: str) -> bool:
    """Whether a text has a wildcard."""
    return any(mark in text for mark in _WILD)


def action_problem(pattern: str) -> str:
    """Why an action or a pattern of actions can be in no expectation; empty when it can."""
    prefix, colon, name = pattern.partition(":")
    if pattern == "*":
        return ""
    if not colon or not prefix or not name:
        return f"{pattern!r} is not an action: write it as chime:ListUsers or chime:List*"
    if is_wild(prefix):
        return "" if any(_services(prefix)) else f"no service has a prefix like {prefix!r}"
    if prefix.lower() not in service_prefixes():
        return f"no service has the prefix {prefix!r}{_near(prefix, service_prefixes(), '')}"
    known = actions(prefix.lower())
    if is_wild(name):
        matches = glob(wildcards(name.lower()))
        return "" if any(map(matches, known)) else f"{prefix} has no action like {name!r}"
    if name.lower() in known:
        return ""
    near = difflib.get_close_matches(name.lower(), known, 1)
    return f"{prefix} has no action {name!r}" + (f", did you mean {prefix}:{known[near[0]].name}?" if near else "")


def one_action_problem(action: str) -> str:
    """Why a text names no single action; empty when it does."""
    return action_problem(action) or (ONE_ACTION_MESSAGE if is_wild(action) else "")


def _near(name: str, known: Iterable[str], before: str) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), 1)
    return f", did you mean {before}{near[0]}?" if near else ""


def _services(prefix_pattern: str) -> Iterator[str]:
    matches = glob(wildcards(prefix_pattern.lower()))
    return (prefix for prefix in sorted(service_prefixes()) if matches(prefix))


def table_for(patterns: Iterable[str]) -> ActionTable:
    """The table of the services that some patterns name. Tables are kept, because reading all takes a second."""
    prefixes = {prefix for pattern in patterns for prefix in _services(pattern.partition(":")[0])}
    return _table(tuple(sorted(prefixes)))


@lru_cache(maxsize=_TABLES_KEPT)
def _table(prefixes: tuple[str, ...]) -> ActionTable:
    return ActionTable(prefixes)


class ActionTable:
    """The actions of some services, service by service, and sets of them as bits."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self.rows: list[Action] = []
        self.names: list[str] = []
        self._lowered: list[str] = []
        self._places: dict[str, range] = {}
        for prefix in prefixes:
            before = len(self.rows)
            self.rows += actions(prefix).values()
            self._places[prefix] = range(before, len(self.rows))
        for row in self.rows:
            self.names.append(f"{row.service_prefix}:{row.name}")
            self._lowered.append(self.names[-1].lower())
        self.everything = (1 << len(self.rows)) - 1
        self._of_patterns: dict[str, int] = {}
        self._of_statements: dict[tuple[tuple[str, ...], bool], int] = {}
        # Calls of some services go to one Region, wherever they come from.
        self._regions = self._classes([requested_region(row.service_prefix, "") for row in self.rows])
        self._typed = self._classes([(row.service_prefix, *row.resource_types) for row in self.rows])
        self._type_of = {place: number for number, part in enumerate(self._typed) for place in self.members(part)}

    def matching(self, pattern: str) -> int:
        """The set of the actions that a pattern matches."""
        known = self._of_patterns.get(pattern)
        if known is None:
            known = self._match(pattern.lower())
            if len(self._of_patterns) >= _PATTERNS_KEPT:
                self._of_patterns.clear()
            self._of_patterns[pattern] = known
        return known

    def _match(self, pattern: str) -> int:
        if pattern == "*":
            return self.everything
        prefix = pattern.partition(":")[0]
        # A wildcard in front of the colon may stand for the colon as well, as in "*Get*".
        places: Iterable[int] = range(len(self.rows)) if is_wild(prefix) else self._places.get(prefix, ())
        test = glob(wildcards(pattern))
        return _set_of(place for place in places if test(self._lowered[place]))

    def _of_statement(self, statement: Statement) -> int:
        key = (statement.actions, statement.actions_negated)
        known = self._of_statements.get(key)
        if known is None:
            known = 0
            for pattern in statement.actions:
                known |= self.matching(pattern)
            known = self.everything & ~known if statement.actions_negated else known
            if len(self._of_statements) >= _PATTERNS_KEPT:
                self._of_statements.clear()
            self._of_statements[key] = known
        return known

    def is_about(self, statement: Statement, place: int) -> bool:
        """Whether a statement is about the action at a place."""
        return bool(self._of_statement(statement) >> place & 1)

    @staticmethod
    def first(chosen: int) -> int:
        """The place of a set's first action in :attr:`rows`."""
        return (chosen & -chosen).bit_length() - 1

    @staticmethod
    def members(chosen: int) -> Iterator[int]:
        """The places of a set's actions in :attr:`rows`, in order."""
        digits = f"{chosen:b}"[::-1]
        place = digits.find("1")
        while place >= 0:
            yield place
            place = digits.find("1", place + 1)

    def alike(self, chosen: int, layers: Sequence[CompiledPolicies]) -> list[int]:
        """The set split into sets whose actions are matched by the same statements and go to the same Region."""
        parts = _split([chosen] if chosen else [], self._regions)
        for layer in layers:
            for compiled in layer.statements:
                parts = _split(parts, [self._of_statement(compiled.statement)])
        return parts

    def by_resource_types(self, chosen: int) -> list[int]:
        """The set split by the resource types of the actions."""
        parts: dict[int, None] = {}
        for place in self.members(chosen):
            parts[self._typed[self._type_of[place]]] = None
        return [part & chosen for part in parts]

    def _classes(self, keys: Sequence[object]) -> list[int]:
        found: dict[object, list[int]] = {}
        for place, key in enumerate(keys):
            found.setdefault(key, []).append(place)
        return [_set_of(places) for places in found.values()]


def _split(parts: list[int], masks: Iterable[int]) -> list[int]:
    for mask in masks:
        parts = [piece for part in parts for piece in (part & mask, part & ~mask) if piece]
    return parts


def _set_of(places: Iterable[int]) -> int:
    digits = bytearray()
    for place in places:
        byte, bit = divmod(place, 8)
        if byte >= len(digits):
            digits.extend(bytes(byte + 1 - len(digits)))
        digits[byte] |= 1 << bit
    return int.from_bytes(digits, "little")


def templates_of(action: Action) -> tuple[str, ...]:
    """The ARN templates of the resources that an action can be about; none for an action without resource types."""
    if not action.resource_types:
        return ()
    known = resource_types(action.service_prefix)
    return tuple(known[name].arn for name in action.resource_types if name in known)
