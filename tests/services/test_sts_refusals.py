"""Refusals of STS besides limits and permissions: session policies, tags, source identities, sizes, ARNs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sts_calls import (
    ACCOUNT,
    OTHER,
    READ_ONLY,
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
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

FULL_TRUST = trust(root_arn(), ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
OWN_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/own"
THEIR_POLICY = f"arn:aws:iam::{OTHER}:policy/theirs"
CALLS: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": role_arn("first"), "RoleSessionName": "session"},
    "GetFederationToken": {"Name": "fed"},
}
DUPLICATE_TAGS = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
NOT_INCLUDED = "The specified transitive tag key must be included in the requested tags."
CONFLICT = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
    "calling session."
)
both = pytest.mark.parametrize("operation", CALLS)


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    roles = [
        role("first", FULL_TRUST, allow("sts:*"), max_session_duration=43200),
        role("second", FULL_TRUST, allow("sts:*"), max_session_duration=43200),
        role("untagged", trust(root_arn())),
    ]
    policies = [{"name": "own", "document": allow("chime:*")}]
    theirs = [{"name": "theirs", "document": allow("chime:*")}]
    first = account(users=[user("assumer", allow("sts:AssumeRole")), user("nobody")], roles=roles, policies=policies)
    return make_shared_world(declared(first, account(OTHER, policies=theirs)))


@pytest.fixture
def sts(worlds: Any) -> Any:
    return worlds.client("sts", config=UNCHECKED)


def tags(*pairs: str) -> list[dict[str, str]]:
    """``tags("team=blue")``"""
    return [dict(zip(("Key", "Value"), pair.split("="), strict=True)) for pair in pairs]


# ARNs.


@pytest.mark.parametrize("arn", ["nothing-valid-in-here", "arn:aws:iam::role/long-enough", "ARN:aws:iam::1:role/long"])
def test_a_role_arn_that_is_no_arn(sts: Any, arn: str) -> None:
    assert refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (
        400,
        "ValidationError",
        f"{arn} is invalid",
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:a:b:::something/test-role",
        "arn:aws:s3:::some-bucket-name",
        role_arn("absent"),
        role_arn("first", "999999999999"),
        user_arn("admin"),
        f"arn:aws:iam::{ACCOUNT}:root",
        session_arn("first"),
        role_arn("first").replace("arn:aws:", "arn:aws-cn:"),
        role_arn("first").replace("::", ":us-east-1:"),
    ],
)
def test_an_arn_without_a_role_is_refused_like_a_role_that_trusts_no_caller(worlds: Any, arn: str) -> None:
    sts = worlds.client("sts")
    because = "because no role trust policy allows the sts:AssumeRole action"
    message = not_authorized(user_arn("admin"), "sts:AssumeRole", arn, because)
    assert refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (403, "AccessDenied", message)
    because = "because no identity-based policy allows the sts:AssumeRole action"
    message = not_authorized(user_arn("nobody"), "sts:AssumeRole", arn, because)
    nobody = worlds.client("sts", "nobody")
    assert refusal(nobody, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (403, "AccessDenied", message)


def test_a_wrong_session_name_is_reported_even_for_a_missing_role(sts: Any) -> None:
    status, code, message = refusal(
        sts, "AssumeRole", RoleArn="arn:a:b:::something/test-role", RoleSessionName="Session1:2"
    )
    assert (status, code) == (400, "ValidationError")
    assert message == (
        "1 validation error detected: Value 'Session1:2' at 'roleSessionName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]*"
    )


# Session policies.


@both
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Syntax errors in policy."),
        ("no policy at all", "Syntax errors in policy."),
        ("[]", "Syntax errors in policy."),
        ('{"Version": "2012-10-17"}', "Syntax errors in policy."),
        (
            json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:*"}]}),
            "Policy statement must contain resources.",
        ),
        (
            json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*"}]}),
            "Policy statement must contain actions.",
        ),
        (json.dumps(allow("chime")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."),
        (json.dumps(allow("chime:*", "everything")), 'Resource everything must be in ARN format or "*".'),
        (json.dumps(allow("sqs:*", "arn:aws:sqs")), 'Resource arn:aws:sqs must be in ARN format or "*".'),
        (json.dumps(policy()).replace("2012-10-17", "2012-10-18"), "Syntax errors in policy."),
    ],
)
def test_an_invalid_session_policy(sts: Any, operation: str, text: str, message: str) -> None:
    assert refusal(sts, operation, **CALLS[operation], Policy=text) == (400, "MalformedPolicyDocument", message)


@both
def test_a_session_policy_names_no_principal(sts: Any, operation: str) -> None:
    status, code, _ = refusal(sts, operation, **CALLS[operation], Policy=json.dumps(trust("*")))
    assert (status, code) == (400, "MalformedPolicyDocument")


@both
def test_a_session_policy_of_2048_characters_and_of_one_more(sts: Any, operation: str) -> None:
    text = json.dumps(allow("chime:*"))
    longest = text + " " * (2048 - len(text))
    assert answered(sts, operation, **CALLS[operation], Policy=longest) == "allowed"
    message = (
        f"1 validation error detected: Value '{longest} ' at 'policy' failed to satisfy constraint: "
        "Member must have length less than or equal to 2048"
    )
    assert refusal(sts, operation, **CALLS[operation], Policy=longest + " ") == (400, "ValidationError", message)


@both
@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        f"arn:aws:iam::{ACCOUNT}:policy/absent",
        f"arn:aws:iam::{ACCOUNT}:policy/path/own",
        THEIR_POLICY,
        role_arn("first"),
    ],
)
def test_a_policy_arn_that_names_no_policy_of_the_account(sts: Any, operation: str, arn: str) -> None:
    message = "At least one Policy ARN in the PolicyArns parameter does not match an existing IAM Managed Policy ARN."
    given = [{"arn": READ_ONLY}, {"arn": OWN_POLICY}, {"arn": arn}]
    assert refusal(sts, operation, **CALLS[operation], PolicyArns=given) == (400, "ValidationError", message)
    assert answered(sts, operation, **CALLS[operation], PolicyArns=given[:2]) == "allowed"


@both
def test_a_policy_arn_that_is_no_arn(sts: Any, operation: str) -> None:
    given = [{"arn": "no-arn-but-long-enough"}]
    expected = (400, "ValidationError", "no-arn-but-long-enough is invalid")
    assert refusal(sts, operation, **CALLS[operation], PolicyArns=given) == expected


# Token size (test_sts_token_size tests the accepted sizes).


def test_a_session_token_has_credentials_and_the_size_of_their_token_alone(sts: Any) -> None:
    members = {"Credentials", "SessionTokenSize", "SessionTokenUtilization"}
    assert sts.get_session_token().keys() - {"ResponseMetadata"} == members


# Tags.


@both
@pytest.mark.parametrize("given", [("team=blue", "Team=red"), ("team=blue", "team=blue")])
def test_tag_keys_that_differ_in_case_only(sts: Any, operation: str, given: tuple[str, ...]) -> None:
    expected = (400, "InvalidParameterValue", DUPLICATE_TAGS)
    assert refusal(sts, operation, **CALLS[operation], Tags=tags(*given)) == expected


@both
@pytest.mark.parametrize("given", ["aws:team=blue", "AWS:team=blue", "team=aws:blue"])
def test_tags_of_aws_itself(sts: Any, operation: str, given: str) -> None:
    status, code, _ = refusal(sts, operation, **CALLS[operation], Tags=tags(given))
    assert (status, code) == (400, "InvalidParameterValue")


@pytest.mark.parametrize("given", [(), ("team=blue",)])
def test_a_transitive_key_without_a_tag(sts: Any, given: tuple[str, ...]) -> None:
    expected = (400, "InvalidParameterValue", NOT_INCLUDED)
    call = CALLS["AssumeRole"]
    assert refusal(sts, "AssumeRole", **call, Tags=tags(*given), TransitiveTagKeys=["project"]) == expected


def test_a_transitive_key_is_compared_without_case(sts: Any) -> None:
    assert answered(sts, "AssumeRole", **CALLS["AssumeRole"], Tags=tags("Team=blue"), TransitiveTagKeys=["tEAM"]) == (
        "allowed"
    )


def test_an_inherited_transitive_tag_cannot_be_set_again(worlds: Any) -> None:
    first = worlds.assume("first", Tags=tags("team=blue", "own=yes"), TransitiveTagKeys=["team"])
    sts = worlds.client("sts", credentials=first)
    second = {"RoleArn": role_arn("second"), "RoleSessionName": "session"}
    for given in ("team=blue", "team=red", "TEAM=red"):
        expected = (400, "InvalidParameterValue", CONFLICT)
        assert refusal(sts, "AssumeRole", **second, Tags=tags(given)) == expected
    assert answered(sts, "AssumeRole", **second, Tags=tags("own=no")) == "allowed"


def test_an_inherited_tag_stays_transitive_down_the_chain(worlds: Any) -> None:
    credentials = worlds.assume("first", Tags=tags("team=blue"), TransitiveTagKeys=["team"])
    for name in ("second", "first", "second"):
        sts = worlds.client("sts", credentials=credentials)
        call = {"RoleArn": role_arn(name), "RoleSessionName": "session"}
        assert refusal(sts, "AssumeRole", **call, Tags=tags("Team=x")) == (400, "InvalidParameterValue", CONFLICT)
        credentials = sts.assume_role(**call)["Credentials"]


def test_inherited_tags_need_tag_session_at_the_next_role(worlds: Any) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("first", Tags=tags("a=b"), TransitiveTagKeys=["a"]))
    arn = role_arn("untagged")
    message = not_authorized(
        session_arn("first"), "sts:TagSession", arn, no_allow("role trust policy", "sts:TagSession")
    )
    assert refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (403, "AccessDenied", message)
    plain = worlds.client("sts", credentials=worlds.assume("first", Tags=tags("a=b")))
    assert answered(plain, "AssumeRole", RoleArn=arn, RoleSessionName="session") == "allowed"


@pytest.mark.parametrize(
    ("parameters", "action"),
    [({"Tags": tags("team=blue")}, "sts:TagSession"), ({"SourceIdentity": "ana"}, "sts:SetSourceIdentity")],
)
def test_tags_and_source_identity_need_permissions_on_both_sides(
    worlds: Any, parameters: dict[str, Any], action: str
) -> None:
    for name, target, kind in (
        ("assumer", "first", "identity-based policy"),
        ("admin", "untagged", "role trust policy"),
    ):
        sts = worlds.client("sts", name)
        call = {"RoleArn": role_arn(target), "RoleSessionName": "session"}
        assert answered(sts, "AssumeRole", **call) == "allowed"
        message = not_authorized(user_arn(name), action, role_arn(target), no_allow(kind, action))
        assert refusal(sts, "AssumeRole", **call, **parameters) == (403, "AccessDenied", message)
    assert answered(worlds.client("sts"), "AssumeRole", **CALLS["AssumeRole"], **parameters) == "allowed"


# Source identity.


def test_a_source_identity_is_set_once_and_kept(worlds: Any) -> None:
    second = {"RoleArn": role_arn("second"), "RoleSessionName": "session"}
    answer = worlds.client("sts").assume_role(**CALLS["AssumeRole"], SourceIdentity="ana")
    assert answer["SourceIdentity"] == "ana"
    sts = worlds.client("sts", credentials=answer["Credentials"])
    message = "The source identity is already set for this assume role session"
    for other in ("li", "Ana"):
        assert refusal(sts, "AssumeRole", **second, SourceIdentity=other) == (400, "ValidationError", message)
    assert sts.assume_role(**second)["SourceIdentity"] == "ana"
    assert sts.assume_role(**second, SourceIdentity="ana")["SourceIdentity"] == "ana"


def test_a_session_without_a_source_identity_may_set_one(worlds: Any) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("first"))
    second = {"RoleArn": role_arn("second"), "RoleSessionName": "session"}
    assert "SourceIdentity" not in sts.assume_role(**second)
    assert sts.assume_role(**second, SourceIdentity="ana")["SourceIdentity"] == "ana"


def test_a_carried_source_identity_needs_its_permission_at_the_next_role(worlds: Any) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("first", SourceIdentity="ana"))
    arn, action = role_arn("untagged"), "sts:SetSourceIdentity"
    message = not_authorized(session_arn("first"), action, arn, no_allow("role trust policy", action))
    assert refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (403, "AccessDenied", message)


# Chains.


CHAINED = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."


@pytest.mark.parametrize("kind", ["role session", "session token"])
def test_a_chained_session_lasts_one_hour_at_most(worlds: Any, kind: str) -> None:
    if kind == "role session":
        credentials = worlds.assume("first", DurationSeconds=43200)
    else:
        credentials = worlds.client("sts").get_session_token()["Credentials"]
    sts = worlds.client("sts", credentials=credentials)
    second = {"RoleArn": role_arn("second"), "RoleSessionName": "session"}
    for seconds in (3601, 43200):
        assert refusal(sts, "AssumeRole", **second, DurationSeconds=seconds) == (400, "ValidationError", CHAINED)
    assert answered(sts, "AssumeRole", **second, DurationSeconds=3600) == "allowed"
    assert answered(sts, "AssumeRole", **second) == "allowed"
    assert answered(worlds.client("sts"), "AssumeRole", **second, DurationSeconds=43200) == "allowed"
