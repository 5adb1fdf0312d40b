"""Many threads call every operation of STS at once: each gets the answers to its own calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest

from rolecall import Rolecall

ACCOUNT, MEMBER = "111122223333", "444455556666"
GITHUB = "https://token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
SAML = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
AUDIT = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
THREADS, ROUNDS = 8, 4
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def trust(principal: dict[str, str]) -> dict[str, Any]:
    actions = ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML", "sts:TagSession"]
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions}
    return {"Version": "2012-10-17", "Statement": [statement]}


def role(name: str, principal: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "trust_policy": trust(principal), "inline_policies": {"all": EVERYTHING}}


WORLD = {
    "version": 1,
    "organization": {"id": "o-example1234", "management_account": ACCOUNT, "features": ["RootSessions"]},
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "test", "secret": "test"}],
                    "inline_policies": {"all": EVERYTHING},
                }
            ],
            "roles": [
                role("plain", {"AWS": ACCOUNT}),
                role("web", {"Federated": PROVIDER}),
                role("saml", {"Federated": SAML}),
            ],
            "oidc_providers": [{"url": GITHUB, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}],
            "saml_providers": [{"name": "idp", "rolecall_idp": "corp"}],
        },
        {"id": MEMBER},
    ],
}


def who(sandbox: Rolecall, credentials: dict[str, Any]) -> str:
    return str(sandbox.client("sts", credentials=credentials).get_caller_identity()["Arn"])


def assumed(role_name: str, session: str) -> str:
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{session}"


def plain_role(sandbox: Rolecall, session: str) -> None:
    tags = [{"Key": "thread", "Value": session}]
    answer = sandbox.client("sts").assume_role(
        RoleArn=sandbox.role("plain"), RoleSessionName=session, Tags=tags, TransitiveTagKeys=["thread"]
    )
    assert who(sandbox, answer["Credentials"]) == assumed("plain", session)
    chained = sandbox.client("sts", credentials=answer["Credentials"])
    again = chained.assume_role(RoleArn=sandbox.role("plain"), RoleSessionName=f"{session}-again")
    assert who(sandbox, again["Credentials"]) == assumed("plain", f"{session}-again")


def web_identity(sandbox: Rolecall, session: str) -> None:
    token = sandbox.web_identity_token(GITHUB, subject=session)
    answer = sandbox.client("sts").assume_role_with_web_identity(
        RoleArn=sandbox.role("web"), RoleSessionName=session, WebIdentityToken=token
    )
    assert answer["SubjectFromWebIdentityToken"] == session
    assert who(sandbox, answer["Credentials"]) == assumed("web", session)


def saml(sandbox: Rolecall, session: str) -> None:
    assertion = sandbox.saml_assertion(
        "corp", role=sandbox.role("saml"), provider=SAML, session_name=session, subject=session
    )
    answer = sandbox.client("sts").assume_role_with_saml(
        RoleArn=sandbox.role("saml"), PrincipalArn=SAML, SAMLAssertion=assertion
    )
    assert answer["Subject"] == session
    assert who(sandbox, answer["Credentials"]) == assumed("saml", session)


def federation(sandbox: Rolecall, session: str) -> None:
    answer = sandbox.client("sts").get_federation_token(Name=session, Policy=json.dumps(EVERYTHING))
    assert who(sandbox, answer["Credentials"]) == f"arn:aws:sts::{ACCOUNT}:federated-user/{session}"


def user_session(sandbox: Rolecall, _session: str) -> None:
    answer = sandbox.client("sts").get_session_token()
    assert who(sandbox, answer["Credentials"]) == f"arn:aws:iam::{ACCOUNT}:user/admin"


def root(sandbox: Rolecall, _session: str) -> None:
    answer = sandbox.client("sts").assume_root(TargetPrincipal=MEMBER, TaskPolicyArn={"arn": AUDIT})
    assert who(sandbox, answer["Credentials"]) == f"arn:aws:iam::{MEMBER}:root"


def outbound_token(sandbox: Rolecall, session: str) -> None:
    answer = sandbox.client("sts").get_web_identity_token(Audience=[session], SigningAlgorithm="ES384")
    claims = jwt.decode(answer["WebIdentityToken"], options={"verify_signature": False})
    assert claims["aud"] == session


OPERATIONS: list[Callable[[Rolecall, str], None]] = [
    plain_role,
    web_identity,
    saml,
    federation,
    user_session,
    root,
    outbound_token,
]


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with Rolecall(config=WORLD) as made:
        made.client("iam").enable_outbound_web_identity_federation()
        yield made


def test_every_thread_gets_its_own_answers(sandbox: Rolecall) -> None:
    def run(thread: int) -> int:
        for number in range(ROUNDS):
            # Each thread begins with another operation, so that different operations run at the same time.
            for place in range(len(OPERATIONS)):
                OPERATIONS[(thread + place) % len(OPERATIONS)](sandbox, f"t{thread}-{number}")
        return ROUNDS * len(OPERATIONS)

    with ThreadPoolExecutor(THREADS) as pool:
        assert sum(pool.map(run, range(THREADS))) == THREADS * ROUNDS * len(OPERATIONS)
    assert sandbox.refusals == []
