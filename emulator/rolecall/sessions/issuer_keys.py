"""Keys of outside issuers. They are remembered, and fetched again when they are old or lack the key of a token.

A call that needs keys which are not here gets :class:`KeysWantedError`. The code that catches it first releases
everything that other calls may wait for, such as the snapshot of the database. Then it calls
:meth:`KeysWantedError.fetch` and starts the call again.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct

from rolecall.caches import BoundedCache
from rolecall.clock import monotonic_seconds
from rolecall.sessions.issuer_errors import TOTAL_SECONDS, UnreachableIssuerError
from rolecall.sessions.web_identity import BadKeySetError, KeySet, read_key_set

# How long fetched keys are used, and how long after a failed attempt the next one may be made.
KEYS_SECONDS = 3600
RETRY_SECONDS = 5
# Unknown keys and wrong signatures lead to a new fetch only this often, because every client can send them.
UNKNOWN_KEY_SECONDS = 30
_ISSUERS_LIMIT = 256

Fetch = Callable[[str], str]


class _Known(Struct, frozen=True):
    """The state of one issuer's keys: the last good set, and the failure since then."""

    key_set: KeySet | None
    failure: Exception | None
    fetched_at_seconds: float
    tried_at_seconds: float


class KeysWantedError(Exception):
    """The keys of an issuer must be fetched before this call can be decided."""

    def __init__(self, keys: IssuerKeys, url: str) -> None:
        super().__init__(url)
        self.url = url
        self._keys = keys
        self._at_seconds = monotonic_seconds()

    def fetch(self) -> None:
        """Fetch the keys. Success and failure are both remembered. Never raises."""
        self._keys.fetch(self.url, self._at_seconds)


class IssuerKeys:
    """The keys of all issuers that this process has used. Safe to share between threads."""

    def __init__(self, fetch: Fetch | None = None) -> None:
        self._fetch = fetch or fetch_over_network
        self._known: BoundedCache[str, _Known] = BoundedCache(_ISSUERS_LIMIT)
        # One for each issuer that is being asked, so that no issuer's callers wait for another issuer.
        self._turns: dict[str, _Turn] = {}
        self._choosing = threading.Lock()
        self._generation_cache: tuple[int, BoundedCache[str, Any]] = (-1, BoundedCache(_ISSUERS_LIMIT))

    def of_generation(self, generation: int) -> BoundedCache[str, Any]:
        """A cache of results from this generation of the database. A new generation starts with an empty cache."""
        held = self._generation_cache
        if held[0] != generation:
            held = self._generation_cache = (generation, BoundedCache(_ISSUERS_LIMIT))
        return held[1]

    def key_set(self, url: str, key_id: str) -> KeySet:
        """The issuer's keys. They may lack ``key_id`` if they were fetched a moment ago.

        Raises KeysWantedError when they must be fetched. Raises UnreachableIssuerError or BadKeySetError while a
        failed attempt is remembered.
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
        """Called when the issuer's keys do not verify a signature: it may have replaced a key and kept the key's id.

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
                # The old set stays. Otherwise a client could remove it by naming a key that does not exist.
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


class _Turn(Struct):
    lock: threading.Lock
    waiting: int = 0


# By issuer URL: threads that still wait for an answer although the time limit is over.
_given_up: dict[str, threading.Thread] = {}


def fetch_over_network(url: str) -> str:
    """The text of the issuer's key set, within TOTAL_SECONDS. Raises UnreachableIssuerError, BadKeySetError."""
    results: list[str | Exception] = []
    if url in _given_up and _given_up[url].is_alive():
        # One thread for each issuer that never ends its answer, not one for each attempt.
        raise UnreachableIssuerError("the issuer is still sending its answer to an earlier request")
    _given_up.pop(url, None)

    def run() -> None:
        try:
            # Loaded on first use: the HTTP client takes longer to load than the rest of this package together.
            discovery = importlib.import_module("rolecall.sessions.discovery")
            results.append(discovery.key_set_text(url))
        except (BadKeySetError, UnreachableIssuerError) as error:
            results.append(error)
        except Exception as error:
            results.append(UnreachableIssuerError(f"{type(error).__name__}: {error}"))

    # A thread bounds the total time. The connection's own time-outs apply only to single reads.
    thread = threading.Thread(target=run, name="rolecall-issuer-keys", daemon=True)
    thread.start()
    thread.join(TOTAL_SECONDS)
    if not results:
        _given_up[url] = thread
        raise UnreachableIssuerError(f"the issuer did not answer within {TOTAL_SECONDS} seconds")
    if isinstance(results[0], Exception):
        raise results[0]
    return results[0]
