"""Rolecall as a SAML identity provider: its metadata, and assertions that it signs.

Every name is an identity provider. Its key and certificate are made when they are first needed, and stored. So metadata
that was given to IAM stays valid.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from rolecall.clock import Clock
from rolecall.identity_providers.asking import IDP_NAME, AssertionRequestError
from rolecall.ids import Identifiers
from rolecall.sessions.saml.on_demand import own_metadata, signed_response
from rolecall.sessions.saml.records import NAMEID_FORMAT_PREFIX, NewResponse
from rolecall.sessions.signing_keys import load_signing_key, new_signing_key, private_pem
from rolecall.storage.engine import Database
from rolecall.storage.signing_keys import StoredSigningKey, kept_first, newest_signing_key

ALGORITHM = "RS256"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
AUDIENCE = "urn:amazon:webservices"
RECIPIENT = "https://signin.aws.amazon.com/saml"
DEFAULT_SUBJECT = "rolecall-user"
DEFAULT_LIFETIME_SECONDS = 300
MAXIMUM_LIFETIME_SECONDS = 366 * 86_400
_CERTIFICATE_DAYS = 36_500
# Characters that XML 1.0 cannot hold.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def entity_id(name: str) -> str:
    """The same on every host and port, so that metadata stays valid."""
    return f"urn:rolecall:saml:{name}"


def check_name(name: str) -> None:
    """Raises AssertionRequestError."""
    if not IDP_NAME.fullmatch(name):
        raise AssertionRequestError("the name of an identity provider must have up to 64 letters, digits, - _ and .")


def metadata_document(database: Database, clock: Clock, name: str) -> str:
    """The metadata of an identity provider. Raises AssertionRequestError, SamlNotInstalledError."""
    check_name(name)
    return _metadata(_signing_key(database, name, int(clock.now_seconds())), name)


def metadata_within(connection: Any, name: str, now_seconds: int) -> str:
    """The same inside the caller's transaction, for setting a sandbox up."""
    stored = newest_signing_key(connection, purpose_of(name), ALGORITHM)
    return _metadata(stored or kept_first(new_key(name, now_seconds), connection), name)


def _metadata(stored: StoredSigningKey, name: str) -> str:
    # No browser is sent there: assertions come from a control endpoint. But metadata must contain an address.
    return own_metadata(entity_id(name), f"https://{name}.rolecall.invalid/sso", [_certificate(stored)])


def mint(
    database: Database,
    clock: Clock,
    ids: Identifiers,
    *,
    idp: str,
    role: str,
    provider: str,
    session_name: str,
    subject: str = DEFAULT_SUBJECT,
    subject_format: str = "persistent",
    attributes: Mapping[str, str | Sequence[str]] | None = None,
    tags: Mapping[str, str] | None = None,
    transitive_tag_keys: Sequence[str] = (),
    session_duration: int | None = None,
    source_identity: str | None = None,
    audience: str = AUDIENCE,
    recipient: str = RECIPIENT,
    lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS,
) -> str:
    """A response of the identity provider in base64, issued now by the sandbox's clock, for AssumeRoleWithSAML.

    ``attributes`` have full names, and may replace those that the other arguments make. Attributes that AWS would
    refuse are allowed, because a test may need them. Raises AssertionRequestError, SamlNotInstalledError.
    """
    check_name(idp)
    if not 1 <= lifetime_seconds <= MAXIMUM_LIFETIME_SECONDS:
        raise AssertionRequestError(f"lifetime_seconds must be a whole number from 1 to {MAXIMUM_LIFETIME_SECONDS}")
    named: dict[str, str | Sequence[str]] = {
        f"{ATTRIBUTES}Role": f"{role},{provider}",
        f"{ATTRIBUTES}RoleSessionName": session_name,
        **{f"{ATTRIBUTES}PrincipalTag:{key}": value for key, value in (tags or {}).items()},
    }
    if transitive_tag_keys:
        named[f"{ATTRIBUTES}TransitiveTagKeys"] = transitive_tag_keys
    if session_duration is not None:
        named[f"{ATTRIBUTES}SessionDuration"] = str(session_duration)
    if source_identity is not None:
        named[f"{ATTRIBUTES}SourceIdentity"] = source_identity
    named.update(attributes or {})
    now_seconds = int(clock.now_seconds())
    response = NewResponse(
        response_id=f"_{ids.uuid()}",
        assertion_id=f"_{ids.uuid()}",
        issuer=entity_id(idp),
        subject=subject,
        subject_format=subject_format if ":" in subject_format else NAMEID_FORMAT_PREFIX + subject_format,
        recipient=recipient,
        audience=audience,
        issued_at_seconds=now_seconds,
        expires_at_seconds=now_seconds + lifetime_seconds,
        attributes={name: (value,) if isinstance(value, str) else tuple(value) for name, value in named.items()},
    )
    _check_text(response)
    stored = _signing_key(database, idp, now_seconds)
    private_key = load_signing_key(ALGORITHM, stored.private_key).private_key
    assert isinstance(private_key, rsa.RSAPrivateKey)  # noqa: S101 - tells the type checker what the algorithm means
    return signed_response(response, private_key, _certificate(stored))


def new_key(name: str, now_seconds: int) -> StoredSigningKey:
    """A new key of the identity provider with its certificate. It takes tens of milliseconds."""
    made = new_signing_key(ALGORITHM)
    assert isinstance(made.private_key, rsa.RSAPrivateKey)  # noqa: S101 - as above
    certificate = _self_signed(made.private_key, name, now_seconds)
    return StoredSigningKey(made.key_id, purpose_of(name), ALGORITHM, private_pem(made), certificate, now_seconds)


def _signing_key(database: Database, name: str, now_seconds: int) -> StoredSigningKey:
    """The identity provider's key, made when there is none yet."""
    with database.snapshot() as connection:
        stored = newest_signing_key(connection, purpose_of(name), ALGORITHM)
    # Made before the transaction: no other writer waits for it.
    return stored or database.write(partial(kept_first, new_key(name, now_seconds)))


def purpose_of(name: str) -> str:
    """The purpose of its keys among all signing keys."""
    return f"saml {name}"


def _certificate(stored: StoredSigningKey) -> bytes:
    return x509.load_pem_x509_certificate((stored.certificate or "").encode("ascii")).public_bytes(Encoding.DER)


def _self_signed(private_key: rsa.RSAPrivateKey, name: str, now_seconds: int) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.fromtimestamp(now_seconds, UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(private_key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(begin).not_valid_after(begin + timedelta(days=_CERTIFICATE_DAYS))
    return builder.sign(private_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode("ascii")


def _check_text(response: NewResponse) -> None:
    texts = [response.subject, response.subject_format, response.audience, response.recipient]
    for name, values in response.attributes.items():
        texts += [name, *values]
    if any(_NOT_XML.search(text) for text in texts):
        raise AssertionRequestError("the assertion has a character that XML cannot hold")
