"""The place of a fault in a malformed policy, and what its author may have meant."""

from __future__ import annotations

import difflib
import re
from typing import Any

from rolecall.policy.grammar import ELEMENTS
from rolecall.policy.operators import OPERATOR_NAMES, QUALIFIERS
from rolecall.worlds.located import Path

_POINTED = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def pointed_at(pointer: str, document: Any) -> Path:
    """The path in a document for a pointer such as ``Statement[1].Action``. A single statement needs no number."""
    path: Path = tuple(int(number) if number else name for name, number in _POINTED.findall(pointer))
    if path[:2] == ("Statement", 0) and isinstance(document, dict) and isinstance(document.get("Statement"), dict):
        return ("Statement", *path[2:])
    return path


def hint(pointer: str) -> str:
    """``, did you mean Resource?`` if the pointer's last name is unknown but like a known one; otherwise empty."""
    name = pointer.rpartition(".")[2].partition("[")[0]
    qualifier, colon, base = name.rpartition(":")
    of_condition = ".Condition." in pointer
    near = _nearest(base, OPERATOR_NAMES if of_condition else ELEMENTS)
    meant = f"{_nearest(qualifier, QUALIFIERS)}:{near}" if colon else near
    return f", did you mean {meant}?" if near and meant != name and (not colon or of_condition) else ""


def _nearest(name: str, known: frozenset[str]) -> str:
    spelled = {each.lower(): each for each in sorted(known)}
    return "".join(spelled[each] for each in difflib.get_close_matches(name.lower(), spelled, n=1))
