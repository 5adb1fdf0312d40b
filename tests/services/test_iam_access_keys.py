"""Access keys: created, listed, switched off, deleted, and the effect on calls that they sign."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from iam_calls import ACCOUNT, WORLD, fails, identity, key_id, put_rights, refusal
from sqlalchemy import update

from rolecall.errors import AwsError
from rolecall.ids import account_of_access_key
from rolecall.services.catalogue import find
from rolecall.storage.tables import access_keys

INVALID = ("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


@pytest.fixture
def root(world: Any) -> Any:
    return world.client("iam", user=f"root of {ACCOUNT}")


def ids(iam: Any, **arguments: Any) -> list[str]:
    return [key["AccessKeyId"] for key in iam.list_access_keys(**arguments)["AccessKeyMetadata"]]


def test_a_new_key_works_at_once_and_tells_its_secret_once(world: Any, iam: Any) -> None:
    world.clock.freeze()
    key = iam.create_access_key(UserName="BOB")["AccessKey"]
    assert key["UserName"] == "bob"
    assert key["AccessKeyId"].startswith("AKIA")
    assert account_of_access_key(key["AccessKeyId"]) == ACCOUNT
    assert len(key["SecretAccessKey"]) == 40
    assert key["CreateDate"].timestamp() == int(world.clock.now_seconds())
    caller = world.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"])).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/bob"
    listed = iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]
    del key["SecretAccessKey"]
    assert key in listed
    assert all(set(one) == {"UserName", "AccessKeyId", "Status", "CreateDate"} for one in listed)


def test_users_look_after_their_own_keys_without_naming_themselves(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:*AccessKey*", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    bob = world.client("iam", user="bob")
    key = bob.create_access_key()["AccessKey"]
    assert set(ids(bob)) == {key_id("bob1"), key["AccessKeyId"]}
    bob.update_access_key(AccessKeyId=key["AccessKeyId"], Status="Inactive")
    bob.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert ids(bob) == [key_id("bob1")]
    assert refusal(bob.create_access_key, UserName="ana")[0] == "AccessDenied"


def test_keys_come_oldest_first_and_in_pages(world: Any, iam: Any) -> None:
    world.clock.freeze()
    iam.create_user(UserName="new")
    made = []
    for _ in range(2):
        world.clock.advance(10)
        made.append(iam.create_access_key(UserName="new")["AccessKey"]["AccessKeyId"])
    assert ids(iam, UserName="new") == made
    pages = list(iam.get_paginator("list_access_keys").paginate(UserName="new", PaginationConfig={"PageSize": 1}))
    assert [page["AccessKeyMetadata"][0]["AccessKeyId"] for page in pages] == made
    marker = pages[0]["Marker"]
    fails(iam.list_access_keys, "ValidationError", "Invalid Marker.", 400, UserName="ana", Marker=marker)


def test_an_inactive_key_is_refused_until_it_is_active_again(world: Any, iam: Any) -> None:
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    sts = world.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    iam.update_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refusal(sts.get_caller_identity) == INVALID
    assert "Inactive" in [one["Status"] for one in iam.list_access_keys(UserName="bob")["AccessKeyMetadata"]]
    iam.update_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"], Status="Active")
    sts.get_caller_identity()
    iam.delete_access_key(UserName="bob", AccessKeyId=key["AccessKeyId"])
    assert refusal(sts.get_caller_identity) == INVALID


def test_a_key_cannot_be_set_to_expired(iam: Any) -> None:
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    message = "The status of an access key can be set to Active or Inactive only."
    fails(iam.update_access_key, "InvalidInput", message, 400, UserName="bob", AccessKeyId=key, Status="Expired")


@pytest.mark.parametrize("operation", ["update_access_key", "delete_access_key"])
def test_a_key_belongs_to_one_user_of_one_account(world: Any, iam: Any, operation: str) -> None:
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    arguments = {"AccessKeyId": key, **({"Status": "Inactive"} if operation == "update_access_key" else {})}
    message = f"The Access Key with id {key} cannot be found."
    root = world.client("iam", user=f"root of {ACCOUNT}")
    kim = world.client("iam", user="kim")
    for client, named in ((iam, {"UserName": "ana"}), (iam, {}), (root, {}), (kim, {}), (kim, {"UserName": "kim"})):
        fails(getattr(client, operation), "NoSuchEntity", message, 404, **arguments, **named)
    getattr(root, operation)(UserName="bob", **arguments)


def test_root_has_two_keys_of_its_own(world: Any, iam: Any, root: Any) -> None:
    key = root.create_access_key()["AccessKey"]
    assert "UserName" not in key
    assert set(ids(root)) == {key_id("root"), key["AccessKeyId"]}
    fails(root.create_access_key, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", 409)
    sts = world.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
    assert refusal(iam.delete_access_key, AccessKeyId=key["AccessKeyId"])[0] == "NoSuchEntity"
    root.update_access_key(AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refusal(sts.get_caller_identity) == INVALID
    root.delete_access_key(AccessKeyId=key["AccessKeyId"])
    assert ids(root) == [key_id("root")]
    assert ids(root, UserName="ana") == ids(iam, UserName="ana")


def test_an_unused_key_has_no_date(iam: Any, root: Any) -> None:
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    answer = iam.get_access_key_last_used(AccessKeyId=key)
    assert answer["UserName"] == "bob"
    assert answer["AccessKeyLastUsed"] == {"ServiceName": "N/A", "Region": "N/A"}
    own = root.create_access_key()["AccessKey"]["AccessKeyId"]
    assert "UserName" not in root.get_access_key_last_used(AccessKeyId=own)


def test_last_use_is_what_the_row_says(world: Any, iam: Any) -> None:
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    used = {"last_used_at_seconds": 1_800_000_000, "last_used_service": "chime", "last_used_region": "us-east-1"}
    with world.database.transaction() as connection:
        connection.execute(update(access_keys).where(access_keys.c.access_key_id == key).values(**used))
    last = iam.get_access_key_last_used(AccessKeyId=key)["AccessKeyLastUsed"]
    assert last.pop("LastUsedDate").timestamp() == 1_800_000_000
    assert last == {"ServiceName": "chime", "Region": "us-east-1"}


def test_another_accounts_key_looks_like_no_key(world: Any, iam: Any) -> None:
    key = iam.create_access_key(UserName="bob")["AccessKey"]["AccessKeyId"]
    message = (
        "User: arn:aws:iam::444455556666:user/kim is not authorized to perform iam:GetAccessKeyLastUsed "
        f"on resource: access key {key}"
    )
    kim = world.client("iam", user="kim")
    fails(kim.get_access_key_last_used, "AccessDenied", message, 403, AccessKeyId=key)


def test_last_use_needs_the_permission_on_the_keys_user(world: Any, iam: Any) -> None:
    key = iam.create_access_key(UserName="full")["AccessKey"]["AccessKeyId"]
    bob = world.client("iam", user="bob")
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam:GetAccessKeyLastUsed "
        "on resource: user full because no identity-based policy allows the iam:GetAccessKeyLastUsed action"
    )
    fails(bob.get_access_key_last_used, "AccessDenied", message, 403, AccessKeyId=key)
    put_rights(iam, "bob", "ask", identity("iam:GetAccessKeyLastUsed", f"arn:aws:iam::{ACCOUNT}:user/full"))
    assert bob.get_access_key_last_used(AccessKeyId=key)["UserName"] == "full"


@pytest.mark.parametrize(
    ("operation", "refused"),
    [("ListAccessKeys", True), ("UpdateAccessKey", True), ("CreateAccessKey", False), ("DeleteAccessKey", False)],
)
def test_sessions_must_name_the_user_where_the_reference_says_so(operation: str, refused: bool) -> None:
    registered = find("iam", operation)
    assert registered is not None
    assert registered.precheck is not None
    of_user = SimpleNamespace(type="GetSessionToken")
    session = SimpleNamespace(caller=SimpleNamespace(principal=SimpleNamespace(type="User"), session=of_user))
    registered.precheck(session, {"UserName": "bob"})  # type: ignore[arg-type]
    if refused:
        with pytest.raises(AwsError, match="Must specify userName when calling with non-User credentials"):
            registered.precheck(session, {})  # type: ignore[arg-type]
    else:
        registered.precheck(session, {})  # type: ignore[arg-type]
