"""Reading much of the log, and reading it without waiting for other processes."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from console_visits import CONSOLE
from console_worlds import ANA, OPERATOR, TWO_ACCOUNTS
from logged_worlds import keep_log, refused

from rolecall.call_log.writer import SETTLE_SECONDS
from rolecall.storage import call_kinds, decision_log
from rolecall.storage.call_kinds import CallKind, KnownKinds, counted, kinds_of
from rolecall.storage.decision_log import CallFilter, DecisionStore, LoggedCall

KEPT, PART = 40, 8


def logged(number: int, operation: str, principal: str = "arn:aws:iam::111122223333:user/ana") -> LoggedCall:
    values: dict[str, Any] = dict.fromkeys(LoggedCall._fields, "")
    numbers = {"received_at_seconds": 1000.0 + number, "at_seconds": 1000.0 + number, "status": 200}
    named = {"request_id": f"r{number}", "outcome": "Allowed", "operation": operation, "decisions": f"[{operation}]"}
    return LoggedCall(**{**values, **numbers, **named, "latency_seconds": 0.001, "principal": principal})


def test_kinds_are_those_of_the_calls_whatever_was_counted_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision_log, "KEPT_CALLS", KEPT)
    monkeypatch.setattr(call_kinds, "PART_CALLS", PART)
    chance, store, made = random.Random(7), DecisionStore(str(tmp_path / "log.db")), list[LoggedCall]()
    ana, ben = (f"arn:aws:iam::111122223333:user/{name}" for name in ("ana", "ben"))
    for _ in range(30):
        fresh = [
            logged(len(made) + number, chance.choice(["GetUser", "GetRole", "ListUsers"]), chance.choice([ana, ben]))
            for number in range(chance.randrange(9))
        ]
        store.write(fresh, {}, {}, 1000)
        made += fresh
        for principal in (ana, ben, ""):
            of_one = [call for call in reversed(made[-KEPT:]) if principal in ("", call.principal)]
            found = store.kinds(CallFilter(principal=principal))
            assert [kind._replace(newest_position=0) for kind in found] == kinds_of(of_one)
            newest = [
                next(made.index(call) + 1 for call in of_one if call.operation == kind.operation) for kind in found
            ]
            assert [kind.newest_position for kind in found] == newest
    store.clear(2000)
    assert store.kinds(CallFilter(principal=ana)) == []
    store.write([logged(3000, "GetUser")], {}, {}, 1000)
    assert [kind.calls for kind in store.kinds(CallFilter(principal=ana))] == [1]
    store.close()


def test_a_whole_part_of_the_log_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_kinds, "PART_CALLS", PART)
    known, read = KnownKinds(), list[tuple[int, int]]()

    def kinds(behind: int, last: int) -> list[CallKind]:
        read.append((behind, last))
        return counted(("iam", "GetUser", "Allowed", "[]", position) for position in range(last, behind, -1))

    for behind, last, expected in (
        (0, 20, [(16, 20), (8, 16), (0, 8)]),
        (0, 21, [(16, 21)]),
        (5, 25, [(24, 25), (16, 24), (5, 8)]),
    ):
        read.clear()
        assert known.between(("question",), behind, last, kinds) == [
            CallKind("iam", "GetUser", "Allowed", "[]", last - behind, last)
        ]
        assert read == expected
    read.clear()
    known.between(("another",), 8, 16, kinds)
    assert read == [(8, 16)]


def test_calls_that_are_all_different_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_kinds, "_KINDS_REMEMBERED", 3)
    monkeypatch.setattr(call_kinds, "PART_CALLS", PART)
    known, read = KnownKinds(), list[int]()

    def kinds(behind: int, last: int) -> list[CallKind]:
        read.append(behind)
        return [CallKind("iam", f"Operation{at}", "Allowed", "[]", 1, at) for at in range(last, behind, -1)]

    for _ in range(2):
        assert len(known.between((), 0, PART, kinds)) == PART
    assert read == [0, 0]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/decisions",
        "/decisions?outcome=Refused",
        "/decisions/stream",
        f"/identities/one?arn={ANA}",
        f"/identities/one?arn={OPERATOR}",
        f"/least-privilege?principal={ANA}",
    ],
)
def test_no_page_waits_for_what_other_processes_may_write(
    make_world: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    world = make_world(TWO_ACCOUNTS)
    log = keep_log(world)
    log.shared = True
    made = refused(world.client("iam", "ana").get_user, UserName="ana")[0]

    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    browser = world.application.test_client()
    page = browser.get(CONSOLE + path)
    assert page.status_code == 200
    if path in ("", "/decisions"):
        assert made in page.text
    assert browser.get(f"{CONSOLE}/decisions/{made}").status_code == 200
    assert waits == []
    # A call that is not there may come yet.
    assert browser.get(f"{CONSOLE}/decisions/another").status_code == 404
    assert waits == [SETTLE_SECONDS]
