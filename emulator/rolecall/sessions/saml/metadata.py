"""Metadata of identity providers (SAML 2.0 Metadata): read for outside providers, written for Rolecall's own."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from rolecall.sessions.saml.records import NAMEID_FORMAT_PREFIX, BadMetadataError, ProviderMetadata
from rolecall.sessions.saml.xml import METADATA_NS, NAMESPACES, SIGNATURE_NS, UnsafeXmlError, parsed, seconds_of, tag

# IAM User Guide, Create a SAML identity provider in IAM: "must use a key size of at least 1024 bits".
MINIMUM_RSA_BITS = 1024
# IAM and AWS STS quotas, keys per SAML provider. Each signature may have to be tried with every key.
MAXIMUM_CERTIFICATES = 10
MAXIMUM_ENTITY_ID_CHARACTERS = 1024
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"


def read_metadata(text: str) -> ProviderMetadata:
    """The identity provider that a document describes.

    A certificate counts as a trusted key at any date: IAM "neither evaluates nor takes action on the expiration of
    X.509 certificates" (IAM User Guide, same page). Raises BadMetadataError.
    """
    try:
        root = parsed(text.encode("utf-8", "surrogatepass"), encoding="utf-8")
        if root.tag != tag("md", "EntityDescriptor"):
            raise BadMetadataError("the root is not an EntityDescriptor")
        entity_id = root.get("entityID", "")
        if not 0 < len(entity_id) <= MAXIMUM_ENTITY_ID_CHARACTERS:
            raise BadMetadataError("the entityID is missing or too long")
        roles = [role for role in root.findall("md:IDPSSODescriptor", NAMESPACES) if _speaks_saml2(role)]
        if not roles:
            raise BadMetadataError("no IDPSSODescriptor for SAML 2.0")
        certificates = tuple(dict.fromkeys(der for role in roles for der in _signing_certificates(role)))
        valid_until_seconds = seconds_of(root.get("validUntil"))
    except UnsafeXmlError as error:
        raise BadMetadataError(str(error)) from error
    if not 0 < len(certificates) <= MAXIMUM_CERTIFICATES:
        raise BadMetadataError(f"{len(certificates)} signing certificates, must be 1 to {MAXIMUM_CERTIFICATES}")
    valid_until = None if valid_until_seconds is None else int(valid_until_seconds)
    return ProviderMetadata(entity_id, certificates, valid_until)


def _speaks_saml2(role: etree._Element) -> bool:
    return PROTOCOL in role.get("protocolSupportEnumeration", "").split()


def _signing_certificates(role: etree._Element) -> list[bytes]:
    found = []
    for descriptor in role.findall("md:KeyDescriptor", NAMESPACES):
        # A key without a use is for signing and encryption.
        if descriptor.get("use", "signing") == "signing":
            elements = descriptor.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", NAMESPACES)
            found += [_certificate(element.text or "") for element in elements]
    return found


def _certificate(text: str) -> bytes:
    try:
        certificate = x509.load_der_x509_certificate(b64decode("".join(text.split()), validate=True))
        key = certificate.public_key()
    # cryptography raises ValueError, UnsupportedAlgorithm or TypeError here, which share no narrower base class.
    except Exception as error:
        raise BadMetadataError(f"a certificate cannot be read: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MINIMUM_RSA_BITS:
            raise BadMetadataError(f"an RSA key of {key.key_size} bits")
    elif not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadMetadataError("a key that is neither RSA nor of an elliptic curve")
    return certificate.public_bytes(Encoding.DER)


def own_metadata(entity_id: str, location: str, certificates: Sequence[bytes]) -> str:
    """The document of an identity provider with these certificates and its single sign-on at ``location``."""
    root = etree.Element(tag("md", "EntityDescriptor"), nsmap={"md": METADATA_NS, "ds": SIGNATURE_NS})
    root.set("entityID", entity_id)
    role = etree.SubElement(root, tag("md", "IDPSSODescriptor"))
    role.set("WantAuthnRequestsSigned", "false")
    role.set("protocolSupportEnumeration", PROTOCOL)
    for certificate in certificates:
        descriptor = etree.SubElement(role, tag("md", "KeyDescriptor"), use="signing")
        data = etree.SubElement(etree.SubElement(descriptor, tag("ds", "KeyInfo")), tag("ds", "X509Data"))
        etree.SubElement(data, tag("ds", "X509Certificate")).text = b64encode(certificate).decode("ascii")
    for name in ("persistent", "transient"):
        etree.SubElement(role, tag("md", "NameIDFormat")).text = NAMEID_FORMAT_PREFIX + name
    binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    etree.SubElement(role, tag("md", "SingleSignOnService"), Binding=binding, Location=location)
    etree.indent(root)
    text: bytes = etree.tostring(root, encoding="utf-8")
    return text.decode("utf-8") + "\n"
