"""Under load, many calls of the decision log become one text, which the next reader turns into rows."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from logged_worlds import names, new_log, outcome
from msgspec.structs import replace

from rolecall.errors import AwsError
from rolecall.principals import Caller, Principal
from rolecall.storage import decision_log as store_module
from rolecall.storage.decision_log import CallFilter, DecisionStore

pytestmark = pytest.mark.sqlite_driver


def packed_calls(path: Path | str) -> int:
    """How many calls of the log are in texts, as another process sees it."""
    driver = sqlite3.connect(path)
    (count,) = driver.execute("SELECT coalesce(sum(last - first + 1), 0) FROM packed").fetchone()
    driver.close()
    return int(count)


def test_many_allowed_calls_become_few_texts_which_readers_turn_into_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log, reader = new_log(path), DecisionStore(str(path))
    expected = [f"call-{number}" for number in range(200)]
    for name in expected:
        log.record(outcome(name, at=1.5))
    log.flush()
    assert packed_calls(path) == 192
    assert reader.newest_place().position == 200
    assert packed_calls(path) == 192, "a question about no call need not wait"
    assert [call.request_id for call in reader.calls(CallFilter(limit=300), as_written=True)] == expected[::-1]
    assert packed_calls(path) == 0
    found = reader.call("call-7")
    assert found is not None
    assert (found.received_at_seconds, found.service, found.outcome) == (1.5, "sts", "Allowed")
    log.close()
    reader.close()


def test_calls_between_texts_keep_their_places(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log, expected = new_log(path), list[str]()
    for number in range(150):
        name = f"call-{number}"
        expected.append(name)
        log.record(outcome(name, AwsError("Throttling") if number in (40, 41, 100) else None))
        if number in (70, 120):
            log.flush()
    log.flush()
    assert 0 < packed_calls(path) < 150
    place = log.newest_place()
    assert place.position == 150
    assert names(log, CallFilter(limit=200)) == expected[::-1]
    assert log.counts().calls[0].calls + log.counts().calls[1].calls == 150
    log.close()


def test_who_follows_the_log_misses_no_packed_call(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log, follower = new_log(path), DecisionStore(str(path))
    place, seen = follower.newest_place(), list[str]()
    for step in range(4):
        for number in range(50):
            log.record(outcome(f"{step}-{number}"))
        log.flush()
        place, found = follower.calls_after(place, CallFilter(limit=1000))
        seen += [call.request_id for call in reversed(found)]
    assert seen == [f"{step}-{number}" for step in range(4) for number in range(50)]
    log.close()
    follower.close()


def test_an_idle_thread_unpacks(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = new_log(path)
    for number in range(2000):
        log.record(outcome(str(number)))
    assert log.write_waiting()
    before = packed_calls(path)
    assert before > 1900
    # The next turn finds no calls, and does a part. New calls come first.
    assert not log.write_waiting()
    assert 0 < packed_calls(path) < before
    for _ in range(before):
        log.write_waiting()
    assert packed_calls(path) == 0
    assert names(log, CallFilter(limit=3000)) == [str(number) for number in reversed(range(2000))]
    log.close()


def test_packed_calls_of_before_a_reset_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    one, other = new_log(path), new_log(path, shared=True)
    now = time.time()
    for number in range(64):
        # The reset falls into the middle of the second text.
        other.record(outcome(f"call-{number}", at=now - 1 if number < 40 else now + 3600))
    one.clear()
    other.flush()
    assert names(one) == [f"call-{number}" for number in range(63, 39, -1)]
    assert one.counts().calls[0].calls == 24
    one.close()
    other.close()


def test_a_reset_removes_packed_calls(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = new_log(path)
    for number in range(100):
        log.record(outcome(str(number)))
    log.flush()
    assert packed_calls(path) == 96
    log.clear()
    assert packed_calls(path) == 0
    assert names(log) == []
    log.close()


def test_old_packed_calls_leave_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEPT_CALLS", "_PRUNE_AFTER_CALLS"):
        monkeypatch.setattr(store_module, name, 64)
    path = tmp_path / "log.db"
    log = new_log(path)
    for number in range(320):
        log.record(outcome(str(number)))
        if number % 64 == 63:
            log.flush()
    assert 64 <= packed_calls(path) <= 128
    log.close()


def test_a_call_that_cannot_be_stored_spoils_no_text() -> None:
    log = new_log()
    for number in range(64):
        made = outcome(str(number))
        if number == 7:
            made = replace(made, caller=Caller(Principal("User", "1", "\ud800", "", "u", "e", "n"), "key"))
        log.record(made)
    assert names(log, CallFilter(limit=100)) == [str(number) for number in range(63, -1, -1) if number != 7]
    log.close()


def test_packed_calls_survive_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    child = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(str(path),))
    child.start()
    child.join()
    assert child.exitcode not in (0, None)
    assert packed_calls(path) == 64
    log = new_log(path)
    assert names(log, CallFilter(limit=100)) == [str(number) for number in range(63, -1, -1)]
    log.close()


def _write_and_die(path: str) -> None:
    log = new_log(path)
    for number in range(64):
        log.record(outcome(str(number)))
    log.flush()
    multiprocessing.current_process().kill()
    threading.Event().wait()
