"""Service-specific credentials: created, listed, switched off, reset, expired and deleted.

Rules marked "recorded" are from recordings of AWS: radkawar/stackd's service_credentials_aws.json and
service_credentials_authorization_aws.json (2026-09-11).
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from certificate_calls import certified
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal
from logged_worlds import keep_log
from sqlalchemy import inspect

from rolecall.storage.decision_log import CallFilter

NOW = datetime(2027, 1, 1, tzinfo=UTC)
CODECOMMIT, KEYSPACES, BEDROCK = "codecommit.amazonaws.com", "cassandra.amazonaws.com", "bedrock.amazonaws.com"
DAY_SECONDS = 86_400


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def create(iam: Any, service: str = CODECOMMIT, user: str = "bob", **more: Any) -> Any:
    given = {"UserName": user, "ServiceName": service, **more}
    return iam.create_service_specific_credential(**given)["ServiceSpecificCredential"]


def listed(iam: Any, **arguments: Any) -> Any:
    return iam.list_service_specific_credentials(**arguments)["ServiceSpecificCredentials"]


def of(made: Any, user: str = "bob") -> dict[str, str]:
    return {"UserName": user, "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}


def without(made: Any, *members: str) -> Any:
    return {name: value for name, value in made.items() if name not in members}


@pytest.mark.parametrize("service", [CODECOMMIT, KEYSPACES])
def test_a_password_for_a_service(iam: Any, service: str) -> None:
    made = create(iam, service.upper().replace("AMAZONAWS", "amazonaws"))
    # Recorded: the service in lower case, an id of 21 characters, a password of 60.
    assert made == {
        "CreateDate": NOW,
        "ServiceName": service,
        "ServiceUserName": f"bob-at-{ACCOUNT}",
        "ServicePassword": made["ServicePassword"],
        "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"],
        "UserName": "bob",
        "Status": "Active",
    }
    assert (made["ServiceSpecificCredentialId"][:4], len(made["ServiceSpecificCredentialId"])) == ("ACCA", 21)
    assert len(made["ServicePassword"]) == 60
    assert listed(iam, UserName="bob") == [without(made, "ServicePassword")]


@pytest.mark.parametrize(
    ("service", "prefix"),
    [
        (BEDROCK, "ABSK"),
        ("logs.amazonaws.com", "ACWL"),
        ("cloudwatch.amazonaws.com", "APIAACWM"),
        ("aws-external-anthropic.amazonaws.com", "AEAA"),
    ],
)
def test_an_api_key_of_a_service(iam: Any, service: str, prefix: str) -> None:
    made = create(iam, service, CredentialAgeDays=30)
    alias, secret = f"bob-at-{ACCOUNT}", made["ServiceCredentialSecret"]
    assert made == {
        "CreateDate": NOW,
        "ExpirationDate": NOW + timedelta(days=30),
        "ServiceName": service,
        "ServiceCredentialAlias": alias,
        "ServiceCredentialSecret": secret,
        "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"],
        "UserName": "bob",
        "Status": "Active",
    }
    # Recorded: the letters of the service, then the alias and 60 characters in base64.
    assert secret.startswith(prefix)
    name, _, password = base64.b64decode(secret.removeprefix(prefix)).decode().partition(":")
    assert (name, len(password)) == (alias, 60)
    assert listed(iam, UserName="bob", ServiceName=service) == [without(made, "ServiceCredentialSecret")]


def test_only_the_digest_of_a_secret_is_kept(world: Any, iam: Any) -> None:
    made = [create(iam), create(iam, BEDROCK)]
    secrets = [made[0]["ServicePassword"], made[1]["ServiceCredentialSecret"]]
    with world.database.snapshot() as connection:
        digests = connection.exec_driver_sql("SELECT secret_digest FROM service_credentials").scalars().all()
        assert set(digests) == {hashlib.sha256(secret.encode()).hexdigest() for secret in secrets}
        names = inspect(connection).get_table_names()
        kept = "".join(repr(connection.exec_driver_sql(f"SELECT * FROM {name}").fetchall()) for name in names)  # noqa: S608
    assert [secret for secret in secrets if secret in kept] == []


def test_a_user_has_two_for_each_service(iam: Any) -> None:
    assert create(iam)["ServiceUserName"] == f"bob-at-{ACCOUNT}"
    # Recorded: the second name, and the words of the quota.
    assert create(iam)["ServiceUserName"] == f"bob+1-at-{ACCOUNT}"
    quota = ("LimitExceeded", "Cannot exceed quota for ContextSpecificCredentialsPerUserPerContext: 2", 409)
    fails(iam.create_service_specific_credential, *quota, UserName="bob", ServiceName=CODECOMMIT)
    assert create(iam, BEDROCK)["ServiceCredentialAlias"] == f"bob-at-{ACCOUNT}"
    assert create(iam, user="ana")["ServiceUserName"] == f"ana-at-{ACCOUNT}"


def test_names_of_credentials_outlive_the_names_of_users(iam: Any) -> None:
    """Recorded: a renamed user keeps them, and a new user of the old name gets another one."""
    made = create(iam)
    iam.update_user(UserName="bob", NewUserName="robert")
    [shown] = listed(iam, UserName="robert")
    assert (shown["UserName"], shown["ServiceUserName"]) == ("robert", f"bob-at-{ACCOUNT}")
    iam.create_user(UserName="bob")
    assert create(iam)["ServiceUserName"] == f"bob+1-at-{ACCOUNT}"
    iam.delete_service_specific_credential(**of(made, "robert"))
    assert create(iam)["ServiceUserName"] == f"bob-at-{ACCOUNT}"


@pytest.mark.parametrize(
    ("service", "code", "message"),
    [
        (
            "sqs.amazonaws.com",
            "NoSuchEntity",
            "No such service sqs.amazonaws.com is supported for Service Specific Credentials",
        ),
        ("codecommit", "NoSuchEntity", "No such service codecommit is supported for Service Specific Credentials"),
        ("", "NoSuchEntity", "No such service  is supported for Service Specific Credentials"),
        ("code commit", "ValidationError", "ServiceName must match [a-zA-Z0-9.-]*"),
    ],
)
def test_services_without_such_credentials(iam: Any, service: str, code: str, message: str) -> None:
    status = 404 if code == "NoSuchEntity" else 400
    fails(iam.create_service_specific_credential, code, message, status, UserName="bob", ServiceName=service)
    fails(iam.list_service_specific_credentials, code, message, status, UserName="bob", ServiceName=service)


@pytest.mark.parametrize("service", [CODECOMMIT, BEDROCK])
def test_a_reset_gives_another_secret_alone(world: Any, iam: Any, service: str) -> None:
    secret = "ServicePassword" if service == CODECOMMIT else "ServiceCredentialSecret"
    made = create(iam, service, CredentialAgeDays=1)
    iam.update_service_specific_credential(**of(made), Status="Inactive")
    world.clock.advance(60)
    reset = iam.reset_service_specific_credential(**of(made))["ServiceSpecificCredential"]
    assert reset[secret] != made[secret]
    assert without(reset, secret) == {**without(made, secret), "Status": "Inactive"}


def test_an_expired_credential_says_so(world: Any, iam: Any) -> None:
    create(iam, BEDROCK, CredentialAgeDays=1)
    world.clock.advance(DAY_SECONDS - 1)
    assert [each["Status"] for each in listed(iam, UserName="bob")] == ["Active"]
    world.clock.advance(1)
    assert [each["Status"] for each in listed(iam, UserName="bob")] == ["Expired"]


def test_a_credential_is_its_users_own(iam: Any) -> None:
    made = create(iam)
    credential_id = made["ServiceSpecificCredentialId"]
    # Recorded.
    message = f"User ana does not have a service specific credential with id {credential_id}"
    others = ("ValidationError", message, 400)
    fails(iam.update_service_specific_credential, *others, **of(made, "ana"), Status="Inactive")
    fails(iam.reset_service_specific_credential, *others, **of(made, "ana"))
    fails(iam.delete_service_specific_credential, *others, **of(made, "ana"))
    expired = ("InvalidInput", "Operation does not support status Expired", 400)
    fails(iam.update_service_specific_credential, *expired, **of(made), Status="Expired")
    iam.delete_access_key(UserName="bob", AccessKeyId="bob1_key_for_tests")
    conflict = ("DeleteConflict", "Cannot delete entity, must remove referenced objects first.", 409)
    fails(iam.delete_user, *conflict, UserName="bob")
    iam.delete_service_specific_credential(**of(made))
    missing = ("NoSuchEntity", f"No such credential {credential_id} exists", 404)
    fails(iam.delete_service_specific_credential, *missing, **of(made))
    fails(iam.reset_service_specific_credential, *missing, **of(made))
    fails(iam.update_service_specific_credential, *missing, **of(made), Status="Active")
    iam.delete_user(UserName="bob")


def test_a_credential_of_another_account_does_not_exist(world: Any, iam: Any) -> None:
    made = create(iam)
    other = world.client("iam", user="kim")
    message = f"No such credential {made['ServiceSpecificCredentialId']} exists"
    fails(other.delete_service_specific_credential, "NoSuchEntity", message, 404, **of(made, "kim"))
    assert listed(other, AllUsers=True) == []


def test_lists_are_paged_for_one_user_and_for_all(world: Any, iam: Any) -> None:
    for user in ("bob", "ana", "bob"):
        create(iam, user=user)
        world.clock.advance(1)
    assert [each["UserName"] for each in listed(iam, AllUsers=True)] == ["bob", "ana", "bob"]
    first = iam.list_service_specific_credentials(AllUsers=True, MaxItems=2)
    assert (first["IsTruncated"], len(first["ServiceSpecificCredentials"])) == (True, 2)
    rest = iam.list_service_specific_credentials(AllUsers=True, Marker=first["Marker"])
    assert (rest["IsTruncated"], len(rest["ServiceSpecificCredentials"])) == (False, 1)
    other_list = refusal(iam.list_service_specific_credentials, UserName="bob", Marker=first["Marker"])
    assert other_list[:2] == ("ValidationError", "Invalid Marker.")
    assert refusal(iam.list_service_specific_credentials, UserName="bob", AllUsers=True)[0] == "ValidationError"


def test_the_list_of_all_users_needs_the_right_on_all(world: Any, iam: Any) -> None:
    """Recorded: with ``user/*`` everything is allowed, with one user only this user."""
    bob = world.client("iam", user="bob")
    users = f"arn:aws:iam::{ACCOUNT}:user"
    arguments: list[dict[str, Any]] = [{"AllUsers": True}, {"UserName": "ana"}, {}]
    for resource, allowed in (
        (f"{users}/bob", [{}]),
        (f"{users}/team/ana", [{"UserName": "ana"}]),
        (f"{users}/*", arguments),
        ("*", arguments),
    ):
        put_rights(iam, "bob", "own", identity("iam:ListServiceSpecificCredentials", resource))
        for each in arguments:
            if each in allowed:
                bob.list_service_specific_credentials(**each)
            else:
                assert refusal(bob.list_service_specific_credentials, **each)[0] == "AccessDenied", (resource, each)


def test_conditions_on_the_service_and_the_age(world: Any, iam: Any) -> None:
    """Recorded: the service's name is compared in lower case, and without an age its key is absent."""
    condition = {
        "StringEquals": {"iam:ServiceSpecificCredentialServiceName": CODECOMMIT},
        "NumericLessThanEquals": {"iam:ServiceSpecificCredentialAgeDays": "2"},
    }
    put_rights(iam, "bob", "own", identity("iam:CreateServiceSpecificCredential", Condition=condition))
    bob = world.client("iam", user="bob")
    create(bob, "CodeCommit.amazonaws.com", CredentialAgeDays=1)
    create(bob, CODECOMMIT, CredentialAgeDays=2)
    for service, more in (
        (CODECOMMIT, {}),
        (CODECOMMIT, {"CredentialAgeDays": 3}),
        (BEDROCK, {"CredentialAgeDays": 1}),
    ):
        call = bob.create_service_specific_credential
        assert refusal(call, UserName="bob", ServiceName=service, **more)[0] == "AccessDenied"


def test_a_role_session_names_a_user(world: Any, iam: Any) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/manager"
    session = world.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    manager = world.client("iam", credentials=session)
    unnamed = ("ValidationError", "Must specify userName when calling with non-User credentials", 400)
    fails(manager.list_service_specific_credentials, *unnamed)
    fails(manager.reset_service_specific_credential, *unnamed, ServiceSpecificCredentialId="ACCA" + "A" * 17)
    assert listed(manager, AllUsers=True) == []


def test_no_secret_is_in_the_log(world: Any) -> None:
    log = keep_log(world)
    iam = world.client("iam")
    made = [create(iam), create(iam, BEDROCK)]
    made += [iam.reset_service_specific_credential(**of(each))["ServiceSpecificCredential"] for each in made]
    site = certified("site")
    given = {"CertificateBody": site.body, "PrivateKey": site.private_key}
    iam.upload_server_certificate(ServerCertificateName="site", **given)
    assert refusal(iam.upload_server_certificate, ServerCertificateName="site", **given)[0] == "EntityAlreadyExists"
    text = repr(log.calls(CallFilter()))
    secrets = [each.get("ServicePassword") or each["ServiceCredentialSecret"] for each in made]
    secrets.append(site.private_key.splitlines()[1])
    assert [secret for secret in secrets if secret in text] == []
    assert "site" in text
