"""``GET /_rolecall/metrics``, read by Prometheus's own parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from logged_worlds import keep_log
from prometheus_client.parser import text_string_to_metric_families

from rolecall.call_log.metrics import metrics_text
from rolecall.storage.call_counts import CallCount, CallCounts
from rolecall.storage.decision_log import DecisionStore, LoggedCall
from rolecall.version import __version__

KEPT_CALLS = 50_000

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def read(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(world: Any) -> Samples:
    answer = world.application.test_client().get("/_rolecall/metrics")
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return read(answer.text)


def calls(samples: Samples, **labels: str) -> float:
    return samples[("rolecall_calls_total", frozenset(labels.items()))]


def buckets(samples: Samples, service: str) -> list[float]:
    return [
        value
        for (name, labels), value in samples.items()
        if name.endswith("_bucket") and ("service", service) in labels
    ]


@pytest.fixture
def logged(world: Any) -> Any:
    keep_log(world)
    return world


def test_calls_are_counted_by_what_became_of_them(logged: Any) -> None:
    sts = logged.client("sts")
    for _ in range(3):
        sts.get_caller_identity()
    with pytest.raises(ClientError):
        logged.client("chime", "developer").list_accounts()
    with pytest.raises(ClientError):
        logged.client("sts", keys=("AKIAQWERTYUIOPASDFGH", "wrong")).get_caller_identity()
    samples = scraped(logged)
    assert calls(samples, service="sts", operation="GetCallerIdentity", outcome="Allowed", status="200") == 3
    assert calls(samples, service="chime", operation="ListAccounts", outcome="ImplicitDeny", status="403") == 1
    assert (
        calls(samples, service="sts", operation="GetCallerIdentity", outcome="InvalidClientTokenId", status="403") == 1
    )
    assert samples["rolecall_info", frozenset({("version", __version__)})] == 1
    assert samples["rolecall_calls_dropped_total", frozenset({("kind", "allowed")})] == 0


def test_how_long_they_took(logged: Any) -> None:
    for _ in range(4):
        logged.client("sts").get_caller_identity()
    samples = scraped(logged)
    service = frozenset({("service", "sts")})
    assert samples["rolecall_call_duration_seconds_count", service] == 4
    assert samples["rolecall_call_duration_seconds_sum", service] > 0
    counted = buckets(samples, "sts")
    assert counted == sorted(counted)
    assert counted[-1] == 4


def test_counts_grow_until_a_reset(logged: Any) -> None:
    labels = {"service": "sts", "operation": "GetCallerIdentity", "outcome": "Allowed", "status": "200"}
    logged.client("sts").get_caller_identity()
    assert calls(scraped(logged), **labels) == 1
    logged.client("sts").get_caller_identity()
    assert calls(scraped(logged), **labels) == 2
    logged.application.test_client().post("/_rolecall/reset")
    assert ("rolecall_calls_total", frozenset(labels.items())) not in scraped(logged)


def test_an_action_that_does_not_exist_makes_no_series_of_its_own(logged: Any) -> None:
    browser = logged.application.test_client()
    for number in range(3):
        browser.post("/", data={"Action": f"Made-up-{number}", "Version": "2011-06-15"})
    names = {dict(labels).get("operation") for name, labels in scraped(logged) if name == "rolecall_calls_total"}
    assert names == {""}


def test_workers_count_together_and_what_the_log_forgot_still_counts(tmp_path: Path) -> None:
    path = str(tmp_path / "log.db")
    first, second = DecisionStore(path), DecisionStore(path)
    entry = LoggedCall(*("" for _ in LoggedCall._fields))._replace(
        received_at_seconds=1.0, at_seconds=1.0, service="sts", outcome="Allowed", status=200, latency_seconds=0.001
    )
    many = [entry] * 3000
    for _ in range(KEPT_CALLS // len(many) + 2):
        first.write(many, {}, {}, 1.0)
    second.write([entry], {}, {"allowed": 7}, 1.0)
    counts = first.counts()
    assert counts.calls == (CallCount("sts", "", "Allowed", 200, 3000 * (KEPT_CALLS // 3000 + 2) + 1),)
    assert [(each.service, each.calls) for each in counts.latencies] == [("sts", counts.calls[0].calls)]
    assert counts.dropped == {"allowed": 7, "refused": 0}
    first.close()
    second.close()


def test_labels_are_escaped() -> None:
    odd = 'a"b\\c\nd'
    counted = CallCounts((CallCount("sts", odd, "x", 400, 2),), (), {})
    text = metrics_text(counted, database_read_seconds=0.5, log_lag_seconds=0.0)
    assert calls(read(text), service="sts", operation=odd, outcome="x", status="400") == 2


def test_the_database_and_the_lag_of_the_log_are_measured(logged: Any) -> None:
    empty = frozenset[tuple[str, str]]()
    samples = scraped(logged)
    assert samples["rolecall_log_lag_seconds", empty] == 0
    assert 0 < samples["rolecall_database_read_seconds", empty] < 300
    logged.client("sts").get_caller_identity()
    decisions = logged.application.sandbox.decisions
    received = logged.outcomes[-1].received_at_seconds
    assert decisions.lag_seconds() == pytest.approx(decisions._clock.wall_seconds() - received, abs=300)
    assert scraped(logged)["rolecall_log_lag_seconds", empty] > 0
    # What waited was written for the answer.
    assert decisions.lag_seconds() == 0


def test_without_a_log_and_with_one_that_cannot_be_read(world: Any, tmp_path: Path) -> None:
    assert world.application.test_client().get("/_rolecall/metrics").status_code == 404
    (tmp_path / "log-decisions.db").mkdir()
    keep_log(world, f"sqlite:///{tmp_path / 'log.db'}")
    answer = world.application.test_client().get("/_rolecall/metrics")
    assert (answer.status_code, answer.json["message"]) == (503, "The decision log cannot be read.")
