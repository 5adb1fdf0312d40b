"""What is read from SAML documents and written to them, as values, and what can be wrong with them. Needs no XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rolecall.errors import AwsError

NAMEID_FORMAT_PREFIX = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
VALID_FOR_SECONDS = 100 * 365 * 86_400
NOT_INSTALLED_MESSAGE = "SAML needs an extra of Rolecall that is not installed: pip install 'rolecall[saml]'"


class SamlNotInstalledError(AwsError):
    """The libraries behind SAML are not there."""

    def __init__(self) -> None:
        super().__init__("NotImplemented", NOT_INSTALLED_MESSAGE)


class SamlError(Exception):
    """A SAML document that cannot be used. Says why, for the log only."""


class BadMetadataError(SamlError):
    """No metadata of an identity provider."""


class BadResponseError(SamlError):
    """Not a SAML response, or not one with a single assertion in its place."""


class UnknownIssuerError(SamlError):
    """The assertion is another identity provider's than the metadata."""


class BadSignatureError(SamlError):
    """Not signed, not by a key of the metadata, or not over what is read."""


class RejectedError(SamlError):
    """The identity provider itself says that it did not authenticate anybody."""


class EncryptionError(SamlError):
    """An encrypted assertion that cannot be opened."""


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """An identity provider: its name, and the certificates (DER) whose keys it signs with."""

    entity_id: str
    certificates: tuple[bytes, ...]
    valid_until_seconds: int | None = None


def valid_until_seconds(metadata: ProviderMetadata, created_at_seconds: int) -> int:
    """What IAM shows as ValidUntil: the metadata's own date, else one a hundred years ahead, as AWS does."""
    stated = metadata.valid_until_seconds
    return created_at_seconds + VALID_FOR_SECONDS if stated is None else stated


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One bearer confirmation of a subject: to whom the assertion may be presented, and when."""

    recipient: str
    not_before_seconds: float | None
    not_on_or_after_seconds: float | None


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a verified assertion says; every member is from below a signature.

    ``audiences`` holds one tuple a restriction: each of them must be met. ``attributes`` holds every value by name.
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
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewResponse:
    """A response to be made: one assertion, to be presented to ``recipient`` before ``expires_at_seconds``."""

    response_id: str
    assertion_id: str
    issuer: str
    subject: str
    subject_format: str
    recipient: str
    audience: str
    issued_at_seconds: float
    expires_at_seconds: float
    attributes: Mapping[str, tuple[str, ...]] = field(repr=False)
    session_not_on_or_after_seconds: float | None = None
