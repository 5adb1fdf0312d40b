"""How many calls there were and how long they took. All workers add to the same counts in the decision log's file.

The log forgets old calls, but these counts go on. Only a reset makes a counter fall.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct

from rolecall.storage.log_keepers import LogDriver

# Upper bounds of the buckets; the last bucket has none. A local call takes about a millisecond.
LATENCY_BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
SCHEMA = (
    "CREATE TABLE call_counts (service TEXT NOT NULL, operation TEXT NOT NULL, outcome TEXT NOT NULL, "
    "status INTEGER NOT NULL, calls INTEGER NOT NULL, "
    "PRIMARY KEY (service, operation, outcome, status)) WITHOUT ROWID",
    "CREATE TABLE call_latencies (service TEXT NOT NULL, bucket INTEGER NOT NULL, calls INTEGER NOT NULL, "
    "seconds REAL NOT NULL, PRIMARY KEY (service, bucket)) WITHOUT ROWID",
)
TABLES = ("call_counts", "call_latencies")
_ADD_CALLS = (
    "INSERT INTO call_counts VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (service, operation, outcome, status) DO UPDATE SET calls = call_counts.calls + excluded.calls"
)
_ADD_LATENCIES = (
    "INSERT INTO call_latencies VALUES (?, ?, ?, ?) ON CONFLICT (service, bucket) "
    "DO UPDATE SET calls = call_latencies.calls + excluded.calls, seconds = call_latencies.seconds + excluded.seconds"
)


# The fields of a log entry that are counted: service, operation, outcome, status, latency in seconds.
CountedCall = tuple[str, str, str, int, float]


class CallCount(NamedTuple):
    """Calls of one kind."""

    service: str
    operation: str
    outcome: str
    status: int
    calls: int


class Latency(NamedTuple):
    """A service's calls that took at most this bucket's bound, and longer than the previous bucket's bound."""

    service: str
    bucket: int
    calls: int
    seconds: float


class CallCounts(Struct, frozen=True):
    """All counts, sorted. ``dropped`` counts the calls that the log had no room for."""

    calls: tuple[CallCount, ...]
    latencies: tuple[Latency, ...]
    dropped: dict[str, int]


class Tally:
    """Counts of some calls, before they are added to the log's."""

    __slots__ = ("calls", "latencies")

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str, str, int]] = Counter()
        # By service and bucket: how many, and the sum of their seconds.
        self.latencies: dict[tuple[str, int], tuple[int, float]] = {}

    def count(self, call: CountedCall) -> None:
        service, _, _, _, latency_seconds = call
        self.calls[call[:4]] += 1
        key = (service, bisect_left(LATENCY_BOUNDS_SECONDS, latency_seconds))
        calls, seconds = self.latencies.get(key, (0, 0.0))
        self.latencies[key] = (calls + 1, seconds + latency_seconds)

    def add(self, other: Tally) -> None:
        self.calls.update(other.calls)
        for key, (more, more_seconds) in other.latencies.items():
            calls, seconds = self.latencies.get(key, (0, 0.0))
            self.latencies[key] = (calls + more, seconds + more_seconds)


class PackedCalls(NamedTuple):
    """Several calls on their way to the log: what is counted, and their rows as one ``text`` of the log's keeper."""

    calls: int
    first_at_seconds: float
    last_at_seconds: float
    tally: Tally
    text: str


def tally_of(calls: Iterable[CountedCall]) -> Tally:
    tally = Tally()
    for call in calls:
        tally.count(call)
    return tally


def add_counts(driver: LogDriver, tally: Tally) -> None:
    """Count calls, in the caller's transaction."""
    driver.executemany(_ADD_CALLS, [(*key, count) for key, count in tally.calls.items()])
    driver.executemany(_ADD_LATENCIES, [(*key, *found) for key, found in tally.latencies.items()])


def read_counts(driver: LogDriver, dropped: dict[str, int]) -> CallCounts:
    calls = driver.execute("SELECT * FROM call_counts ORDER BY service, operation, outcome, status")
    latencies = driver.execute("SELECT * FROM call_latencies ORDER BY service, bucket")
    return CallCounts(tuple(map(CallCount._make, calls)), tuple(map(Latency._make, latencies)), dropped)
