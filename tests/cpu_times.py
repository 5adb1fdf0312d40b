"""How much processor time a run took, and which files of tests took the most, so that growth shows.

Processor time hardly depends on what else the machine does. It has the time of the processes that a test started and
that ended within it. Nothing fails because of it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator
from typing import Any

import forked_servers
import pytest

# A run of a few files says nothing about growth.
_SHOWN_FROM_SECONDS = 60
_SHOWN_FILES = 10
_WORKER_OUTPUT = "cpu_times"


class CpuTimes:
    """A plugin of pytest. Workers of pytest-xdist hand their times to the main process."""

    def __init__(self) -> None:
        self._tests: Counter[str] = Counter()
        self._seconds: Counter[str] = Counter()
        self._other_seconds = 0.0
        # In tests of this process.
        self._own_seconds = 0.0

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        begun = _spent_seconds()
        result = yield
        file = item.nodeid.partition("::")[0]
        self._tests[file] += 1
        spent = _spent_seconds() - begun
        self._seconds[file] += spent
        self._own_seconds += spent
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._other_seconds += _spent_seconds() - self._own_seconds
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_WORKER_OUTPUT] = [dict(self._tests), dict(self._seconds), self._other_seconds]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        tests, seconds, other_seconds = getattr(node, "workeroutput", {}).get(_WORKER_OUTPUT, ({}, {}, 0.0))
        self._tests.update(tests)
        self._seconds.update(seconds)
        self._other_seconds += other_seconds

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        in_tests, count = sum(self._seconds.values()), self._tests.total()
        if in_tests + self._other_seconds < _SHOWN_FROM_SECONDS or not count:
            return
        terminalreporter.section("processor time")
        terminalreporter.write_line(
            f"{in_tests + self._other_seconds:.0f} s: {in_tests:.0f} s in {count} tests, {in_tests / count * 1000:.1f} "
            f"ms each; {self._other_seconds:.0f} s to start, to collect and to report. The files that took the most:"
        )
        for file, seconds in self._seconds.most_common(_SHOWN_FILES):
            terminalreporter.write_line(f"{seconds:6.1f} s in {self._tests[file]:4} tests of {file}")


def _spent_seconds() -> float:
    times = os.times()
    own = times.user + times.system + times.children_user + times.children_system
    return own + forked_servers.spent_seconds()
