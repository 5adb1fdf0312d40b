"""The properties of an account. Answers and messages are recorded: radkawar/stackd, account_properties.json and
account_properties_toggle.json (2026-09-12).
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal

ENABLED = "RoleManager/Enabled"
ROLE = "AWSServiceRoleForIAMRoleManager"


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def put(iam: Any, **properties: str) -> None:
    iam.put_account_properties(Properties=properties)


def test_the_role_manager_is_off_until_it_is_switched_on(world: Any, iam: Any) -> None:
    assert iam.get_account_properties()["Properties"] == {ENABLED: "false"}
    put(iam, **{ENABLED: "false"})
    assert refusal(iam.get_role, RoleName=ROLE)[0] == "NoSuchEntity"
    put(iam, **{ENABLED: "true", "RoleManager/Other": "x"})
    assert iam.get_account_properties()["Properties"] == {ENABLED: "true"}
    role = iam.get_role(RoleName=ROLE)["Role"]
    assert role["Path"] == "/aws-service-role/role-manager.iam.amazonaws.com/"
    principal = {"Service": "role-manager.iam.amazonaws.com"}
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == principal
    # The role stays, and is not made a second time.
    put(iam, **{ENABLED: "true"})
    put(iam, **{ENABLED: "false"})
    assert iam.get_role(RoleName=ROLE)["Role"]["RoleId"] == role["RoleId"]
    assert world.client("iam", user="kim").get_account_properties()["Properties"] == {ENABLED: "false"}


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"RoleManager": "true"}, "Property key must be in format Namespace/PropertyName: RoleManager"),
        ({"RoleManager/Enabled/x": "true"}, "RoleManager namespace requires Enabled property"),
        ({"RoleManager/Other": "true"}, "RoleManager namespace requires Enabled property"),
        ({"Another/Enabled": "true"}, "Unsupported namespace: Another"),
        ({ENABLED: "true", "Another/Enabled": "true"}, "All properties must belong to the same namespace"),
        ({ENABLED: "FALSE"}, "Enabled must be 'true' or 'false'"),
        ({ENABLED: " false"}, "Enabled must be 'true' or 'false'"),
        ({ENABLED: "0"}, "Enabled must be 'true' or 'false'"),
    ],
)
def test_refused_properties(iam: Any, properties: dict[str, str], message: str) -> None:
    fails(iam.put_account_properties, "InvalidInput", message, 400, Properties=properties)
    assert iam.get_account_properties()["Properties"] == {ENABLED: "false"}


def test_no_properties_are_refused(iam: Any) -> None:
    assert refusal(iam.put_account_properties, Properties={})[0] == "ValidationError"


def test_rights_are_about_the_namespace_and_the_role(world: Any, iam: Any) -> None:
    condition = {"ForAllValues:StringEquals": {"iam:AccountPropertyNamespaces": "RoleManager"}}
    put_rights(iam, "bob", "own", identity("iam:*AccountProperties", Condition=condition))
    bob = world.client("iam", user="bob")
    bob.get_account_properties()
    put(bob, **{ENABLED: "false"})
    assert refusal(bob.put_account_properties, Properties={"Another/Enabled": "true"})[0] == "AccessDenied"
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/role-manager.iam.amazonaws.com/{ROLE}"
    with pytest.raises(ClientError, match=f"iam:CreateServiceLinkedRole on resource: {role} "):
        put(bob, **{ENABLED: "true"})
    assert iam.get_account_properties()["Properties"] == {ENABLED: "false"}
    put_rights(iam, "bob", "role", identity("iam:CreateServiceLinkedRole", role))
    put(bob, **{ENABLED: "true"})
