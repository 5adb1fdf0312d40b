"""The entrance to the parts of SAML that need lxml and signxml. Both are an extra, and loading them takes time."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING

from rolecall.caches import BoundedCache
from rolecall.sessions.saml.records import Assertion, NewResponse, ProviderMetadata, SamlNotInstalledError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

_LIBRARIES = frozenset({"lxml", "signxml"})
_METADATA_LIMIT, _METADATA_CHARACTERS = 256, 100_000
_known_metadata: BoundedCache[str, ProviderMetadata] = BoundedCache(_METADATA_LIMIT, _METADATA_CHARACTERS)


@cache
def _library() -> ModuleType:
    try:
        return importlib.import_module("rolecall.sessions.saml.library")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _LIBRARIES:
            raise
        raise SamlNotInstalledError from error


def read_metadata(text: str) -> ProviderMetadata:
    """An identity provider from its metadata document, cached. Raises BadMetadataError, SamlNotInstalledError."""
    known = _known_metadata.get(text)
    if known is None:
        known = _library().read_metadata(text)
        _known_metadata.put(text, known)
    return known


def verified_assertion(
    encoded: str, metadata: ProviderMetadata, private_keys: Sequence[str] = (), *, encrypted_only: bool = False
) -> Assertion:
    """The assertion of a base64 response, signed by a key of ``metadata``.

    ``private_keys`` (PEM) open encrypted assertions. ``encrypted_only`` refuses an assertion that is not encrypted.
    Does not check times or audience. Raises the SamlError that names the fault, or SamlNotInstalledError.
    """
    assertion: Assertion = _library().verified_assertion(encoded, metadata, private_keys, encrypted_only)
    return assertion


def check_private_key(pem: str) -> None:
    """Raises EncryptionError for a text that is no private key for assertions, SamlNotInstalledError."""
    _library().load_private_key(pem)


def own_metadata(entity_id: str, location: str, certificates: Sequence[bytes]) -> str:
    """The metadata document of an identity provider that Rolecall plays. Raises SamlNotInstalledError."""
    text: str = _library().own_metadata(entity_id, location, certificates)
    return text


def signed_response(response: NewResponse, private_key: rsa.RSAPrivateKey, certificate: bytes) -> str:
    """A response with a signed assertion, in base64. Raises SamlNotInstalledError."""
    encoded: str = _library().signed_response(response, private_key, certificate)
    return encoded
