"""Token exchange and bearer tokens of Sign-In. What is refused comes first.

RFC 8693, RFC 7523; model and API reference of Sign-In, CreateOAuth2TokenWithTokenExchange and CreateBearerToken.
"""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from cryptography.hazmat.primitives.asymmetric import ec
from signin_calls import ACCOUNT, OTHER_ACCOUNT, WORLD, needs_the_model, refused

from rolecall.inprocess import ENDPOINT_URL

pytestmark = needs_the_model

NOW = 1_893_456_000
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
JWT = "urn:ietf:params:oauth:token-type:jwt"
GLUE, MCP = "glue.amazonaws.com", "https://aws-mcp.us-east-1.api.aws/mcp"
AUDIENCE = "https://us-east-1.oauth.signin.aws/v1/token"
DENIED = ("AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS")
GRANT = ("InvalidGrantException", 400, "invalid_grant")
SCOPE = ("InvalidScopeException", 400, "invalid_scope")
REQUEST = ("ValidationException", 400, "invalid_request")
TARGET = ("ValidationException", 400, "invalid_target")
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture(scope="module")
def shared(make_shared_world: Any) -> Any:
    return prepared(make_shared_world(WORLD))


@pytest.fixture
def world(make_world: Any) -> Any:
    return prepared(make_world(WORLD))


def prepared(world: Any) -> Any:
    world.clock.set(NOW)
    world.clock.freeze()
    world.client("iam").enable_outbound_web_identity_federation()
    return world


def token_of(world: Any, user: str = "admin", audience: str = AUDIENCE, **more: Any) -> str:
    """A token about the caller."""
    given = {"Audience": [audience], "SigningAlgorithm": "ES384", **more}
    found: str = world.client("sts", user).get_web_identity_token(**given)["WebIdentityToken"]
    return found


def exchanged(world: Any, token: str, **changed: Any) -> dict[str, Any]:
    given = {
        "grantType": EXCHANGE,
        "subjectToken": token,
        "subjectTokenType": JWT,
        "resource": GLUE,
        **changed,
    }
    client = world.client("signin", config=Config(signature_version=UNSIGNED))
    answer: dict[str, Any] = client.create_o_auth2_token_with_token_exchange(
        **{name: value for name, value in given.items() if value is not None}
    )
    return answer


def granted(world: Any, token: str, **changed: Any) -> dict[str, Any]:
    """The JWT bearer grant."""
    given = {"subjectToken": None, "subjectTokenType": None, "assertion": token, "resource": MCP, **changed}
    return exchanged(world, token, grantType=BEARER, **given)


def said(world: Any, token: str) -> dict[str, Any]:
    answer: dict[str, Any] = world.client("signin").introspect_oauth2_token_with_iam(token=token)
    return answer


@pytest.mark.parametrize(
    "changed",
    [
        {"subjectToken": None},
        {"subjectTokenType": None},
        {"resource": None},
        {"assertion": "aaaa"},
        {"clientId": "x"},
        {"subjectTokenType": "urn:ietf:params:oauth:token-type:saml2"},
        {"subjectTokenType": "urn:ietf:params:oauth:token-type:access_token"},
    ],
)
def test_the_parameters_of_the_exchange(shared: Any, changed: dict[str, Any]) -> None:
    refused(exchanged, *REQUEST, shared, token_of(shared), **changed)


@pytest.mark.parametrize("changed", [{"assertion": None}, {"subjectToken": "aaaa"}, {"subjectTokenType": JWT}])
def test_the_parameters_of_the_bearer_grant(shared: Any, changed: dict[str, Any]) -> None:
    refused(granted, *REQUEST, shared, token_of(shared), **changed)


@pytest.mark.parametrize("grant_type", ["authorization_code", "client_credentials", EXCHANGE + "x", ""])
def test_other_grants(shared: Any, grant_type: str) -> None:
    refused(exchanged, "ValidationException", 400, "INVALID_REQUEST", shared, "aaaa", grantType=grant_type)


@pytest.mark.parametrize("text", ["aaaa", "a.b.c", "x" * 20_000, "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0."])
def test_texts_that_are_no_tokens(shared: Any, text: str) -> None:
    refused(exchanged, *GRANT, shared, text)
    refused(granted, *GRANT, shared, text)


def test_tokens_that_no_account_has_signed(shared: Any) -> None:
    token = token_of(shared)
    claims = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    own = ec.generate_private_key(ec.SECP384R1())
    forged = jwt.encode(claims, own, algorithm="ES384", headers={"kid": header["kid"]})
    refused(exchanged, *GRANT, shared, forged)
    for issuer in ("https://idp.example.com", claims["iss"] + "/", claims["iss"].replace("https", "http"), "x"):
        other = jwt.encode({**claims, "iss": issuer}, own, algorithm="ES384", headers={"kid": header["kid"]})
        refused(exchanged, *GRANT, shared, other)
    head, _, signature = token.split(".")
    refused(exchanged, *GRANT, shared, f"{head}.{forged.split('.')[1][:-2]}aa.{signature}")


@pytest.mark.parametrize("audience", ["sts.amazonaws.com", "https://eu-west-1.oauth.signin.aws", "signin", GLUE])
def test_tokens_for_another_audience(shared: Any, audience: str) -> None:
    """RFC 7523, section 3: the authorization server must reject a token that is not for it."""
    refused(exchanged, *GRANT, shared, token_of(shared, audience=audience))


def test_a_token_that_has_expired(world: Any) -> None:
    token = token_of(world, DurationSeconds=60)
    world.clock.advance(seconds=59)
    assert exchanged(world, token)["expiresIn"] == 1
    world.clock.advance(seconds=1)
    refused(exchanged, *GRANT, world, token)


def test_a_token_of_a_user_who_is_gone(world: Any) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="guest")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="guest", PolicyName="all", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="guest")["AccessKey"]
    client = world.client("sts", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    token = client.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="RS256")["WebIdentityToken"]
    assert exchanged(world, token)["accessToken"]
    iam.delete_user_policy(UserName="guest", PolicyName="all")
    refused(exchanged, *DENIED, world, token)
    iam.delete_access_key(UserName="guest", AccessKeyId=key["AccessKeyId"])
    iam.delete_user(UserName="guest")
    refused(exchanged, *GRANT, world, token)


def test_the_principal_needs_a_permission_on_the_service(world: Any) -> None:
    arn = f"arn:aws:signin:us-east-1:{ACCOUNT}:service-principal/{GLUE}"

    def allow(resource: str, **condition: Any) -> str:
        statements = [
            {"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*"},
            {"Effect": "Allow", "Action": "signin:CreateOAuth2Token", "Resource": resource, "Condition": condition},
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        world.client("iam").put_user_policy(UserName="plain", PolicyName="own", PolicyDocument=document)
        return token_of(world, "plain")

    message = refused(exchanged, *DENIED, world, allow(arn.replace("glue", "ecr")))
    assert f"signin:CreateOAuth2Token on resource: {arn} " in message
    refused(exchanged, *DENIED, world, allow(arn, StringEquals={"signin:OAuthGrantType": "client_credentials"}))
    refused(exchanged, *DENIED, world, allow(arn, StringNotEquals={"signin:OAuthClientAuthentication": "none"}))
    assert exchanged(world, allow(arn, StringEquals={"signin:OAuthGrantType": EXCHANGE}))["accessToken"]
    refused(granted, *DENIED, world, token_of(world, "plain"))


@pytest.mark.parametrize("resource", ["aws-mcp.amazonaws.com", "s3.amazonaws.com", "*", MCP, f"arn:aws:s3:::{GLUE}"])
def test_other_targets_of_the_exchange(shared: Any, resource: str) -> None:
    refused(exchanged, *TARGET, shared, token_of(shared), resource=resource)


@pytest.mark.parametrize("resource", [None, GLUE, "https://aws-mcp.us-east-1.api.aws", MCP + "/x", MCP + "\n", "x"])
def test_other_targets_of_the_bearer_grant(shared: Any, resource: str | None) -> None:
    refused(granted, *TARGET, shared, token_of(shared), resource=resource)


def test_the_client_of_an_assertion(shared: Any) -> None:
    """ "If provided … must match the assertion's client_id claim." The tokens of STS have no such claim."""
    refused(granted, "ValidationException", 400, "invalid_client", shared, token_of(shared), clientId="x")


@pytest.mark.parametrize(
    "scope",
    [
        "openid",
        READ_ONLY + "X",
        f"{READ_ONLY}  {READ_ONLY}",
        f"arn:aws:iam::{OTHER_ACCOUNT}:policy/own",
        f"arn:aws:iam::{ACCOUNT}:role/app",
        " ".join([READ_ONLY] * 11),
    ],
)
def test_scopes_that_are_no_managed_policies(shared: Any, scope: str) -> None:
    refused(exchanged, *SCOPE, shared, token_of(shared), scope=scope)


def test_a_token_for_a_service(shared: Any) -> None:
    """Model: "minimum of the provided token's validity and 1 hour"."""
    answer = exchanged(shared, token_of(shared, DurationSeconds=3600), scope=READ_ONLY)
    assert (answer["tokenType"], answer["expiresIn"]) == ("Bearer", 3600)
    assert answer["issuedTokenType"] == "urn:ietf:params:oauth:token-type:access_token"
    assert "resource" not in answer
    found = said(shared, answer["accessToken"])
    assert found["active"]
    assert (found["aud"], found["sub"]) == (GLUE, f"arn:aws:iam::{ACCOUNT}:user/admin")
    assert "clientId" not in found
    assert found["exp"] == NOW + 3600
    assert exchanged(shared, token_of(shared, DurationSeconds=90))["expiresIn"] == 90


def test_the_bearer_grant(shared: Any) -> None:
    answer = granted(shared, token_of(shared, audience=f"{ENDPOINT_URL}/v1/token"), scope=READ_ONLY)
    assert (answer["resource"], answer["scope"]) == (MCP, READ_ONLY)
    assert "issuedTokenType" not in answer
    assert said(shared, answer["accessToken"])["aud"] == "aws-mcp.amazonaws.com"
    assert "scope" not in granted(shared, token_of(shared))


def test_a_token_about_a_role(world: Any) -> None:
    iam = world.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(trust))
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_role_policy(RoleName="worker", PolicyName="all", PolicyDocument=json.dumps(policy))
    arn = f"arn:aws:iam::{ACCOUNT}:role/worker"
    sts = world.client("sts").assume_role(RoleArn=arn, RoleSessionName="laptop")
    client = world.client("sts", credentials=sts["Credentials"])
    token = client.get_web_identity_token(Audience=[AUDIENCE], SigningAlgorithm="ES384")["WebIdentityToken"]
    found = said(world, exchanged(world, token)["accessToken"])
    assert found["sub"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/")
    # The role's sessions were revoked: no token that is older is good for an exchange.
    older = {
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2030-01-01T00:01:00Z"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [older]})
    iam.put_role_policy(RoleName="worker", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)
    refused(exchanged, *DENIED, world, token)


def test_the_exchange_obeys_console_authorization(world: Any) -> None:
    """Sign-In User Guide: signin:CreateOAuth2Token is for "performing token exchange operations"."""
    token, signin = token_of(world), world.client("signin")
    signin.put_resource_permission_statement(sourceIp="203.0.113.0/24")
    signin.put_console_authorization_configuration()
    refused(exchanged, *DENIED, world, token)
    signin.delete_console_authorization_configuration()
    assert exchanged(world, token)["accessToken"]


def bearer(client: Any, **changed: Any) -> dict[str, Any]:
    given = {"grantType": "client_credentials", "resource": "ecr.amazonaws.com", **changed}
    answer: dict[str, Any] = client.create_bearer_token(**given)
    return answer


def test_a_bearer_token_needs_a_permission(world: Any) -> None:
    plain = world.client("signin", "plain")
    assert refused(bearer, *DENIED, plain).endswith("allows the signin:CreateBearerToken action")
    statement = {"Effect": "Allow", "Action": "signin:CreateBearerToken", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.client("iam").put_user_policy(UserName="plain", PolicyName="own", PolicyDocument=document)
    assert bearer(plain)["accessToken"]


def test_bearer_tokens_that_are_not_possible(shared: Any) -> None:
    client = shared.client("signin")
    for resource in ("s3.amazonaws.com", GLUE, "*", "x"):
        refused(bearer, *TARGET, client, resource=resource)
    refused(bearer, *REQUEST, client, durationSeconds=43_201)
    refused(bearer, "ValidationException", 400, "INVALID_REQUEST", client, grantType="password")


def test_a_bearer_token(shared: Any) -> None:
    """Model: "By default, the token is valid for 12 hours." """
    client = shared.client("signin")
    answer = bearer(client)
    assert (answer["tokenType"], answer["expiresIn"]) == ("Bearer", 43_200)
    found = said(shared, answer["accessToken"])
    assert (found["aud"], found["sub"]) == ("ecr.amazonaws.com", f"arn:aws:iam::{ACCOUNT}:user/admin")
    assert bearer(client, durationSeconds=300)["expiresIn"] == 300
    session = shared.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert bearer(shared.client("signin", credentials=session))["expiresIn"] == 900
