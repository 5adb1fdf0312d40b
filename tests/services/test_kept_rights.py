"""A change to one user or role keeps the compiled rights of all others. What it changes holds with the next call.

Two processes write in turn. After each write both answer as a third one does that remembers nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import identity
from processes import Process, processes
from sent_statements import sent_statements
from world_handle import WorldHandle

from rolecall.storage.engine import Database

ACCOUNT = "111122223333"
DENY_CHIME = json.dumps(identity("chime:*", effect="Deny"))
ALLOW_CHIME = json.dumps(identity("chime:*"))
ALLOW_ASSUME = json.dumps(identity("sts:AssumeRole"))
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/limit"
TAGGED = json.dumps(identity("chime:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}}))
BOB, ROLE = {"UserName": "bob"}, {"RoleName": "worker"}


def trust(principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


TRUST = trust(ACCOUNT)

# Each is one write of an administrator, in this order.
WRITES: list[tuple[str, dict[str, Any]]] = [
    ("put_user_policy", {**BOB, "PolicyName": "chime", "PolicyDocument": ALLOW_CHIME}),
    ("put_role_policy", {**ROLE, "PolicyName": "chime", "PolicyDocument": ALLOW_CHIME}),
    ("put_user_policy", {**BOB, "PolicyName": "chime", "PolicyDocument": DENY_CHIME}),
    ("delete_user_policy", {**BOB, "PolicyName": "chime"}),
    ("attach_user_policy", {**BOB, "PolicyArn": ADMINISTRATOR}),
    ("detach_user_policy", {**BOB, "PolicyArn": ADMINISTRATOR}),
    ("attach_role_policy", {**ROLE, "PolicyArn": ADMINISTRATOR}),
    ("put_role_policy", {**ROLE, "PolicyName": "chime", "PolicyDocument": DENY_CHIME}),
    ("delete_role_policy", {**ROLE, "PolicyName": "chime"}),
    ("detach_role_policy", {**ROLE, "PolicyArn": ADMINISTRATOR}),
    # Rights that come from elsewhere.
    ("create_group", {"GroupName": "team"}),
    ("add_user_to_group", {**BOB, "GroupName": "team"}),
    ("put_group_policy", {"GroupName": "team", "PolicyName": "chime", "PolicyDocument": ALLOW_CHIME}),
    ("update_group", {"GroupName": "team", "NewGroupName": "crew"}),
    ("delete_group_policy", {"GroupName": "crew", "PolicyName": "chime"}),
    ("attach_group_policy", {"GroupName": "crew", "PolicyArn": ADMINISTRATOR}),
    ("create_policy", {"PolicyName": "limit", "PolicyDocument": ALLOW_ASSUME}),
    ("put_user_permissions_boundary", {**BOB, "PermissionsBoundary": BOUNDARY}),
    ("create_policy_version", {"PolicyArn": BOUNDARY, "PolicyDocument": ALLOW_CHIME, "SetAsDefault": True}),
    ("set_default_policy_version", {"PolicyArn": BOUNDARY, "VersionId": "v1"}),
    ("delete_user_permissions_boundary", BOB),
    ("remove_user_from_group", {**BOB, "GroupName": "crew"}),
    ("attach_role_policy", {**ROLE, "PolicyArn": BOUNDARY}),
    ("put_role_permissions_boundary", {**ROLE, "PermissionsBoundary": READ_ONLY}),
    ("set_default_policy_version", {"PolicyArn": BOUNDARY, "VersionId": "v2"}),
    ("delete_role_permissions_boundary", ROLE),
    ("detach_role_policy", {**ROLE, "PolicyArn": BOUNDARY}),
    # Tags of the principal.
    ("put_user_policy", {**BOB, "PolicyName": "tagged", "PolicyDocument": TAGGED}),
    ("tag_user", {**BOB, "Tags": [{"Key": "team", "Value": "blue"}]}),
    ("tag_user", {**BOB, "Tags": [{"Key": "team", "Value": "red"}]}),
    ("put_role_policy", {**ROLE, "PolicyName": "tagged", "PolicyDocument": TAGGED}),
    ("tag_role", {**ROLE, "Tags": [{"Key": "team", "Value": "blue"}]}),
    ("untag_role", {**ROLE, "TagKeys": ["team"]}),
    ("update_user", {**BOB, "NewUserName": "robert", "NewPath": "/moved/"}),
    ("update_user", {"UserName": "robert", "NewUserName": "bob"}),
    # Trust.
    ("update_assume_role_policy", {**ROLE, "PolicyDocument": trust(f"arn:aws:iam::{ACCOUNT}:user/admin")}),
    ("update_assume_role_policy", {**ROLE, "PolicyDocument": TRUST}),
    # The same name, another entity.
    ("delete_role_policy", {**ROLE, "PolicyName": "tagged"}),
    ("delete_role", ROLE),
    ("create_role", {**ROLE, "AssumeRolePolicyDocument": TRUST}),
    ("put_role_policy", {**ROLE, "PolicyName": "chime", "PolicyDocument": ALLOW_CHIME}),
]


def outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        # An authorization id belongs to one call.
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message'].partition(' Go to ')[0]}"
    return "allowed"


class Callers:
    """The callers of the test at one process: bob by his key, by a session, and sessions of the role."""

    def __init__(self, process: Process, key: dict[str, Any], issued: dict[str, Any]) -> None:
        keys = (key["AccessKeyId"], key["SecretAccessKey"])

        at = process.client
        self.admin = at("iam")
        self.bob, self.bob_sts, self.bob_iam = at("chime", keys=keys), at("sts", keys=keys), at("iam", keys=keys)
        self.bob_session = at("sts", credentials=issued["bob"])
        self.worker = at("chime", credentials=issued["worker"])

    def seen(self) -> list[str]:
        arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
        return [
            outcome(self.bob.list_accounts),
            outcome(self.bob_iam.get_user),
            outcome(lambda: self.bob_sts.assume_role(RoleArn=arn, RoleSessionName="session")),
            str(self.bob_session.get_caller_identity()["Arn"]),
            outcome(self.worker.list_accounts),
        ]


@pytest.mark.parametrize("first", [0, 1])
def test_two_processes_that_change_rights_see_them_as_one_that_remembers_nothing(
    world: WorldHandle, tmp_path: Path, first: int
) -> None:
    iam = world.client("iam")
    iam.create_user(**BOB)
    iam.put_user_policy(**BOB, PolicyName="assume", PolicyDocument=ALLOW_ASSUME)
    key = iam.create_access_key(**BOB)["AccessKey"]
    iam.create_role(**ROLE, AssumeRolePolicyDocument=TRUST)
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    issued = {
        "bob": world.client("sts", keys=keys).get_session_token()["Credentials"],
        "worker": world.assume("worker"),
    }
    with processes(world, tmp_path, 3) as (one, other, forgetful):
        callers = [Callers(each, key, issued) for each in (one, other, forgetful)]
        before = callers[0].seen()
        for number, (name, arguments) in enumerate(WRITES):
            getattr(callers[(number + first) % 2].admin, name)(**arguments)
            forgetful.forget()
            expected = callers[2].seen()
            assert [callers[0].seen(), callers[1].seen()] == [expected, expected], (number, name)
            before.append(str(expected))
        # The role of the session is gone, whatever has its name now.
        assert "UnrecognizedClientException" in expected[4]
        assert len(set(before)) > 12
        callers[first].admin.update_access_key(**BOB, AccessKeyId=key["AccessKeyId"], Status="Inactive")
        for each in callers[:2]:
            assert "UnrecognizedClientException" in outcome(each.bob.list_accounts)


def statements_of(database: Database, call: Callable[[], object]) -> str:
    with sent_statements(database) as found:
        call()
    return "\n".join(found)


def test_a_new_role_lets_the_caller_keep_its_rights(world: WorldHandle) -> None:
    iam = world.client("iam")
    iam.create_role(RoleName="first", AssumeRolePolicyDocument=TRUST)
    for name in ("second", "third"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "team", "Value": "blue"}])
        found = statements_of(world.database, lambda: iam.get_user(UserName="admin"))
        assert "access_keys" not in found
        assert "policies" not in found
        assert "sandbox_states" not in found
    iam.create_group(GroupName="group")
    assert "access_keys" in statements_of(world.database, iam.get_user)


def test_a_role_that_did_not_exist_is_found_once_it_does(world: WorldHandle) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/late"
    assume: dict[str, Any] = {"RoleArn": arn, "RoleSessionName": "session"}
    sts = world.client("sts")
    assert "AccessDenied" in outcome(lambda: sts.assume_role(**assume))
    world.client("iam").create_role(RoleName="late", AssumeRolePolicyDocument=TRUST)
    assert outcome(lambda: sts.assume_role(**assume)) == "allowed"


def test_changes_are_known_one_by_one_only_if_this_process_made_all_of_them(world: WorldHandle, tmp_path: Path) -> None:
    with processes(world, tmp_path, 2) as (one, other):
        admins = [each.client("iam") for each in (one, other)]

        def generation() -> int:
            with one.database.snapshot() as connection:
                return one.database.generation(connection)

        before = generation()
        role = admins[0].create_role(**ROLE, AssumeRolePolicyDocument=TRUST)["Role"]
        assert one.database.changed_between(before, before + 1) == {role["RoleId"]}
        assert other.database.changed_between(before, before + 1) is None
        admins[1].tag_role(**ROLE, Tags=[{"Key": "team", "Value": "blue"}])
        assert generation() == before + 2
        assert one.database.changed_between(before, before + 2) is None
        assert other.database.changed_between(before + 1, before + 2) == {role["RoleId"]}
        assert one.database.changed_between(before + 2, before + 2) == set()
        # An older snapshot than the last one: nothing is carried back.
        assert one.database.changed_between(before + 2, before + 1) is None


def test_a_transaction_that_failed_has_changed_nothing(world: WorldHandle) -> None:
    iam = world.client("iam")
    with world.database.snapshot() as connection:
        before = world.database.generation(connection)
    assert "EntityAlreadyExists" in outcome(
        lambda: iam.create_role(RoleName="chime-reader", AssumeRolePolicyDocument=TRUST)
    )
    assert world.database.changed_between(before, before + 1) is None


def test_readers_at_work_during_a_write_never_see_rights_from_before_it(world: WorldHandle, tmp_path: Path) -> None:
    """Many sessions are remembered, and calls of other threads go on while one user's rights change again and again.

    A call that begins after a write was acknowledged must be decided with it, or with a later one.
    """
    iam = world.client("iam")
    iam.create_user(**BOB)
    key = iam.create_access_key(**BOB)["AccessKey"]
    iam.create_role(**ROLE, AssumeRolePolicyDocument=TRUST)
    with processes(world, tmp_path, 1) as (one,):
        admin = one.client("iam")
        bob = [one.client("chime", keys=(key["AccessKeyId"], key["SecretAccessKey"])) for _ in range(2)]
        sts = one.client("sts")
        arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
        for number in range(30):
            issued = sts.assume_role(RoleArn=arn, RoleSessionName=f"session{number}")["Credentials"]
            one.client("sts", credentials=issued).get_caller_identity()
        # Odd: bob is allowed. A write begins when the first number rises, and is acknowledged when the second does.
        begun, acknowledged = [0], [0]
        wrong: list[tuple[int, int, str]] = []

        def read(client: Any) -> None:
            while acknowledged[0] < 40:
                before = acknowledged[0]
                seen = outcome(client.list_accounts) == "allowed"
                if before == begun[0] and seen != (before % 2 == 1):
                    wrong.append((before, begun[0], str(seen)))

        threads = [threading.Thread(target=read, args=(client,)) for client in bob]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 41):
                begun[0] = number
                if number % 2:
                    admin.put_user_policy(**BOB, PolicyName="chime", PolicyDocument=ALLOW_CHIME)
                else:
                    admin.delete_user_policy(**BOB, PolicyName="chime")
                acknowledged[0] = number
                if number % 4 == 0:
                    admin.tag_role(**ROLE, Tags=[{"Key": "number", "Value": str(number)}])
        finally:
            acknowledged[0] = 40
            for thread in threads:
                thread.join()
        assert wrong == []
