"""The decision log: what it records of every call, what it never records, and what it does when things go wrong."""

from __future__ import annotations

import json
import logging
import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from logged_worlds import EVERYTHING, keep_log, names, new_log, outcome, refused, request_id
from msgspec.structs import replace

from rolecall.call_log import waiting_calls
from rolecall.call_log.background import BackgroundWriter
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import monotonic_seconds
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.principals import Caller, Principal
from rolecall.storage import decision_log as store_module
from rolecall.storage import log_keepers, sqlite_log
from rolecall.storage.decision_log import CallFilter, DecisionStore, LoggedCall, RefusalDetails, decision_log_path

PARTNER = "arn:aws:iam::444455556666:role/chime-partner"


@pytest.fixture
def log(world: Any) -> Iterator[DecisionLog]:
    kept = keep_log(world)
    yield kept
    kept.close()


# The record of a call.


def test_an_allowed_call_is_recorded_in_full(world: Any, log: DecisionLog) -> None:
    world.clock.freeze()
    credentials = world.assume("chime-reader")
    begun = monotonic_seconds()
    answer = world.client("chime", credentials=credentials).list_accounts()
    longest_seconds = monotonic_seconds() - begun
    call = log.call(request_id(answer))
    assert call is not None
    assert call.principal == f"arn:aws:sts::{world.first_account}:assumed-role/chime-reader/session"
    assert call.principal_arn == f"arn:aws:iam::{world.first_account}:role/chime-reader"
    assert (call.account_id, call.access_key_id) == (world.first_account, credentials["AccessKeyId"])
    assert (call.service, call.operation, call.region, call.status) == ("chime", "ListAccounts", "us-east-1", 200)
    assert (call.outcome, call.error_code, call.message, call.reason) == ("Allowed", "", "", "")
    assert (call.source_ip, call.user_agent[:6]) == ("127.0.0.1", "Boto3/")
    assert 0 < call.latency_seconds < longest_seconds
    assert call.at_seconds == world.clock.now_seconds()
    session = json.loads(call.session)
    assert (session["type"], session["name"]) == ("AssumeRole", "session")
    assert session["expires_at_seconds"] - session["issued_at_seconds"] == 3600
    [decision] = json.loads(call.decisions)
    assert decision["statement"] == {
        "policy": "AmazonChimeReadOnly",
        "policy_arn": "arn:aws:iam::aws:policy/AmazonChimeReadOnly",
        "sid": "",
        "index": 0,
    }
    assert {key: decision[key] for key in ("action", "resource", "outcome", "layer")} == {
        "action": "chime:ListAccounts",
        "resource": "*",
        "outcome": "Allowed",
        "layer": "identity",
    }


def test_calls_that_ask_alike_show_the_statement_that_decided_each(world: Any, log: DecisionLog) -> None:
    """Texts of decisions are remembered by action and resource, which do not say who asks."""
    by_admin, by_role = world.client("chime"), world.client("chime", credentials=world.assume("chime-reader"))
    expected = []
    for client, policy in ((by_admin, "AdministratorAccess"), (by_role, "AmazonChimeReadOnly")) * 2:
        expected.append((request_id(client.list_accounts()), policy))
    for made, policy in expected:
        call = log.call(made)
        assert call is not None
        [decision] = json.loads(call.decisions)
        assert (decision["action"], decision["resource"]) == ("chime:ListAccounts", "*")
        assert (decision["outcome"], decision["statement"]["policy"]) == ("Allowed", policy)
        assert call.actions == "|chime:listaccounts|"


def test_a_refusal_is_explained(world: Any, log: DecisionLog) -> None:
    made, message = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    call, details = log.call(made), log.details(made)
    assert call is not None
    assert details is not None
    assert (call.outcome, call.error_code, call.status, call.message) == ("ImplicitDeny", "AccessDenied", 403, message)
    explanation = json.loads(details.explanation)
    assert explanation["context"]["aws:username"] == "admin"
    [evaluation] = explanation["evaluations"]
    assert evaluation["context"] == {"sts:RoleSessionName": "abc", "aws:ResourceAccount": PARTNER.split(":")[4]}
    assert [(layer["layer"], layer["effect"]) for layer in evaluation["layers"]] == [
        ("trust", "ImplicitDeny"),
        ("identity", "Allow"),
    ]
    assert evaluation["nearest"]["conditions"][0]["key"] == "sts:ExternalId"
    documents = {policy["name"]: json.loads(details.policies[policy["digest"]]) for policy in explanation["policies"]}
    assert documents["trust policy"]["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "partner-id"}}


def test_permissions_allowed_before_the_refused_one_are_recorded(make_world: Any) -> None:
    everyone = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
    user = {
        "name": "ana",
        "access_keys": [{"id": "ana_key", "secret": "ana-secret"}],
        "inline_policies": {"own": {"Version": "2012-10-17", "Statement": [allow]}},
    }
    role = {"name": "tagged", "trust_policy": {"Version": "2012-10-17", "Statement": [everyone]}}
    account = {"id": "111122223333", "users": [user], "roles": [role]}
    world = make_world(json.dumps({"version": 1, "accounts": [account]}))
    log = keep_log(world)
    made, _ = refused(
        world.client("sts", "ana").assume_role,
        RoleArn="arn:aws:iam::111122223333:role/tagged",
        RoleSessionName="abc",
        Tags=[{"Key": "team", "Value": "blue"}],
    )
    [call] = log.calls(EVERYTHING)
    assert call.request_id == made
    assert [(each["action"], each["outcome"]) for each in json.loads(call.decisions)] == [
        ("sts:AssumeRole", "Allowed"),
        ("sts:TagSession", "ImplicitDeny"),
    ]
    assert call.actions == "|sts:assumerole|sts:tagsession|"
    log.close()


def test_a_call_that_no_policy_was_asked_about(world: Any, log: DecisionLog) -> None:
    made = request_id(world.client("sts").get_caller_identity())
    call = log.call(made)
    assert call is not None
    assert (call.outcome, call.actions, call.decisions) == ("Allowed", "|sts:getcalleridentity|", "[]")
    assert log.details(made) is None


def test_an_allowed_call_that_failed_is_allowed_and_says_the_error(world: Any, log: DecisionLog) -> None:
    made, _ = refused(world.client("iam").get_user, UserName="nobody")
    call = log.call(made)
    assert call is not None
    assert (call.outcome, call.error_code, call.status) == ("Allowed", "NoSuchEntity", 404)
    assert log.details(made) is None


def test_refusals_before_any_decision_have_their_code_as_outcome(world: Any, log: DecisionLog) -> None:
    unknown, _ = refused(world.client("sts", keys=("nobody_key", "secret")).get_caller_identity)
    bad_value, _ = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="a:b")
    found = {call.request_id: call for call in log.calls(EVERYTHING)}
    assert (found[unknown].outcome, found[unknown].principal) == ("InvalidClientTokenId", "")
    assert found[unknown].access_key_id == "nobody_key"
    assert found[unknown].reason != ""
    assert found[bad_value].outcome == "ValidationError"
    assert found[bad_value].principal.endswith(":user/admin")


def test_an_error_is_called_what_its_service_calls_it(world: Any, log: DecisionLog) -> None:
    sts, chime = (world.client(service, keys=("nobody_key", "secret")) for service in ("sts", "chime"))
    of_sts, _ = refused(sts.get_caller_identity)
    of_chime, _ = refused(chime.list_accounts)
    found = {call.request_id: call for call in log.calls(EVERYTHING)}
    assert (found[of_sts].outcome, found[of_sts].error_code) == ("InvalidClientTokenId", "InvalidClientTokenId")
    assert (found[of_chime].outcome, found[of_chime].error_code) == ("UnrecognizedClientException",) * 2
    assert names(log, CallFilter(outcome="UnrecognizedClientException")) == [of_chime]


def test_a_call_that_is_too_large_says_where_it_came_from(world: Any, log: DecisionLog) -> None:
    answer = world.application.test_client().post(
        "/", data=b"x" * (1 << 21), headers={"User-Agent": "curious/1"}, environ_base={"REMOTE_ADDR": "192.0.2.7"}
    )
    call = log.call(answer.headers["x-amzn-RequestId"])
    assert call is not None
    assert (call.error_code, call.status) == ("RequestEntityTooLarge", 413)
    assert (call.source_ip, call.user_agent) == ("192.0.2.7", "curious/1")


def test_what_matches_no_operation_is_logged_too(world: Any, log: DecisionLog) -> None:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "Action=Nothing&Version=2011-06-15",
        "HTTP_HOST": "localhost",
        "wsgi.url_scheme": "http",
        "REMOTE_ADDR": "127.0.0.1",
    }
    headers: dict[str, str] = {}
    b"".join(world.application.wsgi_app(environ, lambda _status, given: headers.update(given)))
    call = log.call(headers["x-amzn-RequestId"])
    assert call is not None
    assert (call.service, call.operation, call.outcome, call.status) == ("sts", "", "InvalidAction", 400)


def test_a_failure_of_the_product_itself_names_the_caller(
    world: Any, log: DecisionLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("rolecall.gateway.operation.check_constraints", broken)
    made, _ = refused(world.client("sts").get_caller_identity)
    call = log.call(made)
    assert call is not None
    assert (call.outcome, call.status) == ("InternalFailure", 500)
    assert call.principal.endswith(":user/admin")
    assert "failed unexpectedly" in caplog.text


# What is never recorded.


def test_no_secret_token_or_signature_is_written(world: Any, tmp_path: Path) -> None:
    path = tmp_path / "rolecall.db"
    log = keep_log(world, f"sqlite:///{path}")
    credentials = world.assume("chime-reader")
    chime = world.client("chime", credentials=credentials)
    chime.list_accounts()
    refused(chime.create_account, Name="x")
    # AWS's message for a wrong signature shows the signed headers, and so the token too.
    wrong = (credentials["AccessKeyId"], "not-the-secret", credentials["SessionToken"])
    _, message = refused(world.client("sts", keys=wrong).get_caller_identity)
    assert credentials["SessionToken"] in message
    damaged = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"][:-4] + "!!!!")
    refused(world.client("sts", keys=damaged).get_caller_identity)
    key = world.client("iam").create_access_key(UserName="developer")["AccessKey"]
    log.close()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("rolecall-decisions.db*"))
    assert credentials["AccessKeyId"].encode() in written
    texts = [written]
    with sqlite3.connect(tmp_path / "rolecall-decisions.db") as driver:
        texts += [store_module._unpacked(row[0]).encode() for row in driver.execute("SELECT explanation FROM refusals")]
    driver.close()
    assert len(texts) == 2
    for text in texts:
        for secret in (credentials["SecretAccessKey"], credentials["SessionToken"], key["SecretAccessKey"]):
            assert secret.encode() not in text
        assert b"AWS4-HMAC-SHA256" not in text
        assert b"Signature=" not in text


def test_a_broken_authorization_header_is_not_repeated(world: Any, log: DecisionLog) -> None:
    headers = {"host": "localhost", "authorization": "AWS4-HMAC-SHA256 Credential=SECRET-BY-MISTAKE, nonsense"}
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    body = b"".join(world.application.wsgi_app(environ, lambda *_: None))
    assert b"SECRET-BY-MISTAKE" in body
    [call] = log.calls(EVERYTHING)
    assert call.outcome == "IncompleteSignature"
    assert "SECRET-BY-MISTAKE" not in repr(call)


def test_the_body_of_a_request_is_not_held_by_its_decision(world: Any, log: DecisionLog) -> None:
    world.client("iam").create_user(UserName="ana")
    decision = world.outcomes[-1].decisions[-1]
    moment = decision.question.context._moment  # type: ignore[attr-defined]
    held = [getattr(moment, name) for name in moment.__slots__]
    assert not any(isinstance(value, HttpRequest | dict | bytes) for value in held)


def test_long_texts_are_cut_and_strange_ones_survive() -> None:
    log = new_log()
    log.record(outcome("a", AwsError("ValidationError", "\ud800" + "x" * 10_000)))
    log.record(replace(outcome("b"), user_agent="ü" * 5_000))
    found = {call.request_id: call for call in log.calls(EVERYTHING)}
    assert len(found["a"].message) == 4096
    assert len(found["b"].user_agent) == 512
    log.close()


# Finding calls.


def test_calls_come_newest_first_and_as_many_as_wanted() -> None:
    log = new_log()
    for number in range(20):
        log.record(outcome(f"call-{number}", at=float(number)))
    assert names(log) == [f"call-{number}" for number in reversed(range(20))]
    assert names(log, CallFilter(limit=3)) == ["call-19", "call-18", "call-17"]
    assert names(log, CallFilter(since_seconds=18.0)) == ["call-19", "call-18"]
    log.close()


def test_refused_and_allowed_calls_keep_the_order_of_their_arrival() -> None:
    log = new_log()
    log.record(outcome("first", AwsError("Throttling"), at=1.0))
    log.record(outcome("second", at=2.0))
    log.record(outcome("third", AwsError("Throttling"), at=3.0))
    assert names(log) == ["third", "second", "first"]
    log.close()


def test_many_calls_at_once_keep_their_order() -> None:
    log = new_log()
    for number in range(900):
        # First many refused calls, then many allowed ones, so that batches hold both.
        error = AwsError("Throttling") if number < 500 or number % 7 == 0 else None
        log.record(outcome(str(number), error))
    assert names(log) == [str(number) for number in reversed(range(900))]
    log.close()


def test_the_last_call_is_first_whatever_the_clock_of_the_machine_says() -> None:
    log = new_log()
    log.record(outcome("in 2030", AwsError("AccessDenied", "No."), at=1_893_456_000.0))
    log.record(outcome("in 2020", at=1_577_836_800.0))
    assert names(log) == ["in 2020", "in 2030"]
    log.record(outcome("in 1990", at=631_152_000.0))
    assert names(log, CallFilter(limit=1)) == ["in 1990"]
    log.close()


def test_filters(world: Any, log: DecisionLog) -> None:
    reader = world.client("chime", credentials=world.assume("chime-reader"))
    listed = request_id(reader.list_accounts())
    denied, _ = refused(reader.create_account, Name="x")
    asked = request_id(world.client("sts").get_caller_identity())
    role = f"arn:aws:iam::{world.first_account}:role/chime-reader"
    session = f"arn:aws:sts::{world.first_account}:assumed-role/chime-reader/session"

    def found(**wanted: Any) -> set[str]:
        return {call.request_id for call in log.calls(CallFilter(**wanted))}

    assert found(principal=role) == found(principal=session) == {listed, denied}
    assert found(principal=role[:-1]) == set()
    assert found(action="chime:ListAccounts") == found(action="CHIME:listaccounts") == {listed}
    assert found(action="chime:*") == {listed, denied}
    assert found(action="chime:List*") == {listed}
    assert found(action="sts:GetCallerIdentity") == {asked}
    assert found(action="chime:List") == set()
    assert found(outcome="ImplicitDeny") == found(outcome="Refused") == {denied}
    assert found(outcome="Allowed", action="chime:*") == {listed}
    assert found(outcome="refused") == found(outcome="implicitdeny") == {denied}


# Bounds.


def test_the_newest_calls_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KEPT_CALLS", "_PRUNE_AFTER_CALLS"):
        monkeypatch.setattr(store_module, name, 100)
    monkeypatch.setattr(store_module, "_KEPT", "position > (SELECT max(position) FROM calls) - 100")
    log = new_log()
    for number in range(450):
        log.record(outcome(f"call-{number}", at=float(number)))
    assert log.forgotten() == 0
    assert names(log, CallFilter(limit=1000)) == [f"call-{number}" for number in range(449, 349, -1)]
    assert log.forgotten() == 350
    with log.store._reading() as driver:
        assert driver.execute("SELECT count(*) FROM calls").fetchone()[0] <= 200
    log.close()


def test_details_are_kept_a_day_of_the_sandbox(world: Any, log: DecisionLog) -> None:
    made, _ = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    world.clock.advance(24 * 3600 - 60)
    assert log.details(made) is not None
    world.clock.advance(120)
    assert log.details(made) is None
    assert log.call(made) is not None


def test_old_details_and_their_policies_leave_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_PRUNE_AFTER_CALLS", 1)
    store = DecisionStore(":memory:")

    def write(name: str, at_seconds: float, policies: dict[str, str]) -> None:
        call = LoggedCall(*[at_seconds, at_seconds, name, *[""] * 14, 403, 0.0, "", ""])  # type: ignore[arg-type]
        details = RefusalDetails(name, "1", "", "us-east-1", at_seconds, "{}", policies)
        store.write([call], {name: details}, {}, at_seconds)

    write("old", 0.0, {"one": "text of one", "both": "text of both"})
    write("new", 90_000.0, {"both": "text of both"})
    assert store.details("old") is None
    found = store.details("new")
    assert found is not None
    assert found.policies == {"both": "text of both"}
    with store._reading() as driver:
        assert [row[0] for row in driver.execute("SELECT digest FROM policies")] == ["both"]
    store.close()


def test_allowed_calls_are_left_out_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_calls, "ALLOWED_LIMIT", 10)
    monkeypatch.setattr(waiting_calls, "REFUSED_LIMIT", 20)
    log = new_log()
    for number in range(15):
        log.record(outcome(f"allowed-{number}", at=float(number)))
        log.record(outcome(f"refused-{number}", AwsError("Throttling"), at=number + 0.5))
    assert [name for name in names(log) if name.startswith("refused")] == [f"refused-{n}" for n in range(14, -1, -1)]
    assert [name for name in names(log) if name.startswith("allowed")] == [f"allowed-{n}" for n in range(9, -1, -1)]
    assert log.dropped() == {"allowed": 5, "refused": 0}
    for number in range(25):
        log.record(outcome(f"more-{number}", AwsError("Throttling")))
    log.flush()
    assert log.dropped() == {"allowed": 5, "refused": 5}
    log.close()


# The file.


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///rolecall.db", "rolecall-decisions.db"),
        ("sqlite:////var/data/rolecall.db", "/var/data/rolecall-decisions.db"),
        ("sqlite:///folder/world", "folder/world-decisions"),
        ("sqlite://", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///file:shared?mode=memory&uri=true", ":memory:"),
        ("postgresql+psycopg://someone@somewhere/rolecall", "postgresql+psycopg://someone@somewhere/rolecall"),
    ],
)
def test_where_the_log_is(url: str, path: str) -> None:
    assert decision_log_path(url) == path


def test_the_log_is_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    log = new_log(path)
    log.record(outcome("before"))
    log.close()
    again = new_log(path)
    again.record(outcome("after", at=1.0))
    assert names(again) == ["after", "before"]
    again.close()


def test_a_log_of_another_schema_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with sqlite3.connect(path) as driver:
        driver.execute("CREATE TABLE calls (something TEXT)")
        driver.execute("CREATE TABLE \"of another 'age'\" (something TEXT)")
        driver.execute(f"PRAGMA user_version={log_keepers.SCHEMA_VERSION + 1}")
    driver.close()
    log = new_log(path)
    log.record(outcome("call"))
    assert names(log) == ["call"]
    log.close()


def test_what_was_written_survives_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    child = multiprocessing.get_context("spawn").Process(target=_write_and_die, args=(str(path),))
    child.start()
    child.join()
    assert child.exitcode not in (0, None)
    log = new_log(path)
    assert names(log) == ["written"]
    log.close()


def _write_and_die(path: str) -> None:
    log = new_log(path)
    log.record(outcome("written"))
    log.flush()
    log.record(outcome("not written"))
    multiprocessing.current_process().kill()
    threading.Event().wait()


def test_a_process_that_ends_writes_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    children = [
        multiprocessing.get_context("spawn").Process(target=_write_and_end, args=(str(path), name)) for name in "ab"
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
        assert child.exitcode == 0
    log = new_log(path)
    assert sorted(names(log)) == sorted(f"{name}-{number}" for name in "ab" for number in range(500))
    log.close()


def _write_and_end(path: str, name: str) -> None:
    log = new_log(path)
    BackgroundWriter(log).start()
    for number in range(500):
        log.record(outcome(f"{name}-{number}"))


def test_the_thread_writes_by_itself() -> None:
    log = new_log()
    writer = BackgroundWriter(log)
    writer.start()
    log.record(outcome("call"))
    deadline = time.monotonic() + 300
    while not log.store.calls(EVERYTHING):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    writer.close()


def test_many_threads_hand_over_while_one_reads() -> None:
    log = new_log()

    def hand_over(name: str) -> None:
        for number in range(300):
            log.record(outcome(f"{name}-{number}"))

    threads = [threading.Thread(target=hand_over, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        log.calls(EVERYTHING)
    for thread in threads:
        thread.join()
    assert len(names(log, CallFilter(limit=5000))) == 1200
    log.close()


@pytest.mark.parametrize("kind", ["no folder", "a folder in its place"])
def test_a_broken_log_disturbs_no_call_and_says_so_once(
    world: Any, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path if kind == "a folder in its place" else tmp_path / "absent"
    if folder == tmp_path:
        (tmp_path / "rolecall-decisions.db").mkdir()
    log = keep_log(world, f"sqlite:///{folder / 'rolecall.db'}")
    with caplog.at_level(logging.WARNING, logger="rolecall.decisions"):
        for _ in range(3):
            assert world.client("sts").get_caller_identity()["Account"] == world.first_account
            log.flush()
        log.clear()
    assert [record.message for record in caplog.records].count("") == 0
    assert len(caplog.records) == 1
    assert "the decision log cannot be written" in caplog.text
    with pytest.raises(store_module.LogUnavailableError):
        log.calls(EVERYTHING)
    log.close()


def test_calls_wait_for_a_log_that_another_process_has_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_log, "_BUSY_TIMEOUT_SECONDS", 0)
    path = tmp_path / "log.db"
    log = new_log(path)
    log.record(outcome("first"))
    log.flush()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    log.record(outcome("second", at=1.0))
    log.record(outcome("third", AwsError("AccessDenied", "No."), at=2.0))
    log.flush()
    assert "the decision log cannot be written" in caplog.text
    other.execute("ROLLBACK")
    other.close()
    log.record(outcome("fourth", at=3.0))
    assert names(log) == ["fourth", "third", "second", "first"]
    assert log.dropped() == {"allowed": 0, "refused": 0}
    log.close()


def test_calls_that_wait_for_a_locked_log_are_bounded_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_log, "_BUSY_TIMEOUT_SECONDS", 0)
    monkeypatch.setattr(waiting_calls, "ALLOWED_LIMIT", 3)
    path = tmp_path / "log.db"
    log = new_log(path)
    log.flush()
    log.record(outcome("0"))
    log.flush()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for number in range(1, 9):
        log.record(outcome(str(number), at=float(number)))
        log.flush()
    other.execute("ROLLBACK")
    other.close()
    assert names(log) == ["3", "2", "1", "0"]
    assert log.dropped() == {"allowed": 5, "refused": 0}
    log.close()


@pytest.mark.parametrize("broken", [{"principal": "\ud800"}, {"source_ip": "\ud800"}, {"user_agent": None}])
def test_a_call_that_cannot_be_written_takes_no_other_with_it(broken: dict[str, Any]) -> None:
    log = new_log()
    bad = outcome("bad", at=1.0)
    if "principal" in broken:
        bad = replace(bad, caller=Caller(Principal("User", "1", "\ud800", "", "u", "e", "n"), "key"))
    else:
        bad = replace(bad, **broken)
    for each in (outcome("before"), bad, outcome("after", at=2.0)):
        log.record(each)
    assert names(log) == ["after", "before"]
    log.close()


# Reset.


def test_reset_empties_the_log(world: Any, log: DecisionLog) -> None:
    made, _ = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    log.flush()
    world.client("sts").get_caller_identity()
    answer = world.application.test_client().post("/_rolecall/reset")
    assert answer.status_code == 200
    assert log.calls(EVERYTHING) == []
    assert log.details(made) is None
    after = request_id(world.client("sts").get_caller_identity())
    assert names(log) == [after]


def test_calls_of_before_a_reset_that_another_process_still_holds_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    one, other = new_log(path), new_log(path, shared=True)
    now = time.time()
    other.record(outcome("before", at=now - 1))
    one.clear()
    other.record(outcome("after", at=time.time() + 1))
    other.flush()
    assert names(one) == ["after"]
    one.close()
    other.close()


def test_a_clock_that_is_set_back_after_a_reset_loses_no_call() -> None:
    log = new_log()
    log.clear()
    log.record(outcome("set back", at=time.time() - 3600))
    log.record(outcome("long ago", at=0.0))
    assert sorted(names(log)) == ["long ago", "set back"]
    log.close()


def test_an_application_without_a_log_works(world: Any) -> None:
    assert world.client("sts").get_caller_identity()["Account"] == world.first_account
    assert world.application.test_client().post("/_rolecall/reset").status_code == 200


# The pace of the log's thread.


class Main:
    """Stands for the main thread, which the log's thread waits for: it lives until the third wait."""

    def __init__(self, log: DecisionLog, calls: list[int]) -> None:
        self.log, self.calls = log, calls
        self.waited_seconds: list[float] = []

    def is_alive(self) -> bool:
        return len(self.waited_seconds) < 3

    def join(self, seconds: float) -> None:
        self.waited_seconds.append(seconds)
        for number in range(self.calls.pop(0)):
            self.log.record(outcome(f"{len(self.waited_seconds)}-{number}"))


@pytest.mark.parametrize(
    ("calls", "waited_seconds"),
    [([0, 0, 0], [0.2, 0.2, 0.2]), ([400, 400, 0], [0.2, 0.2, 0.2]), ([600, 600, 0], [0.2, 0.1, 0.1])],
)
def test_under_load_the_log_is_written_more_often(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, calls: list[int], waited_seconds: list[float]
) -> None:
    """A call that waits takes memory and is looked at by each garbage collection."""
    log = new_log(tmp_path / "log.db")
    main, expected = Main(log, list(calls)), sum(calls)
    monkeypatch.setattr(threading, "main_thread", lambda: main)
    BackgroundWriter(log)._run()
    assert main.waited_seconds == waited_seconds
    store = DecisionStore(str(tmp_path / "log.db"))
    assert (store.kept_calls() if expected else 0) == expected
    store.close()


def test_calls_are_written_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Because the thread that answers calls takes turns with each batch."""
    log, sizes = new_log(tmp_path / "log.db"), list[int]()
    write = log.store.write

    def counted(calls: Any, *others: Any) -> None:
        sizes.append(len(calls))
        write(calls, *others)

    monkeypatch.setattr(log.store, "write", counted)
    for number in range(1150):
        # No two allowed calls in a row, so that each call is a row of its own.
        log.record(outcome(str(number), AwsError("Throttling") if number % 2 else None))
    assert log.flush() == 1150
    assert sizes == [500, 500, 150]
    assert names(log, CallFilter(limit=2000)) == [str(number) for number in reversed(range(1150))]
    log.close()
