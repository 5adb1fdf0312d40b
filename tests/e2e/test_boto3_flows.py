"""A user's program with plain boto3, pointed to Rolecall by environment variables alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from served import ADMIN, FIRST_ACCOUNT, PATIENCE_SECONDS, SECOND_ACCOUNT, Server, clean_environment, role_arn

CONFIGURATIONS = Path(__file__).resolve().parent.parent.parent / "config"
READ_USERS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["chime:ListAccounts", "chime:ListUsers"], "Resource": "*"}],
}


@pytest.fixture
def boto(server: Server, monkeypatch: pytest.MonkeyPatch) -> boto3.Session:
    """A session that five environment variables configure, and nothing else."""
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": ADMIN[0],
        "AWS_SECRET_ACCESS_KEY": ADMIN[1],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return boto3.Session()


def with_credentials(credentials: dict[str, Any]) -> boto3.Session:
    return boto3.Session(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """Status, code and message of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def chime_account(chime: Any) -> str:
    return str(chime.list_accounts()["Accounts"][0]["AccountId"])


def test_a_script_with_nothing_but_the_exported_variables(server: Server) -> None:
    program = """
        import boto3
        sts = boto3.client("sts")
        role = "arn:aws:iam::111122223333:role/chime-reader"
        held = sts.assume_role(RoleArn=role, RoleSessionName="nightly")["Credentials"]
        chime = boto3.client(
            "chime",
            aws_access_key_id=held["AccessKeyId"],
            aws_secret_access_key=held["SecretAccessKey"],
            aws_session_token=held["SessionToken"],
        )
        account = chime.list_accounts()["Accounts"][0]["AccountId"]
        print(len(chime.list_users(AccountId=account)["Users"]))
    """
    exports = [line.removeprefix("export ") for line in server.output().splitlines() if line.startswith("export ")]
    exported = dict(line.split("=", 1) for line in exports)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=clean_environment(server.folder, **exported),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n", "")


def test_a_role_of_the_same_account(boto: boto3.Session) -> None:
    answer = boto.client("sts").assume_role(RoleArn=role_arn("chime-reader"), RoleSessionName="ana")
    arn = f"arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/chime-reader/ana"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    left = answer["Credentials"]["Expiration"] - datetime.now(UTC)
    assert 3500 < left.total_seconds() <= 3600
    held = with_credentials(answer["Credentials"])
    identity = held.client("sts").get_caller_identity()
    assert (identity["Arn"], identity["UserId"]) == (arn, answer["AssumedRoleUser"]["AssumedRoleId"])
    chime = held.client("chime")
    account = chime_account(chime)
    users = chime.list_users(AccountId=account)["Users"]
    assert [user["PrimaryEmail"] for user in users] == ["ana@example.com", "li@example.com", "sam@example.com"]
    assert refusal(chime.create_user, AccountId=account, Email="new@example.com") == (
        403,
        "ForbiddenException",
        f"User: {arn} is not authorized to perform: chime:CreateUser "
        "because no identity-based policy allows the chime:CreateUser action",
    )
    assert len(chime.list_users(AccountId=account)["Users"]) == 3


def test_an_explicit_deny_beats_the_administrator_policy(boto: boto3.Session) -> None:
    credentials = boto.client("sts").assume_role(RoleArn=role_arn("chime-denied"), RoleSessionName="ana")["Credentials"]
    assert refusal(with_credentials(credentials).client("chime").list_accounts) == (
        403,
        "ForbiddenException",
        f"User: arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/chime-denied/ana is not authorized to perform: "
        "chime:ListAccounts with an explicit deny in an identity-based policy",
    )


def test_a_role_of_another_account_asks_for_its_external_id(boto: boto3.Session) -> None:
    sts, arn = boto.client("sts"), role_arn("chime-partner", SECOND_ACCOUNT)
    refused = (
        403,
        "AccessDenied",
        f"User: arn:aws:iam::{FIRST_ACCOUNT}:user/admin is not authorized to perform: sts:AssumeRole "
        f"on resource: {arn} because no role trust policy allows the sts:AssumeRole action",
    )
    assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="ana") == refused
    assert refusal(sts.assume_role, RoleArn=arn, RoleSessionName="ana", ExternalId="Partner-id") == refused
    answer = sts.assume_role(RoleArn=arn, RoleSessionName="ana", ExternalId="partner-id")
    held = with_credentials(answer["Credentials"])
    assert held.client("sts").get_caller_identity()["Account"] == SECOND_ACCOUNT
    chime = held.client("chime")
    users = chime.list_users(AccountId=chime_account(chime))["Users"]
    assert [user["PrimaryEmail"] for user in users] == ["kim@example.org"]


def test_accounts_do_not_see_each_other(boto: boto3.Session) -> None:
    credentials = boto.client("sts").assume_role(
        RoleArn=role_arn("chime-partner", SECOND_ACCOUNT), RoleSessionName="ana", ExternalId="partner-id"
    )["Credentials"]
    own = chime_account(boto.client("chime"))
    status, code, _ = refusal(with_credentials(credentials).client("chime").list_users, AccountId=own)
    assert (status, code) == (404, "NotFoundException")


def test_a_missing_role_is_refused_like_a_role_that_refuses(boto: boto3.Session) -> None:
    status, code, message = refusal(
        boto.client("sts").assume_role, RoleArn=role_arn("no-such-role", SECOND_ACCOUNT), RoleSessionName="ana"
    )
    assert (status, code) == (403, "AccessDenied")
    assert message.startswith(
        f"User: arn:aws:iam::{FIRST_ACCOUNT}:user/admin is not authorized to perform: sts:AssumeRole "
        f"on resource: {role_arn('no-such-role', SECOND_ACCOUNT)}"
    )


def test_a_federated_user_has_what_the_session_policy_names(boto: boto3.Session) -> None:
    answer = boto.client("sts").get_federation_token(Name="ana", Policy=json.dumps(READ_USERS), DurationSeconds=900)
    arn = f"arn:aws:sts::{FIRST_ACCOUNT}:federated-user/ana"
    assert answer["FederatedUser"] == {"FederatedUserId": f"{FIRST_ACCOUNT}:ana", "Arn": arn}
    held = with_credentials(answer["Credentials"])
    assert held.client("sts").get_caller_identity()["Arn"] == arn
    chime = held.client("chime")
    account = chime_account(chime)
    assert len(chime.list_users(AccountId=account)["Users"]) == 3
    assert refusal(chime.create_user, AccountId=account, Email="new@example.com") == (
        403,
        "ForbiddenException",
        f"User: {arn} is not authorized to perform: chime:CreateUser "
        "because no session policy allows the chime:CreateUser action",
    )
    assert refusal(held.client("iam").list_roles)[:2] == (403, "InvalidClientTokenId")
    status, code, _ = refusal(
        held.client("sts").assume_role, RoleArn=role_arn("chime-manager"), RoleSessionName="climbing"
    )
    assert (status, code) == (403, "AccessDenied")


def test_a_federated_user_without_a_session_policy_may_do_nothing(boto: boto3.Session) -> None:
    held = with_credentials(boto.client("sts").get_federation_token(Name="ana")["Credentials"])
    assert refusal(held.client("chime").list_accounts)[:2] == (403, "ForbiddenException")


def test_a_user_may_do_what_the_users_policy_names_and_no_more(boto: boto3.Session) -> None:
    developer = boto3.Session("developer", "developer-secret")
    sts = developer.client("sts")
    assert sts.assume_role(RoleArn=role_arn("chime-reader"), RoleSessionName="dev")["Credentials"]
    arn = f"arn:aws:iam::{FIRST_ACCOUNT}:user/developer"
    assert refusal(developer.client("chime").list_accounts) == (
        403,
        "ForbiddenException",
        f"User: {arn} is not authorized to perform: chime:ListAccounts "
        "because no identity-based policy allows the chime:ListAccounts action",
    )
    assert refusal(sts.get_federation_token, Name="ana", Policy=json.dumps(READ_USERS))[:2] == (403, "AccessDenied")


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (("test", "wrong"), "SignatureDoesNotMatch"),
        (("nobody", "test"), "InvalidClientTokenId"),
        (("test", "test", "bm8gc3VjaCB0b2tlbg=="), "InvalidClientTokenId"),
        (("Test", "test"), "InvalidClientTokenId"),
    ],
)
def test_keys_that_are_not_right(boto: boto3.Session, keys: tuple[str, ...], code: str) -> None:
    assert refusal(boto3.Session(*keys).client("sts").get_caller_identity)[:2] == (403, code)


@pytest.mark.parametrize("part", ["AccessKeyId", "SecretAccessKey", "SessionToken"])
def test_credentials_of_two_sessions_do_not_mix(boto: boto3.Session, part: str) -> None:
    sts = boto.client("sts")
    reader, manager = (
        sts.assume_role(RoleArn=role_arn(name), RoleSessionName="ana")["Credentials"]
        for name in ("chime-reader", "chime-manager")
    )
    mixed = with_credentials({**reader, part: manager[part]})
    code = "SignatureDoesNotMatch" if part == "SecretAccessKey" else "InvalidClientTokenId"
    assert refusal(mixed.client("sts").get_caller_identity)[:2] == (403, code)


def fetched(url: str, method: str = "GET") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def element(body: bytes, name: str) -> str | None:
    """The text of the first element of this name in an XML answer."""
    found = re.search(f"<{name}>([^<]*)</{name}>", body.decode())
    return found and found[1]


def test_a_presigned_identity_url(boto: boto3.Session) -> None:
    url = boto.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    assert urlsplit(url).netloc == urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
    status, body = fetched(url)
    assert (status, element(body, "Arn")) == (200, f"arn:aws:iam::{FIRST_ACCOUNT}:user/admin")


def test_a_presigned_url_of_a_role_session(boto: boto3.Session) -> None:
    credentials = boto.client("sts").assume_role(RoleArn=role_arn("chime-reader"), RoleSessionName="eks")["Credentials"]
    url = with_credentials(credentials).client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    status, body = fetched(url)
    assert status == 200
    assert b"assumed-role/chime-reader/eks" in body


@pytest.mark.parametrize("change", [("GetCallerIdentity", "GetSessionToken"), ("us-east-1", "us-west-2")])
def test_a_presigned_url_that_was_changed(boto: boto3.Session, change: tuple[str, str]) -> None:
    url = boto.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    assert change[0] in url
    status, body = fetched(url.replace(*change))
    assert (status, element(body, "Code")) == (403, "SignatureDoesNotMatch")


def test_a_presigned_url_holds_for_the_method_it_was_signed_for(boto: boto3.Session) -> None:
    url = boto.client("sts").generate_presigned_url("get_caller_identity")
    assert fetched(url, "POST")[0] == 200
    status, body = fetched(url, "GET")
    assert (status, element(body, "Code")) == (403, "SignatureDoesNotMatch")


def test_paginators_walk_every_page(boto: boto3.Session) -> None:
    chime = boto.client("chime")
    account = chime_account(chime)
    pages = list(chime.get_paginator("list_users").paginate(AccountId=account, PaginationConfig={"PageSize": 1}))
    assert [len(page["Users"]) for page in pages] == [1, 1, 1]
    assert len({page["Users"][0]["UserId"] for page in pages}) == 3
    assert len(list(chime.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 1}))) == 1


def profiles(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``~/.aws/config`` for the running test."""
    file = folder / "aws-config"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))


def test_a_profile_with_an_external_id_and_a_duration(
    boto: boto3.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        [profile base]
        aws_access_key_id = test
        aws_secret_access_key = test
        [profile partner]
        source_profile = base
        role_arn = arn:aws:iam::444455556666:role/chime-partner
        role_session_name = from-profile
        external_id = partner-id
        duration_seconds = 1800
        [profile stranger]
        source_profile = base
        role_arn = arn:aws:iam::444455556666:role/chime-partner
    """
    profiles(tmp_path, text, monkeypatch)
    partner = boto3.Session(profile_name="partner")
    arn = f"arn:aws:sts::{SECOND_ACCOUNT}:assumed-role/chime-partner/from-profile"
    assert partner.client("sts").get_caller_identity()["Arn"] == arn
    left = partner.get_credentials()._expiry_time - datetime.now(UTC)
    assert 1700 < left.total_seconds() <= 1800
    assert len(partner.client("chime").list_accounts()["Accounts"]) == 1
    status, code, _ = refusal(boto3.Session(profile_name="stranger").client("sts").get_caller_identity)
    assert (status, code) == (403, "AccessDenied")


CHAIN = """
    [profile ana]
    aws_access_key_id = ana_key
    aws_secret_access_key = ana-secret
    [profile li]
    aws_access_key_id = li_key
    aws_secret_access_key = li-secret
    [profile gateway]
    source_profile = ana
    role_arn = arn:aws:iam::111122223333:role/gateway
    role_session_name = first
    [profile operator]
    source_profile = gateway
    role_arn = arn:aws:iam::444455556666:role/operations/chime-operator
    role_session_name = second
    duration_seconds = 3600
    [profile outsider]
    source_profile = li
    role_arn = arn:aws:iam::444455556666:role/operations/chime-operator
"""


def test_a_chain_of_profiles_from_user_to_role_to_role(
    make_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = make_server("--config", str(CONFIGURATIONS / "cross-account.yaml"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", served.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    profiles(tmp_path, CHAIN, monkeypatch)
    operator = boto3.Session(profile_name="operator")
    arn = "arn:aws:sts::444455556666:assumed-role/chime-operator/second"
    assert operator.client("sts").get_caller_identity()["Arn"] == arn
    chime = operator.client("chime")
    account = chime_account(chime)
    assert [user["PrimaryEmail"] for user in chime.list_users(AccountId=account)["Users"]] == ["kim@example.org"]
    # The permissions boundary, and then the organization's policy, forbid what the role's own policy allows.
    assert refusal(chime.delete_account, AccountId=account)[2].startswith(
        f"User: {arn} is not authorized to perform: chime:DeleteAccount with an explicit deny in a permissions boundary"
    )
    assert refusal(chime.list_phone_numbers)[2].startswith(
        f"User: {arn} is not authorized to perform: chime:ListPhoneNumbers "
        "with an explicit deny in a service control policy"
    )
    status, code, _ = refusal(boto3.Session(profile_name="outsider").client("sts").get_caller_identity)
    assert (status, code) == (403, "AccessDenied")


def test_a_chained_session_lasts_an_hour_at_most(
    boto: boto3.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """
        [profile base]
        aws_access_key_id = test
        aws_secret_access_key = test
        [profile first]
        source_profile = base
        role_arn = arn:aws:iam::111122223333:role/chime-denied
        [profile four-hours]
        source_profile = base
        role_arn = arn:aws:iam::111122223333:role/chime-manager
        duration_seconds = 14400
        [profile chained]
        source_profile = first
        role_arn = arn:aws:iam::111122223333:role/chime-manager
        duration_seconds = 3601
    """
    profiles(tmp_path, text, monkeypatch)
    assert boto3.Session(profile_name="four-hours").client("chime").list_accounts()["Accounts"]
    assert refusal(boto3.Session(profile_name="chained").client("sts").get_caller_identity) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )


def test_sessions_and_data_outlive_a_restart(make_server: Callable[..., Server]) -> None:
    served = make_server()
    credentials = served.assume("chime-manager")
    chime = served.client("chime", credentials=credentials)
    account = chime_account(chime)
    made = chime.create_user(AccountId=account, Email="new@example.com")["User"]["UserId"]
    url = served.client("sts", credentials=credentials).generate_presigned_url("get_caller_identity", HttpMethod="GET")
    served.stop()
    served.restart()
    # The same client: its kept connection is gone, its session is not.
    assert chime.get_user(AccountId=account, UserId=made)["User"]["PrimaryEmail"] == "new@example.com"
    assert fetched(url)[0] == 200
    # Applying the same file again neither doubles nor restores anything.
    emails = [user["PrimaryEmail"] for user in chime.list_users(AccountId=account)["Users"]]
    assert sorted(emails) == ["ana@example.com", "li@example.com", "new@example.com", "sam@example.com"]
    assert len(chime.list_accounts()["Accounts"]) == 1


def test_a_client_with_its_own_retries_does_not_notice_a_restart(
    make_server: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = make_server()
    sts = boto3.Session(*ADMIN, region_name="us-east-1").client("sts", endpoint_url=served.url)
    arn = sts.get_caller_identity()["Arn"]
    for _ in range(2):
        served.stop()
        served.restart()
        assert sts.get_caller_identity()["Arn"] == arn
