"""SSH public keys: uploaded in both encodings, shown in both, switched off and deleted.

Messages and rules marked "recorded" are from recordings of AWS: LocalStack's test_iam_ssh_public_keys.snapshot.json
(2026-02-13) and radkawar/stackd's certificates_aws.json (2026-09-11).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from certificate_calls import certificate
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal
from ssh_calls import pem, rsa_key, ssh

NOW = datetime(2027, 1, 1, tzinfo=UTC)
FINGERPRINT = "47:1e:c9:f4:56:e0:75:18:19:fd:5e:0a:7c:60:1c:1b"
UNRECOGNIZED = ("UnrecognizedPublicKeyEncoding", "Invalid public key uploaded.", 400)
INVALID = ("InvalidPublicKey", "Invalid body for public key", 400)
# From RFC 8032's first test vector.
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
EC_PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
"""


@pytest.fixture
def world(make_still_world: Any) -> Any:
    return make_still_world(WORLD, NOW)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def upload(iam: Any, body: str, user: str = "bob") -> Any:
    return iam.upload_ssh_public_key(UserName=user, SSHPublicKeyBody=body)["SSHPublicKey"]


def shown(iam: Any, key: Any, encoding: str = "SSH", user: str = "bob") -> Any:
    return iam.get_ssh_public_key(UserName=user, SSHPublicKeyId=key["SSHPublicKeyId"], Encoding=encoding)[
        "SSHPublicKey"
    ]


def listed(iam: Any, **arguments: Any) -> Any:
    return iam.list_ssh_public_keys(**arguments)["SSHPublicKeys"]


def test_a_key_is_shown_in_both_encodings(iam: Any) -> None:
    key = rsa_key()
    body = f"{ssh(key)} bob@example.com"
    made = upload(iam, body)
    # Recorded: the upload answers the text as it came. Its id has 20 characters.
    assert made == {
        "UserName": "bob",
        "SSHPublicKeyId": made["SSHPublicKeyId"],
        "Fingerprint": made["Fingerprint"],
        "SSHPublicKeyBody": body,
        "Status": "Active",
        "UploadDate": NOW,
    }
    assert (made["SSHPublicKeyId"][:4], len(made["SSHPublicKeyId"])) == ("APKA", 20)
    # Recorded: the comment is gone, and the PEM form ends with a line end.
    assert shown(iam, made) == {**made, "SSHPublicKeyBody": ssh(key)}
    assert shown(iam, made, "PEM") == {**made, "SSHPublicKeyBody": pem(key)}
    named = {"UserName": "bob", "SSHPublicKeyId": made["SSHPublicKeyId"], "Status": "Active", "UploadDate": NOW}
    assert listed(iam, UserName="bob") == [named]


def test_a_fingerprint_is_the_md5_that_ssh_keygen_shows(iam: Any) -> None:
    """What ``ssh-keygen -l -E md5`` shows for this key."""
    body = ssh(rsa_key())
    assert body.startswith("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQ")
    assert upload(iam, body)["Fingerprint"] == FINGERPRINT
    assert upload(iam, pem(rsa_key()), "ana")["Fingerprint"] == FINGERPRINT


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("not a key", UNRECOGNIZED),
        (certificate(), UNRECOGNIZED),
        (ED25519, UNRECOGNIZED),
        ("ssh-rsa", UNRECOGNIZED),
        ("ssh-rsa not-base64!", INVALID),
        (ssh(rsa_key())[:200], INVALID),
        (ssh(rsa_key(bits=1024)), INVALID),
        (pem(rsa_key(bits=2040)), INVALID),
        (pem(rsa_key())[:200], INVALID),
        (ssh(rsa_key()).replace("ssh-rsa", "ssh-rsa ssh-rsa"), INVALID),
        (EC_PEM, INVALID),
        (ssh(rsa_key()) + " ÿ", INVALID),
    ],
    ids=["words", "certificate", "ed25519", "name", "base64", "cut", "1024", "2040", "cut PEM", "twice", "EC", "latin"],
)
def test_invalid_keys(iam: Any, body: str, expected: tuple[str, str, int]) -> None:
    fails(iam.upload_ssh_public_key, *expected, UserName="bob", SSHPublicKeyBody=body)
    assert listed(iam, UserName="bob") == []


def test_a_user_has_a_key_once_and_five_at_most(world: Any, iam: Any) -> None:
    upload(iam, ssh(rsa_key()))
    duplicate = ("DuplicateSSHPublicKey", "Duplicate SSH public key uploaded.", 400)
    for body in (ssh(rsa_key()), pem(rsa_key()), f"{ssh(rsa_key())} another comment"):
        fails(iam.upload_ssh_public_key, *duplicate, UserName="bob", SSHPublicKeyBody=body)
    # Recorded: another user may have the same key.
    upload(iam, ssh(rsa_key()), "ana")
    for number in range(2, 6):
        world.clock.advance(1)
        upload(iam, ssh(rsa_key(number)))
    quota = ("LimitExceeded", "Cannot exceed quota for SSHPublicKeysPerUser: 5", 409)
    fails(iam.upload_ssh_public_key, *quota, UserName="bob", SSHPublicKeyBody=ssh(rsa_key(6)))
    pages = iam.get_paginator("list_ssh_public_keys").paginate(UserName="bob", PaginationConfig={"PageSize": 2})
    assert [len(page["SSHPublicKeys"]) for page in pages] == [2, 2, 1]


def test_a_key_is_switched_off_and_deleted(iam: Any) -> None:
    made = upload(iam, ssh(rsa_key()))
    named = {"UserName": "bob", "SSHPublicKeyId": made["SSHPublicKeyId"]}
    iam.update_ssh_public_key(**named, Status="Inactive")
    assert shown(iam, made)["Status"] == "Inactive"
    # Recorded.
    expired = ("InvalidInput", "Operation does not support status Expired", 400)
    fails(iam.update_ssh_public_key, *expired, **named, Status="Expired")
    assert refusal(iam.get_ssh_public_key, **named, Encoding="ssh")[0] == "ValidationError"
    iam.delete_ssh_public_key(**named)
    assert listed(iam, UserName="bob") == []
    missing = ("NoSuchEntity", f"The Public Key with id {made['SSHPublicKeyId']} cannot be found.", 404)
    fails(iam.delete_ssh_public_key, *missing, **named)
    fails(iam.get_ssh_public_key, *missing, **named, Encoding="SSH")
    fails(iam.update_ssh_public_key, *missing, **named, Status="Active")


def test_a_key_is_its_users_own(world: Any, iam: Any) -> None:
    made = upload(iam, ssh(rsa_key()))
    # Recorded: other words than for a key that does not exist.
    missing = ("NoSuchEntity", f"User has no Public Key with id {made['SSHPublicKeyId']}.", 404)
    named = {"UserName": "ana", "SSHPublicKeyId": made["SSHPublicKeyId"]}
    fails(iam.delete_ssh_public_key, *missing, **named)
    fails(iam.get_ssh_public_key, *missing, **named, Encoding="PEM")
    nobody = ("NoSuchEntity", "The user with name nobody cannot be found.", 404)
    fails(iam.upload_ssh_public_key, *nobody, UserName="nobody", SSHPublicKeyBody=ssh(rsa_key()))
    fails(iam.list_ssh_public_keys, *nobody, UserName="nobody")
    iam.delete_access_key(UserName="bob", AccessKeyId="bob1_key_for_tests")
    conflict = ("DeleteConflict", "Cannot delete entity, must remove referenced objects first.", 409)
    fails(iam.delete_user, *conflict, UserName="bob")
    iam.delete_ssh_public_key(UserName="bob", SSHPublicKeyId=made["SSHPublicKeyId"])
    iam.delete_user(UserName="bob")


def test_rights_are_about_the_user(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:*SSHPublicKey*", f"arn:aws:iam::{ACCOUNT}:user/bob"))
    bob = world.client("iam", user="bob")
    made = upload(bob, ssh(rsa_key()))
    assert [each["SSHPublicKeyId"] for each in listed(bob)] == [made["SSHPublicKeyId"]]
    assert refusal(bob.upload_ssh_public_key, UserName="ana", SSHPublicKeyBody=ssh(rsa_key()))[0] == "AccessDenied"
    assert refusal(bob.list_ssh_public_keys, UserName="ana")[0] == "AccessDenied"
    assert listed(world.client("iam", user=f"root of {ACCOUNT}")) == []
