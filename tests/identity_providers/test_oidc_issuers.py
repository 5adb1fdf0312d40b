"""Rolecall as an OpenID Connect issuer: minting, the public documents, and assuming roles with its tokens."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest
from amounts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rolecall.identity_providers.oidc_tokens import TokenRequestError, mint
from rolecall.identity_providers.token_shapes import SHAPES
from rolecall.ids import Identifiers
from rolecall.issuers import key_purpose
from rolecall.sessions.web_identity import read_key_set, read_token

MAXIMUM_LIFETIME_SECONDS = 366 * 86_400

ACCOUNT = "111122223333"
GITHUB = "https://token.actions.githubusercontent.com"
NAMED = "http://localhost/_rolecall/oidc/ci"
AUDIENCE = "sts.amazonaws.com"
LOOPBACK, ELSEWHERE = {"REMOTE_ADDR": "127.0.0.1"}, {"REMOTE_ADDR": "10.1.2.3"}


def trusting(name: str, url: str, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.partition('://')[2]}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition or {},
    }
    return {"name": name, "trust_policy": {"Version": "2012-10-17", "Statement": [statement]}}


WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [
                    {
                        "name": "admin",
                        "access_keys": [{"id": "test", "secret": "test"}],
                        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                    }
                ],
                "roles": [
                    trusting("github", GITHUB, {"StringLike": {f"{GITHUB[8:]}:sub": "repo:octo-org/octo-repo:*"}}),
                    trusting("named", NAMED),
                ],
                "oidc_providers": [
                    {"url": GITHUB, "client_ids": [AUDIENCE], "keys": "rolecall"},
                    {"url": NAMED, "client_ids": [AUDIENCE]},
                    {"url": "https://outside.example.com"},
                ],
            }
        ],
    }
)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


def post(world: Any, path: str, body: Any, origin: dict[str, str] = LOOPBACK) -> tuple[int, Any]:
    answer = world.application.test_client().post(f"/_rolecall/oidc/{path}", json=body, environ_base=origin)
    return answer.status_code, answer.json


def get(world: Any, path: str, origin: dict[str, str] = ELSEWHERE) -> tuple[int, Any]:
    answer = world.application.test_client().get(f"/_rolecall/oidc/{path}", environ_base=origin)
    return answer.status_code, answer.json


def minted(world: Any, path: str = "ci/token", **body: Any) -> str:
    status, answer = post(world, path, body)
    assert status == 200, answer
    return str(answer["token"])


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def enter(world: Any, role: str, token: str) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    sts = world.client("sts")
    return sts.assume_role_with_web_identity(  # type: ignore[no-any-return]
        RoleArn=arn, RoleSessionName="session", WebIdentityToken=token
    )


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"])
def test_tokens_of_an_issuer_let_their_holders_in(world: Any, algorithm: str) -> None:
    token = minted(world, algorithm=algorithm, subject="build-1")
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    assert enter(world, "named", token)["SubjectFromWebIdentityToken"] == "build-1"


def test_a_declared_provider_is_signed_for_under_its_own_url(world: Any) -> None:
    token = minted(world, "token", issuer=GITHUB, shape="github-actions")
    assert claims_of(token)["iss"] == GITHUB
    assert enter(world, "github", token)["Provider"].endswith(":oidc-provider/token.actions.githubusercontent.com")


def test_keys_of_one_issuer_do_not_serve_another(world: Any) -> None:
    """A token that names the declared provider as issuer, but is signed with another issuer's key."""
    stolen = minted(world, "other/token")
    claims = {**claims_of(stolen), "iss": NAMED}
    good = minted(world)
    assert jwt.get_unverified_header(stolen)["kid"] != jwt.get_unverified_header(good)["kid"]
    header, _, signature = stolen.split(".")
    forged = ".".join([header, jwt.utils.base64url_encode(json.dumps(claims).encode()).decode(), signature])
    with pytest.raises(world.client("sts").exceptions.InvalidIdentityTokenException):
        enter(world, "named", forged)


def test_keys_are_made_once_and_survive_a_reset(world: Any) -> None:
    before = minted(world)
    world.application.test_client().post("/_rolecall/reset", environ_base=LOOPBACK)
    after = minted(world)
    assert jwt.get_unverified_header(before)["kid"] == jwt.get_unverified_header(after)["kid"]
    assert len(get(world, "ci/jwks.json")[1]["keys"]) == 1


def test_the_documents_are_public_and_verify_the_tokens(world: Any) -> None:
    status, document = get(world, "ci/.well-known/openid-configuration")
    assert status == 200
    assert document["issuer"] == NAMED
    assert document["jwks_uri"] == f"{NAMED}/jwks.json"
    assert get(world, "ci/jwks.json") == (200, {"keys": []})
    tokens = [minted(world), minted(world, algorithm="ES384")]
    status, keys = get(world, "ci/jwks.json")
    assert (status, {key["kty"] for key in keys["keys"]}) == (200, {"RSA", "EC"})
    assert not any("d" in key for key in keys["keys"])
    for token in tokens:
        read_key_set(json.dumps(keys)).verify(read_token(token))


def test_invalid_issuer_names(world: Any) -> None:
    for path in (".well-known/.well-known/openid-configuration", "%20/jwks.json", f"{'a' * 65}/jwks.json"):
        assert get(world, path)[0] == 404
    assert post(world, f"{'a' * 65}/token", {})[0] == 400


def test_only_this_machine_may_mint(world: Any) -> None:
    for path in ("token", "ci/token"):
        assert post(world, path, {"issuer": "ci"} if path == "token" else {}, ELSEWHERE)[0] == 403
    answer = world.application.test_client().post(
        "/_rolecall/oidc/ci/token", environ_base=LOOPBACK, headers={"Origin": "https://attacker.example.com"}
    )
    assert answer.status_code == 403


# The members of a request.


def test_times_are_those_of_the_sandbox_clock(world: Any) -> None:
    world.clock.freeze()
    world.clock.set(2_000_000_000)
    claims = claims_of(minted(world, lifetime_seconds=60))
    assert (claims["iat"], claims["exp"]) == (2_000_000_000, 2_000_000_060)
    enter(world, "named", minted(world))


def test_claims_come_on_top_and_none_leaves_one_out(world: Any) -> None:
    claims = claims_of(minted(world, claims={"team": "blue", "sub": "other", "exp": 7, "jti": None}))
    assert (claims["team"], claims["sub"], claims["exp"]) == ("blue", "other", 7)
    assert "jti" not in claims
    assert claims_of(minted(world, audience=["a", "b"]))["aud"] == ["a", "b"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "The body is not a JSON object."),
        ({"colour": "blue"}, "There is no member colour: "),
        ({"issuer": "other"}, "There is no member issuer: "),
        ({"subject": 7}, "subject must be text."),
        ({"audience": 7}, "audience must be text or a list of texts."),
        ({"audience": [7]}, "audience must be text or a list of texts."),
        ({"claims": []}, "claims must be an object."),
        ({"claims": {"iss": "x"}}, "the claim iss always names the issuer"),
        ({"lifetime_seconds": True}, "lifetime_seconds must be a whole number."),
        ({"lifetime_seconds": 0}, "lifetime_seconds must be a whole number from 1 to "),
        ({"lifetime_seconds": MAXIMUM_LIFETIME_SECONDS + 1}, "lifetime_seconds must be a whole number from 1 to "),
        ({"shape": "jenkins"}, "shape must be one of plain, github-actions, eks, gitlab"),
        ({"algorithm": "HS256"}, "algorithm must be one of ES256, "),
        ({"shape": "github-actions", "subject": "ana"}, "a subject of github-actions must be repo:"),
        ({"shape": "github-actions", "subject": "repo:octo-org:ref:x"}, "a subject of github-actions must be repo:"),
        ({"shape": "eks", "subject": "system:serviceaccount:default"}, "a subject of eks must be "),
        ({"shape": "gitlab", "subject": "project_path:a:ref_type:branch:ref:main"}, "a subject of gitlab must be "),
    ],
)
def test_what_cannot_be_asked_for(world: Any, body: Any, message: str) -> None:
    status, answer = post(world, "ci/token", body)
    assert status == 400
    assert answer["message"].startswith(message)


@pytest.mark.parametrize("issuer", ["https://outside.example.com", "https://other.example.com"])
def test_no_other_issuer_is_signed_for(world: Any, issuer: str) -> None:
    status, answer = post(world, "token", {"issuer": issuer})
    assert status == 400
    how = "declare it in the sandbox file, under oidc_providers, with keys: rolecall"
    assert answer["message"] == f"Rolecall does not sign for {issuer}: {how}"
    assert post(world, "token", {"issuer": "no url, no name"})[0] == post(world, "token", {})[0] == 400


def test_a_body_may_be_missing_but_not_be_nonsense(world: Any) -> None:
    client = world.application.test_client()
    for data, status in ((b"", 200), (b"{}", 200), (b"{", 400), (b"null", 400)):
        answer = client.post("/_rolecall/oidc/ci/token", data=data, environ_base=LOOPBACK)
        assert answer.status_code == status, data


_BODIES = st.dictionaries(
    st.sampled_from(["subject", "audience", "claims", "lifetime_seconds", "shape", "x"]),
    st.none()
    | st.booleans()
    | st.integers(-5, 10**12)
    | st.text(max_size=9)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
)


@settings(max_examples=examples(100), deadline=None, suppress_health_check=list(HealthCheck))
@given(body=_BODIES)
def test_no_request_fails_otherwise_than_by_saying_why(world: Any, body: dict[str, Any]) -> None:
    assert post(world, "ci/token", {**body, "algorithm": "ES256"})[0] in (200, 400)


# Shapes.


def test_the_shape_of_github_actions(world: Any) -> None:
    claims = claims_of(
        minted(world, shape="github-actions", subject="repo:a/b:environment:prod", claims={"actor": "ana"})
    )
    assert claims["exp"] - claims["iat"] == 300
    assert claims["nbf"] < claims["iat"]
    expected = {"repository": "a/b", "repository_owner": "a", "environment": "prod", "actor": "ana", "aud": AUDIENCE}
    assert expected.items() <= claims.items()
    assert claims["job_workflow_ref"].startswith("a/b/.github/workflows/")
    tag = claims_of(minted(world, shape="github-actions", subject="repo:a/b:ref:refs/tags/v1"))
    assert (tag["ref"], tag["ref_type"]) == ("refs/tags/v1", "tag")
    pull = claims_of(minted(world, shape="github-actions", subject="repo:a/b:pull_request"))
    assert (pull["event_name"], pull["base_ref"]) == ("pull_request", "main")
    assert "environment" not in tag


def test_the_shape_of_eks(world: Any) -> None:
    claims = claims_of(minted(world, shape="eks", subject="system:serviceaccount:prod:api"))
    assert claims["aud"] == [AUDIENCE]
    assert claims["exp"] - claims["iat"] == 86_400
    kubernetes = claims["kubernetes.io"]
    assert (kubernetes["namespace"], kubernetes["serviceaccount"]["name"]) == ("prod", "api")
    assert enter(world, "named", minted(world, shape="eks"))["Audience"] == AUDIENCE


def test_the_shape_of_gitlab(world: Any) -> None:
    subject = "project_path:group/sub/project:ref_type:tag:ref:v1"
    claims = claims_of(minted(world, shape="gitlab", subject=subject))
    expected = {"project_path": "group/sub/project", "namespace_path": "group/sub", "ref": "v1", "ref_type": "tag"}
    assert expected.items() <= claims.items()
    assert claims["ref_path"] == "refs/tags/v1"


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_a_subject_of_its_own(world: Any, shape: str) -> None:
    claims = claims_of(minted(world, shape=shape))
    assert claims["sub"] == SHAPES[shape].subject
    assert {"iss", "sub", "aud", "iat", "exp", "jti"} <= set(claims)


# In Python, and what is stored.


def test_minting_is_one_line_in_python(world: Any) -> None:
    token = mint(world.database, world.clock, Identifiers(), issuer=NAMED, subject="ana")
    assert enter(world, "named", token)["SubjectFromWebIdentityToken"] == "ana"
    with pytest.raises(TokenRequestError):
        mint(world.database, world.clock, Identifiers(), issuer="https://outside.example.com")


def test_purposes_fit_their_column_and_tell_issuers_apart() -> None:
    urls = [NAMED, GITHUB, "https://idp.example.com/" + "a" * 200, "https://idp.example.com/" + "a" * 199]
    purposes = [key_purpose(url) for url in urls]
    assert purposes[:2] == ["oidc ci", f"oidc {GITHUB}"]
    assert len(set(purposes)) == 4
    assert all(len(purpose) <= 128 for purpose in purposes)
