"""Advice names policies that AWS accepts but that cannot do what their author wants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall import advice as advice_module
from rolecall.advice import Advice, advise
from rolecall.data import managed_policy_document
from rolecall.policy import MalformedPolicy, Policy, PolicyKind, parse_policy

MAXIMUM_ADVICE = 100
MAXIMUM_ENTRIES = 500


def parsed(*statements: dict[str, Any], kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    whole = [{"Effect": "Allow", "Resource": "*", **each} for each in statements]
    if kind is PolicyKind.TRUST:
        whole = [{key: value for key, value in each.items() if key != "Resource"} for each in whole]
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": whole}), kind)


def messages(*statements: dict[str, Any], kind: PolicyKind = PolicyKind.IDENTITY) -> list[str]:
    return [advice.message for advice in advise(parsed(*statements, kind=kind))]


CHIME_USER = "arn:aws:chime::111122223333:user/x"
MEETING = "arn:aws:chime:us-east-1:111122223333:meeting/*"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("chime:GetUsr", "chime:GetUsr: chime has no such action, did you mean chime:GetUser?"),
        ("chime:getuser", None),
        ("CHIME:GETUSER", None),
        ("chime:Frobnicate", "chime:Frobnicate: chime has no such action"),
        ("chmie:GetUser", 'chmie:GetUser: no AWS service has the prefix "chmie", did you mean "chime"?'),
        ("zzzzzz:GetUser", 'zzzzzz:GetUser: no AWS service has the prefix "zzzzzz"'),
        ("chime:Foo*", "chime:Foo*: matches no action of chime"),
        ("chime:*Romo*", "chime:*Romo*: matches no action of chime"),
        ("chime:*Room*", None),
        ("chime:?etUser", None),
        # Console actions have no operation but are real actions.
        ("chime:AcceptDelegate", None),
        ("*", None),
        ("iam:PassRole", None),
        ("sts:TagSession", None),
    ],
)
def test_entries_that_mean_no_action(entry: str, expected: str | None) -> None:
    assert messages({"Action": entry}) == ([] if expected is None else [expected])
    statement = {"Effect": "Deny", "NotAction": entry, "Resource": "*"}
    assert messages(statement) == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            {"Action": "chime:GetUser", "Resource": CHIME_USER},
            'this Resource never allows chime:GetUser, which has no resource types and is checked on "*" only',
        ),
        (
            {"Effect": "Deny", "Action": ["chime:GetUser", "chime:ListUsers"], "Resource": [CHIME_USER]},
            "this Resource never denies chime:GetUser and chime:ListUsers, which have no resource types and are "
            'checked on "*" only',
        ),
        (
            {"Action": "chime:Batch*User", "Resource": CHIME_USER},
            "this Resource never allows chime:BatchSuspendUser, chime:BatchUnsuspendUser and chime:BatchUpdateUser, "
            'which have no resource types and are checked on "*" only',
        ),
        (
            {"Action": "chime:*", "Resource": MEETING},
            "this Resource never allows chime:AcceptDelegate, chime:ActivateUsers, chime:AddDomain and 145 more, which "
            'have no resource types and are checked on "*" only',
        ),
        ({"Action": "chime:GetUser", "Resource": ["*", CHIME_USER]}, None),
        ({"Action": "chime:CreateMeetingDialOut", "Resource": MEETING}, None),
        ({"Action": "*", "Resource": CHIME_USER}, None),
        # For other services only clear mistakes: a full name, or a pattern that can match nothing else.
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::bucket"}, None),
        (
            {"Action": ["s3:GetObject", "s3:ListAllMyBuckets"], "Resource": "arn:aws:s3:::bucket/*"},
            'this Resource never allows s3:ListAllMyBuckets, which has no resource types and is checked on "*" only',
        ),
        ({"Action": "iam:ListUsers", "Resource": "arn:aws:iam::111122223333:user/*"}, None),
    ],
)  # fmt: skip
def test_resources_that_never_match(statement: dict[str, Any], expected: str | None) -> None:
    assert messages(statement) == ([] if expected is None else [expected])


def test_not_resource_of_all_leaves_nothing() -> None:
    statement = {"Effect": "Deny", "Action": "chime:GetUser", "NotResource": "*"}
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), PolicyKind.IDENTITY)
    [advice] = advise(policy)
    assert advice.message.startswith("this NotResource never denies chime:GetUser")
    statement["NotResource"] = CHIME_USER
    policy = parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statement}), PolicyKind.IDENTITY)
    assert advise(policy) == []


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("chime:UserId", "chime:UserId: chime has no condition keys of its own, so no request ever has this one"),
        ("CHIME:anything", "CHIME:anything: chime has no condition keys of its own, so no request ever has this one"),
        ("iam:PasedToService", "iam:PasedToService: iam has no such condition key, did you mean iam:PassedToService?"),
        ("iam:passedtoservice", None),
        ("s3:ExistingObjectTag/team", None),
        ("kms:EncryptionContext:app", None),
        ("aws:SourceIp", None),
        ("saml:aud", None),
        ("token.actions.githubusercontent.com:sub", None),
    ],
)
def test_condition_keys_of_services(key: str, expected: str | None) -> None:
    found = messages({"Action": "*", "Condition": {"StringNotEquals": {key: "x"}}})
    assert found == ([] if expected is None else [expected])


def never(key: str, actions: str, verb: str = "supports") -> str:
    return f"{key}: never holds, because {actions} {verb} no such condition key"


@pytest.mark.parametrize(
    ("actions", "operator", "key", "expected"),
    [
        ("chime:GetUser", "StringEquals", "aws:RequestTag/team", never("aws:RequestTag/team", "chime:GetUser")),
        ("chime:GetUser", "StringLike", "aws:ResourceTag/team", never("aws:ResourceTag/team", "chime:GetUser")),
        (
            ["chime:CreateUser", "chime:GetRoom"],
            "ForAnyValue:StringEquals",
            "aws:TagKeys",
            never("aws:TagKeys", "chime:CreateUser and chime:GetRoom", "support"),
        ),
        ("chime:*Room*", "StringEquals", "aws:RequestTag/team", "never holds"),
        # A condition that also holds without the key is no mistake.
        ("chime:GetUser", "StringNotEquals", "aws:RequestTag/team", None),
        ("chime:GetUser", "StringEqualsIfExists", "aws:RequestTag/team", None),
        ("chime:GetUser", "ForAllValues:StringEquals", "aws:TagKeys", None),
        ("chime:GetUser", "Null", "aws:TagKeys", None),
        # The Chime SDK has tags.
        ("chime:CreateMeeting", "StringEquals", "aws:RequestTag/team", None),
        ("chime:*", "StringEquals", "aws:RequestTag/team", None),
        ("*", "StringEquals", "aws:RequestTag/team", None),
        ("iam:GetUser", "StringEquals", "iam:ResourceTag/team", None),
        (
            ["iam:GetUser", "iam:ListUsers"],
            "StringEquals",
            "aws:ResourceTag/team",
            never("aws:ResourceTag/team", "iam:ListUsers"),
        ),
        ("chime:GetUser", "StringEquals", "aws:PrincipalTag/team", None),
    ],
)
def test_tag_conditions(actions: Any, operator: str, key: str, expected: str | None) -> None:
    found = messages({"Action": actions, "Condition": {operator: {key: "true"}}})
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]


def test_the_absence_of_a_tag_may_be_asked_for_and_its_presence_may_not() -> None:
    for asked, count in (("true", 0), ("false", 1)):
        assert len(messages({"Action": "chime:GetUser", "Condition": {"Null": {"aws:RequestTag/k": asked}}})) == count


BUCKETS = "chime:CreateCDRBucket depends on s3:CreateBucket, s3:ListAllMyBuckets, which this policy does not allow"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([{"Action": "chime:CreateCDRBucket"}], BUCKETS),
        (
            [{"Action": ["chime:CreateCDRBucket", "s3:List*"]}],
            "chime:CreateCDRBucket depends on s3:CreateBucket, which this policy does not allow",
        ),
        ([{"Action": "chime:CreateCDRBucket"}, {"Action": ["S3:createbucket", "s3:ListAllMyBuckets"]}], None),
        ([{"Action": "chime:CreateCDRBucket"}, {"Action": "*"}], None),
        ([{"Action": "chime:CreateCDRBucket"}, {"Effect": "Deny", "Action": "s3:*"}], BUCKETS),
        ([{"Effect": "Deny", "Action": "chime:CreateCDRBucket"}], None),
        ([{"Action": "chime:*"}], None),
        (
            [{"Action": "iam:AddRoleToInstanceProfile"}],
            "iam:AddRoleToInstanceProfile depends on iam:PassRole, which this policy does not allow",
        ),
    ],
)
def test_dependent_actions(statements: list[dict[str, Any]], expected: str | None) -> None:
    assert messages(*statements) == ([] if expected is None else [expected])


def test_a_service_control_policy_gives_nothing_and_so_lacks_nothing() -> None:
    assert messages({"Action": "chime:CreateCDRBucket"}, kind=PolicyKind.SCP) == []


def test_a_trust_policy_is_looked_at_too() -> None:
    principal = {"AWS": "111122223333"}
    condition = {"StringEquals": {"sts:ExternalIdd": "x"}}
    statement = {"Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    [message] = messages(statement, kind=PolicyKind.TRUST)
    assert message == "sts:ExternalIdd: sts has no such condition key, did you mean sts:ExternalId?"
    good = {"StringEquals": {"sts:ExternalId": "x", "aws:RequestTag/team": "x"}}
    assert messages({**statement, "Condition": good}, kind=PolicyKind.TRUST) == []


def test_advice_names_its_statement() -> None:
    policy = parsed({"Action": "chime:GetUser"}, {"Action": "chime:GetUsr"})
    assert [advice.statement_index for advice in advise(policy)] == [1]


def test_the_policies_that_aws_wrote_for_chime_are_in_order() -> None:
    for name in ("AmazonChimeReadOnly", "AmazonChimeUserManagement", "AdministratorAccess"):
        document = managed_policy_document(f"arn:aws:iam::aws:policy/{name}")
        assert advise(parse_policy(document, PolicyKind.IDENTITY)) == []


# A sample of AWS's own policies. All of them would take ten seconds, and many of the rest name removed actions.
POLICIES_OF_AWS = (Path(__file__).parent / "cases" / "policies_of_aws.txt").read_text(encoding="utf-8").split()


def test_a_policy_that_aws_wrote_can_be_advised_on() -> None:
    for name in POLICIES_OF_AWS:
        document = managed_policy_document(f"arn:aws:iam::aws:policy/{name}")
        found = advise(parse_policy(document, PolicyKind.SESSION))
        assert all(isinstance(advice, Advice) for advice in found)


def test_advice_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    nearest = advice_module._nearest
    monkeypatch.setattr(advice_module, "_nearest", lambda *names: compared.append(names) or nearest(*names))
    misspelt = parsed({"Action": [f"ec2:DescribeInstance{number}" for number in range(2000)]})
    patterns = parsed({"Action": [f"ec2:*{number}*x*" for number in range(2000)]})
    assert len(advise(misspelt, limit=20)) == 20
    # The costly part is comparing a name with all others.
    assert len(compared) == 20
    assert len(advise(patterns)) == MAXIMUM_ADVICE
    assert len(advise(patterns, limit=2000)) == MAXIMUM_ENTRIES


TEXTS = st.text(st.sampled_from("achimeGtUsr*?:$ {}/"), max_size=12)


@given(
    actions=st.lists(st.one_of(TEXTS, TEXTS.map("chime:".__add__)), min_size=1, max_size=4),
    resource=st.one_of(st.just("*"), TEXTS.map("arn:aws:chime:::".__add__)),
    key=st.one_of(TEXTS, TEXTS.map("aws:RequestTag/".__add__)),
    operator=st.sampled_from(["StringEquals", "ForAllValues:StringLike", "Null", "NotIpAddress"]),
)
def test_any_policy_that_parses_can_be_advised_on(actions: Any, resource: str, key: str, operator: str) -> None:
    try:
        policy = parsed({"Action": actions, "Resource": resource, "Condition": {operator: {key: "x"}}})
    except MalformedPolicy:
        return
    assert all(advice.message for advice in advise(policy))


def test_tag_keys_of_services_that_the_reference_writes_without_a_placeholder() -> None:
    for service, action in (("secretsmanager", "GetSecretValue"), ("ssm", "GetParameter"), ("sagemaker", "CreateApp")):
        condition = {"StringEquals": {f"{service}:ResourceTag/team": "blue"}}
        assert messages({"Action": f"{service}:{action}", "Condition": condition}) == []


def test_all_of_a_service_may_be_written_as_its_arns() -> None:
    assert messages({"Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::*"}) == []
    assert len(messages({"Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:s3:::bucket"})) == 1
    assert len(messages({"Action": "s3:ListAllMyBuckets", "Resource": "arn:aws:sqs:*:*:*"})) == 1
    assert len(messages({"Action": "chime:GetUser", "Resource": "arn:aws:chime:*:*:*"})) == 1


# Mistakes in AWS's own policies, or things that only AWS's services may do.
SLIPS_OF_AWS = {
    "AWSServiceRoleForAmazonEKSNodegroup",
    "AmazonConnectServiceLinkedRolePolicy",
    "KafkaConnectServiceRolePolicy",
    "MemoryDBServiceRolePolicy",
}


def test_the_policies_that_aws_wrote_raise_no_false_alarm() -> None:
    for name in POLICIES_OF_AWS:
        if name.rpartition("/")[2] not in SLIPS_OF_AWS:
            document = managed_policy_document(f"arn:aws:iam::aws:policy/{name}")
            assert advise(parse_policy(document, PolicyKind.SESSION)) == [], name


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            {"StringEquals": {"aws:PrincipalTags/team": "x"}},
            "aws:PrincipalTags/team: there is no such global condition key, did you mean aws:PrincipalTag/team?",
        ),
        (
            {"StringEquals": {"aws:usrname": "x"}},
            "aws:usrname: there is no such global condition key, did you mean aws:username?",
        ),
        ({"StringEquals": {"AWS:UserName": "x"}}, None),
        (
            {"StringEquals": {"aws:OriginIdentity/Subjct": "x"}},
            "aws:OriginIdentity/Subjct: there is no such global condition key, did you mean "
            "aws:OriginIdentity/Subject?",
        ),
        (
            {"StringEquals": {"aws:TransactionContexts/IdentityProvider/dept": "x"}},
            "aws:TransactionContexts/IdentityProvider/dept: there is no such global condition key, did you mean "
            "aws:TransactionContext/IdentityProvider/dept?",
        ),
        ({"StringEquals": {"AWS:originidentity/subject": "x", "aws:OriginIdentity/SubjectType": "user"}}, None),
        ({"StringEquals": {"aws:TransactionContext/IdentityProvider/a/b": "x"}}, None),
        ({"Null": {"aws:IdentityCenterInstanceArn": "true", "aws:IdentityStoreArn": "true"}}, None),
        ({"StringEquals": {"sts:SubjectMode": "AWSIdentity", "sts:IdentityTokenScope": "read"}}, None),
        ({"Bool": {"iam:EnableIdentityPropagation": "true"}}, None),
        (
            {"Bool": {"iam:EnableIdentityPropagations": "true"}},
            "iam:EnableIdentityPropagations: iam has no such condition key, did you mean "
            "iam:EnableIdentityPropagation?",
        ),
        ({"StringEquals": {"aws:SourceVpc": "vpc-1", "aws:SourceVpce": "vpce-1", "aws:SourceVpcArn": "x"}}, None),
        ({"StringEquals": {"aws:Ec2InstanceSourceVpc": "x", "aws:ChatbotSourceArn": "x"}}, None),
        ({"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}, None),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": 3600}}, None),
        (
            {"Bool": {"aws:MultiFactorAuthPresent": "yes"}},
            'aws:MultiFactorAuthPresent: Bool compares with true or false, so "yes" never matches',
        ),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": True}}, None),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "${aws:PrincipalTag/mfa}"}}, None),
        (
            {"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}},
            "aws:PrincipalArn: StringEquals has no wildcards, so use StringLike if "
            '"arn:aws:iam::111122223333:role/*" should match a pattern',
        ),
        ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}}, None),
        ({"StringEquals": {"aws:PrincipalTag/team": "*"}}, None),
    ],
)
def test_condition_values(condition: dict[str, Any], expected: str | None) -> None:
    found = messages({"Action": "chime:GetUser", "Condition": condition})
    assert found == ([] if expected is None else [expected])
