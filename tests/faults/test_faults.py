"""Faults as programs meet them: tests set rules in Python and over HTTP, and call with boto3."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import botocore.retries.bucket
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from logged_worlds import keep_log
from sent_statements import sent_statements

from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.faults.active import InvalidFaultError
from rolecall.inprocess import client
from rolecall.wire import declared_code, error_code, error_status
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

MAXIMUM_RULES = 100

ROLE = "arn:aws:iam::111122223333:role/chime-reader"
ADMIN = "arn:aws:iam::111122223333:user/admin"
ASSUME = {"RoleArn": ROLE, "RoleSessionName": "session"}


def refusal(call: Any, **arguments: Any) -> tuple[int, str, str]:
    """Status, code and message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def faults(world: Any) -> Any:
    return world.application.sandbox.faults


def counted(world: Any) -> list[tuple[int, int]]:
    return [(rule["calls"], rule["hits"]) for rule in faults(world).rules]


def control(world: Any, method: str, body: Any = None) -> tuple[int, Any]:
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    answer = world.application.test_client().open("/_rolecall/faults", method=method, data=text)
    assert answer.content_type == "application/json"
    return answer.status_code, json.loads(answer.data)


# Errors.


@pytest.mark.parametrize(
    ("service", "operation", "rule", "expected"),
    [
        ("sts", "get_caller_identity", {"error": "Throttling"}, (400, "Throttling", "Rate exceeded")),
        ("sts", "get_caller_identity", {"error": "ThrottlingException"}, (400, "Throttling", "Rate exceeded")),
        ("iam", "list_users", {"error": "Throttling"}, (400, "Throttling", "Rate exceeded")),
        ("chime", "list_accounts", {"error": "Throttling"}, (429, "ThrottledClientException", "Rate exceeded")),
        (
            "chime",
            "list_accounts",
            {"error": "ThrottlingException"},
            (429, "ThrottledClientException", "Rate exceeded"),
        ),
        (
            "chime",
            "list_accounts",
            {"error": "ThrottledClientException"},
            (429, "ThrottledClientException", "Rate exceeded"),
        ),
        (
            "chime",
            "list_accounts",
            {"error": "ServiceFailureException", "message": "Broken."},
            (500, "ServiceFailureException", "Broken."),
        ),
        ("iam", "get_user", {"error": "NoSuchEntityException", "message": "No."}, (404, "NoSuchEntity", "No.")),
        (
            "sts",
            "get_caller_identity",
            {"error": "ServiceUnavailable"},
            (503, "ServiceUnavailable", "A fault rule of the sandbox asks for this error."),
        ),
        ("sts", "get_caller_identity", {"error": "OutOfTea", "status": 418, "message": "-"}, (418, "OutOfTea", "-")),
        ("chime", "list_accounts", {"error": "OutOfTea", "status": 599, "message": "-"}, (599, "OutOfTea", "-")),
        (
            "sts",
            "get_caller_identity",
            {"error": "InternalFailure", "status": 502, "message": "-"},
            (502, "InternalFailure", "-"),
        ),
    ],
)
def test_an_error_has_its_status_and_the_shape_of_its_service(
    world: Any, service: str, operation: str, rule: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    faults(world).add(service=service, **rule)
    assert refusal(getattr(world.client(service), operation)) == expected


_OF_CHIME = ((429, "ThrottledClientException"), (500, "ServiceFailureException"), (503, "ServiceUnavailableException"))


@pytest.mark.follows_the_model
@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("sts", ((400, "Throttling"), (500, "InternalFailure"), (503, "ServiceUnavailable"))),
        # Two errors of IAM's model have status 500. InternalFailure is common to all of its actions.
        ("iam", ((400, "Throttling"), (500, "InternalFailure"), (503, "ServiceUnavailable"))),
        ("chime", _OF_CHIME),
        ("chime-sdk-identity", _OF_CHIME),
        ("chime-sdk-meetings", ((429, "ThrottlingException"), *_OF_CHIME[1:])),
        ("chime-sdk-messaging", _OF_CHIME),
        ("chime-sdk-media-pipelines", _OF_CHIME),
        ("chime-sdk-voice", _OF_CHIME),
        (
            "organizations",
            ((400, "TooManyRequestsException"), (500, "ServiceException"), (503, "ServiceUnavailableException")),
        ),
        ("sso", ((429, "TooManyRequestsException"), (500, "InternalFailure"), (503, "ServiceUnavailableException"))),
        (
            "sso-oidc",
            ((429, "ThrottlingException"), (500, "InternalServerException"), (503, "ServiceUnavailableException")),
        ),
        (
            "eks-auth",
            ((429, "ThrottlingException"), (500, "InternalServerException"), (503, "ServiceUnavailableException")),
        ),
        (
            "rolesanywhere",
            ((429, "ThrottlingException"), (500, "InternalFailure"), (503, "ServiceUnavailableException")),
        ),
        (
            "signin",
            ((429, "TooManyRequestsError"), (500, "InternalServerException"), (503, "ServiceUnavailableException")),
        ),
        (
            "iam-toolbox",
            ((429, "ThrottlingException"), (500, "InternalServerException"), (503, "ServiceUnavailableException")),
        ),
    ],
)
def test_a_failure_of_the_server_has_the_code_that_the_service_declares(service: str, expected: Any) -> None:
    asked = (("Throttling", "ThrottlingException"), ("InternalFailure",), ("ServiceUnavailable",))
    for codes, (status, code) in zip(asked, expected, strict=True):
        for each in codes:
            declared = declared_code(service, each)
            assert (error_status(service, declared), error_code(service, declared)) == (status, code)
    assert declared_code(service, "AccessDenied") == "AccessDenied"
    assert declared_code(service, "OutOfTea") == "OutOfTea"


def test_an_error_is_the_exception_of_the_sdk(world: Any) -> None:
    faults(world).add(service="chime", operation="ListAccounts", error="ThrottledClientException")
    chime = world.client("chime")
    with pytest.raises(chime.exceptions.ThrottledClientException):
        chime.list_accounts()
    faults(world).replace({"service": "iam", "error": "EntityAlreadyExists", "operation": "CreateUser"})
    iam = world.client("iam")
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="new")


# Which calls.


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        ({}, {"admin sts", "developer sts", "admin chime", "session chime"}),
        ({"service": "sts"}, {"admin sts", "developer sts"}),
        ({"operation": "ListAccounts"}, {"admin chime", "session chime"}),
        ({"operation": "Get*Identit?"}, {"admin sts", "developer sts"}),
        ({"service": "chime", "operation": "List*"}, {"admin chime", "session chime"}),
        ({"service": "chime", "operation": "ListUsers"}, set()),
        ({"principal": ADMIN}, {"admin sts", "admin chime"}),
        ({"principal": "arn:aws:iam::*:user/dev*"}, {"developer sts"}),
        ({"principal": ROLE}, {"session chime"}),
        ({"principal": "arn:aws:sts::111122223333:assumed-role/chime-reader/*"}, {"session chime"}),
        ({"principal": "arn:aws:iam::111122223333:role/other"}, set()),
        ({"region": "us-east-1"}, {"admin sts", "developer sts", "admin chime", "session chime"}),
        ({"region": "eu-west-1"}, set()),
        ({"service": "sts", "principal": ADMIN, "region": "us-east-1"}, {"admin sts"}),
    ],
)
def test_a_rule_strikes_what_it_selects(world: Any, rule: dict[str, Any], struck: set[str]) -> None:
    calls = {
        "admin sts": world.client("sts").get_caller_identity,
        "developer sts": world.client("sts", "developer").get_caller_identity,
        "admin chime": world.client("chime").list_accounts,
        "session chime": world.client("chime", credentials=world.assume("chime-reader")).list_accounts,
    }
    faults(world).add(error="ServiceUnavailable", **rule)
    found = set()
    for name, call in calls.items():
        try:
            call()
        except ClientError:
            found.add(name)
    assert found == struck
    assert counted(world) == [(len(struck), len(struck))]


@pytest.mark.parametrize(
    ("rule", "struck"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"times": 2}, [1, 2]),
        ({"nth": 3}, [3]),
        ({"nth": 3, "times": 2}, [3, 4]),
        ({"nth": 3, "times": None}, [3, 4, 5, 6]),
        ({"times": None}, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_rule_strikes_as_often_as_it_says(world: Any, rule: dict[str, Any], struck: list[int]) -> None:
    faults(world).add(error="Throttling", **rule)
    sts = world.client("sts")
    found = []
    for number in range(1, 7):
        try:
            sts.get_caller_identity()
        except ClientError:
            found.append(number)
    assert found == struck
    assert counted(world) == [(6, len(struck))]


def struck_by(world: Any, count: int) -> list[bool]:
    sts = world.client("sts")
    found = []
    for _ in range(count):
        try:
            sts.get_caller_identity()
            found.append(False)
        except ClientError:
            found.append(True)
    return found


def test_probability_follows_its_seed(world: Any) -> None:
    patterns = []
    for seed in (7, 7, 8):
        faults(world).replace([{"error": "Throttling", "probability": 0.5, "seed": seed}])
        patterns.append(struck_by(world, 40))
    assert patterns[0] == patterns[1] != patterns[2]
    assert 8 <= sum(patterns[0]) <= 32


def test_a_seed_that_was_not_given_is_shown_and_repeats(world: Any) -> None:
    faults(world).replace([{"error": "Throttling", "probability": 0.5}])
    first = struck_by(world, 30)
    [shown] = faults(world).rules
    faults(world).replace([{"error": "Throttling", "probability": 0.5, "seed": shown["seed"]}])
    assert struck_by(world, 30) == first


def test_the_first_rule_that_ends_the_call_is_the_last_that_counts(world: Any) -> None:
    rules = [
        {"error": "ServiceUnavailable", "nth": 2},
        {"error": "Throttling", "times": 1},
        {"error": "InternalFailure"},
    ]
    faults(world).replace(rules)
    sts = world.client("sts")
    assert [refusal(sts.get_caller_identity)[0] for _ in range(3)] == [400, 503, 500]
    assert counted(world) == [(3, 1), (2, 1), (1, 1)]


# The step at which they happen.


def test_faults_come_after_authentication_and_limits_and_before_access(world: Any) -> None:
    faults(world).add(error="ServiceUnavailable")
    stranger = world.client("sts", keys=("admin", "wrong"))
    assert refusal(stranger.get_caller_identity)[1] == "InvalidClientTokenId"
    unchecked = world.client("sts", config=Config(parameter_validation=False))
    assert refusal(unchecked.assume_role, **ASSUME, DurationSeconds=1)[1] == "ValidationError"
    assert counted(world) == [(0, 0)]
    assert refusal(world.client("iam", "developer").delete_user, UserName="admin")[0] == 503
    assert counted(world) == [(1, 1)]
    faults(world).clear()
    assert refusal(world.client("iam", "developer").delete_user, UserName="admin")[1] == "AccessDenied"


def test_faulty_credentials_are_reported_before_wrong_parameters(world: Any) -> None:
    credentials = world.assume("chime-reader")
    faults(world).add(kind="expired_credentials")
    unchecked = world.client("sts", credentials=credentials, config=Config(parameter_validation=False))
    assert refusal(unchecked.assume_role, **ASSUME, DurationSeconds=1)[1] == "ExpiredToken"


# Other kinds.


def test_expired_credentials_are_those_that_can_expire(world: Any) -> None:
    credentials = world.assume("chime-reader")
    faults(world).add(kind="expired_credentials", principal=ROLE)
    expected = (403, "ExpiredToken", "The security token included in the request is expired")
    for service, operation in (("sts", "get_caller_identity"), ("iam", "list_users")):
        assert refusal(getattr(world.client(service, credentials=credentials), operation)) == expected
    chime = world.client("chime", credentials=credentials)
    assert refusal(chime.list_accounts)[:2] == (403, "ExpiredTokenException")
    faults(world).replace([{"kind": "expired_credentials"}])
    world.client("sts").get_caller_identity()
    assert counted(world) == [(0, 0)]


def test_revoked_credentials_are_unknown_ones(world: Any) -> None:
    faults(world).add(kind="revoked_credentials", principal=ADMIN)
    expected = (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    assert refusal(world.client("sts").get_caller_identity) == expected
    assert refusal(world.client("chime").list_accounts)[:2] == (403, "UnrecognizedClientException")
    world.client("sts", "developer").get_caller_identity()


def test_a_disabled_region_refuses_to_issue_credentials(world: Any) -> None:
    faults(world).add(kind="region_disabled", region="eu-west-1")
    sts = world.client("sts", region="eu-west-1")
    expected = (
        403,
        "RegionDisabledException",
        "STS is not activated in this region for account:111122223333. "
        "Your account administrator can activate STS in this region using the IAM Console.",
    )
    assert refusal(sts.assume_role, **ASSUME) == expected
    assert refusal(sts.get_session_token) == expected
    sts.get_caller_identity()
    world.client("iam", region="eu-west-1").list_users()
    world.client("sts").assume_role(**ASSUME)
    assert counted(world) == [(2, 2)]


@pytest.fixture
def pauses(world: Any, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sandbox's delays, without waiting for them."""
    found: list[float] = []
    monkeypatch.setattr(world.clock, "pause", found.append)
    return found


def test_delays_add_up_and_end_no_call(world: Any, pauses: list[float]) -> None:
    faults(world).replace(
        [
            {"delay_seconds": 0.25},
            {"kind": "delay", "delay_seconds": 2, "times": 1},
            {"service": "iam", "error": "Throttling"},
        ]
    )
    world.client("sts").get_caller_identity()
    world.client("sts").get_caller_identity()
    assert refusal(world.client("iam").list_users)[1] == "Throttling"
    assert pauses == [2.25, 0.25, 0.25]


def test_an_error_may_come_late(world: Any, pauses: list[float]) -> None:
    faults(world).add(error="ServiceUnavailable", delay_seconds=3)
    assert refusal(world.client("sts").get_caller_identity)[0] == 503
    assert pauses == [3]


def test_delays_have_a_bound(world: Any, pauses: list[float]) -> None:
    faults(world).replace([{"delay_seconds": 40}, {"delay_seconds": 40}])
    world.client("sts").get_caller_identity()
    assert pauses == [60]


def test_no_call_waits_for_the_delay_of_another_call(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = []

    def meanwhile(_seconds: float) -> None:
        def call() -> None:
            answered.append(world.client("iam").list_users())

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(300)

    monkeypatch.setattr(world.clock, "pause", meanwhile)
    faults(world).add(service="sts", delay_seconds=60)
    world.client("sts").get_caller_identity()
    assert len(answered) == 1


def test_a_dropped_connection_carries_nothing_out(world: Any) -> None:
    faults(world).add(kind="drop", operation="CreateUser", times=1)
    iam = world.client("iam")
    with pytest.raises(ConnectionClosedError):
        iam.create_user(UserName="new")
    iam.create_user(UserName="new")


def test_a_dropped_answer_leaves_the_work_done(world: Any) -> None:
    faults(world).add(kind="drop_answer", service="iam", operation="CreateUser", times=1)
    iam = world.client("iam")
    with pytest.raises(ConnectionClosedError):
        iam.create_user(UserName="new")
    assert refusal(iam.create_user, UserName="new")[1] == "EntityAlreadyExists"


# Retries of the SDK.


@pytest.fixture
def backoffs(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sleeps of botocore between its attempts. Its clock moves on instead."""
    found: list[float] = []
    waited: list[float] = []

    class Condition(threading.Condition):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0)
            return False

    bucket = botocore.retries.bucket
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=found.append))
    monkeypatch.setattr(bucket.Clock, "sleep", lambda _clock, seconds: found.append(seconds))
    monkeypatch.setattr(bucket.Clock, "current_time", lambda _clock: time.time() + sum(found) + sum(waited))
    monkeypatch.setattr(bucket, "threading", SimpleNamespace(Condition=Condition, Lock=threading.Lock))
    return found


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
@pytest.mark.parametrize(
    ("service", "operation", "rule"),
    [
        ("sts", "get_caller_identity", {"error": "Throttling"}),
        ("iam", "list_users", {"error": "Throttling"}),
        ("rolesanywhere", "list_profiles", {"error": "ThrottlingException"}),
        ("sts", "get_caller_identity", {"error": "ServiceUnavailable"}),
        ("chime", "list_accounts", {"error": "ServiceUnavailableException"}),
        ("sts", "get_caller_identity", {"kind": "drop"}),
        ("chime", "list_accounts", {"kind": "drop_answer"}),
    ],
)
def test_boto3_retries(
    world: Any, backoffs: list[float], mode: str, service: str, operation: str, rule: dict[str, Any]
) -> None:
    faults(world).add(service=service, times=2, **rule)
    config = Config(retries={"total_max_attempts": 3, "mode": mode})
    answer = getattr(world.client(service, config=config), operation)()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert len(backoffs) >= 2
    assert counted(world) == [(3, 2)]


@pytest.mark.parametrize(("mode", "attempts"), [("legacy", 3), ("standard", 1), ("adaptive", 1)])
def test_only_the_legacy_mode_retries_the_throttling_of_chime(
    world: Any, backoffs: list[float], mode: str, attempts: int
) -> None:
    """The model does not mark ThrottledClientException as retryable, and the newer modes follow the model."""
    faults(world).add(service="chime", error="ThrottledClientException")
    config = Config(retries={"total_max_attempts": 3, "mode": mode})
    assert refusal(world.client("chime", config=config).list_accounts)[0] == 429
    assert counted(world) == [(attempts, attempts)]


@pytest.mark.parametrize("mode", ["standard", "adaptive"])
def test_boto3_gives_up_in_the_end(world: Any, backoffs: list[float], mode: str) -> None:
    faults(world).add(service="sts", error="Throttling")
    config = Config(retries={"total_max_attempts": 4, "mode": mode})
    assert refusal(world.client("sts", config=config).get_caller_identity)[1] == "Throttling"
    assert counted(world) == [(4, 4)]


def test_expired_credentials_are_not_retried(world: Any, backoffs: list[float]) -> None:
    credentials = world.assume("chime-reader")
    faults(world).add(kind="expired_credentials")
    config = Config(retries={"total_max_attempts": 5, "mode": "standard"})
    refusal(world.client("sts", credentials=credentials, config=config).get_caller_identity)
    assert counted(world) == [(1, 1)]


# Over HTTP.


def test_rules_are_put_shown_and_deleted(world: Any) -> None:
    assert control(world, "GET") == (200, {"rules": []})
    rule = {"service": "sts", "operation": "AssumeRole", "error": "ThrottlingException", "times": 2, "delay_seconds": 0}
    for body in ([rule], {"rules": [rule]}, rule):
        status, shown = control(world, "PUT", body)
        assert status == 200
        [found] = shown["rules"]
        assert found.pop("id")
        del rule["delay_seconds"]
        assert found == {"kind": "error", **rule, "calls": 0, "hits": 0}
        rule["delay_seconds"] = 0
    assert refusal(world.client("sts").assume_role, **ASSUME)[1] == "Throttling"
    assert control(world, "GET")[1]["rules"][0]["hits"] == 1
    assert control(world, "DELETE") == (200, {"rules": []})
    world.client("sts").assume_role(**ASSUME)
    assert control(world, "PUT", []) == (200, {"rules": []})


def test_rules_that_cannot_be_used_change_nothing(world: Any) -> None:
    control(world, "PUT", {"error": "Throttling"})
    bodies = ["{", "5", [5], [{"error": "Nonsense"}], [{"error": "Throttling"}, {"kind": "odd"}], "[" * 100_000]
    for body in bodies:
        status, answer = control(world, "PUT", body)
        assert status == 400
        assert answer["message"]
    assert control(world, "GET")[1]["rules"][0]["error"] == "Throttling"
    assert answer == {"message": "The body is not JSON."}


@pytest.mark.sqlite_driver
def test_a_database_that_does_not_answer(world: Any) -> None:
    world.database.close()
    for method in ("GET", "DELETE"):
        status, answer = control(world, method)
        assert (status, "database" in answer["message"]) == (503, True)


# In Python.


def test_rules_added_keep_the_counts_of_the_others(world: Any) -> None:
    first = faults(world).add(service="sts", error="Throttling", times=1)
    refusal(world.client("sts").get_caller_identity)
    second = faults(world).add(service="iam", error="Throttling")
    assert [(rule["id"], rule["hits"]) for rule in faults(world).rules] == [(first, 1), (second, 0)]
    world.client("sts").get_caller_identity()
    faults(world).clear()
    assert faults(world).rules == []


def test_there_is_an_end_to_adding(world: Any) -> None:
    faults(world).replace([{"error": "Throttling"}] * MAXIMUM_RULES)
    with pytest.raises(InvalidFaultError, match="at most 100 rules"):
        faults(world).add(error="Throttling")
    with pytest.raises(InvalidFaultError, match="at most 100 rules"):
        faults(world).replace([{"error": "Throttling"}] * (MAXIMUM_RULES + 1))
    assert len(faults(world).rules) == MAXIMUM_RULES


def test_the_log_shows_a_call_with_a_fault(world: Any) -> None:
    log = keep_log(world)
    rule_id = faults(world).add(error="Throttling", times=1)
    refusal(world.client("sts").get_caller_identity)
    dropped = faults(world).add(kind="drop", times=1)
    with pytest.raises(ConnectionClosedError):
        world.client("sts").get_caller_identity()
    shown = json.loads(world.application.test_client().get("/_rolecall/decisions").data)["decisions"]
    told = [(call["status"], call["error"]["code"], call["error"]["reason"]) for call in shown]
    assert told == [(0, "ConnectionDropped", f"fault rule {dropped}"), (400, "Throttling", f"fault rule {rule_id}")]
    log.close()


# Costs.


def statements(world: Any, call: Any) -> list[str]:
    """The statements that the database gets while a call is answered."""
    for _ in range(2):
        call()
    with sent_statements(world.database) as found:
        call()
    return found


# With fault rules a call on PostgreSQL reads in a transaction, because it must not start again.
@pytest.mark.sqlite_driver
def test_calls_that_no_rule_is_about_pay_nothing(world: Any) -> None:
    call = world.client("sts").get_caller_identity
    without = statements(world, call)
    assert len(without) == 3
    faults(world).add(service="iam", error="Throttling")
    assert statements(world, call) == without


def test_a_hit_leaves_caches_valid(world: Any) -> None:
    faults(world).add(error="Throttling", times=1)
    with world.database.snapshot() as connection:
        before = world.database.generation(connection)
    refusal(world.client("sts").get_caller_identity)
    assert counted(world) == [(1, 1)]
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) == before


# Several processes.


class Process:
    """An application over a shared database file, with its own database object."""

    def __init__(self, url: str) -> None:
        declared, clock = read_world_file(str(builtin_world_path())), Clock()
        self.database = open_database(url, declared, clock)
        self.application = application_over(self.database, declared, clock)

    def sts(self) -> Any:
        return client(self.application, "sts", "test", "test")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[list[Process]]:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    found = [Process(url) for _ in range(2)]
    yield found
    for process in found:
        process.database.close()


def test_rules_hold_in_every_process_and_end_with_a_reset(processes: list[Process]) -> None:
    first, second = processes
    first.application.sandbox.faults.add(service="sts", error="Throttling", times=3)
    assert refusal(second.sts().get_caller_identity)[1] == "Throttling"
    assert refusal(first.sts().get_caller_identity)[1] == "Throttling"
    assert [rule["hits"] for rule in second.application.sandbox.faults.rules] == [2]
    assert second.application.test_client().post("/_rolecall/reset").status_code == 200
    first.sts().get_caller_identity()
    assert first.application.sandbox.faults.rules == []


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_rule_strikes_no_more_calls_than_it_says(world: Any, processes: list[Process], in_memory: bool) -> None:
    applications = [world.application] * 2 if in_memory else [process.application for process in processes]
    applications[0].sandbox.faults.add(service="sts", error="Throttling", nth=3, times=7)
    failed: list[int] = []

    def call(application: Any) -> None:
        sts = client(application, "sts", "test", "test")
        for _ in range(10):
            try:
                sts.get_caller_identity()
            except ClientError:
                failed.append(1)

    threads = [threading.Thread(target=call, args=(applications[number % 2],)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 7
    [rule] = applications[1].sandbox.faults.rules
    assert (rule["calls"], rule["hits"]) == (40, 7)
