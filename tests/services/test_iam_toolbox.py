"""IAM Toolbox: a refusal of IAM ends with an authorization id, for which the toolbox gives the reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from logged_worlds import keep_log, refused
from sts_calls import (
    ACCOUNT,
    OTHER,
    account,
    allow,
    declared,
    deny,
    policy,
    role,
    role_arn,
    statement,
    trust,
    user,
    user_arn,
)

from rolecall.access import authorization_ids
from rolecall.call_log.writer import DecisionLog
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.ids import Identifiers, authorization_id, request_of_authorization
from rolecall.wire import SERVICES, likely_service, match, models

pytestmark = pytest.mark.skipif("iam-toolbox" not in SERVICES, reason="the installed botocore has no model of it")

TAIL = re.compile(
    r" Go to https://us-east-1\.console\.aws\.amazon\.com/iam/home\?region=us-east-1#/authorization-details/([0-9a-z]+)"
    r" for complete details, or call the GetRequestAuthorizationDetails API with the following authorization id: (.*)"
)
LIMITS = f"arn:aws:iam::{ACCOUNT}:policy/limits"
HELPER = ["iam:GetRequestAuthorizationDetails", "iam:GetRequestAuthorizationPolicy"]
NAMED_DENY = statement("iam:DeleteUser", effect="Deny", Sid="NoDeleting")
ACCOUNTS = (
    account(
        policies=[{"name": "limits", "document": allow(["iam:*", "sts:*", "chime:List*"])}],
        users=[
            user("nobody"),
            user("helper", allow(HELPER)),
            user("limited", policy(statement("*"), NAMED_DENY), permissions_boundary=LIMITS),
        ],
        roles=[role("target", trust({"AWS": ACCOUNT}, Condition={"StringEquals": {"sts:ExternalId": "one"}}))],
    ),
    account(OTHER),
)
WORLD = declared(*ACCOUNTS)
NOT_FOUND = (404, "ResourceNotFoundException")


@pytest.fixture
def logged(make_world: Any) -> Iterator[tuple[Any, DecisionLog]]:
    world = make_world(WORLD)
    log = keep_log(world)
    yield world, log
    log.close()


def told_id(message: str) -> str:
    """The authorization id at the end of a refusal."""
    found = TAIL.search(message)
    assert found is not None, message
    assert found[1] == found[2]
    return found[1]


def details(world: Any, of: str, name: str = "helper", **more: Any) -> dict[str, Any]:
    answer = world.client("iam-toolbox", name, **more).get_request_authorization_details(authorizationId=of)
    answer.pop("ResponseMetadata")
    return answer  # type: ignore[no-any-return]


def failed(call: Any, **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert response["Error"]["Message"]
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def checks_of(evaluation: dict[str, Any]) -> list[tuple[str, str]]:
    return [(check["checkType"], check["evaluatedEffect"]) for check in evaluation["checks"]]


# The authorization id.


def test_a_refusal_of_iam_ends_with_its_authorization_id(logged: Any) -> None:
    world, _ = logged
    made, message = refused(world.client("iam", "nobody").list_users)
    assert told_id(message) == authorization_id(made)
    assert 24 <= len(authorization_id(made)) <= 25


@pytest.mark.parametrize(("service", "operation"), [("chime", "list_accounts"), ("sts", "get_access_key_info")])
def test_refusals_of_other_services_do_not(logged: Any, service: str, operation: str) -> None:
    world, _ = logged
    arguments = {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"} if service == "sts" else {}
    _, message = refused(getattr(world.client(service, "nobody"), operation), **arguments)
    assert "Go to" not in message


def test_refusals_of_iam_that_no_policy_made_do_not(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam").get_user, UserName="absent")
    assert message == "The user with name absent cannot be found."


def test_one_constant_switches_it_off(logged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = logged
    monkeypatch.setattr(authorization_ids, "ADDS_AUTHORIZATION_ID", False)
    _, message = refused(world.client("iam", "nobody").list_users)
    assert message.endswith("because no identity-based policy allows the iam:ListUsers action")


def test_an_authorization_id_is_a_request_id_in_other_letters() -> None:
    ids = Identifiers()
    for _ in range(200):
        made = ids.uuid()
        assert re.fullmatch(r"[0-9a-z]{25}", authorization_id(made))
        assert request_of_authorization(authorization_id(made)) == made
    assert request_of_authorization(authorization_id("00000000-0000-0000-0000-000000000001")) is not None


@pytest.mark.parametrize("text", ["", "a" * 24, "a" * 26, "A" * 25, "z" * 25, "-" * 25, "٣" * 25, " " + "a" * 24])
def test_invalid_authorization_ids(text: str) -> None:
    assert request_of_authorization(text) is None


# The details.


def test_details_of_an_implicit_deny(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "nobody").get_user, UserName="helper")
    found = details(world, told_id(message))
    assert found["requestContext"]["aws:username"] == "nobody"
    assert found["requestContext"]["aws:PrincipalArn"] == user_arn("nobody")
    [evaluation] = found["evaluations"]
    assert (evaluation["action"], evaluation["resource"]) == ("iam:GetUser", user_arn("helper"))
    assert evaluation["evaluatedEffect"] == "IMPLICIT_DENY"
    assert evaluation["checks"] == [
        {
            "checkType": "PRINCIPAL",
            "evaluatedEffect": "IMPLICIT_DENY",
            "relevantPolicyTypes": ["IDENTITY_BASED_POLICY"],
            "matchedPolicies": [],
        }
    ]
    assert found["policies"] == []


def test_an_explicit_deny_names_the_statement_and_its_policy(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "limited").delete_user, UserName="nobody")
    found = details(world, told_id(message))
    [evaluation] = found["evaluations"]
    assert evaluation["evaluatedEffect"] == "EXPLICIT_DENY"
    assert checks_of(evaluation) == [("PRINCIPAL", "EXPLICIT_DENY"), ("PERMISSIONS_BOUNDARY", "ALLOW")]
    inline, managed = found["policies"]
    assert (inline["type"], inline["inline"]) == ("IDENTITY_BASED_POLICY", True)
    assert managed == {
        "type": "PERMISSIONS_BOUNDARY",
        "inline": False,
        "uri": LIMITS,
        "attachedTo": [{"arn": user_arn("limited")}],
    }
    [matched] = evaluation["checks"][0]["matchedPolicies"]
    assert matched["uri"] == inline["uri"]
    assert {"sid": "NoDeleting", "evaluatedEffect": "DENY"} in matched["matchedStatements"]
    assert {"sid": "statement-0", "evaluatedEffect": "ALLOW"} in matched["matchedStatements"]


def test_every_service_can_be_asked_about(logged: Any) -> None:
    world, _ = logged
    made, _ = refused(world.client("chime", "limited").create_account, Name="x")
    [evaluation] = details(world, authorization_id(made))["evaluations"]
    assert (evaluation["action"], evaluation["resource"]) == ("chime:CreateAccount", "")
    assert checks_of(evaluation) == [("PRINCIPAL", "ALLOW"), ("PERMISSIONS_BOUNDARY", "IMPLICIT_DENY")]


def test_a_role_that_does_not_trust(logged: Any) -> None:
    world, _ = logged
    arguments = {"RoleArn": role_arn("target"), "RoleSessionName": "abc", "ExternalId": "two"}
    made, _ = refused(world.client("sts").assume_role, **arguments)
    found = details(world, authorization_id(made))
    [evaluation] = found["evaluations"]
    assert evaluation["context"] == {
        "aws:ResourceAccount": ACCOUNT,
        "sts:ExternalId": "two",
        "sts:RoleSessionName": "abc",
    }
    assert checks_of(evaluation) == [("RESOURCE", "IMPLICIT_DENY"), ("PRINCIPAL", "ALLOW")]
    [resource] = [each for each in found["policies"] if each["type"] == "RESOURCE_BASED_POLICY"]
    assert resource["attachedTo"] == [{"arn": role_arn("target")}]


def test_what_another_path_allowed_has_no_impact(make_world: Any) -> None:
    trusting = policy(
        {"Effect": "Allow", "Principal": {"AWS": user_arn("nobody")}, "Action": "sts:AssumeRole"},
    )
    world = make_world(
        declared(account(users=[user("nobody"), user("helper", allow(HELPER))], roles=[role("r", trusting)]))
    )
    log = keep_log(world)
    tags = [{"Key": "team", "Value": "blue"}]
    arguments = {"RoleArn": role_arn("r"), "RoleSessionName": "abc", "Tags": tags}
    made, _ = refused(world.client("sts", "nobody").assume_role, **arguments)
    allowed, denied = details(world, authorization_id(made))["evaluations"]
    assert (allowed["action"], allowed["evaluatedEffect"]) == ("sts:AssumeRole", "ALLOW")
    assert checks_of(allowed) == [("RESOURCE", "ALLOW"), ("PRINCIPAL", "NO_IMPACT")]
    assert (denied["action"], denied["evaluatedEffect"]) == ("sts:TagSession", "IMPLICIT_DENY")
    assert checks_of(denied) == [("RESOURCE", "IMPLICIT_DENY"), ("PRINCIPAL", "IMPLICIT_DENY")]
    assert allowed["context"]["aws:RequestTag/team"] == "blue"
    assert allowed["context"]["aws:TagKeys"] == ["team"]
    log.close()


def test_session_policies_and_their_absence(logged: Any) -> None:
    world, _ = logged
    sts = world.client("sts")
    narrow = sts.get_federation_token(Name="ana", Policy=json.dumps(allow("chime:GetUser")))["Credentials"]
    made, _ = refused(world.client("chime", credentials=narrow).list_accounts)
    [evaluation] = details(world, authorization_id(made))["evaluations"]
    assert checks_of(evaluation) == [("PRINCIPAL", "ALLOW"), ("SESSION", "IMPLICIT_DENY")]
    without = sts.get_federation_token(Name="ana")["Credentials"]
    made, _ = refused(world.client("chime", credentials=without).list_accounts)
    [evaluation] = details(world, authorization_id(made))["evaluations"]
    assert checks_of(evaluation) == [("PRINCIPAL", "ALLOW"), ("SESSION", "IMPLICIT_DENY")]


def organization(*targets: str) -> dict[str, Any]:
    control = {"name": "no-chime", "targets": list(targets), "document": deny("chime:*")}
    return {"id": "o-example1234", "service_control_policies": [control]}


def test_an_organization_is_checked_level_by_level(make_world: Any) -> None:
    world = make_world(declared(*ACCOUNTS, organization=organization(ACCOUNT)))
    log = keep_log(world)
    made, _ = refused(world.client("chime").list_accounts)
    found = details(world, authorization_id(made))
    [evaluation] = found["evaluations"]
    assert checks_of(evaluation) == [
        ("SERVICE_CONTROL_POLICY", "ALLOW"),
        ("SERVICE_CONTROL_POLICY", "EXPLICIT_DENY"),
        ("PRINCIPAL", "ALLOW"),
    ]
    root, of_account = (check["targetArn"] for check in evaluation["checks"][:2])
    assert root.endswith(":root/o-example1234/r-exam")
    assert of_account.endswith(f":account/o-example1234/{ACCOUNT}")
    full, own = (policy for policy in found["policies"] if policy["type"] == "SERVICE_CONTROL_POLICY")
    assert full["uri"] == "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    assert full["attachedTo"] == [{"arn": root}, {"arn": of_account}]
    assert own["attachedTo"] == [{"arn": of_account}]
    assert (full["inline"], own["inline"]) == (False, False)
    log.close()


# The policies.


def test_a_policy_is_shown_as_it_was(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "limited").delete_user, UserName="nobody")
    of = told_id(message)
    iam = world.client("iam")
    iam.put_user_policy(UserName="limited", PolicyName="policy-0", PolicyDocument=json.dumps(allow("iam:*")))
    iam.create_policy_version(PolicyArn=LIMITS, PolicyDocument=json.dumps(deny("*")), SetAsDefault=True)
    toolbox = world.client("iam-toolbox", "helper")
    documents = [
        toolbox.get_request_authorization_policy(authorizationId=of, policyUri=each["uri"])["policyDocument"]
        for each in details(world, of)["policies"]
    ]
    assert documents == [policy(statement("*"), NAMED_DENY), allow(["iam:*", "sts:*", "chime:List*"])]


@pytest.mark.parametrize("uri", ["nothing", "arn:aws:iam::aws:policy/AdministratorAccess", "inline-0"])
def test_a_policy_that_was_not_evaluated_is_not_shown(logged: Any, uri: str) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "limited").delete_user, UserName="nobody")
    toolbox = world.client("iam-toolbox", "helper")
    assert (
        failed(toolbox.get_request_authorization_policy, authorizationId=told_id(message), policyUri=uri) == NOT_FOUND
    )


# Who may ask for which refusals.


def test_each_operation_needs_its_permission(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "nobody").list_users)
    of = told_id(message)
    toolbox = world.client("iam-toolbox", "nobody")
    for call, action, arguments in (
        (toolbox.get_request_authorization_details, HELPER[0], {}),
        (toolbox.get_request_authorization_policy, HELPER[1], {"policyUri": "x"}),
    ):
        with pytest.raises(ClientError) as caught:
            call(authorizationId=of, **arguments)
        error = caught.value.response["Error"]
        assert error["Code"] == "AccessDeniedException"
        assert error["Message"].startswith(f"User: {user_arn('nobody')} is not authorized to perform: {action} because")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_another_account_sees_nothing(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "nobody").list_users)
    toolbox = world.client("iam-toolbox", "other_admin")
    of = told_id(message)
    assert failed(toolbox.get_request_authorization_details, authorizationId=of) == NOT_FOUND
    assert failed(toolbox.get_request_authorization_policy, authorizationId=of, policyUri="x") == NOT_FOUND


def test_the_same_organization_sees_it(make_world: Any) -> None:
    world = make_world(declared(*ACCOUNTS, organization=organization(OTHER)))
    log = keep_log(world)
    made, _ = refused(world.client("iam", "nobody").list_users)
    assert details(world, authorization_id(made), "other_admin")["evaluations"]
    log.close()


# Everything of the second account's role that a caller of the first account must not read.
SECRETS = ("SecretSid", "secret-external-id", "secret-tag")


def guarded_role() -> dict[str, Any]:
    """A role with a trust policy and a tag that hold secrets."""
    asked = {"Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    unless = {"StringNotEquals": {"sts:ExternalId": "secret-external-id"}}
    trusting = policy(
        {"Sid": "SecretSid", "Effect": "Deny", **asked, "Condition": unless},
        {"Sid": "SecretSidToo", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"},
    )
    return role("guarded", trusting, tags={"owner": "secret-tag"})


@pytest.mark.parametrize("together", [False, True])
def test_another_accounts_policies_and_tags_stay_its_own(make_world: Any, together: bool) -> None:
    """What a refusal shows the caller's account of the role's side: the effect, and nothing that led to it. Within one
    organization AWS names policies of other accounts.
    """
    users = [user("reader", allow("*"))]
    more = {"organization": organization(OTHER)} if together else {}
    world = make_world(declared(account(users=users), account(OTHER, roles=[guarded_role()]), **more))
    log = keep_log(world)
    assume = world.client("sts", "reader").assume_role
    made, _ = refused(assume, RoleArn=role_arn("guarded", OTHER), RoleSessionName="abc")
    of = authorization_id(made)
    found = details(world, of, "reader")
    [evaluation] = found["evaluations"]
    assert ("RESOURCE", "EXPLICIT_DENY") in checks_of(evaluation)
    toolbox = world.client("iam-toolbox", "reader")
    documents = [
        toolbox.get_request_authorization_policy(authorizationId=of, policyUri=each["uri"])["policyDocument"]
        for each in found["policies"]
    ]
    explained = json.loads(log.details(made).explanation)
    told = world.client("sts", "reader").decode_authorization_message(EncodedMessage=explained["encoded_message"])
    assert json.loads(told["DecodedMessage"])["explicitDeny"]
    decoded = [secret for secret in SECRETS if secret in told["DecodedMessage"]]
    read = [secret for secret in SECRETS if secret in json.dumps([found, documents], default=str)]
    assert (decoded, read) == ((list(SECRETS), list(SECRETS)) if together else ([], []))
    [trusted] = [each for each in explained["policies"] if each["kind"] == "trust"]
    if not together:
        asked = {"authorizationId": of, "policyUri": trusted["uri"]}
        assert failed(toolbox.get_request_authorization_policy, **asked) == NOT_FOUND
    # The log is for the people who run the sandbox. It shows the whole reason.
    assert all(secret in json.dumps(explained) for secret in ("SecretSid", "secret-tag"))
    log.close()


def test_another_region_shows_nothing(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "nobody").list_users)
    toolbox = world.client("iam-toolbox", "helper", region="eu-west-1")
    assert failed(toolbox.get_request_authorization_details, authorizationId=told_id(message)) == NOT_FOUND


def test_after_a_day_the_details_are_gone(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "nobody").list_users)
    of = told_id(message)
    world.clock.advance(24 * 3600 - 60)
    assert details(world, of)["evaluations"]
    world.clock.advance(120)
    toolbox = world.client("iam-toolbox", "helper")
    assert failed(toolbox.get_request_authorization_details, authorizationId=of) == NOT_FOUND


def test_calls_that_were_not_refused_have_no_details(logged: Any) -> None:
    world, _ = logged
    made = world.client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"]
    unauthenticated, _ = refused(world.client("sts", keys=("nobody_at_all", "secret")).get_caller_identity)
    toolbox = world.client("iam-toolbox", "helper")
    for request_id in (made, unauthenticated):
        arguments = {"authorizationId": authorization_id(request_id)}
        assert failed(toolbox.get_request_authorization_details, **arguments) == NOT_FOUND


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ("0" * 25, NOT_FOUND),
        ("a", NOT_FOUND),
        ("z" * 256, NOT_FOUND),
        ("z" * 257, (400, "ValidationException")),
        ("UPPER", (400, "ValidationException")),
        ("a b", (400, "ValidationException")),
        ("..", (400, "ValidationException")),
    ],
)
def test_ids_that_name_nothing(logged: Any, of: str, expected: tuple[int, str]) -> None:
    world, _ = logged
    toolbox = world.client("iam-toolbox", "helper")
    assert failed(toolbox.get_request_authorization_details, authorizationId=of) == expected


def test_a_page_that_was_never_announced_is_refused(logged: Any) -> None:
    world, _ = logged
    _, message = refused(world.client("iam", "nobody").list_users)
    toolbox = world.client("iam-toolbox", "helper")
    arguments = {"authorizationId": told_id(message), "nextToken": "x"}
    assert failed(toolbox.get_request_authorization_details, **arguments) == (400, "ValidationException")


def test_a_sandbox_without_a_log_finds_nothing(make_world: Any) -> None:
    world = make_world(WORLD)
    _, message = refused(world.client("iam", "nobody").list_users)
    toolbox = world.client("iam-toolbox", "helper")
    assert failed(toolbox.get_request_authorization_details, authorizationId=told_id(message)) == NOT_FOUND


@pytest.mark.parametrize("signing_name", ["iam", ""])
def test_host_and_path_lead_to_the_toolbox(signing_name: str) -> None:
    def asked(host: str, path: str, query: str = "") -> str:
        request = HttpRequest("GET", path, query, {"host": host}, b"")
        try:
            target = match(request, signing_name)
        except AwsError as error:
            return f"{likely_service(request, signing_name)} {error.code}"
        return f"{target.service.name} {target.operation.name}"

    own, other = "IAM-toolbox.us-east-1.amazonaws.com", "127.0.0.1:4580"
    for host in (own, other):
        assert asked(host, "/authorization-details/a") == "iam-toolbox GetRequestAuthorizationDetails"
        assert asked(host, "/authorization-details/a/policy") == "iam-toolbox GetRequestAuthorizationPolicy"
        assert asked(host, "/authorization-details/a/b") == "iam-toolbox InvalidAction"
    list_users = "Action=ListUsers&Version=2010-05-08"
    assert asked(own, "/", list_users) == "iam-toolbox InvalidAction"
    assert asked(other, "/", list_users) == "iam ListUsers"


def test_chime_has_no_such_path() -> None:
    request = HttpRequest("GET", "/authorization-details/a", "", {"host": "127.0.0.1"}, b"")
    with pytest.raises(AwsError, match="InvalidAction"):
        match(request, "chime")


def test_a_federated_user_may_not_ask(logged: Any) -> None:
    world, _ = logged
    issued = world.client("sts").get_federation_token(Name="ana", Policy=json.dumps(allow("*")))["Credentials"]
    toolbox = world.client("iam-toolbox", credentials=issued)
    found = failed(toolbox.get_request_authorization_details, authorizationId="0" * 25)
    assert found == (403, "UnrecognizedClientException")


# A botocore without the model.


def test_without_its_model_the_toolbox_is_as_unknown_as_any_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(models, "_data_folder", lambda: tmp_path)
    assert models._absent() == {"iam-toolbox", "signin"}
    monkeypatch.setattr(models, "_data_folder", lambda: None)
    assert models._absent() == frozenset()
