"""Dataclasses that every call makes: the type checker refuses a change of them, and at run time they cost little.

A frozen dataclass sets each of its fields through ``object.__setattr__``, which takes about 0.2 microseconds. A call
makes a dozen such values with eighty fields in all. Everything else stays frozen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["quick_value"]

if TYPE_CHECKING:
    # The type checker sees the same decorator, and so a frozen class.
    from dataclasses import dataclass as quick_value
else:
    from dataclasses import dataclass

    def quick_value(*, frozen: bool, slots: bool, kw_only: bool = False):
        """As ``dataclass``: equal and hashable by its fields. Written ``@quick_value(frozen=True, slots=True)``."""
        if not (frozen and slots):
            raise ValueError("a quick value is frozen and has slots")
        return dataclass(slots=True, kw_only=kw_only, unsafe_hash=True)
