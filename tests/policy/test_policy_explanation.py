"""Explanations: which statements matched, failed or were missing, in values and in words."""

from __future__ import annotations

import itertools
import json
from typing import Any

import policy_worlds
import pytest
from msgspec.structs import replace

from rolecall.policy import Explanation, Layers, PolicyKind, Question, decide, denial_message, explain, policy_label

USER = policy_worlds.PRINCIPALS["user"]


def allow(action: str, **elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **elements}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def explained(layers: Layers, resource: str = "*", **context: str) -> Explanation:
    keys = {f"aws:{name}": value for name, value in context.items()}
    return explain(decide(layers, Question("chime:GetUser", resource, keys, USER, None, policy_worlds.ACCOUNT)))


def identity(*documents: Any) -> Layers:
    return Layers(policy_worlds.compiled(list(documents), PolicyKind.IDENTITY))


def test_the_nearest_allow_is_the_one_that_lacks_least() -> None:
    far = allow("s3:*", Sid="Far")
    middle = allow("chime:Get*", Sid="Middle", Resource="arn:aws:chime:*:*:x", Condition={"Bool": {"aws:x": "true"}})
    near = allow(
        "chime:GetUser",
        Sid="Near",
        Condition={"StringEquals": {"aws:Team": "core", "aws:UserName": "ana"}, "Bool": {"aws:MFA": "true"}},
    )
    answer = explained(identity(document(far), document(middle, near)), username="ana", team="edge")
    assert answer.outcome == "ImplicitDeny"
    assert answer.layer == "identity"
    assert answer.nearest is not None
    assert (answer.nearest.policy_name, answer.nearest.sid, answer.nearest.index) == ("identity-1", "Near", 1)
    assert answer.nearest.failed == ("Condition",)
    seen = {
        each.key: (each.operator, each.policy_values, each.request_values, each.met)
        for each in answer.nearest.conditions
    }
    assert seen == {
        "aws:Team": ("StringEquals", ("core",), ("edge",), False),
        "aws:UserName": ("StringEquals", ("ana",), ("ana",), True),
        "aws:MFA": ("Bool", ("true",), None, False),
    }


def test_every_failed_element_is_named() -> None:
    answer = explained(identity(document(allow("s3:*", Resource="arn:aws:s3:::x", Condition={"Null": {"a": "false"}}))))
    assert answer.nearest is not None
    assert answer.nearest.failed == ("Action", "Resource", "Condition")


def test_a_failed_element_shows_what_it_lists_and_what_the_request_has() -> None:
    own = "arn:aws:chime:*:*:user/${aws:username}"
    answer = explained(
        identity(document(allow("chime:GetUser", Resource=own))), "arn:aws:chime:::user/li", username="ana"
    )
    assert answer.nearest is not None
    [element] = answer.nearest.elements
    assert (element.element, element.policy_values, element.request_value) == (
        "Resource",
        (own,),
        "arn:aws:chime:::user/li",
    )
    assert f"    Resource [{own}], request: arn:aws:chime:::user/li" in answer.as_text().splitlines()


def test_an_unmatched_principal_shows_the_policys_principal_and_the_caller() -> None:
    root, service = f"arn:aws:iam::{policy_worlds.OTHER_ACCOUNT}:root", "lambda.amazonaws.com"
    statement = {"Effect": "Allow", "Principal": {"AWS": root, "Service": service}, "Action": "sts:AssumeRole"}
    layers = Layers(
        policy_worlds.compiled([document(allow("*"))], PolicyKind.IDENTITY),
        resource=policy_worlds.compiled([document(statement)], PolicyKind.TRUST),
    )
    role = f"arn:aws:iam::{policy_worlds.ACCOUNT}:role/reader"
    answer = explain(decide(layers, Question("sts:AssumeRole", role, {}, USER, None, policy_worlds.ACCOUNT)))
    assert answer.layer == "trust"
    assert answer.nearest is not None
    assert answer.nearest.failed == ("Principal",)
    assert answer.nearest.elements[0].policy_values == (root, service)
    assert answer.nearest.elements[0].request_value == USER.arn


@pytest.mark.parametrize(
    ("actions", "nearest"),
    [
        ((["s3:GetObject"], ["chime:ListUsers"]), 1),
        ((["chime:ListUsers"], ["s3:GetObject", "chime:GetUserSettings"]), 1),
        ((["chime:Get"], ["s3:*"]), 0),
        ((["iam:*"], ["sts:*"]), 0),
    ],
)
def test_of_actions_that_do_not_match_the_one_spelled_most_alike_is_nearest(
    actions: tuple[list[str], list[str]], nearest: int
) -> None:
    statements = [{"Effect": "Allow", "Action": each, "Resource": "*"} for each in actions]
    answer = explained(identity(document(*statements)))
    assert answer.nearest is not None
    assert answer.nearest.index == nearest


def test_of_a_long_list_the_text_shows_the_beginning() -> None:
    answer = explained(identity(document(allow("*", Resource=[f"arn:aws:s3:::box-{each}" for each in range(500)]))))
    line = next(line for line in answer.as_text().splitlines() if line.startswith("    Resource ["))
    assert line.endswith("arn:aws:s3:::box-11 and 488 more], request: *")
    assert answer.nearest is not None
    assert len(answer.nearest.elements[0].policy_values) == 500


@pytest.mark.parametrize(
    ("name", "arn", "label"),
    [
        ("own", "", "own"),
        ("limits", "arn:aws:iam::1:policy/limits", "arn:aws:iam::1:policy/limits"),
        ("no-voice", "arn:aws:organizations::1:policy/o-1/p-2", "no-voice (arn:aws:organizations::1:policy/o-1/p-2)"),
    ],
)
def test_a_policy_is_shown_by_a_name_that_people_know(name: str, arn: str, label: str) -> None:
    assert policy_label(name, arn) == label


def test_negated_elements_are_named_as_written() -> None:
    statement = {"Effect": "Allow", "NotAction": "chime:*", "NotResource": "*"}
    answer = explained(identity(document(statement)))
    assert answer.nearest is not None
    assert answer.nearest.failed == ("NotAction", "NotResource")


def test_an_explicit_deny_shows_every_matched_statement_of_every_layer() -> None:
    deny = {"Effect": "Deny", "Action": "chime:GetUser", "Resource": "*", "Sid": "Stop"}
    layers = Layers(
        policy_worlds.compiled([document(allow("*")), document(allow("chime:*"), deny)], PolicyKind.IDENTITY),
        boundary=policy_worlds.compiled([document(allow("chime:*"))], PolicyKind.BOUNDARY),
    )
    answer = explained(layers)
    assert answer.nearest is None
    assert [(layer.layer, layer.effect, len(layer.matched)) for layer in answer.layers] == [
        ("identity", "ExplicitDeny", 3),
        ("boundary", "Allow", 1),
    ]
    assert "Deny identity-1 / Stop" in answer.as_text()


def test_the_level_of_the_organization_that_refuses_is_the_one_explained() -> None:
    layers = Layers(
        policy_worlds.compiled([document(allow("*"))], PolicyKind.IDENTITY),
        scps=(
            policy_worlds.compiled([document(allow("*", Sid="Root"))], PolicyKind.SCP),
            policy_worlds.compiled([document(allow("s3:*", Sid="Unit"))], PolicyKind.SCP),
        ),
    )
    answer = explained(layers)
    assert answer.layer == "scp"
    assert answer.nearest is not None
    assert answer.nearest.sid == "Unit"


def test_a_layer_without_any_allow_has_no_nearest() -> None:
    assert explained(identity()).nearest is None


def test_an_explanation_is_json_and_text() -> None:
    answer = explained(identity(document(allow("chime:GetUser", Condition={"StringLike": {"aws:Tags": ["a*", "b*"]}}))))
    plain = json.loads(json.dumps(answer.as_dict()))
    assert plain["nearest"]["conditions"][0]["request_values"] is None
    text = answer.as_text()
    assert "StringLike aws:Tags [a*, b*], request: absent: not met" in text
    assert answer.message in text


def test_an_allowed_call_has_no_message() -> None:
    answer = explained(identity(document(allow("chime:*"))))
    assert (answer.outcome, answer.layer, answer.message, answer.nearest) == ("Allowed", "identity", "", None)


def test_a_shown_resource_stands_in_for_the_arn() -> None:
    question = Question("iam:GetRole", "arn:aws:iam::1:role/x", {}, USER, None, policy_worlds.ACCOUNT)
    decision = decide(Layers(None), question)
    assert " on resource: role x because " in denial_message(decision, shown_resource="role x")
    assert " on resource: arn:aws:iam::1:role/x because " in denial_message(decision)


@pytest.mark.parametrize("distinct", [2000])
def test_what_is_remembered_of_actions_is_bounded(distinct: int) -> None:
    layer = policy_worlds.compiled([document(allow("chime:*"))], PolicyKind.IDENTITY)
    asked = [f"chime:Action{number}" for number in range(distinct)]
    found = [layer.candidates(action) for action in asked]
    assert all(candidates.allows for candidates in found)
    assert sum(layer.candidates(action) is candidates for action, candidates in zip(asked, found, strict=True)) <= 512


def test_a_request_value_never_becomes_a_wildcard() -> None:
    statement = allow("s3:GetObject", Resource="arn:aws:s3:::box/${aws:username}")
    layer = policy_worlds.compiled([document(statement)], PolicyKind.IDENTITY)
    for name in ("*", "?", "\ud800", "\ud801"):
        question = Question("s3:GetObject", "arn:aws:s3:::box/b", {"aws:username": name}, USER, None, "")
        assert not decide(Layers(layer), question).allowed


# IAM User Guide, "How AWS enforcement code logic evaluates requests to allow or deny access". Its list, in its order:
# "Deny evaluation - By default, all requests are denied. [...] In all those policies, the enforcement code looks for a
# Deny statement that applies to the request.", "AWS Organizations RCPs", "AWS Organizations SCPs - [...] If the
# enforcement code does not find any applicable Allow statements in the SCPs, then the request is implicitly denied.",
# "Resource-based policies", "Identity-based policies - The code then checks the identity-based policies for the
# principal.", "IAM permissions boundaries - The code then checks whether the IAM entity that is used by the principal
# has a permissions boundary.", "Session policies - The code then checks whether the principal is a session principal."
AWS_ORDER = ["rcp", "scp", "resource", "identity", "boundary", "session"]


def every_layer(refusing: str = "", effect: str = "Deny") -> Layers:
    """One policy of each kind. All allow, but one kind denies, or has nothing but a statement on another action."""

    def policies(kind: PolicyKind) -> Any:
        grant: dict[str, Any] = {"Principal": "*"} if kind in (PolicyKind.RESOURCE, PolicyKind.RCP) else {}
        statement = allow("chime:*", **grant)
        if kind.value == refusing:
            statement = {**statement, "Effect": "Deny"} if effect == "Deny" else {**statement, "Action": "s3:*"}
        return policy_worlds.compiled([document(statement)], kind)

    return Layers(
        identity=policies(PolicyKind.IDENTITY),
        boundary=policies(PolicyKind.BOUNDARY),
        session=policies(PolicyKind.SESSION),
        scps=(policies(PolicyKind.SCP),),
        rcps=(policies(PolicyKind.RCP),),
        resource=policies(PolicyKind.RESOURCE),
    )


def test_layers_are_explained_in_the_order_in_which_aws_evaluates_them() -> None:
    assert [layer.layer for layer in explained(every_layer()).layers] == AWS_ORDER


@pytest.mark.parametrize("kind", AWS_ORDER)
def test_the_layer_that_denies_is_named_wherever_it_stands(kind: str) -> None:
    answer = explained(every_layer(kind))
    assert (answer.outcome, answer.layer) == ("ExplicitDeny", kind)
    assert [layer.layer for layer in answer.layers] == AWS_ORDER
    assert [layer.layer for layer in answer.layers if layer.effect == "ExplicitDeny"] == [kind]


def test_of_two_layers_that_deny_the_first_in_order_is_named() -> None:
    for first, second in itertools.combinations(AWS_ORDER, 2):
        one, two = every_layer(first), every_layer(second)
        fields = {"rcp": "rcps", "scp": "scps"}
        both = replace(one, **{fields.get(second, second): getattr(two, fields.get(second, second))})
        assert explained(both).layer == first, (first, second)
