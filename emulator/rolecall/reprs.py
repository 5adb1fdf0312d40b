"""The text of a value in a traceback or a log: its fields, without the secret and the long ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["repr_without"]


def repr_without(*hidden: str) -> Callable[[Any], str]:
    """A ``__repr__`` for a Struct that leaves out these fields."""

    def repr_of(value: Any) -> str:
        shown = (f"{name}={getattr(value, name)!r}" for name in value.__struct_fields__ if name not in hidden)
        return f"{type(value).__qualname__}({', '.join(shown)})"

    return repr_of
