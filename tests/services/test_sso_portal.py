"""The access portal of IAM Identity Center, the roles of permission sets, and what nobody may change of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from logged_worlds import keep_log
from sso_calls import FIRST, SECOND, WORLD, by_device, keys_of, oidc, portal, refused

NOW = 1_893_456_000.0
TOKEN = "Session token not found or invalid"
POWER = f"""permission_sets:
  - name: Power
    inline_policy: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}
    assignments: [{{accounts: ["{FIRST}"], users: [ana, bob]}}]"""
DEVELOPER = "AWSReservedSSO_Developer_b0ba5e8a2ad8e9d7"
PATH = "/aws-reserved/sso.amazonaws.com/"


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


def token_of(world: Any, user: str = "ana", **options: Any) -> str:
    return str(by_device(world, user, **options)["accessToken"])


def credentials_of(world: Any, token: str, role: str = "Developer", account: str = FIRST) -> dict[str, Any]:
    answer = portal(world).get_role_credentials(accessToken=token, roleName=role, accountId=account)
    return answer["roleCredentials"]  # type: ignore[no-any-return]


def role_of(world: Any, permission_set: str, account: str = FIRST) -> dict[str, Any]:
    iam = world.client("iam")
    assert account == FIRST
    names = [role["RoleName"] for role in iam.list_roles(PathPrefix=PATH)["Roles"]]
    [name] = [each for each in names if each.startswith(f"AWSReservedSSO_{permission_set}_")]
    return iam.get_role(RoleName=name)["Role"]  # type: ignore[no-any-return]


# Tokens.


@pytest.mark.parametrize("operation", ["list_accounts", "list_account_roles", "get_role_credentials", "logout"])
def test_tokens_that_are_not_good(world: Any, operation: str) -> None:
    """Recorded: UnauthorizedException with status 401, its message, and the body's __type."""
    arguments = {
        "list_accounts": {},
        "list_account_roles": {"accountId": FIRST},
        "get_role_credentials": {"accountId": FIRST, "roleName": "Developer"},
        "logout": {},
    }[operation]
    call = getattr(portal(world), operation)
    signed_in = by_device(world)
    good = signed_in["accessToken"]
    for bad in ("x", good[:-1], good + "A", good.swapcase(), signed_in["refreshToken"], signed_in["deviceCode"]):
        refused(call, "UnauthorizedException", 401, TOKEN, accessToken=bad, **arguments)
    world.clock.advance(3600)
    refused(call, "UnauthorizedException", 401, TOKEN, accessToken=good, **arguments)


def test_the_body_of_a_refusal(world: Any) -> None:
    answer = world.application.test_client().get("/assignment/accounts", headers={"x-amz-sso_bearer_token": "x"})
    assert answer.status_code == 401
    assert answer.json == {"message": TOKEN, "__type": "com.amazonaws.switchboard.portal#UnauthorizedException"}
    assert answer.headers["x-amzn-ErrorType"] == "UnauthorizedException"


def test_a_call_without_a_token(world: Any) -> None:
    answer = world.application.test_client().get("/assignment/accounts")
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (400, "InvalidRequestException")


def test_a_client_without_the_scope_of_the_portal(world: Any) -> None:
    refused(portal(world).list_accounts, "UnauthorizedException", 401, accessToken=token_of(world, scopes=["openid"]))
    assert portal(world).list_accounts(accessToken=token_of(world, scopes=[]))["accountList"]


def test_logging_out(world: Any) -> None:
    """The whole session ends, and no other. Credentials of roles stay valid."""
    signed_in, other = by_device(world), token_of(world)
    keys = keys_of(credentials_of(world, signed_in["accessToken"]))
    portal(world).logout(accessToken=signed_in["accessToken"])
    refused(portal(world).list_accounts, "UnauthorizedException", 401, accessToken=signed_in["accessToken"])
    refused(portal(world).logout, "UnauthorizedException", 401, accessToken=signed_in["accessToken"])
    refused(
        oidc(world).create_token,
        "InvalidGrantException",
        400,
        **signed_in["client"],
        grantType="refresh_token",
        refreshToken=signed_in["refreshToken"],
    )
    assert portal(world).list_accounts(accessToken=other)["accountList"]
    assert world.client("sts", keys=keys).get_caller_identity()["Account"] == FIRST


# Assignments.


@pytest.mark.parametrize(
    ("user", "role", "account"),
    [
        ("bob", "Developer", FIRST),
        ("eve", "Audit", FIRST),
        ("ana", "Developer", SECOND),
        ("ana", "developer", FIRST),
        ("ana", "Unknown", FIRST),
        ("ana", DEVELOPER, FIRST),
        ("ana", "Developer", "999999999999"),
        ("ana", "Developer", "x"),
    ],
)
def test_a_role_that_is_not_assigned(world: Any, user: str, role: str, account: str) -> None:
    """Recorded: ForbiddenException with status 403 and the message "No access"."""
    token = token_of(world, user)
    refused(
        portal(world).get_role_credentials,
        "ForbiddenException",
        403,
        "No access",
        accessToken=token,
        roleName=role,
        accountId=account,
    )


def test_what_a_user_has(world: Any) -> None:
    ana, bob, eve = (token_of(world, user) for user in ("ana", "bob", "eve"))
    listed = portal(world).list_accounts(accessToken=ana)["accountList"]
    assert listed == [
        {"accountId": FIRST, "accountName": "one", "emailAddress": ""},
        {"accountId": SECOND, "accountName": "two", "emailAddress": ""},
    ]
    roles = {
        (user, account): [
            role["roleName"]
            for role in portal(world).list_account_roles(accessToken=token, accountId=account)["roleList"]
        ]
        for user, token, accounts in (("ana", ana, (FIRST, SECOND)), ("bob", bob, (FIRST, SECOND)))
        for account in accounts
    }
    assert roles == {
        ("ana", FIRST): ["Audit", "Developer"],
        ("ana", SECOND): ["Audit"],
        ("bob", FIRST): ["Audit"],
        ("bob", SECOND): ["Audit"],
    }
    assert portal(world).list_accounts(accessToken=eve)["accountList"] == []
    refused(portal(world).list_account_roles, "ForbiddenException", 403, accessToken=eve, accountId=FIRST)


def test_pages(world: Any) -> None:
    token, other = token_of(world), token_of(world, "bob")
    first = portal(world).list_accounts(accessToken=token, maxResults=1)
    assert [account["accountId"] for account in first["accountList"]] == [FIRST]
    second = portal(world).list_accounts(accessToken=token, maxResults=1, nextToken=first["nextToken"])
    assert [account["accountId"] for account in second["accountList"]] == [SECOND]
    assert "nextToken" not in second
    for wrong in ({"accessToken": other, "nextToken": first["nextToken"]}, {"accessToken": token, "nextToken": "x"}):
        refused(portal(world).list_accounts, "InvalidRequestException", 400, **wrong)
    roles = (
        portal(world)
        .get_paginator("list_account_roles")
        .paginate(accessToken=token, accountId=FIRST, PaginationConfig={"PageSize": 1})
    )
    assert [role["roleName"] for page in roles for role in page["roleList"]] == ["Audit", "Developer"]


# Sessions.


def test_the_session_of_a_role(world: Any) -> None:
    credentials = credentials_of(world, token_of(world))
    assert credentials["expiration"] == (NOW + 7200) * 1000
    identity = world.client("sts", keys=keys_of(credentials)).get_caller_identity()
    role = role_of(world, "Developer")
    assert identity["Arn"] == f"arn:aws:sts::{FIRST}:assumed-role/{role['RoleName']}/ana"
    assert identity["UserId"] == f"{role['RoleId']}:ana"
    assert credentials_of(world, token_of(world), "Audit")["expiration"] == (NOW + 3600) * 1000
    world.clock.advance(7200)
    refused(world.client("sts", keys=keys_of(credentials)).get_caller_identity, "ExpiredToken", 403)


def test_what_a_session_may_do(world: Any) -> None:
    """Managed policies, policies of the account and the inline policy allow it, and the boundary limits it."""
    iam = world.client("iam", keys=keys_of(credentials_of(world, token_of(world))))
    assert iam.get_user(UserName="admin")["User"]["UserName"] == "admin"
    refused(iam.list_users, "AccessDenied", 403)
    refused(iam.list_groups, "AccessDenied", 403)
    assert world.client("chime", keys=keys_of(credentials_of(world, token_of(world)))).list_accounts()["Accounts"] == []
    auditor = world.client("iam", keys=keys_of(credentials_of(world, token_of(world, "bob"), "Audit")))
    assert auditor.list_users()["Users"]
    refused(auditor.create_user, "AccessDenied", 403, UserName="new")


def test_what_a_session_carries(make_world: Any) -> None:
    """Its attributes for access control are tags, and it names the provider of IAM Identity Center in the account."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{FIRST}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "StringEquals": {
                "aws:PrincipalTag/team": "blue",
                "aws:FederatedProvider": f"arn:aws:iam::{FIRST}:saml-provider/AWSSSO_1234567890abcdef_DO_NOT_DELETE",
            },
            "StringLike": {"aws:userid": "*:ana"},
            "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{FIRST}:role{PATH}AWSReservedSSO_Power_*"},
        },
    }
    world = make_world(WORLD.replace("permission_sets:", POWER))
    world.client("iam").create_role(
        RoleName="target", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    wanted = {"RoleArn": f"arn:aws:iam::{FIRST}:role/target", "RoleSessionName": "session"}
    ana = world.client("sts", keys=keys_of(credentials_of(world, token_of(world), "Power")))
    assert ana.assume_role(**wanted)["AssumedRoleUser"]
    bob = world.client("sts", keys=keys_of(credentials_of(world, token_of(world, "bob"), "Power")))
    refused(bob.assume_role, "AccessDenied", 403, **wanted)


# Roles.


def test_the_role_of_a_permission_set(world: Any) -> None:
    """The path, the form of the name, the trust policy and the longest session are those seen in accounts."""
    role = role_of(world, "Developer")
    assert role["Path"] == PATH
    assert role["Description"] == "For developers"
    assert role["MaxSessionDuration"] == 43_200
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == f"arn:aws:iam::{FIRST}:policy/limits"
    assert role["AssumeRolePolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{FIRST}:saml-provider/AWSSSO_1234567890abcdef_DO_NOT_DELETE"},
            "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
            "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        }
    ]
    iam = world.client("iam")
    attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert sorted(each["PolicyName"] for each in attached) == ["AmazonChimeReadOnly", "own"]
    assert iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"] == ["AwsSSOInlinePolicy"]


TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
CHANGES = {
    "attach_role_policy": {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "detach_role_policy": {"PolicyArn": "arn:aws:iam::aws:policy/AmazonChimeReadOnly"},
    "put_role_policy": {"PolicyName": "p", "PolicyDocument": TRUST},
    "delete_role_policy": {"PolicyName": "AwsSSOInlinePolicy"},
    "update_assume_role_policy": {"PolicyDocument": TRUST},
    "update_role": {"Description": "d"},
    "update_role_description": {"Description": "d"},
    "put_role_permissions_boundary": {"PermissionsBoundary": "arn:aws:iam::aws:policy/AdministratorAccess"},
    "delete_role_permissions_boundary": {},
    "tag_role": {"Tags": [{"Key": "a", "Value": "b"}]},
    "untag_role": {"TagKeys": ["a"]},
    "delete_role": {},
    "add_role_to_instance_profile": {"InstanceProfileName": "profile"},
}


@pytest.mark.parametrize("operation", CHANGES)
def test_no_call_changes_the_role(world: Any, operation: str) -> None:
    """Recorded for DeleteRole, DetachRolePolicy and PutRolePolicy: UnmodifiableEntity, and its message."""
    name = role_of(world, "Developer")["RoleName"]
    iam = world.client("iam")
    iam.create_instance_profile(InstanceProfileName="profile")
    before = json.dumps(
        [iam.get_role(RoleName=name)["Role"], iam.list_attached_role_policies(RoleName=name)], default=str
    )
    message = f"Cannot perform the operation on the protected role '{name}' - this role is only modifiable by AWS"
    refused(getattr(iam, operation), "UnmodifiableEntity", 400, message, RoleName=name, **CHANGES[operation])
    assert json.loads(before)[0] == json.loads(json.dumps(iam.get_role(RoleName=name)["Role"], default=str))


def test_nobody_makes_such_a_role(world: Any) -> None:
    for path in ("/aws-reserved/", PATH, "/aws-reserved/other/"):
        refused(
            world.client("iam").create_role,
            "InvalidInput",
            400,
            RoleName="AWSReservedSSO_Fake_0123456789abcdef",
            AssumeRolePolicyDocument=TRUST_ROOT,
            Path=path,
        )


TRUST_ROOT = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": FIRST}, "Action": "sts:AssumeRole"}],
    }
)


def test_the_administrator_cannot_assume_the_role(world: Any) -> None:
    arn = role_of(world, "Developer")["Arn"]
    refused(world.client("sts").assume_role, "AccessDenied", 403, RoleArn=arn, RoleSessionName="session")


def test_the_log_names_the_user(world: Any) -> None:
    """CloudTrail User Guide, userIdentity element: a user of the directory has a type of its own, and no ARN."""
    keep_log(world)
    token = token_of(world)
    portal(world).list_accounts(accessToken=token)
    refused(portal(world).list_accounts, "UnauthorizedException", 401, accessToken="x")
    browser = world.application.test_client()
    answer = browser.get("/_rolecall/decisions", query_string={"format": "cloudtrail"})
    records = [json.loads(line) for line in answer.text.splitlines()]
    listed = [record for record in records if record["eventName"] == "ListAccounts"]
    by_user = [record for record in listed if "errorCode" not in record]
    assert [record["userIdentity"]["type"] for record in by_user] == ["IdentityCenterUser"]
    assert by_user[0]["userIdentity"]["onBehalfOf"]["userId"].startswith("1234567890-")
    assert by_user[0]["eventSource"] == "sso.amazonaws.com"
    created = [record for record in records if record["eventName"] == "CreateToken"]
    assert token not in str(records)
    assert created[0]["responseElements"]["accessToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_a_snapshot_keeps_the_directory_and_ends_the_sessions_of_users(world: Any) -> None:
    token, role = token_of(world), role_of(world, "Developer")
    keys = keys_of(credentials_of(world, token))
    text = world._sandbox.save(last_used=False)
    world._sandbox.load(text)
    assert world._sandbox.save(last_used=False) == text
    refused(portal(world).list_accounts, "UnauthorizedException", 401, TOKEN, accessToken=token)
    assert role_of(world, "Developer")["RoleId"] == role["RoleId"]
    assert world.client("sts", keys=keys).get_caller_identity()["Arn"].endswith("/ana")
    again = token_of(world)
    assert credentials_of(world, again)["accessKeyId"]
    assert len(portal(world).list_accounts(accessToken=again)["accountList"]) == 2


def test_a_changed_file_changes_who_has_a_role(make_world: Any) -> None:
    changed = make_world(WORLD.replace("groups: [developers]}\n  - name: Audit", "users: [eve]}\n  - name: Audit"))
    refused(
        portal(changed).get_role_credentials,
        "ForbiddenException",
        403,
        "No access",
        accessToken=token_of(changed),
        roleName="Developer",
        accountId=FIRST,
    )
    assert credentials_of(changed, token_of(changed, "eve"))["accessKeyId"]


def test_a_region_is_part_of_the_path(make_world: Any) -> None:
    """IAM Identity Center User Guide: us-east-1 has no part for its Region. A trust policy may name the role."""
    world = make_world(WORLD.replace("identity_center:", "identity_center:\n  region: eu-west-1"))
    [role, *_] = world.client("iam").list_roles(PathPrefix=f"{PATH}eu-west-1/")["Roles"]
    assert role["Arn"] == f"arn:aws:iam::{FIRST}:role{PATH}eu-west-1/{role['RoleName']}"
    trusting = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": role["Arn"]}, "Action": "sts:AssumeRole"}],
    }
    account = f'accounts:\n  - id: "{FIRST}"\n    roles: [{{name: target, trust_policy: {json.dumps(trusting)}}}]'
    text = WORLD.replace("identity_center:", "identity_center:\n  region: eu-west-1")
    assert make_world(text.replace(f'accounts:\n  - id: "{FIRST}"', account)).client("iam").get_role(RoleName="target")
