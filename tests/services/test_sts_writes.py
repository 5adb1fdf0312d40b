"""Issuing writes nothing: the effect of each operation of STS on the database, seen by the database's driver."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from mfa_calls import enabled_device
from saml_calls import ATTRIBUTES, idp
from sts_calls import ACCOUNT, OTHER, account, allow, answered, declared, refusal, role, role_arn, root_arn, trust, user
from web_identity_calls import claims, federated, provider, provider_arn, token
from world_handle import WorldHandle

from rolecall.wire import load_service
from rolecall.worlds.declare import read_world

SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
AUDIT = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
EVERY_WAY = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
# Statements that change nothing.
READING = ("SELECT", "BEGIN", "COMMIT", "ROLLBACK", "PRAGMA", "SAVEPOINT", "RELEASE")

pytestmark = pytest.mark.sqlite_driver


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorldHandle]:
    folder: Path = tmp_path_factory.mktemp("keys")
    first = account(
        users=[user("ana", allow("*"))],
        roles=[
            role("plain", trust(root_arn(), EVERY_WAY), allow("*")),
            role("web", federated(provider_arn()), allow("*")),
            role("saml", trust({"Federated": SAML}, "sts:AssumeRoleWithSAML"), allow("*")),
        ],
        oidc_providers=[provider(folder)],
    )
    organization = {"id": "o-example1234", "management_account": ACCOUNT, "features": ["RootSessions"]}
    handle = WorldHandle(read_world(declared(first, account(OTHER), organization=organization), str(folder)))
    iam = handle.client("iam")
    iam.create_saml_provider(Name="idp", SAMLMetadataDocument=idp().metadata)
    iam.enable_outbound_web_identity_federation()
    yield handle
    handle.close()


@contextmanager
def changes(world: WorldHandle) -> Iterator[list[str]]:
    """The statements in that time that change something, from any sender."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if not statement.lstrip().upper().startswith(READING):
            seen.append(statement)

    with world.database.snapshot() as connection:
        driver: Any = connection.connection.driver_connection
    before = driver.total_changes
    driver.set_trace_callback(note)
    try:
        yield seen
    finally:
        driver.set_trace_callback(None)
    assert bool(seen) == (driver.total_changes > before)


def assumption(session: str = "session") -> dict[str, Any]:
    tags = [{"Key": "team", "Value": "core"}]
    return {
        "RoleArn": role_arn("plain"),
        "RoleSessionName": session,
        "Tags": tags,
        "TransitiveTagKeys": ["team"],
        "SourceIdentity": "ana",
        "Policy": json.dumps(allow("*")),
    }


def web_identity(world: WorldHandle) -> dict[str, Any]:
    text = token(**claims(world.clock.now_seconds()))
    return {"RoleArn": role_arn("web"), "RoleSessionName": "session", "WebIdentityToken": text}


def saml(world: WorldHandle) -> dict[str, Any]:
    named = {f"{ATTRIBUTES}Role": f"{role_arn('saml')},{SAML}"}
    response = idp().response(float(int(world.clock.now_seconds())), named)
    return {"RoleArn": role_arn("saml"), "PrincipalArn": SAML, "SAMLAssertion": response}


CALLS: dict[str, Callable[[WorldHandle], dict[str, Any]]] = {
    "AssumeRole": lambda _world: assumption(),
    "AssumeRoleWithSAML": saml,
    "AssumeRoleWithWebIdentity": web_identity,
    "AssumeRoot": lambda _world: {"TargetPrincipal": OTHER, "TaskPolicyArn": {"arn": AUDIT}},
    "DecodeAuthorizationMessage": lambda _world: {"EncodedMessage": "x"},
    "GetAccessKeyInfo": lambda _world: {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"},
    "GetCallerIdentity": lambda _world: {},
    "GetDelegatedAccessToken": lambda _world: {"TradeInToken": "x"},
    "GetFederationToken": lambda _world: {"Name": "ana", "Policy": json.dumps(allow("*"))},
    "GetScopedCredentials": lambda _world: {"Policy": json.dumps(allow("*")), "DurationSeconds": 60},
    "GetSessionToken": lambda _world: {},
    "GetWebIdentityToken": lambda _world: {"Audience": ["app"], "SigningAlgorithm": "ES384"},
}
# These only get invalid input here, which they refuse. Other things that they write are state that AWS keeps.
REFUSED = {"DecodeAuthorizationMessage", "GetDelegatedAccessToken"}


def test_every_operation_is_asked() -> None:
    assert set(CALLS) == set(load_service("sts").operation_names)


@pytest.mark.parametrize("operation", sorted(CALLS))
def test_answering_writes_nothing(world: WorldHandle, operation: str) -> None:
    parameters = CALLS[operation](world)
    sts = world.client("sts", "ana")
    if operation == "GetScopedCredentials":
        sts = world.client("sts", credentials=sts.get_session_token()["Credentials"])
    with changes(world) as seen:
        answer = answered(sts, operation, **parameters)
    assert (answer == "allowed") == (operation not in REFUSED), answer
    assert seen == []


@pytest.mark.parametrize("operation", ["AssumeRole", "GetFederationToken", "GetSessionToken"])
def test_refusing_writes_nothing(world: WorldHandle, operation: str) -> None:
    session = world.client("sts", "ana").get_session_token()["Credentials"]
    sts = world.client("sts", credentials=session)
    parameters = CALLS[operation](world)
    with changes(world) as seen:
        refusal(
            sts, operation, **{**parameters, **({"RoleArn": role_arn("nobody")} if "RoleArn" in parameters else {})}
        )
    assert seen == []


def test_credentials_of_every_kind_are_used_without_writing(world: WorldHandle) -> None:
    sts = world.client("sts", "ana")
    issued = [sts.assume_role(**assumption())["Credentials"], sts.get_session_token()["Credentials"]]
    with changes(world) as seen:
        for credentials in issued:
            world.client("sts", credentials=credentials).get_caller_identity()
        world.client("sts", credentials=issued[0]).assume_role(RoleArn=role_arn("plain"), RoleSessionName="again")
    assert seen == []


@pytest.mark.parametrize("operation", ["AssumeRole", "GetSessionToken"])
def test_a_code_of_mfa_is_used_up_and_nothing_else_is_written(make_world: Any, operation: str) -> None:
    roles = [role("plain", trust(root_arn(), EVERY_WAY), allow("*"))]
    made = make_world(declared(account(users=[user("ana", allow("*"))], roles=roles)))
    device = enabled_device(made, made.client("iam"), "ana")
    parameters = {**(assumption() if operation == "AssumeRole" else {}), **device.proof()}
    sts = made.client("sts", "ana")
    with changes(made) as seen:
        assert answered(sts, operation, **parameters) == "allowed"
    assert len(seen) == 1
    assert seen[0].startswith("UPDATE mfa_code_uses SET ")
