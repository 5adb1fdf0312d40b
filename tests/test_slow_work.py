"""The line about work that takes long, and the garbage collector during such work."""

from __future__ import annotations

import gc
import threading

import pytest

from rolecall.commands.terminal import Work, shown_when_slow
from rolecall.worlds.collection import without_collection


def test_slow_work_is_announced_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()
    show = Work.show

    def noticed(work: Work) -> None:
        show(work)
        told.set()

    monkeypatch.setattr(Work, "show", noticed)
    with shown_when_slow("reading \x1b[2J", after_seconds=0):
        assert told.wait(10)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "rolecall: reading \\x1b[2J\n")


def test_quick_work_is_not_announced(capsys: pytest.CaptureFixture[str]) -> None:
    before = threading.active_count()
    with shown_when_slow("reading", after_seconds=3600):
        pass
    assert threading.active_count() == before
    assert capsys.readouterr().err == ""


def test_the_collector_runs_again_after_the_last_block() -> None:
    assert gc.isenabled()
    with without_collection():
        with without_collection():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with without_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_collector_runs_again_after_an_error() -> None:
    def fail() -> None:
        with without_collection():
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert gc.isenabled()
