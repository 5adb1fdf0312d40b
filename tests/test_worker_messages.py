"""The main process of a run in several processes gets every message that this run uses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import worker_messages


class WorkerInteractor:
    """What pytest-xdist registers in a worker, by this name."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def sendevent(self, name: str, **content: Any) -> None:
        self.sent.append((name, content))


def _config(*plugins: object, **options: Any) -> Any:
    usual = {"verbose": 0, "reportchars": "fE", "durations": None, "xmlpath": None}
    manager = SimpleNamespace(get_plugins=lambda: list(plugins))
    return SimpleNamespace(pluginmanager=manager, option=SimpleNamespace(**{**usual, **options}))


def _report(when: str, outcome: str) -> dict[str, Any]:
    return {"data": {"when": when, "outcome": outcome}}


def _sent(**options: Any) -> list[Any]:
    worker = WorkerInteractor()
    worker_messages.send_less(_config(object(), worker, **options))
    worker.sendevent("logstart", nodeid="test")
    for when in ("setup", "call", "teardown"):
        for outcome in ("passed", "failed", "skipped"):
            worker.sendevent("testreport", **_report(when, outcome))
    worker.sendevent("logfinish", nodeid="test")
    worker.sendevent("runtest_protocol_complete", item_index=1, duration=0.1)
    worker.sendevent("workerfinished", workeroutput={})
    return worker.sent


def test_only_what_says_nothing_is_left_out() -> None:
    assert _sent() == [
        ("testreport", _report("setup", "failed")),
        ("testreport", _report("setup", "skipped")),
        ("testreport", _report("call", "passed")),
        ("testreport", _report("call", "failed")),
        ("testreport", _report("call", "skipped")),
        ("testreport", _report("teardown", "failed")),
        ("testreport", _report("teardown", "skipped")),
        ("logfinish", {"nodeid": "test"}),
        ("runtest_protocol_complete", {"item_index": 1, "duration": 0.1}),
        ("workerfinished", {"workeroutput": {}}),
    ]


@pytest.mark.parametrize(
    "options",
    [{"durations": 20}, {"durations": 0}, {"xmlpath": "report.xml"}, {"verbose": 1}, {"reportchars": "A"}],
    ids=str,
)
def test_an_option_that_uses_every_report_gets_every_report(options: dict[str, Any]) -> None:
    assert len(_sent(**options)) == 13


def test_the_main_process_is_left_alone() -> None:
    worker_messages.send_less(_config(object()))
