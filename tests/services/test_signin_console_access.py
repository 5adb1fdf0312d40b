"""Access to the console: permission statements, where they are enforced, and what they stop. Refusals come first.

Sign-In User Guide, "Controlling console access with resource-based policies and resource control policies".
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from logged_worlds import keep_log
from organization_calls import (
    DELEGATED,
    MANAGEMENT,
    MEMBER,
    OUTSIDE,
    admin_of,
    client_of,
    organization,
)
from signin_calls import (
    ACCOUNT,
    OTHER_ACCOUNT,
    SAME_DEVICE,
    WORLD,
    Program,
    approved,
    authorize_url,
    code_for,
    needs_the_model,
    refused,
)

from rolecall.storage.decision_log import CallFilter

pytestmark = needs_the_model

HERE, ELSEWHERE = "127.0.0.0/8", "203.0.113.0/24"
ANA = f"arn:aws:iam::{ACCOUNT}:user/team/ana"
APP = f"arn:aws:iam::{ACCOUNT}:role/app"
VPC, ENDPOINT = "vpc-0abc123def4567890", "vpce-0abc123def456789"
NO_ID = "A" * 64
# The pattern of the model: ten characters.
ORGANIZATION = "o-example123"
INVALID = ("ValidationException", 400, "INVALID_REQUEST")
DENIED = ("AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS")
NOT_FOUND = ("ResourceNotFoundException", 404, "RESOURCE_NOT_FOUND")
BEFORE = "Your authentication information is incorrect. Please try again."
BEFORE_BY_RCP = "Authentication failed Invalid request"
AFTER = (
    "Authentication failed: To access this account, sign in from a different network, or contact your administrator "
    "for more information"
)
# What reads needs a permission too, of course.
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("put_resource_permission_statement", {"sourceIp": HERE}),
    ("delete_resource_permission_statement", {"statementId": NO_ID}),
    ("list_resource_permission_statements", {}),
    ("get_resource_policy", {}),
    ("put_console_authorization_configuration", {}),
    ("get_console_authorization_configuration", {}),
    ("delete_console_authorization_configuration", {}),
]


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def signin(world: Any) -> Any:
    return world.client("signin")


@pytest.fixture(scope="module")
def shared(make_shared_world: Any) -> Any:
    """The client of a sandbox that no test changes."""
    return make_shared_world(WORLD).client("signin")


def enforce(signin: Any, **statement: str) -> str:
    """Only sign-ins from a network are allowed. The statement's id."""
    signin.put_console_authorization_configuration()
    return add(signin, **statement)


def add(signin: Any, **statement: str) -> str:
    made: str = signin.put_resource_permission_statement(**statement)["statementId"]
    return made


def decided(world: Any, principal: str = "user/ana", **more: str) -> Any:
    """The answer to a decision on the page of aws login."""
    body = {"url": authorize_url(), "principal": principal, **more}
    return world.application.test_client().post("/_rolecall/signin/approve", json=body)


def console(world: Any, credentials: dict[str, Any], address: str = "127.0.0.1") -> Any:
    """The answer of the console's sign-in to the holder of temporary credentials."""
    session = {"sessionId": "AccessKeyId", "sessionKey": "SecretAccessKey", "sessionToken": "SessionToken"}
    given = {name: credentials[member] for name, member in session.items()}
    browser = world.application.test_client()
    token = browser.get("/federation", query_string={"Action": "getSigninToken", "Session": json.dumps(given)})
    login = {
        "Action": "login",
        "Destination": "https://console.aws.amazon.com/",
        "SigninToken": token.json["SigninToken"],
    }
    return browser.get("/federation", query_string=login, environ_overrides={"REMOTE_ADDR": address})


def federated(world: Any, name: str = "ana") -> dict[str, Any]:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
    found: dict[str, Any] = world.client("sts").get_federation_token(Name=name, Policy=policy)["Credentials"]
    return found


@pytest.mark.parametrize(("operation", "parameters"), CALLS)
def test_they_need_a_permission(world: Any, operation: str, parameters: Any) -> None:
    plain = world.client("signin", "plain")
    message = refused(getattr(plain, operation), *DENIED, **parameters)
    action = "signin:" + "".join(word.capitalize() for word in operation.split("_"))
    assert message.endswith(f"because no identity-based policy allows the {action} action")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}
    iam = world.client("iam")
    iam.put_user_policy(UserName="plain", PolicyName="own", PolicyDocument=json.dumps(policy))
    if operation in ("delete_resource_permission_statement", "get_resource_policy"):
        refused(getattr(plain, operation), *NOT_FOUND, **parameters)
    else:
        getattr(plain, operation)(**parameters)


@pytest.mark.parametrize(("operation", "parameters"), CALLS)
def test_writes_are_for_one_region(world: Any, operation: str, parameters: Any) -> None:
    """ "All write operations require --region us-east-1 … Read operations can target any Region." """
    call = getattr(world.client("signin", region="eu-west-1"), operation)
    if operation.startswith(("put", "delete")):
        assert "us-east-1" in refused(call, *INVALID, **parameters)
    elif operation == "get_resource_policy":
        refused(call, *NOT_FOUND)
    else:
        call()


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"excludedPrincipal": ANA.replace("/team", "")},
        {"sourceVpc": VPC},
        {"signinSourceVpce": ENDPOINT},
        {"consoleSourceVpce": ENDPOINT},
        {"vpcSourceIp": "10.0.0.0/8", "requestedRegion": "us-east-1"},
        {"sourceIp": "x"},
        {"sourceIp": "300.0.0.1"},
        {"sourceIp": "10.0.0.0/33"},
        {"sourceIp": "*"},
        {"sourceVpc": VPC, "requestedRegion": "us-east-1", "vpcSourceIp": "10.0.0.0/8,0.0.0.0/0"},
        {"sourceVpc": "vpc-x", "requestedRegion": "us-east-1"},
        {"sourceVpc": "*", "requestedRegion": "us-east-1"},
        {"sourceIp": HERE, "excludedPrincipal": "arn:aws:iam::111122223333:user/*"},
        {"sourceIp": HERE, "excludedPrincipal": "arn:aws:iam::111122223333:group/all"},
        {"sourceIp": HERE, "requestedRegion": "everywhere"},
        {"sourceIp": HERE, "clientToken": "with space"},
    ],
)
def test_statements_that_are_not_possible(shared: Any, statement: dict[str, str]) -> None:
    refused(shared.put_resource_permission_statement, *INVALID, **statement)
    assert shared.list_resource_permission_statements()["permissionStatements"] == []


def test_the_policy_of_an_account_without_statements(shared: Any) -> None:
    refused(shared.get_resource_policy, *NOT_FOUND)
    refused(shared.delete_resource_permission_statement, *NOT_FOUND, statementId=NO_ID)


def test_client_tokens(signin: Any) -> None:
    first = add(signin, sourceIp=HERE, clientToken="one")
    conflict = ("ConflictException", 409, "CONFLICT")
    refused(signin.put_resource_permission_statement, *conflict, sourceIp=ELSEWHERE, clientToken="one")
    signin.delete_resource_permission_statement(statementId=first, clientToken="two")
    refused(signin.delete_resource_permission_statement, *conflict, statementId=NO_ID, clientToken="two")
    # A repeated request has no second effect, and is no error.
    signin.delete_resource_permission_statement(statementId=first, clientToken="two")
    assert add(signin, sourceIp=HERE, clientToken="one") == first
    assert signin.list_resource_permission_statements()["permissionStatements"] == []
    refused(signin.delete_resource_permission_statement, *NOT_FOUND, statementId=first, clientToken="three")


def test_a_client_token_is_known_for_a_day(world: Any, signin: Any) -> None:
    add(signin, sourceIp=HERE, clientToken="one")
    world.clock.advance(days=1)
    assert add(world.client("signin"), sourceIp=ELSEWHERE, clientToken="one")


def test_the_same_statement_twice_is_one(signin: Any) -> None:
    """The model calls the operation idempotent."""
    made = add(signin, sourceIp=HERE)
    assert re.fullmatch(r"[A-Za-z0-9+/]{64}", made)
    assert add(signin, sourceIp=HERE) == made
    assert [each["sid"] for each in signin.list_resource_permission_statements()["permissionStatements"]] == [made]


def test_there_is_a_maximum_of_statements(signin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rolecall.services.signin.console_access.MAXIMUM_STATEMENTS", 2)
    ids = [add(signin, sourceIp=f"10.0.0.{number}") for number in range(2)]
    exceeded = ("ServiceQuotaExceededException", 402, "SERVICE_QUOTA_EXCEEDED")
    refused(signin.put_resource_permission_statement, *exceeded, sourceIp=HERE)
    assert add(signin, sourceIp="10.0.0.0") == ids[0]
    signin.delete_resource_permission_statement(statementId=ids[0])
    assert add(signin, sourceIp=HERE)


def test_pages_of_statements(world: Any, signin: Any) -> None:
    ids = [add(signin, sourceIp=f"10.0.0.{number}") for number in range(5)]
    pages = signin.get_paginator("list_resource_permission_statements").paginate(PaginationConfig={"PageSize": 2})
    assert [each["sid"] for page in pages for each in page["permissionStatements"]] == ids
    token = signin.list_resource_permission_statements(maxResults=2)["nextToken"]
    for wrong in ("x", token[:-4] + "AAAA"):
        refused(signin.list_resource_permission_statements, *INVALID, nextToken=wrong)
    signin.delete_resource_permission_statement(statementId=ids[1])
    refused(signin.list_resource_permission_statements, *INVALID, nextToken=token)


def test_the_policy_has_two_statements_for_each_network(signin: Any) -> None:
    """The second policy example of the User Guide."""
    root = f"arn:aws:iam::{ACCOUNT}:root"
    sid = add(signin, sourceIp=ELSEWHERE, excludedPrincipal=root)
    policy = signin.get_resource_policy()["signinResourceBasedPolicy"]
    assert policy["version"] == "2012-10-17"
    before, after = policy["statement"]
    common = {"NotIpAddress": {"aws:SourceIp": [ELSEWHERE]}, "StringEquals": {"aws:ResourceAccount": [ACCOUNT]}}
    assert before == {
        "effect": "Deny",
        "principal": {"AWS": "*"},
        "action": ["signin:Authenticate"],
        "resource": "*",
        "condition": {"ArnNotEquals": {"signin:PrincipalArn": [root]}, **common},
    }
    assert after["action"] == ["signin:CreateOAuth2Token", "signin:AuthorizeOAuth2Access"]
    assert after["condition"] == {"ArnNotEquals": {"aws:PrincipalArn": [root]}, **common}
    assert signin.list_resource_permission_statements()["permissionStatements"] == [
        {"sid": sid, "condition": before["condition"]}
    ]


def test_the_policy_for_a_vpc(signin: Any) -> None:
    """The first policy example of the User Guide: the network, then the Region of the VPC."""
    add(signin, sourceVpc=VPC, sourceIp=ELSEWHERE, requestedRegion="us-west-2", vpcSourceIp="10.0.0.0/16")
    own = {"aws:ResourceAccount": [ACCOUNT]}
    found = [each["condition"] for each in signin.get_resource_policy()["signinResourceBasedPolicy"]["statement"]]
    outside, other_region, other_address = found[::2]
    assert found[1::2] == found[::2]
    assert outside == {
        "NotIpAddressIfExists": {"aws:SourceIp": [ELSEWHERE]},
        "StringNotEquals": {"aws:SourceVpc": [VPC]},
        "StringEquals": own,
    }
    assert other_region == {
        "StringEquals": {"aws:SourceVpc": [VPC], **own},
        "StringNotEqualsIfExists": {"aws:RequestedRegion": ["us-west-2"]},
    }
    assert other_address == {
        "StringEquals": {"aws:SourceVpc": [VPC], **own},
        "NotIpAddressIfExists": {"aws:VpcSourceIp": ["10.0.0.0/16"]},
    }


@pytest.mark.parametrize("target", [OTHER_ACCOUNT, "999999999999"])
def test_the_account_of_another(shared: Any, target: str) -> None:
    for operation in ("put", "get", "delete"):
        call = getattr(shared, f"{operation}_console_authorization_configuration")
        refused(call, *DENIED, targetId=target)


@pytest.mark.parametrize(
    ("target", "answer"), [("o-aaaaaaaaaa", NOT_FOUND), ("r-abcdabcdabcd", INVALID), ("x" * 12, INVALID)]
)
def test_other_targets(shared: Any, target: str, answer: Any) -> None:
    for operation in ("put", "get", "delete"):
        refused(getattr(shared, f"{operation}_console_authorization_configuration"), *answer, targetId=target)


def test_the_configuration_of_an_account(signin: Any) -> None:
    off = {"targetId": ACCOUNT, "scope": "ACCOUNT", "consoleAuthorizationEnabled": False}
    on = {**off, "consoleAuthorizationEnabled": True}

    def shown(answer: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}

    assert shown(signin.get_console_authorization_configuration()) == off
    assert shown(signin.put_console_authorization_configuration()) == on
    assert shown(signin.put_console_authorization_configuration(targetId=ACCOUNT)) == on
    assert shown(signin.get_console_authorization_configuration(targetId=ACCOUNT)) == on
    assert shown(signin.delete_console_authorization_configuration()) == off
    assert shown(signin.delete_console_authorization_configuration()) == off


def test_a_sign_in_from_another_network_is_stopped_before_authentication(world: Any, signin: Any) -> None:
    log = keep_log(world)
    enforce(signin, sourceIp=ELSEWHERE)
    for principal, more in (("user/ana", {}), ("role/app", {"session_name": "laptop"}), ("root", {})):
        answer = decided(world, principal, **more)
        assert (answer.status_code, answer.json) == (400, {"message": BEFORE})
    page = console(world, federated(world))
    assert (page.status_code, page.json) == (400, {"message": BEFORE})
    for operation, count in (("AuthorizeOAuth2Access", 3), ("ConsoleLogin", 1)):
        messages = [each.message for each in log.calls(CallFilter()) if each.operation == operation]
        assert messages == ["Authorization denied because of a resource-based policy"] * count
    log.close()


def test_statements_have_no_effect_until_console_authorization_is_enabled(world: Any, signin: Any) -> None:
    """User Guide, in so many words."""
    add(signin, sourceIp=ELSEWHERE)
    assert "code" in approved(world)
    assert console(world, federated(world)).status_code == 302
    signin.put_console_authorization_configuration()
    assert decided(world).status_code == 400
    signin.delete_console_authorization_configuration()
    assert "code" in approved(world)
    assert len(signin.list_resource_permission_statements()["permissionStatements"]) == 1


def test_a_sign_in_from_the_network_is_allowed(world: Any, signin: Any) -> None:
    enforce(signin, sourceIp=HERE)
    assert Program().signs_in(world)["accessToken"]
    credentials = federated(world)
    assert console(world, credentials).status_code == 302
    assert console(world, credentials, "203.0.113.7").status_code == 400


def test_a_policy_of_sign_in_grants_nothing(world: Any, signin: Any) -> None:
    enforce(signin, sourceIp=HERE)
    location = approved(world, "user/plain")
    assert location["error"] == "access_denied"
    assert "no identity-based policy allows" in location["error_description"]


def test_two_statements_for_two_networks_exclude_each_other(world: Any, signin: Any) -> None:
    """ "If you have multiple permission statements, confirm they do not conflict with each other." """
    enforce(signin, sourceIp=HERE)
    sid = add(signin, sourceIp=ELSEWHERE)
    assert decided(world).status_code == 400
    signin.delete_resource_permission_statement(statementId=sid)
    assert decided(world).status_code == 200


def test_an_excluded_principal_signs_in_from_everywhere(world: Any, signin: Any) -> None:
    enforce(signin, sourceIp=ELSEWHERE, excludedPrincipal=APP)
    assert "code" in approved(world, "role/app", session_name="laptop")
    assert decided(world, "root").json == {"message": BEFORE}
    program = Program()
    tokens = program.signs_in(world, "role/app", session_name="laptop")
    assert program.refreshes(world, tokens["refreshToken"])["accessToken"]


def test_an_excluded_federated_user_is_unknown_before_authentication(world: Any, signin: Any) -> None:
    """ "signin:PrincipalArn supports root user, IAM user, and role principal types." """
    enforce(signin, sourceIp=ELSEWHERE, excludedPrincipal=f"arn:aws:sts::{ACCOUNT}:federated-user/ana")
    assert console(world, federated(world)).json == {"message": BEFORE}


@pytest.mark.parametrize(
    "statement",
    [
        {"sourceVpc": VPC, "requestedRegion": "us-east-1"},
        {"signinSourceVpce": ENDPOINT, "consoleSourceVpce": ENDPOINT, "requestedRegion": "us-east-1"},
        {"sourceVpc": VPC, "requestedRegion": "us-east-1", "sourceIp": ELSEWHERE},
        {"sourceIp": HERE, "requestedRegion": "eu-west-1"},
    ],
)
def test_networks_that_no_request_here_comes_from(world: Any, signin: Any, statement: dict[str, str]) -> None:
    enforce(signin, **statement)
    assert decided(world).json == {"message": BEFORE}


@pytest.mark.parametrize(
    "statement",
    [
        {"sourceVpc": VPC, "requestedRegion": "us-east-1", "sourceIp": HERE},
        {"signinSourceVpce": ENDPOINT, "requestedRegion": "us-east-1", "sourceIp": HERE},
        {"sourceIp": HERE, "requestedRegion": "us-east-1"},
        {"sourceIp": "127.0.0.1"},
    ],
)
def test_networks_that_requests_here_come_from(world: Any, signin: Any, statement: dict[str, str]) -> None:
    enforce(signin, **statement)
    assert "code" in approved(world)


def test_a_session_cannot_be_refreshed_from_another_network(world: Any, signin: Any) -> None:
    """signin:CreateOAuth2Token is for "redeeming authorization codes for access tokens, refreshing tokens"."""
    program = Program()
    code, tokens = code_for(world), program.signs_in(world)
    enforce(signin, sourceIp=ELSEWHERE)
    given = {"grantType": "refresh_token", "refreshToken": tokens["refreshToken"]}
    message = refused(program.asks, *DENIED, world, **given)
    assert "explicit deny in a resource-based policy" in message
    refused(program.redeems, *DENIED, world, code)
    # "These controls do not apply to programmatic access using access keys."
    answer = signin.create_oauth2_token_with_iam(grantType="client_credentials", resource="aws-mcp.amazonaws.com")
    assert answer["accessToken"]
    signin.delete_console_authorization_configuration()
    assert program.asks(world, clientId=SAME_DEVICE, **given)["accessToken"]


def test_a_policy_that_denies_the_console(world: Any, signin: Any) -> None:
    """ "An IAM policy that denies the relevant sign-in action can prevent the console session from being granted." """
    credentials = world.client("sts").get_federation_token(
        Name="ana",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "chime:*", "Resource": "*"},
                    {"Effect": "Deny", "Action": "signin:CreateOAuth2Token", "Resource": "*"},
                ],
            }
        ),
    )["Credentials"]
    log = keep_log(world)
    assert console(world, credentials).status_code == 302
    enforce(signin, sourceIp=HERE)
    assert console(world, credentials).json == {"message": AFTER}
    newest = next(each for each in log.calls(CallFilter()) if each.operation == "ConsoleLogin")
    assert newest.message == "Authorization denied because of a session policy"
    log.close()
    # A policy that does not mention the sign-in does not stop it.
    plain = world.client("sts").get_federation_token(Name="bob")["Credentials"]
    assert console(world, plain).status_code == 302


MEMBER_NETWORK = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "signin:Authenticate",
            "Resource": "*",
            "Condition": {
                "ArnNotEquals": {"signin:PrincipalArn": f"arn:aws:iam::{MEMBER}:user/{admin_of(MEMBER)}"},
                "NotIpAddressIfExists": {"aws:SourceIp": ELSEWHERE},
            },
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalAccount": MEMBER}},
        },
    ],
}


@pytest.fixture
def governed(make_world: Any) -> Any:
    """An organization with a resource control policy about sign-ins on the unit of MEMBER."""
    policies = [{"name": "network", "targets": ["prod"], "document": MEMBER_NETWORK}]
    return make_world(organization(id=ORGANIZATION, resource_control_policies=policies))


def of_account(world: Any, account_id: str) -> Any:
    return client_of(world, account_id, "signin")


def test_only_the_management_account_configures_the_organization(governed: Any) -> None:
    for account_id, answer in ((MEMBER, DENIED), (DELEGATED, DENIED), (OUTSIDE, NOT_FOUND)):
        call = of_account(governed, account_id).put_console_authorization_configuration
        refused(call, *answer, targetId=ORGANIZATION)
    management = of_account(governed, MANAGEMENT)
    found = management.put_console_authorization_configuration(targetId=ORGANIZATION)
    assert (found["targetId"], found["scope"]) == (ORGANIZATION, "ORGANIZATION")
    assert management.get_console_authorization_configuration(targetId=ORGANIZATION)["consoleAuthorizationEnabled"]
    assert not management.get_console_authorization_configuration()["consoleAuthorizationEnabled"]


def test_resource_control_policies_count_once_console_authorization_is_enabled(governed: Any) -> None:
    """ "Remove or adjust any SCP or RCP that denies signin:Authenticate" before it is enabled."""
    root = f"arn:aws:iam::{MEMBER}:root"
    assert decided(governed, root).status_code == 200
    of_account(governed, MANAGEMENT).put_console_authorization_configuration(targetId=ORGANIZATION)
    answer = decided(governed, root)
    assert (answer.status_code, answer.json) == (400, {"message": BEFORE_BY_RCP})
    # It does not apply to other accounts.
    assert decided(governed, f"arn:aws:iam::{MANAGEMENT}:root").status_code == 200
    assert decided(governed, f"arn:aws:iam::{OUTSIDE}:root").status_code == 200
    of_account(governed, MANAGEMENT).delete_console_authorization_configuration(targetId=ORGANIZATION)
    assert decided(governed, root).status_code == 200


def test_a_resource_control_policy_after_authentication(governed: Any) -> None:
    of_account(governed, MEMBER).put_console_authorization_configuration()
    exempted = f"arn:aws:iam::{MEMBER}:user/{admin_of(MEMBER)}"
    location = approved(governed, exempted)
    assert location["error"] == "access_denied"
    assert "explicit deny in a resource control policy" in location["error_description"]
    credentials = client_of(governed, MEMBER, "sts").get_federation_token(Name="ana")["Credentials"]
    assert console(governed, credentials).json == {"message": BEFORE_BY_RCP}


def test_the_configuration_goes_with_the_organization(governed: Any) -> None:
    of_account(governed, MANAGEMENT).put_console_authorization_configuration(targetId=ORGANIZATION)
    of_account(governed, MEMBER).put_resource_permission_statement(sourceIp=ELSEWHERE)
    client_of(governed).remove_account_from_organization(AccountId=MEMBER)
    assert decided(governed, f"arn:aws:iam::{MEMBER}:root").status_code == 200


def test_statements_of_a_member_count_in_the_whole_organization_s_configuration(governed: Any) -> None:
    of_account(governed, MANAGEMENT).put_console_authorization_configuration(targetId=ORGANIZATION)
    of_account(governed, DELEGATED).put_resource_permission_statement(sourceIp=ELSEWHERE)
    assert decided(governed, f"arn:aws:iam::{DELEGATED}:root").json == {"message": BEFORE}
    assert decided(governed, f"arn:aws:iam::{MANAGEMENT}:root").status_code == 200
