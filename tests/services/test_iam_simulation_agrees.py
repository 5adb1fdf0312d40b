"""A simulation and the real call never disagree: both are drawn at random, both go through the gateway."""

from __future__ import annotations

import json
from typing import Any

from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from iam_calls import ACCOUNT, ADMINISTRATOR, context_entries, declared_user

TARGET = f"arn:aws:iam::{ACCOUNT}:user/team/target"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/caller"
WORKER = f"arn:aws:iam::{ACCOUNT}:role/team/worker"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}
NO_WRITING_FOR_RED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": ["iam:Create*", "chime:Create*"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red"}},
        },
    ],
}
TAGS = {"team": "red", "Level": "7"}
DECLARATION = json.dumps(
    {
        "version": 1,
        "organization": {
            "id": "o-example1234",
            "service_control_policies": [{"name": "red", "targets": [ACCOUNT], "document": NO_WRITING_FOR_RED}],
        },
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    declared_user("admin", attached_policies=[ADMINISTRATOR]),
                    declared_user("caller", tags=TAGS, groups=["crew"]),
                    {"name": "target", "path": "/team/", "tags": {"team": "blue"}},
                ],
                "groups": [{"name": "crew"}],
                "roles": [{"name": "worker", "path": "/team/", "trust_policy": TRUST, "tags": {"team": "green"}}],
                "policies": [{"name": "boundary", "document": NO_WRITING_FOR_RED}],
            }
        ],
    }
)

# What a caller may try. None of these changes anything, because the things exist already.
CALLS: dict[str, Any] = {
    "list accounts": lambda client: client("chime").list_accounts(),
    "delete account": lambda client: client("chime").delete_account(AccountId="a" * 8),
    "list users": lambda client: client("iam").list_users(PathPrefix="/team/"),
    "get user": lambda client: client("iam").get_user(UserName="target"),
    "create user": lambda client: client("iam").create_user(
        UserName="target", Path="/team/", Tags=[{"Key": "team", "Value": "blue"}, {"Key": "Kind", "Value": "x"}]
    ),
    "tag user": lambda client: client("iam").tag_user(UserName="target", Tags=[{"Key": "team", "Value": "blue"}]),
    "attach": lambda client: client("iam").detach_user_policy(UserName="target", PolicyArn=ADMINISTRATOR),
}

ACTIONS = st.sampled_from(
    [
        "*",
        "chime:*",
        "chime:List*",
        "CHIME:listaccounts",
        "iam:*User*",
        "iam:GetUser",
        "iam:Tag*",
        "iam:?etach*",
        "s3:*",
    ]
)
RESOURCES = st.sampled_from(
    [
        "*",
        TARGET,
        f"arn:aws:iam::{ACCOUNT}:user/*",
        f"arn:aws:iam::{ACCOUNT}:user/team/${{aws:username}}",
        "arn:aws:iam::*:user/team/*t",
    ]
)
KEYS = st.sampled_from(
    [
        "aws:username",
        "aws:userid",
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalType",
        "aws:PrincipalOrgID",
        "aws:principaltag/TEAM",
        "aws:PrincipalTag/Level",
        "aws:RequestTag/team",
        "aws:TagKeys",
        "aws:ResourceTag/team",
        "iam:PolicyARN",
        "aws:RequestedRegion",
        "aws:SourceIp",
        "aws:SecureTransport",
        "aws:CurrentTime",
        "aws:TokenIssueTime",
        "aws:MultiFactorAuthPresent",
        "chime:NoSuchKey",
    ]
)
VALUES = st.sampled_from(
    [
        "red",
        "blue",
        "green",
        "caller",
        "team",
        "7",
        "true",
        "false",
        "*",
        "*:session",
        "127.0.0.0/8",
        "us-east-1",
        ACCOUNT,
        WORKER,
        CALLER,
        "User",
        "o-example1234",
        "arn:aws:iam::*:role/team/*",
        "2020-01-01T00:00:00Z",
        "${aws:PrincipalTag/team}",
        "${aws:username, 'nobody'}",
    ]
)
PLAIN_OPERATORS = [
    "StringEquals",
    "StringNotEquals",
    "StringLike",
    "StringNotLike",
    "StringEqualsIgnoreCase",
    "ArnLike",
    "ArnNotEquals",
    "Bool",
    "IpAddress",
    "NotIpAddress",
    "NumericLessThan",
]
# IAM accepts no other operators of these families.
VALUES_BY_FAMILY = {
    "Arn": st.sampled_from([WORKER, CALLER, "arn:aws:iam::*:role/team/*", "*", "arn:aws:sts::*:*:${aws:username}"]),
    "Ip": st.sampled_from(["127.0.0.0/8", "127.0.0.1", "10.0.0.0/8", "::1", "::/0"]),
    "Numeric": st.sampled_from(["7", "-1", "1e3", ACCOUNT]),
}


def values_for(operator: str) -> st.SearchStrategy[str]:
    return next((values for family, values in VALUES_BY_FAMILY.items() if family in operator), VALUES)


OPERATORS = st.builds(
    lambda prefix, base, suffix: prefix + base + suffix,
    st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]),
    st.sampled_from(PLAIN_OPERATORS),
    st.sampled_from(["", "", "IfExists"]),
)
CONDITIONS = st.one_of(
    OPERATORS.flatmap(
        lambda operator: st.builds(
            lambda key, values: {operator: {key: values}},
            KEYS,
            st.lists(values_for(operator), min_size=1, max_size=2),
        )
    ),
    st.builds(lambda key, value: {"Null": {key: value}}, KEYS, st.sampled_from(["true", "false"])),
    st.builds(
        lambda operator, key: {operator: {key: "2025-01-01T00:00:00Z"}},
        st.sampled_from(["DateGreaterThan", "DateLessThanIfExists"]),
        st.sampled_from(["aws:CurrentTime", "aws:TokenIssueTime"]),
    ),
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    negated = draw(st.booleans()) and draw(st.booleans())
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "NotAction" if negated else "Action": draw(st.lists(ACTIONS, min_size=1, max_size=2)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(RESOURCES),
    }
    if draw(st.booleans()):
        statement["Condition"] = draw(CONDITIONS)
    return statement


DOCUMENTS = st.builds(
    lambda found: json.dumps({"Version": "2012-10-17", "Statement": found}),
    st.lists(statements(), min_size=1, max_size=3),
)


class Worlds:
    """One world, set up anew for each example through IAM itself."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.admin = world.client("iam")
        self.admin.create_policy_version(PolicyArn=BOUNDARY, PolicyDocument=json.dumps(NO_WRITING_FOR_RED))
        session = world.assume(WORKER, "admin")
        self.clients = {
            CALLER: {service: world.client(service, "caller") for service in ("iam", "chime")},
            WORKER: {service: world.client(service, credentials=session) for service in ("iam", "chime")},
        }

    def set_up(self, document: str, of_group: str, boundary: str | None) -> None:
        admin = self.admin
        admin.put_user_policy(UserName="caller", PolicyName="own", PolicyDocument=document)
        admin.put_group_policy(GroupName="crew", PolicyName="own", PolicyDocument=of_group)
        admin.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=document)
        if boundary is None:
            admin.delete_user_permissions_boundary(UserName="caller")
            admin.delete_role_permissions_boundary(RoleName="worker")
            return
        versions = admin.list_policy_versions(PolicyArn=BOUNDARY)["Versions"]
        old = next(each["VersionId"] for each in versions if not each["IsDefaultVersion"])
        admin.delete_policy_version(PolicyArn=BOUNDARY, VersionId=old)
        admin.create_policy_version(PolicyArn=BOUNDARY, PolicyDocument=boundary, SetAsDefault=True)
        admin.put_user_permissions_boundary(UserName="caller", PermissionsBoundary=BOUNDARY)
        admin.put_role_permissions_boundary(RoleName="worker", PermissionsBoundary=BOUNDARY)

    def decisions_of(self, who: str, call: str) -> tuple[Any, ...]:
        """The gateway's decision about one real call, whatever its result."""
        refused = False
        try:
            CALLS[call](self.clients[who].__getitem__)
        except ClientError as error:
            refused = error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        decisions = tuple(self.world.outcomes[-1].decisions)
        self.world.outcomes.clear()
        assert decisions
        assert all(decision.allowed for decision in decisions) is not refused
        return decisions

    def simulated(self, who: str, decision: Any, context: dict[str, Any]) -> dict[str, Any]:
        question = decision.question
        resources = {} if question.resource == "*" else {"ResourceArns": [question.resource]}
        answer = self.admin.simulate_principal_policy(
            PolicySourceArn=who, ActionNames=[question.action], ContextEntries=context_entries(context), **resources
        )
        self.world.outcomes.clear()
        [result] = answer["EvaluationResults"]
        return result  # type: ignore[no-any-return]


ANSWERS = {"Allowed": "allowed", "ExplicitDeny": "explicitDeny", "ImplicitDeny": "implicitDeny"}
# The keys that a session adds to its role's keys. Only the caller knows their values.
SESSION_KEYS = {"aws:userid", "aws:tokenissuetime", "aws:multifactorauthpresent"}
CALLERS_KEYS = ("aws:principal", "aws:username", "aws:userid", "aws:viaawsservice")


def test_a_simulation_decides_as_the_real_call_was_decided(make_world: Any) -> None:
    worlds = Worlds(make_world(DECLARATION))
    seen: set[tuple[str, str]] = set()

    @settings(max_examples=examples(120), deadline=None, phases=set(Phase) - {Phase.explain})
    @given(
        document=DOCUMENTS,
        of_group=DOCUMENTS,
        boundary=st.one_of(st.none(), DOCUMENTS),
        who=st.sampled_from([CALLER, WORKER]),
        calls=st.lists(st.sampled_from(sorted(CALLS)), min_size=1, max_size=3, unique=True),
    )
    def agree(document: str, of_group: str, boundary: str | None, who: str, calls: list[str]) -> None:
        worlds.set_up(document, of_group, boundary)
        for call in calls:
            for decision in worlds.decisions_of(who, call):
                context = dict(decision.question.context)
                # The simulator knows the keys of the user or role itself.
                needed = {
                    key: value
                    for key, value in context.items()
                    if not key.startswith(CALLERS_KEYS) or (who == WORKER and key in SESSION_KEYS)
                }
                for given_keys in (context, needed):
                    result = worlds.simulated(who, decision, given_keys)
                    assert (result["EvalDecision"] == "allowed") is decision.allowed, (decision.question, result)
                    if result["OrganizationsDecisionDetail"]["AllowedByOrganizations"]:
                        # A refusal by the organization ends a simulation before other policies are evaluated.
                        assert result["EvalDecision"] == ANSWERS[decision.outcome]
                    bounded = result.get("PermissionsBoundaryDecisionDetail")
                    assert bounded is None or boundary is not None
                seen.add((who, decision.outcome))

    agree()
    # A test with a single outcome would prove little.
    assert {outcome for _, outcome in seen} == set(ANSWERS)
    assert {who for who, _ in seen} == {CALLER, WORKER}
