"""Server certificates: uploaded, shown, listed, renamed, tagged and deleted.

Messages and rules marked "recorded" are from recordings of AWS: LocalStack's test_iam_server_certificates.snapshot.json
(2026-02-17) and radkawar/stackd's certificates_aws.json and certificate_edges_aws.json (2026-09-11).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from certificate_calls import Certified, certified
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal
from sqlalchemy import inspect

NOW = datetime(2027, 1, 1, tzinfo=UTC)
CHAIN = (
    "Unable to validate certificate chain. The certificate chain must start with the immediate signing certificate, "
    "followed by any intermediaries in order. The index within the chain of the invalid certificate is: {index}"
)
UNPARSED = "Unable to parse certificate. Please ensure the certificate is in PEM format."
ROOT = certified("root")
MIDDLE = certified("middle", ROOT)
LEAF = certified("leaf", MIDDLE)
OTHER = certified("other")


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def upload(iam: Any, name: str = "site", of: Certified = LEAF, **more: Any) -> Any:
    given = {"CertificateBody": of.body, "PrivateKey": of.private_key, **more}
    return iam.upload_server_certificate(ServerCertificateName=name, **given)


def refused(iam: Any, **more: Any) -> tuple[str, str, int]:
    return refusal(lambda **arguments: upload(iam, **arguments), **more)


def test_a_certificate_is_shown_without_its_key(iam: Any) -> None:
    chain = MIDDLE.body + ROOT.body
    answer = upload(iam, Path="/sites/", CertificateChain=chain, Tags=[{"Key": "team", "Value": "b"}])
    metadata = answer["ServerCertificateMetadata"]
    assert metadata == {
        "Path": "/sites/",
        "ServerCertificateName": "site",
        "ServerCertificateId": metadata["ServerCertificateId"],
        "Arn": f"arn:aws:iam::{ACCOUNT}:server-certificate/sites/site",
        "UploadDate": NOW,
        "Expiration": LEAF.certificate.not_valid_after_utc,
    }
    # Recorded: 21 characters, the first four "ASCA".
    assert (metadata["ServerCertificateId"][:4], len(metadata["ServerCertificateId"])) == ("ASCA", 21)
    assert answer["Tags"] == [{"Key": "team", "Value": "b"}]
    shown = iam.get_server_certificate(ServerCertificateName="SITE")["ServerCertificate"]
    # Recorded: the texts come back without the line end at their ends.
    assert shown == {
        "ServerCertificateMetadata": metadata,
        "CertificateBody": LEAF.body.strip(),
        "CertificateChain": chain.strip(),
        "Tags": [{"Key": "team", "Value": "b"}],
    }
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == [metadata]
    assert iam.list_server_certificates(PathPrefix="/other/")["ServerCertificateMetadataList"] == []


def test_the_private_key_is_in_no_table_and_in_no_log(world: Any, iam: Any) -> None:
    upload(iam)
    secret = LEAF.private_key.splitlines()[1]
    with world.database.snapshot() as connection:
        names = inspect(connection).get_table_names()
        for name in names:
            rows = connection.exec_driver_sql(f"SELECT * FROM {name}").fetchall()  # noqa: S608
            assert secret not in repr(rows), name


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        ({"CertificateBody": "not a certificate"}, "MalformedCertificate", UNPARSED),
        ({"CertificateBody": LEAF.body + MIDDLE.body}, "MalformedCertificate", UNPARSED),
        ({"CertificateBody": "Before " + LEAF.body}, "MalformedCertificate", UNPARSED),
        ({"CertificateBody": LEAF.private_key}, "MalformedCertificate", UNPARSED),
        (
            {"PrivateKey": OTHER.private_key},
            "KeyPairMismatch",
            "The private key did not match the public key provided. Please verify the key material and try again.",
        ),
        ({"CertificateChain": "no chain"}, "MalformedCertificate", "Unknown"),
        ({"CertificateChain": OTHER.body}, "MalformedCertificate", CHAIN.format(index=-1)),
        ({"CertificateChain": ROOT.body + MIDDLE.body}, "MalformedCertificate", CHAIN.format(index=-1)),
        ({"CertificateChain": MIDDLE.body + LEAF.body}, "MalformedCertificate", CHAIN.format(index=1)),
        ({"CertificateChain": MIDDLE.body + ROOT.body + LEAF.body}, "MalformedCertificate", CHAIN.format(index=2)),
    ],
    ids=["words", "two", "before", "key", "mismatch", "no PEM", "unrelated", "order", "leaf in it", "third"],
)
def test_what_does_not_belong_together(iam: Any, more: dict[str, Any], code: str, message: str) -> None:
    assert refused(iam, **more) == (code, message, 400)
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_a_private_key_is_readable_and_not_encrypted(iam: Any) -> None:
    encryption = BestAvailableEncryption(b"secret")
    encrypted = LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()
    for key in ("no key", LEAF.body, encrypted):
        code, message, _ = refused(iam, PrivateKey=key)
        assert code == "MalformedCertificate"
        assert key not in message


def test_a_chain_may_be_missing_or_repeat_its_root(iam: Any) -> None:
    """Recorded: both succeed."""
    upload(iam, "without")
    upload(iam, "repeated", MIDDLE, CertificateChain=ROOT.body + ROOT.body)


def test_a_certificate_is_valid_by_the_sandboxs_clock(world: Any, iam: Any) -> None:
    late, early = certified("late", begins=NOW - timedelta(days=1), ends=NOW), certified("early", begins=NOW)
    world.clock.advance(1)
    assert refused(iam, of=late) == (
        "MalformedCertificate",
        "Certificate is no longer valid. The 'Not After' date restriction on the certificate has passed.",
        400,
    )
    world.clock.advance(-2)
    assert refused(iam, of=early)[0] == "MalformedCertificate"


def test_names_are_unique_without_case(iam: Any) -> None:
    upload(iam)
    upload(iam, "other")
    # Recorded: the message has the name of the request.
    taken = ("EntityAlreadyExists", "The Server Certificate with name SITE already exists.", 409)
    assert refused(iam, name="SITE") == taken
    fails(iam.update_server_certificate, *taken, ServerCertificateName="other", NewServerCertificateName="SITE")
    iam.update_server_certificate(ServerCertificateName="site", NewServerCertificateName="SITE")
    names = [each["ServerCertificateName"] for each in iam.list_server_certificates()["ServerCertificateMetadataList"]]
    assert names == ["other", "SITE"]


def test_a_certificate_is_renamed_moved_and_deleted(iam: Any) -> None:
    made = upload(iam, Tags=[{"Key": "a", "Value": ""}])["ServerCertificateMetadata"]
    iam.update_server_certificate(ServerCertificateName="site", NewServerCertificateName="new", NewPath="/p/")
    shown = iam.get_server_certificate(ServerCertificateName="new")["ServerCertificate"]
    assert shown["ServerCertificateMetadata"] == {
        **made,
        "ServerCertificateName": "new",
        "Path": "/p/",
        "Arn": f"arn:aws:iam::{ACCOUNT}:server-certificate/p/new",
    }
    # Recorded: tags stay when a certificate gets another name or path.
    assert shown["Tags"] == [{"Key": "a", "Value": ""}]
    absent = ("NoSuchEntity", "The Server Certificate with name site cannot be found.", 404)
    for call in (iam.get_server_certificate, iam.update_server_certificate, iam.delete_server_certificate):
        fails(call, *absent, ServerCertificateName="site")
    iam.delete_server_certificate(ServerCertificateName="new")
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []


def test_tags_are_case_sensitive(iam: Any) -> None:
    tags = [{"Key": "Team", "Value": "one"}, {"Key": "team", "Value": "two"}]
    upload(iam, Tags=tags)
    iam.tag_server_certificate(ServerCertificateName="site", Tags=[{"Key": "Team", "Value": "new"}])
    listed = iam.list_server_certificate_tags(ServerCertificateName="site")["Tags"]
    assert listed == [{"Key": "Team", "Value": "new"}, tags[1]]
    iam.untag_server_certificate(ServerCertificateName="site", TagKeys=["Team", "missing"])
    assert iam.list_server_certificate_tags(ServerCertificateName="site")["Tags"] == [tags[1]]
    fails(
        iam.tag_server_certificate,
        "InvalidInput",
        "Duplicate tag keys found.",
        400,
        ServerCertificateName="site",
        Tags=[{"Key": "a", "Value": ""}, {"Key": "a", "Value": ""}],
    )
    # Recorded.
    empty = ("InvalidInput", "The provided tag map must not be null/empty.", 400)
    fails(iam.tag_server_certificate, *empty, ServerCertificateName="site", Tags=[])
    empty = ("InvalidInput", "The provided tag keys must not be null/empty.", 400)
    fails(iam.untag_server_certificate, *empty, ServerCertificateName="site", TagKeys=[])
    absent = ("NoSuchEntity", "The Server Certificate with name none cannot be found.", 404)
    fails(iam.list_server_certificate_tags, *absent, ServerCertificateName="none")
    fails(iam.tag_server_certificate, *absent, ServerCertificateName="none", Tags=tags)
    fails(iam.untag_server_certificate, *absent, ServerCertificateName="none", TagKeys=["a"])


def test_rights_are_about_the_path_and_the_tags_of_a_certificate(world: Any, iam: Any) -> None:
    upload(iam, "mine", Path="/team/", Tags=[{"Key": "team", "Value": "blue"}])
    upload(iam, "theirs", Path="/team/", Tags=[{"Key": "team", "Value": "red"}])
    document = identity(
        ["iam:*ServerCertificate*"],
        f"arn:aws:iam::{ACCOUNT}:server-certificate/team/*",
        Condition={"StringEqualsIfExists": {"aws:ResourceTag/team": "blue"}},
    )
    put_rights(iam, "bob", "own", document)
    bob = world.client("iam", user="bob")
    bob.get_server_certificate(ServerCertificateName="mine")
    for call, more in (
        (bob.get_server_certificate, {}),
        (bob.delete_server_certificate, {}),
        (bob.update_server_certificate, {"NewPath": "/team/x/"}),
        (bob.list_server_certificates, None),
    ):
        arguments = {} if more is None else {"ServerCertificateName": "theirs", **more}
        assert refusal(call, **arguments)[0] == "AccessDenied"
    # The permission is needed on the new name and path too.
    assert refusal(bob.update_server_certificate, ServerCertificateName="mine", NewPath="/other/")[0] == "AccessDenied"
    bob.update_server_certificate(ServerCertificateName="mine", NewPath="/team/x/")
    assert refused(bob, Path="/other/")[0] == "AccessDenied"
    upload(bob, "second", Path="/team/")


def test_lists_are_paged_and_counted(iam: Any) -> None:
    for name in ("c", "A", "b"):
        upload(iam, name)
    pages = iam.get_paginator("list_server_certificates").paginate(PaginationConfig={"PageSize": 1})
    assert [page["ServerCertificateMetadataList"][0]["ServerCertificateName"] for page in pages] == ["A", "b", "c"]
    assert iam.get_account_summary()["SummaryMap"]["ServerCertificates"] == 3
