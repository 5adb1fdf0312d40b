"""One bounded cache for everything that is cached between calls, and parts of answers that stay the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
# Texts of clients may have a megabyte, and a cache that keeps a thousand of those would take a gigabyte.
KEPT_CHARACTERS = 2048
# For policies. The longest one that AWS stores has half of this, unless it is mostly white space.
KEPT_POLICY_CHARACTERS = 20_480


class BoundedCache(Generic[Key, Value]):
    """A dictionary of at most ``limit`` entries that forgets the oldest one when it is full.

    First in, first out. A hit costs one dictionary look-up and no write, unlike in least-recently-used order. Threads
    need no lock, because every step is one dictionary operation.

    A key whose texts have more than ``characters`` together is not kept: the number of entries alone bounds no memory.
    """

    __slots__ = ("_characters", "_entries", "_limit")

    def __init__(self, limit: int, characters: int = KEPT_CHARACTERS) -> None:
        self._entries: dict[Key, Value] = {}
        self._limit = limit
        self._characters = characters

    def get(self, key: Key) -> Value | None:
        return self._entries.get(key)

    def put(self, key: Key, value: Value) -> None:
        if _characters_of(key) > self._characters:
            return
        entries = self._entries
        while len(entries) >= self._limit and key not in entries:
            try:
                entries.pop(next(iter(entries)), None)
            except (StopIteration, RuntimeError):  # another thread emptied or changed it meanwhile
                break
        entries[key] = value

    def clear(self) -> None:
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _characters_of(key: object) -> int:
    if isinstance(key, str | bytes):
        return len(key)
    return sum(map(_characters_of, key)) if isinstance(key, tuple) else 0


def remembered(limit: int) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """As ``lru_cache``, for a function of texts from clients. What it makes of a long text is not kept."""

    def decorate(function: Callable[..., Value]) -> Callable[..., Value]:
        known = lru_cache(maxsize=limit)(function)

        @wraps(function)
        def found(*texts: str | bytes) -> Value:
            for text in texts:
                if len(text) > KEPT_CHARACTERS:
                    return function(*texts)
            return known(*texts)

        found.cache_clear = known.cache_clear  # type: ignore[attr-defined]
        return found

    return decorate


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
