"""Templates of CloudFormation, SAM and CDK: their functions, their resources, and what cannot be resolved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from import_worlds import FIRST, IAM, READ_ONLY
from test_account_details import ALLOW, details, trust, user

from rolecall.ids import Identifiers
from rolecall.importing.reading import imported
from rolecall.importing.terraform import NO_ACCOUNT_MESSAGE
from rolecall.importing.written import Imported, UnimportableError
from rolecall.worlds.declare import read_world
from rolecall.worlds.located import NESTED_MESSAGE
from rolecall.worlds.world import DeclaredAccount


def run(folder: Path, text: str, account: str = FIRST, name: str = "app.template.yaml", **given: str) -> Imported:
    (folder / name).write_text(text, encoding="utf-8")
    return imported([str(folder / name)], Identifiers(seed=5), account, given)


def declared(folder: Path, text: str, **given: str) -> DeclaredAccount:
    return read_world(run(folder, text, **given).text).accounts[0]


def problems(folder: Path, text: str, account: str = FIRST, **given: str) -> list[str]:
    with pytest.raises(UnimportableError) as caught:
        run(folder, text, account, **given)
    return [each.rpartition("app.template.yaml:")[2] for each in caught.value.problems]


def value_of(expression: str, more: str = "") -> str:
    """A template whose one role has the description that an expression gives."""
    return f"""
{more}
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      RoleName: r
      AssumeRolePolicyDocument: {json.dumps(trust(Service="ec2.amazonaws.com"))}
      Description: {expression}
"""


TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: prod}
  Reader: {Type: String, Default: 'chime:Get*,chime:List*'}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Not [!Condition IsProd]
Resources:
  Limits:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Path: /team/
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - {Effect: Allow, Action: !Split [",", !Ref Reader], Resource: "*"}
          - !If
            - IsTest
            - {Effect: Allow, Action: "*", Resource: "*"}
            - !Ref AWS::NoValue
          - {Effect: Allow, Action: "sts:AssumeRole", Resource: !GetAtt Deploy.Arn}
      Users: [!Ref Ana]
  Deploy:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub "deploy-${Stage}"
      MaxSessionDuration: "7200"
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {AWS: !GetAtt Ana.Arn}, Action: "sts:AssumeRole"}]
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/AmazonChimeReadOnly"]
      PermissionsBoundary: !Ref Limits
      Tags: [{Key: stage, Value: !Ref Stage}]
  Ana:
    Type: AWS::IAM::User
    Properties: {UserName: ana, Groups: [!Ref Developers], LoginProfile: {Password: never-shown}}
  Developers:
    Type: AWS::IAM::Group
  Own:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: own
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "iam:GetUser", Resource: "*"}]}
      Groups: [!Ref Developers]
  Debug:
    Type: AWS::IAM::Role
    Condition: IsTest
    Properties: {AssumeRolePolicyDocument: {}}
  Profile: {Type: "AWS::IAM::InstanceProfile", Properties: {Roles: [!Ref Deploy]}}
  Key: {Type: "AWS::IAM::AccessKey", Properties: {UserName: !Ref Ana}}
  Bucket: {Type: "AWS::S3::Bucket"}
"""


def test_a_template(make_world: Any, tmp_path: Path) -> None:
    made = run(tmp_path, TEMPLATE)
    account = read_world(made.text).accounts[0]
    [role], [ana], [limits] = account.roles, account.users, account.policies
    assert (role.name, role.max_session_duration_seconds, dict(role.tags)) == ("deploy-prod", 7200, {"stage": "prod"})
    assert role.permissions_boundary == f"{IAM}:policy/team/app-Limits"
    assert role.attached_policies == (READ_ONLY,)
    assert json.loads(limits.document)["Statement"] == [
        {"Effect": "Allow", "Action": ["chime:Get*", "chime:List*"], "Resource": "*"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"{IAM}:role/deploy-prod"},
    ]
    assert (ana.groups, ana.attached_policies) == (("app-Developers",), (f"{IAM}:policy/team/app-Limits",))
    assert [(each.name, each.role) for each in account.instance_profiles] == [("app-Profile", "deploy-prod")]
    said = "\n".join(made.notes)
    assert "Resources.Ana.Properties.LoginProfile: Rolecall does not have this" in said
    assert "1 resource of the type AWS::S3::Bucket" in said
    assert "never-shown" not in said + made.text
    [key] = made.keys
    world = make_world(made.text)
    keys = (key.access_key_id, key.secret_access_key)
    world.client("sts", keys=keys).assume_role(RoleArn=f"{IAM}:role/deploy-prod", RoleSessionName="session")
    with pytest.raises(ClientError, match="AccessDenied"):
        world.client("iam", keys=keys).list_users()


def test_the_default_of_a_parameter_can_be_changed(tmp_path: Path) -> None:
    properties = json.dumps({"AssumeRolePolicyDocument": trust(Service="x.amazonaws.com")})
    account = declared(tmp_path, TEMPLATE.replace("{AssumeRolePolicyDocument: {}}", properties), Stage="test")
    assert sorted(role.name for role in account.roles) == ["app-Debug", "deploy-test"]
    assert len(json.loads(account.policies[0].document)["Statement"]) == 3


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("!Join ['-', [a, !Ref P, 1, true]]", "a-p-1-true"),
        ("!Select [1, [a, b]]", "b"),
        ("!Select ['0', !Ref L]", "x"),
        ("!Select [2, !Split ['/', 'a/b/c']]", "c"),
        ("!FindInMap [M, !Ref P, k]", "v"),
        ("{'Fn::FindInMap': [M, none, k, {DefaultValue: d}]}", "d"),
        ("!Sub ['${A}:${AWS::AccountId}:${!x}', {A: !Ref P}]", f"p:{FIRST}:${{x}}"),
        ("!Sub '${R2.Arn} ${R2}'", f"{IAM}:role/p/two two"),
        ("!GetAtt [R2, Arn]", f"{IAM}:role/p/two"),
        ("!If [Yes1, a, b]", "a"),
        ("!If [No1, a, b]", "b"),
        ("!Base64 a", "YQ=="),
        ("!Sub '${AWS::Region} ${AWS::StackName} ${AWS::URLSuffix}'", "us-east-1 app amazonaws.com"),
        ("{Ref: P}", "p"),
        ("!ImportValue there", "given"),
        ("!GetAtt Bucket.Arn", "arn:aws:s3:::b"),
        ("!Sub '${Bucket}'", "b"),
        ("!Ref Given", "g"),
        ("{'Fn::ToJsonString': {a: !Ref P}}", '{"a":"p"}'),
    ],
)
def test_the_functions(expression: str, expected: str, tmp_path: Path) -> None:
    more = """
Parameters: {P: {Type: String, Default: p}, L: {Type: CommaDelimitedList, Default: "x, y"}, Given: {Type: String}}
Mappings: {M: {p: {k: v}}}
Conditions:
  Yes1: !And [!Equals [!Ref P, p], !Or [!Condition No1, !Equals [1, "1"]]]
  No1: {"Fn::Not": [{"Fn::Equals": [a, a]}]}
"""
    two = json.dumps({"RoleName": "two", "Path": "/p/", "AssumeRolePolicyDocument": trust(Service="a.amazonaws.com")})
    text = (
        value_of(expression, more)
        + f"  R2: {{Type: AWS::IAM::Role, Properties: {two}}}\n  Bucket: {{Type: AWS::S3::Bucket}}\n"
    )
    given = {"there": "given", "Bucket.Arn": "arn:aws:s3:::b", "Bucket": "b", "Given": "g"}
    roles = {role.name: role for role in declared(tmp_path, text, **given).roles}
    assert roles["r"].description == expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("!Ref Nothing", "10: Resources.R.Properties.Description.Ref: there is no parameter or resource 'Nothing'"),
        ("!Ref P", "the parameter P has no default value: give it with --set P=VALUE"),
        ("!Ref S", "the parameter S has no default value"),
        ("!GetAtt R.RoleId", "R.RoleId is known to AWS only: give it with --set R.RoleId=VALUE"),
        ("!ImportValue x", "x is an export of another stack: give it with --set x=VALUE"),
        ("!GetAZs ''", "Fn::GetAZs is known to AWS only"),
        ("!Cidr [a, 1, 2]", "Fn::Cidr is known to AWS only"),
        ("'{{resolve:ssm:x}}'", "a dynamic reference is known to AWS only"),
        ("!Select [5, [a]]", "the list has no value with the index 5"),
        ("!Select [-1, [a]]", "must be an index and a list"),
        ("!FindInMap [M, a, b]", "the template's mappings have no M.a.b"),
        ("!If [Gone, a, b]", "there is no condition 'Gone'"),
        ("!If [Round, a, b]", "the condition Round refers to itself"),
        ("!Join [a]", "must be a list of 2 values"),
        ("!Join [',', [{a: b}]]", "must be a delimiter and a list of texts"),
        ("!Sub {a: b}", "must be text, or a list of text and variables"),
        ("!GetAtt R", "must be a resource and its attribute"),
        ("!Ref [a]", "must be a name"),
        ("[a]", "must be text: Description"),
    ],
)
def test_what_cannot_be_resolved_is_said_with_its_line(expression: str, said: str, tmp_path: Path) -> None:
    ssm = "{Type: 'AWS::SSM::Parameter::Value<String>', Default: /x}"
    more = f"Parameters: {{P: {{Type: String}}, S: {ssm}}}\nConditions: {{Round: !Not [!Condition Round]}}"
    found = problems(tmp_path, value_of(expression, more))
    assert any(said in each for each in found), found
    assert all(each.split(":")[0] in ("3", "10") for each in found), found


def test_every_problem_at_once(tmp_path: Path) -> None:
    text = TEMPLATE.replace("!Ref Stage, prod", "!Ref Gone, prod").replace("!GetAtt Deploy.Arn", "!GetAtt Bucket.Arn")
    found = problems(tmp_path, text.replace("[!Ref Developers], LoginProfile", "[!Ref Nobody], LoginProfile"))
    assert len([each for each in found if "Gone" in each]) == 1
    assert any("Bucket.Arn is known to AWS only" in each for each in found)
    assert any("'Nobody'" in each for each in found)


def test_references_in_a_circle(tmp_path: Path) -> None:
    text = """
Resources:
  A: {Type: AWS::IAM::Role, Properties: {RoleName: !Sub "${B}x", AssumeRolePolicyDocument: {}}}
  B: {Type: AWS::IAM::Role, Properties: {RoleName: !Ref A, AssumeRolePolicyDocument: {}}}
"""
    found = problems(tmp_path, text)
    assert any("refers to itself" in each for each in found), found


def test_a_chain_that_doubles_ends(tmp_path: Path) -> None:
    """Each name is twice the one before: 2 to the 60th characters."""
    lines = [
        "Resources:",
        "  R0: {Type: AWS::IAM::Role, Properties: {RoleName: aaaaaaaa, AssumeRolePolicyDocument: {}}}",
    ]
    for number in range(1, 60):
        name = f'!Sub "${{R{number - 1}}}${{R{number - 1}}}"'
        lines.append(
            f"  R{number}: {{Type: AWS::IAM::Role, Properties: {{RoleName: {name}, AssumeRolePolicyDocument: {{}}}}}}"
        )
    assert any("expand to too much text" in each for each in problems(tmp_path, "\n".join(lines)))


def test_a_chain_that_is_too_long_ends(tmp_path: Path) -> None:
    lines = ["Resources:"]
    for number in range(2000):
        properties = f"{{RoleName: !Ref R{number + 1}, AssumeRolePolicyDocument: {{}}}}"
        lines.append(f"  R{number}: {{Type: AWS::IAM::Role, Properties: {properties}}}")
    assert any("its references lead too far" in each for each in problems(tmp_path, "\n".join(lines)))


def test_text_that_is_no_template(tmp_path: Path) -> None:
    assert NESTED_MESSAGE in problems(tmp_path, "Resources: " + "[" * 60 + "]" * 60)[0]
    assert "could not determine a constructor" in problems(tmp_path, "Resources: !Python x")[0]
    assert "could not determine a constructor" in problems(tmp_path, "Resources: !!python/object:os.system x")[0]
    assert (
        "expand to too much text"
        in problems(
            tmp_path, "\n".join(["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 30)])
        )[0]
    )


def test_the_account_of_a_template(tmp_path: Path) -> None:
    assert problems(tmp_path, value_of("x"), account="") == [f"3: {NO_ACCOUNT_MESSAGE}"]
    other = tmp_path / "account.json"
    other.write_text(json.dumps(details(UserDetailList=[user("ana")])), encoding="utf-8")
    (tmp_path / "t.yaml").write_text(value_of("x"), encoding="utf-8")
    made = imported([str(tmp_path / "t.yaml"), str(other)], Identifiers(seed=1))
    [account] = read_world(made.text).accounts
    assert (account.account_id, account.roles[0].name, account.users[0].name) == (FIRST, "r", "ana")


def test_a_template_of_sam(tmp_path: Path) -> None:
    """A policy without a version keeps the old one, whose variables are plain text."""
    text = json.dumps(
        {
            "Transform": "AWS::Serverless-2016-10-31",
            "Globals": {"Function": {"PermissionsBoundary": READ_ONLY}},
            "Resources": {
                "Api": {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {"Policies": ["AmazonChimeReadOnly", {"Statement": ALLOW["Statement"]}]},
                },
                "Other": {"Type": "AWS::Serverless::Function", "Properties": {"Role": "arn:aws:iam::1:role/x"}},
            },
        }
    )
    [role] = declared(tmp_path, text).roles
    assert role.name == "app-ApiRole"
    assert role.attached_policies == ("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole", READ_ONLY)
    assert role.permissions_boundary == READ_ONLY
    assert json.loads(role.inline_policies["ApiRolePolicy1"]) == {"Statement": ALLOW["Statement"]}
    text = text.replace('"AmazonChimeReadOnly"', '{"S3ReadPolicy": {"BucketName": "x"}}')
    assert any("policy templates of SAM" in each for each in problems(tmp_path, text))


def test_numbers_and_truth_values_are_texts(tmp_path: Path) -> None:
    """A template in YAML has them wherever its author left the quotes out. In a policy they stay what they are."""
    document = {**ALLOW, "Statement": [{**ALLOW["Statement"][0], "Condition": {"Bool": {"aws:SecureTransport": True}}}]}
    text = f"""
Resources:
  R:
    Type: AWS::IAM::Role
    Properties:
      RoleName: 2026
      Description: 1.5
      Tags: [{{Key: cost, Value: 123}}, {{Key: 7, Value: true}}]
      AssumeRolePolicyDocument: {json.dumps(trust(Service="ec2.amazonaws.com"))}
      Policies: [{{PolicyName: 12, PolicyDocument: {json.dumps(document)}}}]
  P:
    Type: AWS::IAM::InstanceProfile
    Properties: {{Roles: [!Ref R]}}
"""
    account = declared(tmp_path, text)
    [role] = account.roles
    assert (role.name, role.description, dict(role.tags)) == ("2026", "1.5", {"cost": "123", "7": "true"})
    assert {name: json.loads(text) for name, text in role.inline_policies.items()} == {"12": document}
    assert account.instance_profiles[0].role == "2026"


SAM_FUNCTION = {
    "Tracing": "Active",
    "RolePath": "/svc/",
    "Tags": {"team": "blue"},
    "DeadLetterQueue": {"Type": "SQS", "TargetArn": "arn:aws:sqs:us-east-1:111122223333:dead"},
    "Policies": ["AWSLambdaRole", {"Statement": ALLOW["Statement"]}],
    "EventInvokeConfig": {
        "MaximumRetryAttempts": {"Ref": "Unknown"},
        "DestinationConfig": {
            "OnSuccess": {"Type": "EventBridge", "Destination": "arn:aws:events:us-east-1:111122223333:event-bus/x"},
            "OnFailure": {"Type": "Lambda", "Destination": "arn:aws:lambda:us-east-1:111122223333:function:f"},
        },
    },
    "Events": {
        "Queue": {
            "Type": "SQS",
            "Properties": {
                "Queue": {"Fn::GetAtt": ["Queue", "Arn"]},
                "DestinationConfig": {
                    "OnFailure": {"Type": "SNS", "Destination": "arn:aws:sns:us-east-1:111122223333:t"}
                },
            },
        },
        # Without a type, SAM gives the role nothing.
        "Stream": {
            "Type": "Kinesis",
            "Properties": {"DestinationConfig": {"OnFailure": {"Destination": {"Ref": "Topic"}}}},
        },
        "Kafka": {
            "Type": "MSK",
            "Properties": {
                "SourceAccessConfigurations": [
                    {"Type": "CLIENT_CERTIFICATE_TLS_AUTH", "URI": "arn:aws:secretsmanager:::s"}
                ]
            },
        },
        "Call": {"Type": "Api", "Properties": {"RestApiId": {"Ref": "Unknown"}}},
        "Tick": {"Type": "ScheduleV2", "Properties": {"ScheduleExpression": "rate(1 hour)"}},
    },
    # These do not bear on the role, so they need not be known.
    "CodeUri": {"Fn::Sub": "s3://${Queue}/code"},
    "Environment": {"Variables": {"QUEUE": {"Ref": "Queue"}}},
    "VpcConfig": {"SubnetIds": [{"Ref": "Subnet"}]},
}


def sam(globals_: dict[str, Any] | None = None, **functions: dict[str, Any]) -> str:
    resources: dict[str, Any] = {
        name: {"Type": "AWS::Serverless::Function", "Properties": properties} for name, properties in functions.items()
    }
    resources["Queue"] = {"Type": "AWS::SQS::Queue"}
    return json.dumps({"Globals": {"Function": globals_ or {}}, "Resources": resources}, indent=1)


def test_what_else_sam_gives_to_a_function(tmp_path: Path) -> None:
    """What the translator of SAM 1.115 makes of this function, for one thing without the role of the schedule."""
    made = run(tmp_path, sam({"Tags": {"of": "all"}}, Api=SAM_FUNCTION))
    [role] = read_world(made.text).accounts[0].roles
    lambda_policy = "arn:aws:iam::aws:policy/service-role/AWSLambda"
    assert sorted(role.attached_policies) == [
        "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
        f"{lambda_policy}BasicExecutionRole",
        f"{lambda_policy}KinesisExecutionRole",
        f"{lambda_policy}MSKExecutionRole",
        f"{lambda_policy}Role",
        f"{lambda_policy}SQSQueueExecutionRole",
        f"{lambda_policy}VPCAccessExecutionRole",
    ]
    assert (role.path, dict(role.tags)) == ("/svc/", {"lambda:createdBy": "SAM", "of": "all", "team": "blue"})
    allowed = {
        name: [(each["Action"], each["Resource"]) for each in json.loads(document)["Statement"]]
        for name, document in role.inline_policies.items()
    }
    assert allowed == {
        "DeadLetterQueuePolicy": [("sqs:SendMessage", "arn:aws:sqs:us-east-1:111122223333:dead")],
        "ApiEventInvokeConfigOnSuccessEventBridgePolicy": [
            ("events:PutEvents", "arn:aws:events:us-east-1:111122223333:event-bus/x")
        ],
        "ApiEventInvokeConfigOnFailureLambdaPolicy": [
            ("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:111122223333:function:f")
        ],
        "ApiRolePolicy1": [(ALLOW["Statement"][0]["Action"], ALLOW["Statement"][0]["Resource"])],
        "ApiQueueSNSPolicy": [("sns:publish", "arn:aws:sns:us-east-1:111122223333:t")],
        "MSKExecutionRolePolicy": [("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:::s")],
    }
    assert any("Events.Tick: the role that SAM makes for the schedule is left out" in each for each in made.notes)


# What a template with one function and a group names, and the import does not have.
LEFT_OUT = """
Transform: [AWS::Serverless-2016-10-31, Paint, {Name: AWS::Include, Parameters: {Location: s3://b/k}}]
Globals:
  Function: {DeploymentPreference: {Type: AllAtOnce}, Handler: a.b}
Resources:
  Api:
    Type: AWS::Serverless::Function
    Connectors: {ToTable: {Properties: {Destination: {Id: Table}, Permissions: [Read, Write]}}}
    Properties: {DurableConfig: {ExecutionTimeout: 10}, Runtime: python3.13}
  Own:
    Type: AWS::Serverless::Function
    DeletionPolicy: Retain
    Properties: {Role: "arn:aws:iam::1:role/x", Unheard: 1, DeploymentPreference: {Role: "arn:aws:iam::1:role/y"}}
  Off:
    Type: AWS::Serverless::Function
    Properties: {DeploymentPreference: {Enabled: false}, Unheard: 1}
  Table: {Type: AWS::Serverless::SimpleTable, Madeup: 1}
  Group: {Type: AWS::IAM::Group, Connectors: {}}
  Members: {Type: AWS::IAM::UserToGroupAddition, Properties: {GroupName: !Ref Group, Users: [], Roles: [x]}}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: ana, Status: Inactive}}
  "Fn::ForEach::Roles": [Name, [a, b], {"${Name}Role": {Type: AWS::IAM::Role}}]
"""


def test_what_a_template_names_and_the_import_does_not_have_is_listed(tmp_path: Path) -> None:
    said = [each.rpartition("app.template.yaml:")[2] for each in run(tmp_path, LEFT_OUT).notes]
    role = "the role that SAM makes for the deployments is left out"
    unknown = "Rolecall does not know whether SAM gives the role something for this; it is left out"
    lacking = "Rolecall does not have this; it is left out"
    macro = "runs on AWS only; the template is read as it is written"
    # A role of its own stays as it is; and a deployment without SAM's role makes none.
    assert [each for each in said if "made up" not in each] == [
        f"2: Transform: the macro Paint {macro}",
        f"2: Transform: the macro AWS::Include {macro}",
        "8: Resources.Api.Connectors: what SAM allows for connectors is left out",
        f"9: Resources.Api.Properties.DeploymentPreference: {role}",
        f"9: Resources.Api.Properties.DurableConfig: {unknown}",
        f"16: Resources.Off.Properties.Unheard: {unknown}",
        f"17: Resources.Table.Madeup: {lacking}",
        f"19: Resources.Members.Properties.Roles: {lacking}",
        "20: Resources.Key.Properties.Status: a user of the sandbox gets an active access key",
        "21: Resources.Fn::ForEach::Roles: these resources are known to AWS only; they are left out",
        "2: 1 resource of the type AWS::Serverless::SimpleTable: Rolecall does not have this; left out",
    ]


@pytest.mark.parametrize(
    ("ignored", "boundary", "tags"),
    [
        (None, READ_ONLY, {"of": "all"}),
        ("*", None, {}),
        (["PermissionsBoundary"], None, {"of": "all"}),
        (["Tags"], READ_ONLY, {}),
    ],
)
def test_a_function_of_sam_may_ignore_what_holds_for_all(
    tmp_path: Path, ignored: Any, boundary: str | None, tags: dict[str, str]
) -> None:
    """SAM Developer Guide, Globals: IgnoreGlobals of a function names properties, or all with an asterisk."""
    template = json.loads(sam({"Tags": {"of": "all"}, "PermissionsBoundary": READ_ONLY}, Api={}))
    template["Resources"]["Api"]["IgnoreGlobals"] = ignored
    [role] = declared(tmp_path, json.dumps(template)).roles
    assert role.permissions_boundary == boundary
    assert dict(role.tags) == {"lambda:createdBy": "SAM"} | tags


def test_the_trust_policy_of_a_function_of_sam_is_its_own(tmp_path: Path) -> None:
    own = trust(AWS=f"arn:aws:iam::{FIRST}:root")
    text = sam(None, Own={"AssumeRolePolicyDocument": own}, Usual={"Tracing": "Disabled"})
    own_role, usual = declared(tmp_path, text).roles
    assert json.loads(own_role.trust_policy) == own
    assert json.loads(usual.trust_policy)["Statement"][0]["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert usual.attached_policies == ("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",)
    in_globals = sam({"AssumeRolePolicyDocument": own}, Api={})
    assert json.loads(declared(tmp_path, in_globals).roles[0].trust_policy) == own


def test_a_function_of_sam_with_a_role_needs_nothing_else(tmp_path: Path) -> None:
    given = {"Role": {"Fn::ImportValue": "role"}, "Events": {"Broker": {"Type": "MQ"}}, "Policies": {"Ref": "Unknown"}}
    resources = json.loads(sam(None, Own=given, None_={"Role": {"Ref": "AWS::NoValue"}}))
    resources["Resources"]["P"] = {
        "Type": "AWS::IAM::Policy",
        "Properties": {"PolicyName": "p", "PolicyDocument": ALLOW, "Roles": [{"Ref": "UsualRole"}]},
    }
    resources["Resources"]["Usual"] = {"Type": "AWS::Serverless::Function"}
    roles = {role.name: role for role in declared(tmp_path, json.dumps(resources)).roles}
    # A template refers to the role that SAM makes by its logical id.
    assert {name: list(role.inline_policies) for name, role in roles.items()} == {
        "app-None_Role": [],
        "app-UsualRole": ["p"],
    }


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"Events": {"A": {"Type": "MQ"}}}, "Properties.Events.A: Rolecall does not know what SAM allows a function"),
        (
            {"Events": {"A": {"Type": "Unheard"}}},
            "Rolecall does not know what SAM allows a function for events of Unhe",
        ),
        ({"Events": {"A": {}}}, "Properties.Events.A.Type: lacks Type"),
        ({"Events": {"A": "SQS"}}, "Properties.Events.A: must be a mapping"),
        ({"Events": ["SQS"]}, "Properties.Events: must be a mapping"),
        ({"Policies": "NoSuchPolicyOfAws"}, "Properties.Policies: AWS has no managed policy NoSuchPolicyOfAws"),
        ({"DeadLetterQueue": {"Type": "Kinesis", "TargetArn": "a"}}, "DeadLetterQueue.Type: must be SQS or SNS"),
        (
            {"EventInvokeConfig": {"DestinationConfig": {"OnFailure": {"Type": "SQS"}}}},
            "ApiEventInvokeConfigOnFailureQueue.Arn is known to AWS only: give it with --set",
        ),
        (
            {"EventInvokeConfig": {"DestinationConfig": {"OnFailure": {"Type": "S3", "Destination": "a"}}}},
            "OnFailure.Type: must be one of SQS, SNS, EventBridge, Lambda",
        ),
        ({"EventInvokeConfig": {"DestinationConfig": "x"}}, "EventInvokeConfig.DestinationConfig: must be a mapping"),
    ],
)
def test_what_sam_allows_and_rolecall_does_not_know_is_a_problem(
    tmp_path: Path, properties: dict[str, Any], said: str
) -> None:
    assert any(said in each for each in problems(tmp_path, sam(None, Api=properties)))


def test_a_template_of_cdk(tmp_path: Path) -> None:
    """CDK writes JSON with Fn::Join for every ARN, and a parameter for its own version."""
    lambda_role = {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": trust(Service="lambda.amazonaws.com"),
            "ManagedPolicyArns": [
                {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/AmazonChimeReadOnly"]]}
            ],
        },
        "Metadata": {"aws:cdk:path": "Stack/Role/Resource"},
    }
    default = {
        "Type": "AWS::IAM::Policy",
        "Properties": {
            "PolicyDocument": ALLOW,
            "PolicyName": "FnServiceRoleDefaultPolicy",
            "Roles": [{"Ref": "FnServiceRole"}],
        },
    }
    resources = {
        "FnServiceRole": lambda_role,
        "FnServiceRoleDefaultPolicy": default,
        "M": {"Type": "AWS::CDK::Metadata"},
    }
    bootstrap = {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/cdk-bootstrap/x/version"}
    text = json.dumps({"Resources": resources, "Parameters": {"BootstrapVersion": bootstrap}}, indent=1)
    [role] = declared(tmp_path, text).roles
    assert (role.name, role.attached_policies) == ("app-FnServiceRole", (READ_ONLY,))
    assert json.loads(role.inline_policies["FnServiceRoleDefaultPolicy"]) == ALLOW


_JUNK = st.sampled_from([None, 0, True, "", "x", [], {}, [[]], {"a": {}}, {"Ref": "Ana"}, {"Fn::If": []}, {"Ref": 1}])


# Without shrinking: a world of two accounts shrinks for minutes.
@settings(
    phases=[Phase.generate],
    max_examples=examples(240),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_template_gives_problems_and_no_exception(data: Any, tmp_path: Path) -> None:
    value = {
        "Conditions": {"C": {"Fn::Equals": [{"Ref": "AWS::Region"}, "x"]}},
        "Resources": {
            "Ana": {"Type": "AWS::IAM::User", "Properties": {"Tags": [{"Key": "k", "Value": {"Ref": "R"}}]}},
            "R": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": trust(AWS={"Fn::GetAtt": ["Ana", "Arn"]}),
                    "Description": {"Fn::If": ["C", {"Fn::Sub": "${Ana}"}, {"Fn::Join": ["", ["a", {"Ref": "Ana"}]]}]},
                    "Policies": [{"PolicyName": "p", "PolicyDocument": ALLOW}],
                },
            },
        },
    }
    value = json.loads(json.dumps(value))
    owner, key = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(owner[key], list | dict) and owner[key] and data.draw(st.integers(0, 6)):
        owner = owner[key]
        keys = sorted(owner) if isinstance(owner, dict) else list(range(len(owner)))
        key = data.draw(st.sampled_from(keys))
    owner[key] = data.draw(_JUNK)
    try:
        run(tmp_path, json.dumps(value))
    except UnimportableError as error:
        refused = error.problems
    else:
        refused = ["app.template.yaml"]
    assert refused
