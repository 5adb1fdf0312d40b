"""Paths from a certificate to a trust anchor, revocation, signatures of requests, and names as session tags.

Sources: IAM Roles Anywhere User Guide, "The IAM Roles Anywhere trust model" (constraints on certificates) and
"Certificate attribute mapping"; RFC 5280, section 6, for paths. Times are seconds since the epoch.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.extensions import ExtensionType
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

# Not stated by AWS: the fewest bits of RSA that current libraries accept, and the curves of its KMS and ACM.
MINIMUM_RSA_BITS = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
# Versions of cryptography before 47 have no ML-DSA.
_MLDSA = "cryptography.hazmat.primitives.asymmetric.mldsa"
_mldsa: Any = importlib.import_module(_MLDSA) if importlib.util.find_spec(_MLDSA) else None
_MLDSA_KEYS = () if _mldsa is None else (_mldsa.MLDSA44PublicKey, _mldsa.MLDSA65PublicKey, _mldsa.MLDSA87PublicKey)
# FIPS 204: ML-DSA-44, ML-DSA-65 and ML-DSA-87. These signatures have no separate digest.
_MLDSA_SIGNATURES = frozenset(f"2.16.840.1.101.3.4.3.{number}" for number in (17, 18, 19))
# The guide, "authentication process": the header "MUST NOT exceed the maximum depth of 5 certificates".
MAXIMUM_CHAIN = 5
_MAXIMUM_PATHS = 100
# Recorded of CreateTrustAnchor by many users.
_BASIC_CONSTRAINTS_MESSAGE = "Incorrect basic constraints for CA certificate"
# "The signing algorithm MUST include SHA256 or stronger."
_DIGESTS = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_UNDERSTOOD = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CRL_DISTRIBUTION_POINTS,
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.CERTIFICATE_POLICIES,
}
# Names that RFC 4514 does not have, as OpenSSL writes them.
_SHORT_NAMES: Mapping[x509.ObjectIdentifier, str] = {
    NameOID.SURNAME: "SN",
    NameOID.GIVEN_NAME: "GN",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.TITLE: "title",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    NameOID.INITIALS: "initials",
}
Certificate = x509.Certificate


class BadCertificateError(ValueError):
    """A certificate, a bundle or a path that breaks a rule. The text says which."""


def from_header(text: str) -> Certificate:
    """A certificate as the headers have it: DER in base 64. Raises BadCertificateError."""
    try:
        return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise BadCertificateError("it is not a certificate") from error


def from_pem(bundle: str) -> list[Certificate]:
    try:
        return x509.load_pem_x509_certificates(bundle.encode("utf-8"))
    except ValueError as error:
        raise BadCertificateError("it is not a certificate in PEM") from error


def check_anchor_bundle(bundle: str) -> int:
    """The number of certificates. Raises BadCertificateError, with a whole sentence, for one that is no trust anchor's.

    The guide: the key usage must include Certificate Sign, and the basic constraints must include CA: true.
    """
    try:
        found = from_pem(bundle)
        for certificate in found:
            _check_form(certificate)
            if _is_authority(certificate):
                _check_authority(certificate, must_have_usage=True)
    except BadCertificateError as error:
        raise BadCertificateError(f"The certificate bundle is not valid: {error}.") from error
    if not all(_is_authority(certificate) for certificate in found):
        raise BadCertificateError(_BASIC_CONSTRAINTS_MESSAGE)
    return len(found)


def check_crl(text: str, bundle: str) -> None:
    """Raises BadCertificateError for a list that is not PEM, or that an authority of the bundle did not sign itself.

    A list of an authority below the bundle's is checked with the certificates of a request.
    """
    revoked = _crl(text)
    for issuer in from_pem(bundle) if bundle else ():
        if issuer.subject == revoked.issuer and _has_signed(issuer, revoked):
            return
    if bundle and any(issuer.subject == revoked.issuer for issuer in from_pem(bundle)):
        raise BadCertificateError("the trust anchor did not sign it")


def check_end_entity(certificate: Certificate) -> None:
    """Raises BadCertificateError.

    The guide: X.509v3; "if the CA field is present in the basic constraints extension, its value MUST be false"; key
    usage Digital Signature; SHA-256 or stronger. "Certificates with empty subjects are NOT yet supported".
    """
    _check_form(certificate)
    if _is_authority(certificate):
        raise BadCertificateError("it is the certificate of an authority")
    if not list(certificate.subject):
        raise BadCertificateError("its subject is empty")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.digital_signature:
        raise BadCertificateError("its key usage has no digital signature")


def trusted_path(leaf: Certificate, chain: Sequence[Certificate], bundle: str, now_seconds: float) -> list[Certificate]:
    """From the leaf to a certificate of the bundle, which is the last. Raises BadCertificateError without one."""
    if len(chain) > MAXIMUM_CHAIN:
        raise BadCertificateError(f"the chain has more than {MAXIMUM_CHAIN} certificates")
    problem = BadCertificateError("no certificate of the trust anchor has issued it")
    for path in _paths(leaf, chain, from_pem(bundle)):
        try:
            _check_path(path, now_seconds)
        except BadCertificateError as error:
            problem = error
        else:
            return path
    raise problem


def is_revoked(path: Sequence[Certificate], lists: Iterable[str]) -> bool:
    """Whether a list that the issuer signed has a certificate of the path. The anchor itself cannot be revoked."""
    loaded = [_crl(text) for text in lists]
    for certificate, issuer in pairwise(path):
        for revoked in loaded:
            if revoked.issuer != certificate.issuer or not _has_signed(issuer, revoked):
                continue
            entry = revoked.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                return True
    return False


def has_signed(certificate: Certificate, key_type: str, signature: bytes, text: bytes) -> bool:
    """Whether the key of the certificate signed a text. ``key_type`` is RSA, ECDSA or ML-DSA."""
    key = certificate.public_key()
    try:
        if key_type == "RSA" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        elif key_type == "ECDSA" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
        elif key_type == "ML-DSA" and isinstance(key, _MLDSA_KEYS):
            key.verify(signature, text)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def pem(certificate: Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def subject_text(certificate: Certificate) -> str:
    return certificate.subject.rfc4514_string()


def issuer_text(certificate: Certificate) -> str:
    return certificate.issuer.rfc4514_string()


def common_name(certificate: Certificate) -> str:
    """The first CN of the subject; empty without one."""
    return next((_text(each) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def mapped_tags(certificate: Certificate, mappings: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """By field of the certificate, the attributes that the rules of a profile ask for: their names and values.

    A tag of the session has the field and the name as its key, such as ``x509Subject/CN``.
    """
    fields = {
        "x509Subject": _of_name(certificate.subject),
        "x509Issuer": _of_name(certificate.issuer),
        "x509SAN": _of_alternative_names(certificate),
    }
    tags: dict[str, list[tuple[str, str]]] = {field: [] for field in fields}
    for mapping in mappings:
        field = mapping["certificateField"]
        wanted = {rule["specifier"] for rule in mapping["mappingRules"]}
        for name, value in fields[field].items():
            # "*" stands for the names that are recognised. An object identifier must be asked for.
            every = "Name/*" if name.startswith("Name/") else "*"
            is_recognised = not name.removeprefix("Name/")[0].isdigit()
            if name in wanted or (every in wanted and is_recognised):
                tags[field].append((name, value))
    return tags


def _of_name(name: x509.Name, prefix: str = "") -> dict[str, str]:
    """The value of each attribute.

    The guide: of a field with multiple values, they become "a single string, separating them with forward slashes (/)
    in the order they appear in the certificate".
    """
    found: dict[str, list[str]] = {}
    for attribute in name:
        known = _SHORT_NAMES.get(attribute.oid) or attribute.rfc4514_attribute_name
        found.setdefault(prefix + known, []).append(_text(attribute))
    return {specifier: "/".join(values) for specifier, values in found.items()}


def _of_alternative_names(certificate: Certificate) -> dict[str, str]:
    """The guide: "the first value of the following types: DNS Names, Directory Name (DN), and URI Names"."""
    names = _extension(certificate, x509.SubjectAlternativeName)
    found: dict[str, str] = {}
    if names is None:
        return found
    for specifier, kind in (("DNS", x509.DNSName), ("URI", x509.UniformResourceIdentifier)):
        values: list[Any] = names.get_values_for_type(kind)
        if values:
            found[specifier] = values[0]
    directories: list[Any] = names.get_values_for_type(x509.DirectoryName)
    return {**found, **(_of_name(directories[0], "Name/") if directories else {})}


def _text(attribute: Any) -> str:
    value = attribute.value
    return value if isinstance(value, str) else value.hex()


def _paths(leaf: Certificate, chain: Sequence[Certificate], anchors: Sequence[Certificate]) -> Iterator[list[Any]]:
    """Paths by names and signatures. Their number is bounded: certificates of a request may be hostile."""
    waiting, seen = [[leaf]], 0
    while waiting and seen < _MAXIMUM_PATHS:
        path = waiting.pop()
        for anchor in anchors:
            if _issued(path[-1], anchor):
                yield [*path, anchor]
        for issuer in chain:
            seen += 1
            if issuer not in path and issuer not in anchors and _issued(path[-1], issuer):
                waiting.append([*path, issuer])


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        _check_key(issuer)
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_path(path: Sequence[Certificate], now_seconds: float) -> None:
    now = datetime.fromtimestamp(now_seconds, UTC)
    below = 0
    for at, certificate in enumerate(path):
        if certificate.not_valid_after_utc < now:
            raise BadCertificateError("a certificate has expired")
        if certificate.not_valid_before_utc > now:
            raise BadCertificateError("a certificate is not valid yet")
        _check_form(certificate)
        if at == 0:
            continue
        limit = _check_authority(certificate)
        if limit is not None and below > limit:
            raise BadCertificateError("the path is longer than an authority allows")
        if certificate.subject != certificate.issuer:
            below += 1


def _is_authority(certificate: Certificate) -> bool:
    constraints = _extension(certificate, x509.BasicConstraints)
    return constraints is not None and bool(constraints.ca)


def _check_authority(certificate: Certificate, *, must_have_usage: bool = False) -> int | None:
    """The longest path below an authority. Raises BadCertificateError unless it is one that may issue certificates."""
    if not _is_authority(certificate):
        raise BadCertificateError("an issuer is not an authority")
    usage = _extension(certificate, x509.KeyUsage)
    if must_have_usage if usage is None else not usage.key_cert_sign:
        raise BadCertificateError("an issuer may not sign certificates")
    limit: int | None = _extension(certificate, x509.BasicConstraints).path_length
    return limit


def _check_form(certificate: Certificate) -> None:
    if certificate.version != x509.Version.v3:
        raise BadCertificateError("a certificate is not X.509v3")
    try:
        digest = certificate.signature_hash_algorithm
        critical = [each.oid for each in certificate.extensions if each.critical]
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise BadCertificateError("a certificate cannot be read") from error
    algorithm = certificate.signature_algorithm_oid
    is_edwards = algorithm in (SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448)
    if is_edwards or not (isinstance(digest, _DIGESTS) or algorithm.dotted_string in _MLDSA_SIGNATURES):
        raise BadCertificateError("a certificate is not signed with SHA-256 or stronger")
    if not set(critical) <= _UNDERSTOOD:
        raise BadCertificateError("a certificate has a critical extension that is not supported")
    _check_key(certificate)


def _check_key(certificate: Certificate) -> None:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCertificateError("a key is not supported") from error
    is_rsa = isinstance(key, rsa.RSAPublicKey) and key.key_size >= MINIMUM_RSA_BITS
    is_ec = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)
    if not (is_rsa or is_ec or isinstance(key, _MLDSA_KEYS)):
        raise BadCertificateError("a key is not RSA of 2048 bits or more, of a NIST curve, or ML-DSA")


def _extension(certificate: Certificate, kind: type[ExtensionType]) -> Any:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension) as error:
        raise BadCertificateError("a certificate cannot be read") from error


def _crl(text: str) -> x509.CertificateRevocationList:
    try:
        return x509.load_pem_x509_crl(text.encode("ascii"))
    except ValueError as error:
        raise BadCertificateError("it is not a revocation list in PEM") from error


def _has_signed(issuer: Certificate, revoked: x509.CertificateRevocationList) -> bool:
    key: Any = issuer.public_key()
    try:
        return bool(revoked.is_signature_valid(key))
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return False
