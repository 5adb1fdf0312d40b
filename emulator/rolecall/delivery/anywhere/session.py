"""CreateSession: the trust anchor, the profile and the role decide about a request that its certificate signed.

Sources: IAM Roles Anywhere User Guide, "CreateSession API" and "trust model". Messages without a source were not
recorded; the reason in the log says more than AWS tells a client.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from rolecall.access.check import RefusedError
from rolecall.clock import iso8601
from rolecall.delivery.anywhere.contents import CRL, PRINCIPAL, PROFILE, SERVICE, SUBJECT, TRUST_ANCHOR
from rolecall.delivery.anywhere.library import certificates
from rolecall.delivery.anywhere.requests import UNTRUSTED_MESSAGE, SessionWanted, denied
from rolecall.delivery.issuing import Means, Wanted, assume
from rolecall.errors import AwsError
from rolecall.policy import Decision
from rolecall.principals import Caller
from rolecall.sessions.credentials import MAXIMUM_TOKEN_BYTES, TemporaryCredentials, TokenTooLargeError
from rolecall.storage import resources as store
from rolecall.storage.resources import Content, Place, Resource

# Recorded: aws/rolesanywhere-credential-helper, issue 77.
UNMAPPED_MESSAGE = (
    "Unable to assume role for {role}. Some attributes failed to be mapped into session tags. "
    "Issuer: [ {issuer} ]; Subject: [ {subject} ]; SAN: [ {san} ]"
)
UNABLE_MESSAGE = "Unable to assume role for {role}"
REVOKED_MESSAGE = "Certificate revoked"
# STS: at most 50 session tags, and the characters of keys and values.
_MAXIMUM_TAGS = 50
_is_tag_text = re.compile(r"[^\W_]|[\s_.:/=+\-@]").match
_SOURCE_IDENTITY = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_MAXIMUM_CREDENTIALS = 10


@dataclass(frozen=True, slots=True)
class Made:
    """A session: its credentials, the caller that they make, the decisions, and the request's certificate."""

    credentials: TemporaryCredentials
    caller: Caller
    decisions: Sequence[Decision]
    source_identity: str


def check_trust(db: Any, asked: SessionWanted, now_seconds: float) -> None:
    """Raises AwsError unless an enabled trust anchor trusts the certificate, and no list revokes it."""
    anchor = _found(db, asked, TRUST_ANCHOR, asked.anchor_id)
    if not anchor.content["enabled"]:
        raise denied("Trust anchor is disabled")
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
    profile = _found(means.db, asked, PROFILE, asked.profile_id).content
    if not profile["enabled"]:
        raise denied("Profile is disabled")
    if asked.role_arn not in profile["roleArns"]:
        raise denied(UNABLE_MESSAGE.format(role=asked.role_arn), "the profile does not have the role")
    if asked.session_name is not None and not profile["acceptRoleSessionName"]:
        raise denied("The profile does not accept a custom role session name.")
    trust = means.policies.trust(means.db, asked.role_arn)
    if trust is None:
        raise denied(UNABLE_MESSAGE.format(role=asked.role_arn), "there is no such role")
    # The guide takes both into account. How is not recorded: here, the profile's is the limit.
    duration = min(asked.duration_seconds or profile["durationSeconds"], profile["durationSeconds"])
    if duration > trust.role.max_session_duration_seconds:
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise AwsError("ValidationException", message)
    name = _source_identity(asked)
    wanted = Wanted(
        service=PRINCIPAL,
        role_arn=asked.role_arn,
        session_name=_session_name(asked),
        region=asked.signature.region,
        duration_seconds=duration,
        source_arn=asked.anchor_arn,
        tags=_tags(asked, profile),
        tags_of_principal=True,
        source_identity=name,
        policies=(profile["sessionPolicy"],) if profile.get("sessionPolicy") else (),
        policy_arns=tuple(profile["managedPolicyArns"]),
    )
    try:
        credentials, caller, decisions = assume(means, wanted)
    except TokenTooLargeError as error:
        raise denied(UNABLE_MESSAGE.format(role=asked.role_arn), "the session token would be too large") from error
    except RefusedError as refused:
        refused.code, refused.message = "AccessDeniedException", UNABLE_MESSAGE.format(role=asked.role_arn)
        raise
    return Made(credentials, caller, decisions, name)


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
    found = store.find_by_token(db, place, token)
    if found is not None:
        others = [
            each
            for each in found.content["credentials"]
            if (each["serialNumber"], each["issuer"]) != (seen["serialNumber"], seen["issuer"])
        ]
        content = {**found.content, "lastSeenAt": now_seconds, "updatedAt": now_seconds}
        store.set_content(db, found.key, {**content, "credentials": [*others, seen][-_MAXIMUM_CREDENTIALS:]})
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
        "instanceProperties": [],
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
    }
    if made.source_identity:
        session["sourceIdentity"] = made.source_identity
    return {"credentialSet": [session], "subjectArn": subject_arn}


def _found(db: Any, asked: SessionWanted, kind: str, resource_id: str) -> Resource:
    found = store.find(db, Place(asked.account_id, asked.signature.region, f"{SERVICE}/{kind}"), resource_id)
    if found is None:
        raise AwsError("ResourceNotFoundException", f"The {kind} {resource_id} was not found.")
    return found


def _session_name(asked: SessionWanted) -> str:
    """The guide: "the hex-encoded serial number of the authenticating certificate", unless the caller chose a name."""
    if asked.session_name is not None:
        if not _SOURCE_IDENTITY.fullmatch(asked.session_name):
            raise AwsError("ValidationException", "roleSessionName must match [\\w+=,.@-]{2,64}.")
        return asked.session_name
    digits = f"{asked.certificate.serial_number:x}"
    return digits if len(digits) % 2 == 0 else f"0{digits}"


def _source_identity(asked: SessionWanted) -> str:
    """The guide: the common name of the subject. A name that STS would not take must not be left out silently."""
    name: str = certificates().common_name(asked.certificate)
    if name and not _SOURCE_IDENTITY.fullmatch(name):
        raise denied(UNABLE_MESSAGE.format(role=asked.role_arn), "the common name cannot be a source identity")
    return name


def _tags(asked: SessionWanted, profile: Content) -> tuple[tuple[str, str], ...]:
    by_field: Mapping[str, list[tuple[str, str]]] = certificates().mapped_tags(
        asked.certificate, profile["attributeMappings"]
    )
    bad = {
        field: [key.partition("/")[2] for key, value in tags if not (_fits(key, 128) and _fits(value, 256))]
        for field, tags in by_field.items()
    }
    if any(bad.values()):
        shown = {field: ", ".join(keys) for field, keys in bad.items()}
        raise denied(
            UNMAPPED_MESSAGE.format(
                role=asked.role_arn,
                issuer=shown["x509Issuer"],
                subject=shown["x509Subject"],
                san=shown["x509SAN"],
            )
        )
    tags = {key: value for found in by_field.values() for key, value in found}
    if len(tags) > _MAXIMUM_TAGS or len({key.lower() for key in tags}) < len(tags):
        raise denied(UNABLE_MESSAGE.format(role=asked.role_arn), "the certificate gives tags that STS would refuse")
    return tuple(tags.items())


def _fits(text: str, limit: int) -> bool:
    return len(text) <= limit and all(_is_tag_text(character) for character in text)


__all__ = ["Made", "answer", "check_trust", "make_session", "record"]
