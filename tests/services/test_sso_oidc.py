"""The OIDC service of IAM Identity Center: what it refuses first, then its three grants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sso_calls import (
    DEVICE_GRANT,
    REDIRECT,
    START_URL,
    VERIFIER,
    WORLD,
    approved,
    by_code_client,
    by_device,
    code_for,
    oidc,
    portal,
    refused,
    registered,
    started,
)

from rolecall.errors import AwsError
from rolecall.wire import encode_error

NOW = 1_893_456_000.0


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


def token(world: Any, client: dict[str, str], grant: str = DEVICE_GRANT, **parameters: Any) -> dict[str, Any]:
    return oidc(world).create_token(**client, grantType=grant, **parameters)  # type: ignore[no-any-return]


def no_token(world: Any, error: str, client: dict[str, str], grant: str = DEVICE_GRANT, **parameters: Any) -> Any:
    status = 401 if error == "InvalidClientException" else 400
    return refused(oidc(world).create_token, error, status, **client, grantType=grant, **parameters)


# Clients.


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"clientType": "confidential"}, "InvalidClientMetadataException"),
        ({"clientName": "n" * 257}, "InvalidClientMetadataException"),
        ({"scopes": ["sso:account:access", "two words"]}, "InvalidScopeException"),
        ({"scopes": [""]}, "InvalidScopeException"),
        ({"grantTypes": ["password"]}, "UnsupportedGrantTypeException"),
        ({"grantTypes": ["authorization_code"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["https://example.com/callback"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["http://127.0.0.1.example.com/callback"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["http://user@127.0.0.1/callback"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["javascript:alert(1)"]}, "InvalidRedirectUriException"),
        ({"scopes": ["openid"] * 51}, "InvalidRequestException"),
        ({"issuerUrl": "https://other.awsapps.com/start"}, "InvalidRequestException"),
    ],
)
def test_a_client_that_cannot_register(world: Any, options: Any, code: str) -> None:
    given = {"clientName": "test", "clientType": "public", **options}
    refused(oidc(world).register_client, code, 400, **given)


def test_a_registration(world: Any) -> None:
    """The answer of AWS has these members; a registration is valid for 90 days."""
    answer = oidc(world).register_client(clientName="test", clientType="public")
    assert set(answer) == {"ResponseMetadata", "clientId", "clientSecret", "clientIdIssuedAt", "clientSecretExpiresAt"}
    assert answer["clientIdIssuedAt"] == NOW
    assert answer["clientSecretExpiresAt"] == NOW + 90 * 86_400
    other = oidc(world).register_client(clientName="test", clientType="public", issuerUrl=START_URL)
    assert (other["clientId"], other["clientSecret"]) != (answer["clientId"], answer["clientSecret"])


def test_a_client_without_its_secret(world: Any) -> None:
    client, other = registered(world), registered(world)
    for wrong in (
        {**client, "clientSecret": other["clientSecret"]},
        {**client, "clientSecret": client["clientSecret"][:-1]},
        {**client, "clientId": "unknown"},
    ):
        refused(oidc(world).start_device_authorization, "InvalidClientException", 401, **wrong, startUrl=START_URL)
        no_token(world, "InvalidClientException", wrong, deviceCode="any")


def test_a_registration_that_has_expired(world: Any) -> None:
    client = registered(world)
    world.clock.advance(days=90)
    refused(oidc(world).start_device_authorization, "InvalidClientException", 401, **client, startUrl=START_URL)


def test_a_grant_that_the_client_did_not_register(world: Any) -> None:
    client = by_code_client(world)
    refused(oidc(world).start_device_authorization, "UnauthorizedClientException", 400, **client, startUrl=START_URL)
    no_token(world, "UnauthorizedClientException", client, deviceCode="any")


def test_grants_that_do_not_exist(world: Any) -> None:
    client = registered(world)
    answer = no_token(world, "UnsupportedGrantTypeException", client, grant="password")
    assert answer["error"] == "unsupported_grant_type"
    for grant, given in (
        (DEVICE_GRANT, {"code": "x"}),
        ("refresh_token", {}),
        ("authorization_code", {"code": "x", "redirectUri": REDIRECT}),
        ("authorization_code", {"code": "x", "codeVerifier": VERIFIER}),
    ):
        no_token(world, "InvalidRequestException", client, grant=grant, **given)


def test_create_token_with_iam_needs_a_permission(world: Any) -> None:
    """No application has grants here, so that a caller with the permission learns that it is not emulated."""
    arguments = {
        "clientId": "arn:aws:sso::111122223333:application/ssoins-1234567890abcdef/apl-1234567890abcdef",
        "grantType": "refresh_token",
        "refreshToken": "x",
    }
    refused(oidc(world).create_token_with_iam, "NotImplemented", 501, **arguments)
    keys = world.client("iam").create_user(UserName="plain") and world.client("iam").create_access_key(UserName="plain")
    made = keys["AccessKey"]
    plain = world.client("sso-oidc", keys=(made["AccessKeyId"], made["SecretAccessKey"]))
    answer = refused(plain.create_token_with_iam, "AccessDeniedException", 400, **arguments)
    assert answer["error"] == "access_denied"
    assert "sso-oauth:CreateTokenWithIAM" in answer["error_description"]


# A device.


@pytest.mark.parametrize(
    "url",
    ["https://other.awsapps.com/start", "https://d-1234567890.awsapps.com/", "", "https://d-1234567890.awsapps.com"],
)
def test_another_start_url(world: Any, url: str) -> None:
    refused(oidc(world).start_device_authorization, "InvalidRequestException", 400, **registered(world), startUrl=url)


def test_a_sandbox_without_identity_center(make_world: Any) -> None:
    world = make_world(
        'version: 1\naccounts: [{id: "111122223333", users: [{name: admin, access_keys: [{id: test, secret: test}]}]}]'
    )
    client = registered(world)
    refused(oidc(world).start_device_authorization, "InvalidRequestException", 400, **client, startUrl=START_URL)


@pytest.mark.parametrize("ending", ["", "/", "#/", "/#/", "?x=1"])
def test_a_device_authorization(world: Any, ending: str) -> None:
    answer = oidc(world).start_device_authorization(**registered(world), startUrl=START_URL + ending)
    assert answer["expiresIn"] == 600
    assert answer["interval"] == 1
    assert answer["verificationUri"] == "http://rolecall.localhost/_rolecall/sso/device"
    assert answer["verificationUriComplete"] == f"{answer['verificationUri']}?user_code={answer['userCode']}"


def test_polling(world: Any) -> None:
    """Recorded for AuthorizationPendingException: the body, and the description."""
    client = registered(world)
    code = started(world, client)["deviceCode"]
    answer = no_token(world, "AuthorizationPendingException", client, deviceCode=code)
    assert (answer["error"], answer["error_description"]) == ("authorization_pending", "Authorization is still pending")
    header = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"]
    assert header == "AuthorizationPendingException:http://internal.amazon.com/coral/com.amazonaws.sso.oidc/"
    assert no_token(world, "SlowDownException", client, deviceCode=code)["error"] == "slow_down"
    world.clock.advance(0.5)
    no_token(world, "SlowDownException", client, deviceCode=code)
    world.clock.advance(1)
    no_token(world, "AuthorizationPendingException", client, deviceCode=code)


def test_a_device_code_has_expired_by_the_clock_of_the_sandbox(world: Any) -> None:
    client = registered(world)
    device = started(world, client)
    world.clock.advance(599)
    no_token(world, "AuthorizationPendingException", client, deviceCode=device["deviceCode"])
    approved(world, device["userCode"])
    world.clock.advance(1)
    answer = no_token(world, "ExpiredTokenException", client, deviceCode=device["deviceCode"])
    assert answer["error"] == "expired_token"


def test_a_denied_device(world: Any) -> None:
    client = registered(world)
    device = started(world, client)
    approved(world, device["userCode"], None)
    answer = no_token(world, "AccessDeniedException", client, deviceCode=device["deviceCode"])
    assert answer["error"] == "access_denied"


def test_a_device_code_that_is_not_the_clients_own(world: Any) -> None:
    client, other = registered(world), registered(world)
    device = started(world, client)
    approved(world, device["userCode"])
    for code in (device["deviceCode"][:-1], device["userCode"], "x"):
        answer = no_token(world, "InvalidGrantException", client, deviceCode=code)
        assert (answer["error"], answer["error_description"]) == ("invalid_grant", "Invalid grant provided")
    no_token(world, "InvalidGrantException", other, deviceCode=device["deviceCode"])
    token(world, client, deviceCode=device["deviceCode"])


def test_a_device_code_works_once(world: Any) -> None:
    signed_in = by_device(world)
    no_token(world, "InvalidGrantException", signed_in["client"], deviceCode=signed_in["deviceCode"])


def test_the_tokens_of_a_device(world: Any) -> None:
    """With the scope of the portal there is a refresh token, and the access token is for an hour."""
    signed_in = by_device(world)
    assert signed_in["tokenType"] == "Bearer"
    assert signed_in["expiresIn"] == 3600
    assert signed_in["refreshToken"] != signed_in["accessToken"]
    plain = by_device(world, scopes=[])
    assert "refreshToken" not in plain
    assert plain["expiresIn"] == 28_800


# A code by redirect.


def test_an_authorization_code(world: Any) -> None:
    client = by_code_client(world)
    back = code_for(world, client)
    assert back["state"] == "xyz"
    answer = token(
        world,
        client,
        "authorization_code",
        code=back["code"],
        redirectUri="http://127.0.0.1:8400/oauth/callback",
        codeVerifier=VERIFIER,
    )
    accounts = portal(world).list_accounts(accessToken=answer["accessToken"])["accountList"]
    assert [account["accountId"] for account in accounts] == ["111122223333", "444455556666"]


def test_an_authorization_code_with_other_proofs(world: Any) -> None:
    client, other = by_code_client(world), by_code_client(world)
    right = {
        "code": code_for(world, client)["code"],
        "redirectUri": "http://127.0.0.1:8400/oauth/callback",
        "codeVerifier": VERIFIER,
    }
    for wrong in (
        {"codeVerifier": "w" * 64},
        {"codeVerifier": VERIFIER + "v"},
        {"redirectUri": "http://127.0.0.1:8401/oauth/callback"},
        {"code": "x"},
    ):
        no_token(world, "InvalidGrantException", client, "authorization_code", **{**right, **wrong})
    no_token(world, "InvalidGrantException", other, "authorization_code", **right)
    token(world, client, "authorization_code", **right)


def test_an_authorization_code_that_comes_twice_ends_the_session(world: Any) -> None:
    """RFC 6749, section 4.1.2: the server should revoke all tokens that it issued for the code."""
    client = by_code_client(world)
    given = {
        "code": code_for(world, client)["code"],
        "redirectUri": "http://127.0.0.1:8400/oauth/callback",
        "codeVerifier": VERIFIER,
    }
    answer = token(world, client, "authorization_code", **given)
    no_token(world, "InvalidGrantException", client, "authorization_code", **given)
    refused(portal(world).list_accounts, "UnauthorizedException", 401, accessToken=answer["accessToken"])
    no_token(world, "InvalidGrantException", client, "refresh_token", refreshToken=answer["refreshToken"])


def test_an_authorization_code_has_expired(world: Any) -> None:
    client = by_code_client(world)
    given = {
        "code": code_for(world, client)["code"],
        "redirectUri": "http://127.0.0.1:8400/oauth/callback",
        "codeVerifier": VERIFIER,
    }
    world.clock.advance(600)
    no_token(world, "InvalidGrantException", client, "authorization_code", **given)


# Refreshing.


def test_a_refreshed_token(world: Any) -> None:
    signed_in = by_device(world)
    world.clock.advance(3600)
    refused(portal(world).list_accounts, "UnauthorizedException", 401, accessToken=signed_in["accessToken"])
    answer = token(world, signed_in["client"], "refresh_token", refreshToken=signed_in["refreshToken"])
    assert answer["expiresIn"] == 3600
    portal(world).list_accounts(accessToken=answer["accessToken"])


def test_a_refresh_token_works_once_and_for_its_client(world: Any) -> None:
    """Recorded: the description. That a refresh token works once is not recorded."""
    signed_in, other = by_device(world), registered(world)
    given = {"refreshToken": signed_in["refreshToken"]}
    answer = no_token(world, "InvalidGrantException", other, "refresh_token", **given)
    assert answer["error_description"] == "Invalid refresh token provided"
    no_token(world, "InvalidGrantException", other, "refresh_token", refreshToken=signed_in["accessToken"])
    token(world, signed_in["client"], "refresh_token", **given)
    no_token(world, "InvalidGrantException", signed_in["client"], "refresh_token", **given)


def test_the_session_ends_after_eight_hours_however_often_it_is_refreshed(world: Any) -> None:
    signed_in = by_device(world)
    world.clock.advance(hours=7, minutes=50)
    answer = token(world, signed_in["client"], "refresh_token", refreshToken=signed_in["refreshToken"])
    assert answer["expiresIn"] == 600
    world.clock.advance(minutes=10)
    refused(portal(world).list_accounts, "UnauthorizedException", 401, accessToken=answer["accessToken"])
    last = no_token(
        world, "InvalidGrantException", signed_in["client"], "refresh_token", refreshToken=answer["refreshToken"]
    )
    assert last["error_description"] == "Invalid refresh token provided"


# Everything else.


def test_the_words_of_errors_are_those_of_the_model() -> None:
    """The model's documentation says which word each exception has. Written out, for a model without documentation."""
    words = {
        "AccessDeniedException": "access_denied",
        "AuthorizationPendingException": "authorization_pending",
        "ExpiredTokenException": "expired_token",
        "InternalServerException": "server_error",
        "InvalidClientException": "invalid_client",
        "InvalidClientMetadataException": "invalid_client_metadata",
        "InvalidGrantException": "invalid_grant",
        "InvalidRedirectUriException": "invalid_redirect_uri",
        "InvalidRequestException": "invalid_request",
        "InvalidRequestRegionException": "invalid_request",
        "InvalidScopeException": "invalid_scope",
        "SlowDownException": "slow_down",
        "UnauthorizedClientException": "unauthorized_client",
        "UnsupportedGrantTypeException": "unsupported_grant_type",
    }
    from_wire = {}
    for code in words:
        from_wire[code] = json.loads(encode_error("sso-oidc", AwsError(code, "m"), "r").body)["error"]
    assert from_wire == words


def test_secrets_are_not_in_the_log(make_world: Any) -> None:
    world = make_world(WORLD)
    signed_in = by_device(world)
    credentials = portal(world).get_role_credentials(
        accessToken=signed_in["accessToken"], accountId="111122223333", roleName="Developer"
    )["roleCredentials"]
    kept = repr([(outcome.recorded, outcome.error, outcome.caller) for outcome in world.outcomes])
    for secret in (
        signed_in["accessToken"],
        signed_in["refreshToken"],
        signed_in["deviceCode"],
        signed_in["client"]["clientSecret"],
        credentials["secretAccessKey"],
        credentials["sessionToken"],
    ):
        assert secret not in kept


def test_a_client_of_another_host_name(world: Any) -> None:
    """The host of AWS names the service, as when names are resolved to Rolecall."""
    client = world.client("sso-oidc", endpoint_url="http://oidc.us-east-1.amazonaws.com")
    assert client.register_client(clientName="test", clientType="public")["clientId"]
    refused(
        world.client("sso", endpoint_url="http://portal.sso.us-east-1.amazonaws.com").list_accounts,
        "UnauthorizedException",
        401,
        accessToken="x",
    )
