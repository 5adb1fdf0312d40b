"""CreateOAuth2Token: what it refuses first, then the tokens of a program that signed in."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from signin_calls import (
    ACCOUNT,
    CALLBACK,
    CROSS_DEVICE,
    SAME_DEVICE,
    TOKEN_URL,
    WORLD,
    Program,
    approved,
    authorize_url,
    claims_of,
    code_for,
    credentials_of,
    needs_the_model,
    refused,
)
from yaml_tables import read_table

pytestmark = needs_the_model

# As recorded (aws-cli, issues 10613 and 10330).
GRANT = "The provided authorization grant is invalid, expired, revoked, or malformed"
EXPIRED = "The refresh token has expired."
INVALID = ("ValidationException", 400, "INVALID_REQUEST")
PROOFS = read_table((Path(__file__).parent / "cases" / "dpop_proofs.yaml").read_text())


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, 1_893_456_000)


@pytest.fixture(scope="module")
def unchanged(make_shared_world: Any) -> Any:
    """For requests that change nothing."""
    return make_shared_world(WORLD)


@pytest.fixture
def program() -> Program:
    return Program()


def put_policy(world: Any, user: str, effect: str, action: str, **statement: Any) -> None:
    document = {"Effect": effect, "Action": action, "Resource": "*", **statement}
    policy = {"Version": "2012-10-17", "Statement": [document]}
    world.client("iam").put_user_policy(UserName=user, PolicyName="own", PolicyDocument=json.dumps(policy))


# Codes.


def test_a_code_that_does_not_exist(world: Any, program: Program) -> None:
    assert refused(program.redeems, *INVALID, world, "unknown") == GRANT


@pytest.mark.parametrize("missing", ["code", "redirectUri", "codeVerifier"])
def test_a_code_without_what_belongs_to_it(world: Any, program: Program, missing: str) -> None:
    given = {"code": code_for(world), "redirectUri": CALLBACK, "codeVerifier": "v" * 64}
    del given[missing]
    refused(program.asks, *INVALID, world, grantType="authorization_code", **given)


@pytest.mark.parametrize(
    "changed",
    [
        {"codeVerifier": "w" * 64},
        {"redirectUri": "http://127.0.0.1:8401/oauth/callback"},
        {"clientId": CROSS_DEVICE},
    ],
)
def test_a_code_with_another_verifier_address_or_client(world: Any, program: Program, changed: Any) -> None:
    code = code_for(world)
    assert refused(program.redeems, *INVALID, world, code, **changed) == GRANT
    # The code is still good for its own program.
    assert program.redeems(world, code)["tokenType"] == "aws_sigv4"


@pytest.mark.parametrize(
    "changed",
    [{"codeVerifier": "+" * 43}, {"clientId": "arn:aws:signin:::devtools/other"}, {"grantType": "password"}],
)
def test_parameters_beyond_the_model(world: Any, program: Program, changed: Any) -> None:
    refused(program.redeems, *INVALID, world, "x", **changed)


def test_a_code_that_has_expired(world: Any, program: Program) -> None:
    code = code_for(world)
    world.clock.advance(600)
    refused(program.redeems, "AccessDeniedException", 401, "AUTHCODE_EXPIRED", world, code)


def test_a_code_that_comes_twice_ends_its_session(world: Any, program: Program) -> None:
    code = code_for(world)
    tokens = program.redeems(world, code)
    assert refused(program.redeems, *INVALID, world, code) == GRANT
    assert refused(program.refreshes, *INVALID, world, tokens["refreshToken"]) == GRANT


def test_a_code_works_once_for_programs_at_the_same_time(world: Any) -> None:
    code, answers = code_for(world), []

    def redeem() -> None:
        try:
            answers.append(Program().redeems(world, code))
        except Exception as error:
            answers.append(type(error).__name__)

    threads = [threading.Thread(target=redeem) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(each, dict) for each in answers) == [False, False, False, True]
    assert {each for each in answers if not isinstance(each, dict)} == {"ValidationException"}


# Proofs of possession.


@pytest.mark.parametrize("changed", PROOFS["refused"].values(), ids=PROOFS["refused"])
def test_proofs_that_prove_nothing(unchanged: Any, program: Program, changed: dict[str, Any]) -> None:
    claims = dict(changed)
    if "seconds_ago" in claims:
        claims["iat"] = int(time.time()) - claims.pop("seconds_ago")
    for grant in (program.redeems, program.refreshes):
        refused(grant, *INVALID, unchanged, "x", program.proof(**claims))


def test_a_request_without_a_proof(world: Any, program: Program) -> None:
    code = code_for(world)
    for proof in ("", "x", "x.y.z", "a" * 5000):
        refused(program.redeems, *INVALID, world, code, proof)
    whole = program.proof()
    refused(program.redeems, *INVALID, world, code, whole[:-4] + "AAAA")
    refused(program.redeems, *INVALID, world, code, f"{whole}, {whole}")


def test_a_proof_by_another_key_than_its_own(world: Any, program: Program) -> None:
    """The header names a key that did not sign."""
    other = ec.generate_private_key(ec.SECP256R1())
    refused(program.redeems, *INVALID, world, code_for(world), program.proof(key=other))


def test_a_proof_that_shows_its_private_key_or_uses_another_algorithm(world: Any, program: Program) -> None:
    code = code_for(world)
    private = json.loads(ECAlgorithm.to_jwk(program.key))
    refused(program.redeems, *INVALID, world, code, program.proof(jwk=private))
    longer = ec.generate_private_key(ec.SECP384R1())
    public = json.loads(ECAlgorithm.to_jwk(longer.public_key()))
    refused(program.redeems, *INVALID, world, code, program.proof(jwk=public, key=longer, alg="ES384"))
    symmetric = {"kty": "oct", "k": "c2VjcmV0"}
    refused(program.redeems, *INVALID, world, code, program.proof(jwk=symmetric, key="secret" * 8, alg="HS256"))
    unsigned = jwt.encode({"htm": "POST"}, "", algorithm="none", headers={"typ": "dpop+jwt", "jwk": public})
    refused(program.redeems, *INVALID, world, code, unsigned)


@pytest.mark.parametrize("url", [TOKEN_URL, TOKEN_URL.upper().replace("/V1/TOKEN", "/v1/token"), f"{TOKEN_URL}?x=1#y"])
def test_the_address_in_a_proof(world: Any, program: Program, url: str) -> None:
    """RFC 9449, section 4.3: compared without query and fragment, and after normalisation."""
    assert program.redeems(world, code_for(world), program.proof(htu=url))


def test_a_proof_with_another_grant(world: Any, program: Program) -> None:
    """RFC 9449, section 11.1. With the same grant it may come again, because SDKs repeat a request that failed."""
    tokens, proof = program.signs_in(world), program.proof()
    assert program.refreshes(world, tokens["refreshToken"], proof)
    assert program.refreshes(world, tokens["refreshToken"], proof)
    refused(program.redeems, *INVALID, world, code_for(world), proof)


def test_a_refresh_by_another_key(world: Any, program: Program) -> None:
    tokens = program.signs_in(world)
    refused(Program().refreshes, *INVALID, world, tokens["refreshToken"])
    assert program.refreshes(world, tokens["refreshToken"])


# Refresh tokens.


def test_a_refresh_token_of_another_client(world: Any, program: Program) -> None:
    tokens = program.signs_in(world)
    assert refused(program.refreshes, *INVALID, world, tokens["refreshToken"], clientId=CROSS_DEVICE) == GRANT
    assert refused(program.refreshes, *INVALID, world, "ASORunknown") == GRANT
    refused(program.asks, *INVALID, world, grantType="refresh_token")


def test_a_session_ends_after_twelve_hours(world: Any, program: Program) -> None:
    token = program.signs_in(world)["refreshToken"]
    world.clock.advance(hours=12, seconds=-60)
    assert program.refreshes(world, token)["expiresIn"] == 60
    world.clock.advance(60)
    assert refused(program.refreshes, "AccessDeniedException", 401, "TOKEN_EXPIRED", world, token) == EXPIRED


@pytest.mark.parametrize(("principal", "seconds"), [("role/app", 7200), ("user/ana", 43_200), ("root", 43_200)])
def test_how_long_a_session_lasts(world: Any, program: Program, principal: str, seconds: int) -> None:
    """A role's sessions last no longer than its maximum session duration."""
    token = program.signs_in(world, principal)["refreshToken"]
    world.clock.advance(seconds - 1)
    assert program.refreshes(world, token)["expiresIn"] == 1
    world.clock.advance(1)
    refused(program.refreshes, "AccessDeniedException", 401, "TOKEN_EXPIRED", world, token)


def test_the_setting_for_sign_in_sessions(world: Any, program: Program) -> None:
    """IAM API reference, MaxSigninSessionDuration."""
    iam = world.client("iam")
    iam.create_login_profile(UserName="ana", Password="Correct-horse-1", MaxSigninSessionDuration=3600)
    iam.update_role(RoleName="app", MaxSigninSessionDuration=3600)
    for principal in ("user/ana", "role/app"):
        assert claims_of(program.signs_in(world, principal)["idToken"])["exp"] == 1_893_456_000 + 3600


def test_a_changed_password_ends_the_session(world: Any, program: Program) -> None:
    iam = world.client("iam")
    iam.create_login_profile(UserName="ana", Password="Correct-horse-1")
    token, code = program.signs_in(world)["refreshToken"], code_for(world)
    assert program.refreshes(world, token)
    iam.update_login_profile(UserName="ana", Password="Correct-horse-2")
    changed = ("AccessDeniedException", 403, "USER_CREDENTIALS_CHANGED")
    refused(program.refreshes, *changed, world, token)
    refused(program.redeems, *changed, world, code)
    assert program.signs_in(world)


def test_a_deleted_principal_ends_the_session(world: Any, program: Program) -> None:
    iam = world.client("iam")
    iam.create_user(UserName="gone", Path="/team/")
    arn = "arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess"
    iam.attach_user_policy(UserName="gone", PolicyArn=arn)
    tokens = program.signs_in(world, "user/gone")
    iam.detach_user_policy(UserName="gone", PolicyArn=arn)
    iam.delete_user(UserName="gone")
    iam.create_user(UserName="gone", Path="/team/")
    refused(program.refreshes, "AccessDeniedException", 403, "USER_CREDENTIALS_CHANGED", world, tokens["refreshToken"])
    refused(program.redeems, *INVALID, world, "x")


# Permissions.


def test_a_program_needs_the_permission(world: Any, program: Program) -> None:
    """Refused is the exchange of the code, and each refresh."""
    put_policy(world, "plain", "Allow", "signin:AuthorizeOAuth2Access")
    code = code_for(world, "user/plain")
    insufficient = ("AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS")
    message = refused(program.redeems, *insufficient, world, code)
    resource = f"arn:aws:signin:us-east-1:{ACCOUNT}:oauth2/public-client/localhost"
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/plain is not authorized to perform: signin:CreateOAuth2Token on resource: "
        f"{resource} because no identity-based policy allows the signin:CreateOAuth2Token action"
    )
    put_policy(world, "plain", "Allow", "signin:*", Resource=resource)
    token = program.redeems(world, code)["refreshToken"]
    put_policy(world, "plain", "Allow", "signin:AuthorizeOAuth2Access")
    refused(program.refreshes, *insufficient, world, token)


@pytest.mark.parametrize(
    ("key", "first", "later"),
    [
        ("signin:OAuthGrantType", "authorization_code", "refresh_token"),
        ("signin:OAuthClientId", SAME_DEVICE, SAME_DEVICE),
        ("signin:OAuthRedirectUri", CALLBACK, CALLBACK),
        ("signin:OAuthClientAuthentication", "none", "none"),
    ],
)
def test_the_condition_keys(world: Any, program: Program, key: str, first: str, later: str) -> None:
    """Sign-In User Guide, OAuth condition keys."""
    put_policy(world, "ana", "Deny", "signin:CreateOAuth2Token", Condition={"StringEquals": {key: first}})
    refused(program.signs_in, "AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS", world)
    world.client("iam").delete_user_policy(UserName="ana", PolicyName="own")
    token = program.signs_in(world)["refreshToken"]
    put_policy(world, "ana", "Deny", "signin:CreateOAuth2Token", Condition={"StringEquals": {key: later}})
    refused(program.refreshes, "AccessDeniedException", 403, "INSUFFICIENT_PERMISSIONS", world, token)


# Tokens.


def test_the_first_tokens(world: Any, program: Program) -> None:
    tokens = program.signs_in(world)
    assert set(tokens) == {"accessToken", "tokenType", "expiresIn", "refreshToken", "idToken"}
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("aws_sigv4", 900)
    claims = claims_of(tokens["idToken"])
    assert claims["sub"] == f"arn:aws:iam::{ACCOUNT}:user/team/ana"
    assert claims["aud"] == SAME_DEVICE


def test_a_refresh_repeats(world: Any, program: Program) -> None:
    """Model: a refresh is idempotent, and its answer has no id token."""
    first = program.signs_in(world)
    world.clock.advance(800)
    for _ in range(2):
        again = program.refreshes(world, first["refreshToken"])
        assert set(again) == {"accessToken", "tokenType", "expiresIn", "refreshToken"}
        assert again["refreshToken"] == first["refreshToken"]
    world.clock.advance(800)
    sts = world.client("sts", credentials=credentials_of(again))
    assert sts.get_caller_identity()["Arn"].endswith(":user/team/ana")
    refused_sts = world.client("sts", credentials=credentials_of(first))
    with pytest.raises(refused_sts.exceptions.ClientError, match="ExpiredToken"):
        refused_sts.get_caller_identity()


@pytest.mark.parametrize(
    ("principal", "arn"),
    [
        ("root", f"arn:aws:iam::{ACCOUNT}:root"),
        ("user/ana", f"arn:aws:iam::{ACCOUNT}:user/team/ana"),
        ("role/app", f"arn:aws:sts::{ACCOUNT}:assumed-role/app/rolecall"),
    ],
)
def test_the_credentials_are_the_principal(world: Any, program: Program, principal: str, arn: str) -> None:
    tokens = program.signs_in(world, principal)
    assert claims_of(tokens["idToken"])["sub"] == arn
    assert world.client("sts", credentials=credentials_of(tokens)).get_caller_identity()["Arn"] == arn


def test_the_credentials_have_the_permissions_of_the_principal(world: Any, program: Program) -> None:
    given = credentials_of(program.signs_in(world))
    assert world.client("chime", credentials=given).list_accounts()["Accounts"] == []
    assert len(world.client("iam", credentials=given).list_users()["Users"]) == 3
    denied = world.client("iam", credentials=given)
    with pytest.raises(denied.exceptions.ClientError, match="AccessDenied"):
        denied.create_user(UserName="more")
    sts = world.client("sts", credentials=given)
    for call, arguments in ((sts.get_session_token, {}), (sts.get_federation_token, {"Name": "more"})):
        with pytest.raises(sts.exceptions.ClientError, match="session credentials"):
            call(**arguments)


def test_the_session_in_policies(world: Any, program: Program) -> None:
    """Sign-In User Guide: for immediate containment, deny by aws:SignInSessionArn."""
    tokens = program.signs_in(world)
    [session] = world.client("signin").list_sessions(principalArn=f"arn:aws:iam::{ACCOUNT}:*")["items"]
    sts = world.client("iam", credentials=credentials_of(tokens))
    assert sts.list_users()
    condition = {"ArnEquals": {"aws:SignInSessionArn": session["sessionArn"]}}
    put_policy(world, "ana", "Deny", "iam:ListUsers", Condition=condition)
    with pytest.raises(sts.exceptions.ClientError, match="explicit deny"):
        sts.list_users()
    other = world.client("iam", credentials=credentials_of(Program().signs_in(world)))
    assert other.list_users()


def test_the_log_holds_no_secret(world: Any, program: Program) -> None:
    tokens = program.signs_in(world)
    program.refreshes(world, tokens["refreshToken"])
    of_tokens = [each for each in world.outcomes if each.operation == "CreateOAuth2Token"]
    assert [each.caller.principal.name for each in of_tokens] == ["ana", "ana"]
    for each in of_tokens:
        text = each.recorded.recorder.parameters(each.recorded.parameters)
        assert tokens["refreshToken"] not in text
        assert "vvvv" not in text
        assert [decision.question.action for decision in each.decisions] == ["signin:CreateOAuth2Token"]


def test_a_region_comes_from_the_host(world: Any, program: Program) -> None:
    url = authorize_url().replace("rolecall.localhost", "eu-west-1.signin.localhost")
    program.redeems(world, approved(world, url=url)["code"])
    [session] = world.client("signin").list_sessions(principalArn=f"arn:aws:iam::{ACCOUNT}:*")["items"]
    assert session["sessionArn"].startswith(f"arn:aws:signin:eu-west-1:{ACCOUNT}:session/")
