"""The policy simulator through boto3: AWS's own examples, every parameter, every refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from iam_calls import ACCOUNT, ADMINISTRATOR, LIMITS, OTHER_ACCOUNT, READ_ONLY, fails, identity, refusal

Answer = dict[str, Any]
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/worker"
ANA = f"arn:aws:iam::{ACCOUNT}:user/team/ana"
DEVELOPERS = f"arn:aws:iam::{ACCOUNT}:group/developers"
BUCKET = "arn:aws:s3:::bucket"
OBJECT = "arn:aws:s3:::bucket/object"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}
DENY_DELETE = identity("chime:Delete*", effect="Deny", Sid="no")
DENY_GET = identity("chime:GetRoom", effect="Deny")


def _user(name: str, **more: Any) -> Answer:
    return {"name": name, **more}


_OWN = {"own": identity("chime:GetUser")}
_MAIN = {
    "id": ACCOUNT,
    "policies": [{"name": "limits", "document": identity("chime:Get*")}],
    "users": [
        _user("admin", access_keys=[{"id": "admins_key", "secret": "secret"}], attached_policies=[ADMINISTRATOR]),
        _user("bob", access_keys=[{"id": "bobs_key", "secret": "secret"}]),
        _user(
            "ana",
            path="/team/",
            tags={"Team": "blue"},
            attached_policies=[READ_ONLY],
            inline_policies=_OWN,
            groups=["developers"],
        ),
        _user("full", attached_policies=[LIMITS]),
        _user("bounded", attached_policies=[ADMINISTRATOR], permissions_boundary=LIMITS),
    ],
    "groups": [{"name": "developers", "attached_policies": [READ_ONLY], "inline_policies": _OWN}],
    "roles": [
        {
            "name": "worker",
            "path": "/team/",
            "trust_policy": TRUST,
            "inline_policies": {"own": identity("chime:List*"), "more": identity("chime:GetRoom")},
        }
    ],
}
_CONTROLS = [{"name": "no-delete", "targets": [ACCOUNT], "document": DENY_DELETE}]
DECLARATION = json.dumps(
    {
        "version": 1,
        "organization": {"id": "o-example1234", "service_control_policies": _CONTROLS},
        "accounts": [_MAIN, {"id": OTHER_ACCOUNT}],
    }
)


@pytest.fixture
def shared(make_world: Any) -> Any:
    return make_world(DECLARATION)


@pytest.fixture
def iam(shared: Any) -> Any:
    return shared.client("iam")


def custom(iam: Any, *documents: Any, **arguments: Any) -> list[Answer]:
    """Results of SimulateCustomPolicy for one action, by default on ``*``."""
    texts = [each if isinstance(each, str) else json.dumps(each) for each in documents]
    arguments = {"ActionNames": ["chime:GetRoom"], "PolicyInputList": texts, **arguments}
    return iam.simulate_custom_policy(**arguments)["EvaluationResults"]  # type: ignore[no-any-return]


def principal(iam: Any, arn: str, *actions: str, **arguments: Any) -> list[Answer]:
    answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=list(actions), **arguments)
    return answer["EvaluationResults"]  # type: ignore[no-any-return]


def entry(name: str, *values: str, kind: str = "string") -> Answer:
    return {"ContextKeyName": name, "ContextKeyValues": list(values), "ContextKeyType": kind}


def decisions(results: list[Answer]) -> list[str]:
    return [result["EvalDecision"] for result in results]


def sources(result: Answer) -> list[tuple[str, str]]:
    return [(each["SourcePolicyId"], each["SourcePolicyType"]) for each in result["MatchedStatements"]]


# AWS CLI Command Reference, simulate-custom-policy.
AFTER_2018 = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":'
    '{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}'
)


def test_the_first_example_of_the_command_reference(iam: Any) -> None:
    now = entry("aws:CurrentTime", "2019-04-25T11:00:00Z", kind="date")
    results = custom(iam, AFTER_2018, ActionNames=["dynamodb:CreateBackup"], ContextEntries=[now])
    assert results == [
        {
            "EvalActionName": "dynamodb:CreateBackup",
            "EvalResourceName": "*",
            "EvalDecision": "allowed",
            "MatchedStatements": [
                {
                    "SourcePolicyId": "PolicyInputList.1",
                    "SourcePolicyType": "IAM Policy",
                    "StartPosition": {"Line": 1, "Column": 38},
                    "EndPosition": {"Line": 1, "Column": 167},
                }
            ],
            "MissingContextValues": [],
        }
    ]


def test_the_second_example_of_the_command_reference(iam: Any) -> None:
    now = entry("aws:CurrentTime", "2014-04-25T11:00:00Z", kind="date")
    [result] = custom(iam, AFTER_2018, ActionNames=["dynamodb:CreateBackup"], ContextEntries=[now])
    assert (result["EvalDecision"], result["MatchedStatements"]) == ("implicitDeny", [])
    assert result["MissingContextValues"] == []


def test_administrator_access_is_where_aws_says_it_is(iam: Any) -> None:
    [result] = principal(iam, f"arn:aws:iam::{ACCOUNT}:user/admin", "s3:GetObject")
    [matched] = result["MatchedStatements"]
    assert (matched["SourcePolicyId"], matched["SourcePolicyType"]) == ("AdministratorAccess", "IAM Policy")
    assert matched["StartPosition"] == {"Line": 3, "Column": 17}
    assert matched["EndPosition"] == {"Line": 8, "Column": 6}


def test_an_absent_key_is_missing_when_nothing_allows(iam: Any) -> None:
    other = identity("s3:GetObject", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})
    results = custom(iam, AFTER_2018, other, ActionNames=["dynamodb:CreateBackup", "chime:GetRoom"])
    assert decisions(results) == ["implicitDeny", "implicitDeny"]
    assert [result["MissingContextValues"] for result in results] == [["aws:CurrentTime", "aws:SourceIp"]] * 2


def test_no_key_is_missing_where_something_decided(iam: Any) -> None:
    condition = identity("s3:*", Condition={"Bool": {"aws:SecureTransport": "true"}})
    [allowed] = custom(iam, identity("chime:*"), condition)
    [denied] = custom(iam, DENY_GET, condition)
    assert (allowed["EvalDecision"], allowed["MissingContextValues"]) == ("allowed", [])
    assert (denied["EvalDecision"], denied["MissingContextValues"]) == ("explicitDeny", [])


def test_only_the_deny_is_shown_when_a_statement_denies(iam: Any) -> None:
    [result] = custom(iam, identity("chime:*"), DENY_GET)
    assert result["EvalDecision"] == "explicitDeny"
    assert sources(result) == [("PolicyInputList.2", "IAM Policy")]


def test_no_policies_allow_nothing(iam: Any) -> None:
    assert decisions(custom(iam)) == ["implicitDeny"]


def test_one_result_for_each_action_and_one_within_it_for_each_resource(iam: Any) -> None:
    allowed = identity("s3:GetObject")
    denied = identity("s3:*", BUCKET + "/secret*", effect="Deny")
    arguments = {"ActionNames": ["s3:GetObject", "S3:putobject"], "ResourceArns": [OBJECT, BUCKET + "/secret"]}
    [get, put] = custom(iam, allowed, denied, **arguments)
    assert get["EvalResourceName"] == "arn:${Partition}:s3:::${BucketName}/${ObjectName}"
    assert (get["EvalActionName"], get["EvalDecision"]) == ("s3:GetObject", "explicitDeny")
    assert sources(get) == [("PolicyInputList.2", "IAM Policy")]
    assert get["EvalDecisionDetails"] == {}
    specific = [(each["EvalResourceName"], each["EvalResourceDecision"]) for each in get["ResourceSpecificResults"]]
    assert specific == [(OBJECT, "allowed"), (BUCKET + "/secret", "explicitDeny")]
    assert [sources(each) for each in get["ResourceSpecificResults"]] == [
        [("PolicyInputList.1", "IAM Policy")],
        [("PolicyInputList.2", "IAM Policy")],
    ]
    assert put["EvalActionName"] == "S3:putobject"
    assert [each["EvalResourceDecision"] for each in put["ResourceSpecificResults"]] == ["implicitDeny", "explicitDeny"]


@pytest.mark.parametrize("arguments", [{}, {"ResourceArns": ["*"]}])
def test_all_resources_have_no_results_of_their_own(iam: Any, arguments: Answer) -> None:
    [result] = custom(iam, identity("chime:*"), **arguments)
    assert result["EvalResourceName"] == "*"
    assert {"ResourceSpecificResults", "EvalDecisionDetails"} & set(result) == set()


def test_an_unknown_action_is_compared_like_any_other(iam: Any) -> None:
    arguments = {"ActionNames": ["chime:NoSuchThing", "nothing:Get", "chime:*"], "ResourceArns": [BUCKET]}
    results = custom(iam, identity("chime:*"), **arguments)
    assert decisions(results) == ["allowed", "implicitDeny", "allowed"]
    assert [result["EvalResourceName"] for result in results] == ["*", "*", "*"]


def test_an_older_version_has_no_variables(iam: Any) -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::${aws:username}"}
    arguments = {
        "ActionNames": ["s3:GetObject"],
        "ResourceArns": ["arn:aws:s3:::ana"],
        "CallerArn": f"arn:aws:iam::{ACCOUNT}:user/ana",
    }
    assert decisions(custom(iam, {"Statement": statement}, **arguments)) == ["implicitDeny"]
    assert decisions(custom(iam, {"Version": "2012-10-17", "Statement": statement}, **arguments)) == ["allowed"]


VALUES = [
    ("string", ["x"], {"StringEquals": {"aws:RequestTag/k": "x"}}),
    ("stringList", ["y", "x"], {"ForAnyValue:StringEquals": {"aws:RequestTag/k": "x"}}),
    ("stringList", ["x"], {"ForAllValues:StringEquals": {"aws:RequestTag/k": ["x", "y"]}}),
    ("numeric", ["7.5"], {"NumericGreaterThan": {"aws:RequestTag/k": "7"}}),
    ("numericList", ["1", "9"], {"ForAnyValue:NumericEquals": {"aws:RequestTag/k": "9"}}),
    ("boolean", ["TRUE"], {"Bool": {"aws:RequestTag/k": "true"}}),
    ("boolean", ["whatever"], {"Bool": {"aws:RequestTag/k": "false"}}),
    ("booleanList", ["true", "false"], {"ForAnyValue:Bool": {"aws:RequestTag/k": "true"}}),
    ("ip", ["203.0.113.7"], {"IpAddress": {"aws:RequestTag/k": "203.0.113.0/24"}}),
    ("ipList", ["2001:db8::1", "10.0.0.1"], {"ForAnyValue:IpAddress": {"aws:RequestTag/k": "2001:db8::/32"}}),
    ("binary", ["QmluYXJ5"], {"BinaryEquals": {"aws:RequestTag/k": "QmluYXJ5"}}),
    ("binaryList", ["QmluYXJ5", "AA=="], {"ForAnyValue:BinaryEquals": {"aws:RequestTag/k": "AA=="}}),
    ("date", ["2030-01-01T00:00:00Z"], {"DateGreaterThan": {"aws:RequestTag/k": "2029-12-31T23:59:59Z"}}),
    ("dateList", ["2030-01-01", "2020-01-01"], {"ForAnyValue:DateLessThan": {"aws:RequestTag/k": "2021-01-01"}}),
]


@pytest.mark.parametrize(("kind", "values", "condition"), VALUES)
def test_context_entries_of_every_type(iam: Any, kind: str, values: list[str], condition: Answer) -> None:
    given = [entry("AWS:requestTag/k", *values, kind=kind)]
    assert decisions(custom(iam, identity("chime:*", Condition=condition), ContextEntries=given)) == ["allowed"]
    assert decisions(custom(iam, identity("chime:*", Condition=condition))) != ["allowed"] or "ForAll" in str(condition)


INVALID_ENTRIES = [
    ({"ContextKeyValues": ["x"], "ContextKeyType": "string"}, "ContextKeyName cannot be null or empty."),
    ({"ContextKeyName": "aws:k", "ContextKeyValues": ["x"]}, "Context key aws:k has invalid type null."),
    (
        {"ContextKeyName": "aws:k", "ContextKeyType": "string"},
        "Context values for context key aws:k cannot be null or empty.",
    ),
    (entry("aws:k", "x", "y"), "Context key aws:k expected a single value, but received 2."),
    (entry("aws:k", "x", kind="numeric"), "Invalid context value for key aws:k: expected numeric format."),
    (entry("aws:k", "1", "x", kind="numericList"), "Invalid context value for key aws:k: expected numeric format."),
    (entry("aws:k", "x", kind="date"), "Invalid context value for key aws:k: expected DateTime format."),
    (entry("aws:k", "10.0.0.0/8", kind="ip"), "Invalid context value for key aws:k: expected IP address."),
    (
        entry("aws:k", "%", kind="binary"),
        "Invalid context value for key aws:k: expected base-64 encoded binary format.",
    ),
]


@pytest.mark.parametrize(("given", "message"), INVALID_ENTRIES)
def test_context_entries_that_mean_nothing(iam: Any, given: Answer, message: str) -> None:
    arguments = {"PolicyInputList": [], "ActionNames": ["chime:GetRoom"], "ContextEntries": [given]}
    fails(iam.simulate_custom_policy, "InvalidInput", message, 400, **arguments)


def test_a_key_given_twice(iam: Any) -> None:
    entries = [entry("aws:key", "x"), entry("AWS:Key", "x")]
    arguments = {"PolicyInputList": [], "ActionNames": ["chime:GetRoom"], "ContextEntries": entries}
    fails(iam.simulate_custom_policy, "InvalidInput", "Duplicate context key: AWS:Key.", 400, **arguments)


def test_a_boundary_limits_and_is_shown(iam: Any) -> None:
    boundary = [json.dumps(identity("chime:Get*"))]
    arguments = {"ActionNames": ["chime:GetRoom", "chime:ListRooms"], "PermissionsBoundaryPolicyInputList": boundary}
    inside, outside = custom(iam, identity("chime:*"), **arguments)
    assert (inside["EvalDecision"], outside["EvalDecision"]) == ("allowed", "implicitDeny")
    assert inside["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}
    assert outside["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    assert sources(inside) == [("PolicyInputList.1", "IAM Policy")]
    [result] = custom(iam, identity("chime:*"), PermissionsBoundaryPolicyInputList=[json.dumps(DENY_GET)])
    assert sources(result) == [("PermissionsBoundaryPolicyInputList.1", "Permissions Boundary Policy")]


def test_organization_policies_level_by_level(iam: Any) -> None:
    def level(*documents: Answer) -> Answer:
        return {"ServiceControlPolicyInputList": [json.dumps(each) for each in documents]}

    def simulated(*levels: Answer) -> Answer:
        condition = identity("chime:*", Condition={"Bool": {"aws:SecureTransport": "true"}})
        policies = [identity("chime:Get*"), condition]
        return custom(iam, *policies, OrderedOrganizationPolicyInputList=list(levels))[0]

    allowed = simulated(level(identity("*")), level(identity("iam:*"), identity("chime:Get*")))
    assert allowed["EvalDecision"] == "allowed"
    assert allowed["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": True}
    refused = simulated(level(identity("*")), level(identity("iam:*")))
    assert refused["EvalDecision"] == "implicitDeny"
    assert refused["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    assert (refused["MatchedStatements"], refused["MissingContextValues"]) == ([], [])
    denied = simulated(level(identity("*"), DENY_GET), level(identity("*")))
    assert denied["EvalDecision"] == "explicitDeny"
    assert denied["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}
    # Condition keys of service control policies count, but no answer shows them.
    conditional = identity("*", Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})
    assert simulated(level(conditional))["EvalDecision"] == "implicitDeny"


def resource_policy(who: Any, effect: str = "Allow", **more: Any) -> str:
    statement = {"Effect": effect, "Principal": who, "Action": "s3:*", "Resource": OBJECT, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


USER = f"arn:aws:iam::{ACCOUNT}:user/somebody"
ON_OBJECT = {"ActionNames": ["s3:GetObject"], "ResourceArns": [OBJECT]}


@pytest.mark.parametrize(
    ("caller", "policy", "expected"),
    [
        (USER, resource_policy({"AWS": USER}), "allowed"),
        (USER, resource_policy("*"), "allowed"),
        # With the account as principal the caller's own policies decide, and they allow nothing here.
        (USER, resource_policy({"AWS": ACCOUNT}), "implicitDeny"),
        (USER, resource_policy({"AWS": USER + "x"}), "implicitDeny"),
        (USER, resource_policy("*", "Deny"), "explicitDeny"),
        (ROLE, resource_policy({"AWS": ROLE}), "allowed"),
        (DEVELOPERS, resource_policy("*"), "allowed"),
    ],
)
def test_a_resource_based_policy_of_the_same_account(iam: Any, caller: str, policy: str, expected: str) -> None:
    [result] = custom(iam, CallerArn=caller, ResourcePolicy=policy, **ON_OBJECT)
    assert result["EvalDecision"] == expected
    assert result["EvalDecisionDetails"] == {}
    if expected != "implicitDeny":
        assert sources(result) == [("ResourcePolicy", "Resource Policy")]


def test_a_role_that_a_resource_names_stays_within_its_boundary(iam: Any) -> None:
    boundary = [json.dumps(identity("chime:*"))]
    for caller, expected in ((USER, "allowed"), (ROLE, "implicitDeny")):
        arguments = {"ResourcePolicy": resource_policy({"AWS": caller}), "CallerArn": caller, **ON_OBJECT}
        results = custom(iam, PermissionsBoundaryPolicyInputList=boundary, **arguments)
        assert decisions(results) == [expected]


def test_another_account_must_allow_besides(iam: Any) -> None:
    owner = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    arguments = {"CallerArn": USER, "ResourceOwner": owner, **ON_OBJECT}
    [both] = custom(iam, identity("s3:*"), ResourcePolicy=resource_policy({"AWS": USER}), **arguments)
    assert both["EvalDecision"] == "allowed"
    assert both["EvalDecisionDetails"] == {"IAM Policy": "allowed", "Resource Policy": "allowed"}
    assert sources(both) == [("PolicyInputList.1", "IAM Policy"), ("ResourcePolicy", "Resource Policy")]
    boundary = {"PermissionsBoundaryPolicyInputList": [json.dumps(identity("chime:*"))]}
    [one] = custom(iam, ResourcePolicy=resource_policy({"AWS": USER}), **boundary, **arguments)
    assert one["EvalDecision"] == "implicitDeny"
    expected = {
        "IAM Policy": "implicitDeny",
        "Resource Policy": "allowed",
        "Permissions Boundary Policy": "implicitDeny",
    }
    assert one["EvalDecisionDetails"] == expected
    assert one["ResourceSpecificResults"][0]["EvalDecisionDetails"] == expected


def test_an_arn_with_an_account_needs_no_owner(iam: Any) -> None:
    queue = f"arn:aws:sqs:us-east-1:{OTHER_ACCOUNT}:queue"
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    arguments = {"ActionNames": ["sqs:SendMessage"], "ResourceArns": [queue], "CallerArn": USER}
    [result] = custom(iam, ResourcePolicy=policy, **arguments)
    assert result["EvalDecisionDetails"] == {"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
    # Without a resource policy nothing is known about its account's side.
    assert decisions(custom(iam, identity("sqs:*"), **arguments)) == ["allowed"]


EC2 = "arn:aws:ec2:us-east-1:111122223333:"
SUBNET = [EC2 + kind + "/x" for kind in ("instance", "image", "security-group", "network-interface", "subnet")]


def test_a_scenario_of_ec2_needs_its_resources(iam: Any) -> None:
    arguments = {"ActionNames": ["ec2:RunInstances"], "ResourceHandlingOption": "EC2-VPC-InstanceStore-Subnet"}
    [result] = custom(iam, identity("ec2:*"), ResourceArns=SUBNET, **arguments)
    assert (result["EvalDecision"], len(result["ResourceSpecificResults"])) == ("allowed", 5)
    code, message, _ = refusal(iam.simulate_custom_policy, PolicyInputList=[], ResourceArns=SUBNET[1:4], **arguments)
    assert code == "InvalidInput"
    assert message.endswith("requires resources of these types: instance, subnet.")


REFUSED: list[tuple[Answer, str]] = [
    ({"ActionNames": ["GetRoom"]}, "The action is invalid since it is missing names"),
    ({"ActionNames": ["chime:"]}, "The action is invalid since it is missing names"),
    ({"ActionNames": [":GetRoom"]}, "The action is invalid since it is missing names"),
    ({"ResourceArns": ["bucket"]}, "ResourceNames are not in a valid ARN format: bucket."),
    ({"ResourceArns": [BUCKET, "*"]}, "ResourceNames are not in a valid ARN format: *."),
    ({"ResourceOwner": ACCOUNT}, f"'{ACCOUNT}' is not a valid as a Resource Owner."),
    ({"PolicyInputList": ["{}"]}, "Policy input list item 1 has invalid content"),
    ({"PolicyInputList": [json.dumps(identity("s3:*")), "x"]}, "Policy input list item 2 has invalid content"),
    ({"PolicyInputList": [resource_policy("*")]}, "Policy input list item 1 has invalid content"),
    (
        {"PermissionsBoundaryPolicyInputList": [json.dumps(identity("s3:*"))] * 2},
        "The list of Permissions Boundary policies cannot exceed 1 items.",
    ),
    (
        {"OrderedOrganizationPolicyInputList": [{"ServiceControlPolicyInputList": []}]},
        "Organization policy at index 1 must contain at least one service control policy",
    ),
    ({"ResourceHandlingOption": "EC2-Moon"}, "Invalid input resource handling options: EC2-Moon."),
    (
        {"ResourceHandlingOption": "EC2-VPC-EBS"},
        "Invalid input resource handling options. Action does not support resource handling options: chime:GetRoom.",
    ),
    (
        {"CallerArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me"},
        "Invalid caller - Caller must be an IAM user, role or group in this context.",
    ),
    (
        {"CallerArn": f"arn:aws:iam::{ACCOUNT}:root"},
        "Invalid caller - Caller must be an IAM user, role or group in this context.",
    ),
    (
        {"ResourcePolicy": resource_policy("*"), "ResourceArns": [OBJECT]},
        "Invalid caller - Caller cannot be null or empty.",
    ),
    (
        {"ResourcePolicy": resource_policy("*"), "CallerArn": USER},
        "Invalid Entity Arn: * does not clearly define entity type and name.",
    ),
    (
        {"ResourcePolicy": json.dumps(identity("s3:*")), "CallerArn": USER, "ResourceArns": [OBJECT]},
        "Resource policy has invalid content",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_inputs_that_are_refused(iam: Any, arguments: Answer, message: str) -> None:
    arguments = {"PolicyInputList": [], "ActionNames": ["chime:GetRoom"], **arguments}
    fails(iam.simulate_custom_policy, "InvalidInput", message, 400, **arguments)


# SimulatePrincipalPolicy


def test_the_policies_of_a_user_and_of_its_groups(iam: Any) -> None:
    [result] = principal(iam, ANA, "chime:GetUser")
    assert result["EvalDecision"] == "allowed"
    assert sources(result) == [
        ("user_ana_own", "IAM Policy"),
        # Attached to ana and to her group, and shown once.
        ("AmazonChimeReadOnly", "IAM Policy"),
        ("group_developers_own", "IAM Policy"),
    ]
    [refused] = principal(iam, ANA, "chime:DeleteRoom")
    assert (refused["EvalDecision"], refused["MatchedStatements"]) == ("explicitDeny", [])
    assert refused["OrganizationsDecisionDetail"] == {"AllowedByOrganizations": False}


def test_the_policies_of_a_role_and_of_a_group(iam: Any) -> None:
    assert sources(principal(iam, ROLE, "chime:ListRooms")[0]) == [("role_worker_own", "IAM Policy")]
    [result] = principal(iam, DEVELOPERS, "chime:GetUser")
    assert sources(result) == [("group_developers_own", "IAM Policy"), ("AmazonChimeReadOnly", "IAM Policy")]


def test_an_entity_is_found_by_its_name(iam: Any) -> None:
    assert decisions(principal(iam, f"arn:aws:iam::{ACCOUNT}:role/WORKER", "chime:ListRooms")) == ["allowed"]


def test_further_policies_and_another_boundary(iam: Any) -> None:
    bounded = f"arn:aws:iam::{ACCOUNT}:user/bounded"
    [outside] = principal(iam, bounded, "chime:ListRooms")
    assert (outside["EvalDecision"], outside["MatchedStatements"]) == ("implicitDeny", [])
    assert outside["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}
    replaced = {"PermissionsBoundaryPolicyInputList": [json.dumps(identity("chime:List*"))]}
    results = principal(iam, bounded, "chime:ListRooms", "chime:GetRoom", **replaced)
    assert decisions(results) == ["allowed", "implicitDeny"]
    [denied] = principal(iam, bounded, "chime:GetRoom", PolicyInputList=[json.dumps(DENY_GET)])
    assert sources(denied) == [("PolicyInputList.1", "IAM Policy")]


@pytest.mark.parametrize(
    ("arn", "action", "identifier", "expected"),
    [
        (ANA, "chime:GetUser", {"PolicyType": "inline"}, ["AmazonChimeReadOnly"]),
        (ANA, "chime:GetUser", {"PolicyType": "aws-managed"}, ["user_ana_own", "group_developers_own"]),
        (ANA, "chime:GetUser", {"PolicyArn": READ_ONLY}, ["user_ana_own", "group_developers_own"]),
        (
            ANA,
            "chime:GetUser",
            {"PolicyArn": "arn:aws:iam::aws:policy/AmazonChime?ead*"},
            ["user_ana_own", "group_developers_own"],
        ),
        (ANA, "chime:GetUser", {"PolicyArn": LIMITS}, ["user_ana_own", "AmazonChimeReadOnly", "group_developers_own"]),
        (
            ANA,
            "chime:GetUser",
            {"InlinePolicyIdentifier": {"PolicyName": "own", "AttachmentType": "group", "AttachmentName": "dev*"}},
            ["user_ana_own", "AmazonChimeReadOnly"],
        ),
        (
            ANA,
            "chime:GetUser",
            {"InlinePolicyIdentifier": {"PolicyName": "own", "AttachmentType": "user", "AttachmentName": "an"}},
            ["user_ana_own", "AmazonChimeReadOnly", "group_developers_own"],
        ),
        (f"arn:aws:iam::{ACCOUNT}:user/full", "chime:GetUser", {"PolicyType": "user-managed"}, []),
        (
            f"arn:aws:iam::{ACCOUNT}:user/bounded",
            "chime:ListRooms",
            {"PolicyType": "permission-boundary"},
            ["AdministratorAccess"],
        ),
        (f"arn:aws:iam::{ACCOUNT}:user/bounded", "chime:ListRooms", {"PolicyArn": LIMITS}, []),
        (f"arn:aws:iam::{ACCOUNT}:user/admin", "chime:DeleteRoom", {"PolicyType": "scp"}, ["AdministratorAccess"]),
        (f"arn:aws:iam::{ACCOUNT}:user/admin", "chime:DeleteRoom", {"PolicyType": "rcp"}, []),
    ],
)
def test_policies_may_be_left_out(iam: Any, arn: str, action: str, identifier: Answer, expected: list[str]) -> None:
    [result] = principal(iam, arn, action, PolicyExclusionList=[identifier])
    assert [name for name, _ in sources(result)] == expected
    assert (result["EvalDecision"] == "allowed") == bool(expected)


def test_without_service_control_policies_nothing_is_said_of_the_organization(iam: Any) -> None:
    arguments = {"PolicyExclusionList": [{"PolicyType": "scp"}]}
    [result] = principal(iam, ANA, "chime:GetUser", **arguments)
    assert "OrganizationsDecisionDetail" not in result


def test_what_was_passed_is_not_left_out(iam: Any) -> None:
    everything = [{"PolicyType": kind} for kind in ("inline", "aws-managed", "user-managed")]
    given = [json.dumps(identity("chime:GetUser"))]
    [result] = principal(iam, ANA, "chime:GetUser", PolicyExclusionList=everything, PolicyInputList=given)
    assert sources(result) == [("PolicyInputList.1", "IAM Policy")]


@pytest.mark.parametrize(
    ("identifier", "message"),
    [
        (
            {"PolicyArn": "arn:aws:iam::*:policy/limits"},
            "Policy exclusion ARN must identify a managed IAM policy.",
        ),
        ({"PolicyArn": "twenty characters long"}, "Policy exclusion ARN must identify a managed IAM policy."),
        (
            {"PolicyArn": "arn:aws:iam::aws:policy/*A*"},
            "A policy exclusion selector permits at most one '*' wildcard.",
        ),
    ],
)
def test_exclusions_that_can_mean_nothing(iam: Any, identifier: Answer, message: str) -> None:
    arguments = {"PolicySourceArn": ANA, "ActionNames": ["chime:GetRoom"], "PolicyExclusionList": [identifier]}
    fails(iam.simulate_principal_policy, "InvalidInput", message, 400, **arguments)


def test_a_caller_brings_its_own_keys(iam: Any) -> None:
    tagged = {"StringEquals": {"aws:PrincipalTag/Team": "blue", "aws:username": "ana"}}
    policy = json.dumps(identity("chime:CreateRoom", Condition=tagged))
    arguments = {"PolicyInputList": [policy]}
    assert decisions(principal(iam, ANA, "chime:CreateRoom", **arguments)) == ["allowed"]
    # With another caller: the name is known, the tags are not.
    [result] = principal(iam, ANA, "chime:CreateRoom", CallerArn=USER, **arguments)
    assert result["EvalDecision"] == "implicitDeny"
    assert result["MissingContextValues"] == ["aws:PrincipalTag/Team", "aws:username"]
    given = [entry("aws:PrincipalTag/Team", "red")]
    assert decisions(principal(iam, ANA, "chime:CreateRoom", ContextEntries=given, **arguments)) == ["implicitDeny"]


def test_the_keys_of_a_simulated_caller_alone(iam: Any) -> None:
    def holds(condition: Answer, **arguments: Any) -> bool:
        return decisions(custom(iam, identity("chime:*", Condition=condition), **arguments)) == ["allowed"]

    assert holds({"StringEquals": {"aws:userid": "STUB_PRINCIPAL_FOR_POLICY_SIMULATOR"}})
    assert holds({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})
    assert holds({"Null": {"aws:PrincipalArn": "true", "aws:username": "true"}})
    assert holds(
        {"ArnEquals": {"aws:PrincipalArn": USER}, "StringEquals": {"aws:username": "somebody"}}, CallerArn=USER
    )
    assert holds({"ArnEquals": {"aws:PrincipalArn": ROLE}, "Null": {"aws:username": "true"}}, CallerArn=ROLE)


@pytest.mark.parametrize(
    ("arn", "code", "message", "status"),
    [
        (
            f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me",
            "InvalidInput",
            f"Invalid Entity Arn: arn:aws:sts::{ACCOUNT}:assumed-role/worker/me does not clearly define entity type "
            "and name.",
            400,
        ),
        (
            f"arn:aws:iam::{ACCOUNT}:root",
            "InvalidInput",
            f"Invalid Entity Arn: arn:aws:iam::{ACCOUNT}:root does not clearly define entity type and name.",
            400,
        ),
        (
            f"arn:aws:iam::{OTHER_ACCOUNT}:user/kim",
            "InvalidInput",
            f"Invalid Policy Source Arn: caller's account {ACCOUNT} does not have access to policies in account "
            f"{OTHER_ACCOUNT}",
            400,
        ),
        (f"arn:aws:iam::{ACCOUNT}:user/x", "NoSuchEntity", "The user with name x cannot be found.", 404),
        (f"arn:aws:iam::{ACCOUNT}:role/x", "NoSuchEntity", "The role with name x cannot be found.", 404),
        (f"arn:aws:iam::{ACCOUNT}:group/x", "NoSuchEntity", "The group with name x cannot be found.", 404),
    ],
)
def test_invalid_sources(iam: Any, arn: str, code: str, message: str, status: int) -> None:
    fails(iam.simulate_principal_policy, code, message, status, PolicySourceArn=arn, ActionNames=["chime:GetRoom"])
    fails(iam.get_context_keys_for_principal_policy, code, message, status, PolicySourceArn=arn)


# Permissions to simulate


def test_no_caller_simulates_without_permission(shared: Any) -> None:
    bob = shared.client("iam", "bob")
    caller = f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam"
    reason = "because no identity-based policy allows the iam"
    name = "SimulateCustomPolicy"
    message = f"{caller}:{name} on resource: * {reason}:{name} action"
    arguments: Answer = {"PolicyInputList": [], "ActionNames": ["chime:GetRoom"]}
    fails(bob.simulate_custom_policy, "AccessDenied", message, 403, **arguments)
    name = "SimulatePrincipalPolicy"
    message = f"{caller}:{name} on resource: {ROLE} {reason}:{name} action"
    arguments = {"PolicySourceArn": ROLE, "ActionNames": ["chime:GetRoom"]}
    fails(bob.simulate_principal_policy, "AccessDenied", message, 403, **arguments)
    name = "GetContextKeysForPrincipalPolicy"
    message = f"{caller}:{name} on resource: {ROLE} {reason}:{name} action"
    arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
    fails(bob.get_context_keys_for_principal_policy, "AccessDenied", message, 403, PolicySourceArn=arn)


# Pages


def test_pages_go_through_the_actions(iam: Any) -> None:
    actions = [f"chime:Action{number}" for number in range(7)]
    arguments = {"PolicyInputList": [], "ActionNames": actions, "ResourceArns": [BUCKET, OBJECT]}
    pages = list(iam.get_paginator("simulate_custom_policy").paginate(**arguments, PaginationConfig={"PageSize": 3}))
    assert [len(page["EvaluationResults"]) for page in pages] == [3, 3, 1]
    assert [page["IsTruncated"] for page in pages] == [True, True, False]
    assert [result["EvalActionName"] for page in pages for result in page["EvaluationResults"]] == actions
    assert all(len(result["ResourceSpecificResults"]) == 2 for page in pages for result in page["EvaluationResults"])


def test_a_page_ends_before_it_takes_minutes(iam: Any) -> None:
    resources = [f"arn:aws:s3:::bucket{number}" for number in range(3000)]
    arguments = {"PolicyInputList": [], "ActionNames": ["s3:GetObject"] * 20, "ResourceArns": resources}
    page = iam.simulate_custom_policy(**arguments)
    assert (len(page["EvaluationResults"]), page["IsTruncated"]) == (6, True)


def test_a_marker_belongs_to_its_list(iam: Any) -> None:
    arguments: Answer = {"PolicyInputList": [], "ActionNames": ["chime:GetRoom", "chime:GetUser"], "MaxItems": 1}
    marker = iam.simulate_custom_policy(**arguments)["Marker"]
    assert iam.simulate_custom_policy(**arguments, Marker=marker)["IsTruncated"] is False
    for changed in ({"ActionNames": ["chime:GetRoom", "chime:ListRooms"]}, {"ResourceArns": [BUCKET]}):
        fails(
            iam.simulate_custom_policy,
            "ValidationError",
            "Invalid Marker.",
            400,
            **{**arguments, **changed},
            Marker=marker,
        )
    fails(iam.simulate_custom_policy, "ValidationError", "Invalid Marker.", 400, **arguments, Marker="x" + marker)


# Context keys

KEYED = identity(
    "dynamodb:*",
    "arn:aws:dynamodb:us-west-2:111122223333:table/${aws:username}",
    Condition={"DateGreaterThan": {"aws:CurrentTime": "2015-08-16T12:00:00Z"}},
)


def test_the_keys_of_policies_passed_as_texts(iam: Any) -> None:
    # AWS CLI Command Reference, get-context-keys-for-custom-policy.
    texts = [json.dumps(KEYED), json.dumps(KEYED)]
    names = iam.get_context_keys_for_custom_policy(PolicyInputList=texts)["ContextKeyNames"]
    assert names == ["aws:username", "aws:CurrentTime"]
    policy = resource_policy("*", Condition={"Bool": {"aws:SecureTransport": "true"}})
    names = iam.get_context_keys_for_custom_policy(PolicyInputList=[policy])["ContextKeyNames"]
    assert names == ["aws:SecureTransport"]


def test_the_keys_of_an_entity_and_further_texts(iam: Any) -> None:
    names = iam.get_context_keys_for_principal_policy(PolicySourceArn=ANA, PolicyInputList=[json.dumps(KEYED)])
    assert names["ContextKeyNames"] == ["aws:username", "aws:CurrentTime"]
    assert iam.get_context_keys_for_principal_policy(PolicySourceArn=ROLE)["ContextKeyNames"] == []


def test_a_text_without_a_policy_has_no_keys(iam: Any) -> None:
    message = "Policy input list item 2 has invalid content"
    texts = [json.dumps(KEYED), '{"Statement": 1}']
    fails(iam.get_context_keys_for_custom_policy, "InvalidInput", message, 400, PolicyInputList=texts)


# The limit of matching in one request.


@pytest.fixture(scope="module")
def quiet_iam(make_shared_world: Any) -> Any:
    """A client of a sandbox that no test changes."""
    return make_shared_world(DECLARATION).client("iam")


LONG = "arn:aws:s3:::" + "a" * 1487


def costly(**elements: Any) -> str:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", **elements}
    if "NotResource" in elements:
        del statement["Resource"]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def many(pattern: str, count: int) -> list[str]:
    return [f"arn:aws:s3:::{pattern}{each}" for each in range(count)]


def test_a_page_is_shorter_the_more_there_is_to_match(quiet_iam: Any) -> None:
    arguments = {
        "ActionNames": [f"s3:Get{each}" for each in range(50)],
        "ResourceArns": [LONG],
        "PolicyInputList": [costly(Resource=many("*a?a*b", 100))],
    }
    page = quiet_iam.simulate_custom_policy(**arguments)
    assert (len(page["EvaluationResults"]), page["IsTruncated"]) == (5, True)
    arguments["PolicyInputList"] = [costly(Resource=many("a*b", 100))]
    assert len(quiet_iam.simulate_custom_policy(**arguments)["EvaluationResults"]) == 50


# Each: one element of a policy, the keys of the request, and the number of resources.
TOO_MUCH: dict[str, tuple[dict[str, Any], list[Answer], int]] = {
    "the case that was found": ({"Resource": many("*a?" * 300, 30)}, [], 350),
    "resources": ({"Resource": many("*a?a*b", 100)}, [], 30),
    "resources that are left out": ({"NotResource": many("*a?a*b", 100)}, [], 30),
    "resources with variables": ({"Resource": many("*a?${aws:username}*b", 100)}, [], 30),
    "one long part": ({"Resource": many("*" + "a?" * 500 + "b*", 20)}, [], 200),
    "StringLike": (
        {"Condition": {"ForAnyValue:StringLike": {"my:key": many("*a?a*b", 100)}}},
        [entry("my:key", *[LONG] * 30, kind="stringList")],
        1,
    ),
    "StringNotLike with variables": (
        {"Condition": {"StringNotLikeIfExists": {"my:key": many("*${aws:username}?a*b", 100)}}},
        [entry("my:key", *[LONG] * 30, kind="stringList")],
        1,
    ),
    "ArnLike": (
        {"Condition": {"ForAllValues:ArnLike": {"my:key": many("*a?a*b", 100)}}},
        [entry("my:key", *[LONG] * 30, kind="stringList")],
        1,
    ),
    "conditions of every resource": (
        {"Condition": {"StringLike": {"my:key": many("*a?a*b", 100)}}},
        [entry("my:key", LONG)],
        30,
    ),
    "dates": (
        {"Condition": {"ForAnyValue:DateEquals": {"my:key": ["2026-01-01T00:00:00Z"]}}},
        [entry("my:key", *[f"{year}-01-01" for year in range(1000, 3000)], kind="dateList")],
        100,
    ),
    "numbers": (
        {"Condition": {"ForAnyValue:NumericEquals": {"my:key": ["5"]}}},
        [entry("my:key", *map(str, range(4000)), kind="numericList")],
        200,
    ),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_a_simulation_that_would_take_long_is_refused(quiet_iam: Any, name: str) -> None:
    elements, entries, count = TOO_MUCH[name]
    arguments: Answer = {
        "PolicyInputList": [costly(**elements)],
        "ActionNames": ["s3:" + "a" * 120],
        "ResourceArns": [f"{LONG}{each}" for each in range(count)],
        "ContextEntries": entries,
    }
    with pytest.raises(quiet_iam.exceptions.PolicyEvaluationException, match="statements or patterns") as refusal:
        quiet_iam.simulate_custom_policy(**arguments)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    # A tenth of it is answered.
    arguments["ResourceArns"] = arguments["ResourceArns"][: max(1, count // 10)]
    if count < 10:
        arguments["PolicyInputList"] = [costly(**{element: _tenth(value) for element, value in elements.items()})]
    quiet_iam.simulate_custom_policy(**arguments)


def _tenth(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tenth(each) for key, each in value.items()}
    return value[: len(value) // 10]


def test_patterns_of_actions_count_too(quiet_iam: Any) -> None:
    text = costly(Action=[f"s3:*a?{each}a*" for each in range(1000)])
    arguments: Answer = {"PolicyInputList": [text] * 9, "ActionNames": [f"s3:{each}{'a' * 120}" for each in range(2)]}
    page = quiet_iam.simulate_custom_policy(**arguments)
    assert (len(page["EvaluationResults"]), page["IsTruncated"]) == (1, True)


@pytest.mark.parametrize("layer", ["boundary", "organization", "resource"])
def test_every_layer_counts(quiet_iam: Any, layer: str) -> None:
    text = costly(Resource=many("*a?a*b", 100))
    arguments: dict[str, Answer] = {
        "boundary": {"PermissionsBoundaryPolicyInputList": [text]},
        "organization": {"OrderedOrganizationPolicyInputList": [{"ServiceControlPolicyInputList": [text]}]},
        "resource": {
            "ResourcePolicy": text.replace('"Effect"', '"Principal": "*", "Effect"'),
            "CallerArn": ANA,
        },
    }
    with pytest.raises(quiet_iam.exceptions.PolicyEvaluationException):
        quiet_iam.simulate_custom_policy(
            PolicyInputList=[],
            ActionNames=["s3:GetObject"],
            ResourceArns=[f"{LONG}{each}" for each in range(30)],
            **arguments[layer],
        )


def test_thousands_of_resources_and_of_plain_patterns_are_no_trouble(quiet_iam: Any) -> None:
    policies = [costly(Resource=[f"arn:aws:s3:::box-{number}-{each}/*" for each in range(500)]) for number in range(2)]
    arns = [f"arn:aws:s3:::box-1-{each}/report" for each in range(1000)]
    answer = quiet_iam.simulate_custom_policy(PolicyInputList=policies, ActionNames=["s3:GetObject"], ResourceArns=arns)
    [result] = answer["EvaluationResults"]
    allowed = [each["EvalResourceDecision"] == "allowed" for each in result["ResourceSpecificResults"]]
    assert allowed == [True] * 500 + [False] * 500


@pytest.mark.parametrize("bounded", [False, True])
def test_a_deny_with_not_principal_hits_callers_with_a_boundary(quiet_iam: Any, bounded: bool) -> None:
    """IAM User Guide, NotPrincipal: "regardless of the values specified in the NotPrincipal element"."""
    spared = {"AWS": [ANA, f"arn:aws:iam::{ACCOUNT}:root"]}
    statement = {"Effect": "Deny", "NotPrincipal": spared, "Action": "s3:GetObject", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    [result] = custom(
        quiet_iam,
        costly(),
        ActionNames=["s3:GetObject"],
        ResourceArns=["arn:aws:s3:::box/a"],
        ResourcePolicy=document,
        CallerArn=ANA,
        **({"PermissionsBoundaryPolicyInputList": [costly()]} if bounded else {}),
    )
    assert result["EvalDecision"] == ("explicitDeny" if bounded else "allowed")
    assert sources(result) == [
        ("ResourcePolicy", "Resource Policy") if bounded else ("PolicyInputList.1", "IAM Policy")
    ]
