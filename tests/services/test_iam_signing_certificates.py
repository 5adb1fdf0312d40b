"""Signing certificates: uploaded, listed, switched off and deleted."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from certificate_calls import certificate
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal

NOW = datetime(2027, 1, 1, tzinfo=UTC)
MALFORMED = "Certificate {body} is malformed."


def of_version_9() -> str:
    """A certificate that can be parsed, but has a version that X.509 does not have."""
    der = x509.load_pem_x509_certificate(certificate().encode()).public_bytes(Encoding.DER)
    changed = der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020108"), 1)
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(changed).decode()}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def upload(iam: Any, body: str, **arguments: Any) -> Any:
    return iam.upload_signing_certificate(CertificateBody=body, **arguments)["Certificate"]


def listed(iam: Any, **arguments: Any) -> Any:
    return iam.list_signing_certificates(**arguments)["Certificates"]


def test_a_certificate_is_active_at_once_until_it_is_switched_off_and_deleted(world: Any, iam: Any) -> None:
    body = certificate()
    made = upload(iam, body, UserName="BOB")
    assert (made["UserName"], made["Status"], made["CertificateBody"], made["UploadDate"]) == (
        "bob",
        "Active",
        body,
        NOW,
    )
    assert 24 <= len(made["CertificateId"]) <= 128
    assert made["CertificateId"].isalnum()
    assert listed(iam, UserName="bob") == [made]
    iam.update_signing_certificate(UserName="bob", CertificateId=made["CertificateId"], Status="Inactive")
    assert listed(iam, UserName="bob") == [{**made, "Status": "Inactive"}]
    expired = refusal(
        iam.update_signing_certificate, UserName="bob", CertificateId=made["CertificateId"], Status="Expired"
    )
    assert expired[0] == "InvalidInput"
    iam.delete_signing_certificate(UserName="bob", CertificateId=made["CertificateId"])
    assert listed(iam, UserName="bob") == []


def test_there_are_two_to_a_user_and_none_twice_in_an_account(world: Any, iam: Any) -> None:
    first = certificate()
    upload(iam, first, UserName="bob")
    duplicate = refusal(iam.upload_signing_certificate, UserName="ana", CertificateBody=first.replace("\n", "\r\n"))
    assert duplicate == (
        "DuplicateCertificate",
        "Duplicate certificate uploaded.",
        409,
    )
    world.clock.advance(1)
    upload(iam, certificate(), UserName="bob")
    quota = ("LimitExceeded", "Cannot exceed quota for CertificatesPerUser: 2", 409)
    fails(iam.upload_signing_certificate, *quota, UserName="bob", CertificateBody=certificate())
    page = iam.list_signing_certificates(UserName="bob", MaxItems=1)
    assert [page["IsTruncated"], page["Certificates"][0]["CertificateBody"]] == [True, first]
    rest = iam.list_signing_certificates(UserName="bob", Marker=page["Marker"])
    assert [rest["IsTruncated"], len(rest["Certificates"])] == [False, 1]
    other = world.client("iam", user="kim")
    upload(other, first)


@pytest.mark.parametrize(
    "body",
    [
        "no certificate",
        certificate().replace("CERTIFICATE", "PRIVATE KEY"),
        certificate()[:200],
        certificate() + certificate(),
        "Before " + certificate(),
        certificate() + "\nafter",
        of_version_9(),
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ],
    ids=["words", "key", "cut off", "two", "before", "after", "version 9", "empty"],
)
def test_invalid_certificates(iam: Any, body: str) -> None:
    told = MALFORMED.format(body=body)
    fails(iam.upload_signing_certificate, "MalformedCertificate", told, 400, UserName="bob", CertificateBody=body)


def test_a_certificate_is_valid_by_the_sandboxs_clock(world: Any, iam: Any) -> None:
    late, early = certificate(begins=NOW - timedelta(days=1), ends=NOW), certificate(begins=NOW)
    world.clock.advance(1)
    assert refusal(iam.upload_signing_certificate, CertificateBody=late)[:2] == (
        "MalformedCertificate",
        MALFORMED.format(body=late),
    )
    world.clock.advance(-2)
    assert refusal(iam.upload_signing_certificate, CertificateBody=early)[:2] == (
        "InvalidCertificate",
        "Certificate is not yet valid.",
    )


def test_a_certificate_is_its_users_own(world: Any, iam: Any) -> None:
    made = upload(iam, certificate(), UserName="bob")
    missing = ("NoSuchEntity", f"The Certificate with id {made['CertificateId']} cannot be found.", 404)
    for user in ("ana", "admin"):
        fails(iam.delete_signing_certificate, *missing, UserName=user, CertificateId=made["CertificateId"])
        fails(
            iam.update_signing_certificate,
            *missing,
            UserName=user,
            CertificateId=made["CertificateId"],
            Status="Inactive",
        )
    fails(
        iam.list_signing_certificates,
        "NoSuchEntity",
        "The user with name nobody cannot be found.",
        404,
        UserName="nobody",
    )
    message = "Cannot delete entity, must delete certificates first."
    iam.delete_access_key(UserName="bob", AccessKeyId="bob1_key_for_tests")
    fails(iam.delete_user, "DeleteConflict", message, 409, UserName="bob")


def test_a_user_may_upload_its_own_certificate_again(iam: Any) -> None:
    """Recorded 2026-09-11 (radkawar/stackd, certificate_edges_aws.json): the present one is answered as active."""
    body = certificate()
    made = upload(iam, body, UserName="bob")
    iam.update_signing_certificate(UserName="bob", CertificateId=made["CertificateId"], Status="Inactive")
    assert upload(iam, body, UserName="bob") == made
    assert listed(iam, UserName="bob") == [{**made, "Status": "Inactive"}]


def test_users_and_root_users_need_not_be_named(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:*SigningCertificate*", f"arn:aws:iam::{ACCOUNT}:user/bob"))
    bob = world.client("iam", user="bob")
    assert upload(bob, certificate())["UserName"] == "bob"
    assert refusal(bob.list_signing_certificates, UserName="ana")[0] == "AccessDenied"
    root = world.client("iam", user=f"root of {ACCOUNT}")
    made = upload(root, certificate())
    assert "UserName" not in made
    assert listed(root) == [made]
    assert root.get_account_summary()["SummaryMap"]["AccountSigningCertificatesPresent"] == 1
    root.delete_signing_certificate(CertificateId=made["CertificateId"])
    assert root.get_account_summary()["SummaryMap"]["AccountSigningCertificatesPresent"] == 0
    role = world.client("iam", credentials=world.assume("manager"))
    message = "Must specify userName when calling with non-User credentials"
    fails(role.list_signing_certificates, "ValidationError", message, 400)
