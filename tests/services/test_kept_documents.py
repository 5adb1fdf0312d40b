"""Stored policies from older rules, or unreadable ones: a clear decision, and never a failure."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from sqlalchemy import update
from sts_calls import (
    ACCOUNT,
    OTHER,
    account,
    allow,
    answered,
    declared,
    deny,
    no_allow,
    not_authorized,
    refusal,
    role,
    role_arn,
    root_arn,
    trust,
    user,
    user_arn,
)

from rolecall.storage import tables as t

UNREADABLE = ("", "no policy", "[]", '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"')
LIMITS = f"arn:aws:iam::{ACCOUNT}:policy/limits"


def world_text() -> str:
    return declared(
        account(
            users=[user("ana", allow(["chime:*", "sts:*"])), user("li", allow("chime:*"), permissions_boundary=LIMITS)],
            policies=[{"name": "limits", "document": allow("*")}],
            roles=[role("operator", trust([root_arn(), root_arn(OTHER)]), allow("*"))],
        ),
        account(OTHER),
        organization={
            "id": "o-example1234",
            "service_control_policies": [{"name": "guard", "document": deny("chime:DeleteRoom")}],
            "resource_control_policies": [{"name": "wall", "document": resource_control()}],
        },
    )


def resource_control(**more: Any) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRoleWithSAML", "Resource": "*", **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def keep(world: Any, table: Any, column: str, text: str, **of: str) -> None:
    """Replace a checked document by a text, in the rows with the values of ``of``."""
    with world.database.transaction() as connection:
        matches = (table.c[name] == value for name, value in of.items())
        connection.execute(update(table).where(*matches).values({column: text}))


def keep_wall(world: Any, document: dict[str, Any]) -> None:
    text = json.dumps(document)
    keep(world, t.organization_policies, "document", text, policy_type="RESOURCE_CONTROL_POLICY")


def assume(world: Any) -> Any:
    return answered(world.client("sts", "ana"), "AssumeRole", RoleArn=role_arn("operator"), RoleSessionName="session")


def listing(world: Any, name: str) -> Any:
    return answered(world.client("chime", name), "ListAccounts")


@pytest.mark.parametrize("text", UNREADABLE)
def test_an_unreadable_trust_policy_admits_no_caller(make_world: Any, text: str) -> None:
    world = make_world(world_text())
    assert assume(world) == "allowed"
    keep(world, t.roles, "trust_policy", text)
    because = "with an explicit deny in the role trust policy"
    message = not_authorized(user_arn("ana"), "sts:AssumeRole", role_arn("operator"), because)
    assert assume(world) == (403, "AccessDenied", message)


@pytest.mark.parametrize(
    "document",
    [
        # Saving any of these is refused today.
        trust(root_arn(), ["sts:*"]),
        trust(root_arn(), "sts:AssumeRole*"),
        trust({"AWS": root_arn(), "Federated": "cognito-identity.amazonaws.com"}),
        trust("*") | {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]},
        trust(root_arn(), Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/33"}}),
    ],
)
def test_a_trust_policy_of_older_rules_stays_in_force(make_world: Any, document: dict[str, Any]) -> None:
    world = make_world(world_text())
    iam = world.client("iam")
    refused = refusal(iam, "UpdateAssumeRolePolicy", RoleName="operator", PolicyDocument=json.dumps(document))
    assert refused[:2] == (400, "MalformedPolicyDocument")
    keep(world, t.roles, "trust_policy", json.dumps(document))
    assert assume(world) == "allowed"


@pytest.mark.parametrize("text", UNREADABLE)
def test_an_identity_policy_that_cannot_be_read_denies_everything(make_world: Any, text: str) -> None:
    world = make_world(world_text())
    assert listing(world, "ana") == "allowed"
    keep(world, t.user_inline_policies, "document", text)
    message = not_authorized(
        user_arn("ana"), "chime:ListAccounts", "", "with an explicit deny in an identity-based policy"
    )
    assert listing(world, "ana") == (403, "ForbiddenException", message)
    assert answered(world.client("sts", "ana"), "GetCallerIdentity") == "allowed"


def test_a_boundary_that_cannot_be_read_denies_everything(make_world: Any) -> None:
    world = make_world(world_text())
    assert listing(world, "li") == "allowed"
    keep(world, t.policy_versions, "document", "no policy")
    because = f"with an explicit deny in a permissions boundary: {LIMITS}"
    assert listing(world, "li") == (
        403,
        "ForbiddenException",
        not_authorized(user_arn("li"), "chime:ListAccounts", "", because),
    )


def test_a_service_control_policy_that_cannot_be_read_denies_everything(make_world: Any) -> None:
    world = make_world(world_text())
    keep(world, t.organization_policies, "document", "no policy", policy_type="SERVICE_CONTROL_POLICY")
    status, code, message = listing(world, "admin")
    assert (status, code) == (403, "ForbiddenException")
    assert "with an explicit deny in a service control policy: arn:aws:organizations::" in message


def test_resource_control_policies_of_older_rules_stay_in_force(make_world: Any) -> None:
    world = make_world(world_text())
    keep_wall(world, resource_control(Effect="Allow", Action="*"))
    assert assume(world) == "allowed"
    keep_wall(world, resource_control(Action="*"))
    status, code, message = assume(world)
    assert (status, code) == (403, "AccessDenied")
    assert "with an explicit deny in a resource control policy: arn:aws:organizations::" in message


def test_a_condition_that_never_holds_stays_so(make_world: Any) -> None:
    world = make_world(world_text())
    never = allow("*", Condition={"DateLessThan": {"aws:CurrentTime": "9999-02-31"}})
    keep(world, t.user_inline_policies, "document", json.dumps(never))
    message = not_authorized(
        user_arn("ana"), "chime:ListAccounts", "", no_allow("identity-based policy", "chime:ListAccounts")
    )
    assert listing(world, "ana") == (403, "ForbiddenException", message)


def test_it_is_said_in_the_log(make_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    world = make_world(world_text())
    keep(world, t.user_inline_policies, "document", '{"Version": "2012-10-17", "Statement": ["kept for the log"]}')
    with caplog.at_level(logging.WARNING, "rolecall.policy"):
        listing(world, "ana")
    assert [record.getMessage() for record in caplog.records] == [
        "a stored identity policy cannot be read any more and denies everything until it is replaced: "
        "Syntax errors in policy. (Statement[0])"
    ]


def test_it_can_be_read_simulated_saved_and_replaced(make_world: Any) -> None:
    world = make_world(world_text())
    iam = world.client("iam")
    for table, column in (
        (t.roles, "trust_policy"),
        (t.user_inline_policies, "document"),
        (t.policy_versions, "document"),
    ):
        keep(world, table, column, "no policy")
    assert iam.get_user_policy(UserName="ana", PolicyName="policy-0")["PolicyDocument"] == "no%20policy"
    assert answered(iam, "GetRole", RoleName="operator") == answered(iam, "ListRoles") == "allowed"
    snapshot = world.application.test_client().get("/_rolecall/snapshot")
    assert (snapshot.status_code, "no policy" in snapshot.text) == (200, True)
    simulated = iam.simulate_principal_policy(PolicySourceArn=user_arn("ana"), ActionNames=["chime:ListAccounts"])
    assert [each["EvalDecision"] for each in simulated["EvaluationResults"]] == ["explicitDeny"]
    assert iam.get_context_keys_for_principal_policy(PolicySourceArn=user_arn("ana"))["ContextKeyNames"] == []
    iam.put_user_policy(UserName="ana", PolicyName="policy-0", PolicyDocument=json.dumps(allow(["chime:*", "sts:*"])))
    iam.update_assume_role_policy(RoleName="operator", PolicyDocument=json.dumps(trust(root_arn())))
    assert listing(world, "ana") == assume(world) == "allowed"
