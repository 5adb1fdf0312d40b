"""Keys of issuers outside: remembered, and asked for again when they are old or a token names one that is not there.

A call that needs keys which are not here gets :class:`KeysWantedError`. Whoever catches it lets go of everything that
others may wait for, the database's snapshot above all, calls :meth:`KeysWantedError.fetch`, and begins anew.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rolecall.caches import BoundedCache
from rolecall.clock import monotonic_seconds
from rolecall.sessions.web_identity import BadKeySetError, KeySet, read_key_set

# How long keys are used without asking, and how soon after an attempt the next one may be made.
KEYS_SECONDS = 3600
RETRY_SECONDS = 5
# An issuer is not asked about unknown keys and wrong signatures more often: anybody can send those.
UNKNOWN_KEY_SECONDS = 30
# For both documents together, however slowly the issuer lets them drip.
TOTAL_SECONDS = 8
_ISSUERS_LIMIT = 256

Fetch = Callable[[str], str]


class UnreachableIssuerError(Exception):
    """The issuer did not answer, or said that it cannot now. Says how, for people."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of one issuer's keys: the last good set, and what went wrong since."""

    key_set: KeySet | None
    failure: Exception | None
    fetched_at_seconds: float
    tried_at_seconds: float


class KeysWantedError(Exception):
    """The keys of an issuer have to be fetched before this call can be judged."""

    def __init__(self, keys: IssuerKeys, url: str) -> None:
        super().__init__(url)
        self.url = url
        self._keys = keys
        self._at_seconds = monotonic_seconds()

    def fetch(self) -> None:
        """Fetch them, or find out that it cannot be done; either is remembered. Never raises."""
        self._keys.fetch(self.url, self._at_seconds)


class IssuerKeys:
    """The keys of all issuers that a process has met. Safe to share between threads."""

    def __init__(self, fetch: Fetch | None = None) -> None:
        self._fetch = fetch or fetch_over_network
        self._known: BoundedCache[str, _Known] = BoundedCache(_ISSUERS_LIMIT)
        # One for each issuer that is being asked: none waits for another one's answer.
        self._turns: dict[str, _Turn] = {}
        self._choosing = threading.Lock()
        self._worked_out: tuple[int, BoundedCache[str, Any]] = (-1, BoundedCache(_ISSUERS_LIMIT))

    def of_generation(self, generation: int) -> BoundedCache[str, Any]:
        """What was worked out from this generation of the database; begun anew when the database has moved."""
        held = self._worked_out
        if held[0] != generation:
            held = self._worked_out = (generation, BoundedCache(_ISSUERS_LIMIT))
        return held[1]

    def key_set(self, url: str, key_id: str) -> KeySet:
        """The issuer's keys; they may lack ``key_id`` when it was asked for it a moment ago.

        Raises KeysWantedError, and UnreachableIssuerError or BadKeySetError for as long as an attempt that failed is
        remembered.
        """
        known = self._known.get(url)
        now = monotonic_seconds()
        if known is None:
            raise KeysWantedError(self, url)
        if known.key_set is None or now - known.fetched_at_seconds > KEYS_SECONDS:
            if known.failure is None or now - known.tried_at_seconds > RETRY_SECONDS:
                raise KeysWantedError(self, url)
            raise known.failure
        if key_id not in known.key_set and now - known.tried_at_seconds > UNKNOWN_KEY_SECONDS:
            raise KeysWantedError(self, url)
        return known.key_set

    def doubt(self, url: str) -> None:
        """For a signature that the issuer's keys did not verify: it may have other keys under the same ids by now.

        Raises KeysWantedError, unless the issuer was asked a moment ago.
        """
        known = self._known.get(url)
        if known is not None and monotonic_seconds() - known.tried_at_seconds > UNKNOWN_KEY_SECONDS:
            raise KeysWantedError(self, url)

    def fetch(self, url: str, asked_at_seconds: float) -> None:
        """Fetch the keys, unless another thread did so since ``asked_at_seconds``."""
        with self._turn(url):
            known = self._known.get(url)
            if known is not None and known.tried_at_seconds >= asked_at_seconds:
                return
            try:
                key_set = read_key_set(self._fetch(url))
            except (UnreachableIssuerError, BadKeySetError) as error:
                now = monotonic_seconds()
                # A set that is not old yet stays: nobody who names a key that does not exist may take it away.
                old = None if known is None else known.key_set
                fetched_at = now if known is None else known.fetched_at_seconds
                self._known.put(url, _Known(old, error, fetched_at, now))
            else:
                now = monotonic_seconds()
                self._known.put(url, _Known(key_set, None, now, now))

    @contextmanager
    def _turn(self, url: str) -> Iterator[None]:
        """The turn to ask this issuer: one thread at a time."""
        with self._choosing:
            turn = self._turns.setdefault(url, _Turn(threading.Lock()))
            turn.waiting += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._choosing:
                turn.waiting -= 1
                if not turn.waiting:
                    del self._turns[url]


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock
    waiting: int = 0


# The threads that were given up because an issuer did not come to an end, by its URL.
_given_up: dict[str, threading.Thread] = {}


def fetch_over_network(url: str) -> str:
    """The text of the issuer's key set, in a bounded time. Raises UnreachableIssuerError, BadKeySetError."""
    results: list[str | Exception] = []
    if url in _given_up and _given_up[url].is_alive():
        # An issuer that lets its answer drip for days gets one thread, not one for every attempt.
        raise UnreachableIssuerError("the issuer has not come to an end with its last answer yet")
    _given_up.pop(url, None)

    def run() -> None:
        try:
            # Loaded now: the HTTP client takes longer to load than everything else of this room together.
            discovery = importlib.import_module("rolecall.sessions.discovery")
            results.append(discovery.key_set_text(url))
        except (BadKeySetError, UnreachableIssuerError) as error:
            results.append(error)
        except Exception as error:
            results.append(UnreachableIssuerError(f"{type(error).__name__}: {error}"))

    # A thread, because nothing else bounds the whole: time-outs of a connection are those of single reads.
    thread = threading.Thread(target=run, name="rolecall-issuer-keys", daemon=True)
    thread.start()
    thread.join(TOTAL_SECONDS)
    if not results:
        _given_up[url] = thread
        raise UnreachableIssuerError(f"the issuer did not answer within {TOTAL_SECONDS} seconds")
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]
