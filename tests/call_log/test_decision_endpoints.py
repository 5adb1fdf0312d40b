"""``GET /_rolecall/decisions``, one decision by its request id, and the text made from the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from logged_worlds import keep_log, refused, request_id

from rolecall.call_log.shown import explained_lines
from rolecall.call_log.writer import DecisionLog
from rolecall.ids import authorization_id

PARTNER = "arn:aws:iam::444455556666:role/chime-partner"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"


@pytest.fixture
def log(world: Any) -> Iterator[DecisionLog]:
    kept = keep_log(world)
    yield kept
    kept.close()


def get(world: Any, path: str, **options: Any) -> tuple[int, Any]:
    answer = world.application.test_client().get(f"/_rolecall/decisions{path}", **options)
    assert answer.content_type == "application/json"
    return answer.status_code, json.loads(answer.data)


def listed(world: Any, **parameters: Any) -> list[dict[str, Any]]:
    status, answer = get(world, "", query_string=parameters)
    assert status == 200
    return answer["decisions"]  # type: ignore[no-any-return]


def test_a_call_just_made_is_found(world: Any, log: DecisionLog) -> None:
    made = request_id(world.client("sts").get_caller_identity())
    [found] = listed(world)
    assert found["request_id"] == made
    status, shown = get(world, f"/{made}")
    assert (status, shown["operation"], shown["outcome"]) == (200, "GetCallerIdentity", "Allowed")


def test_the_members_of_an_entry(world: Any, log: DecisionLog) -> None:
    credentials = world.assume("chime-reader")
    made = request_id(world.client("chime", credentials=credentials).list_accounts())
    found = listed(world)[0]
    assert found.pop("latency_seconds") > 0
    assert found.pop("user_agent").startswith("Boto3/")
    assert found.pop("time").endswith("Z")
    assert found.pop("session")["name"] == "session"
    assert found == {
        "request_id": made,
        "service": "chime",
        "operation": "ListAccounts",
        "region": "us-east-1",
        "account_id": world.first_account,
        "principal": f"arn:aws:sts::{world.first_account}:assumed-role/chime-reader/session",
        "principal_arn": f"arn:aws:iam::{world.first_account}:role/chime-reader",
        "access_key_id": credentials["AccessKeyId"],
        "actions": ["chime:ListAccounts"],
        "resources": ["*"],
        "outcome": "Allowed",
        "layer": "identity",
        "layer_name": "identity-based policies",
        "statement": {"policy": "AmazonChimeReadOnly", "policy_arn": READ_ONLY, "sid": "", "index": 0},
        "status": 200,
        "error": None,
        "source_ip": "127.0.0.1",
    }


def test_a_refusal_shows_all_that_explains_it(world: Any, log: DecisionLog) -> None:
    made, message = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    status, shown = get(world, f"/{made}")
    assert status == 200
    assert shown["error"] == {"code": "AccessDenied", "message": message, "reason": ""}
    assert shown["authorization_id"] == authorization_id(made)
    assert shown["context"]["aws:username"] == "admin"
    decoded = world.client("sts").decode_authorization_message(EncodedMessage=shown["encoded_message"])
    assert json.loads(decoded["DecodedMessage"])["context"]["action"] == "sts:AssumeRole"
    trust = next(policy for policy in shown["policies"] if policy["kind"] == "trust")
    assert trust["document"]["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": "partner-id"}}
    assert shown["evaluations"][0]["nearest"]["failed"] == ["Condition"]


def test_filters_are_those_of_the_log(world: Any, log: DecisionLog) -> None:
    sts = world.client("sts")
    first = request_id(sts.get_caller_identity())
    denied, _ = refused(sts.assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    world.clock.advance(3600)
    world.clock.freeze()
    last = request_id(sts.get_caller_identity())

    def found(**parameters: Any) -> list[str]:
        return [entry["request_id"] for entry in listed(world, **parameters)]

    assert found() == [last, denied, first]
    assert found(limit=1) == [last]
    assert found(outcome="Refused") == found(outcome="ImplicitDeny") == found(action="sts:AssumeRole") == [denied]
    assert found(action="sts:Get*", limit=1000) == [last, first]
    assert found(principal="arn:aws:iam::111122223333:user/admin") == [last, denied, first]
    assert found(principal="arn:aws:iam::111122223333:user/nobody") == []
    since = world.clock.now_seconds() - 60
    assert found(since=since) == [last]
    assert found(since="2020-01-01") == found(since="2020-01-01T00:00:00Z") == [last, denied, first]
    assert found(since="2020-01-01T00:00:00+02:00", outcome="") == [last, denied, first]
    assert found(since="2200-01-01T00:00:00Z") == []
    # The age, by the sandbox's clock.
    assert found(since="1m30s") == found(since="0.5h") == [last]
    assert found(since="2h") == [last, denied, first]
    assert found(since="0s") == [last]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=1.5",
        "limit=ten",
        "limit=٣",
        "limit=1&limit=2",
        "action=ListAccounts",
        "action=*",
        "action=chime:List*Accounts",
        "action=chime:'--",
        "outcome=Allowed%20",
        "outcome=a'b",
        "since=yesterday",
        "since=1w",
        "since=%2B1h",
        "since=1h+30m",
        "since=h",
        "since=nan",
        "since=1e400",
        "since=-1",
        "since=2020-13-01",
        "since=2020-01-01T25:00:00Z",
        "principal=" + "a" * 2049,
        "user=ana",
    ],
)
def test_parameters_that_cannot_be_understood(world: Any, log: DecisionLog, query: str) -> None:
    status, answer = get(world, f"?{query}")
    assert status == 400
    assert list(answer) == ["message"]
    assert answer["message"].endswith(".")


def test_values_are_never_part_of_a_query(world: Any, log: DecisionLog) -> None:
    world.client("sts").get_caller_identity()
    assert listed(world, principal="' OR 1=1 --") == []
    assert get(world, "/' OR 1=1 --")[0] == 404


@pytest.mark.parametrize("name", ["x", "00000000-0000-0000-0000-000000000000", "%00"])
def test_what_is_not_there_is_not_found(world: Any, log: DecisionLog, name: str) -> None:
    status, answer = get(world, f"/{name}")
    assert (status, answer) == (404, {"message": "The decision log has no call with this request id."})


def test_left_out_calls_are_counted(world: Any, log: DecisionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolecall.call_log.waiting_calls.ALLOWED_LIMIT", 2)
    for _ in range(5):
        world.client("sts").get_caller_identity()
    assert get(world, "")[1]["dropped"] == {"allowed": 3, "refused": 0}


def test_other_machines_and_pages_of_other_sites_are_refused(world: Any, log: DecisionLog) -> None:
    assert get(world, "", environ_base={"REMOTE_ADDR": "192.0.2.1"})[0] == 403
    assert get(world, "/x", environ_base={"REMOTE_ADDR": "192.0.2.1"})[0] == 403
    assert get(world, "", headers={"Origin": "https://example.com"})[0] == 403


def test_without_a_log_there_is_nothing(world: Any) -> None:
    assert get(world, "") == (404, {"message": "This sandbox keeps no decision log."})
    assert get(world, "/x")[0] == 404


def test_a_log_that_cannot_be_read(world: Any, tmp_path: Path) -> None:
    (tmp_path / "rolecall-decisions.db").mkdir()
    log = keep_log(world, f"sqlite:///{tmp_path / 'rolecall.db'}")
    assert get(world, "") == (503, {"message": "The decision log cannot be read."})
    assert get(world, "/x")[0] == 503
    log.close()


# The text.


def text_of(world: Any, made: str) -> str:
    return "\n".join(explained_lines(get(world, f"/{made}")[1]))


def test_the_text_of_a_refusal(world: Any, log: DecisionLog) -> None:
    made, message = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    text = text_of(world, made)
    assert f"request  {made}, " in text
    assert "asked    sts AssumeRole in us-east-1\n" in text
    assert "by       arn:aws:iam::111122223333:user/admin with access key test\n" in text
    assert "answered 403 AccessDenied after " in text
    assert f"         {message}\n" in text
    assert (
        f"ImplicitDeny: sts:AssumeRole on {PARTNER}, decided by the role trust policy\n"
        "  role trust policy [trust policy]: has no statement that allows it\n"
        "  identity-based policies [AdministratorAccess]: allows\n"
        "    Allow arn:aws:iam::aws:policy/AdministratorAccess / statement 0\n"
        "  the nearest statement that would have allowed it failed on Condition:\n"
        "    Allow trust policy / statement 0\n"
        "      StringEquals sts:ExternalId [partner-id]: the request has no such key: not met\n"
    ) in text
    assert f"authorization id  {authorization_id(made)}\n" in text
    assert "encoded message   ey" in text


def test_the_text_of_an_allowed_call(world: Any, log: DecisionLog) -> None:
    credentials = world.assume("chime-reader")
    text = text_of(world, request_id(world.client("chime", credentials=credentials).list_accounts()))
    assert "         session session of AssumeRole, issued " in text
    assert f"Allowed: chime:ListAccounts on *\n  by the identity-based policies: {READ_ONLY} / statement 0" in text


def test_the_text_of_what_no_policy_decided(world: Any, log: DecisionLog) -> None:
    made = request_id(world.client("sts").get_caller_identity())
    assert text_of(world, made).endswith("this operation needs no permission")
    unknown, _ = refused(world.client("sts", keys=("nobody_key", "secret")).get_caller_identity)
    text = text_of(world, unknown)
    assert "by       an unauthenticated caller with access key nobody_key\n" in text
    assert text.endswith("refused before any policy was evaluated")


def test_the_text_of_a_refusal_whose_details_are_gone(world: Any, log: DecisionLog) -> None:
    made, _ = refused(world.client("sts").assume_role, RoleArn=PARTNER, RoleSessionName="abc")
    world.clock.advance(25 * 3600)
    text = text_of(world, made)
    assert "by the role trust policy: no statement allows it\n" in text
    assert text.endswith("further details are kept for one day only")
