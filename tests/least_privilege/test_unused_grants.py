"""Grants of the present policies that no logged call used: actions, resources and whole policies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from logged_worlds import keep_log, refused

from rolecall.access.policies import Authority
from rolecall.call_log.writer import DecisionLog
from rolecall.least_privilege import NoGrantsError, Unused, observed, unused_grants
from rolecall.least_privilege.grants import unused
from rolecall.least_privilege.traffic import Used
from rolecall.policy import (
    CompiledPolicies,
    Layers,
    NamedPolicy,
    PolicyKind,
    Question,
    compile_policies,
    decide,
    parse_policy,
)
from rolecall.principals import Principal

ACCOUNT = "111122223333"
ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
READER = f"arn:aws:iam::{ACCOUNT}:role/chime-reader"

Json = dict[str, Any]


@pytest.fixture
def log(world: Any) -> Iterator[DecisionLog]:
    kept = keep_log(world)
    yield kept
    kept.close()


@pytest.fixture
def make_logged(make_world: Any) -> Iterator[Callable[..., Any]]:
    """Sandboxes with a log, in which ana has these inline policies, by name, and the other given parts."""
    logs: list[DecisionLog] = []

    def make(policies: dict[str, Json], account: Json | None = None, **user: Any) -> tuple[Any, DecisionLog]:
        ana = {"name": "ana", "access_keys": [{"id": "ana_key", "secret": "ana-secret"}], "inline_policies": policies}
        admin = {
            "name": "admin",
            "access_keys": [{"id": "test", "secret": "test"}],
            "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        }
        users = [{**ana, **user}, admin, {"name": "bob"}]
        world = make_world(json.dumps({"version": 1, "accounts": [{"id": ACCOUNT, "users": users, **(account or {})}]}))
        logs.append(keep_log(world))
        return world, logs[-1]

    yield make
    for kept in logs:
        kept.close()


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Json:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> Json:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def unused_of(world: Any, log: DecisionLog, principal: str = ANA) -> Unused:
    with world.database.snapshot() as connection:
        return unused_grants(connection, observed(log, principal))


def idle(found: Unused) -> list[str]:
    return [str(policy["policy"]) for policy in found.policies]


def test_unused_grants_of_a_role(world: Any, log: DecisionLog) -> None:
    chime = world.client("chime", credentials=world.assume("chime-reader"))
    before = unused_of(world, log, READER)
    assert len(before.actions["chime"]) == 116
    assert before.policies == (
        {"policy": "AmazonChimeReadOnly", "policy_arn": "arn:aws:iam::aws:policy/AmazonChimeReadOnly"},
    )
    chime.list_accounts()
    refused(chime.create_account, Name="x")
    after = unused_of(world, log, f"arn:aws:sts::{ACCOUNT}:assumed-role/chime-reader/session")
    assert set(before.actions["chime"]) - set(after.actions["chime"]) == {"chime:ListAccounts"}
    assert (after.policies, after.reaches_further) == ((), False)


def test_a_pattern_for_everything_is_expanded_for_the_services_here(world: Any, log: DecisionLog) -> None:
    found = unused_of(world, log, f"arn:aws:iam::{ACCOUNT}:user/admin")
    assert list(found.actions) == ["chime", "iam", "sts"]
    assert len(found.actions["chime"]) == 316
    assert found.reaches_further


def test_a_policy_for_other_resources_was_not_used(make_logged: Any) -> None:
    world, log = make_logged(
        {"mine": document(allow("iam:GetUser", ANA)), "other": document(allow("iam:GetUser", BOB))}
    )
    world.client("iam", "ana").get_user()
    found = unused_of(world, log)
    assert (found.actions, found.resources, idle(found)) == ({}, {"iam:GetUser": [BOB]}, ["other"])


def test_resources_of_one_statement_that_no_call_was_about(make_logged: Any) -> None:
    everyone = f"arn:aws:iam::{ACCOUNT}:user/*"
    own = f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"
    team = f"arn:aws:iam::{ACCOUNT}:user/team/*"
    world, log = make_logged({"own": document(allow(["iam:GetUser", "iam:TagUser"], [everyone, own, team, BOB]))})
    assert unused_of(world, log).resources == {}
    world.client("iam", "ana").get_user()
    found = unused_of(world, log)
    assert found.actions == {"iam": ["iam:TagUser"]}
    # A variable could have had any value.
    assert found.resources == {"iam:GetUser": [BOB, team]}


def test_an_arn_for_an_action_without_resources_grants_nothing(make_logged: Any) -> None:
    arn = f"arn:aws:chime::{ACCOUNT}:*"
    world, log = make_logged({"own": document(allow(["chime:ListUsers", "iam:GetAccountSummary"], arn))})
    refused(world.client("chime", "ana").list_accounts)
    assert unused_of(world, log) == Unused({}, {}, ({"policy": "own", "policy_arn": ""},), reaches_further=False)


@pytest.mark.parametrize(
    ("denied", "granted"),
    [
        (deny("iam:GetUser"), []),
        (deny("iam:*", f"arn:aws:iam::{ACCOUNT}:user/*"), []),
        (deny("iam:GetUser", [BOB, ANA]), []),
        ({"Effect": "Deny", "NotAction": "iam:TagUser", "Resource": "*"}, []),
        ({"Effect": "Deny", "Action": "*", "NotResource": f"arn:aws:iam::{ACCOUNT}:role/*"}, []),
        (deny("iam:GetUser", BOB), [ANA]),
        (deny("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/???x"), [ANA, BOB]),
        (deny("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"), [ANA, BOB]),
        ({"Effect": "Deny", "Action": "*", "NotResource": f"arn:aws:iam::{ACCOUNT}:user/a*"}, [ANA]),
        (deny("iam:GetUser", Condition={"Bool": {"aws:SecureTransport": "false"}}), [ANA, BOB]),
    ],
)
def test_what_is_denied_is_not_granted(make_logged: Any, denied: Json, granted: list[str]) -> None:
    world, log = make_logged({"own": document(allow("iam:GetUser"))})
    world.client("iam", "ana").get_user(UserName="admin")
    own = document(allow("iam:GetUser", [ANA, BOB]), denied)
    world.client("iam").put_user_policy(UserName="ana", PolicyName="own", PolicyDocument=json.dumps(own))
    found = unused_of(world, log)
    assert found.resources == ({"iam:GetUser": granted} if granted else {})
    log.clear()
    assert unused_of(world, log).actions == ({"iam": ["iam:GetUser"]} if granted else {})


@pytest.mark.parametrize(
    ("boundary", "granted"),
    [
        (allow("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/*"), True),
        (allow("iam:Get*", "arn:aws:iam::*:user/a?a"), True),
        (allow("iam:GetUser", BOB), False),
        (allow("iam:ListUsers"), False),
        ({"Effect": "Allow", "NotAction": "sts:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": BOB}, True),
        ({"Effect": "Allow", "Action": "*", "NotResource": f"arn:aws:iam::{ACCOUNT}:user/*"}, False),
    ],
)
def test_a_boundary_must_allow_the_same_resource(make_logged: Any, boundary: Json, granted: bool) -> None:
    limits = {"policies": [{"name": "limits", "document": document(boundary)}]}
    own = {"own": document(allow("iam:GetUser", ANA))}
    world, log = make_logged(own, limits, permissions_boundary=f"arn:aws:iam::{ACCOUNT}:policy/limits")
    assert unused_of(world, log).actions == ({"iam": ["iam:GetUser"]} if granted else {})


def test_policies_of_groups_are_distinct(make_logged: Any) -> None:
    groups = [
        {"name": "readers", "inline_policies": {"own": document(allow("iam:GetUser"))}},
        {"name": "writers", "inline_policies": {"own": document(allow("iam:TagUser"))}},
    ]
    world, log = make_logged(
        {"own": document(allow("iam:ListUsers"))}, {"groups": groups}, groups=["readers", "writers"]
    )
    world.client("iam", "ana").get_user()
    assert unused_of(world, log).policies == (
        {"policy": "own", "policy_arn": ""},
        {"policy": "own", "policy_arn": "", "group": "writers"},
    )


def test_an_unused_policy_that_denies_says_so(make_logged: Any) -> None:
    """Without the statement, what it denies would be allowed."""
    both = document(allow("iam:GetUser"), deny("iam:TagUser"))
    world, log = make_logged({"both": both, "denies": document(deny("chime:*")), "plain": document(allow("iam:Tag*"))})
    assert unused_of(world, log).policies == (
        {"policy": "both", "policy_arn": "", "denies": True},
        {"policy": "plain", "policy_arn": ""},
    )


def test_a_statement_with_conditions_was_used_by_calls_that_no_other_allows(make_logged: Any) -> None:
    mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    encrypted = {"Bool": {"aws:SecureTransport": "false"}}
    world, log = make_logged(
        {
            "plain": document(allow("chime:List*")),
            "with-mfa": document(allow("chime:*", Condition=mfa)),
            "on-http": document(allow("iam:GetUser", Condition=encrypted)),
        }
    )
    world.client("chime", "ana").list_accounts()
    assert idle(unused_of(world, log)) == ["on-http", "with-mfa"]
    world.client("iam", "ana").get_user()
    assert idle(unused_of(world, log)) == ["with-mfa"]


def test_the_use_of_federated_users_counts_for_their_user(make_logged: Any) -> None:
    """Their rights are the user's, limited by a session policy (IAM User Guide, Permissions for GetFederationToken)."""
    own = document(allow(["sts:GetFederationToken", "chime:ListAccounts", "chime:CreateAccount"]))
    world, log = make_logged({"own": own})
    session_policy = json.dumps(document(allow("chime:*")))
    answer = world.client("sts", "ana").get_federation_token(Name="fay", Policy=session_policy)
    world.client("chime", credentials=answer["Credentials"]).list_accounts()
    assert unused_of(world, log).actions == {"chime": ["chime:CreateAccount"]}
    assert [kind.operation for kind in observed(log, f"arn:aws:iam::{ACCOUNT}:user/admin").kinds] == []
    assert len(observed(log, f"arn:aws:sts::{ACCOUNT}:federated-user/fay").kinds) == 1


def test_a_policy_detached_meanwhile_is_not_reported(make_logged: Any) -> None:
    world, log = make_logged({"a": document(allow("iam:GetUser")), "b": document(allow("iam:TagUser"))})
    world.client("iam", "ana").get_user()
    for name in ("a", "b"):
        world.client("iam").delete_user_policy(UserName="ana", PolicyName=name)
    assert unused_of(world, log) == Unused({}, {}, (), reaches_further=False)


def test_names_of_services_that_are_none_and_patterns_in_them(make_logged: Any) -> None:
    negated = {"Effect": "Allow", "NotAction": ["iam:*", "chime:*"], "Resource": "*"}
    world, log = make_logged({"own": document(allow("nosuchservice:Get")), "other": document(negated)})
    found = unused_of(world, log)
    assert (list(found.actions), found.reaches_further) == (["sts"], True)


# What can be removed from random policies: nothing that a call needed, and everything else that is allowed.

USERS = [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("a", "b", "ab", "x/a")]
ON_ALL = [("chime:ListUsers", "*"), ("iam:ListUsers", "*")]
ASKED = [*product(("iam:GetUser", "iam:TagUser", "iam:TagRole"), USERS), *ON_ALL]
ENDS = ("a", "a*", "?", "*/a", "??")
PATTERNS = ["*", "arn:aws:iam::*:user/*", *(f"arn:aws:iam::{ACCOUNT}:user/{end}" for end in ENDS)]
RESOURCES = st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2)
ACTIONS = st.sampled_from(["*", "iam:*", "iam:Tag*", "iam:GetUser", "iam:TagUser", "chime:ListUsers", "iam:?istUsers"])
STATEMENTS = st.builds(
    lambda effect, action, actions, resource, resources: {"Effect": effect, action: actions, resource: resources},
    st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    st.sampled_from(["Action", "Action", "Action", "NotAction"]),
    ACTIONS,
    st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]),
    RESOURCES,
)
DOCUMENTS = st.lists(STATEMENTS, min_size=1, max_size=3).map(lambda statements: document(*statements))
CALLER = Principal("User", ACCOUNT, ANA, ANA, "AIDAANA", "AIDAANA", "ana")


def layer(documents: dict[str, Json], kind: PolicyKind) -> CompiledPolicies:
    parsed = {name: parse_policy(json.dumps(text), kind) for name, text in documents.items()}
    return compile_policies([NamedPolicy(policy, name) for name, policy in parsed.items()], kind)


def allowed(identity: CompiledPolicies, boundary: CompiledPolicies | None) -> set[tuple[str, str]]:
    asked = [Question(action, resource, {}, CALLER, None, ACCOUNT) for action, resource in ASKED]
    return {(each.action, each.resource) for each in asked if decide(Layers(identity, boundary), each).allowed}


@settings(max_examples=examples(50), deadline=None)
@given(
    documents=st.lists(DOCUMENTS, min_size=1, max_size=4),
    boundary=st.none() | DOCUMENTS,
    wanted=st.sets(st.sampled_from(ASKED), max_size=6),
)
def test_what_was_used_needs_nothing_that_was_not(
    documents: list[Json], boundary: Json | None, wanted: set[tuple[str, str]]
) -> None:
    policies = {f"policy-{number}": text for number, text in enumerate(documents)}
    identity = layer(policies, PolicyKind.IDENTITY)
    limit = None if boundary is None else layer({"limit": boundary}, PolicyKind.BOUNDARY)
    may = allowed(identity, limit)
    calls = wanted & may
    permissions = {action: frozenset(r for a, r in calls if a == action) for action, _ in calls}
    found = unused(Authority(None, identity, limit, (), ""), Used(permissions, len(calls)))
    kept = {name: text for name, text in policies.items() if name not in idle(found)}
    assert calls <= allowed(layer(kept, PolicyKind.IDENTITY), limit)
    listed = {action for actions in found.actions.values() for action in actions}
    assert not listed & permissions.keys()
    assert {action for action, _ in may} <= listed | permissions.keys()


@pytest.mark.parametrize(
    ("principal", "words"),
    [
        ("arn:aws:iam::111122223333:user/nobody", "there is no user or role"),
        ("arn:aws:iam::999988887777:user/ana", "there is no user or role"),
        ("arn:aws:iam::111122223333:role/some/path/chime-reader", "there is no user or role"),
        ("arn:aws:sts::111122223333:assumed-role/nobody/x", "there is no user or role"),
        ("arn:aws:sts::111122223333:assumed-role/CHIME-reader/x", "there is no user or role"),
        ("arn:aws:sts::111122223333:federated-user/x", "ask for that user"),
        ("arn:aws:iam::111122223333:root", "a root user has no policies"),
    ],
)
def test_a_principal_without_policies(world: Any, log: DecisionLog, principal: str, words: str) -> None:
    with pytest.raises(NoGrantsError, match=words):
        unused_of(world, log, principal)
