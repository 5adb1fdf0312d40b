"""GetWebIdentityToken about the identity behind a session: SubjectMode, Scope, their permissions and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jwt
import pytest
from sts_calls import (
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    policy,
    refusal,
    role,
    role_arn,
    root_arn,
    statement,
    trust,
)
from web_identity_calls import HOST, ISSUER, federated, provider, provider_arn, request, token
from world_handle import WorldHandle

from rolecall.worlds.declare import read_world

OPERATION = "GetWebIdentityToken"
AUDIENCE = "https://api.example.com"
ASKED = {"Audience": [AUDIENCE], "SigningAlgorithm": "ES384"}
ORIGIN = {**ASKED, "SubjectMode": "OriginIdentity"}
NAMESPACE = "https://sts.amazonaws.com/"
READER = policy(
    statement("sts:GetWebIdentityToken"),
    statement(
        "sts:SetWebIdentityTokenScope",
        Condition={"ForAllValues:StringEquals": {"sts:IdentityTokenScope": ["read", "list"]}},
    ),
)
IN_NAME = {"Condition": {"StringEquals": {"sts:SubjectMode": "OriginIdentity"}}}
AS_ITSELF = {"Condition": {"StringEquals": {"sts:SubjectMode": "AWSIdentity"}}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("providers")
    trusting = federated(provider_arn())
    roles = [
        role("open", trusting, allow("*")),
        role("plain", trusting, allow("sts:GetWebIdentityToken")),
        role("reader", trusting, READER),
        role("in_name", trusting, allow("sts:GetWebIdentityToken", **IN_NAME)),
        role("second", trust([role_arn("open"), root_arn()]), allow("*")),
        role("as_itself", trusting, allow("sts:GetWebIdentityToken", **AS_ITSELF)),
    ]
    mapped = provider(folder, ISSUER, context_provider={"subject": "user"})
    made = WorldHandle(read_world(declared(account(roles=roles, oidc_providers=[mapped])), str(folder)))
    made.client("iam").enable_outbound_web_identity_federation()
    yield made
    made.close()


def session(world: Any, name: str = "open", user: str = "ana") -> Any:
    answer = world.client("sts").assume_role_with_web_identity(**request(name, token(user=user)))
    return world.client("sts", credentials=answer["Credentials"], config=UNCHECKED)


def claims(client: Any, **parameters: Any) -> dict[str, Any]:
    text = client.get_web_identity_token(**{**ORIGIN, **parameters})["WebIdentityToken"]
    return jwt.decode(text, options={"verify_signature": False})  # type: ignore[no-any-return]


def test_a_token_about_the_identity_behind_the_session(world: Any) -> None:
    said = claims(session(world))
    assert (said["sub"], said["subject_mode"]) == ("ana", "OriginIdentity")
    assert "scope" not in said
    # "Whichever subject mode you use, the principal_id claim … contains the ARN of the principal".
    assert said[NAMESPACE]["principal_id"] == role_arn("open")


def test_the_default_is_a_token_about_the_principal(world: Any) -> None:
    for parameters in ({}, {"SubjectMode": "AWSIdentity"}):
        text = session(world).get_web_identity_token(**ASKED, **parameters)["WebIdentityToken"]
        said = jwt.decode(text, options={"verify_signature": False})
        assert said["sub"] == role_arn("open")
        assert "subject_mode" not in said
        assert "scope" not in said


def test_the_scope_is_copied_as_it_is(world: Any) -> None:
    assert claims(session(world), Scope="read READ a:b/c.d!")["scope"] == "read READ a:b/c.d!"


@pytest.mark.parametrize(
    ("name", "parameters", "may"),
    [
        ("plain", {}, True),
        ("plain", {"Scope": "read"}, False),
        ("reader", {"Scope": "read"}, True),
        ("reader", {"Scope": "list read"}, True),
        ("reader", {"Scope": "read write"}, False),
        ("reader", {"Scope": "READ"}, False),
        ("in_name", {}, True),
        ("in_name", {"SubjectMode": "AWSIdentity"}, False),
        ("as_itself", {}, False),
        ("as_itself", {"SubjectMode": "AWSIdentity"}, True),
        ("as_itself", {"SubjectMode": None}, True),
        ("in_name", {"SubjectMode": None}, False),
    ],
)
def test_permissions(world: Any, name: str, parameters: dict[str, Any], may: bool) -> None:
    given = {key: value for key, value in {**ORIGIN, **parameters}.items() if value is not None}
    told = answered(session(world, name), OPERATION, **given)
    assert told == "allowed" if may else told[:2] == (403, "AccessDenied")


def test_the_refusal_names_the_action(world: Any) -> None:
    status, code, message = refusal(session(world, "plain"), OPERATION, **ORIGIN, Scope="read")
    assert (status, code) == (403, "AccessDenied")
    assert "sts:SetWebIdentityTokenScope" in message


@pytest.mark.parametrize(
    "parameters",
    [
        {"Scope": "read", "SubjectMode": "AWSIdentity"},
        {"Scope": "read", "SubjectMode": None},
        {"Scope": "read", "Audience": [AUDIENCE, "other"]},
        {"Scope": "read read"},
        {"Scope": ""},
        {"Scope": " read"},
        {"Scope": "read "},
        {"Scope": "read  write"},
        {"Scope": 'read"'},
        {"Scope": "read,write"},
        {"Scope": "read\\write"},
        {"Scope": "réad"},
        {"Scope": "read\twrite"},
        {"Scope": "r" * 257},
        {"SubjectMode": "originidentity"},
        {"SubjectMode": ""},
    ],
)
def test_values_that_are_refused(world: Any, parameters: dict[str, Any]) -> None:
    given = {key: value for key, value in {**ORIGIN, **parameters}.items() if value is not None}
    assert answered(session(world), OPERATION, **given)[:2] == (400, "ValidationError")


def test_a_session_without_an_identity(world: Any) -> None:
    of_admin = world.client("sts").assume_role(RoleArn=role_arn("second"), RoleSessionName="session")["Credentials"]
    for client in (world.client("sts"), world.client("sts", credentials=of_admin)):
        assert answered(client, OPERATION, **ORIGIN)[:2] == (400, "ValidationError")
        assert answered(client, OPERATION, **ASKED) == "allowed"


@pytest.mark.parametrize(
    "user",
    [
        "arn:aws:iam::111122223333:user/ana",
        "ARN:x",
        " ana",
        "ana ",
        "ana\tben",
        "ana\u00a0ben",
        "ana\u2028ben",
        "ana\u200bben",
        "ana\u202eben",
    ],
)
def test_subjects_that_are_denied(world: Any, user: str) -> None:
    client = session(world, user=user)
    assert answered(client, OPERATION, **ORIGIN)[:2] == (403, "AccessDenied")
    # They are no fault of a token about the principal.
    assert answered(client, OPERATION, **ASKED) == "allowed"


@pytest.mark.parametrize("user", ["ana ben", "barn:x", "Änne", "a" * 255, "ana+1@example.com"])
def test_subjects_that_are_fine(world: Any, user: str) -> None:
    assert claims(session(world, user=user))["sub"] == user


def test_it_works_at_the_end_of_a_role_chain(world: Any) -> None:
    answer = session(world).assume_role(RoleArn=role_arn("second"), RoleSessionName="session")
    said = claims(world.client("sts", credentials=answer["Credentials"]))
    assert (said["sub"], said[NAMESPACE]["principal_id"]) == ("ana", role_arn("second"))
    assert HOST not in said["iss"]
