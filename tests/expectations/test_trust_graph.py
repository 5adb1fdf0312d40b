"""The trust graph, effective actions and questions with a policy that is not stored, against expectations by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from console_worlds import (
    ADMIN,
    ANA,
    BREAK_GLASS,
    DEPLOY,
    GATEWAY,
    GITHUB,
    HUB,
    LIMITS,
    OPERATOR,
    OPERATORS,
    POWER,
    TWO_ACCOUNTS,
)

from rolecall.app import application_over
from rolecall.clock import iso8601
from rolecall.expectations.asking import asking
from rolecall.expectations.effective import effective_actions, named_services
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.trust_graph import KnownGraph, is_administrator, statements_for, trust_graph
from rolecall.expectations.trying import Draft, one_action, tried
from rolecall.policy import NamedPolicy, PolicyKind, parse_policy

RUN = f"arn:aws:iam::{HUB}:role/run"
PARTNER = f"arn:aws:iam::{HUB}:role/partner"
AUDIENCE = "StringEquals token.actions.githubusercontent.com:aud sts.amazonaws.com"
SUBJECT = "StringLike token.actions.githubusercontent.com:sub repo:octo-org/*"
EXTERNAL = "StringEquals sts:ExternalId really"


@pytest.fixture(scope="module")
def shared(make_shared_world: Any) -> Any:
    return make_shared_world(TWO_ACCOUNTS)


@pytest.fixture
def asker(shared: Any) -> Any:
    with asking(shared.application.sandbox) as asker:
        yield asker


def test_every_edge_is_one_that_a_call_would_confirm(asker: Any) -> None:
    graph = trust_graph(asker)
    found = {(edge.source, edge.target): (edge.conditions, edge.leads_to_administrator) for edge in graph.edges}
    assert found == {
        (ADMIN, GATEWAY): ((), True),
        (POWER, GATEWAY): ((), True),
        (ANA, GATEWAY): ((), True),
        (ANA, OPERATOR): ((), False),
        (GATEWAY, BREAK_GLASS): ((EXTERNAL,), True),
        (GITHUB, DEPLOY): ((AUDIENCE, SUBJECT), False),
        ("lambda.amazonaws.com", RUN): ((), False),
        ("arn:aws:iam::999900001111:root", PARTNER): (("StringEquals sts:ExternalId x-1",), False),
    }


def test_nodes_have_their_kind_and_what_they_lead_to(asker: Any) -> None:
    nodes = {
        arn: (node.kind, node.is_administrator, node.reaches_administrator)
        for arn, node in trust_graph(asker).nodes.items()
    }
    assert nodes[ADMIN] == ("user", True, True)
    assert nodes[ANA] == ("user", False, True)
    assert nodes[GATEWAY] == ("role", False, True)
    assert nodes[BREAK_GLASS] == ("role", True, False)
    assert nodes[GITHUB] == ("oidc", False, False)
    assert nodes["lambda.amazonaws.com"] == ("service", False, False)
    assert nodes["arn:aws:iam::999900001111:root"] == ("outside", False, False)


@pytest.mark.parametrize(("name", "expected"), [("user/admin", True), ("user/power", False), ("user/ana", False)])
def test_an_administrator_may_do_everything_in_iam(asker: Any, name: str, expected: bool) -> None:
    assert is_administrator(asker, asker.principals.single(name)) is expected


def test_a_boundary_makes_an_administrator_none(make_world: Any) -> None:
    world = make_world(TWO_ACCOUNTS)
    iam = world.client("iam")
    chime = "arn:aws:iam::aws:policy/AmazonChimeFullAccess"
    iam.put_user_permissions_boundary(UserName="admin", PermissionsBoundary=chime)
    with asking(world.application.sandbox) as asker:
        assert not is_administrator(asker, asker.principals.single("user/admin"))


@pytest.mark.parametrize(
    ("source", "target", "sids"),
    [(GATEWAY, BREAK_GLASS, ["OnlyGateway"]), (ANA, BREAK_GLASS, ["Nobody"]), (ADMIN, BREAK_GLASS, [])],
)
def test_the_statements_behind_an_edge(asker: Any, source: str, target: str, sids: list[str]) -> None:
    assert [each.statement.sid for each in statements_for(asker, source, target)] == sids


def test_a_provider_is_named_by_its_statement(asker: Any) -> None:
    assert [each.statement.index for each in statements_for(asker, GITHUB, DEPLOY)] == [0]
    assert statements_for(asker, "arn:aws:iam::111122223333:oidc-provider/other", DEPLOY) == []
    assert statements_for(asker, GITHUB, f"arn:aws:iam::{HUB}:role/none") == []


# Effective actions.


def effective(asker: Any, name: str, *patterns: str) -> list[tuple[str, str]]:
    found, _ = effective_actions(asker, asker.principals.single(name), patterns)
    return [(each.action, each.reason) for each in found]


def test_effective_actions_are_those_that_every_layer_allows(asker: Any) -> None:
    of_operator = effective(asker, "444455556666:role/chime-operator", "chime:DeleteAccount", "chime:ListUsers")
    assert of_operator == [("chime:ListUsers", "")]
    assert effective(asker, "user/ana", "chime:List*") == [("chime:ListUsers", "")]
    assert effective(asker, "user/ana", "iam:*") == []
    needless = "the call needs no permission"
    assert effective(asker, "user/ana", "sts:*") == [
        ("sts:AssumeRole", ""),
        ("sts:GetCallerIdentity", needless),
        ("sts:GetSessionToken", needless),
    ]


def test_an_action_under_a_condition_shows_the_condition(make_world: Any) -> None:
    world = make_world(TWO_ACCOUNTS)
    document = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*", '
    document += '"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}}'
    world.client("iam").put_user_policy(UserName="ana", PolicyName="mfa", PolicyDocument=document)
    with asking(world.application.sandbox) as asker:
        found, total = effective_actions(asker, asker.principals.single("user/ana"), ["iam:Get*"])
    assert [each.action for each in found] == ["iam:GetUser"]
    [condition] = found[0].conditions
    assert (condition.operator, condition.key, condition.values) == ("Bool", "aws:MultiFactorAuthPresent", ("true",))
    assert total > 20


@pytest.mark.parametrize("pattern", ["nothing", "x:y", "iam:NoSuch", "iam:"])
def test_a_pattern_that_matches_nothing_is_refused(asker: Any, pattern: str) -> None:
    with pytest.raises(BadQuestionError):
        effective_actions(asker, asker.principals.single("user/ana"), [pattern])


def test_the_services_that_policies_are_about(asker: Any) -> None:
    single = asker.principals.single
    assert named_services(asker, single("user/ana")) == ["chime:*", "sts:*"]
    assert named_services(asker, single("user/admin")) == ["chime:*", "iam:*", "organizations:*", "sts:*"]
    assert named_services(asker, single("root")) == ["chime:*", "iam:*", "organizations:*", "sts:*"]


# Drafts.


def draft(text: str, kind: PolicyKind = PolicyKind.IDENTITY, **where: str) -> Draft:
    name, arn = where.pop("name", ""), where.pop("arn", "")
    return Draft(NamedPolicy(parse_policy(text, kind), name, arn), **where)


def policy(effect: str, action: str, more: str = '"Resource": "*"') -> str:
    statement = f'{{"Effect": "{effect}", "Action": "{action}", {more}}}'
    return f'{{"Version": "2012-10-17", "Statement": {statement}}}'


def allowed(asker: Any, name: str, action: str, resource: str = "*", drafted: Draft | None = None) -> bool:
    who = asker.principals.single(name)
    return bool(tried(asker, who, one_action(action), resource, {}, drafted).allowed)


def test_a_draft_takes_the_place_of_the_stored_policy_and_of_no_other(asker: Any) -> None:
    nothing = policy("Deny", "s3:GetObject")
    of_group = draft(nothing, name="step-out", owner_arn=OPERATORS)
    assert allowed(asker, "user/ana", "chime:ListUsers")
    assert not allowed(asker, "user/ana", "chime:ListUsers", drafted=of_group)
    for other in (
        draft(nothing, name="step-out", owner_arn=ANA),
        draft(nothing, name="other", owner_arn=OPERATORS),
        draft(nothing, name="step-out", owner_arn=OPERATORS.replace("1111", "9999", 1)),
        draft(nothing, name="step-out", owner_arn=f"arn:aws:iam::{HUB}:group/others"),
    ):
        assert allowed(asker, "user/ana", "chime:ListUsers", drafted=other)


def test_a_draft_of_a_boundary_limits(asker: Any) -> None:
    name = "444455556666:role/chime-operator"
    wide = draft(policy("Allow", "*"), name="limits", arn=LIMITS)
    assert not allowed(asker, name, "chime:DeleteAccount")
    assert allowed(asker, name, "chime:DeleteAccount", drafted=wide)
    narrow = draft(policy("Allow", "iam:*"), name="limits", arn=LIMITS)
    assert not allowed(asker, name, "chime:ListUsers", drafted=narrow)


def test_a_managed_draft_that_a_principal_lacks_is_tried_as_if_attached(asker: Any) -> None:
    wide = draft(policy("Allow", "iam:GetUser"), name="limits", arn=LIMITS)
    who = asker.principals.single("user/ana")
    assert not wide.is_about(who, asker.rights(who))
    assert not allowed(asker, "user/ana", "iam:GetUser")
    assert allowed(asker, "user/ana", "iam:GetUser", drafted=wide)


def test_a_draft_of_a_trust_policy_decides_about_its_role_alone(asker: Any) -> None:
    trust = policy("Allow", "sts:AssumeRole", f'"Principal": {{"AWS": "{ANA}"}}')
    of_role = draft(trust, PolicyKind.TRUST, name="trust policy", role_arn=BREAK_GLASS)
    assert not allowed(asker, "user/ana", "sts:AssumeRole", BREAK_GLASS)
    assert allowed(asker, "user/ana", "sts:AssumeRole", BREAK_GLASS, of_role)
    assert not allowed(asker, "user/admin", "sts:AssumeRole", OPERATOR, of_role)
    closed = draft(trust.replace("Allow", "Deny"), PolicyKind.TRUST, name="trust policy", role_arn=GATEWAY)
    assert allowed(asker, "user/ana", "sts:AssumeRole", GATEWAY)
    assert not allowed(asker, "user/ana", "sts:AssumeRole", GATEWAY, closed)
    # The stored trust policy of another role is not touched.
    assert allowed(asker, "user/ana", "sts:AssumeRole", OPERATOR, closed)


@pytest.mark.parametrize("resource", ["*", "arn:aws:iam::111122223333:role/*"])
def test_assuming_is_about_one_role(asker: Any, resource: str) -> None:
    with pytest.raises(BadQuestionError):
        allowed(asker, "user/ana", "sts:AssumeRole", resource)


@pytest.mark.parametrize("name", ["iam:Get*", "*", "iam", "x:y", "iam:NoSuch"])
def test_a_question_is_about_one_known_action(name: str) -> None:
    with pytest.raises(BadQuestionError):
        one_action(name)


# A graph that is brought up to date says the same as one that is worked out anew.


def _document(action: str, resource: str = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _trusting(*names: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(names)}, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


OTHER_ACCOUNT = "arn:aws:iam::555566667777:root"
NEW = f"arn:aws:iam::{HUB}:role/new"
CHANGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("iam", "tag_user", {"UserName": "ana", "Tags": [{"Key": "a", "Value": "b"}]}),
    ("iam", "create_role", {"RoleName": "new", "AssumeRolePolicyDocument": _trusting(GATEWAY, OTHER_ACCOUNT)}),
    ("iam", "put_role_policy", {"RoleName": "new", "PolicyName": "all", "PolicyDocument": _document("*")}),
    ("iam", "update_assume_role_policy", {"RoleName": "new", "PolicyDocument": _trusting(ANA)}),
    ("iam", "update_assume_role_policy", {"RoleName": "gateway", "PolicyDocument": _trusting(NEW)}),
    ("iam", "delete_user_policy", {"UserName": "ben", "PolicyName": "own"}),
    ("iam", "put_user_policy", {"UserName": "ben", "PolicyName": "own", "PolicyDocument": _document("sts:*")}),
    ("iam", "update_user", {"UserName": "ben", "NewUserName": "bo"}),
    ("iam", "delete_group_policy", {"GroupName": "operators", "PolicyName": "step-out"}),
    ("iam", "create_user", {"UserName": "late"}),
    ("iam", "add_user_to_group", {"UserName": "late", "GroupName": "operators"}),
    (
        "iam",
        "put_group_policy",
        {"GroupName": "operators", "PolicyName": "o", "PolicyDocument": _document("sts:AssumeRole", NEW)},
    ),
    ("iam", "update_assume_role_policy", {"RoleName": "new", "PolicyDocument": _trusting(f"arn:aws:iam::{HUB}:root")}),
    ("iam", "create_policy", {"PolicyName": "narrow", "PolicyDocument": _document("iam:*")}),
    (
        "iam",
        "put_user_permissions_boundary",
        {"UserName": "late", "PermissionsBoundary": f"arn:aws:iam::{HUB}:policy/narrow"},
    ),
    (
        "iam",
        "create_policy_version",
        {
            "PolicyArn": f"arn:aws:iam::{HUB}:policy/narrow",
            "PolicyDocument": _document("sts:*"),
            "SetAsDefault": True,
        },
    ),
    ("iam", "delete_role_policy", {"RoleName": "new", "PolicyName": "all"}),
    ("iam", "delete_role", {"RoleName": "new"}),
    ("iam", "create_role", {"RoleName": "new", "AssumeRolePolicyDocument": _trusting(ANA)}),
    ("iam", "delete_user_policy", {"UserName": "bo", "PolicyName": "own"}),
    ("iam", "delete_user", {"UserName": "bo"}),
    ("organizations", "create_organization", {}),
    ("organizations", "create_account", {"Email": "a@example.com", "AccountName": "new"}),
)


def test_a_graph_that_follows_the_changes(make_world: Any) -> None:
    """Beside it, one of a sandbox that remembers nothing: the same database in a new application."""
    world = make_world(TWO_ACCOUNTS)
    iam = world.client("iam")
    iam.create_user(UserName="ben")
    iam.put_user_policy(UserName="ben", PolicyName="own", PolicyDocument=_document("iam:*"))
    known, graphs = KnownGraph(), []
    for service, operation, parameters in CHANGES:
        with asking(world.application.sandbox) as asker:
            graphs.append(known.now(asker, 0))
        getattr(world.client(service), operation)(**parameters)
        anew = application_over(world.database, world.declared, world.clock)
        with asking(world.application.sandbox) as asker:
            now = known.now(asker, 0)
        with asking(anew.sandbox) as asker:
            expected = trust_graph(asker)
        assert list(now.edges) == list(expected.edges), operation
        assert now.nodes == expected.nodes, operation
    # The changes that move nothing are few.
    assert sum(one != other for one, other in pairwise(graphs)) >= 12


def test_an_account_that_is_closed_is_outside(make_world: Any) -> None:
    world = make_world(TWO_ACCOUNTS)
    organizations, known = world.client("organizations"), KnownGraph()
    organizations.create_organization()
    asked = organizations.create_account(Email="a@example.com", AccountName="first")["CreateAccountStatus"]["Id"]
    world.clock.advance(hours=1)
    status = organizations.describe_create_account_status(CreateAccountRequestId=asked)["CreateAccountStatus"]
    named = f"arn:aws:iam::{status['AccountId']}:root"
    world.client("iam").update_assume_role_policy(RoleName="run", PolicyDocument=_trusting(named))
    with asking(world.application.sandbox) as asker:
        assert named not in known.now(asker, 0).nodes
    organizations.close_account(AccountId=status["AccountId"])
    with asking(world.application.sandbox) as asker:
        assert known.now(asker, 0).nodes[named].kind == "outside"


def test_policies_that_ask_for_the_time_are_tried_again(make_world: Any) -> None:
    world = make_world(TWO_ACCOUNTS)
    until = iso8601(world.clock.now_seconds() + 3600)
    condition = {"DateLessThan": {"aws:CurrentTime": until}}
    world.client("iam").update_assume_role_policy(
        RoleName="gateway", PolicyDocument=_trusting(ANA, Condition=condition)
    )
    known, sandbox = KnownGraph(), world.application.sandbox

    def conditions(minute: int) -> list[tuple[str, ...]]:
        with asking(sandbox) as asker:
            edges = known.now(asker, minute).edges
        return [tuple(each.conditions) for each in edges if (each.source, each.target) == (ANA, GATEWAY)]

    assert conditions(0) == [()]
    world.clock.advance(hours=2)
    assert conditions(0) == [()]
    assert conditions(1) == [(f"DateLessThan aws:CurrentTime {until}",)]
