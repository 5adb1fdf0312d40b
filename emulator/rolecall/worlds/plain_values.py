"""Reading the plain values of a sandbox file, for checks that compare them. A value of the wrong type is skipped.

Another check notes such a value, so that its problem appears together with all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rolecall.worlds.located import Path

Found = Iterator[tuple[Path, str]]
Values = Mapping[str, Any]
WITHOUT_CASE = " (names compare without case)"


def mappings_in(owner: Any, key: str) -> Iterator[tuple[int, Values]]:
    """The members of a list that are mappings, with their positions."""
    members = owner.get(key) if isinstance(owner, dict) else None
    for index, member in enumerate(members if isinstance(members, list) else ()):
        if isinstance(member, dict):
            yield index, member


def texts_in(owner: Values, key: str) -> list[tuple[int, str]]:
    """The members of a list that are texts, with their positions."""
    members = owner.get(key)
    listed = enumerate(members) if isinstance(members, list) else ()
    return [(index, member) for index, member in listed if isinstance(member, str)]


def text_in(owner: Values, key: str, default: str = "") -> str:
    value = owner.get(key)
    return value if isinstance(value, str) else default


def repeats(named: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The values that occurred before in any case of letters. Empty ones do not count."""
    seen: set[str] = set()
    for index, name in named:
        if name and name.lower() in seen:
            yield index, name
        seen.add(name.lower())


def repeated(path: Path, member: str, entities: Iterable[tuple[int, Values]], ending: str = "") -> Found:
    """The entities with a text that another one before them has, in any case of letters."""
    for index, name in repeats((index, text_in(entity, member)) for index, entity in entities):
        yield (*path, index, member), f"{name!r} is declared twice{ending}"
