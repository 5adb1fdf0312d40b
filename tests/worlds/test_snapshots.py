"""Snapshots: saving and loading gives the same world, whatever the world is and wherever it is loaded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from snapshot_worlds import (
    BOOLEANS,
    CHANGES,
    DECLARED_TABLES,
    DOCUMENTS,
    EVERYTHING,
    FIRST,
    LEFT_OUT_COLUMNS,
    LEFT_OUT_TABLES,
    PLAIN_TABLES,
    change,
    change_chime,
    contents,
    fill_plain_tables,
    load,
    loaded_elsewhere,
    saved,
    world_text,
)

from rolecall.app import application_over
from rolecall.ids import Identifiers
from rolecall.storage import worlds
from rolecall.storage.service_linked_roles import RESOURCE_FINDERS, RoleUsage
from rolecall.storage.tables import metadata
from rolecall.worlds.checking import document_of, document_text
from rolecall.worlds.declare import InvalidWorldError, read_world
from rolecall.worlds.located import read_located
from rolecall.worlds.setup import set_up_world
from rolecall.worlds.snapshots import Tables, UnsavableError, save
from rolecall.worlds.yaml_written import yaml_text

URL = "/_rolecall/snapshot"


@pytest.fixture
def full(make_world: Any) -> Any:
    return make_world(world_text())


# Nothing is lost.


def test_every_table_has_its_place(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new table is kept as plain rows. Fails when a table counts as written elsewhere but is not read."""
    tables: list[Tables] = []

    class Watched(Tables):
        def __init__(self, connection: Any) -> None:
            super().__init__(connection)
            tables.append(self)

    monkeypatch.setattr("rolecall.worlds.snapshots.Tables", Watched)
    saved(full)
    assert tables[0].read == DECLARED_TABLES | set(PLAIN_TABLES)
    assert set(metadata.tables) >= DECLARED_TABLES | LEFT_OUT_TABLES
    columns = {f"{name}.{column.name}" for name, table in metadata.tables.items() for column in table.columns}
    assert columns >= LEFT_OUT_COLUMNS


def test_a_row_of_every_table_comes_back(make_world: Any, full: Any) -> None:
    change_chime(full.client("chime"), _some)
    full.client("iam").tag_policy(PolicyArn=f"arn:aws:iam::{FIRST}:policy/limits", Tags=[{"Key": "a", "Value": "b"}])
    full.client("iam").put_group_policy(GroupName="Readers", PolicyName="x", PolicyDocument=_ALLOWING)
    full.client("iam").put_role_policy(RoleName="worker", PolicyName="x", PolicyDocument=_ALLOWING)
    full.client("iam").attach_user_policy(UserName="admin", PolicyArn=f"arn:aws:iam::{FIRST}:policy/limits")
    fill_plain_tables(full.database)
    before = contents(full.database)
    assert [name for name, rows in before.items() if not rows] == []
    other = loaded_elsewhere(make_world, full)
    assert contents(other.database) == before
    assert saved(other) == saved(full)


_ALLOWING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]}'


def _some(strategy: Any) -> Any:
    """A value that hypothesis does not choose."""
    return True if strategy is BOOLEANS else strategy.elements[0]


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data(), names=st.lists(st.sampled_from(sorted(CHANGES)), max_size=25))
def test_a_random_world_comes_back_and_answers_the_same(make_world: Any, data: Any, names: list[str]) -> None:
    full = make_world(world_text())
    iam = full.client("iam")
    for name in names:
        change(iam, name, data.draw)
        full.clock.advance(data.draw(st.integers(0, 100)))
    change_chime(full.client("chime"), data.draw)
    text = saved(full)
    other = loaded_elsewhere(make_world, full)
    assert contents(other.database) == contents(full.database)
    assert saved(other) == text
    assert answers(other) == answers(full)
    full.close()
    other.close()


def answers(handle: Any) -> list[Any]:
    """The answers to every user with a key, about things that the world decides."""
    found = []
    with handle.database.snapshot() as connection:
        keys = [(row["access_key_id"], row["secret_access_key"]) for row in _rows(connection, "access_keys")]
        roles = [row["name"] for row in _rows(connection, "roles")]
    for key in keys:
        sts, iam, chime = (handle.client(service, keys=key) for service in ("sts", "iam", "chime"))
        calls = [
            lambda sts=sts: sts.get_caller_identity(),
            lambda iam=iam: iam.get_account_authorization_details(),
            lambda iam=iam: iam.list_users(),
            lambda iam=iam: iam.get_user(UserName="Developer"),
            lambda chime=chime: chime.list_accounts(),
        ]
        calls += [
            lambda sts=sts, name=name: sts.assume_role(
                RoleArn=f"arn:aws:iam::{FIRST}:role/{name}", RoleSessionName="probe"
            )["AssumedRoleUser"]
            for name in roles
        ]
        found += [_answer(call) for call in calls]
    return found


def _rows(connection: Any, table: str) -> list[Any]:
    return worlds.rows(connection, metadata.tables[table])


def _answer(call: Any) -> Any:
    try:
        answer = call()
    except ClientError as error:
        message = error.response["Error"]["Message"].partition(" Go to ")[0]
        return error.response["Error"]["Code"], message
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@given(text=st.text(max_size=30), document=DOCUMENTS)
@settings(max_examples=examples(200), deadline=None)
def test_policies_keep_their_very_text(text: str, document: str) -> None:
    """Any text: YAML returns it as it was written."""
    for written in (document, json.dumps({"a": text, "b": [1, True, None, {text: text}]}), json.dumps(text), text):
        shown = document_of(written)
        again = read_located(yaml_text({"document": shown})).value["document"]
        assert document_text(again) == written


@pytest.mark.parametrize("text", ['{"a": 1.5}', '{"a": 1e3}', '{"a":1}', '{"a": 1, "a": 1}', "[]", '{"a": "\\ud800"}'])
def test_what_would_be_written_otherwise_stays_text(text: str) -> None:
    assert document_of(text) == text


def test_a_document_as_boto3_users_write_it_is_a_mapping() -> None:
    assert document_of(_ALLOWING) == json.loads(_ALLOWING)


# The same world.


def test_credentials_issued_before_stay_valid(full: Any) -> None:
    credentials = full.assume("worker")
    text = saved(full)
    iam = full.client("iam")
    iam.detach_role_policy(RoleName="worker", PolicyArn=EVERYTHING)
    iam.delete_role(RoleName="worker")
    with pytest.raises(ClientError):
        full.client("iam", credentials=credentials).list_users()
    load(full, text)
    assert full.client("iam", credentials=credentials).list_users()["Users"]
    assert saved(full) == text


def test_a_trust_that_was_bound_to_a_deleted_user_stays_so(make_world: Any, full: Any) -> None:
    iam = full.client("iam")
    key = _new_user(iam, "ana")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST}:user/ana"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName="for-ana", AssumeRolePolicyDocument=document)
    arguments = {"RoleArn": f"arn:aws:iam::{FIRST}:role/for-ana", "RoleSessionName": "abc"}
    assert full.client("sts", keys=key).assume_role(**arguments)
    assert "trusted_ids" not in saved(full)
    iam.delete_access_key(UserName="ana", AccessKeyId=key[0])
    iam.delete_user(UserName="ana")
    other = loaded_elsewhere(make_world, full)
    assert saved(other) == saved(full)
    # A new user with the same name is not the trusted one.
    for handle in (full, other):
        again = _new_user(handle.client("iam", keys=("test", "test")), "ana")
        with pytest.raises(ClientError, match="AccessDenied"):
            handle.client("sts", keys=again).assume_role(**arguments)
    assert saved(loaded_elsewhere(make_world, other)) == saved(other)


def _new_user(iam: Any, name: str) -> tuple[str, str]:
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def test_settings_come_with_the_world_and_end_with_a_reset(make_world: Any, full: Any) -> None:
    text = saved(full).replace("ForbiddenException", "AccessDeniedException")
    chime = full.client("chime", keys=_new_user(full.client("iam"), "ana"))
    with pytest.raises(ClientError, match="ForbiddenException"):
        chime.list_accounts()
    load(full, text)
    key = _new_user(full.client("iam"), "ana")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        full.client("chime", keys=key).list_accounts()
    assert saved(full).count("AccessDeniedException") == 1
    full.application.test_client().post("/_rolecall/reset")
    with pytest.raises(ClientError, match="ForbiddenException"):
        full.client("chime", keys=_new_user(full.client("iam"), "ana")).list_accounts()


def test_a_failed_deletion_comes_back_with_what_stood_in_its_way(
    make_world: Any, full: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = "guardduty.amazonaws.com"
    detectors = (f"arn:aws:guardduty:us-east-1:{FIRST}:detector/a", f"arn:aws:guardduty:us-east-1:{FIRST}:detector/b")
    usages = [RoleUsage("us-east-1", detectors), RoleUsage("eu-west-1", ("a detector",))]
    monkeypatch.setitem(RESOURCE_FINDERS, service, lambda _connection, _account_id: usages)
    iam = full.client("iam")
    name = iam.create_service_linked_role(AWSServiceName=service)["Role"]["RoleName"]
    task = iam.delete_service_linked_role(RoleName=name)["DeletionTaskId"]
    before = without_metadata(iam.get_service_linked_role_deletion_status(DeletionTaskId=task))
    assert before["Status"] == "FAILED"
    assert before["Reason"]["RoleUsageList"] == [
        {"Region": "us-east-1", "Resources": list(detectors)},
        {"Region": "eu-west-1", "Resources": ["a detector"]},
    ]
    there = loaded_elsewhere(make_world, full).client("iam", keys=("test", "test"))
    assert without_metadata(there.get_service_linked_role_deletion_status(DeletionTaskId=task)) == before


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_quotas_come_with_the_world(make_world: Any, full: Any) -> None:
    assert "  quotas: {}\n" in saved(full)
    declared = json.loads(world_text())
    declared["settings"]["quotas"] = {"L-F4A5425F": 2, "RolesPerAccount": 5000}
    before = saved(make_world(json.dumps(declared)))
    assert "  quotas:\n    GroupsPerAccount: 2\n    RolesPerAccount: 5000\n" in before
    load(full, before)
    summary = full.client("iam").get_account_summary()["SummaryMap"]
    assert (summary["GroupsQuota"], summary["RolesQuota"], summary["UsersQuota"]) == (2, 5000, 5000)
    assert saved(full) == before
    full.application.test_client().post("/_rolecall/reset")
    assert full.client("iam").get_account_summary()["SummaryMap"]["GroupsQuota"] == 300


def test_the_sandbox_file_is_not_applied_over_a_loaded_world(full: Any) -> None:
    text = saved(full)
    full.client("iam").delete_access_key(UserName="Developer", AccessKeyId="developer_access_key")
    without = saved(full)
    load(full, text)
    load(full, without)
    with full.database.transaction() as connection:
        assert not set_up_world(connection, full.declared, 0, Identifiers())
    assert saved(full) == without


def test_a_world_loaded_before_any_file_is_kept_until_the_file_changes(make_world: Any, full: Any) -> None:
    other = make_world('{"version": 1, "accounts": [{"id": "999988887777"}]}')
    with other.database.transaction() as connection:
        worlds.wipe(connection)
    text = saved(full)
    load(other, text)
    changed = read_world('{"version": 1, "accounts": [{"id": "999988887777", "name": "new"}]}')
    with other.database.transaction() as connection:
        assert not set_up_world(connection, other.declared, 0, Identifiers())
    assert saved(other) == text
    with other.database.transaction() as connection:
        assert not set_up_world(connection, other.declared, 0, Identifiers())
        assert set_up_world(connection, changed, 0, Identifiers())
    assert "999988887777" in saved(other)


def test_a_snapshot_is_a_sandbox_file(make_world: Any, full: Any) -> None:
    """Also a snapshot to start from: the same ids, in a database of its own."""
    text = saved(full)
    assert saved(make_world(text)) == text


def test_an_account_outside_the_organization_stays_outside(make_world: Any) -> None:
    handle = make_world('{"version": 1, "accounts": [{"id": "999988887777"}]}')
    with handle.database.transaction() as connection:
        set_up_world(connection, read_world(world_text()), 0, Identifiers())
    assert "in_organization: false" in saved(handle)
    assert saved(make_world(saved(handle))) == saved(handle)


def test_two_organizations_are_more_than_a_file_can_tell(make_world: Any, full: Any) -> None:
    with full.database.transaction() as connection:
        text = '{"version": 1, "organization": {"id": "o-another1234"}, "accounts": [{"id": "999988887777"}]}'
        set_up_world(connection, read_world(text), 0, Identifiers())
    with pytest.raises(UnsavableError, match="several organizations: o-another1234, o-example1234"):
        saved(full)
    assert full.application.test_client().get(URL).status_code == 409


# What cannot be loaded.


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda w: w["accounts"][0]["users"][0].update(unique_id="AIDA"), "must be AIDA and 12 to 28"),
        (lambda w: w["accounts"][0]["users"][0].update(created_at="yesterday"), "must be a time such as"),
        (lambda w: w["accounts"][0]["users"][0].update(created_at=5), "must be a time such as"),
        (
            lambda w: w["accounts"][0]["users"][0].update(unique_id=w["accounts"][0]["users"][1]["unique_id"]),
            "is the id of two entities",
        ),
        (lambda w: w["accounts"][0]["roles"][-1].update(linked_service="nobody.amazonaws.com"), "no service-linked"),
        (lambda w: _linked(w).update(path="/"), "the path of this service-linked role is /aws-service-role/voice"),
        (
            lambda w: w["accounts"][0]["policies"][0].update(versions=[{"version": 1, "document": _ALLOWING}]),
            "default_version is missing",
        ),
        (
            lambda w: w["accounts"][0]["policies"][0].update(
                default_version=2, versions=[{"version": 2, "document": _ALLOWING}]
            ),
            "version 2 is declared twice",
        ),
        (lambda w: w["accounts"][0]["policies"][0].update(default_version=3, latest_version=2), "there is a version 3"),
        (
            lambda w: w["accounts"][0]["roles"][-1].update(trusted_ids={"arn:x": "AIDAABCDEFGHIJKLM"}),
            "the trust policy names no such principal",
        ),
        (lambda w: w["accounts"][0]["chime_accounts"][0]["users"].append({"license": "Pro"}), "lacks email"),
        (lambda w: w.update(rows={"users": []}), "no such table"),
        (lambda w: w.update(rows={"generations": []}), "no such table"),
        (lambda w: w.update(rows=[]), "must be a mapping of tables"),
        (lambda w: w.update(rows={"mfa_devices": {}}), "must be a list of rows"),
        (lambda w: w.update(rows={"mfa_devices": ["x"]}), "must be a mapping of columns"),
        (lambda w: w.update(rows={"mfa_code_uses": [{"serial_number": "x"}]}), "lacks used_step"),
        (lambda w: w.update(rows={"mfa_code_uses": [{"serial_number": 1, "used_step": 1}]}), "serial_number must be"),
        (lambda w: w.update(rows={"mfa_code_uses": [{"serial_number": "x", "used_step": True}]}), "used_step must be"),
        (
            lambda w: w.update(rows={"mfa_code_uses": [{"serial_number": "x", "used_step": 1, "y": 1}]}),
            "has no column y",
        ),
        (
            lambda w: w.update(rows={"mfa_code_uses": [{"serial_number": "x", "used_step": 1}]}),
            "rows.mfa_code_uses.0.: serial_number refers to nothing in this file: x",
        ),
    ],
)
def test_a_bad_snapshot_changes_nothing(full: Any, change: Any, problem: str) -> None:
    text = saved(full)
    world = read_located(text).value
    assert read_world(json.dumps(world))
    change(world)
    with pytest.raises(InvalidWorldError, match=problem):
        load(full, json.dumps(world))
    assert saved(full) == text


def _linked(world: dict[str, Any]) -> dict[str, Any]:
    [role] = [role for role in world["accounts"][0]["roles"] if "linked_service" in role]
    return role  # type: ignore[no-any-return]


# Over HTTP.


def test_the_endpoints_save_and_load(make_world: Any, full: Any) -> None:
    client = full.application.test_client()
    answer = client.get(URL)
    assert (answer.status_code, answer.content_type) == (200, "application/yaml")
    assert answer.text == saved(full)
    full.client("iam").create_user(UserName="new")
    put = client.put(URL, data=answer.data)
    assert (put.status_code, put.json) == (200, {"status": "ok"})
    assert saved(full) == answer.text
    other = make_world('{"version": 1, "accounts": [{"id": "999988887777"}]}')
    assert other.application.test_client().put(URL, data=answer.data).status_code == 200
    assert answers(other) == answers(full)


def test_all_problems_are_answered(full: Any) -> None:
    before = saved(full)
    answer = full.application.test_client().put(URL, data="version: 1\naccounts:\n- id: 5\n  nmae: x\n")
    assert answer.status_code == 400
    assert answer.json["message"] == "The snapshot cannot be loaded."
    assert [problem["line"] for problem in answer.json["problems"]] == [3, 4]
    for body in (b"", b"\xff", b"a: [", b"- 1"):
        assert full.application.test_client().put(URL, data=body).status_code == 400
    assert saved(full) == before


def test_a_snapshot_that_is_too_large_is_not_read(full: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolecall.web.snapshot_endpoints.MAXIMUM_SNAPSHOT_BYTES", 10)
    assert full.application.test_client().put(URL, data="version: 1\n" * 10).status_code == 413


def test_other_machines_may_neither_read_nor_load(full: Any) -> None:
    client = full.application.test_client()
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    for refused in (
        client.get(URL, environ_base=elsewhere),
        client.put(URL, data="x", environ_base=elsewhere),
        client.put(URL, data=saved(full), headers={"Origin": "https://example.com"}),
    ):
        assert refused.status_code == 403


def test_other_workers_notice(full: Any) -> None:
    """Another application over the same database, as another process has it."""
    worker = application_over(full.database, full.declared, full.clock)
    text = saved(full).replace("ForbiddenException", "AccessDeniedException").replace("secret: test", "secret: other")
    full.client("sts").get_caller_identity()
    assert worker.test_client().put(URL, data=text).status_code == 200
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        full.client("sts").get_caller_identity()
    with full.database.snapshot() as connection:
        assert "AccessDeniedException" in save(connection, full.declared.settings)
