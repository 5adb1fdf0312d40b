"""Roles: each operation's answers and refusals, and the principals of a trust policy over time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from iam_calls import without_authorization_id

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
OF_A_SERVICE = "arn:aws:iam::aws:policy/aws-service-role/AmazonChimeServiceRolePolicy"


def trust(principal: Any = f"arn:aws:iam::{ACCOUNT}:root") -> str:
    element = {"AWS": principal}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": element, "Action": "sts:AssumeRole"}]}
    )


def identity(action: str | list[str], resource: str = "*", **condition: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def fails(call: Any, code: str, message: str, status: int, **arguments: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert (response["Error"]["Code"], without_authorization_id(response["Error"]["Message"])) == (code, message)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


def trusted(iam: Any, name: str) -> Any:
    return iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def test_create_role_answers_what_aws_answers(iam: Any) -> None:
    role = iam.create_role(
        RoleName="new",
        Path="/team/",
        AssumeRolePolicyDocument=trust(),
        Description="new one",
        MaxSessionDuration=7200,
        PermissionsBoundary=READ_ONLY,
        Tags=[{"Key": "team", "Value": "blue"}],
    )["Role"]
    assert role.pop("RoleId").startswith("AROA")
    assert role.pop("CreateDate")
    assert role == {
        "RoleName": "new",
        "Path": "/team/",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/team/new",
        "AssumeRolePolicyDocument": json.loads(trust()),
        "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY},
        "Tags": [{"Key": "team", "Value": "blue"}],
    }


def test_get_role_adds_duration_description_and_last_use(iam: Any) -> None:
    created = iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust(), Description="new one")["Role"]
    assert not {"MaxSessionDuration", "RoleLastUsed", "Description", "Tags"} & set(created)
    role = iam.get_role(RoleName="NEW")["Role"]
    assert role == {**created, "MaxSessionDuration": 3600, "Description": "new one", "RoleLastUsed": {}}


def test_list_roles_leaves_out_tags_boundary_and_last_use(iam: Any) -> None:
    iam.create_role(
        RoleName="new",
        Path="/team/blue/",
        AssumeRolePolicyDocument=trust(),
        PermissionsBoundary=READ_ONLY,
        Description="new one",
        Tags=[{"Key": "team", "Value": "blue"}],
    )
    [role] = iam.list_roles(PathPrefix="/team/")["Roles"]
    assert role["MaxSessionDuration"] == 3600
    assert role["Description"] == "new one"
    assert not {"RoleLastUsed", "Tags", "PermissionsBoundary"} & set(role)


def test_list_roles_continues_where_it_stopped(iam: Any) -> None:
    names = [role["RoleName"] for role in iam.list_roles()["Roles"]]
    assert names == ["chime-denied", "chime-manager", "chime-reader"]
    for number in range(4):
        iam.create_role(RoleName=f"Extra{number}", Path="/%_/", AssumeRolePolicyDocument=trust())
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 3})
    assert [len(page["Roles"]) for page in pages] == [3, 3, 1]
    assert [role["RoleName"] for role in iam.list_roles(PathPrefix="/%_")["Roles"]] == [
        f"Extra{number}" for number in range(4)
    ]
    assert iam.list_roles(PathPrefix="/x_")["Roles"] == []
    first = iam.list_roles(MaxItems=3)
    fails(iam.list_roles, "ValidationError", "Invalid Marker.", 400, PathPrefix="/a", Marker=first["Marker"])
    fails(iam.list_roles, "ValidationError", "Invalid Marker.", 400, Marker="nonsense")


def test_role_names_are_unique_without_case_and_path(iam: Any) -> None:
    message = "Role with name Chime-Reader already exists."
    arguments = {"RoleName": "Chime-Reader", "Path": "/x/", "AssumeRolePolicyDocument": trust()}
    fails(iam.create_role, "EntityAlreadyExists", message, 409, **arguments)


def test_the_path_of_service_linked_roles_is_reserved(iam: Any) -> None:
    message = "Path prefix '/aws-service-role/' can only be used for AWS Service linked Roles"
    for path in ("/aws-service-role/", "/aws-service-role/chime.amazonaws.com/"):
        arguments = {"RoleName": "new", "Path": path, "AssumeRolePolicyDocument": trust()}
        fails(iam.create_role, "InvalidInput", message, 400, **arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "This policy contains invalid Json"),
        (
            trust().replace("sts:AssumeRole", "s3:GetObject"),
            "AssumeRole policy may only specify STS AssumeRole actions.",
        ),
        (trust().replace('"Action"', '"Resource": "*", "Action"'), "Has prohibited field Resource"),
    ],
)
def test_a_malformed_trust_policy_is_refused(iam: Any, text: str, message: str) -> None:
    code = "MalformedPolicyDocument"
    fails(iam.create_role, code, message, 400, RoleName="new", AssumeRolePolicyDocument=text)
    fails(iam.update_assume_role_policy, code, message, 400, RoleName="chime-reader", PolicyDocument=text)


def test_a_trust_policy_has_2048_characters_without_white_space(iam: Any) -> None:
    def with_sid(length: int) -> str:
        return trust().replace('"Effect"', f'"Sid": "{"s" * length}", "Effect"').replace(" ", "  ")

    longest = 2048 - len(trust().replace(" ", "")) - len('"Sid":"",')
    iam.create_role(RoleName="longest", AssumeRolePolicyDocument=with_sid(longest))
    message = "Cannot exceed quota for ACLSizePerRole: 2048"
    longer = with_sid(longest + 1)
    fails(iam.create_role, "LimitExceeded", message, 409, RoleName="longer", AssumeRolePolicyDocument=longer)
    fails(iam.update_assume_role_policy, "LimitExceeded", message, 409, RoleName="longest", PolicyDocument=longer)


@pytest.mark.parametrize(
    "principal",
    [
        f"arn:aws:iam::{ACCOUNT}:user/nobody",
        f"arn:aws:iam::{ACCOUNT}:user/team/admin",
        f"arn:aws:iam::{ACCOUNT}:user/ADMIN",
        f"arn:aws:iam::{ACCOUNT}:role/nothing",
        f"arn:aws:iam::{OTHER_ACCOUNT}:role/chime-reader",
        f"arn:aws:iam::{ACCOUNT}:group/developers",
        f"arn:aws:iam::{ACCOUNT}:user/*",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/nothing/session",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/chime-reader",
        "AIDAAAAAAAAAAAAAAAAAA",
        "nonsense",
    ],
)
def test_principals_must_exist_when_a_trust_policy_is_saved(iam: Any, principal: str) -> None:
    message = f'Invalid principal in policy: "AWS":"{principal}"'
    code = "MalformedPolicyDocument"
    fails(iam.create_role, code, message, 400, RoleName="new", AssumeRolePolicyDocument=trust([principal]))
    fails(iam.update_assume_role_policy, code, message, 400, RoleName="chime-reader", PolicyDocument=trust(principal))
    assert trusted(iam, "chime-reader") == f"arn:aws:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        ACCOUNT,
        "999988887777",
        f"arn:aws:iam::{ACCOUNT}:user/admin",
        f"arn:aws:iam::{OTHER_ACCOUNT}:role/chime-partner",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/chime-reader/session",
        f"arn:aws:sts::{ACCOUNT}:federated-user/ana",
        # No principal of an account outside the sandbox can call.
        "arn:aws:iam::999988887777:user/anybody",
    ],
)
def test_principals_that_are_taken_show_as_written(iam: Any, principal: str) -> None:
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust(principal))
    assert trusted(iam, "new") == principal


def test_a_deleted_user_shows_as_its_id_and_its_successor_is_not_trusted(world: Any, iam: Any) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:user/temp"
    unique_id = iam.create_user(UserName="temp")["User"]["UserId"]
    iam.create_role(RoleName="for-temp", AssumeRolePolicyDocument=trust([arn, ACCOUNT]))
    iam.update_assume_role_policy(RoleName="for-temp", PolicyDocument=trust(arn))
    assert trusted(iam, "for-temp") == arn
    iam.delete_user(UserName="temp")
    assert trusted(iam, "for-temp") == unique_id
    [listed] = [role for role in iam.list_roles()["Roles"] if role["RoleName"] == "for-temp"]
    assert listed["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"] == unique_id

    iam.create_user(UserName="temp")
    key = iam.create_access_key(UserName="temp")["AccessKey"]
    assert trusted(iam, "for-temp") == unique_id
    sts = world.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    request = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/for-temp", "RoleSessionName": "session"}
    with pytest.raises(ClientError, match="AccessDenied"):
        sts.assume_role(**request)
    # Saved again, the policy names the new user.
    iam.update_assume_role_policy(RoleName="for-temp", PolicyDocument=trust(arn))
    assert trusted(iam, "for-temp") == arn
    assert sts.assume_role(**request)["Credentials"]


def test_the_id_of_a_deleted_entity_cannot_be_saved_again(iam: Any) -> None:
    iam.create_role(RoleName="first", AssumeRolePolicyDocument=trust())
    iam.create_role(RoleName="second", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{ACCOUNT}:role/first"))
    unique_id = iam.get_role(RoleName="first")["Role"]["RoleId"]
    iam.update_assume_role_policy(RoleName="second", PolicyDocument=trust(unique_id))
    assert trusted(iam, "second") == f"arn:aws:iam::{ACCOUNT}:role/first"
    iam.delete_role(RoleName="first")
    assert trusted(iam, "second") == unique_id
    message = f'Invalid principal in policy: "AWS":"{unique_id}"'
    fails(
        iam.update_assume_role_policy,
        "MalformedPolicyDocument",
        message,
        400,
        RoleName="second",
        PolicyDocument=trust(unique_id),
    )


def test_a_role_cannot_trust_itself_before_it_exists(iam: Any) -> None:
    own = f"arn:aws:iam::{ACCOUNT}:role/narcissus"
    message = f'Invalid principal in policy: "AWS":"{own}"'
    arguments = {"RoleName": "narcissus", "AssumeRolePolicyDocument": trust(own)}
    fails(iam.create_role, "MalformedPolicyDocument", message, 400, **arguments)
    iam.create_role(RoleName="narcissus", AssumeRolePolicyDocument=trust())
    iam.update_assume_role_policy(RoleName="narcissus", PolicyDocument=trust(own))
    assert trusted(iam, "narcissus") == own


def test_update_role_changes_what_is_passed(iam: Any) -> None:
    before = iam.get_role(RoleName="chime-manager")["Role"]
    iam.update_role(RoleName="chime-manager")
    assert iam.get_role(RoleName="chime-manager")["Role"] == before
    iam.update_role(RoleName="chime-manager", MaxSessionDuration=43200)
    role = iam.get_role(RoleName="chime-manager")["Role"]
    assert role == {**before, "MaxSessionDuration": 43200}
    iam.update_role(RoleName="chime-manager", Description="")
    assert "Description" not in iam.get_role(RoleName="chime-manager")["Role"]


def test_a_longer_session_is_possible_at_once(world: Any, iam: Any) -> None:
    request = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/chime-reader", "RoleSessionName": "session"}
    sts = world.client("sts")
    with pytest.raises(ClientError, match="exceeds the MaxSessionDuration"):
        sts.assume_role(**request, DurationSeconds=7200)
    iam.update_role(RoleName="chime-reader", MaxSessionDuration=7200)
    assert sts.assume_role(**request, DurationSeconds=7200)["Credentials"]


@pytest.mark.parametrize(
    ("seconds", "constraint"),
    [(3599, "greater than or equal to 3600"), (43201, "less than or equal to 43200")],
)
def test_sessions_last_one_to_twelve_hours(world: Any, seconds: int, constraint: str) -> None:
    iam = world.client("iam", config=Config(parameter_validation=False))
    for call, extra in ((iam.update_role, {}), (iam.create_role, {"AssumeRolePolicyDocument": trust()})):
        with pytest.raises(ClientError, match=constraint) as caught:
            call(RoleName="chime-reader", MaxSessionDuration=seconds, **extra)
        assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_update_role_description_answers_the_role(iam: Any) -> None:
    role = iam.update_role_description(RoleName="chime-reader", Description="other")["Role"]
    assert role["Description"] == "other"
    assert role["RoleName"] == "chime-reader"
    shown = iam.get_role(RoleName="chime-reader")["Role"]
    assert role == {name: value for name, value in shown.items() if name not in ("MaxSessionDuration", "RoleLastUsed")}
    assert {"MaxSessionDuration", "RoleLastUsed"} <= shown.keys()


def test_delete_role_needs_a_role_without_policies(iam: Any) -> None:
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=trust(), PermissionsBoundary=READ_ONLY)
    iam.attach_role_policy(RoleName="new", PolicyArn=READ_ONLY)
    iam.put_role_policy(RoleName="new", PolicyName="own", PolicyDocument=identity("chime:*"))
    attached = "Cannot delete entity, must detach all policies first."
    fails(iam.delete_role, "DeleteConflict", attached, 409, RoleName="new")
    iam.detach_role_policy(RoleName="new", PolicyArn=READ_ONLY)
    inline = "Cannot delete entity, must delete policies first."
    fails(iam.delete_role, "DeleteConflict", inline, 409, RoleName="new")
    iam.delete_role_policy(RoleName="new", PolicyName="own")
    iam.tag_role(RoleName="new", Tags=[{"Key": "a", "Value": "b"}])
    iam.delete_role(RoleName="new")
    fails(iam.get_role, "NoSuchEntity", "The role with name new cannot be found.", 404, RoleName="new")


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("get_role", {}),
        ("update_role", {"MaxSessionDuration": 3600}),
        ("update_role_description", {"Description": "x"}),
        ("update_assume_role_policy", {"PolicyDocument": trust()}),
        ("delete_role", {}),
        ("tag_role", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("untag_role", {"TagKeys": ["a"]}),
        ("list_role_tags", {}),
        ("put_role_permissions_boundary", {"PermissionsBoundary": READ_ONLY}),
        ("delete_role_permissions_boundary", {}),
        ("delete_service_linked_role", {}),
    ],
)
def test_an_unknown_role(iam: Any, operation: str, arguments: dict[str, Any]) -> None:
    message = "The role with name chime-partner cannot be found."
    fails(getattr(iam, operation), "NoSuchEntity", message, 404, RoleName="chime-partner", **arguments)


def test_permissions_boundaries(world: Any, iam: Any) -> None:
    iam.put_role_permissions_boundary(
        RoleName="chime-manager", PermissionsBoundary="arn:aws:iam::aws:policy/AmazonChimeReadOnly"
    )
    boundary = iam.get_role(RoleName="chime-manager")["Role"]["PermissionsBoundary"]
    assert boundary == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": READ_ONLY}
    own = iam.create_policy(PolicyName="limits", PolicyDocument=identity("chime:GetUser"))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="chime-manager", PermissionsBoundary=own)
    chime = world.client("chime", credentials=world.assume("chime-manager"))
    with pytest.raises(ClientError, match="no permissions boundary allows the chime:ListAccounts action"):
        chime.list_accounts()
    iam.delete_role_permissions_boundary(RoleName="chime-manager")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="chime-manager")["Role"]
    assert chime.list_accounts()["Accounts"]


@pytest.mark.parametrize(
    ("arn", "code", "message", "status"),
    [
        ("nothing-like-an-arn-at-all", "InvalidInput", "ARN {} is not valid.", 400),
        (f"arn:aws:iam::{ACCOUNT}:role/chime-reader", "InvalidInput", "ARN {} is not valid.", 400),
        (
            f"arn:aws:iam::{ACCOUNT}:policy/absent",
            "NoSuchEntity",
            "Scope ARN: {} does not exist or is not attachable.",
            404,
        ),
        (
            f"arn:aws:iam::{OTHER_ACCOUNT}:policy/theirs",
            "NoSuchEntity",
            "Scope ARN: {} does not exist or is not attachable.",
            404,
        ),
        (OF_A_SERVICE, "PolicyNotAttachable", "Policy {} cannot be used as a permissions boundary.", 400),
    ],
)
def test_what_cannot_be_a_boundary(iam: Any, arn: str, code: str, message: str, status: int) -> None:
    message = message.format(arn)
    for call, extra in (
        (iam.put_role_permissions_boundary, {"RoleName": "chime-reader"}),
        (iam.create_role, {"RoleName": "new", "AssumeRolePolicyDocument": trust()}),
    ):
        fails(call, code, message, status, PermissionsBoundary=arn, **extra)


def test_tag_keys_of_roles_ignore_case(iam: Any) -> None:
    iam.tag_role(RoleName="chime-reader", Tags=[{"Key": "somekey", "Value": "1"}, {"Key": "other", "Value": "x"}])
    iam.tag_role(RoleName="chime-reader", Tags=[{"Key": "Somekey", "Value": "2"}])
    tags = iam.list_role_tags(RoleName="chime-reader")["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"Somekey": "2", "other": "x"}
    assert iam.get_role(RoleName="chime-reader")["Role"]["Tags"] == tags
    iam.untag_role(RoleName="chime-reader", TagKeys=["SOMEKEY"])
    assert iam.list_role_tags(RoleName="chime-reader")["Tags"] == [{"Key": "other", "Value": "x"}]


def test_duplicate_tag_keys(iam: Any) -> None:
    tags = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
    message = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    fails(iam.tag_role, "InvalidInput", message, 400, RoleName="chime-reader", Tags=tags)
    fails(iam.create_role, "InvalidInput", message, 400, RoleName="new", AssumeRolePolicyDocument=trust(), Tags=tags)


@pytest.mark.parametrize(
    ("operation", "arguments", "asked"),
    [
        ("get_role", {"RoleName": "chime-reader"}, "iam:GetRole on resource: role chime-reader"),
        ("delete_role", {"RoleName": "absent"}, "iam:DeleteRole on resource: role absent"),
        (
            "create_role",
            {"RoleName": "new", "Path": "/a/", "AssumeRolePolicyDocument": trust()},
            f"iam:CreateRole on resource: arn:aws:iam::{ACCOUNT}:role/a/new",
        ),
        (
            "put_role_permissions_boundary",
            {"RoleName": "chime-reader", "PermissionsBoundary": READ_ONLY},
            f"iam:PutRolePermissionsBoundary on resource: arn:aws:iam::{ACCOUNT}:role/chime-reader",
        ),
    ],
)
def test_refusals_are_worded_as_aws_words_them(
    world: Any, operation: str, arguments: dict[str, str], asked: str
) -> None:
    developer = world.client("iam", user="developer")
    message = (
        f"User: arn:aws:iam::{ACCOUNT}:user/developer is not authorized to perform: {asked} "
        f"because no identity-based policy allows the {asked.split(' ')[0]} action"
    )
    fails(getattr(developer, operation), "AccessDenied", message, 403, **arguments)


def test_listing_needs_a_permission_on_everything(world: Any, iam: Any) -> None:
    developer = world.client("iam", user="developer")
    narrow = identity("iam:ListRoles", f"arn:aws:iam::{ACCOUNT}:role/*")
    iam.put_user_policy(UserName="developer", PolicyName="narrow", PolicyDocument=narrow)
    with pytest.raises(ClientError, match="not authorized to perform: iam:ListRoles"):
        developer.list_roles()
    iam.put_user_policy(UserName="developer", PolicyName="wide", PolicyDocument=identity("iam:ListRoles"))
    assert developer.list_roles()["Roles"]


def test_a_permission_may_ask_for_a_boundary(world: Any, iam: Any) -> None:
    condition = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}}}
    policy = identity("iam:*Role*", f"arn:aws:iam::{ACCOUNT}:role/*", **condition)
    iam.put_user_policy(UserName="developer", PolicyName="bounded", PolicyDocument=policy)
    developer = world.client("iam", user="developer")
    with pytest.raises(ClientError, match="iam:CreateRole"):
        developer.create_role(RoleName="new", AssumeRolePolicyDocument=trust())
    developer.create_role(RoleName="new", AssumeRolePolicyDocument=trust(), PermissionsBoundary=READ_ONLY)
    developer.update_role(RoleName="new", Description="mine")
    with pytest.raises(ClientError, match="iam:UpdateRole"):
        developer.update_role(RoleName="chime-reader", Description="not mine")
    full = "arn:aws:iam::aws:policy/AdministratorAccess"
    with pytest.raises(ClientError, match="iam:PutRolePermissionsBoundary"):
        developer.put_role_permissions_boundary(RoleName="new", PermissionsBoundary=full)
    developer.put_role_permissions_boundary(RoleName="chime-reader", PermissionsBoundary=READ_ONLY)
    developer.delete_role_permissions_boundary(RoleName="new")
    with pytest.raises(ClientError, match="iam:UpdateRole"):
        developer.update_role(RoleName="new", Description="no longer mine")


def test_a_permission_may_ask_for_tags(world: Any, iam: Any) -> None:
    tagged = {"Condition": {"StringEquals": {"aws:RequestTag/team": "blue"}}}
    iam.put_user_policy(UserName="developer", PolicyName="new", PolicyDocument=identity("iam:CreateRole", **tagged))
    developer = world.client("iam", user="developer")
    blue = [{"Key": "Team", "Value": "blue"}]
    with pytest.raises(ClientError, match="iam:CreateRole"):
        developer.create_role(RoleName="new", AssumeRolePolicyDocument=trust())
    with pytest.raises(ClientError, match="iam:TagRole"):
        developer.create_role(RoleName="new", AssumeRolePolicyDocument=trust(), Tags=blue)
    iam.put_user_policy(
        UserName="developer",
        PolicyName="tag",
        PolicyDocument=identity("iam:TagRole", f"arn:aws:iam::{ACCOUNT}:role/new", **tagged),
    )
    developer.create_role(RoleName="new", AssumeRolePolicyDocument=trust(), Tags=blue)
    own = {"Condition": {"StringEquals": {"iam:ResourceTag/team": "blue"}}}
    iam.put_user_policy(UserName="developer", PolicyName="own", PolicyDocument=identity("iam:DeleteRole", **own))
    with pytest.raises(ClientError, match="iam:DeleteRole"):
        developer.delete_role(RoleName="chime-denied")
    developer.delete_role(RoleName="new")


def test_an_action_without_that_condition_key_does_not_see_the_boundary(world: Any, iam: Any) -> None:
    condition = {"Condition": {"StringEquals": {"iam:PermissionsBoundary": READ_ONLY}}}
    policy = identity(["iam:TagRole", "iam:UpdateRole"], f"arn:aws:iam::{ACCOUNT}:role/*", **condition)
    iam.put_user_policy(UserName="developer", PolicyName="bounded", PolicyDocument=policy)
    iam.put_role_permissions_boundary(RoleName="chime-reader", PermissionsBoundary=READ_ONLY)
    developer = world.client("iam", user="developer")
    developer.update_role(RoleName="chime-reader", Description="mine")
    with pytest.raises(ClientError, match="iam:TagRole"):
        developer.tag_role(RoleName="chime-reader", Tags=[{"Key": "team", "Value": "blue"}])


FEDERATED_TAKEN = [
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "www.amazon.com",
    "arn:aws:iam::111122223333:saml-provider/absent",
    "arn:aws:iam::444455556666:oidc-provider/idp.example.com/tenant",
]
FEDERATED_REFUSED = [
    "",
    " ",
    "two words.example.com",
    "arn:aws:iam::111122223333",
    "arn:",
    "-",
    "arn:aws:iam::1:role/x",
]


@pytest.mark.parametrize("name", FEDERATED_TAKEN)
def test_a_federated_principal_need_not_exist(iam: Any, name: str) -> None:
    # Without a condition the policy would trust every Cognito pool of every account.
    condition = {"StringEquals": {"cognito-identity.amazonaws.com:aud": "pool"}} if "cognito" in name else {}
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=federated_trust(name, condition=condition))


@pytest.mark.parametrize("name", FEDERATED_REFUSED)
def test_an_invalid_federated_principal(iam: Any, name: str) -> None:
    message = "Federated principals must be valid domain names or SAML metadata ARNs"
    for document in (federated_trust(name), federated_trust("accounts.google.com", name)):
        given = {"RoleName": "new", "AssumeRolePolicyDocument": document}
        fails(iam.create_role, "MalformedPolicyDocument", message, 400, **given)
        given = {"RoleName": "chime-reader", "PolicyDocument": document}
        fails(iam.update_assume_role_policy, "MalformedPolicyDocument", message, 400, **given)


def federated_trust(*names: str, condition: dict[str, Any] | None = None) -> str:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": names[0] if len(names) == 1 else list(names)},
        "Action": "sts:AssumeRoleWithWebIdentity",
        **({"Condition": condition} if condition else {}),
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
