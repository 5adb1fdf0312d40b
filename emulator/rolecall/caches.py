"""One bounded cache for everything that is cached between calls, and parts of answers that stay the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """A dictionary of at most ``limit`` entries that forgets the oldest one when it is full.

    First in, first out. A hit costs one dictionary look-up and no write, unlike in least-recently-used order. Threads
    need no lock, because every step is one dictionary operation.
    """

    __slots__ = ("_entries", "_limit")

    def __init__(self, limit: int) -> None:
        self._entries: dict[Key, Value] = {}
        self._limit = limit

    def get(self, key: Key) -> Value | None:
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        entries = self._entries
        while len(entries) >= self._limit and key not in entries:
            try:
                entries.pop(next(iter(entries)), None)
            except (StopIteration, RuntimeError):  # another thread emptied or changed it meanwhile
                break
        entries[key] = value

    def without(self, goes: Callable[[Key, Value], bool]) -> BoundedCache[Key, Value]:
        """Another cache with the same entries, except those that go."""
        kept: BoundedCache[Key, Value] = BoundedCache(self._limit)
        # Listed in one step, because another thread may add an entry meanwhile.
        kept._entries = {key: value for key, value in list(self._entries.items()) if not goes(key, value)}
        return kept

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


class _KeptText:
    """A part of an answer that never changes, so that its text is made once. Each encoder has a text of its own."""

    __slots__ = ()
    _texts: dict[Callable[[Any], str], str]

    def text_by(self, encode: Callable[[Any], str]) -> str:
        """The text that ``encode`` makes of it."""
        text = self._texts.get(encode)
        if text is None:
            text = self._texts[encode] = encode(self)
        return text


class KeptList(_KeptText, list[Any]):
    """A list in an answer."""

    __slots__ = ("_texts",)

    def __init__(self, items: Sequence[Any]) -> None:
        super().__init__(items)
        self._texts = {}


class KeptMapping(_KeptText, dict[str, Any]):
    """A mapping in a list of an answer."""

    __slots__ = ("_texts",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        super().__init__(members)
        self._texts = {}
