"""Operations of a test on a whole sandbox: faults, snapshots, and proofs of identity."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from rolecall import BadConfigError, Rolecall, SandboxEndedError

ACCOUNT = "111122223333"
GITHUB = "https://token.actions.githubusercontent.com"
IDP_ARN = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/federated"


def trust(principal: str, action: str, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Federated": principal}, "Action": action, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def world(role_trust: dict[str, Any], **providers: Any) -> dict[str, Any]:
    user = {"name": "admin", "access_keys": [{"id": "test", "secret": "test"}]}
    role = {"name": "federated", "trust_policy": role_trust}
    return {"version": 1, "accounts": [{"id": ACCOUNT, "users": [user], "roles": [role], **providers}]}


def arn(client: Any) -> str:
    return str(client.get_caller_identity()["Arn"])


def test_a_fault_strikes_and_is_over() -> None:
    with Rolecall() as sandbox:
        sts = boto3.client("sts")
        sandbox.faults.add(kind="drop", service="sts", times=1)
        sandbox.faults.add(service="sts", error="InternalFailure", status=500, times=1)
        # botocore retries on its own, once for each of the two.
        assert arn(sts).endswith(":user/admin")
        assert [rule["hits"] for rule in sandbox.faults.rules] == [1, 1]
        sandbox.faults.replace([{"kind": "drop", "service": "sts"}])
        with pytest.raises(ConnectionClosedError):
            arn(sts)
        sandbox.faults.clear()
        assert arn(sts).endswith(":user/admin")


def test_a_fault_is_of_one_sandbox() -> None:
    with Rolecall() as first, Rolecall() as second:
        first.faults.add(service="sts", error="AccessDenied")
        with pytest.raises(ClientError, match="AccessDenied"):
            arn(first.client("sts"))
        assert arn(second.client("sts")).endswith(":user/admin")


def test_reset_ends_faults_and_brings_the_world_back() -> None:
    with Rolecall() as sandbox:
        sandbox.client("iam").create_user(UserName="kim")
        sandbox.faults.add(service="iam", error="AccessDenied")
        sandbox.clock.advance(hours=5)
        sandbox.reset()
        assert sandbox.faults.rules == []
        names = [user["UserName"] for user in sandbox.client("iam").list_users()["Users"]]
        assert "admin" in names
        assert "kim" not in names


def test_a_snapshot_is_the_same_world_elsewhere() -> None:
    with Rolecall() as sandbox:
        iam = sandbox.client("iam")
        made = iam.create_user(UserName="kim", Tags=[{"Key": "team", "Value": "blue"}])["User"]
        key = iam.create_access_key(UserName="kim")["AccessKey"]
        sandbox.clock.advance(days=400)
        iam.attach_user_policy(UserName="kim", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
        saved = sandbox.snapshot()
    with Rolecall(config=saved) as other:
        assert other.snapshot() == saved
        sts = other.client("sts", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
        assert sts.get_caller_identity()["UserId"] == made["UserId"]


def test_every_identity_of_a_snapshot_can_call_after_loading_it() -> None:
    key = {"id": "peters_access_key", "secret": "peters-secret"}
    users = [{"name": "anybody"}, {"name": "peter", "access_keys": [key]}]
    for account_id in ("777788889999", "111122223333"):
        world = {"version": 1, "accounts": [{"id": account_id, "name": "elsewhere", "users": users}]}
        with Rolecall(config=world) as sandbox:
            saved = sandbox.snapshot()
        with Rolecall() as sandbox:
            sandbox.load(saved)
            assert sandbox.account() == sandbox.account("elsewhere") == account_id
            arn = f"arn:aws:iam::{account_id}:user/peter"
            assert sandbox.user("peter") == arn
            assert sandbox.client("sts", user="peter").get_caller_identity()["Arn"] == arn
            with sandbox.as_user():
                assert boto3.client("sts").get_caller_identity()["Arn"] == arn
            sandbox.reset()
            assert sandbox.user("admin") == sandbox.client("sts").get_caller_identity()["Arn"]


def test_a_snapshot_returns_to_a_moment() -> None:
    with Rolecall() as sandbox:
        saved, without_uses = sandbox.snapshot(), sandbox.snapshot(last_used=False)
        sandbox.client("iam").create_user(UserName="kim")
        sandbox.load(saved)
        assert sandbox.snapshot() == saved
        with pytest.raises(ClientError, match="NoSuchEntity"):
            sandbox.client("iam").get_user(UserName="kim")
        with pytest.raises(BadConfigError, match="snapshot:1: lacks accounts"):
            sandbox.load("version: 1")
        # The call with the administrator's key is the only difference.
        assert sandbox.snapshot() != saved
        assert sandbox.snapshot(last_used=False) == without_uses
    with pytest.raises(SandboxEndedError):
        sandbox.snapshot()


def test_a_web_identity_token_of_a_declared_provider() -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    providers = [{"url": GITHUB, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}]
    main = {"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:org/app:ref:refs/heads/main"}}
    trusting = trust(provider, "sts:AssumeRoleWithWebIdentity", Condition=main)
    with Rolecall(config=world(trusting, oidc_providers=providers)) as sandbox:
        sts = boto3.client("sts")
        asked = {"RoleArn": ROLE_ARN, "RoleSessionName": "run"}
        for branch, allowed in (("main", True), ("other", False)):
            token = sandbox.web_identity_token(GITHUB, subject=f"repo:org/app:ref:refs/heads/{branch}")
            if allowed:
                answer = sts.assume_role_with_web_identity(**asked, WebIdentityToken=token)
                assert answer["Provider"] == provider
            else:
                with sandbox.expect_denied("sts:AssumeRoleWithWebIdentity", by="role trust policy"):
                    sts.assume_role_with_web_identity(**asked, WebIdentityToken=token)
        late = sandbox.web_identity_token(GITHUB, subject="repo:org/app:ref:refs/heads/main", lifetime_seconds=60)
        sandbox.clock.advance(minutes=30)
        with pytest.raises(ClientError, match="ExpiredTokenException"):
            sts.assume_role_with_web_identity(**asked, WebIdentityToken=late)
        with pytest.raises(ValueError, match="shape"):
            sandbox.web_identity_token(GITHUB, shape="round")


def test_an_identity_provider_that_is_down() -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    providers = [{"url": GITHUB, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}]
    trusting = trust(provider, "sts:AssumeRoleWithWebIdentity")
    with Rolecall(config=world(trusting, oidc_providers=providers)) as sandbox:
        token = sandbox.web_identity_token(GITHUB, subject="s")
        asked = {"RoleArn": ROLE_ARN, "RoleSessionName": "run", "WebIdentityToken": token}
        sandbox.faults.add(kind="identity_provider_down", times=4)
        sts = boto3.client("sts")
        with pytest.raises(ClientError, match="IDPCommunicationError"):
            sts.assume_role_with_web_identity(**asked)
        sandbox.faults.clear()
        assert sts.assume_role_with_web_identity(**asked)["SubjectFromWebIdentityToken"] == "s"


def test_a_saml_assertion_of_rolecall_s_own_identity_provider() -> None:
    trusting = trust(IDP_ARN, "sts:AssumeRoleWithSAML")
    with Rolecall(config=world(trusting, saml_providers=[{"name": "idp", "rolecall_idp": "corp"}])) as sandbox:
        sts = boto3.client("sts")
        assertion = sandbox.saml_assertion("corp", role=ROLE_ARN, provider=IDP_ARN, session_name="kim")
        asked = {"RoleArn": ROLE_ARN, "PrincipalArn": IDP_ARN}
        answer = sts.assume_role_with_saml(**asked, SAMLAssertion=assertion)
        assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/federated/kim")
        other = base64.b64decode(assertion).replace(b"kim", b"kit")
        with pytest.raises(ClientError, match="InvalidIdentityToken"):
            sts.assume_role_with_saml(**asked, SAMLAssertion=base64.b64encode(other).decode())


def test_the_log_names_the_subject_and_its_provider() -> None:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    providers = [{"url": GITHUB, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}]
    trusting = trust(provider, "sts:AssumeRoleWithWebIdentity")
    with Rolecall.start(config=world(trusting, oidc_providers=providers)) as sandbox:
        token = sandbox.web_identity_token(GITHUB, subject="repo:org/app")
        boto3.client("sts").assume_role_with_web_identity(
            RoleArn=ROLE_ARN, RoleSessionName="run", WebIdentityToken=token
        )
        assert sandbox.decisions[0].principal == f"{provider}:sts.amazonaws.com:repo:org/app"
        address = f"{sandbox.endpoint_url}/_rolecall/decisions?format=cloudtrail"
        with urllib.request.urlopen(address, timeout=300) as answer:  # noqa: S310
            identity = json.loads(answer.read().splitlines()[0])["userIdentity"]
    assert identity == {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:repo:org/app",
        "userName": "repo:org/app",
        "identityProvider": provider,
    }
