"""Principals of trust policies: their forms, in the role's account and in others, and deleted principals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
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
    policy,
    refusal,
    role,
    role_arn,
    root_arn,
    session_arn,
    trust,
    user,
    user_arn,
)

CASES = json.loads((Path(__file__).parent / "cases" / "sts_trust.json").read_text(encoding="utf-8"))
TARGET = role_arn("target")
ASSUME = {"RoleArn": TARGET, "RoleSessionName": "session"}
DOCUMENTS = {
    "allow": allow("sts:AssumeRole", TARGET),
    "allow another role": allow("sts:AssumeRole", role_arn("other")),
    "deny": deny("sts:AssumeRole"),
    "nothing": allow("chime:ListUsers"),
}
ACTION = "sts:AssumeRole"
REASONS = {
    "identity": no_allow("identity-based policy", ACTION),
    "boundary": no_allow("permissions boundary", ACTION),
    "session": no_allow("session policy", ACTION),
    "trust": no_allow("role trust policy", ACTION),
    "explicit identity": "with an explicit deny in an identity-based policy",
    "explicit session": "with an explicit deny in a session policy",
    "explicit trust": "with an explicit deny in the role trust policy",
}


def target_of(case: dict[str, Any]) -> dict[str, Any]:
    document = trust(case["principal"])
    if "denied" in case:
        document["Statement"] += trust(case["denied"], effect="Deny")["Statement"]
    return role("target", document)


def sandbox(case: dict[str, Any]) -> str:
    """The target, and a caller with the case's policies."""
    home = OTHER if case["caller"].startswith("far") else ACCOUNT
    own = [DOCUMENTS[case["own"]]] if "own" in case else []
    more: dict[str, Any] = {}
    policies = []
    if "boundary" in case:
        limits = DOCUMENTS[case["boundary"]]
        if case["boundary"] == "deny":
            limits = policy(*allow("*")["Statement"], *limits["Statement"])
        policies = [{"name": "limits", "document": limits}]
        more["permissions_boundary"] = f"arn:aws:iam::{home}:policy/limits"
    is_role = case["caller"].endswith("role")
    caller_role = role("caller", trust("*"), *(own if is_role else []), **(more if is_role else {}))
    name = "ana" if home == ACCOUNT else "kim"
    caller_user = user(name, *([] if is_role else own), **({} if is_role else more))
    near: dict[str, Any] = {"users": [user("li")], "roles": [target_of(case), role("bystander", trust("*"))]}
    far: dict[str, Any] = {"users": [], "roles": []}
    for account_id, nouns in ((ACCOUNT, near), (OTHER, far)):
        if account_id == home:
            nouns["users"].append(caller_user)
            nouns["roles"].append(caller_role)
            nouns["policies"] = policies
        else:
            nouns["users"].append(user("kim" if account_id == OTHER else "ana"))
            nouns["roles"].append(role("caller", trust("*")))
    return declared(account(ACCOUNT, **near), account(OTHER, **far))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_trusted_principals(make_world: Any, case: dict[str, Any]) -> None:
    world = make_world(sandbox(case))
    home = OTHER if case["caller"].startswith("far") else ACCOUNT
    name = "ana" if home == ACCOUNT else "kim"
    caller_arn = user_arn(name, home)
    if case["caller"].endswith("role"):
        caller_arn = session_arn("caller", account=home)
        more = {"Policy": json.dumps(DOCUMENTS[case["session"]])} if "session" in case else {}
        administrator = "admin" if home == ACCOUNT else "other_admin"
        client = world.client("sts", credentials=world.assume(role_arn("caller", home), administrator, **more))
    elif case["caller"] == "user session":
        client = world.client("sts", credentials=world.client("sts", name).get_session_token()["Credentials"])
    else:
        client = world.client("sts", name)
    expected: Any = "allowed"
    if case["expected"] != "allowed":
        reason = REASONS.get(case["expected"])
        if reason is None:
            reason = f"with an explicit deny in a permissions boundary: arn:aws:iam::{home}:policy/limits"
        expected = (403, "AccessDenied", not_authorized(caller_arn, ACTION, TARGET, reason))
    assert answered(client, "AssumeRole", **ASSUME) == expected


def test_the_table_has_every_outcome() -> None:
    assert {case["expected"] for case in CASES} == {"allowed", "explicit boundary", *REASONS}
    assert len({case["name"] for case in CASES}) == len(CASES)


def test_a_role_must_trust_itself_to_be_assumed_by_its_own_session(make_world: Any) -> None:
    may = allow("sts:AssumeRole")
    roles = [
        role("plain", trust(user_arn("admin")), may),
        role("own", trust([user_arn("admin"), role_arn("own")]), may),
    ]
    world = make_world(declared(account(roles=roles)))
    plain = world.client("sts", credentials=world.assume("plain"))
    message = not_authorized(session_arn("plain"), ACTION, role_arn("plain"), REASONS["trust"])
    again = {"RoleSessionName": "session"}
    assert refusal(plain, "AssumeRole", RoleArn=role_arn("plain"), **again) == (403, "AccessDenied", message)
    own = world.client("sts", credentials=world.assume("own"))
    assert answered(own, "AssumeRole", RoleArn=role_arn("own"), **again) == "allowed"


def test_a_service_linked_role_trusts_its_service_alone(make_world: Any) -> None:
    world = make_world(declared(account(service_linked_roles=["voiceconnector.chime.amazonaws.com"])))
    arn = role_arn("aws-service-role/voiceconnector.chime.amazonaws.com/AWSServiceRoleForAmazonChimeVoiceConnector")
    assert world.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]["Arn"] == arn
    message = not_authorized(user_arn("admin"), ACTION, arn, REASONS["trust"])
    sts = world.client("sts")
    assert refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (403, "AccessDenied", message)


def test_trust_for_another_action_is_not_trust_to_assume(make_world: Any) -> None:
    world = make_world(declared(account(roles=[role("target", trust(root_arn(), "sts:TagSession"))])))
    message = not_authorized(user_arn("admin"), ACTION, TARGET, REASONS["trust"])
    assert refusal(world.client("sts"), "AssumeRole", **ASSUME) == (403, "AccessDenied", message)


# Deleted principals.


def replaced_user(world: Any) -> Any:
    """Delete ana and create her again with the same name and policies. Returns her new client."""
    iam = world.client("iam")
    iam.delete_access_key(UserName="ana", AccessKeyId="ana_key_for_tests")
    for name in iam.list_user_policies(UserName="ana")["PolicyNames"]:
        iam.delete_user_policy(UserName="ana", PolicyName=name)
    iam.delete_user(UserName="ana")
    iam.create_user(UserName="ana")
    iam.put_user_policy(UserName="ana", PolicyName="may", PolicyDocument=json.dumps(allow("sts:AssumeRole")))
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    return world.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))


def test_trust_in_a_user_does_not_pass_to_a_later_one_of_the_same_name(make_world: Any) -> None:
    may = allow("sts:AssumeRole")
    world = make_world(declared(account(users=[user("ana", may)], roles=[role("target", trust(user_arn("ana")))])))
    assert answered(world.client("sts", "ana"), "AssumeRole", **ASSUME) == "allowed"
    again = replaced_user(world)
    message = not_authorized(user_arn("ana"), ACTION, TARGET, REASONS["trust"])
    assert refusal(again, "AssumeRole", **ASSUME) == (403, "AccessDenied", message)
    iam = world.client("iam")
    shown = iam.get_role(RoleName="target")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    assert shown.startswith("AIDA")
    iam.update_assume_role_policy(RoleName="target", PolicyDocument=json.dumps(trust(user_arn("ana"))))
    assert answered(again, "AssumeRole", **ASSUME) == "allowed"


def test_a_deny_to_a_user_does_not_pass_either(make_world: Any) -> None:
    document = trust(root_arn())
    document["Statement"] += trust(user_arn("ana"), effect="Deny")["Statement"]
    world = make_world(
        declared(account(users=[user("ana", allow("sts:AssumeRole"))], roles=[role("target", document)]))
    )
    message = not_authorized(user_arn("ana"), ACTION, TARGET, REASONS["explicit trust"])
    assert refusal(world.client("sts", "ana"), "AssumeRole", **ASSUME) == (403, "AccessDenied", message)
    assert answered(replaced_user(world), "AssumeRole", **ASSUME) == "allowed"


def test_trust_in_a_role_does_not_pass_to_a_later_one_of_the_same_name(make_world: Any) -> None:
    roles = [role("caller", trust(root_arn())), role("target", trust(role_arn("caller")))]
    world = make_world(declared(account(roles=roles)))
    assert answered(world.client("sts", credentials=world.assume("caller")), "AssumeRole", **ASSUME) == "allowed"
    iam = world.client("iam")
    iam.delete_role(RoleName="caller")
    iam.create_role(RoleName="caller", AssumeRolePolicyDocument=json.dumps(trust(root_arn())))
    iam.put_role_policy(RoleName="caller", PolicyName="may", PolicyDocument=json.dumps(allow("sts:AssumeRole")))
    message = not_authorized(session_arn("caller"), ACTION, TARGET, REASONS["trust"])
    later = world.client("sts", credentials=world.assume("caller"))
    assert refusal(later, "AssumeRole", **ASSUME) == (403, "AccessDenied", message)


def test_trust_in_an_account_holds_for_users_made_later(make_world: Any) -> None:
    world = make_world(declared(account(roles=[role("target", trust(root_arn()))], users=[user("ana")])))
    assert answered(replaced_user(world), "AssumeRole", **ASSUME) == "allowed"


@pytest.mark.parametrize("action", ["sts:assumeRole", "STS:AssumeRole", "sts:assumerole", "Sts:ASSUMEROLE"])
def test_the_case_of_an_action_does_not_count(make_world: Any, action: str) -> None:
    """IAM User Guide, Action: "The prefix and the action name are case insensitive"."""
    ana = user("ana", allow(action, TARGET))
    world = make_world(declared(account(users=[ana], roles=[role("target", trust(root_arn(), action))])))
    sts, iam = world.client("sts", "ana"), world.client("iam")
    assert answered(sts, "AssumeRole", **ASSUME) == "allowed"
    assert answered(sts, "AssumeRole", **ASSUME, SourceIdentity="ana")[1] == "AccessDenied"
    for effect, expected in (("Deny", "explicit"), ("Allow", "allowed")):
        document = trust(root_arn(), action, effect=effect)
        iam.update_assume_role_policy(RoleName="target", PolicyDocument=json.dumps(document))
        assert expected in str(answered(sts, "AssumeRole", **ASSUME))
    iam.create_role(RoleName="another", AssumeRolePolicyDocument=json.dumps(trust(root_arn(), action)))


@pytest.mark.parametrize("action", ["sts:*", "STS:ASSUMEROOT", "sts:assume", "sts:AssumeRole*", "sts:Assume?ole"])
def test_other_actions_stay_refused_in_any_case(world: Any, action: str) -> None:
    document = json.dumps(trust(root_arn(), action))
    iam = world.client("iam")
    expected = (400, "MalformedPolicyDocument", "AssumeRole policy may only specify STS AssumeRole actions.")
    assert refusal(iam, "CreateRole", RoleName="another", AssumeRolePolicyDocument=document) == expected
