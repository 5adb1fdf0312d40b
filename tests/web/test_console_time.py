"""The console's page of the clock, the fault rules, snapshots and the reset."""

from __future__ import annotations

import io
import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError
from console_visits import CONSOLE, form_token, post, text_of
from logged_worlds import keep_log

from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

PAGE = "/time"
SECRET = "developer-secret"


@pytest.fixture
def browser(world: Any) -> Any:
    return world.application.test_client()


def sandbox(world: Any) -> Any:
    return world.application.sandbox


def text_at(browser: Any) -> str:
    page = browser.get(CONSOLE + PAGE)
    assert page.status_code == 200
    assert "method" not in page.text.replace('method="', "")
    return text_of(page)


def sent(browser: Any, path: str, **fields: Any) -> Any:
    return post(browser, f"{PAGE}/{path}", PAGE, **fields)


# The clock.


@pytest.mark.parametrize(
    ("change", "seconds"), [("+15m", 900), ("+1h", 3600), ("+1d", 86_400), ("-1h", -3600), ("+1h30m", 5400)]
)
def test_a_step_moves_the_clock_for_calls_too(world: Any, browser: Any, change: str, seconds: int) -> None:
    before = world.clock.now_seconds() - world.clock.wall_seconds()
    answer = sent(browser, "clock", change=change)
    assert (answer.status_code, answer.headers["Location"]) == (303, CONSOLE + PAGE)
    assert world.clock.now_seconds() - world.clock.wall_seconds() - before == pytest.approx(seconds, abs=0.01)
    credentials = world.client("sts", "developer").get_session_token(DurationSeconds=900)["Credentials"]
    issued_at = credentials["Expiration"].timestamp() - 900
    assert issued_at - world.clock.wall_seconds() == pytest.approx(seconds, abs=5)
    assert f"In a terminal: rolecall clock {change} --endpoint http://localhost" in text_at(browser)


def test_the_clock_is_set_frozen_and_reset(world: Any, browser: Any) -> None:
    sent(browser, "clock", change="2030-01-01T00:00:00Z")
    assert "2030-01-01T00:0" in text_at(browser)
    sent(browser, "clock", change="freeze")
    assert world.clock.frozen
    assert "frozen" in text_at(browser)
    sent(browser, "clock", change="unfreeze")
    assert not world.clock.frozen
    sent(browser, "clock", change="reset")
    assert world.clock.offset_seconds == 0


@pytest.mark.parametrize(
    "change", ["", "tomorrow", "+", "+1", "1h", "+1h;reset", "12000-01-01T00:00:00Z", "+999999999d"]
)
def test_what_is_no_change_moves_nothing(world: Any, browser: Any, change: str) -> None:
    world.clock.freeze()
    before = world.clock.now_seconds()
    answer = sent(browser, "clock", change=change)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert world.clock.now_seconds() == before


# Faults.


def test_a_rule_is_added_strikes_and_is_removed(world: Any, browser: Any) -> None:
    given = {"service": "sts", "operation": "GetCallerIdentity", "error": "Throttling", "times": "1"}
    assert sent(browser, "faults", **given).status_code == 303
    page = text_at(browser)
    command = (
        """rolecall faults add '{"service": "sts", "operation": "GetCallerIdentity", "error": "Throttling", "times"""
    )
    assert command in page
    sts = world.client("sts", "developer")
    with pytest.raises(ClientError, match="Throttling"):
        sts.get_caller_identity()
    assert sts.get_caller_identity()["Account"]
    [rule] = sandbox(world).faults.rules
    assert (rule["calls"], rule["hits"]) == (2, 1)
    page = text_at(browser)
    assert f"rolecall faults remove {rule['id']} --endpoint http://localhost" in page
    assert "rolecall faults clear --endpoint http://localhost" in page
    assert "Matching calls: 2. Hits: 1." in page
    assert sent(browser, "faults/remove", id=rule["id"]).status_code == 303
    assert sandbox(world).faults.rules == []


def test_numbers_reach_the_rule_as_numbers(world: Any, browser: Any) -> None:
    given = {"kind": "delay", "delay_seconds": "0.5", "nth": "3", "times": "2", "probability": "0.25", "seed": "7"}
    sent(browser, "faults", **given)
    [rule] = sandbox(world).faults.rules
    for count in ("id", "calls", "hits"):
        del rule[count]
    assert rule == {"kind": "delay", "delay_seconds": 0.5, "nth": 3, "times": 2, "probability": 0.25, "seed": 7}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "say what must happen"),
        ({"kind": "delay"}, "the kind delay needs delay_seconds above 0"),
        ({"error": "NoSuchCode"}, "NoSuchCode is not an error of"),
        ({"error": "Throttling", "times": "often"}, "times must be a number from 1"),
        ({"error": "Throttling", "probability": "nan"}, "probability must be a number above 0"),
        ({"error": "Throttling", "probability": "1e400"}, "probability must be a number above 0"),
        ({"error": "Throttling", "principal": "ana"}, "principal must be an ARN"),
        ({"kind": "explode"}, "kind must be one of"),
        ({"error": "Throttling", "seed": "9" * 5000}, "seed must be a whole number"),
    ],
)
def test_a_rule_with_a_problem_is_not_added(world: Any, browser: Any, given: dict[str, str], problem: str) -> None:
    answer = sent(browser, "faults", **given)
    assert answer.status_code == 400
    assert problem in unescape(answer.text)
    assert sandbox(world).faults.rules == []
    # What was written is not lost.
    assert all(text in answer.text for key, text in given.items() if key not in ("kind",))


def test_the_other_rules_go_on_counting(world: Any, browser: Any) -> None:
    for error in ("Throttling", "ServiceUnavailable"):
        sent(browser, "faults", service="sts", operation="GetCallerIdentity", error=error, times="1")
    first, second = sandbox(world).faults.rules
    with pytest.raises(ClientError):
        world.client("sts", "developer").get_caller_identity()
    sent(browser, "faults/remove", id=second["id"])
    sent(browser, "faults", service="iam", error="Throttling")
    assert [(rule["id"] == first["id"], rule["calls"]) for rule in sandbox(world).faults.rules] == [
        (True, 1),
        (False, 0),
    ]


def test_all_rules_are_removed(world: Any, browser: Any) -> None:
    sent(browser, "faults", service="sts", error="Throttling")
    assert sent(browser, "faults/clear").status_code == 303
    assert sandbox(world).faults.rules == []


def test_a_rule_that_is_not_there_is_not_removed(world: Any, browser: Any) -> None:
    sent(browser, "faults", service="sts", error="Throttling")
    assert sent(browser, "faults/remove", id="x").status_code == 404
    assert len(sandbox(world).faults.rules) == 1


# The control endpoints and the commands that do the same.


def test_one_rule_is_added_and_removed_over_http(world: Any, browser: Any) -> None:
    rule = {"service": "sts", "error": "Throttling", "times": 2}
    first = browser.post("/_rolecall/faults", json=rule).json["rules"]
    both = browser.post("/_rolecall/faults", json={"kind": "delay", "delay_seconds": 1}).json["rules"]
    assert [each["kind"] for each in both] == ["error", "delay"]
    assert both[0] == first[0]
    left = browser.delete(f"/_rolecall/faults/{both[1]['id']}")
    assert (left.status_code, left.json["rules"]) == (200, first)
    for answer in (browser.delete("/_rolecall/faults/x"), browser.delete(f"/_rolecall/faults/{both[1]['id']}")):
        assert (answer.status_code, answer.json) == (404, {"message": "There is no fault rule with this id."})
    for body in ([rule], "x", {"kind": "explode"}, {"self": 1}, None):
        assert browser.post("/_rolecall/faults", json=body).status_code == 400
    assert browser.get("/_rolecall/faults").json["rules"] == first


# Snapshots and the reset.


def test_a_snapshot_is_downloaded_and_loaded_again(world: Any, browser: Any) -> None:
    world.client("iam").create_user(UserName="made")
    answer = sent(browser, "snapshot", last_used="yes")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="rolecall-snapshot.yaml"'
    assert answer.headers["Cache-Control"] == "no-store"
    users = [user["name"] for account in yaml.safe_load(answer.text)["accounts"] for user in account.get("users", ())]
    assert "made" in users
    world.client("iam").delete_user(UserName="made")
    loaded = sent(browser, "load", confirm="yes", file=(io.BytesIO(answer.data), "snapshot.yaml"))
    assert loaded.status_code == 303
    assert world.client("iam").get_user(UserName="made")["User"]["UserName"] == "made"
    assert "The snapshot is loaded." in text_at(browser)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"confirm": "yes"}, "Choose a file first."),
        ({"file": (b"version: 1", "a.yaml")}, "Tick the box first."),
        ({"confirm": "yes", "file": (b"version: 1", "a.yaml")}, "line 1: lacks accounts"),
        ({"confirm": "yes", "file": (b"\xff\xfe", "a.yaml")}, "The snapshot is not UTF-8 text."),
        ({"confirm": "yes", "file": (b"<script>alert(1)</script>", "<script>.yaml")}, "The snapshot cannot be loaded."),
    ],
)
def test_a_snapshot_with_a_problem_changes_nothing(
    world: Any, browser: Any, fields: dict[str, Any], problem: str
) -> None:
    given = {key: (io.BytesIO(each[0]), each[1]) if key == "file" else each for key, each in fields.items()}
    answer = sent(browser, "load", **given)
    assert answer.status_code == 400
    assert problem in answer.text
    assert "<script>alert" not in answer.text
    assert world.client("iam").get_user(UserName="developer")["User"]["UserName"] == "developer"


def test_a_snapshot_may_be_larger_than_other_forms(world: Any, browser: Any) -> None:
    # A snapshot ends with a line that shows that it is whole.
    text = sandbox(world).save().replace("\nsettings:", "\n" + "# a comment\n" * 40_000 + "settings:")
    loaded = sent(browser, "load", confirm="yes", file=(io.BytesIO(text.encode()), "snapshot.yaml"))
    assert loaded.status_code == 303
    # Its other fields may not.
    token = form_token(browser, PAGE)
    data = {"form_token": token, "confirm": "x" * 300_000, "file": (io.BytesIO(b"version: 1"), "a")}
    assert browser.post(f"{CONSOLE}{PAGE}/load", data=data).status_code == 413
    assert browser.post(f"{CONSOLE}{PAGE}/clock", data={"form_token": token, "x": "x" * 300_000}).status_code == 413


def test_the_reset_needs_a_tick(world: Any, browser: Any) -> None:
    log = keep_log(world)
    browser = world.application.test_client()
    world.client("iam").create_user(UserName="made")
    world.clock.advance(3600)
    sandbox(world).faults.add(service="chime", kind="delay", delay_seconds=1)
    answer = sent(browser, "reset")
    assert (answer.status_code, "Tick the box first" in answer.text) == (400, True)
    assert world.client("iam").get_user(UserName="made")
    assert sent(browser, "reset", confirm="yes").status_code == 303
    with pytest.raises(ClientError, match="NoSuchEntity"):
        world.client("iam").get_user(UserName="made")
    assert (world.clock.offset_seconds, sandbox(world).faults.rules) == (0, [])
    assert "The sandbox is as its file declares it." in text_at(browser)
    log.close()


def test_the_page_names_the_commands_for_a_database_in_a_file(tmp_path: Path) -> None:
    declared, clock = read_world_file(str(builtin_world_path())), Clock()
    database = open_database(f"sqlite:///{tmp_path}/a.db", declared, clock)
    try:
        application = application_over(database, declared, clock)
        page = unescape(application.test_client().get(CONSOLE + PAGE).text)
        assert f"rolecall snapshot save rolecall-snapshot.yaml --database sqlite:///{tmp_path}/a.db" in page
        assert "curl -s -X POST http://localhost/_rolecall/reset" in page
    finally:
        database.close()


def test_the_page_itself_changes_nothing_and_holds_no_secret(world: Any, browser: Any) -> None:
    before = sandbox(world).save()
    page = browser.get(CONSOLE + PAGE).text
    for path in ("clock", "faults", "faults/remove", "faults/clear", "snapshot", "load", "reset"):
        assert browser.get(f"{CONSOLE}{PAGE}/{path}").status_code == 405
    assert SECRET not in page
    assert sandbox(world).save() == before
    assert json.loads(browser.get("/_rolecall/clock").text)["offset_seconds"] == 0
