"""Calls of Chime that the tests share: the error of a refused call, and short ways to create things."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from rolecall.storage import chime_accounts

NOBODY = "00000000-0000-4000-8000-000000000000"


def refusal(client: Any, operation: str, **parameters: Any) -> tuple[str, str]:
    """Error code and message of a call that must fail, with an error that the service's model declares for it."""
    method = getattr(client, xform_name(operation))
    with pytest.raises(ClientError) as caught:
        method(**parameters)
    error = caught.value.response["Error"]
    declared = {shape.name for shape in client.meta.service_model.operation_model(operation).error_shapes}
    assert error["Code"] in declared, f"{operation} declares no {error['Code']}"
    return error["Code"], error["Message"]


def chime_of(world: Any, **arguments: Any) -> Any:
    return world.client("chime", **arguments)


def first_account(chime: Any) -> str:
    return str(chime.list_accounts()["Accounts"][0]["AccountId"])


def new_account(chime: Any, name: str = "Team") -> str:
    return str(chime.create_account(Name=name)["Account"]["AccountId"])


def new_user(chime: Any, account_id: str, email: str, **parameters: Any) -> str:
    return str(chime.create_user(AccountId=account_id, Email=email, **parameters)["User"]["UserId"])


def user_of(chime: Any, account_id: str, user_id: str) -> dict[str, Any]:
    return dict(chime.get_user(AccountId=account_id, UserId=user_id)["User"])


def emails(chime: Any, account_id: str) -> list[str]:
    return [user["PrimaryEmail"] for user in chime.list_users(AccountId=account_id)["Users"]]


def turn_into(world: Any, account_id: str, account_type: str) -> None:
    """What the console does when an account claims a domain. The API has no operation for it."""
    with world.database.transaction() as connection:
        chime_accounts.update_account(connection, account_id, {"account_type": account_type})
