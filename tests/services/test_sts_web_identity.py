"""AssumeRoleWithWebIdentity, called by boto3 with tokens of a provider whose keys are declared."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sts_calls import ACCOUNT, OTHER, UNCHECKED, allow, policy, refusal, role, role_arn, statement, trust
from web_identity_calls import (
    ACTION,
    AUDIENCE,
    COGNITO,
    EVERY_ACTION,
    GITHUB,
    GOOGLE,
    HOST,
    ISSUER,
    NOT_AUTHORIZED,
    SUBJECT,
    federated,
    federation_world,
    provider,
    provider_arn,
    request,
    signing_key,
    token,
)
from world_handle import WorldHandle

OPERATION = "AssumeRoleWithWebIdentity"
TAGS = "https://aws.amazon.com/tags"
SOURCE_IDENTITY = "https://aws.amazon.com/source_identity"
INVALID = (
    "The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity "
    "provider and then retry the request."
)
KEY = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
# IAM requires a condition for Cognito.
ANY_COGNITO_POOL = {"StringLike": {f"{COGNITO}:aud": "*"}}
AMAZON, FACEBOOK = "www.amazon.com", "graph.facebook.com"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture(scope="module")
def world(folder: Path) -> Any:
    """Shared by tests that leave it unchanged."""
    handle = WorldHandle(
        federation_world(
            folder,
            role("plain", federated(provider_arn()), allow("sts:*")),
            role("untrusting", trust(f"arn:aws:iam::{ACCOUNT}:root"), allow("sts:*")),
            role("google", federated(GOOGLE), allow("sts:*")),
            role("cognito", federated(COGNITO, Condition=ANY_COGNITO_POOL), allow("sts:*")),
            role("amazon", federated(AMAZON), allow("sts:*")),
            role("facebook", federated(FACEBOOK), allow("sts:*")),
            oidc_providers=[
                provider(folder, f"https://{AMAZON}", client_ids=[]),
                {"url": "https://unreachable.example.com", "client_ids": [AUDIENCE]},
            ],
        )
    )
    yield handle
    handle.close()


@pytest.fixture
def sts(world: Any) -> Any:
    return world.client("sts", "nobody", config=UNCHECKED)


@pytest.fixture
def make_federation(folder: Path) -> Any:
    """Worlds for one test each, with these roles."""
    handles: list[WorldHandle] = []

    def make(*roles: dict[str, Any], **more: Any) -> WorldHandle:
        handles.append(WorldHandle(federation_world(folder, *roles, **more)))
        return handles[-1]

    yield make
    for handle in handles:
        handle.close()


def assume(sts: Any, *arguments: Any, **more: Any) -> dict[str, Any]:
    return sts.assume_role_with_web_identity(**request(*arguments, **more))  # type: ignore[no-any-return]


# The session of a valid token.


def test_the_holder_of_a_token_becomes_a_session_of_the_role(world: Any, sts: Any) -> None:
    begun = int(world.clock.now_seconds())
    answer = assume(sts, "plain")
    assert answer["SubjectFromWebIdentityToken"] == SUBJECT
    assert answer["Provider"] == provider_arn()
    assert answer["Audience"] == AUDIENCE
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/plain/session"
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":session")
    assert not {"PackedPolicySize", "SourceIdentity"} & set(answer)
    assert begun <= answer["Credentials"]["Expiration"].timestamp() - 3600 <= world.clock.now_seconds()
    session = world.client("sts", credentials=answer["Credentials"])
    assert session.get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]


def test_the_call_needs_no_signature_and_no_rights(world: Any) -> None:
    body = urlencode({"Action": OPERATION, "Version": "2011-06-15", **request("plain")})
    answer = world.application.test_client().post("/", data=body, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, b"<AssumeRoleWithWebIdentityResult>" in answer.data) == (200, True)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_every_algorithm_that_aws_takes(make_federation: Any, folder: Path, algorithm: str) -> None:
    key = signing_key(algorithm)
    url = f"https://{algorithm.lower()}.example.com"
    made = make_federation(
        role("r", federated(provider_arn(url[8:]))), oidc_providers=[provider(folder, url, signing_key(), key)]
    )
    assert assume(made.client("sts"), "r", token(key, iss=url))["Provider"] == provider_arn(url[8:])


def test_session_policies_duration_and_sizes_are_those_of_assume_role(world: Any, sts: Any) -> None:
    answer = assume(sts, Policy=json.dumps(allow("sts:GetCallerIdentity")), DurationSeconds=43200)
    assert 0 < answer["PackedPolicySize"] == answer["SessionTokenUtilization"] <= 100
    assert answer["Credentials"]["Expiration"].timestamp() - world.clock.now_seconds() > 43000
    session = world.client("iam", credentials=answer["Credentials"])
    assert refusal(session, "ListUsers")[1] == "AccessDenied"
    assert world.client("iam", credentials=assume(sts)["Credentials"]).list_users()["Users"]
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert refusal(sts, OPERATION, **request("plain", DurationSeconds=3601)) == (400, "ValidationError", message)


@pytest.mark.parametrize("audience", [["other", AUDIENCE], [AUDIENCE]])
def test_one_of_several_audiences_is_enough(sts: Any, audience: list[str]) -> None:
    assert assume(sts, "plain", token(aud=audience))["Audience"] == AUDIENCE


def test_the_authorized_party_is_the_audience_where_there_is_one(sts: Any) -> None:
    assert assume(sts, "plain", token(aud="anything", azp=AUDIENCE))["Audience"] == AUDIENCE
    wrong = request("plain", token(aud=AUDIENCE, azp="anything"))
    assert refusal(sts, OPERATION, **wrong) == (400, "InvalidIdentityToken", "Incorrect token audience")


# Refused tokens.

HOUR = 3600


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        ({"aud": "other"}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"aud": []}, "InvalidIdentityToken", "Missing a required claim: aud"),
        ({"aud": [1, {}]}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"aud": AUDIENCE.upper()}, "InvalidIdentityToken", "Incorrect token audience"),
        ({"aud": None}, "InvalidIdentityToken", "Missing a required claim: aud"),
        ({"sub": None}, "InvalidIdentityToken", "Missing a required claim: sub"),
        ({"sub": ""}, "InvalidIdentityToken", "Missing a required claim: sub"),
        ({"sub": "a\u0000b"}, "InvalidIdentityToken", INVALID),
        ({"sub": "a" * 256}, "InvalidIdentityToken", INVALID),
        ({"exp": None}, "InvalidIdentityToken", "Missing a required claim: exp"),
        ({"iat": None}, "InvalidIdentityToken", "Missing a required claim: iat"),
        ({"exp": 4e9}, "InvalidIdentityToken", INVALID),
        ({"exp": "4000000000"}, "InvalidIdentityToken", INVALID),
        ({"exp": True}, "InvalidIdentityToken", INVALID),
        ({"iat": 1.5}, "InvalidIdentityToken", INVALID),
        ({"iat": 4_000_000_000}, "InvalidIdentityToken", INVALID),
        ({"nbf": 4_000_000_000}, "InvalidIdentityToken", INVALID),
        ({"nbf": "0"}, "InvalidIdentityToken", INVALID),
        ({"iss": None}, "InvalidIdentityToken", "Missing a required claim: iss"),
        ({"iss": ["a"]}, "InvalidIdentityToken", INVALID),
        ({"iss": "a\nb"}, "InvalidIdentityToken", INVALID),
        *(
            ({"iss": issuer}, "InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {issuer}")
            for issuer in (
                "https://other.example.com",
                f"{ISSUER}/",
                ISSUER.removesuffix("/tenant"),
                ISSUER[:-1],
                ISSUER.upper(),
                HOST,
                f"http://{HOST}",
            )
        ),
    ],
)
def test_a_token_whose_claims_do_not_fit(sts: Any, changed: dict[str, Any], code: str, message: str) -> None:
    assert refusal(sts, OPERATION, **request("plain", token(**changed))) == (400, code, message)


def test_expiry_is_judged_by_the_sandbox_clock_with_five_minutes_of_grace(make_federation: Any) -> None:
    made = make_federation()
    sts, now = made.client("sts"), int(made.clock.now_seconds())
    text = token(exp=now + HOUR, iat=now)
    made.clock.freeze()
    made.clock.set(now + HOUR + 299)
    assume(sts, text=text)
    made.clock.set(now + HOUR + 300)
    message = (
        f"Token expired: current date/time {now + HOUR + 300} must be before the expiration date/time {now + HOUR}"
    )
    assert refusal(sts, OPERATION, **request(text=text)) == (400, "ExpiredTokenException", message)
    made.clock.set(now - 300)
    assume(sts, text=text)
    made.clock.set(now - 301)
    assert refusal(sts, OPERATION, **request(text=text)) == (400, "InvalidIdentityToken", INVALID)


def test_keys_that_are_not_the_issuers(sts: Any) -> None:
    stranger = signing_key(number=1)
    pretending = token(stranger, {"kid": signing_key().key_id})
    for text in (token(stranger), pretending, token(header={"kid": ""}), token(header={"kid": "unknown"})):
        assert refusal(sts, OPERATION, **request(text=text)) == (400, "InvalidIdentityToken", KEY)


def test_a_key_of_another_provider_does_not_verify(make_federation: Any, folder: Path) -> None:
    other = signing_key(number=1)
    made = make_federation(oidc_providers=[provider(folder, "https://other.example.com", other)])
    assert refusal(made.client("sts"), OPERATION, **request(text=token(other))) == (400, "InvalidIdentityToken", KEY)


@pytest.mark.parametrize("text", ["aaaa", "aa.bb", "a.b.c", "e30.e30.e30", "a.b.c.d", "....", "token with blanks"])
def test_invalid_tokens(sts: Any, text: str) -> None:
    message = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
    status, code, told = refusal(sts, OPERATION, **request(text=text))
    assert (status, code) == (400, "InvalidIdentityToken")
    assert told == (KEY if text == "e30.e30.e30" else message)


def test_the_end_of_a_files_line_is_no_part_of_the_token(sts: Any) -> None:
    assume(sts, text=token() + "\n")
    assume(sts, text=f" {token()}\r\n")
    assert refusal(sts, OPERATION, **request(text=token().replace(".", ".\n", 1)))[1] == "InvalidIdentityToken"


def test_a_token_that_is_too_long_is_not_read(sts: Any) -> None:
    status, code, message = refusal(sts, OPERATION, **request(text="a" * 20_001))
    assert (status, code) == (400, "ValidationError")
    assert message.endswith("failed to satisfy constraint: Member must have length less than or equal to 20000")
    assert "aaaa" not in message


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "\u0000", "aws:x", "é" * 300, 10**4000, -(10**4000)]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = ["sub", "aud", "azp", "exp", "iat", "nbf", "amr", "email", "roles", "google", "actor", TAGS, SOURCE_IDENTITY]
_NAMES += [f"{TAGS}/principal_tags/Team", f"{TAGS}/transitive_tag_keys"]


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    issuer=st.sampled_from([ISSUER, GOOGLE, f"https://{COGNITO}"]),
    changed=st.dictionaries(st.sampled_from(_NAMES), _json, max_size=4),
)
def test_signed_nonsense_is_answered_in_aws_words(world: Any, issuer: str, changed: dict[str, Any]) -> None:
    roles = {ISSUER: "open", GOOGLE: "google", f"https://{COGNITO}": "cognito"}
    body = urlencode(
        {"Action": OPERATION, "Version": "2011-06-15", **request(roles[issuer], token(iss=issuer, **changed))}
    )
    answer = world.application.test_client().post("/", data=body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code in (200, 400, 403), answer.data
    ElementTree.fromstring(answer.data)  # noqa: S314 - what Rolecall itself has written


# Role ARNs, and the order of the checks.


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        ("nothing-valid-in-here", "nothing-valid-in-here is invalid"),
        (f"arn:aws:iam::{ACCOUNT}:user/admin", "Request ARN is invalid"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/open/session", "Request ARN is invalid"),
        (f"arn:aws:iam:us-east-1:{ACCOUNT}:role/open", "Request ARN is invalid"),
        ("arn:aws:iam::aws:role/open-to-everyone", "Request ARN is invalid"),
        (f"arn:aws:iam::{ACCOUNT}:root", "Request ARN is invalid"),
    ],
)
def test_arns_of_other_things_than_roles(sts: Any, arn: str, message: str) -> None:
    arguments = {**request(text=token(aud="other")), "RoleArn": arn}
    assert refusal(sts, OPERATION, **arguments) == (400, "ValidationError", message)


def test_parameters_before_the_token_and_the_token_before_the_trust(sts: Any) -> None:
    arguments = {**request("absent", token(aud="other")), "RoleSessionName": "a b"}
    assert refusal(sts, OPERATION, **arguments)[1] == "ValidationError"
    assert refusal(sts, OPERATION, **request("absent", token(aud="other")))[2] == "Incorrect token audience"
    assert refusal(sts, OPERATION, **request("absent")) == (403, "AccessDenied", NOT_AUTHORIZED)
    assert refusal(sts, OPERATION, **request("untrusting")) == (403, "AccessDenied", NOT_AUTHORIZED)


def test_the_provider_is_looked_for_in_the_account_of_the_role(sts: Any) -> None:
    message = f"No OpenIDConnect provider found in your account for {ISSUER}"
    for account_id in (OTHER, "999999999999"):
        arguments = request(role_arn("open", account_id))
        assert refusal(sts, OPERATION, **arguments) == (400, "InvalidIdentityToken", message)


def test_a_policy_that_names_the_same_provider_of_another_account_trusts_no_token(make_federation: Any) -> None:
    made = make_federation(role("r", federated(provider_arn(account_id=OTHER))))
    assert refusal(made.client("sts"), OPERATION, **request("r")) == (403, "AccessDenied", NOT_AUTHORIZED)


def test_a_deleted_provider_admits_no_token_any_more(make_federation: Any) -> None:
    made = make_federation()
    sts, text = made.client("sts"), token()
    assume(sts, text=text)
    made.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=provider_arn())
    message = f"No OpenIDConnect provider found in your account for {ISSUER}"
    assert refusal(sts, OPERATION, **request(text=text)) == (400, "InvalidIdentityToken", message)


def test_a_removed_client_id_admits_no_token_any_more(make_federation: Any) -> None:
    made = make_federation()
    sts, iam, text = made.client("sts"), made.client("iam"), token()
    assume(sts, text=text)
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=provider_arn(), ClientID=AUDIENCE)
    assert refusal(sts, OPERATION, **request(text=text))[2] == "Incorrect token audience"


# Conditions of trust policies.

GITHUB_CLAIMS = {
    "iss": f"https://{GITHUB}",
    "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
    "repository": "octo-org/octo-repo",
    "repository_id": 74,
    "actor": "octocat",
    "ref": "refs/heads/main",
    "job_workflow_ref": "octo-org/octo-repo/.github/workflows/ci.yml@refs/heads/main",
    "sha": "abc",
}


@pytest.mark.parametrize(
    ("host", "more", "condition", "allowed"),
    [
        (HOST, {}, {"StringEquals": {f"{HOST}:aud": AUDIENCE}}, True),
        (HOST, {}, {"StringEquals": {f"{HOST}:aud": "other"}}, False),
        (HOST, {}, {"StringEquals": {f"{HOST.upper()}:SUB": SUBJECT}}, True),
        (HOST, {}, {"StringEquals": {"idp.example.com:sub": SUBJECT}}, False),
        (HOST, {}, {"StringLike": {f"{HOST}:sub": "a*"}}, True),
        (HOST, {"email": "ana@example.com"}, {"StringEquals": {f"{HOST}:email": "ana@example.com"}}, True),
        (HOST, {"team": "blue"}, {"StringEquals": {f"{HOST}:team": "blue"}}, False),
        (HOST, {"amr": ["mfa", "pwd"]}, {"ForAnyValue:StringEquals": {f"{HOST}:amr": "mfa"}}, True),
        (HOST, {"amr": "pwd"}, {"ForAnyValue:StringEquals": {f"{HOST}:amr": "mfa"}}, False),
        (HOST, {"azp": AUDIENCE, "aud": "api"}, {"StringEquals": {f"{HOST}:oaud": "api"}}, True),
        (HOST, {}, {"Null": {f"{HOST}:oaud": "true"}}, True),
        (HOST, {}, {"StringEquals": {"sts:RoleSessionName": "session"}}, True),
        (HOST, {}, {"StringEquals": {"sts:RoleSessionName": "other"}}, False),
        (HOST, {}, {"StringEquals": {"aws:ResourceTag/Team": "blue"}}, True),
        (HOST, {"roles": [role_arn("r")]}, {"Bool": {"sts:RoleAuthorizedByIdp": "true"}}, True),
        (HOST, {"roles": [role_arn("s")]}, {"Bool": {"sts:RoleAuthorizedByIdp": "true"}}, False),
        (HOST, {}, {"Bool": {"sts:RoleAuthorizedByIdp": "false"}}, False),
        (GITHUB, GITHUB_CLAIMS, {"StringEquals": {f"{GITHUB}:repository": "octo-org/octo-repo"}}, True),
        (GITHUB, GITHUB_CLAIMS, {"StringEquals": {f"{GITHUB}:repository_id": "74"}}, True),
        (GITHUB, GITHUB_CLAIMS, {"StringEquals": {f"{GITHUB}:actor": "someone"}}, False),
        (GITHUB, GITHUB_CLAIMS, {"StringLike": {f"{GITHUB}:job_workflow_ref": "octo-org/*"}}, True),
        (GITHUB, GITHUB_CLAIMS, {"StringLike": {f"{GITHUB}:sub": "repo:octo-org/*"}}, True),
        (GITHUB, GITHUB_CLAIMS, {"StringEquals": {f"{GITHUB}:sha": "abc"}}, False),
        (GITHUB, {**GITHUB_CLAIMS, "ref": {"a": 1}}, {"Null": {f"{GITHUB}:ref": "true"}}, True),
    ],
)
def test_claims_are_condition_keys(
    make_federation: Any, host: str, more: dict[str, Any], condition: dict[str, Any], allowed: bool
) -> None:
    trusting = federated(provider_arn(host), EVERY_ACTION, Condition=condition)
    sts = make_federation(role("r", trusting, tags={"Team": "blue"})).client("sts")
    arguments = request("r", token(**more))
    if allowed:
        sts.assume_role_with_web_identity(**arguments)
    else:
        assert refusal(sts, OPERATION, **arguments) == (403, "AccessDenied", NOT_AUTHORIZED)


def test_an_issuer_whose_url_ends_in_a_slash(make_federation: Any, folder: Path) -> None:
    """Like Auth0's: the slash is part of the ARN and of the condition keys."""
    host = "tenant.example.com/"
    slashed = provider(folder, f"https://{host}")
    condition = {"StringEquals": {f"{host}:sub": SUBJECT, f"{host}:aud": AUDIENCE}}
    trusting = role("slashed", federated(provider_arn(host), Condition=condition))
    world = make_federation(trusting, oidc_providers=[slashed])
    answer = world.client("sts").assume_role_with_web_identity(**request("slashed", token(iss=f"https://{host}")))
    assert answer["Provider"] == provider_arn(host)
    with pytest.raises(ClientError, match="No OpenIDConnect provider found in your account"):
        world.client("sts").assume_role_with_web_identity(**request("slashed", token(iss="https://tenant.example.com")))


def test_an_explicit_deny_wins(make_federation: Any) -> None:
    denied = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ACTION,
        "Condition": {"StringEquals": {f"{HOST}:sub": SUBJECT}},
    }
    document = federated(provider_arn())
    document["Statement"].append(denied)
    sts = make_federation(role("r", document)).client("sts")
    assert refusal(sts, OPERATION, **request("r")) == (403, "AccessDenied", NOT_AUTHORIZED)
    assume(sts, "r", token(sub="li"))


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        (f"{HOST}:sub", SUBJECT, True),
        (f"{HOST}:aud", AUDIENCE, True),
        ("aws:FederatedProvider", provider_arn(), True),
        (f"{HOST}:email", "ana@example.com", False),
    ],
)
def test_what_the_session_keeps_of_the_token(make_federation: Any, key: str, value: str, kept: bool) -> None:
    rights = policy(statement("iam:ListUsers", Condition={"StringEquals": {key: value}}))
    made = make_federation(role("r", federated(provider_arn()), rights))
    answer = assume(made.client("sts"), "r", token(email="ana@example.com"))
    iam = made.client("iam", credentials=answer["Credentials"])
    if kept:
        assert iam.list_users()["Users"]
    else:
        assert refusal(iam, "ListUsers")[1] == "AccessDenied"


def test_several_values_of_a_claim_stay_several_in_the_session(make_federation: Any) -> None:
    condition = {"ForAnyValue:StringEquals": {f"{COGNITO}:amr": "authenticated"}}
    rights = policy(statement("iam:ListUsers", Condition=condition))
    made = make_federation(role("r", federated(COGNITO, Condition=ANY_COGNITO_POOL), rights))
    text = token(iss=f"https://{COGNITO}", aud="us-east-1:pool", amr=["authenticated", "login"])
    answer = assume(made.client("sts"), "r", text)
    assert made.client("iam", credentials=answer["Credentials"]).list_users()["Users"]


# Session tags and source identity.

NESTED = {TAGS: {"principal_tags": {"Team": ["blue"], "Cost": "9"}, "transitive_tag_keys": ["Team"]}}
FLAT = {
    f"{TAGS}/principal_tags/Team": "blue",
    f"{TAGS}/principal_tags/Cost": ["9"],
    f"{TAGS}/transitive_tag_keys": ["Team"],
}


@pytest.mark.parametrize("passed", [NESTED, FLAT])
def test_tags_of_the_token_are_session_tags(make_federation: Any, passed: dict[str, Any]) -> None:
    condition = {
        "StringEquals": {"aws:RequestTag/team": "blue", "sts:TransitiveTagKeys": "Team"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Cost"]},
    }
    rights = policy(
        statement("iam:ListUsers", Condition={"StringEquals": {"aws:PrincipalTag/Team": "blue"}}),
        statement("sts:AssumeRole"),
    )
    next_trust = trust(f"arn:aws:iam::{ACCOUNT}:root", ["sts:AssumeRole", "sts:TagSession"])
    made = make_federation(
        role("r", federated(provider_arn(), EVERY_ACTION, Condition=condition), rights, allow("sts:*")),
        role("next", next_trust, rights),
    )
    answer = assume(made.client("sts"), "r", token(**passed))
    assert 0 < answer["PackedPolicySize"] == answer["SessionTokenUtilization"] <= 100
    assert made.client("iam", credentials=answer["Credentials"]).list_users()["Users"]
    chained = made.client("sts", credentials=answer["Credentials"]).assume_role(
        RoleArn=role_arn("next"), RoleSessionName="chained"
    )
    assert made.client("iam", credentials=chained["Credentials"]).list_users()["Users"]


def test_tags_need_their_own_permission_in_the_trust_policy(sts: Any) -> None:
    message = "Not authorized to perform sts:TagSession"
    assert refusal(sts, OPERATION, **request("plain", token(**NESTED))) == (403, "AccessDenied", message)
    assume(sts, "open", token(**NESTED))


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ("blue", "InvalidIdentityToken"),
        ({"principal_tags": ["Team"]}, "InvalidIdentityToken"),
        ({"principal_tags": {"Team": ["blue", "green"]}}, "InvalidIdentityToken"),
        ({"principal_tags": {"Team": 1}}, "InvalidIdentityToken"),
        ({"principal_tags": {"": "blue"}}, "InvalidIdentityToken"),
        ({"principal_tags": {"Team": "b" * 257}}, "InvalidIdentityToken"),
        ({"principal_tags": {"Te;am": "blue"}}, "InvalidIdentityToken"),
        ({"principal_tags": {f"key-{number}": "" for number in range(51)}}, "InvalidIdentityToken"),
        ({"principal_tags": {"Team": "blue"}, "transitive_tag_keys": "Team"}, "InvalidIdentityToken"),
        ({"principal_tags": {"Team": "blue", "team": "green"}}, "InvalidParameterValue"),
        ({"principal_tags": {"aws:team": "blue"}}, "InvalidParameterValue"),
        ({"principal_tags": {"Team": "blue"}, "transitive_tag_keys": ["Other"]}, "InvalidParameterValue"),
        ({"principal_tags": {str(n): Random(n).randbytes(125).hex() for n in range(12)}}, "PackedPolicyTooLarge"),
    ],
)
def test_tags_that_cannot_be_session_tags(sts: Any, tags: Any, code: str) -> None:
    assert refusal(sts, OPERATION, **request(text=token(**{TAGS: tags})))[:2] == (400, code)


def test_the_source_identity_of_the_token_stays_with_the_session(make_federation: Any) -> None:
    condition = {"StringEquals": {"sts:SourceIdentity": "ana"}}
    rights = policy(statement("iam:ListUsers", Condition={"StringEquals": {"aws:SourceIdentity": "ana"}}))
    made = make_federation(role("r", federated(provider_arn(), EVERY_ACTION, Condition=condition), rights))
    answer = assume(made.client("sts"), "r", token(**{SOURCE_IDENTITY: "ana"}))
    assert answer["SourceIdentity"] == "ana"
    assert made.client("iam", credentials=answer["Credentials"]).list_users()["Users"]


def test_a_source_identity_needs_its_own_permission_and_the_right_form(sts: Any) -> None:
    message = "Not authorized to perform sts:SetSourceIdentity"
    arguments = request("plain", token(**{SOURCE_IDENTITY: "ana"}))
    assert refusal(sts, OPERATION, **arguments) == (403, "AccessDenied", message)
    for value in ("a", "a b", "aws:ana", "AWS:ana", "a" * 257, 7, ["ana"], ""):
        status, code, told = refusal(sts, OPERATION, **request(text=token(**{SOURCE_IDENTITY: value})))
        assert (status, code) == (400, "InvalidIdentityToken")
        assert told == 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,256} and not begin with "aws:"'


# Built-in providers of AWS.


@pytest.mark.parametrize("issuer", [f"https://{GOOGLE}", GOOGLE])
def test_google_is_known_by_its_issuer(make_federation: Any, issuer: str) -> None:
    condition = {"StringEquals": {f"{GOOGLE}:aud": "app", f"{GOOGLE}:oaud": "api", f"{GOOGLE}:azp": "app"}}
    made = make_federation(role("r", federated(GOOGLE, Condition=condition)))
    answer = assume(made.client("sts"), "r", token(iss=issuer, aud="api", azp="app"))
    assert (answer["Provider"], answer["Audience"]) == (GOOGLE, "app")


def test_members_of_googles_own_claim_are_condition_keys(make_federation: Any) -> None:
    condition = {"NumericEquals": {f"{GOOGLE}:google/organization_number": "77"}}
    made = make_federation(role("r", federated(GOOGLE, Condition=condition)))
    text = token(iss=GOOGLE, google={"organization_number": 77})
    assert assume(made.client("sts"), "r", text)["Provider"] == GOOGLE
    other = request("r", token(iss=GOOGLE, google="77"))
    assert refusal(made.client("sts"), OPERATION, **other) == (403, "AccessDenied", NOT_AUTHORIZED)


def test_cognito_is_known_by_its_issuer(sts: Any) -> None:
    answer = assume(sts, "cognito", token(iss=f"https://{COGNITO}", aud="us-east-1:pool", amr=["authenticated"]))
    assert (answer["Provider"], answer["Audience"]) == (COGNITO, "us-east-1:pool")


def test_a_provider_of_the_account_does_not_replace_a_built_in_principal(make_federation: Any) -> None:
    made = make_federation(role("r", federated(provider_arn(GOOGLE))))
    arguments = request("r", token(iss=GOOGLE))
    assert refusal(made.client("sts"), OPERATION, **arguments) == (403, "AccessDenied", NOT_AUTHORIZED)


def test_oauth_tokens_cannot_be_asked_about(sts: Any) -> None:
    status, code, message = refusal(sts, OPERATION, **request("facebook", "opaque-token", ProviderId=FACEBOOK))
    assert (status, code) == (400, "IDPCommunicationError")
    assert "could not be reached" in message


def test_oauth_providers_with_declared_keys_are_verified(make_federation: Any, folder: Path) -> None:
    condition = {"StringEquals": {f"{AMAZON}:app_id": "app", f"{AMAZON}:user_id": SUBJECT}}
    rights = policy(statement("iam:ListUsers", Condition=condition))
    made = make_federation(
        role("r", federated(AMAZON, Condition=condition), rights),
        oidc_providers=[provider(folder, f"https://{AMAZON}", client_ids=[])],
    )
    sts = made.client("sts", config=UNCHECKED)
    answer = assume(sts, "r", token(iss=f"https://{AMAZON}", aud="app"), ProviderId=AMAZON)
    assert answer["Provider"] == AMAZON
    assert made.client("iam", credentials=answer["Credentials"]).list_users()["Users"]
    assert refusal(sts, OPERATION, **request("r", token(), ProviderId=AMAZON))[1] == "InvalidIdentityToken"
    stranger = token(signing_key(number=1), iss=f"https://{AMAZON}")
    assert refusal(sts, OPERATION, **request("r", stranger, ProviderId=AMAZON))[1:] == ("InvalidIdentityToken", KEY)


def test_other_providers_are_not_chosen_by_an_id(sts: Any) -> None:
    status, code, message = refusal(sts, OPERATION, **request(ProviderId=GOOGLE))
    assert (status, code, GOOGLE in message) == (400, "ValidationError", True)


def test_session_tokens_may_be_asked_to_be_longer(sts: Any) -> None:
    answer = assume(sts, "plain", MinimumSessionTokenSize=3000)
    assert answer["SessionTokenSize"] >= 3000


# What is recorded.


def test_the_log_names_the_holder_and_never_the_token(make_federation: Any) -> None:
    made = make_federation(role("r", federated(provider_arn())))
    sts, text = made.client("sts"), token()
    refusal(sts, OPERATION, **request("absent", text))
    outcome = made.outcomes[-1]
    principal = outcome.caller.principal
    assert (principal.type, principal.name, principal.account_id) == ("WebIdentityUser", SUBJECT, ACCOUNT)
    assert principal.user_id == f"{provider_arn()}:{AUDIENCE}:{SUBJECT}"
    assert text not in repr(outcome)
    refusal(sts, OPERATION, **request("r", token(aud="other")))
    assert made.outcomes[-1].caller.principal.type == "Anonymous"
