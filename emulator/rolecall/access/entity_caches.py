"""Caches of rights that many generations share, so that a write costs the same however much is remembered.

Generations follow each other in a *line* as long as each change is known to be about single users, roles or access
keys. Each value says of which generation it was read, and on which of these it depends. In a later generation of the
line it holds unless one of them has changed in between. A change is noted, and no value is looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

from rolecall.caches import KEPT_CHARACTERS, BoundedCache

Key = TypeVar("Key")
Value = TypeVar("Value")
_CHANGED_LIMIT = 4096


class EntityChanges:
    """The last generation of a line in which each user, role or access key has changed.

    A generation may be used only when its changes are noted, and one thread at a time notes changes, generation after
    generation.
    """

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    @property
    def is_full(self) -> bool:
        """Whether it has grown so long that the line should end."""
        return len(self._last) >= _CHANGED_LIMIT

    def note(self, generation: int, entities: Collection[str]) -> None:
        """These have changed in this generation, which is the newest one."""
        last = self._last
        for entity in entities:
            last[entity] = generation

    def none_since(self, generation: int, entities: Collection[str]) -> bool:
        """Whether none of these has changed after this generation."""
        last = self._last
        for entity in entities:  # noqa: SIM110  a generator costs more than the rest
            if last.get(entity, generation) > generation:
                return False
        return True


class EntityCache(Generic[Key, Value]):
    """A bounded cache of one line. Threads need no lock, and each may read another generation of the line."""

    __slots__ = ("_changes", "_kept")

    def __init__(self, changes: EntityChanges, limit: int, characters: int = KEPT_CHARACTERS) -> None:
        self._changes = changes
        self._kept: BoundedCache[Key, tuple[Value, int, tuple[str, ...]]] = BoundedCache(limit, characters)

    def get(self, key: Key, generation: int) -> Value | None:
        """The value as this generation has it; None when it is not known."""
        found = self._kept.get(key)
        if found is None:
            return None
        value, read_at, entities = found
        if read_at == generation or (read_at < generation and self._changes.none_since(read_at, entities)):
            return value
        return None

    def put(self, key: Key, value: Value, generation: int, entities: tuple[str, ...]) -> None:
        """Keep what a snapshot of this generation has. It depends on these entities and on what ends the line."""
        self._kept.put(key, (value, generation, entities))

    def __len__(self) -> int:
        return len(self._kept)
