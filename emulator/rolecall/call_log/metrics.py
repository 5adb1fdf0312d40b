"""The counts in the text format that Prometheus reads (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import attrgetter

from rolecall.storage.call_counts import LATENCY_BOUNDS_SECONDS, CallCounts, Latency
from rolecall.version import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def metrics_text(counts: CallCounts, *, database_read_seconds: float, log_lag_seconds: float) -> str:
    """One line for each sample. Each metric has its help and type."""
    state = {
        "rolecall_database_read_seconds": ("How long one read of the database took just now.", database_read_seconds),
        "rolecall_log_lag_seconds": ("The age of the oldest call that is not in the log yet.", log_lag_seconds),
    }
    return "".join(f"{line}\n" for line in _lines(counts, state))


def _lines(counts: CallCounts, state: Mapping[str, tuple[str, float]]) -> Iterator[str]:
    yield from _head("rolecall_info", "gauge", "The version of the running server.")
    yield _sample("rolecall_info", {"version": __version__}, 1)
    for name, (words, value) in state.items():
        yield from _head(name, "gauge", words)
        yield f"{name} {value}"
    yield from _head("rolecall_calls_total", "counter", "AWS calls by outcome.")
    for call in counts.calls:
        labels = {
            "service": call.service,
            "operation": call.operation,
            "outcome": call.outcome,
            "status": str(call.status),
        }
        yield _sample("rolecall_calls_total", labels, call.calls)
    yield from _head("rolecall_call_duration_seconds", "histogram", "How long AWS calls took in the server.")
    for service, latencies in groupby(counts.latencies, attrgetter("service")):
        yield from _histogram("rolecall_call_duration_seconds", {"service": service}, latencies)
    yield from _head("rolecall_calls_dropped_total", "counter", "Calls that came too fast to be logged or counted.")
    for kind, dropped in counts.dropped.items():
        yield _sample("rolecall_calls_dropped_total", {"kind": kind}, dropped)


def _histogram(name: str, labels: Mapping[str, str], latencies: Iterator[Latency]) -> Iterator[str]:
    """A bucket counts the calls up to its bound, so it includes all earlier buckets."""
    by_bucket = {latency.bucket: latency for latency in latencies}
    calls, seconds = 0, 0.0
    for bucket, bound in enumerate([*map(str, LATENCY_BOUNDS_SECONDS), "+Inf"]):
        found = by_bucket.get(bucket)
        if found is not None:
            calls, seconds = calls + found.calls, seconds + found.seconds
        yield _sample(f"{name}_bucket", {**labels, "le": bound}, calls)
    yield _sample(f"{name}_sum", labels, seconds)
    yield _sample(f"{name}_count", labels, calls)


def _head(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP {name} {words}"
    yield f"# TYPE {name} {kind}"


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{label}="{text.translate(_ESCAPES)}"' for label, text in labels.items())
    return f"{name}{{{shown}}} {value}"
