"""The access log: one line for each AWS call, as text and as JSON, without secrets, and never in the way of a call."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rolecall.call_log import access_log
from rolecall.call_log.access_log import AccessLog
from rolecall.commands.log_lines import LOG_FORMATTERS


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def lines(self, form: str) -> list[str]:
        formatter = LOG_FORMATTERS[form]()
        return [formatter.format(record) for record in self.records]


@pytest.fixture
def kept() -> Iterator[_Kept]:
    handler = _Kept()
    access_log.log.addHandler(handler)
    yield handler
    access_log.log.removeHandler(handler)
    access_log.log.setLevel(logging.NOTSET)


def test_each_call_is_a_line(world: Any, kept: _Kept) -> None:
    log = AccessLog()
    answer = world.client("iam").get_user(UserName="developer")
    with pytest.raises(ClientError) as denied:
        world.client("iam", user="developer").create_user(UserName="x")
    with pytest.raises(ClientError) as unknown:
        world.client("sts", keys=("absent", "a secret")).get_caller_identity()
    for outcome in world.outcomes:
        log.record(outcome)
    assert kept.records == []
    assert log.write_waiting() is False
    ids = [answer["ResponseMetadata"]["RequestId"]]
    ids += [caught.value.response["ResponseMetadata"]["RequestId"] for caught in (denied, unknown)]
    admin = "arn:aws:iam::111122223333:user/admin"
    first, second, third = [json.loads(line) for line in kept.lines("json")]
    assert [each["request_id"] for each in (first, second, third)] == ids
    assert first["level"] == "info"
    assert first["logger"] == "rolecall.access"
    assert first["time"].endswith("Z")
    wanted = ("service", "operation", "region", "account_id", "caller", "access_key_id", "outcome", "error_code")
    assert [first[name] for name in wanted] == [
        *("iam", "GetUser", "us-east-1", "111122223333", admin, "test", "Allowed", "")
    ]
    assert first["status"] == 200
    assert 0 <= first["latency_seconds"] < 300
    assert first["user_agent"].startswith("Boto3/")
    assert (second["outcome"], second["error_code"], second["status"]) == ("ImplicitDeny", "AccessDenied", 403)
    assert (third["caller"], third["access_key_id"], third["outcome"]) == ("", "absent", "InvalidClientTokenId")
    texts = kept.lines("text")
    assert f" rolecall.access {ids[0]} {admin} iam:GetUser Allowed 200 " in texts[0]
    assert f" {ids[2]} - sts:GetCallerIdentity InvalidClientTokenId 403 " in texts[2]
    assert "a secret" not in repr(kept.lines("json")) + repr(texts)


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_client_sends_ends_no_line(world: Any, kept: _Kept, form: str) -> None:
    log = AccessLog()
    hostile = "a\nb\r\x1b[31m\u202e\u2028" + "x" * 5000
    client = world.client("sts", keys=(hostile.encode("ascii", "ignore").decode()[:5].replace("\n", ""), "secret"))
    with pytest.raises(ClientError):
        client.get_caller_identity()
    [outcome] = world.outcomes
    outcome.user_agent = outcome.access_key_id = outcome.region = hostile
    log.record(outcome)
    log.close()
    [line] = kept.lines(form)
    assert len(line.splitlines()) == 1
    assert not {"\x1b", "\u202e", "\u2028"} & set(line)
    assert len(line) < 5000


def test_calls_beyond_the_queue_are_counted(world: Any, kept: _Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log, "QUEUE_LIMIT", 2)
    log = AccessLog()
    world.client("sts").get_caller_identity()
    for _ in range(5):
        log.record(world.outcomes[0])
    log.write_waiting()
    assert len(kept.records) == 3
    assert json.loads(kept.lines("json")[2])["message"].startswith("3 calls are not in the access log")
    log.record(world.outcomes[0])
    log.write_waiting()
    assert len(kept.records) == 4


def test_a_traceback_is_a_member_of_one_json_line() -> None:
    try:
        raise ValueError("what\nhappened")
    except ValueError:
        record = logging.LogRecord("rolecall", logging.ERROR, "", 0, "it \u202e %s", ("failed\n",), sys.exc_info())
    [line] = LOG_FORMATTERS["json"]().format(record).splitlines()
    shown = json.loads(line)
    assert (shown["level"], shown["message"]) == ("error", "it \u202e failed\n")
    assert shown["exception"].startswith("Traceback")
    assert line.isascii()
