"""The sandbox's clock as users move it: over HTTP and through the object, in one process and in several."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jwt
import pytest
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, RefreshableCredentials
from botocore.exceptions import ClientError
from botocore.session import Session

from rolecall.app import application_over, open_database
from rolecall.clock import BadTimeError, Clock, ClockState
from rolecall.inprocess import ENDPOINT_URL, client, route
from rolecall.storage.clock_states import share_clock, take_over_clock
from rolecall.storage.engine import Database
from rolecall.web.application import RolecallApplication
from rolecall.web.clock_endpoint import clock_as_json
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

# 9999-01-01.
LATEST_SECONDS = 253_370_764_800
CHANGES_MESSAGE = (
    'Send one change: {"advance_seconds": 3600}, {"set": "2030-01-01T00:00:00Z"}, {"freeze": true}, '
    '{"freeze": false} to run on, or {"reset": true}.'
)

# botocore itself refuses durations that AWS does not accept.
UNCHECKED = Config(parameter_validation=False, retries={"total_max_attempts": 1})
HOUR = 3600
YEAR = 365 * 86_400
NEW_YEAR_2030 = 1_893_456_000


def control(application: RolecallApplication, method: str, body: Any = None) -> tuple[int, Any]:
    text = body if isinstance(body, str) else None if body is None else json.dumps(body)
    answer = application.test_client().open("/_rolecall/clock", method=method, data=text)
    assert answer.content_type == "application/json"
    return answer.status_code, json.loads(answer.data)


def move(application: RolecallApplication, **change: Any) -> Any:
    status, shown = control(application, "POST", change)
    assert status == 200, shown
    return shown


def code_of(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


# The endpoint.


def test_an_untouched_clock_is_the_real_one(world: Any) -> None:
    status, shown = control(world.application, "GET")
    assert (status, shown["offset_seconds"], shown["frozen"]) == (200, 0, False)
    shown_at = datetime.fromisoformat(shown["now"])
    assert abs(shown_at.timestamp() - world.clock.wall_seconds()) < 60


def test_changes_are_answered_and_shown(world: Any) -> None:
    application = world.application
    assert move(application, advance_seconds=HOUR)["offset_seconds"] == HOUR
    assert move(application, advance_seconds=-1.5)["offset_seconds"] == HOUR - 1.5
    assert control(application, "GET")[1]["offset_seconds"] == HOUR - 1.5
    assert move(application, freeze=True)["frozen"] is True
    shown = move(application, set="2030-01-01T00:00:00Z")
    assert (shown["now"], shown["frozen"]) == ("2030-01-01T00:00:00Z", True)
    assert shown["offset_seconds"] == pytest.approx(NEW_YEAR_2030 - world.clock.wall_seconds(), abs=60)
    assert world.clock.now_seconds() == NEW_YEAR_2030
    assert move(application, advance_seconds=30)["now"] == "2030-01-01T00:00:30Z"
    assert move(application, freeze=False)["frozen"] is False
    assert move(application, reset=True) | {"now": ""} == {"now": "", "offset_seconds": 0, "frozen": False}


@pytest.mark.parametrize(
    "moment", ["2030-01-01", "2030-01-01T00:00:00", "2030-01-01T00:00:00Z", "2030-01-01T02:00:00+02:00"]
)
def test_times_are_utc_unless_they_say_otherwise(world: Any, moment: str) -> None:
    move(world.application, freeze=True)
    assert move(world.application, set=moment)["now"] == "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (" " * 300_000 + "{}", "larger than"),
        ({}, CHANGES_MESSAGE),
        ([], CHANGES_MESSAGE),
        ("1", CHANGES_MESSAGE),
        ({"advance_seconds": "3600"}, CHANGES_MESSAGE),
        ({"advance_seconds": True}, CHANGES_MESSAGE),
        ({"advance_seconds": None}, CHANGES_MESSAGE),
        ({"advance_seconds": 1, "freeze": True}, CHANGES_MESSAGE),
        ({"advance": 1}, CHANGES_MESSAGE),
        ({"reset": False}, CHANGES_MESSAGE),
        ({"reset": 1.5}, CHANGES_MESSAGE),
        ({"freeze": "yes"}, CHANGES_MESSAGE),
        ({"set": NEW_YEAR_2030}, CHANGES_MESSAGE),
        ({"set": "tomorrow"}, "Write a time as 2030-01-01T00:00:00Z."),
        ({"set": "1969-12-31T23:59:59Z"}, "goes from 1970"),
        ({"set": "9999-12-31T00:00:00Z"}, "goes from 1970"),
        ({"advance_seconds": 1e300}, "goes from 1970"),
        ({"advance_seconds": -1e12}, "goes from 1970"),
        ('{"advance_seconds": NaN}', "goes from 1970"),
        ('{"advance_seconds": Infinity}', "goes from 1970"),
    ],
)
def test_what_cannot_be_understood_changes_nothing(world: Any, body: Any, words: str) -> None:
    world.clock.advance(7)
    status, answer = control(world.application, "POST", body)
    assert status == 400
    assert words in answer["message"]
    assert control(world.application, "GET")[1]["offset_seconds"] == 7


@pytest.mark.sqlite_driver
def test_a_database_that_does_not_answer(world: Any) -> None:
    world.database.close()
    for method, body in (("GET", None), ("POST", {"reset": True})):
        status, answer = control(world.application, method, body)
        assert (status, "database" in answer["message"]) == (503, True)


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (ClockState(), ("2030-01-01T00:00:00Z", 0, False)),
        (ClockState(offset_seconds=0.25), ("2030-01-01T00:00:00Z", 0.25, False)),
        (ClockState(offset_seconds=-60), ("2029-12-31T23:59:00Z", -60, False)),
        (ClockState(frozen_at_seconds=NEW_YEAR_2030 + 90), ("2030-01-01T00:01:30Z", 90, True)),
    ],
)
def test_how_a_state_is_shown(state: ClockState, shown: tuple[str, float, bool]) -> None:
    assert tuple(clock_as_json(state, float(NEW_YEAR_2030)).values()) == shown


# The object.


def test_steps_in_other_units_than_seconds(world: Any) -> None:
    world.clock.freeze()
    world.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
    world.clock.advance(hours=2, minutes=-30, days=1)
    assert world.clock.now_seconds() == NEW_YEAR_2030 + 86_400 + 1.5 * HOUR
    world.clock.set(datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    assert world.clock.now_seconds() == NEW_YEAR_2030
    world.clock.set("2030-01-01T00:00:10")
    assert world.clock.now_seconds() == NEW_YEAR_2030 + 10


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), LATEST_SECONDS + 1, -1])
def test_times_that_no_clock_shows(world: Any, seconds: float) -> None:
    with pytest.raises(BadTimeError):
        world.clock.set(seconds)
    assert world.clock.state == ClockState()


def test_a_change_of_the_object_is_what_the_next_call_sees(world: Any) -> None:
    sts = world.client("sts")
    credentials = world.assume("chime-reader")
    chime = world.client("chime", credentials=credentials)
    chime.list_accounts()
    world.clock.advance(hours=1)
    assert code_of(chime.list_accounts) == "ExpiredTokenException"
    world.clock.advance(hours=-1)
    chime.list_accounts()
    expiration = sts.get_session_token(DurationSeconds=900)["Credentials"]["Expiration"]
    assert expiration.timestamp() == pytest.approx(world.clock.now_seconds() + 900, abs=60)


def test_a_clock_moved_before_its_database_is_opened_stays_moved() -> None:
    clock = Clock()
    clock.set(NEW_YEAR_2030)
    clock.freeze()
    frozen_at_seconds = clock.now_seconds()
    declared = read_world_file(str(builtin_world_path()))
    database = open_database("sqlite://", declared, clock)
    admin = client(application_over(database, declared, clock), "iam", "test", "test")
    assert admin.get_user()["User"]["CreateDate"].timestamp() == int(frozen_at_seconds)
    assert clock.now_seconds() == frozen_at_seconds
    database.close()


# What follows the clock, and what does not.


def test_sessions_expire_with_the_codes_of_each_service(world: Any) -> None:
    world.clock.freeze()
    credentials = world.assume("chime-reader", DurationSeconds=900)
    calls = {
        "sts": world.client("sts", credentials=credentials).get_caller_identity,
        "chime": world.client("chime", credentials=credentials).list_accounts,
        "iam": world.client("iam", credentials=credentials).list_users,
    }
    move(world.application, advance_seconds=899)
    calls["sts"]()
    calls["chime"]()
    assert code_of(calls["iam"]) == "AccessDenied"
    move(world.application, advance_seconds=1)
    expired = {service: code_of(call) for service, call in calls.items()}
    assert expired == {"sts": "ExpiredToken", "iam": "ExpiredToken", "chime": "ExpiredTokenException"}


def test_signatures_are_judged_by_the_real_time(world: Any) -> None:
    for seconds in (30 * YEAR, -40 * YEAR):
        world.clock.advance(seconds)
        assert world.client("sts").get_caller_identity()["Account"] == world.first_account
        credentials = world.assume("chime-reader")
        assert world.client("chime", credentials=credentials).list_accounts()["Accounts"]


def revoke_older_sessions(world: Any, role: str) -> None:
    """The policy of the console's "Revoke active sessions" (IAM User Guide, Revoke IAM role temporary credentials)."""
    before = datetime.fromtimestamp(world.clock.now_seconds(), UTC).isoformat(timespec="milliseconds")
    statement = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": before.replace("+00:00", "Z")}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.client("iam").put_role_policy(RoleName=role, PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)


def test_revoking_older_sessions_bites_those_issued_before(world: Any) -> None:
    world.clock.freeze()
    world.clock.set(NEW_YEAR_2030)
    old = world.client("chime", credentials=world.assume("chime-reader"))
    world.clock.advance(60)
    revoke_older_sessions(world, "chime-reader")
    assert code_of(old.list_accounts) == "ForbiddenException"
    world.clock.advance(1)
    world.client("chime", credentials=world.assume("chime-reader")).list_accounts()
    assert code_of(old.list_accounts) == "ForbiddenException"


class Refreshing:
    """A botocore session on role credentials that refresh themselves, by the sandbox's clock on both sides."""

    def __init__(self, world: Any, role: str, seconds: int | None = None) -> None:
        self.fetched = 0
        session, cache = Session(), dict[str, Any]()

        def create(service: str, **options: Any) -> Any:
            options |= {"endpoint_url": ENDPOINT_URL, "config": UNCHECKED}
            return route(session.create_client(service, **options), world.application)

        fetcher = AssumeRoleCredentialFetcher(
            create,
            Credentials("test", "test"),
            f"arn:aws:iam::{world.first_account}:role/{role}",
            extra_args={} if seconds is None else {"DurationSeconds": seconds},
            cache=cache,
        )

        def fetch() -> Any:
            self.fetched += 1
            # The fetcher keeps its credentials until the real time is past their end.
            cache.clear()
            return fetcher.fetch_credentials()

        session.set_config_variable("region", "us-east-1")
        session._credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "assume-role")
        session._credentials._time_fetcher = lambda: datetime.fromtimestamp(world.clock.now_seconds(), UTC)
        self.chime = create("chime")


def test_refreshable_credentials_of_botocore_refresh(world: Any) -> None:
    program = Refreshing(world, "chime-reader")
    program.chime.list_accounts()
    assert program.fetched == 1
    # Within the last fifteen minutes botocore refreshes ahead of time.
    world.clock.advance(minutes=46)
    program.chime.list_accounts()
    assert program.fetched == 2
    world.clock.advance(hours=12)
    program.chime.list_accounts()
    assert program.fetched == 3


def test_sessions_shorter_than_aws_allows_refresh_with_every_call(make_world: Any) -> None:
    text = builtin_world_path().read_text(encoding="utf-8") + "\nsettings: {minimum_session_seconds: 60}\n"
    world = make_world(text)
    program = Refreshing(world, "chime-reader", 60)
    for calls in range(1, 4):
        program.chime.list_accounts()
        assert program.fetched == 1 + calls
    arguments = {"RoleArn": f"arn:aws:iam::{world.first_account}:role/chime-reader", "RoleSessionName": "short"}
    sts = world.client("sts", config=UNCHECKED)
    short = sts.assume_role(**arguments, DurationSeconds=60)["Credentials"]
    world.clock.advance(61)
    assert code_of(world.client("chime", credentials=short).list_accounts) == "ExpiredTokenException"
    program.chime.list_accounts()
    assert code_of(sts.assume_role, **arguments, DurationSeconds=59) == "ValidationError"


# Several processes.


class Process:
    """An application over a shared database file, with its own database object and clock."""

    def __init__(self, url: str) -> None:
        self.declared = read_world_file(str(builtin_world_path()))
        self.clock = Clock()
        self.database = open_database(url, self.declared, self.clock)
        self.application = application_over(self.database, self.declared, self.clock)

    def client(self, service: str, *keys: str) -> Any:
        return client(self.application, service, *(keys or ("test", "test")))


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    first, second = Process(url), Process(url)
    yield first, second
    first.database.close()
    second.database.close()


def test_a_clock_moved_in_one_process_is_moved_in_all(processes: tuple[Process, Process]) -> None:
    first, second = processes
    issued = first.client("sts").get_session_token(DurationSeconds=HOUR)["Credentials"]
    keys = (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    theirs = second.client("sts", *keys)
    theirs.get_caller_identity()
    move(first.application, advance_seconds=HOUR)
    assert control(second.application, "GET")[1]["offset_seconds"] == HOUR
    assert code_of(theirs.get_caller_identity) == "ExpiredToken"
    assert second.clock.offset_seconds == HOUR
    move(second.application, advance_seconds=-HOUR)
    first.client("sts", *keys).get_caller_identity()
    assert first.clock.offset_seconds == 0


def test_signing_in_follows_the_clock_that_another_process_moved(processes: tuple[Process, Process]) -> None:
    first, second = processes
    issued = first.client("sts").assume_role(
        RoleArn="arn:aws:iam::111122223333:role/chime-reader", RoleSessionName="session", DurationSeconds=HOUR
    )["Credentials"]
    session = json.dumps(
        {
            "sessionId": issued["AccessKeyId"],
            "sessionKey": issued["SecretAccessKey"],
            "sessionToken": issued["SessionToken"],
        }
    )
    asked = {"Action": "getSigninToken", "Session": session}
    assert second.application.test_client().get("/federation", query_string=asked).status_code == 200
    move(first.application, advance_seconds=HOUR)
    assert second.application.test_client().get("/federation", query_string=asked).status_code == 400


def test_a_token_is_minted_by_the_clock_that_another_process_moved(processes: tuple[Process, Process]) -> None:
    first, second = processes
    move(first.application, set="2040-01-01T00:00:00Z")
    minted = second.application.test_client().post("/_rolecall/oidc/ci/token", json={}).json["token"]
    claims = jwt.decode(minted, options={"verify_signature": False})
    assert 0 <= claims["iat"] - datetime(2040, 1, 1, tzinfo=UTC).timestamp() < HOUR


def test_a_reset_resets_the_clock_of_every_process(processes: tuple[Process, Process]) -> None:
    first, second = processes
    move(first.application, set="2030-01-01T00:00:00Z")
    move(first.application, freeze=True)
    second.client("sts").get_caller_identity()
    assert second.clock.frozen
    assert first.application.test_client().post("/_rolecall/reset").status_code == 200
    assert first.clock.state == ClockState()
    created = second.client("iam").get_user()["User"]["CreateDate"].timestamp()
    assert created == pytest.approx(first.clock.wall_seconds(), abs=60)
    assert second.clock.state == ClockState()


def test_a_moved_clock_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    for expected in (HOUR, 2 * HOUR):
        process = Process(url)
        process.clock.advance(HOUR)
        assert process.clock.offset_seconds == pytest.approx(expected, abs=1e-3)
        process.database.close()


def test_no_step_of_two_at_once_is_lost(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    Process(url).database.close()

    def advance() -> None:
        database, clock = Database(url), Clock()
        share_clock(database, clock)
        for _ in range(20):
            clock.advance(10)
        database.close()

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database, clock = Database(url), Clock()
    with database.transaction() as connection:
        take_over_clock(connection, clock)
    database.close()
    assert clock.offset_seconds == pytest.approx(800, abs=1e-3)


def test_reading_the_clock_leaves_the_database_alone(world: Any) -> None:
    world.client("sts").get_caller_identity()
    with world.database.snapshot() as connection:
        before = world.database.generation(connection)
    control(world.application, "GET")
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) == before
    world.clock.reset()
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) > before
