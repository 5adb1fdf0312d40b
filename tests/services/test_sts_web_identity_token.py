"""GetWebIdentityToken: a token that other services verify with the issuer's published documents."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from sts_calls import (
    ACCOUNT,
    OTHER,
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    no_allow,
    not_authorized,
    policy,
    refusal,
    role,
    role_arn,
    root_arn,
    root_user,
    statement,
    trust,
    user,
    user_arn,
)

from rolecall.inprocess import call_wsgi

AUDIENCE = "https://api.example.com"
ASKED = {"Audience": [AUDIENCE], "SigningAlgorithm": "ES384"}
NAMESPACE = "https://sts.amazonaws.com/"
DISABLED = "OutboundWebIdentityFederationDisabledException"


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    session = trust(root_arn(), ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
    roles = [role("operator", session, allow("*"), path="/team/", tags={"Team": "red", "Stage": "test"})]
    users = [
        user("ana", allow("sts:GetWebIdentityToken"), tags={"Team": "blue"}),
        user("nobody"),
        user("tagger", allow(["sts:GetWebIdentityToken", "sts:TagGetWebIdentityToken"])),
        user(
            "bound",
            allow(
                "sts:GetWebIdentityToken",
                Condition={
                    "ForAllValues:StringEquals": {"sts:IdentityTokenAudience": AUDIENCE},
                    "NumericLessThanEquals": {"sts:DurationSeconds": "300"},
                    "StringEquals": {"sts:SigningAlgorithm": "ES384"},
                },
            ),
        ),
    ]
    world = make_shared_world(
        declared(account(users=users, roles=roles), account(OTHER), organization={"id": "o-example1234"})
    )
    world.issuer = world.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    return world


def get(world: Any, path: str, host: str = "localhost:4580", address: str = "127.0.0.1") -> tuple[int, Any]:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "4580",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "HTTP_HOST": host,
        "wsgi.url_scheme": "http",
        "wsgi.input": None,
        "wsgi.errors": None,
    }
    status, headers, body = call_wsgi(world.application, environ)
    return status, json.loads(body) if headers["Content-Type"] == "application/json" else body


def issuer_id(world: Any) -> str:
    return world.issuer.removeprefix("https://").partition(".")[0]  # type: ignore[no-any-return]


def verified(world: Any, token: str, audience: str = AUDIENCE) -> dict[str, Any]:
    """The claims as a verifier reads them that knows only the issuer's documents."""
    _, discovery = get(world, f"/_rolecall/outbound/{issuer_id(world)}/.well-known/openid-configuration")
    assert discovery["jwks_uri"].startswith("http://localhost:4580/")
    _, published = get(world, discovery["jwks_uri"].removeprefix("http://localhost:4580"))
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_dict(published)[header["kid"]]
    options: Any = {"require": ["iss", "sub", "aud", "iat", "exp", "jti"]}
    return jwt.decode(  # type: ignore[no-any-return]
        token, key, algorithms=[header["alg"]], audience=audience, issuer=discovery["issuer"], options=options
    )


def token_of(client: Any, **parameters: Any) -> str:
    return client.get_web_identity_token(**{**ASKED, **parameters})["WebIdentityToken"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_an_independent_library_can_verify_it(worlds: Any, algorithm: str) -> None:
    answer = worlds.client("sts", "ana").get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm=algorithm)
    claims = verified(worlds, answer["WebIdentityToken"])
    assert jwt.get_unverified_header(answer["WebIdentityToken"])["alg"] == algorithm
    assert claims["iss"] == worlds.issuer
    assert claims["sub"] == user_arn("ana")
    assert claims["aud"] == AUDIENCE
    assert claims["exp"] - claims["iat"] == 300
    assert answer["Expiration"].timestamp() == claims["exp"]
    assert claims[NAMESPACE] == {
        "aws_account": ACCOUNT,
        "source_region": "us-east-1",
        "principal_id": user_arn("ana"),
        "org_id": "o-example1234",
        "ou_path": ["o-example1234/r-exam/"],
        "principal_tags": {"Team": "blue"},
    }
    again = verified(worlds, token_of(worlds.client("sts", "ana"), SigningAlgorithm=algorithm))
    assert again["jti"] != claims["jti"]


def test_a_token_that_was_changed_does_not_verify(worlds: Any) -> None:
    head, _, seal = token_of(worlds.client("sts", "ana")).split(".")
    forged = jwt.encode({"sub": "somebody", "aud": AUDIENCE}, "x" * 32).split(".")[1]
    with pytest.raises(jwt.InvalidSignatureError):
        verified(worlds, f"{head}.{forged}.{seal}")


def test_what_it_says_of_a_role_session(worlds: Any) -> None:
    credentials = worlds.assume(
        f"arn:aws:iam::{ACCOUNT}:role/team/operator",
        SourceIdentity="ana",
        Tags=[{"Key": "team", "Value": "green"}, {"Key": "Job", "Value": "7"}],
    )
    sts = worlds.client("sts", credentials=credentials, region="eu-west-1")
    tags = [{"Key": "job-id", "Value": "job-1"}, {"Key": "priority", "Value": "high"}]
    claims = verified(worlds, token_of(sts, Tags=tags, Audience=[AUDIENCE, "other"]))
    assert claims["aud"] == [AUDIENCE, "other"]
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:role/team/operator"
    said = claims[NAMESPACE]
    assert said["source_region"] == "eu-west-1"
    assert said["source_identity"] == "ana"
    assert said["principal_tags"] == {"team": "green", "Stage": "test", "Job": "7"}
    assert said["request_tags"] == {"job-id": "job-1", "priority": "high"}
    assert said["original_session_exp"] == credentials["Expiration"].strftime("%Y-%m-%dT%H:%M:%SZ")


def test_what_it_says_of_a_root_user(worlds: Any) -> None:
    claims = verified(worlds, token_of(worlds.client("sts", root_user())))
    assert claims["sub"] == root_arn()
    assert "principal_tags" not in claims[NAMESPACE]


def test_it_cannot_outlive_the_session(worlds: Any) -> None:
    credentials = worlds.assume(f"arn:aws:iam::{ACCOUNT}:role/team/operator", DurationSeconds=900)
    sts = worlds.client("sts", credentials=credentials)
    assert answered(sts, "GetWebIdentityToken", **ASKED, DurationSeconds=890) == "allowed"
    status, code, message = refusal(sts, "GetWebIdentityToken", **ASKED, DurationSeconds=901)
    assert (status, code) == (403, "SessionDurationEscalationException")
    assert message.startswith("The requested token duration would extend the session")
    assert answered(worlds.client("sts", "ana"), "GetWebIdentityToken", **ASKED, DurationSeconds=3600) == "allowed"


# Permissions.


def test_a_permission_is_needed(worlds: Any) -> None:
    because = no_allow("identity-based policy", "sts:GetWebIdentityToken")
    message = not_authorized(user_arn("nobody"), "sts:GetWebIdentityToken", because=because)
    assert refusal(worlds.client("sts", "nobody"), "GetWebIdentityToken", **ASKED) == (403, "AccessDenied", message)


def test_tags_need_another(worlds: Any) -> None:
    tags = [{"Key": "team", "Value": "blue"}]
    because = no_allow("identity-based policy", "sts:TagGetWebIdentityToken")
    message = not_authorized(user_arn("ana"), "sts:TagGetWebIdentityToken", because=because)
    ana, tagger = worlds.client("sts", "ana"), worlds.client("sts", "tagger")
    assert refusal(ana, "GetWebIdentityToken", **ASKED, Tags=tags) == (403, "AccessDenied", message)
    assert answered(tagger, "GetWebIdentityToken", **ASKED, Tags=tags) == "allowed"


@pytest.mark.parametrize(
    ("parameters", "may"),
    [
        ({}, True),
        ({"DurationSeconds": 60}, True),
        ({"DurationSeconds": 301}, False),
        ({"Audience": ["https://elsewhere.example.com"]}, False),
        ({"Audience": [AUDIENCE, "https://elsewhere.example.com"]}, False),
        ({"SigningAlgorithm": "RS256"}, False),
    ],
)
def test_condition_keys(worlds: Any, parameters: dict[str, Any], may: bool) -> None:
    told = answered(worlds.client("sts", "bound"), "GetWebIdentityToken", **{**ASKED, **parameters})
    assert told == "allowed" if may else told[1] == "AccessDenied"


def test_request_tags_are_condition_keys(make_world: Any) -> None:
    only_team = {"ForAllValues:StringEquals": {"aws:TagKeys": "team"}, "StringEquals": {"aws:RequestTag/team": "blue"}}
    rights = policy(statement("sts:GetWebIdentityToken"), statement("sts:TagGetWebIdentityToken", Condition=only_team))
    world = make_world(declared(account(users=[user("ana", rights)])))
    world.client("iam").enable_outbound_web_identity_federation()
    sts = world.client("sts", "ana")
    for tags, may in (({"team": "blue"}, True), ({"team": "red"}, False), ({"team": "blue", "job": "1"}, False)):
        passed = [{"Key": key, "Value": value} for key, value in tags.items()]
        told = answered(sts, "GetWebIdentityToken", **ASKED, Tags=passed)
        assert told == "allowed" if may else told[1] == "AccessDenied", tags


def test_a_federated_user_has_none(worlds: Any) -> None:
    """API reference, GetFederationToken: no operations of STS "except GetCallerIdentity, …"."""
    limits = [{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}]
    credentials = worlds.client("sts").get_federation_token(Name="fed", PolicyArns=limits)["Credentials"]
    assert answered(worlds.client("sts", credentials=credentials), "GetWebIdentityToken", **ASKED)[1] == "AccessDenied"


# Values.


def tags_of(count: int, characters: int) -> list[dict[str, str]]:
    return [{"Key": f"{number:02}" + "k" * characters, "Value": "v" * characters} for number in range(count)]


@pytest.mark.parametrize(
    ("parameters", "code", "message"),
    [
        (
            {"SigningAlgorithm": "HS256"},
            "ValidationError",
            "1 validation error detected: Value 'HS256' at 'signingAlgorithm' failed to satisfy constraint: Member "
            "must satisfy enum value set: [RS256, ES384]",
        ),
        ({"SigningAlgorithm": "none"}, "ValidationError", "1 validation error detected: Value 'none' at …"),
        ({"DurationSeconds": 59}, "ValidationError", "1 validation error detected: Value '59' at 'durationSeconds' …"),
        ({"DurationSeconds": 3601}, "ValidationError", "1 validation error detected: Value '3601' at …"),
        ({"Audience": []}, "ValidationError", "1 validation error detected: Value …"),
        ({"Audience": ["a"] * 11}, "ValidationError", "1 validation error detected: Value …"),
        ({"Audience": ["a" * 1001]}, "ValidationError", "1 validation error detected: Value …"),
        ({"Tags": tags_of(51, 1)}, "ValidationError", "1 validation error detected: Value …"),
        ({"Tags": tags_of(1, 1) * 2}, "InvalidParameterValue", "Duplicate tag keys found. …"),
        ({"Tags": tags_of(50, 120)}, "JWTPayloadSizeExceededException", "The requested token payload size exceeds …"),
    ],
)
def test_values_that_are_refused(worlds: Any, parameters: dict[str, Any], code: str, message: str) -> None:
    sts = worlds.client("sts", "tagger", config=UNCHECKED)
    status, told_code, told = refusal(sts, "GetWebIdentityToken", **{**ASKED, **parameters})
    assert (status, told_code) == (400, code)
    assert told.startswith(message[:-1]) if message.endswith("…") else told == message


def test_a_sandbox_with_short_sessions_has_no_shorter_tokens(make_world: Any) -> None:
    world = make_world(declared(account(), settings={"minimum_session_seconds": 1}))
    world.client("iam").enable_outbound_web_identity_federation()
    sts = world.client("sts", config=UNCHECKED)
    assert refusal(sts, "GetWebIdentityToken", **ASKED, DurationSeconds=59)[1] == "ValidationError"


def test_the_global_endpoint_does_not_have_it(worlds: Any) -> None:
    sts = worlds.client("sts", endpoint_url="http://sts.amazonaws.com")
    assert refusal(sts, "GetWebIdentityToken", **ASKED) == (400, "InvalidAction", "Unknown Operation")


# Switching it on and off.


def test_switching_it_on_and_off(make_world: Any) -> None:
    world = make_world(declared(account(), account(OTHER)))
    iam, sts = world.client("iam"), world.client("sts")
    assert refusal(sts, "GetWebIdentityToken", **ASKED)[:2] == (403, DISABLED)
    for operation in ("GetOutboundWebIdentityFederationInfo", "DisableOutboundWebIdentityFederation"):
        assert refusal(iam, operation)[:2] == (404, "FeatureDisabled")
    world.issuer = issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert refusal(iam, "EnableOutboundWebIdentityFederation")[:2] == (409, "FeatureEnabled")
    info = iam.get_outbound_web_identity_federation_info()
    assert (info["IssuerIdentifier"], info["JwtVendingEnabled"]) == (issuer, True)
    token = token_of(sts)
    iam.disable_outbound_web_identity_federation()
    assert refusal(sts, "GetWebIdentityToken", **ASKED)[:2] == (403, DISABLED)
    assert refusal(iam, "DisableOutboundWebIdentityFederation")[:2] == (404, "FeatureDisabled")
    info = iam.get_outbound_web_identity_federation_info()
    assert (info["IssuerIdentifier"], info["JwtVendingEnabled"]) == (issuer, False)
    # Tokens that were issued before still verify.
    assert verified(world, token)["iss"] == issuer
    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == issuer
    assert jwt.get_unverified_header(token_of(sts))["kid"] == jwt.get_unverified_header(token)["kid"]
    # Each account has its own.
    assert refusal(world.client("sts", "other_admin"), "GetWebIdentityToken", **ASKED)[:2] == (403, DISABLED)
    other = world.client("iam", "other_admin").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert other != issuer
    with pytest.raises(KeyError):
        verified(world, token_of(world.client("sts", "other_admin")))


def test_after_a_reset_the_feature_is_off(make_world: Any) -> None:
    world = make_world(declared(account()))
    world.client("iam").enable_outbound_web_identity_federation()
    client = world.application.test_client()
    assert client.post("/_rolecall/reset").status_code == 200
    assert refusal(world.client("sts"), "GetWebIdentityToken", **ASKED)[:2] == (403, DISABLED)
    world.issuer = world.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert verified(world, token_of(world.client("sts")))["sub"] == user_arn("admin")


# The documents.


def test_the_documents_at_the_issuers_own_name(worlds: Any) -> None:
    host = worlds.issuer.removeprefix("https://")
    status, discovery = get(worlds, "/.well-known/openid-configuration", host)
    assert status == 200
    assert discovery["issuer"] == worlds.issuer
    assert discovery["jwks_uri"] == f"http://{host}/.well-known/jwks.json"
    assert discovery["id_token_signing_alg_values_supported"] == ["RS256", "ES384"]
    _, keys = get(worlds, "/.well-known/jwks.json", host)
    assert sorted(key["alg"] for key in keys["keys"]) == ["ES384", "RS256"]
    assert all(not set(key) & {"d", "p", "q", "dp", "dq", "qi"} for key in keys["keys"])
    assert keys == get(worlds, f"/_rolecall/outbound/{issuer_id(worlds)}/.well-known/jwks.json")[1]


def test_they_are_public(worlds: Any) -> None:
    path = f"/_rolecall/outbound/{issuer_id(worlds)}/.well-known/openid-configuration"
    assert get(worlds, path, address="192.0.2.7")[0] == 200
    assert get(worlds, "/_rolecall/health", address="192.0.2.7")[0] == 403


@pytest.mark.parametrize("document", ["openid-configuration", "jwks.json"])
def test_an_issuer_that_is_not_there(worlds: Any, document: str) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    problem = (404, {"message": "There is no such issuer."})
    assert get(worlds, f"/_rolecall/outbound/{unknown}/.well-known/{document}") == problem
    assert get(worlds, f"/.well-known/{document}", f"{unknown}.tokens.sts.global.api.aws") == problem
    # Under any other name these paths do not belong to Rolecall.
    status, answer = get(worlds, f"/.well-known/{document}")
    assert (status, "There is no such issuer." in str(answer)) == (404, False)


def test_it_is_no_proof_for_a_role(worlds: Any) -> None:
    """The documentation: such tokens cannot be used with AssumeRoleWithWebIdentity."""
    token = token_of(worlds.client("sts", "ana"))
    anonymous = worlds.client("sts", "ana", config=UNCHECKED)
    asked = {"RoleArn": role_arn("team/operator"), "RoleSessionName": "session", "WebIdentityToken": token}
    assert answered(anonymous, "AssumeRoleWithWebIdentity", **asked) != "allowed"
