"""CreateSession: the trust anchor, the profile and the role decide about a request that its certificate signed.

Sources: IAM Roles Anywhere User Guide, "CreateSession API" and "trust model".
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from msgspec import Struct

from rolecall.access.check import RefusedError
from rolecall.clock import iso8601
from rolecall.delivery.anywhere.contents import CRL, PRINCIPAL, PROFILE, SERVICE, SUBJECT, TRUST_ANCHOR
from rolecall.delivery.anywhere.library import certificates
from rolecall.delivery.anywhere.messages import (
    ANCHOR_DISABLED_MESSAGE,
    DENIED_CODE,
    NO_ANCHOR_MESSAGE,
    NO_PROFILE_MESSAGE,
    NO_SESSION_NAME_MESSAGE,
    NOT_IN_PROFILE_MESSAGE,
    PROFILE_DISABLED_MESSAGE,
    REVOKED_MESSAGE,
    SESSION_NAME_MESSAGE,
    TOO_LONG_MESSAGE,
    UNABLE_MESSAGE,
    UNMAPPED_MESSAGE,
    UNTRUSTED_MESSAGE,
    denied,
    invalid,
)
from rolecall.delivery.anywhere.requests import SessionWanted
from rolecall.delivery.issuing import Means, Wanted, assume
from rolecall.policy import Decision
from rolecall.principals import Caller
from rolecall.sessions.credentials import MAXIMUM_TOKEN_BYTES, TemporaryCredentials, TokenTooLargeError
from rolecall.storage import resources as store
from rolecall.storage.resources import Content, Place, Resource

# STS: at most 50 session tags, and the characters of keys and values.
_MAXIMUM_TAGS = 50
_is_tag_text = re.compile(r"[^\W_]|[\s_.:/=+\-@]").match
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
# The guide, "CreateSession API", gives sourceIdentity the characters of tags. Not confirmed: STS takes no blanks,
# colons and slashes in AssumeRole. STS takes at most 64 characters.
_is_source_identity_text = _is_tag_text
_SOURCE_IDENTITY_CHARACTERS = 64
# The guide, "Source identity rules": a longer common name has no prefix.
_PREFIXED_NAME_CHARACTERS = 61
_MAXIMUM_RECORDS = 10


class Made(Struct, frozen=True):
    """A session: its credentials, the caller that they make, the decisions, and the request's certificate."""

    credentials: TemporaryCredentials
    caller: Caller
    decisions: Sequence[Decision]
    source_identity: str


def check_trust(db: Any, asked: SessionWanted, now_seconds: float) -> None:
    """Raises AwsError unless an enabled trust anchor trusts the certificate, and no list revokes it."""
    anchor = _found(db, asked, TRUST_ANCHOR, asked.anchor_id)
    if anchor is None:
        raise denied(NO_ANCHOR_MESSAGE)
    if not anchor.content["enabled"]:
        raise denied(ANCHOR_DISABLED_MESSAGE)
    library = certificates()
    bundle = anchor.content["source"]["sourceData"]["x509CertificateData"]
    try:
        path = library.trusted_path(asked.certificate, asked.chain, bundle, now_seconds)
    except ValueError as error:
        raise denied(UNTRUSTED_MESSAGE, str(error)) from error
    lists = [
        each.content["crlData"]
        for each in store.all_of_kind(db, asked.account_id, f"{SERVICE}/{CRL}", asked.signature.region)
        if each.content["enabled"] and each.content["trustAnchorArn"] == asked.anchor_arn
    ]
    if lists and library.is_revoked(path, lists):
        raise denied(REVOKED_MESSAGE)


def make_session(means: Means, asked: SessionWanted) -> Made:
    """A session of the role, for a trusted certificate. Raises AwsError, and RefusedError of the trust policy."""
    profile = _usable_profile(means.db, asked)
    unable = UNABLE_MESSAGE.format(role=asked.role_arn)
    trust = means.policies.trust(means.db, asked.role_arn)
    if trust is None:
        raise denied(unable, "there is no such role")
    # "finalDurationSeconds = min(profileDurationSeconds, createSessionDurationSeconds)"
    duration = min(asked.duration_seconds or profile["durationSeconds"], profile["durationSeconds"])
    if duration > trust.role.max_session_duration_seconds:
        raise denied(unable + TOO_LONG_MESSAGE)
    tags, unmapped = _tags(asked, profile)
    name = _source_identity(asked)
    wanted = Wanted(
        service=PRINCIPAL,
        role_arn=asked.role_arn,
        session_name=_session_name(asked),
        region=asked.signature.region,
        duration_seconds=duration,
        source_arn=asked.anchor_arn,
        tags=tags,
        tags_of_principal=True,
        source_identity=name,
        policies=(profile["sessionPolicy"],) if profile.get("sessionPolicy") else (),
        policy_arns=tuple(profile["managedPolicyArns"]),
    )
    try:
        credentials, caller, decisions = assume(means, wanted)
    except TokenTooLargeError as error:
        raise denied(unable, "the session token would be too large") from error
    except RefusedError as refused:
        refused.code, refused.message = DENIED_CODE, unable + unmapped
        raise
    return Made(credentials, caller, decisions, name)


def _usable_profile(db: Any, asked: SessionWanted) -> Content:
    """The profile, if it lets the request have a session of the role. Raises AwsError."""
    found = _found(db, asked, PROFILE, asked.profile_id)
    if found is None:
        raise denied(NO_PROFILE_MESSAGE)
    profile = found.content
    if not profile["enabled"]:
        raise denied(PROFILE_DISABLED_MESSAGE)
    if asked.role_arn not in profile["roleArns"]:
        raise denied(NOT_IN_PROFILE_MESSAGE)
    if asked.session_name is not None and not profile["acceptRoleSessionName"]:
        raise denied(NO_SESSION_NAME_MESSAGE)
    return profile


def record(db: Any, ids: Any, asked: SessionWanted, now_seconds: float, *, failed: bool) -> str:
    """Note that a trusted certificate asked for a session; gives the ARN of its subject. Runs in a transaction."""
    library = certificates()
    subject = library.subject_text(asked.certificate)
    place = Place(asked.account_id, asked.signature.region, f"{SERVICE}/{SUBJECT}")
    token = sha256(subject.encode()).hexdigest()
    seen = {
        "seenAt": now_seconds,
        "serialNumber": str(asked.certificate.serial_number),
        "issuer": library.issuer_text(asked.certificate),
        "enabled": True,
        "x509CertificateData": library.pem(asked.certificate),
        "failed": failed,
    }
    properties = {"seenAt": now_seconds, "properties": dict(asked.instance_properties), "failed": failed}
    added = [properties] if asked.instance_properties else []
    found = store.find_by_token(db, place, token)
    if found is not None:
        others = [
            each
            for each in found.content["credentials"]
            if (each["serialNumber"], each["issuer"]) != (seen["serialNumber"], seen["issuer"])
        ]
        content = {
            **found.content,
            "lastSeenAt": now_seconds,
            "updatedAt": now_seconds,
            "credentials": [*others, seen][-_MAXIMUM_RECORDS:],
            "instanceProperties": [*found.content["instanceProperties"], *added][-_MAXIMUM_RECORDS:],
        }
        store.set_content(db, found.key, content)
        return str(found.content["subjectArn"])
    subject_id = ids.uuid()
    arn = f"arn:aws:{SERVICE}:{asked.signature.region}:{asked.account_id}:{SUBJECT}/{subject_id}"
    content = {
        "subjectArn": arn,
        "subjectId": subject_id,
        "enabled": True,
        "x509Subject": subject,
        "lastSeenAt": now_seconds,
        "createdAt": now_seconds,
        "updatedAt": now_seconds,
        "credentials": [seen],
        "instanceProperties": added,
    }
    store.add(db, place, Resource(ids.uuid(), subject_id, int(now_seconds), content, create_token=token))
    return arn


def answer(made: Made, subject_arn: str, role_arn: str) -> dict[str, Any]:
    """The body of the answer, as the helper reads it."""
    credentials, principal = made.credentials, made.caller.principal
    session: dict[str, Any] = {
        "assumedRoleUser": {"arn": principal.arn, "assumedRoleId": principal.user_id},
        "credentials": {
            "accessKeyId": credentials.access_key_id,
            "secretAccessKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
            "expiration": iso8601(credentials.expires_at_seconds),
        },
        "packedPolicySize": math.ceil(100 * len(credentials.session_token) / MAXIMUM_TOKEN_BYTES),
        "roleArn": role_arn,
        "sourceIdentity": made.source_identity,
    }
    return {"credentialSet": [session], "subjectArn": subject_arn}


def _found(db: Any, asked: SessionWanted, kind: str, resource_id: str) -> Resource | None:
    return store.find(db, Place(asked.account_id, asked.signature.region, f"{SERVICE}/{kind}"), resource_id)


def _serial_digits(asked: SessionWanted) -> str:
    """The serial number in hexadecimal digits, "left-padded with zero to be even in length"."""
    digits = f"{asked.certificate.serial_number:x}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def _session_name(asked: SessionWanted) -> str:
    """The guide: "the hex-encoded serial number of the authenticating certificate", unless the caller chose a name."""
    if asked.session_name is None:
        return _serial_digits(asked)
    if not _SESSION_NAME.fullmatch(asked.session_name):
        raise invalid(SESSION_NAME_MESSAGE)
    return asked.session_name


def _source_identity(asked: SessionWanted) -> str:
    """The guide, "Source identity rules". A name that STS would not take must not be left out silently."""
    name: str = certificates().common_name(asked.certificate)
    if not name:
        return f"ID={_serial_digits(asked)}"
    identity = f"CN={name}" if len(name) <= _PREFIXED_NAME_CHARACTERS else name
    if len(identity) > _SOURCE_IDENTITY_CHARACTERS or not all(map(_is_source_identity_text, identity)):
        raise denied(UNABLE_MESSAGE.format(role=asked.role_arn), "the common name cannot be a source identity")
    return identity


def _tags(asked: SessionWanted, profile: Content) -> tuple[tuple[tuple[str, str], ...], str]:
    """The session tags, and the sentence on attributes that are none.

    The guide: "These values need to match the pattern defined in STS session tags. The service ignores values that do
    not match this pattern." A refusal names them.
    """
    tags: dict[str, str] = {}
    ignored: dict[str, list[str]] = {}
    by_field: Mapping[str, list[tuple[str, str]]] = certificates().mapped_tags(
        asked.certificate, profile["attributeMappings"]
    )
    for field, attributes in by_field.items():
        for name, value in attributes:
            key = f"{field}/{name}"
            if _fits(key, 128) and _fits(value, 256):
                tags[key] = value
            else:
                ignored.setdefault(field, []).append(name)
    if len(tags) > _MAXIMUM_TAGS or len({key.lower() for key in tags}) < len(tags):
        message = UNABLE_MESSAGE.format(role=asked.role_arn)
        raise denied(message, "the certificate gives tags that STS would refuse")
    if not ignored:
        return tuple(tags.items()), ""
    shown = {field: ", ".join(ignored.get(field, ())) for field in by_field}
    return tuple(tags.items()), UNMAPPED_MESSAGE.format(
        issuer=shown["x509Issuer"], subject=shown["x509Subject"], san=shown["x509SAN"]
    )


def _fits(text: str, limit: int) -> bool:
    return len(text) <= limit and all(_is_tag_text(character) for character in text)


__all__ = ["Made", "answer", "check_trust", "make_session", "record"]
