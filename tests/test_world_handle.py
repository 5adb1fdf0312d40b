"""The clients of the sandboxes that the tests make: they may be used again, and nobody notices."""

from __future__ import annotations

from typing import Any

import pytest
import world_handle
from botocore.exceptions import ClientError
from world_handle import WorldHandle, builtin_world


@pytest.fixture(autouse=True)
def _no_idle_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_handle, "_idle_clients", type(world_handle._idle_clients)(list))


def test_a_client_is_used_again_with_other_keys_and_another_sandbox() -> None:
    first = WorldHandle(builtin_world())
    used = first.client("iam")
    used.create_user(UserName="new")
    first.close()
    second = WorldHandle(builtin_world())
    again, other = second.client("iam", "developer"), second.client("iam")
    assert again is used
    assert other is not used
    assert [user["UserName"] for user in other.list_users()["Users"]] == ["admin", "developer"]
    with pytest.raises(ClientError, match="user/developer is not authorized to perform: iam:CreateUser"):
        again.create_user(UserName="new")
    session = second.client("sts", credentials=second.assume("chime-reader"))
    assert ":assumed-role/chime-reader/" in session.get_caller_identity()["Arn"]
    second.close()


def test_a_client_with_a_handler_of_a_test_is_not_used_again() -> None:
    first = WorldHandle(builtin_world())
    changed = first.client("sts")
    seen: list[Any] = []
    changed.meta.events.register("before-send", lambda request, **_: seen.append(request))
    changed.get_caller_identity()
    first.close()
    second = WorldHandle(builtin_world())
    assert second.client("sts") is not changed
    second.client("sts").get_caller_identity()
    assert len(seen) == 1
    second.close()
