"""What a worker of pytest-xdist tells the main process about each test. Sending takes longer than a small test.

A test sends six messages: that it begins, a report of its set-up, call and teardown, that it has ended, and that the
next one can come. The main process uses the set-up and the teardown of a test that passed only for lists that an option
asks for, and the beginning only for the names that ``-v`` prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

# Options by which the main process uses every report: durations, JUnit's file.
_WITH_ALL_REPORTS = ("durations", "xmlpath")
# "-rP" and "-rA" show what a passed test has printed, also in its teardown.
_WITH_OUTPUT = frozenset("PA")


def send_less(config: pytest.Config) -> None:
    """Leave out the messages that this run does not use. Does nothing in the main process."""
    plugins = config.pluginmanager.get_plugins()
    worker: Any = next((each for each in plugins if type(each).__name__ == "WorkerInteractor"), None)
    if worker is None or uses_all(config.option):
        return
    send = worker.sendevent

    def send_if_used(name: str, **content: Any) -> None:
        if not is_needless(name, content):
            send(name, **content)

    worker.sendevent = send_if_used


def uses_all(options: Any) -> bool:
    if options.verbose > 0 or not _WITH_OUTPUT.isdisjoint(options.reportchars):
        return True
    # "--durations=0" asks for all of them.
    return any(getattr(options, name, None) is not None for name in _WITH_ALL_REPORTS)


def is_needless(name: str, content: Mapping[str, Any]) -> bool:
    if name == "logstart":
        return True
    if name != "testreport":
        return False
    report = content["data"]
    return report["outcome"] == "passed" and report["when"] != "call"
