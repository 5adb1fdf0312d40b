"""Probes: open to every client, and silent about the sandbox."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.web import probes

OTHER_MACHINE = {"REMOTE_ADDR": "192.0.2.1"}


def probe(application: Any, name: str) -> tuple[int, Any]:
    answer = application.test_client().get(f"/_rolecall/probe/{name}", environ_overrides=OTHER_MACHINE)
    return answer.status_code, answer.json


def test_every_machine_gets_an_answer(world: Any) -> None:
    assert probe(world.application, "live") == (200, {"status": "ok"})
    assert probe(world.application, "ready") == (200, {"status": "ok"})
    assert probe(world.application, "else")[0] == 404


def test_without_its_database_a_process_lives_and_is_not_ready(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_purpose: str = "") -> Any:
        raise OperationalError("a secret statement", None, Exception("a secret address"))

    monkeypatch.setattr(world.database, "snapshot", fail)
    assert probe(world.application, "live") == (200, {"status": "ok"})
    assert probe(world.application, "ready") == (503, {"status": "unavailable"})


def test_a_process_whose_database_file_is_gone_is_not_ready(tmp_path: Path, world: Any) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'own.db'}", world.declared, Clock())
    application = application_over(database, world.declared, Clock())
    assert probe(application, "ready")[0] == 200
    (tmp_path / "own.db").unlink()
    assert probe(application, "ready") == (503, {"status": "unavailable"})
    database.close()


def test_a_database_that_hangs_holds_one_probe(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All others are answered at once, so they leave threads for everything else."""
    monkeypatch.setattr(probes, "_PATIENCE_SECONDS", 0)
    snapshot, entered, go_on = world.database.snapshot, threading.Event(), threading.Event()

    def hang(purpose: str = "") -> Any:
        entered.set()
        assert go_on.wait(60)
        return snapshot(purpose)

    monkeypatch.setattr(world.database, "snapshot", hang)
    first: list[Any] = []
    thread = threading.Thread(target=lambda: first.append(probe(world.application, "ready")))
    thread.start()
    assert entered.wait(60)
    for _ in range(10):
        assert probe(world.application, "ready")[0] == 503
        assert probe(world.application, "live")[0] == 200
    go_on.set()
    thread.join(60)
    assert first == [(200, {"status": "ok"})]
    assert probe(world.application, "ready")[0] == 200
