"""The values that are read from SAML documents or written into them, and the errors in them. Needs no XML library."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from rolecall.errors import AwsError
from rolecall.reprs import repr_without

NAMEID_FORMAT_PREFIX = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
VALID_FOR_SECONDS = 100 * 365 * 86_400
NOT_INSTALLED_MESSAGE = "SAML needs an extra of Rolecall that is not installed: pip install 'rolecall[saml]'"


class SamlNotInstalledError(AwsError):
    """The libraries for SAML are not installed."""

    def __init__(self) -> None:
        super().__init__("NotImplemented", NOT_INSTALLED_MESSAGE)


class SamlError(Exception):
    """A SAML document that cannot be used. The text gives the reason, for the log only."""


class BadMetadataError(SamlError):
    """Not the metadata of an identity provider."""


class BadResponseError(SamlError):
    """Not a SAML response, or not one with a single assertion in its place."""


class UnknownIssuerError(SamlError):
    """The assertion's issuer is not the identity provider of the metadata."""


class BadSignatureError(SamlError):
    """Not signed, not signed by a key of the metadata, or the signature does not cover what is read."""


class RejectedError(SamlError):
    """The identity provider itself says that it authenticated no user."""


class EncryptionError(SamlError):
    """An encrypted assertion that cannot be opened."""


class ProviderMetadata(Struct, frozen=True):
    """An identity provider: its name, and the certificates (DER) of its signing keys."""

    entity_id: str
    certificates: tuple[bytes, ...]
    valid_until_seconds: int | None = None


def valid_until_seconds(metadata: ProviderMetadata, created_at_seconds: int) -> int:
    """IAM's ValidUntil: the metadata's own date, or else a date a hundred years ahead, as AWS answers."""
    stated = metadata.valid_until_seconds
    return created_at_seconds + VALID_FOR_SECONDS if stated is None else stated


class Confirmation(Struct, frozen=True):
    """One bearer confirmation of a subject: the recipient of the assertion, and the times in which it is valid."""

    recipient: str
    not_before_seconds: float | None
    not_on_or_after_seconds: float | None


class Assertion(Struct, frozen=True):
    """What a verified assertion says. A signature covers every member.

    ``audiences`` holds one tuple for each restriction; all restrictions must be met. ``attributes`` holds every value
    by name.
    """

    issuer: str
    subject: str
    subject_format: str
    confirmations: tuple[Confirmation, ...]
    issued_at_seconds: float
    not_before_seconds: float | None
    not_on_or_after_seconds: float | None
    audiences: tuple[tuple[str, ...], ...]
    session_not_on_or_after_seconds: float | None
    attributes: Mapping[str, tuple[str, ...]]
    # The certificate (DER) of the key that signed the assertion, or the response around it.
    signing_certificate: bytes = b""
    was_encrypted: bool = False

    __repr__ = repr_without("attributes", "signing_certificate")


class NewResponse(Struct, frozen=True):
    """A response to be made. ``recipient`` must get its one assertion before ``expires_at_seconds``."""

    response_id: str
    assertion_id: str
    issuer: str
    subject: str
    subject_format: str
    recipient: str
    audience: str
    issued_at_seconds: float
    expires_at_seconds: float
    attributes: Mapping[str, tuple[str, ...]]
    session_not_on_or_after_seconds: float | None = None

    __repr__ = repr_without("attributes")
