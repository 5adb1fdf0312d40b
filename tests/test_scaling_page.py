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
