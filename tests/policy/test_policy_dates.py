"""Dates of policies, to the second: every part of a date moves it by its own amount."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.policy.values import date_seconds

DAY, HOUR, MINUTE = 86_400, 3_600, 60


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01T00:00", 0),
        ("1970-01-01T00", 0),
        ("1970-01-01", 0),
        ("1970-01", 0),
        ("1970-1-2", DAY),
        ("1970-01-01T01:00:00Z", HOUR),
        ("1970-01-01T00:01:00Z", MINUTE),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T00:00:01.25Z", 1.25),
        ("1970-01-01t00:00:01z", 1),
        ("1970-01-01T00:00:00+01:00", -HOUR),
        ("1970-01-01T00:00:00-01:00", HOUR),
        ("1970-01-01T00:00:00+01:30", -HOUR - 30 * MINUTE),
        ("1970-01-01T00:00:00-0130", HOUR + 30 * MINUTE),
        ("1970-01-01T00:00:00+01", -HOUR),
        ("1970-01-01T00:00:00+23:59", -23 * HOUR - 59 * MINUTE),
        ("1970-01-01T23:59:59Z", DAY - 1),
        ("1970-02-01", 31 * DAY),
        ("1970-12-31", 364 * DAY),
        ("1971-01-01", 365 * DAY),
        ("1972-02-29", 789 * DAY),
        ("2000-02-29", 11_016 * DAY),
        ("2000-03-01", 11_017 * DAY),
        ("1969-12-31T23:59:59Z", -1),
        ("0", 0),
        ("1796000000", 1_796_000_000),
    ],
)
def test_dates(text: str, seconds: float) -> None:
    assert date_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "T",
        "today",
        "1970-00-01",
        "1970-13-01",
        "1970-01-00",
        "1970-01-32",
        "1970-02-29",
        "1900-02-29",
        "1970-04-31",
        "1970-01-01-01",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00:00Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.xZ",
        "1970-01-01T00:00:00+",
        "1970-01-01T00:00:00+1",
        "1970-01-01T00:00:00+01:",
        "1970-01-01T00:00:00+01:3",
        "1970-01-01T00:00:00+01:60",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+xx:00",
        "٠",
    ],
)
def test_no_dates(text: str) -> None:
    assert date_seconds(text) is None


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001 - as UTC below
def test_as_python_counts(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    assert date_seconds(whole.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")) == whole.timestamp()
