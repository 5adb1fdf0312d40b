"""Which credentials may call which operation: every kind of caller, every operation, whatever the policies allow."""

from __future__ import annotations

from typing import Any

import pytest
from sts_calls import (
    ACCOUNT,
    READ_ONLY,
    account,
    allow,
    answered,
    declared,
    deny,
    not_authorized,
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

EVERYTHING = allow("*")
TARGET = role_arn("target")
PARAMETERS: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": TARGET, "RoleSessionName": "session"},
    "GetSessionToken": {},
    "GetFederationToken": {"Name": "fed"},
    "GetCallerIdentity": {},
    "GetAccessKeyInfo": {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"},
    "DecodeAuthorizationMessage": {"EncodedMessage": "message"},
    "ListUsers": {},
    "ListAccounts": {},
}
SERVICES = {"ListUsers": "iam", "ListAccounts": "chime"}
NO_MESSAGE = (400, "InvalidAuthorizationMessageException", "Message is not valid")
INVALID = (403, "InvalidClientTokenId", "The security token included in the request is invalid")
NO_ROOT = (403, "AccessDenied", "Roles may not be assumed by root accounts.")


def no_session(operation: str) -> tuple[int, str, str]:
    return 403, "AccessDenied", f"Cannot call {operation} with session credentials"


# Kind of caller -> operation -> the error; everything else is allowed.
EXPECTED: dict[str, dict[str, Any]] = {
    "user": {"DecodeAuthorizationMessage": NO_MESSAGE},
    "root user": {"AssumeRole": NO_ROOT, "DecodeAuthorizationMessage": NO_MESSAGE},
    "role session": {
        "GetSessionToken": no_session("GetSessionToken"),
        "GetFederationToken": no_session("GetFederationToken"),
        "DecodeAuthorizationMessage": NO_MESSAGE,
    },
    "user's session": {
        **{name: no_session(name) for name in ("GetSessionToken", "GetFederationToken")},
        **{name: no_session(name) for name in ("GetAccessKeyInfo", "DecodeAuthorizationMessage")},
        "ListUsers": INVALID,
    },
    "root user's session": {
        "AssumeRole": NO_ROOT,
        **{name: no_session(name) for name in ("GetSessionToken", "GetFederationToken")},
        **{name: no_session(name) for name in ("GetAccessKeyInfo", "DecodeAuthorizationMessage")},
        "ListUsers": INVALID,
    },
    "federated user": {
        **{name: no_session(name) for name in ("AssumeRole", "GetSessionToken", "GetFederationToken")},
        **{name: no_session(name) for name in ("GetAccessKeyInfo", "DecodeAuthorizationMessage")},
        "ListUsers": INVALID,
    },
}
EXPECTED["root user's federated user"] = EXPECTED["federated user"]


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    roles = [role("target", trust(root_arn())), role("everything", trust(root_arn()), EVERYTHING)]
    users = [user("ana", EVERYTHING), user("denied", deny("*")), user("nobody")]
    return make_shared_world(declared(account(users=users, roles=roles)))


def client_of(world: Any, kind: str, service: str) -> Any:
    """A client with credentials of this kind. Its policies allow everything."""
    if kind == "user":
        return world.client(service, "ana")
    if kind == "root user":
        return world.client(service, root_user())
    owner = world.client("sts", root_user() if kind.startswith("root") else "ana")
    if kind == "role session":
        answer = owner.assume_role(RoleArn=role_arn("everything"), RoleSessionName="session")
    elif kind.endswith("session"):
        answer = owner.get_session_token()
    else:
        answer = owner.get_federation_token(
            Name="fed", PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}]
        )
    return world.client(service, credentials=answer["Credentials"])


@pytest.mark.parametrize("operation", PARAMETERS)
@pytest.mark.parametrize("kind", EXPECTED)
def test_who_may_call_what(worlds: Any, kind: str, operation: str) -> None:
    client = client_of(worlds, kind, SERVICES.get(operation, "sts"))
    assert answered(client, operation, **PARAMETERS[operation]) == EXPECTED[kind].get(operation, "allowed")


@pytest.mark.parametrize("name", ["nobody", "denied"])
def test_caller_identity_and_session_token_need_no_permission(worlds: Any, name: str) -> None:
    sts = worlds.client("sts", name)
    assert sts.get_caller_identity()["Arn"] == user_arn(name)
    session = worlds.client("sts", credentials=sts.get_session_token()["Credentials"])
    assert session.get_caller_identity()["Arn"] == user_arn(name)


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        ("AssumeRole", TARGET),
        ("GetFederationToken", f"arn:aws:sts::{ACCOUNT}:federated-user/fed"),
        ("GetAccessKeyInfo", ""),
        ("DecodeAuthorizationMessage", ""),
    ],
)
@pytest.mark.parametrize(
    ("name", "because"),
    [
        ("nobody", "because no identity-based policy allows the sts:{} action"),
        ("denied", "with an explicit deny in an identity-based policy"),
    ],
)
def test_the_others_need_one(worlds: Any, name: str, because: str, operation: str, resource: str) -> None:
    message = not_authorized(user_arn(name), f"sts:{operation}", resource, because.format(operation))
    assert refusal(worlds.client("sts", name), operation, **PARAMETERS[operation]) == (403, "AccessDenied", message)


def test_a_permission_on_one_federated_name_is_not_one_on_another(make_world: Any) -> None:
    own = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
    sts = make_world(declared(account(users=[user("ana", allow("sts:GetFederationToken", own))]))).client("sts", "ana")
    sts.get_federation_token(Name="fed")
    other = f"arn:aws:sts::{ACCOUNT}:federated-user/other"
    because = "because no identity-based policy allows the sts:GetFederationToken action"
    message = not_authorized(user_arn("ana"), "sts:GetFederationToken", other, because)
    assert refusal(sts, "GetFederationToken", Name="other") == (403, "AccessDenied", message)


def test_a_role_session_without_the_permission_may_not_chain(make_world: Any) -> None:
    roles = [role("target", trust(root_arn())), role("reader", trust(root_arn()), attached_policies=[READ_ONLY])]
    world = make_world(declared(account(roles=roles)))
    sts = world.client("sts", credentials=world.assume("reader"))
    because = "because no identity-based policy allows the sts:AssumeRole action"
    message = not_authorized(session_arn("reader"), "sts:AssumeRole", TARGET, because)
    assert refusal(sts, "AssumeRole", **PARAMETERS["AssumeRole"]) == (403, "AccessDenied", message)


def test_tags_of_a_federated_user_need_a_permission_of_their_own(make_world: Any) -> None:
    name = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
    both = {"Version": "2012-10-17", "Statement": [statement(["sts:GetFederationToken", "sts:TagSession"], name)]}
    users = [user("plain", allow("sts:GetFederationToken", name)), user("tagger", both)]
    world = make_world(declared(account(users=users)))
    tags = [{"Key": "team", "Value": "blue"}]
    because = "because no identity-based policy allows the sts:TagSession action"
    message = not_authorized(user_arn("plain"), "sts:TagSession", name, because)
    assert refusal(world.client("sts", "plain"), "GetFederationToken", Name="fed", Tags=tags) == (
        403,
        "AccessDenied",
        message,
    )
    world.client("sts", "plain").get_federation_token(Name="fed")
    world.client("sts", "tagger").get_federation_token(Name="fed", Tags=tags)
