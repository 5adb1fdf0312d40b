"""``strict: false``: unknown access keys act as the administrator, and nothing else is more lenient."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
USERS = """
    users:
      - name: reader
        access_keys: [{id: reader_key_1234567, secret: reader-secret}]
      - name: zoe
        attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
"""


def _world(make_world: Any, *, strict: bool, users: str = USERS) -> Any:
    return make_world(
        f'version: 1\naccounts:\n  - id: "{ACCOUNT}"\n{users}\nsettings: {{strict: {str(strict).lower()}}}\n'
    )


def test_an_unknown_key_is_the_administrator(make_world: Any) -> None:
    world = _world(make_world, strict=False)
    identity = world.client("sts", keys=("whatever", "whatever")).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/zoe"
    assert world.client("chime", keys=("another", "another")).list_accounts()["Accounts"] == []


def test_without_an_administrator_it_is_the_root_user(make_world: Any) -> None:
    world = _world(make_world, strict=False, users="")
    identity = world.client("sts", keys=("whatever", "whatever")).get_caller_identity()
    assert identity["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_a_known_key_is_still_checked(make_world: Any) -> None:
    world = _world(make_world, strict=False)
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        world.client("sts", keys=("reader_key_1234567", "wrong-secret")).get_caller_identity()
    with pytest.raises(ClientError, match="ForbiddenException"):
        world.client("chime", "reader").list_accounts()


def test_a_known_key_that_was_switched_off_is_refused(make_world: Any) -> None:
    world = _world(make_world, strict=False)
    iam = world.client("iam", keys=("whatever", "whatever"))
    iam.update_access_key(UserName="reader", AccessKeyId="reader_key_1234567", Status="Inactive")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        world.client("sts", keys=("reader_key_1234567", "reader-secret")).get_caller_identity()


def test_a_session_token_is_still_checked(make_world: Any) -> None:
    world = _world(make_world, strict=False)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        world.client("sts", keys=("whatever", "whatever", "not-a-token")).get_caller_identity()


def test_a_strict_sandbox_refuses_unknown_keys(make_world: Any) -> None:
    world = _world(make_world, strict=True)
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        world.client("sts", keys=("whatever", "whatever")).get_caller_identity()
