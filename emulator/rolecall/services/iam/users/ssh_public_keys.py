"""SSH public keys of users, for CodeCommit."""

from __future__ import annotations

import base64
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import PublicFormat, load_pem_public_key, load_ssh_public_key

from rolecall.errors import AwsError
from rolecall.ids import SSH_PUBLIC_KEY_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.iam.users.users import check_user_is_named, existing_user, named_or_calling_user
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.entity_policies import lock_entity
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.ssh_public_keys import (
    SshPublicKey,
    add_ssh_key,
    remove_ssh_key,
    set_ssh_key_status,
    ssh_key_exists,
    ssh_keys_of,
)

NOT_FOUND_MESSAGE = "The Public Key with id {key_id} cannot be found."
NOT_THE_USERS_MESSAGE = "User has no Public Key with id {key_id}."
UNRECOGNIZED_MESSAGE = "Invalid public key uploaded."
INVALID_MESSAGE = "Invalid body for public key"
DUPLICATE_MESSAGE = "Duplicate SSH public key uploaded."
STATUS_MESSAGE = "Operation does not support status {status}"
# AWS's wording was not recorded.
COUNT_MESSAGE = "Cannot exceed quota for SSHPublicKeysPerUser: {limit}"
# API reference, UploadSSHPublicKey: "The minimum bit-length of the public key is 2048 bits."
MINIMUM_KEY_BITS = 2048
_SSH = "ssh-rsa"
_PEM = ("-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----")


def _parsed(text: str) -> RSAPublicKey:
    """The key in a text of either encoding. Raises AwsError: UnrecognizedPublicKeyEncoding, InvalidPublicKey."""
    body = text.strip()
    if not body.startswith((f"{_SSH} ", *_PEM)):
        raise AwsError("UnrecognizedPublicKeyEncoding", UNRECOGNIZED_MESSAGE)
    load = load_ssh_public_key if body.startswith(_SSH) else load_pem_public_key
    try:
        key = load(body.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise AwsError("InvalidPublicKey", INVALID_MESSAGE, reason=str(error)) from error
    if not isinstance(key, RSAPublicKey) or key.key_size < MINIMUM_KEY_BITS:
        raise AwsError("InvalidPublicKey", INVALID_MESSAGE)
    return key


def _fingerprint(body: str) -> str:
    """The MD5 digest of a key in the form of OpenSSH, as pairs of digits."""
    blob = base64.b64decode(body.split()[1])
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")


def _existing(call: Call, user_id: str, key_id: str) -> SshPublicKey:
    for key in ssh_keys_of(call.db, user_id):
        if key.key_id == key_id:
            return key
    message = NOT_THE_USERS_MESSAGE if ssh_key_exists(call.db, key_id) else NOT_FOUND_MESSAGE
    raise AwsError("NoSuchEntity", message.format(key_id=key_id))


def _metadata(user_name: str, key: SshPublicKey) -> Answer:
    return {
        "UserName": user_name,
        "SSHPublicKeyId": key.key_id,
        "Status": key.status,
        "UploadDate": key.uploaded_at_seconds,
    }


def _shown(user_name: str, key: SshPublicKey, body: str) -> Answer:
    return {"SSHPublicKey": {**_metadata(user_name, key), "Fingerprint": key.fingerprint, "SSHPublicKeyBody": body}}


@operation("iam", "UploadSSHPublicKey")
def upload_ssh_public_key(call: Call, *, UserName: str, SSHPublicKeyBody: str) -> Answer:
    """Add an RSA key, active at once. Two users may have the same key. API reference: UploadSSHPublicKey.

    Raises AwsError: NoSuchEntity, UnrecognizedPublicKeyEncoding, InvalidPublicKey, DuplicateSSHPublicKey,
    LimitExceeded.
    """
    user = existing_user(call, UserName)
    lock_entity(call.db, "user", user.user_id)
    parsed = _parsed(SSHPublicKeyBody)
    body = parsed.public_bytes(serialization.Encoding.OpenSSH, PublicFormat.OpenSSH).decode("ascii")
    key = SshPublicKey(
        key_id=call.ids.access_key_id(SSH_PUBLIC_KEY_PREFIX, call.account_id),
        user_id=user.user_id,
        body=body,
        fingerprint=_fingerprint(body),
        status="Active",
        uploaded_at_seconds=int(call.now_seconds),
    )
    present = ssh_keys_of(call.db, user.user_id)
    if any(other.fingerprint == key.fingerprint for other in present):
        raise AwsError("DuplicateSSHPublicKey", DUPLICATE_MESSAGE)
    limit = call.settings.quotas.ssh_public_keys_per_user_count
    if len(present) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    try:
        add_ssh_key(call.db, key)
    except AlreadyThere as error:
        raise AwsError("DuplicateSSHPublicKey", DUPLICATE_MESSAGE) from error
    # AWS answers the text of the request, with its comment.
    return _shown(user.name, key, SSHPublicKeyBody)


@operation("iam", "GetSSHPublicKey")
def get_ssh_public_key(call: Call, *, UserName: str, SSHPublicKeyId: str, Encoding: str) -> Answer:
    """One key in the wanted encoding, SSH or PEM; without the comment of the upload. Raises AwsError NoSuchEntity."""
    user = existing_user(call, UserName)
    key = _existing(call, user.user_id, SSHPublicKeyId)
    return _shown(user.name, key, key.body if Encoding == "SSH" else _pem(key.body))


def _pem(body: str) -> str:
    key = load_ssh_public_key(body.encode("ascii"))
    return key.public_bytes(serialization.Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


@operation("iam", "ListSSHPublicKeys", precheck=check_user_is_named)
def list_ssh_public_keys(
    call: Call, *, UserName: str | None = None, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """The keys of a user, oldest first, without their bodies. The root user has none.

    Raises AwsError: ValidationError, NoSuchEntity.
    """
    user = named_or_calling_user(call, UserName)
    if user is None:
        return {"SSHPublicKeys": [], "IsTruncated": False}
    keys, rest = page(call, (user.user_id,), ssh_keys_of(call.db, user.user_id), _position, Marker, MaxItems)
    return {"SSHPublicKeys": [_metadata(user.name, key) for key in keys], **rest}


def _position(key: SshPublicKey) -> str:
    return f"{key.uploaded_at_seconds:020d} {key.key_id}"


@operation("iam", "UpdateSSHPublicKey")
def update_ssh_public_key(call: Call, *, UserName: str, SSHPublicKeyId: str, Status: str) -> None:
    """Switch a key on or off. Raises AwsError: NoSuchEntity, InvalidInput."""
    key = _existing(call, existing_user(call, UserName).user_id, SSHPublicKeyId)
    if Status not in ("Active", "Inactive"):
        raise AwsError("InvalidInput", STATUS_MESSAGE.format(status=Status))
    set_ssh_key_status(call.db, key.key_id, Status)


@operation("iam", "DeleteSSHPublicKey")
def delete_ssh_public_key(call: Call, *, UserName: str, SSHPublicKeyId: str) -> None:
    """Delete a key. Raises AwsError NoSuchEntity."""
    remove_ssh_key(call.db, _existing(call, existing_user(call, UserName).user_id, SSHPublicKeyId).key_id)
