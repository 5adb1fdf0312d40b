"""Simulating sts:AssumeRole with the role's trust policy as resource policy gives the real call's decision."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from iam_calls import ACCOUNT, ADMINISTRATOR, context_entries, declared_user

CALLER = f"arn:aws:iam::{ACCOUNT}:user/caller"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/target"
ANYBODY = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
DECLARATION = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    declared_user("admin", attached_policies=[ADMINISTRATOR]),
                    declared_user("caller", tags={"team": "red"}, groups=["crew"]),
                ],
                "groups": [{"name": "crew"}],
                "roles": [
                    {
                        "name": "target",
                        "path": "/team/",
                        "tags": {"team": "red"},
                        "trust_policy": {"Version": "2012-10-17", "Statement": [ANYBODY]},
                    }
                ],
                "policies": [{"name": "limits", "document": {"Version": "2012-10-17", "Statement": []}}],
            }
        ],
    }
).replace('"Statement": []', '"Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}]')

ACTIONS = st.sampled_from(["sts:AssumeRole", "sts:TagSession", ["sts:AssumeRole", "sts:TagSession"]])
PRINCIPALS = st.sampled_from(["*", ACCOUNT, CALLER, f"arn:aws:iam::{ACCOUNT}:root", [CALLER, ACCOUNT]])
CONDITIONS = st.one_of(
    st.none(),
    st.builds(
        lambda operator, key, value: {operator: {key: value}},
        st.sampled_from(["StringEquals", "StringNotEquals", "StringLikeIfExists", "ForAllValues:StringEquals"]),
        st.sampled_from(
            [
                "sts:ExternalId",
                "sts:RoleSessionName",
                "aws:RequestTag/team",
                "aws:TagKeys",
                "sts:TransitiveTagKeys",
                "aws:PrincipalTag/team",
                "aws:ResourceTag/team",
                "aws:PrincipalArn",
                "aws:username",
            ]
        ),
        st.sampled_from(["red", "blue", "team", "secret-1", "session", CALLER, "caller", "${aws:PrincipalTag/team}"]),
    ),
)


def _statement(effect: str, action: Any, condition: Any, **more: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, **more}
    return statement if condition is None else {**statement, "Condition": condition}


EFFECTS = st.sampled_from(["Allow", "Allow", "Allow", "Deny"])
TRUST = st.builds(
    lambda effect, action, condition, principal: _statement(effect, action, condition, Principal={"AWS": principal}),
    EFFECTS,
    ACTIONS,
    CONDITIONS,
    PRINCIPALS,
)
IDENTITY = st.builds(
    lambda effect, action, condition, resource: _statement(effect, action, condition, Resource=resource),
    EFFECTS,
    ACTIONS,
    CONDITIONS,
    st.sampled_from(["*", ROLE, "arn:aws:iam::*:role/*", "arn:aws:iam::444455556666:role/*"]),
)
EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "ExternalId": st.sampled_from(["secret-1", "blue"]),
        "Tags": st.sampled_from(
            [
                [{"Key": "team", "Value": "blue"}],
                [{"Key": "team", "Value": "red"}, {"Key": "kind", "Value": "x"}],
            ]
        ),
        "TransitiveTagKeys": st.just(["team"]),
    },
)
ANSWERS = {"Allowed": "allowed", "ExplicitDeny": "explicitDeny", "ImplicitDeny": "implicitDeny"}


def document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_simulation_with_a_trust_policy_decides_as_the_real_assume_role(make_world: Any) -> None:
    world = make_world(DECLARATION)
    admin, sts = world.client("iam"), world.client("sts", "caller")
    seen: set[str] = set()

    def decisions_of(extras: dict[str, Any]) -> tuple[Any, ...]:
        world.outcomes.clear()
        with suppress(ClientError):
            sts.assume_role(RoleArn=ROLE, RoleSessionName="session", **extras)
        return tuple(world.outcomes[-1].decisions)

    @settings(max_examples=examples(60), deadline=None, phases=set(Phase) - {Phase.explain})
    @given(
        trust=st.lists(TRUST, min_size=1, max_size=2),
        own=st.lists(IDENTITY, min_size=1, max_size=2),
        of_group=st.lists(IDENTITY, min_size=1, max_size=1),
        boundary=st.one_of(st.none(), st.lists(IDENTITY, min_size=1, max_size=1)),
        extras=EXTRAS,
    )
    def agree(trust: Any, own: Any, of_group: Any, boundary: Any, extras: dict[str, Any]) -> None:
        if "Tags" not in extras:
            extras.pop("TransitiveTagKeys", None)
        admin.update_assume_role_policy(RoleName="target", PolicyDocument=document(trust))
        admin.put_user_policy(UserName="caller", PolicyName="own", PolicyDocument=document(own))
        admin.put_group_policy(GroupName="crew", PolicyName="own", PolicyDocument=document(of_group))
        bounded = {} if boundary is None else {"PermissionsBoundaryPolicyInputList": [document(boundary)]}
        limits = f"arn:aws:iam::{ACCOUNT}:policy/limits"
        if boundary is None:
            admin.delete_user_permissions_boundary(UserName="caller")
        else:
            for version in admin.list_policy_versions(PolicyArn=limits)["Versions"]:
                if not version["IsDefaultVersion"]:
                    admin.delete_policy_version(PolicyArn=limits, VersionId=version["VersionId"])
            admin.create_policy_version(PolicyArn=limits, PolicyDocument=document(boundary), SetAsDefault=True)
            admin.put_user_permissions_boundary(UserName="caller", PermissionsBoundary=limits)
        decisions = decisions_of(extras)
        assert decisions
        for decision in decisions:
            context = context_entries(dict(decision.question.context))
            asked = {
                "ActionNames": [decision.question.action],
                "ResourceArns": [decision.question.resource],
                "ResourcePolicy": document(trust),
                "ContextEntries": context,
            }
            texts = [document(own), document(of_group)]
            answers = [
                admin.simulate_principal_policy(PolicySourceArn=CALLER, **asked),
                admin.simulate_custom_policy(PolicyInputList=texts, CallerArn=CALLER, **bounded, **asked),
            ]
            for answer in answers:
                [result] = answer["EvaluationResults"]
                assert result["EvalDecision"] == ANSWERS[decision.outcome], (decision.question, result)
            seen.add(decision.outcome)

    agree()
    assert seen == set(ANSWERS)
