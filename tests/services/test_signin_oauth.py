"""OAuth tokens for callers with credentials. What is refused comes first."""

from __future__ import annotations

import json
from typing import Any

import pytest
from signin_calls import ACCOUNT, SAME_DEVICE, WORLD, Program, credentials_of, needs_the_model, refused

pytestmark = needs_the_model

NOW = 1_893_456_000
MCP = "aws-mcp.amazonaws.com"
MCP_ARN = f"arn:aws:signin:us-east-1:{ACCOUNT}:service-principal/{MCP}"
LOCAL_ARN = f"arn:aws:signin:us-east-1:{ACCOUNT}:oauth2/public-client/localhost"
CLIENT = "arn:aws:signin:::client-credentials/sigv4"
DENIED = ("AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS")


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


def allow(world: Any, action: str, resource: str, condition: Any = None) -> Any:
    """The client of a user who may do only that."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition or {}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    world.client("iam").put_user_policy(UserName="plain", PolicyName="own", PolicyDocument=policy)
    return world.client("signin", "plain")


def issued(client: Any, resource: str = MCP) -> dict[str, Any]:
    answer: dict[str, Any] = client.create_oauth2_token_with_iam(grantType="client_credentials", resource=resource)
    return answer


def test_a_token_needs_a_permission_on_the_service(world: Any) -> None:
    """Sign-In User Guide; the operation is authorised as CreateOAuth2Token."""
    message = refused(issued, *DENIED, world.client("signin", "plain"))
    assert f"signin:CreateOAuth2Token on resource: {MCP_ARN} " in message
    refused(issued, *DENIED, allow(world, "signin:CreateOAuth2Token", LOCAL_ARN))
    refused(issued, *DENIED, allow(world, "signin:CreateOAuth2Token", MCP_ARN), "not-a-real-service.invalid")
    for key, wrong, right in (
        ("signin:OAuthGrantType", "refresh_token", "client_credentials"),
        ("signin:OAuthClientId", SAME_DEVICE, CLIENT),
    ):
        condition = {"StringEquals": {key: wrong}}
        refused(issued, *DENIED, allow(world, "signin:CreateOAuth2Token", MCP_ARN, condition))
        assert issued(allow(world, "signin:CreateOAuth2Token", MCP_ARN, {"StringEquals": {key: right}}))


@pytest.mark.parametrize("resource", ["glue.amazonaws.com", "x", "*", "arn:aws:s3:::x", "a/b"])
def test_a_token_for_another_service(world: Any, resource: str) -> None:
    refused(issued, "ValidationException", 400, "invalid_target", world.client("signin"), resource)


def test_introspection_and_revocation_need_permissions(world: Any) -> None:
    token, refresh_token = issued(world.client("signin"))["accessToken"], Program().signs_in(world)["refreshToken"]
    for text, arn in ((token, MCP_ARN), (refresh_token, LOCAL_ARN)):
        other = LOCAL_ARN if arn == MCP_ARN else MCP_ARN
        client = allow(world, "signin:IntrospectOAuth2Token", other)
        refused(client.introspect_oauth2_token_with_iam, *DENIED, token=text)
        client = allow(world, "signin:IntrospectOAuth2Token", arn)
        assert client.introspect_oauth2_token_with_iam(token=text)["active"]
        refused(client.introspect_oauth2_token_with_iam, *DENIED, token=text[:4] + "unknown")
    client = allow(world, "signin:RevokeOAuth2Token", MCP_ARN)
    refused(client.revoke_oauth2_token_with_iam, *DENIED, token=refresh_token)
    condition = {"StringEquals": {"signin:OAuthTokenType": "access_token"}}
    client = allow(world, "signin:RevokeOAuth2Token", LOCAL_ARN, condition)
    refused(client.revoke_oauth2_token_with_iam, *DENIED, token=refresh_token)


@pytest.mark.parametrize("token", ["ASOAunknown", "ASORunknown", "ASOA", "ASOA==", "ASOA____"])
def test_tokens_that_nobody_issued(world: Any, token: str) -> None:
    signin = world.client("signin")
    if len(token) > 4:
        answer = signin.introspect_oauth2_token_with_iam(token=token, tokenTypeHint="access_token")
        assert {name: answer[name] for name in answer if name != "ResponseMetadata"} == {"active": False}
    if token.startswith("ASOR"):
        assert signin.revoke_oauth2_token_with_iam(token=token)
    else:
        refused(signin.revoke_oauth2_token_with_iam, "ValidationException", 400, "INVALID_REQUEST", token=token)


def test_an_access_token(world: Any) -> None:
    signin = world.client("signin")
    answer = issued(signin)
    assert (answer["tokenType"], answer["expiresIn"]) == ("Bearer", 3600)
    found = signin.introspect_oauth2_token_with_iam(token=answer["accessToken"])
    caller = world.client("sts").get_caller_identity()
    del found["ResponseMetadata"], found["jti"]
    assert found == {
        "active": True,
        "tokenType": "access_token",
        "clientId": CLIENT,
        "userId": caller["UserId"],
        "accountId": ACCOUNT,
        "aud": MCP,
        "exp": NOW + 3600,
        "iat": NOW,
        "nbf": NOW,
        "sub": caller["Arn"],
        "iss": "signin.amazonaws.com",
    }
    world.clock.advance(3600)
    assert not signin.introspect_oauth2_token_with_iam(token=answer["accessToken"])["active"]


def test_a_token_ends_with_its_session(world: Any) -> None:
    tokens = Program().signs_in(world, "root")
    world.clock.advance(60)
    client = world.client("signin", credentials=credentials_of(tokens))
    answer = issued(client)
    assert answer["expiresIn"] == 840
    [session] = client.list_sessions()["items"]
    found = client.introspect_oauth2_token_with_iam(token=answer["accessToken"])
    assert found["signinSession"] == session["sessionArn"]


def test_a_refresh_token(world: Any) -> None:
    program, signin = Program(), world.client("signin")
    token = program.signs_in(world)["refreshToken"]
    found = signin.introspect_oauth2_token_with_iam(token=token)
    assert (found["tokenType"], found["exp"]) == ("refresh_token", NOW + 43_200)
    assert found["sub"] == f"arn:aws:iam::{ACCOUNT}:user/team/ana"
    assert "aud" not in found
    for _ in range(2):
        signin.revoke_oauth2_token_with_iam(token=token)
    assert not signin.introspect_oauth2_token_with_iam(token=token)["active"]
    refused(program.refreshes, "ValidationException", 400, "INVALID_REQUEST", world, token)
