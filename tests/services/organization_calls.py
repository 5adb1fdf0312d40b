"""An organization of four accounts for tests: its clients, and how its operations refuse."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from sts_calls import ACCOUNT, OTHER, allow, declared, deny, user

MANAGEMENT, DELEGATED, MEMBER, OUTSIDE = ACCOUNT, OTHER, "777788889999", "999900001111"
ORGANIZATION = "o-example1234"
ROOT = "r-exam"
UNIT, EMPTY_UNIT = "ou-exam-11111111", "ou-exam-22222222"
GUARD = "p-11111111"
FULL = "p-FullAWSAccess"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
EVERYTHING = json.dumps(allow("*"))


def admin_of(account_id: str) -> str:
    """The name of a user who may do everything in the account."""
    return f"admin_of_{account_id}"


def organization(**more: Any) -> str:
    """A sandbox file: DELEGATED administers IAM, MEMBER is in a unit, OUTSIDE is in no organization."""
    accounts: list[dict[str, Any]] = [
        {"id": each, "users": [user(admin_of(each), allow("*"))], "in_organization": each != OUTSIDE}
        for each in (MANAGEMENT, DELEGATED, MEMBER, OUTSIDE)
    ]
    accounts[0]["users"].append(user("powerless"))
    return declared(
        *accounts,
        organization={
            "id": ORGANIZATION,
            "management_account": MANAGEMENT,
            "delegated_administrators": [DELEGATED],
            "organizational_units": [
                {"name": "prod", "id": UNIT, "accounts": [MEMBER]},
                {"name": "empty", "id": EMPTY_UNIT},
            ],
            "service_control_policies": [
                {"name": "guard", "id": GUARD, "targets": ["prod"], "document": deny("chime:ListAccounts")}
            ],
            **more,
        },
    )


def client_of(world: Any, account_id: str = MANAGEMENT, service: str = "organizations") -> Any:
    return world.client(service, admin_of(account_id))


def refused(function: Any, **parameters: Any) -> tuple[str, str]:
    """The code of a refusal, and its Reason or an empty text."""
    try:
        function(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response.get("Reason", "")
    return "", ""


def pages(function: Any, member: str, **parameters: Any) -> list[Any]:
    """All elements of a list, page by page."""
    found: list[Any] = []
    token: dict[str, str] = {}
    for _ in range(100):
        answer = function(**parameters, **token)
        found += answer[member]
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}
    raise AssertionError("no last page")
