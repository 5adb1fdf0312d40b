"""Identifiers of STS: access key ids that carry their account, ARNs and ids of sessions, forms of dates and secrets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sts_calls import (
    ACCOUNT,
    OTHER,
    UNCHECKED,
    account,
    allow,
    declared,
    not_authorized,
    refusal,
    role,
    role_arn,
    root_user,
    trust,
    user,
    user_arn,
)

from rolecall.inprocess import call_wsgi, environ_of


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    roles = [role("operator", trust("*"), allow("*"), path="/team/blue/")]
    users = [user("ana", allow("sts:*"), path="/team/")]
    return make_shared_world(
        declared(account(users=users, roles=roles), account(OTHER, roles=[role("far", trust("*"))]))
    )


OPERATOR = f"arn:aws:iam::{ACCOUNT}:role/team/blue/operator"


def identity_of(world: Any, credentials: dict[str, Any]) -> dict[str, str]:
    answer = world.client("sts", credentials=credentials).get_caller_identity()
    return {name: answer[name] for name in ("UserId", "Account", "Arn")}


def user_id(world: Any, name: str) -> str:
    return str(world.client("iam").get_user(UserName=name)["User"]["UserId"])


def test_a_user_is_its_arn_and_its_unique_id(worlds: Any) -> None:
    sts = worlds.client("sts", "ana")
    answer = sts.get_caller_identity()
    assert re.fullmatch("AIDA[A-Z2-7]{17}", answer["UserId"])
    own = {"UserId": user_id(worlds, "ana"), "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/team/ana"}
    assert {name: answer[name] for name in own} == own
    assert identity_of(worlds, sts.get_session_token()["Credentials"]) == own


def test_the_root_user_is_its_account(worlds: Any) -> None:
    sts = worlds.client("sts", root_user())
    own = {"UserId": ACCOUNT, "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}
    answer = sts.get_caller_identity()
    assert {name: answer[name] for name in own} == own
    assert identity_of(worlds, sts.get_session_token()["Credentials"]) == own


def test_an_assumed_role_is_named_without_the_path_of_the_role(worlds: Any) -> None:
    answer = worlds.client("sts", "ana").assume_role(RoleArn=OPERATOR, RoleSessionName="Ana_1+=,.@-")
    role_id = worlds.client("iam").get_role(RoleName="operator")["Role"]["RoleId"]
    assert re.fullmatch("AROA[A-Z2-7]{17}", role_id)
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/Ana_1+=,.@-"
    assert answer["AssumedRoleUser"] == {"AssumedRoleId": f"{role_id}:Ana_1+=,.@-", "Arn": arn}
    expected = {"UserId": f"{role_id}:Ana_1+=,.@-", "Account": ACCOUNT, "Arn": arn}
    assert identity_of(worlds, answer["Credentials"]) == expected


def test_a_role_is_found_by_its_whole_arn_only(worlds: Any) -> None:
    sts = worlds.client("sts", "ana")
    for arn in (
        role_arn("operator"),
        role_arn("team/operator"),
        OPERATOR + "s",
        OPERATOR.replace("operator", "Operator"),
    ):
        status, code, message = refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session")
        assert (status, code) == (403, "AccessDenied")
        assert message.startswith(not_authorized(user_arn("team/ana"), "sts:AssumeRole", arn))


@pytest.mark.parametrize("caller", ["ana", root_user()])
def test_a_federated_user_is_named_by_its_account(worlds: Any, caller: str) -> None:
    answer = worlds.client("sts", caller).get_federation_token(Name="fed")
    arn = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
    assert answer["FederatedUser"] == {"FederatedUserId": f"{ACCOUNT}:fed", "Arn": arn}
    expected = {"UserId": f"{ACCOUNT}:fed", "Account": ACCOUNT, "Arn": arn}
    assert identity_of(worlds, answer["Credentials"]) == expected


def test_credentials_have_the_forms_of_aws(worlds: Any) -> None:
    seen = set()
    for _ in range(20):
        credentials = worlds.client("sts", "ana").get_session_token()["Credentials"]
        assert re.fullmatch("ASIA[A-Z2-7]{16}", credentials["AccessKeyId"])
        assert re.fullmatch("[A-Za-z0-9+/]{40}", credentials["SecretAccessKey"])
        assert re.fullmatch(r"[\x21-\x7e]{100,}", credentials["SessionToken"])
        assert credentials.keys() == {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
        seen.add((credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]))
    assert len({key for key, _, _ in seen}) == len({secret for _, secret, _ in seen}) == 20


def test_expiration_is_utc_in_whole_seconds(worlds: Any) -> None:
    bodies = []
    sts = worlds.client("sts", "ana")

    def keep(request: Any, **_ignored: Any) -> None:
        bodies.append(call_wsgi(worlds.application, environ_of(request))[2].decode())

    # Registered first, because the answer is read twice: here for its text, then by botocore.
    sts.meta.events.register_first("before-send", keep)
    sts.get_session_token()
    found = re.search("<Expiration>(.*)</Expiration>", bodies[0])
    assert found is not None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found[1])


@pytest.mark.parametrize(
    ("access_key_id", "account_id"),
    [
        ("ASIAY34FZKBOKMUTVV7A", "609629065308"),
        ("AKIAY34FZKBOKMUTVV7A", "609629065308"),
        ("ASIAQAAAAAAAAAAAAAAA", "000000000000"),
        ("AKIAQAAAAAAADDDDDDDD", "000000000000"),
        ("AKIAQAAAAAAAQAAAAAAA", "000000000001"),
    ],
)
def test_access_key_info_reads_the_account_from_the_key_id(worlds: Any, access_key_id: str, account_id: str) -> None:
    """These keys do not exist. The answer comes from the id alone."""
    sts = worlds.client("sts", "ana")
    assert sts.get_access_key_info(AccessKeyId=access_key_id)["Account"] == account_id


@pytest.mark.parametrize("service_account", [ACCOUNT, OTHER])
def test_issued_and_created_keys_carry_their_account(worlds: Any, service_account: str) -> None:
    admin = "admin" if service_account == ACCOUNT else "other_admin"
    issued = worlds.client("sts", admin).get_session_token()["Credentials"]["AccessKeyId"]
    name = f"maker-{service_account}"
    iam = worlds.client("iam", admin)
    iam.create_user(UserName=name)
    created = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    assert re.fullmatch("AKIA[A-Z2-7]{16}", created)
    sts = worlds.client("sts", "ana")
    for access_key_id in (issued, created):
        assert sts.get_access_key_info(AccessKeyId=access_key_id)["Account"] == service_account


def test_keys_of_a_cross_account_role_belong_to_the_account_of_the_role(worlds: Any) -> None:
    credentials = worlds.assume(role_arn("far", OTHER), "ana")
    sts = worlds.client("sts", "ana")
    assert sts.get_access_key_info(AccessKeyId=credentials["AccessKeyId"])["Account"] == OTHER
    assert identity_of(worlds, credentials)["Account"] == OTHER


def test_access_key_info_of_a_declared_key_that_carries_no_account(worlds: Any) -> None:
    sts = worlds.client("sts", "ana", config=UNCHECKED)
    assert sts.get_access_key_info(AccessKeyId="ana_key_for_tests")["Account"] == ACCOUNT
    assert sts.get_access_key_info(AccessKeyId="other_admin_key_for_tests")["Account"] == OTHER
    unknown = "AKIAIOSFODNN7EXAMPLE"
    message = f"The access key id carries no account and is not one of this sandbox: {unknown}"
    assert refusal(sts, "GetAccessKeyInfo", AccessKeyId=unknown) == (400, "ValidationError", message)
