"""AWS's page "How Amazon Chime works with IAM": a test for each of its statements about behaviour.

docs/chime-and-iam.md quotes the statements and names these tests. The last tests here compare both ways.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rolecall.data import actions, service_linked_roles
from rolecall.wire import load_service

ACCOUNT = "111122223333"
PARTNER = "444455556666"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "chime-and-iam.md"
VOICE_SERVICE = "voiceconnector.chime.amazonaws.com"
VOICE_ROLE = "AWSServiceRoleForAmazonChimeVoiceConnector"


def _document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]})


def _grant(world: Any, document: str, user: str = "developer") -> Any:
    """The Chime client of a user who has this inline policy and no other right in Chime."""
    world.client("iam").put_user_policy(UserName=user, PolicyName="chime", PolicyDocument=document)
    return world.client("chime", user)


def _account_id(world: Any) -> str:
    return str(world.client("chime").list_accounts()["Accounts"][0]["AccountId"])


def _refused(call: Any, code: str = "ForbiddenException", **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def test_policies_say_who_may_do_what_under_which_conditions(world: Any) -> None:
    account_id = _account_id(world)
    _refused(world.client("chime", "developer").list_users, AccountId=account_id)
    chime = _grant(world, _document(Action="chime:ListUsers", Condition={"Bool": {"aws:SecureTransport": "false"}}))
    assert len(chime.list_users(AccountId=account_id)["Users"]) == 3
    chime = _grant(world, _document(Action="chime:ListUsers", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    _refused(chime.list_users, AccountId=account_id)


def test_identity_based_policies_allow_or_deny_actions_under_conditions(world: Any) -> None:
    account_id = _account_id(world)
    both = json.loads(_document(Action="chime:*"))
    condition = {"StringEquals": {"aws:username": "developer"}}
    both["Statement"].append({"Effect": "Deny", "Action": "chime:ListUsers", "Resource": "*", "Condition": condition})
    chime = _grant(world, json.dumps(both))
    assert chime.list_accounts()["Accounts"]
    assert "with an explicit deny in an identity-based policy" in _refused(chime.list_users, AccountId=account_id)
    both["Statement"][1]["Condition"] = {"StringEquals": {"aws:username": "somebody-else"}}
    assert _grant(world, json.dumps(both)).list_users(AccountId=account_id)["Users"]


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_the_action_element_says_what_is_allowed_or_denied(world: Any, effect: str) -> None:
    account_id = _account_id(world)
    both = json.loads(_document(Action="chime:*" if effect == "Deny" else "chime:GetAccount"))
    both["Statement"].append({"Effect": effect, "Action": "chime:ListUsers", "Resource": "*"})
    chime = _grant(world, json.dumps(both))
    assert chime.get_account(AccountId=account_id)["Account"]
    if effect == "Allow":
        assert chime.list_users(AccountId=account_id)["Users"]
        _refused(chime.list_accounts)
    else:
        _refused(chime.list_users, AccountId=account_id)
        assert chime.list_accounts()["Accounts"]


def test_listing_users_takes_the_action_list_users(world: Any) -> None:
    account_id = _account_id(world)
    _refused(_grant(world, _document(Action="chime:GetUser")).list_users, AccountId=account_id)
    assert len(_grant(world, _document(Action="chime:ListUsers")).list_users(AccountId=account_id)["Users"]) == 3


def test_actions_have_the_names_of_the_operations() -> None:
    table = actions("chime")
    for service in ("chime", "chime-sdk-identity", "chime-sdk-meetings", "chime-sdk-messaging", "chime-sdk-voice"):
        for operation in load_service(service).operation_names:
            assert table[operation.lower()].name == operation
            assert table[operation.lower()].has_operation


def test_some_actions_have_no_operation(world: Any) -> None:
    permission_only = [row.name for row in actions("chime").values() if not row.has_operation]
    assert "AcceptDelegate" in permission_only
    assert len(permission_only) == 64
    # A policy may contain them, but they grant no operation.
    chime = _grant(world, _document(Action=[f"chime:{name}" for name in permission_only[:20]]))
    _refused(chime.list_accounts)


def test_some_operations_need_dependent_actions_but_none_of_the_chime_api(world: Any) -> None:
    table = actions("chime")
    dependent = {row.name for row in table.values() if row.dependent_actions}
    assert len(dependent) == 22
    assert not dependent & set(load_service("chime").operation_names)
    chime = _grant(world, _document(Action=["chime:ListAccounts", "chime:CreateAccount"]))
    assert chime.create_account(Name="Own")["Account"]["Name"] == "Own"


def test_including_an_action_grants_its_operation_and_no_other(world: Any) -> None:
    chime = _grant(world, _document(Action="chime:ListAccounts"))
    account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
    _refused(chime.get_account, AccountId=account_id)
    _refused(chime.list_users, AccountId=account_id)


def test_actions_carry_the_prefix_chime(world: Any) -> None:
    account_id = _account_id(world)
    assert _grant(world, _document(Action="chime:ListUsers")).list_users(AccountId=account_id)["Users"]
    message = _refused(_grant(world, _document(Action="iam:ListUsers")).list_users, AccountId=account_id)
    assert "not authorized to perform: chime:ListUsers" in message


@pytest.mark.parametrize("element", ["Action", "NotAction"])
def test_a_statement_has_an_action_or_a_not_action(world: Any, element: str) -> None:
    chime = _grant(world, _document(**{element: "chime:List*" if element == "Action" else "iam:*"}))
    assert chime.list_accounts()["Accounts"]


def test_a_statement_without_action_and_not_action_is_refused(world: Any) -> None:
    iam = world.client("iam")
    message = _refused(
        iam.put_user_policy,
        "MalformedPolicyDocument",
        UserName="developer",
        PolicyName="chime",
        PolicyDocument=_document(),
    )
    assert message == "Policy statement must contain actions."


def test_chime_defines_its_own_actions(world: Any) -> None:
    assert len(actions("chime")) == 316
    # All rights in every other service give no right in Chime.
    _refused(_grant(world, _document(NotAction="chime:*")).list_accounts)


def test_several_actions_in_one_statement(world: Any) -> None:
    chime = _grant(world, _document(Action=["chime:ListUsers", "chime:InviteUsers"]))
    account_id = _account_id(world)
    assert chime.list_users(AccountId=account_id)["Users"]
    assert chime.invite_users(AccountId=account_id, UserEmailList=["new@example.com"])["Invites"]
    _refused(chime.list_accounts)


def test_wildcards_in_actions(world: Any) -> None:
    chime = _grant(world, _document(Action="chime:Get*"))
    account_id = _account_id(world)
    assert chime.get_account(AccountId=account_id)["Account"]["AccountId"] == account_id
    assert chime.get_account_settings(AccountId=account_id)["AccountSettings"]
    _refused(chime.list_accounts)
    _refused(chime.update_account, AccountId=account_id, Name="x")


@pytest.mark.parametrize(
    "resource",
    [
        f"arn:aws:chime:us-east-1:{ACCOUNT}:account/*",
        f"arn:aws:chime::{ACCOUNT}:*",
        "arn:aws:chime:*:*:*",
    ],
)
def test_resource_arns_are_not_supported(world: Any, resource: str) -> None:
    _refused(_grant(world, _document(Action="chime:*", Resource=resource)).list_accounts)
    # Nor can a statement with an ARN forbid anything.
    both = json.loads(_document(Action="chime:*"))
    both["Statement"].append({"Effect": "Deny", "Action": "chime:*", "Resource": resource})
    assert _grant(world, json.dumps(both)).list_accounts()["Accounts"]


def test_there_are_no_condition_keys_of_chime(world: Any) -> None:
    account_id = _account_id(world)
    for key in ("chime:AccountId", "chime:accountId", "chime:UserId"):
        condition = {"StringLike": {key: "*"}}
        chime = _grant(world, _document(Action="chime:ListUsers", Condition=condition))
        _refused(chime.list_users, AccountId=account_id)
        absent = {"Null": {key: "true"}}
        chime = _grant(world, _document(Action="chime:ListUsers", Condition=absent))
        assert chime.list_users(AccountId=account_id)["Users"]


@pytest.mark.parametrize(
    ("operator", "key", "right", "wrong"),
    [
        ("StringEquals", "aws:PrincipalAccount", ACCOUNT, PARTNER),
        ("StringEquals", "aws:username", "developer", "admin"),
        ("IpAddress", "aws:SourceIp", "127.0.0.0/8", "10.0.0.0/8"),
        ("DateGreaterThan", "aws:CurrentTime", "2020-01-01T00:00:00Z", "2200-01-01T00:00:00Z"),
        ("StringEquals", "aws:RequestedRegion", "us-east-1", "eu-west-1"),
    ],
)
def test_global_condition_keys_work(world: Any, operator: str, key: str, right: str, wrong: str) -> None:
    chime = _grant(world, _document(Action="chime:ListAccounts", Condition={operator: {key: right}}))
    assert chime.list_accounts()["Accounts"]
    chime = _grant(world, _document(Action="chime:ListAccounts", Condition={operator: {key: wrong}}))
    _refused(chime.list_accounts)


def test_there_are_no_resource_based_policies(world: Any) -> None:
    chime = load_service("chime")
    for name in chime.operation_names:
        members = {member.lower() for member in chime.operation(name).input_members}
        assert not members & {"policy", "policydocument", "resourcepolicy"}, name
    # So other accounts have no access: another account's administrator sees only its own Chime accounts.
    assumed = world.assume(f"arn:aws:iam::{PARTNER}:role/chime-partner", ExternalId="partner-id")
    stranger = world.client("chime", credentials=assumed)
    assert [account["Name"] for account in stranger.list_accounts()["Accounts"]] == ["Partner"]
    _refused(stranger.get_account, "NotFoundException", AccountId=_account_id(world))


def test_access_cannot_be_controlled_by_tags(world: Any) -> None:
    account_id = _account_id(world)
    for key in ("aws:ResourceTag/team", "aws:RequestTag/team", "aws:TagKeys"):
        condition = {"StringLike": {key: "*"}}
        chime = _grant(world, _document(Action="chime:GetAccount", Condition=condition))
        _refused(chime.get_account, AccountId=account_id)


def test_a_role_is_an_entity_of_the_account_with_its_own_permissions(world: Any) -> None:
    role = world.client("iam").get_role(RoleName="chime-reader")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/chime-reader"
    chime = world.client("chime", credentials=world.assume("chime-reader"))
    account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
    _refused(chime.create_user, AccountId=account_id, Email="new@example.com")
    manager = world.client("chime", credentials=world.assume("chime-manager"))
    assert manager.create_user(AccountId=account_id, Email="new@example.com")["User"]["PrimaryEmail"]


def test_temporary_credentials_by_federation(world: Any) -> None:
    policy = _document(Action="chime:List*")
    answer = world.client("sts").get_federation_token(Name="ana", Policy=policy)
    chime = world.client("chime", credentials=answer["Credentials"])
    account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
    assert "no session policy allows" in _refused(chime.get_account, AccountId=account_id)


def test_temporary_credentials_by_assuming_a_role(world: Any) -> None:
    chime = world.client("chime", credentials=world.assume("chime-denied"))
    assert "explicit deny in an identity-based policy" in _refused(chime.list_accounts)


def test_temporary_credentials_by_assuming_a_role_of_another_account(world: Any) -> None:
    arn = f"arn:aws:iam::{PARTNER}:role/chime-partner"
    with pytest.raises(ClientError, match="no role trust policy allows"):
        world.assume(arn)
    chime = world.client("chime", credentials=world.assume(arn, ExternalId="partner-id"))
    assert [account["Name"] for account in chime.list_accounts()["Accounts"]] == ["Partner"]


@pytest.mark.parametrize("operation", ["AssumeRole", "GetFederationToken"])
def test_sts_issues_the_temporary_credentials(world: Any, operation: str) -> None:
    sts = world.client("sts")
    if operation == "AssumeRole":
        issued = sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/chime-reader", RoleSessionName="me")
    else:
        issued = sts.get_federation_token(Name="ana", Policy=_document(Action="*"))
    credentials = issued["Credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert world.client("chime", credentials=credentials).list_accounts()["Accounts"]


def test_chime_takes_temporary_credentials_until_they_expire(world: Any) -> None:
    credentials = world.assume("chime-reader", DurationSeconds=900)
    chime = world.client("chime", credentials=credentials)
    assert chime.list_accounts()["Accounts"]
    world.clock.advance(901)
    _refused(chime.list_accounts, "ExpiredTokenException")
    keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"])
    _refused(world.client("chime", keys=keys).list_accounts, "UnrecognizedClientException")


def test_service_linked_roles_are_for_the_service_alone(world: Any) -> None:
    role = world.client("iam").create_service_linked_role(AWSServiceName=VOICE_SERVICE)["Role"]
    trusted = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
    assert trusted in ({"Service": VOICE_SERVICE}, {"Service": [VOICE_SERVICE]})
    with pytest.raises(ClientError, match="not authorized to perform: sts:AssumeRole"):
        world.assume(role["Arn"])


def test_service_linked_roles_appear_in_the_account_and_are_owned_by_the_service(world: Any) -> None:
    iam = world.client("iam")
    iam.create_service_linked_role(AWSServiceName=VOICE_SERVICE)
    listed = {role["RoleName"]: role for role in iam.list_roles()["Roles"]}
    assert listed[VOICE_ROLE]["Path"] == f"/aws-service-role/{VOICE_SERVICE}/"
    attached = iam.list_attached_role_policies(RoleName=VOICE_ROLE)["AttachedPolicies"]
    assert [policy["PolicyArn"].split("/")[1] for policy in attached] == ["aws-service-role"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("attach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("detach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/aws-service-role/x"}),
        ("put_role_policy", {"PolicyName": "own", "PolicyDocument": _document(Action="*")}),
        ("update_assume_role_policy", {"PolicyDocument": "{}"}),
        ("delete_role", {}),
    ],
)
def test_an_administrator_views_but_does_not_edit_service_linked_roles(
    world: Any, operation: str, arguments: dict[str, str]
) -> None:
    iam = world.client("iam")
    iam.create_service_linked_role(AWSServiceName=VOICE_SERVICE)
    before = iam.get_role(RoleName=VOICE_ROLE)["Role"]
    _refused(getattr(iam, operation), "UnmodifiableEntity", RoleName=VOICE_ROLE, **arguments)
    assert iam.get_role(RoleName=VOICE_ROLE)["Role"] == before


def test_chime_supports_service_linked_roles(world: Any) -> None:
    iam = world.client("iam")
    services = [service for service in service_linked_roles() if service.endswith("chime.amazonaws.com")]
    assert len(services) == 6
    for service in services:
        assert iam.create_service_linked_role(AWSServiceName=service)["Role"]["Arn"].startswith(
            f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/"
        )
    task = iam.delete_service_linked_role(RoleName=VOICE_ROLE)["DeletionTaskId"]
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"


def test_service_roles_are_owned_by_the_account_and_may_be_changed(world: Any) -> None:
    iam = world.client("iam")
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=_document(Action="chime:*"))
    assert iam.list_role_policies(RoleName="worker")["PolicyNames"] == ["own"]
    # It permits the service, not a person.
    with pytest.raises(ClientError, match="no role trust policy allows"):
        world.assume("worker")


def test_chime_takes_no_service_roles() -> None:
    chime = load_service("chime")
    for name in chime.operation_names:
        # A room member's Role is its part in the room. A service role would have an ARN.
        assert not [member for member in chime.operation(name).input_members if "rolearn" in member.lower()], name


def _tests_here() -> set[str]:
    module = sys.modules[__name__]
    return {name for name in vars(module) if name.startswith("test_") and not name.startswith("test_page_")}


def test_page_names_every_test_of_this_file() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    assert _tests_here() == named


def test_page_gives_every_statement_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| “")]
    assert len(rows) >= 25
    for row in rows:
        assert re.search(r"`test_\w+`", row), row
