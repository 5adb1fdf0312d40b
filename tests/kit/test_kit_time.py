"""Libraries that move the machine's time in tests: sandbox, signatures and botocore all follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import boto3
import pytest
import time_machine
from botocore.exceptions import ClientError
from freezegun import freeze_time

from rolecall import Rolecall

START = datetime(2030, 1, 1, tzinfo=UTC)
Advance = Callable[[float], object]


@contextmanager
def by_freezegun() -> Iterator[Advance]:
    with freeze_time(START) as frozen:
        yield frozen.tick


@contextmanager
def by_time_machine() -> Iterator[Advance]:
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller.shift


@pytest.fixture(params=[by_freezegun, by_time_machine])
def advance(request: pytest.FixtureRequest) -> Iterator[Advance]:
    with request.param() as move:
        yield move


def test_sessions_signatures_and_dates_follow(advance: Advance, rolecall: Rolecall) -> None:
    assert rolecall.clock.now == START
    with rolecall.as_role("chime-reader"):
        chime = boto3.client("chime")
        advance(3599)
        chime.list_accounts()
        advance(1)
        with pytest.raises(ClientError, match="ExpiredTokenException"):
            chime.list_accounts()
    assert boto3.client("iam").create_user(UserName="new")["User"]["CreateDate"].timestamp() == START.timestamp() + 3600
    assert rolecall.decisions[0].time.timestamp() == START.timestamp() + 3600


def test_the_sandbox_s_clock_counts_from_there(advance: Advance, rolecall: Rolecall) -> None:
    rolecall.clock.advance(days=1)
    advance(60)
    assert rolecall.clock.now.timestamp() == START.timestamp() + 86_400 + 60
    # Signed by the machine's time, so it is still valid.
    boto3.client("sts").get_caller_identity()


def test_botocore_refreshes_by_itself(
    advance: Advance, rolecall: Rolecall, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    file = f"{tmp_path}/config"
    with open(file, "w", encoding="utf-8") as written:
        written.write(
            f"[profile reader]\nrole_arn = {rolecall.role('chime-reader')}\ncredential_source = Environment\n"
            "region = us-east-1\n"
        )
    monkeypatch.setenv("AWS_CONFIG_FILE", file)
    sts = boto3.Session(profile_name="reader").client("sts")
    first = sts.get_caller_identity()
    advance(3600)
    assert sts.get_caller_identity()["UserId"] == first["UserId"]
    assert [decision.operation for decision in rolecall.decisions] == ["GetCallerIdentity", "AssumeRole"] * 2
