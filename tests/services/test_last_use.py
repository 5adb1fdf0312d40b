"""When keys and roles were last used: shown at once, written later, and without reading any rights again."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select, update
from sts_calls import ACCOUNT, UNCHECKED, account, allow, answered, declared, role, root_arn, root_user, trust

from rolecall.app import application_over
from rolecall.call_log.last_use import LastUses
from rolecall.call_log.outcomes import Outcome
from rolecall.storage.engine import Database
from rolecall.storage.last_use import Use, write_uses
from rolecall.storage.tables import access_keys, roles

WAITING_LIMIT = 10_000

DAY = 86_400
KEY = "ana_key_for_tests_1"


@pytest.fixture
def world(make_world: Any) -> Any:
    users = [
        {
            "name": "ana",
            "access_keys": [{"id": KEY, "secret": "ana-secret"}],
            "inline_policies": {"own": allow(["chime:*", "sts:*"])},
        }
    ]
    made = [role("operator", trust(root_arn()), allow("*")), role("idle", trust(root_arn()))]
    return make_world(declared(account(users=users, roles=made)))


def key_use(world: Any, key: str = KEY) -> dict[str, Any]:
    return world.client("iam").get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]  # type: ignore[no-any-return]


def role_use(world: Any, name: str = "operator") -> dict[str, Any]:
    return world.client("iam").get_role(RoleName=name)["Role"]["RoleLastUsed"]  # type: ignore[no-any-return]


def test_the_last_call_of_a_key(world: Any) -> None:
    world.clock.freeze()
    assert key_use(world) == {"ServiceName": "N/A", "Region": "N/A"}
    for service, operation, region in (("chime", "ListAccounts", "us-east-1"), ("sts", "GetSessionToken", "eu-west-1")):
        world.clock.advance(DAY)
        assert answered(world.client(service, "ana", region=region), operation) == "allowed"
        use = key_use(world)
        assert use.pop("LastUsedDate").timestamp() == int(world.clock.now_seconds())
        assert use == {"ServiceName": service, "Region": region}


def test_a_refused_call_counts_and_an_unproven_one_does_not(world: Any) -> None:
    wrong = world.client("chime", keys=(KEY, "another-secret"))
    assert answered(wrong, "ListAccounts")[1] == "InvalidSignatureException"
    assert key_use(world)["ServiceName"] == "N/A"
    assert answered(world.client("iam", "ana"), "ListUsers")[1] == "AccessDenied"
    assert key_use(world)["ServiceName"] == "iam"


def test_services_go_by_the_prefix_of_their_actions(world: Any) -> None:
    answered(world.client("chime-sdk-voice", "ana", region="eu-west-2"), "ListPhoneNumbers")
    assert key_use(world)["ServiceName"] == "chime"


def test_a_session_does_not_count_as_a_use_of_its_key(world: Any) -> None:
    credentials = world.client("sts", "ana").get_session_token()["Credentials"]
    before = key_use(world)
    world.clock.advance(60)
    assert answered(world.client("chime", credentials=credentials), "ListAccounts") == "allowed"
    assert key_use(world) == before


def test_the_root_users_key(world: Any) -> None:
    answered(world.client("chime", root_user()), "ListAccounts")
    assert key_use(world, f"root{ACCOUNT}_key_for_tests")["ServiceName"] == "chime"


def test_the_last_call_of_a_role(world: Any) -> None:
    world.clock.freeze()
    credentials = world.assume("operator", DurationSeconds=3600)
    assert role_use(world) == {}
    assert answered(world.client("chime", credentials=credentials, region="us-east-1"), "ListAccounts") == "allowed"
    use = role_use(world)
    assert use["Region"] == "us-east-1"
    assert use["LastUsedDate"].timestamp() == int(world.clock.now_seconds())
    world.clock.advance(600)
    assert answered(world.client("sts", credentials=credentials, region="eu-west-1"), "GetCallerIdentity") == "allowed"
    assert role_use(world)["Region"] == "eu-west-1"
    assert role_use(world)["LastUsedDate"] > use["LastUsedDate"]
    assert role_use(world, "idle") == {}
    [listed] = [each for each in world.client("iam").list_roles()["Roles"] if each["RoleName"] == "operator"]
    assert "RoleLastUsed" not in listed


def test_a_role_unused_for_long_has_no_last_use(world: Any) -> None:
    answered(world.client("chime", credentials=world.assume("operator")), "ListAccounts")
    world.clock.advance(400 * DAY - 60)
    assert role_use(world)["Region"] == "us-east-1"
    world.clock.advance(120)
    assert role_use(world) == {}


def test_a_reset_forgets(world: Any) -> None:
    answered(world.client("chime", "ana"), "ListAccounts")
    assert world.application.test_client().post("/_rolecall/reset").status_code == 200
    assert key_use(world)["ServiceName"] == "N/A"


# Writing, and the readers.


def outcome(world: Any, client: Any, operation: str) -> Outcome:
    assert answered(client, operation) == "allowed"
    return world.outcomes[-1]  # type: ignore[no-any-return]


def rows(database: Database, column: Any) -> dict[str, int]:
    table = column.table
    with database.snapshot() as connection:
        found = connection.execute(select(table.c.name if table is roles else table.c.access_key_id, column))
        return {name: value for name, value in found if value is not None}


def test_what_was_noted_is_written_once(world: Any) -> None:
    uses = LastUses(world.database, lambda service: service)
    noted = [
        outcome(world, world.client("chime", "ana"), "ListAccounts"),
        outcome(world, world.client("chime", credentials=world.assume("operator")), "ListAccounts"),
    ]
    with world.database.snapshot() as connection:
        before = world.database.generation(connection)
    for each in noted:
        uses.record(each)
    assert rows(world.database, access_keys.c.last_used_at_seconds) == {}
    uses.flush()
    assert rows(world.database, access_keys.c.last_used_at_seconds) == {KEY: int(noted[0].now_seconds)}
    assert rows(world.database, roles.c.last_used_at_seconds) == {"operator": int(noted[1].now_seconds)}
    assert uses.of_key(KEY) is None
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) == before
    with world.database.transaction() as connection:
        connection.execute(update(access_keys).values(last_used_at_seconds=7))
    uses.flush()
    assert rows(world.database, access_keys.c.last_used_at_seconds)[KEY] == 7


def test_another_server_on_the_database_reads_what_was_written(world: Any) -> None:
    with world.database.transaction() as connection:
        write_uses(connection, {KEY: Use(1_800_000_000.9, "chime", "eu-west-1"), "gone": Use(1, "sts", "x")}, {})
    other = application_over(world.database, world.declared, world.clock)
    world.application = other
    use = key_use(world)
    assert use.pop("LastUsedDate").timestamp() == 1_800_000_000
    assert use == {"ServiceName": "chime", "Region": "eu-west-1"}


def test_writing_the_same_columns_otherwise_still_raises_the_generation(world: Any) -> None:
    with world.database.snapshot() as connection:
        before = world.database.generation(connection)
    with world.database.transaction() as connection:
        connection.execute(update(access_keys).values(status="Inactive"))
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) > before


def test_what_waits_is_bounded(make_world: Any) -> None:
    world = make_world(declared(account(), settings={"strict": False}))
    sts = world.client("sts", keys=("nobody_has_this", "secret"), config=UNCHECKED)
    noted = outcome(world, sts, "GetCallerIdentity")
    uses = LastUses(world.database, lambda service: service)
    uses._keys = {str(number): Use(1, "sts", "us-east-1") for number in range(WAITING_LIMIT)}
    uses.record(noted)
    assert uses.of_key("nobody_has_this") is None
    uses.flush()
    uses.record(noted)
    assert uses.of_key("nobody_has_this") is not None


def test_a_database_that_does_not_answer_disturbs_no_call(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    noted = outcome(world, world.client("chime", "ana"), "ListAccounts")
    broken = Database("sqlite://")
    uses = LastUses(broken, lambda service: service)
    for _ in range(2):
        uses.record(noted)
        uses.flush()
    assert [record.message for record in caplog.records] == ["last uses cannot be written: OperationalError"]
    assert uses.of_key(KEY) is not None
    broken.close()


def test_calls_continue_while_it_is_written(world: Any) -> None:
    noted = outcome(world, world.client("chime", "ana"), "ListAccounts")
    uses = LastUses(world.database, lambda service: service)
    done = threading.Event()

    def flushing() -> None:
        while not done.is_set():
            uses.flush()

    thread = threading.Thread(target=flushing)
    thread.start()
    for _ in range(3000):
        uses.record(noted)
    done.set()
    thread.join()
    uses.flush()
    assert uses.of_key(KEY) is None
    assert rows(world.database, access_keys.c.last_used_at_seconds) == {KEY: int(noted.now_seconds)}
