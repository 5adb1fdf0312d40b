"""The rights of a session over its life: session policies, changes, revocation, expiry, deleted keys and owners."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sts_calls import (
    ACCOUNT,
    READ_ONLY,
    UNCHECKED,
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
    root_user,
    session_arn,
    statement,
    trust,
    user,
    user_arn,
)

from rolecall.app import add_sealing_key
from rolecall.clock import iso8601

FED_ARN = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
ABSENT = {"AccountId": "00000000-0000-4000-8000-000000000000"}
READ_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/read"
WORDS = {"identity": "identity-based policy", "session": "session policy", "boundary": "permissions boundary"}
INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"


def refused(caller_arn: str, action: str, because: str) -> tuple[int, str, str]:
    """How Chime refuses."""
    return 403, "ForbiddenException", not_authorized(caller_arn, action, because=because)


def chime_of(world: Any, credentials: dict[str, Any]) -> Any:
    return world.client("chime", credentials=credentials)


def listed(world: Any, credentials: dict[str, Any]) -> Any:
    return answered(chime_of(world, credentials), "ListAccounts")


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    full = policy(statement(["chime:*", "sts:*"]), statement("chime:DeleteAccount", effect="Deny"))
    users = [user("ana", full), user("nobody")]
    roles = [role("operator", trust(root_arn()), full)]
    policies = [{"name": "read", "document": allow(["chime:List*", "chime:Get*"])}]
    return make_shared_world(declared(account(users=users, roles=roles, policies=policies)))


def opened(world: Any, kind: str, **parameters: Any) -> tuple[str, dict[str, Any]]:
    """The ARN and credentials of a session of ana's, or of the role that she assumed."""
    sts = world.client("sts", "ana")
    if kind == "role":
        answer = sts.assume_role(RoleArn=role_arn("operator"), RoleSessionName="session", **parameters)
        return session_arn("operator"), answer["Credentials"]
    return FED_ARN, sts.get_federation_token(Name="fed", **parameters)["Credentials"]


LISTING, GETTING, DELETING, OTHERS = "ListAccounts", "GetAccount", "DeleteAccount", "CreateAccount"
CALLS: dict[str, dict[str, Any]] = {LISTING: {}, GETTING: ABSENT, DELETING: ABSENT, OTHERS: {"Name": "Team"}}
# Session policies -> operation -> the layer that refuses; everything else is allowed.
INTERSECTIONS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "inline": (
        {"Policy": json.dumps(allow("chime:List*"))},
        {GETTING: "session", OTHERS: "session", DELETING: "explicit"},
    ),
    "inline for what the role lacks": (
        {"Policy": json.dumps(allow("iam:*"))},
        {LISTING: "session", GETTING: "session", OTHERS: "session", DELETING: "explicit"},
    ),
    "inline for everything": ({"Policy": json.dumps(allow("*"))}, {DELETING: "explicit"}),
    "managed by AWS": ({"PolicyArns": [{"arn": READ_ONLY}]}, {OTHERS: "session", DELETING: "explicit"}),
    "managed by the customer": ({"PolicyArns": [{"arn": READ_POLICY}]}, {OTHERS: "session", DELETING: "explicit"}),
    "inline and managed, united": (
        {"Policy": json.dumps(allow("chime:CreateAccount")), "PolicyArns": [{"arn": READ_ONLY}]},
        {DELETING: "explicit"},
    ),
    "a deny in one of several": (
        {"Policy": json.dumps(deny("chime:ListAccounts")), "PolicyArns": [{"arn": READ_ONLY}]},
        {LISTING: "explicit session", OTHERS: "session", DELETING: "explicit"},
    ),
    "on an ARN, which Chime never matches": (
        {"Policy": json.dumps(allow("chime:*", "arn:aws:chime::111122223333:account/*"))},
        {LISTING: "session", GETTING: "session", OTHERS: "session", DELETING: "explicit"},
    ),
}


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("name", INTERSECTIONS)
@pytest.mark.parametrize("kind", ["role", "federated"])
def test_session_policies_cut_and_never_add(worlds: Any, kind: str, name: str, operation: str) -> None:
    parameters, refusing = INTERSECTIONS[name]
    arn, credentials = opened(worlds, kind, **parameters)
    outcome = answered(chime_of(worlds, credentials), operation, **CALLS[operation])
    action = f"chime:{operation}"
    because = {
        "session": no_allow("session policy", action),
        "explicit": "with an explicit deny in an identity-based policy",
        "explicit session": "with an explicit deny in a session policy",
        None: "",
    }[refusing.get(operation)]
    if because:
        assert outcome == refused(arn, action, because)
    else:
        assert outcome == "allowed" or outcome[1] == "NotFoundException"


def test_a_role_session_without_a_policy_may_what_the_role_may(worlds: Any) -> None:
    assert listed(worlds, opened(worlds, "role")[1]) == "allowed"


@pytest.mark.parametrize("name", ["ana", "admin", root_user()])
def test_a_federated_session_without_a_policy_may_nothing(worlds: Any, name: str) -> None:
    credentials = worlds.client("sts", name).get_federation_token(Name="fed")["Credentials"]
    because = no_allow("session policy", "chime:ListAccounts")
    assert listed(worlds, credentials) == refused(FED_ARN, "chime:ListAccounts", because)
    assert worlds.client("sts", credentials=credentials).get_caller_identity()["Arn"] == FED_ARN


def test_a_federated_user_of_the_root_user_may_what_the_session_policy_says(worlds: Any) -> None:
    sts = worlds.client("sts", root_user())
    credentials = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("chime:ListAccounts")))["Credentials"]
    chime = chime_of(worlds, credentials)
    assert answered(chime, "ListAccounts") == "allowed"
    because = no_allow("session policy", "chime:GetAccount")
    assert refusal(chime, "GetAccount", **ABSENT) == refused(FED_ARN, "chime:GetAccount", because)


def test_a_federated_user_may_not_what_its_creator_may_not(make_world: Any) -> None:
    world = make_world(declared(account(users=[user("broker", allow("sts:GetFederationToken"))])))
    answer = world.client("sts", "broker").get_federation_token(Name="fed", Policy=json.dumps(allow("*")))
    because = no_allow("identity-based policy", "chime:ListAccounts")
    assert listed(world, answer["Credentials"]) == refused(FED_ARN, "chime:ListAccounts", because)


def test_a_session_token_has_the_rights_of_its_user(worlds: Any) -> None:
    for name, expected in (
        ("ana", "allowed"),
        (
            "nobody",
            refused(user_arn("nobody"), "chime:ListAccounts", no_allow(WORDS["identity"], "chime:ListAccounts")),
        ),
    ):
        assert listed(worlds, worlds.client("sts", name).get_session_token()["Credentials"]) == expected


# Changes apply to sessions that were opened before.


@pytest.fixture
def small(make_world: Any) -> Any:
    users = [user("ana", allow(["chime:*", "sts:*"]))]
    roles = [role("operator", trust(root_arn())), role("target", trust(root_arn()))]
    policies = [{"name": "session", "document": allow("chime:*")}]
    return make_world(
        declared(account(users=users, roles=roles, policies=policies), settings={"minimum_session_seconds": 1})
    )


def test_role_policies_act_on_live_sessions_at_once(small: Any) -> None:
    iam, credentials = small.client("iam"), small.assume("operator")
    arn, action = session_arn("operator"), "chime:ListAccounts"
    nothing = refused(arn, action, no_allow("identity-based policy", action))
    assert listed(small, credentials) == nothing
    iam.put_role_policy(RoleName="operator", PolicyName="own", PolicyDocument=json.dumps(allow("chime:*")))
    assert listed(small, credentials) == "allowed"
    iam.put_role_policy(RoleName="operator", PolicyName="own", PolicyDocument=json.dumps(deny("chime:*")))
    assert listed(small, credentials) == refused(arn, action, "with an explicit deny in an identity-based policy")
    iam.delete_role_policy(RoleName="operator", PolicyName="own")
    assert listed(small, credentials) == nothing
    iam.attach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    assert listed(small, credentials) == "allowed"
    iam.put_role_permissions_boundary(
        RoleName="operator", PermissionsBoundary="arn:aws:iam::aws:policy/IAMReadOnlyAccess"
    )
    assert listed(small, credentials) == refused(arn, action, no_allow("permissions boundary", action))
    iam.delete_role_permissions_boundary(RoleName="operator")
    assert listed(small, credentials) == "allowed"
    iam.detach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    assert listed(small, credentials) == nothing


def test_user_policies_act_on_live_sessions_at_once(small: Any) -> None:
    sts, iam = small.client("sts", "ana"), small.client("iam")
    own = sts.get_session_token()["Credentials"]
    federated = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("chime:*")))["Credentials"]
    assert listed(small, own) == listed(small, federated) == "allowed"
    iam.put_user_policy(UserName="ana", PolicyName="stop", PolicyDocument=json.dumps(deny("chime:*")))
    because = "with an explicit deny in an identity-based policy"
    assert listed(small, own) == refused(user_arn("ana"), "chime:ListAccounts", because)
    assert listed(small, federated) == refused(FED_ARN, "chime:ListAccounts", because)


def test_a_trust_policy_that_changes_leaves_live_sessions_alone(small: Any) -> None:
    small.client("iam").attach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    credentials = small.assume("operator")
    document = json.dumps(trust("999999999999"))
    small.client("iam").update_assume_role_policy(RoleName="operator", PolicyDocument=document)
    assert listed(small, credentials) == "allowed"
    again = answered(small.client("sts"), "AssumeRole", RoleArn=role_arn("operator"), RoleSessionName="session")
    assert again[1] == "AccessDenied"


def test_a_new_version_of_a_managed_session_policy_holds_at_once(small: Any) -> None:
    iam, arn = small.client("iam"), f"arn:aws:iam::{ACCOUNT}:policy/session"
    iam.attach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    credentials = small.assume("operator", PolicyArns=[{"arn": arn}])
    assert listed(small, credentials) == "allowed"
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("iam:*")), SetAsDefault=True)
    nothing = refused(session_arn("operator"), "chime:ListAccounts", no_allow("session policy", "chime:ListAccounts"))
    assert listed(small, credentials) == nothing
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy(PolicyArn=arn)
    assert listed(small, credentials) == nothing


def test_older_sessions_are_revoked_by_their_time_of_issue(small: Any) -> None:
    iam = small.client("iam")
    iam.attach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    old = small.assume("operator")
    small.clock.advance(60)
    moment = iso8601(small.clock.now_seconds())
    revocation = deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": moment}})
    iam.put_role_policy(RoleName="operator", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(revocation))
    small.clock.advance(60)
    because = "with an explicit deny in an identity-based policy"
    assert listed(small, old) == refused(session_arn("operator"), "chime:ListAccounts", because)
    assert listed(small, small.assume("operator")) == "allowed"


# Deleted owners and keys.


def test_a_role_that_is_deleted_and_made_again_is_another(small: Any) -> None:
    iam = small.client("iam")
    credentials = small.assume("operator")
    before = small.client("sts", credentials=credentials).get_caller_identity()
    iam.delete_role(RoleName="operator")
    gone = (403, "InvalidClientTokenId", INVALID)
    assert refusal(small.client("sts", credentials=credentials), "GetCallerIdentity") == gone
    made = iam.create_role(RoleName="operator", AssumeRolePolicyDocument=json.dumps(trust(root_arn())))["Role"]
    iam.attach_role_policy(RoleName="operator", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert refusal(small.client("sts", credentials=credentials), "GetCallerIdentity") == gone
    assert refusal(small.client("iam", credentials=credentials), "ListUsers") == gone
    assert listed(small, credentials) == (403, "UnrecognizedClientException", INVALID)
    again = small.client("sts", credentials=small.assume("operator")).get_caller_identity()
    assert again["Arn"] == before["Arn"]
    assert again["UserId"] == f"{made['RoleId']}:session" != before["UserId"]


def test_sessions_of_a_user_end_with_the_user(small: Any) -> None:
    sts, iam = small.client("sts", "ana"), small.client("iam")
    own = sts.get_session_token()["Credentials"]
    federated = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("*")))["Credentials"]
    iam.delete_access_key(UserName="ana", AccessKeyId="ana_key_for_tests")
    # Deleting the key ends the key's own calls, not the sessions that it opened.
    assert refusal(sts, "GetCallerIdentity") == (403, "InvalidClientTokenId", INVALID)
    assert listed(small, own) == listed(small, federated) == "allowed"
    iam.delete_user_policy(UserName="ana", PolicyName="policy-0")
    iam.delete_user(UserName="ana")
    iam.create_user(UserName="ana")
    for credentials in (own, federated):
        gone = refusal(small.client("sts", credentials=credentials), "GetCallerIdentity")
        assert gone == (403, "InvalidClientTokenId", INVALID)


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("sts", "GetCallerIdentity", "InvalidClientTokenId"),
        ("iam", "ListUsers", "InvalidClientTokenId"),
        ("chime", "ListAccounts", "UnrecognizedClientException"),
    ],
)
def test_keys_that_are_inactive_or_deleted(small: Any, service: str, operation: str, code: str) -> None:
    iam = small.client("iam")
    iam.attach_user_policy(UserName="ana", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    client = small.client(service, "ana")
    assert answered(client, operation) == "allowed"
    key = {"UserName": "ana", "AccessKeyId": "ana_key_for_tests"}
    iam.update_access_key(**key, Status="Inactive")
    assert refusal(client, operation) == (403, code, INVALID)
    iam.update_access_key(**key, Status="Active")
    assert answered(client, operation) == "allowed"
    iam.delete_access_key(**key)
    assert refusal(client, operation) == (403, code, INVALID)


def test_rotating_the_key_ring_keeps_live_sessions(small: Any) -> None:
    small.client("iam").attach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    old = small.assume("operator")
    add_sealing_key(small.database, small.clock)
    new = small.assume("operator")
    assert listed(small, old) == listed(small, new) == "allowed"


# Expiry.

OPENINGS = ["role", "session token", "federated", "chained"]


def short_lived(world: Any, kind: str) -> dict[str, Any]:
    """Credentials that last 900 seconds."""
    sts = world.client("sts", "ana")
    if kind == "session token":
        return dict(sts.get_session_token(DurationSeconds=900)["Credentials"])
    if kind == "federated":
        return dict(
            sts.get_federation_token(Name="fed", Policy=json.dumps(allow("*")), DurationSeconds=900)["Credentials"]
        )
    if kind == "chained":
        sts = world.client("sts", credentials=sts.get_session_token()["Credentials"])
    call = {"RoleArn": role_arn("operator"), "RoleSessionName": "session", "DurationSeconds": 900}
    return dict(sts.assume_role(**call)["Credentials"])


@pytest.mark.parametrize("kind", OPENINGS)
def test_a_session_expires_to_the_second(small: Any, kind: str) -> None:
    small.clock.set(1_900_000_000)
    small.clock.freeze()
    small.client("iam").attach_role_policy(RoleName="operator", PolicyArn=READ_ONLY)
    credentials = short_lived(small, kind)
    assert credentials["Expiration"].timestamp() == 1_900_000_900
    sts = small.client("sts", credentials=credentials)
    small.clock.advance(899)
    assert answered(sts, "GetCallerIdentity") == "allowed"
    assert listed(small, credentials) == "allowed"
    small.clock.advance(1)
    assert refusal(sts, "GetCallerIdentity") == (403, "ExpiredToken", EXPIRED)
    assert refusal(small.client("iam", credentials=credentials), "ListUsers") == (403, "ExpiredToken", EXPIRED)
    assert listed(small, credentials) == (403, "ExpiredTokenException", EXPIRED)
    small.clock.advance(-1)
    assert answered(sts, "GetCallerIdentity") == "allowed"


def test_an_expired_session_can_open_no_other(small: Any) -> None:
    sts = small.client("sts", credentials=short_lived(small, "session token"))
    small.clock.advance(901)
    call = {"RoleArn": role_arn("target"), "RoleSessionName": "session"}
    assert refusal(sts, "AssumeRole", **call) == (403, "ExpiredToken", EXPIRED)


def test_a_chained_session_outlives_the_session_that_opened_it(small: Any) -> None:
    first = short_lived(small, "session token")
    sts = small.client("sts", credentials=first)
    second = sts.assume_role(RoleArn=role_arn("target"), RoleSessionName="session")["Credentials"]
    small.clock.advance(901)
    assert refusal(sts, "GetCallerIdentity") == (403, "ExpiredToken", EXPIRED)
    later = small.client("sts", credentials=second)
    assert later.get_caller_identity()["Arn"] == session_arn("target")


def test_sessions_may_be_shorter_where_the_sandbox_says_so(make_world: Any) -> None:
    text = declared(account(roles=[role("target", trust(root_arn()))]), settings={"minimum_session_seconds": 60})
    world = make_world(text)
    world.clock.freeze()
    sts = world.client("sts", config=UNCHECKED)
    calls: dict[str, dict[str, Any]] = {
        "AssumeRole": {"RoleArn": role_arn("target"), "RoleSessionName": "session"},
        "GetSessionToken": {},
        "GetFederationToken": {"Name": "fed"},
    }
    for operation, parameters in calls.items():
        assert answered(sts, operation, **parameters, DurationSeconds=60) == "allowed"
        too_short = refusal(sts, operation, **parameters, DurationSeconds=59)
        assert too_short[:2] == (400, "ValidationError")
    credentials = sts.get_session_token(DurationSeconds=60)["Credentials"]
    assert credentials["Expiration"].timestamp() == int(world.clock.now_seconds()) + 60
    world.clock.advance(61)
    expired = refusal(world.client("sts", credentials=credentials), "GetCallerIdentity")
    assert expired == (403, "ExpiredToken", EXPIRED)


def test_sessions_are_no_shorter_than_on_aws_by_default(small: Any, make_world: Any) -> None:
    world = make_world(declared(account()))
    assert refusal(world.client("sts", config=UNCHECKED), "GetSessionToken", DurationSeconds=899)[:2] == (
        400,
        "ValidationError",
    )
    assert answered(small.client("sts", config=UNCHECKED), "GetSessionToken", DurationSeconds=1) == "allowed"
    assert refusal(small.client("sts", config=UNCHECKED), "GetSessionToken", DurationSeconds=0)[:2] == (
        400,
        "ValidationError",
    )
