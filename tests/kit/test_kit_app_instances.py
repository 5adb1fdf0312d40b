"""``sandbox.app_instance``: an app instance with users and administrators, by real calls."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import Rolecall


def listed(client: object, operation: str, member: str, arn: str) -> list[str]:
    found = getattr(client, operation)(AppInstanceArn=arn)[member]
    return sorted(each.get("AppInstanceUserArn") or each["Admin"]["Arn"] for each in found)


def test_an_app_instance_has_two_users_unless_they_are_named(rolecall: Rolecall) -> None:
    made = rolecall.app_instance()
    client = boto3.client("chime-sdk-identity")
    assert list(made.users) == ["user-1", "user-2"]
    assert listed(client, "list_app_instance_users", "AppInstanceUsers", made.arn) == sorted(made.users.values())
    assert client.list_app_instance_admins(AppInstanceArn=made.arn)["AppInstanceAdmins"] == []
    named = rolecall.app_instance("ana", "bo", admins=["cy", "ana"], Name="chat", Metadata="m")
    assert {name: arn.rpartition("/")[2] for name, arn in named.users.items()} == {"ana": "ana", "bo": "bo", "cy": "cy"}
    instance = client.describe_app_instance(AppInstanceArn=named.arn)["AppInstance"]
    assert (instance["Name"], instance["Metadata"]) == ("chat", "m")
    admins = listed(client, "list_app_instance_admins", "AppInstanceAdmins", named.arn)
    assert admins == sorted([named.users["cy"], named.users["ana"]])
    elsewhere = rolecall.app_instance(admins=["ana"], region="eu-central-1")
    assert (elsewhere.arn.split(":")[3], list(elsewhere.users)) == ("eu-central-1", ["ana"])


@pytest.mark.rolecall(
    config={
        "version": 1,
        "accounts": [
            {
                "id": "111122223333",
                "users": [{"name": "ana", "access_keys": [{"id": "ana_key", "secret": "ana-secret"}]}],
            }
        ],
    }
)
def test_the_caller_needs_the_permission(rolecall: Rolecall) -> None:
    with pytest.raises(ClientError, match="chime:CreateAppInstance"):
        rolecall.app_instance(user="ana")
