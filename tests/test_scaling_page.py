"""The page about scaling shows what its script counts up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loaded_scripts import loaded_script

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def scaling() -> Any:
    return loaded_script("benchmarks/scaling.py")


def test_the_page_has_the_tables_of_the_script(scaling: Any) -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    costs, needs = scaling.tables().split("\n\n")
    assert costs in page
    assert needs in page


def test_the_model_counts_as_by_hand(scaling: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """1,000 calls a second of 500 µs and two round trips of 100 µs take 0.7 workers' time, which one worker has."""
    monkeypatch.setattr(
        scaling, "COSTS", {"GetRole": scaling.Cost(400, 100, 2), "PutRolePolicy": scaling.Cost(0, 0, 0)}
    )
    mix = {"GetRole": 1.0, "PutRolePolicy": 0.0}
    team = scaling.Team(10, 3_600_000, mix, round_trip_microseconds=100)
    need = scaling.need_of(team)
    assert (need.workers, need.first, need.lock, need.log_seconds) == (1, 0.0, 0.0, 50.0)
    assert need.postgresql_processors == pytest.approx(1000 * 100 / 1e6 / 0.7)
    assert scaling.need_of(replace(team, calls_per_hour=3_700_000)).workers == 2


def test_the_limits_that_the_page_names(scaling: Any) -> None:
    """ "Where the limit is" repeats what the model says."""
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    held_seconds = (scaling.WRITE_HOLDS_MICROSECONDS + scaling.WRITE_ROUND_TRIPS * 200) / 1e6
    most_changes = scaling.USABLE_SHARE / (scaling.TEAM.rate * held_seconds)
    assert f"may have {most_changes:.1%} of changes".replace("%", " %") in page
    assert f"at most {scaling.WRITE_HOLDS_MICROSECONDS / 1000:.0f} ms" in page
    assert f"and for {scaling.WRITE_ROUND_TRIPS} round trips" in page
    assert scaling.need_of(scaling.changing(scaling.TEAM, 0.0)).workers == 2
    assert "two processes are enough" in page
    assert 100 // scaling.CONNECTIONS_OF_A_WORKER == 16
    assert "more than 16 workers" in page


def test_a_change_makes_calls_the_first_again(scaling: Any) -> None:
    """Two callers, two processes, a change for ten calls: five calls at a process, 1.94 of them the first."""
    mix = {"GetRole": 0.9, "PutRolePolicy": 0.1}
    team = scaling.Team(2, 3_600_000, mix, round_trip_microseconds=0)
    assert scaling.first_share(team, 2) == pytest.approx((1 + 15 / 16) / 5)
    assert scaling.first_share(scaling.changing(team, 0.0), 2) == 0.0
