"""The states of the United States and their ZIP codes. See states/README.md."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from msgspec import Struct

_FILE = Path(__file__).parent / "states" / "states.tsv"


class UnitedStatesState(Struct, frozen=True):
    """A state by its code of two letters; ``zip_prefixes`` are first and last of ranges of three digits."""

    code: str
    name: str
    zip_prefixes: tuple[tuple[str, str], ...]

    def has_zip_code(self, zip_code: str) -> bool:
        return any(first <= zip_code[:3] <= last for first, last in self.zip_prefixes)


@cache
def states() -> tuple[UnitedStatesState, ...]:
    """All states, in the order of their names."""
    found = []
    for line in _FILE.read_text(encoding="utf-8").splitlines()[1:]:
        code, name, ranges = line.split("\t")
        prefixes = [each.partition("-") for each in ranges.split()]
        found.append(UnitedStatesState(code, name, tuple((first, last) for first, _, last in prefixes)))
    return tuple(found)
