"""A certificate authority for tests, and CreateSession signed as aws/rolesanywhere-credential-helper signs it.

The signature follows the guide, "The IAM Roles Anywhere authentication signing process", and not the product.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

_MLDSA = "cryptography.hazmat.primitives.asymmetric.mldsa"
# Older versions of the library do not have it.
mldsa: Any = import_module(_MLDSA) if find_spec(_MLDSA) else None
_MLDSA_KEYS = () if mldsa is None else (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)
ACCOUNT = "111122223333"
HOST = "rolesanywhere.us-east-1.amazonaws.com"
TODAY = datetime.now(UTC)


class Held(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def header(self) -> str:
        return base64.b64encode(self.certificate.public_bytes(Encoding.DER)).decode()

    @property
    def serial(self) -> int:
        return self.certificate.serial_number


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> Any:
    del number
    return rsa.generate_private_key(65537, bits)


@cache
def ec_key(number: int = 0, curve: Any = ec.SECP256R1) -> Any:
    del number
    return ec.generate_private_key(curve())


def name(**parts: Any) -> x509.Name:
    oids = {
        "CN": NameOID.COMMON_NAME,
        "O": NameOID.ORGANIZATION_NAME,
        "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
        "C": NameOID.COUNTRY_NAME,
    }
    return x509.Name([x509.NameAttribute(oids[key], value) for key, value in parts.items()])


def usage(**on: bool) -> x509.KeyUsage:
    names = "digital_signature content_commitment key_encipherment data_encipherment key_agreement".split()  # noqa: SIM905
    names += "key_cert_sign crl_sign encipher_only decipher_only".split()  # noqa: SIM905
    return x509.KeyUsage(**{each: on.get(each, False) for each in names})


def issue(
    subject: x509.Name,
    key: Any,
    issuer: Held | None = None,
    *,
    ca: bool | None = False,
    path_length: int | None = None,
    key_usage: x509.KeyUsage | None = None,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=365),
    names: list[Any] | None = None,
    extensions: tuple[tuple[Any, bool], ...] = (),
    serial: int | None = None,
    with_usage: bool = True,
) -> Held:
    """A certificate; without an issuer it signs itself."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(TODAY + begins)
        .not_valid_after(TODAY + ends)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, path_length), critical=True)
    wanted = key_usage or (usage(key_cert_sign=True, crl_sign=True) if ca else usage(digital_signature=True))
    if with_usage:
        builder = builder.add_extension(wanted, critical=True)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    signer = key if issuer is None else issuer.key
    return Held(builder.sign(signer, None if isinstance(signer, _MLDSA_KEYS) else hashes.SHA256()), key)


@cache
def root(common_name: str = "Root", number: int = 1) -> Held:
    return issue(name(CN=common_name, O="Example"), ec_key(number), ca=True)


@cache
def leaf(kind: str = "EC") -> Held:
    key = rsa_key() if kind == "RSA" else ec_key(50)
    names = [
        x509.DNSName("app.example.com"),
        x509.DNSName("b.example.com"),
        x509.UniformResourceIdentifier("spiffe://x/app"),
    ]
    return issue(name(CN="app", OU="Shop"), key, root(), names=names)


@cache
def below_root() -> Held:
    return issue(name(CN="app"), ec_key(50), root())


def revocation_list(issuer: Held, *serials: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(TODAY).next_update(TODAY + timedelta(days=1))
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(TODAY).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class Signing:
    """What a request is signed with; tests change one member."""

    held: Held
    chain: tuple[Held, ...] = ()
    moved: timedelta = timedelta(0)
    scope_serial: str = ""
    region: str = "us-east-1"
    service: str = "rolesanywhere"
    algorithm: str = ""
    key: Any = None
    sent_body: bytes | None = None
    sent_headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    pads: Any = None


class Answer(NamedTuple):
    status: int
    body: Any
    code: str


def _algorithm(key: Any) -> str:
    if isinstance(key, _MLDSA_KEYS):
        return "AWS4-X509-MLDSA"
    return f"AWS4-X509-{'RSA' if isinstance(key, rsa.RSAPrivateKey) else 'ECDSA'}-SHA256"


def _signature(key: Any, text: bytes, pads: Any) -> bytes:
    if isinstance(key, _MLDSA_KEYS):
        signed = key.sign(text)
    elif isinstance(key, rsa.RSAPrivateKey):
        signed = key.sign(text, pads or padding.PKCS1v15(), hashes.SHA256())
    else:
        signed = key.sign(text, ec.ECDSA(hashes.SHA256()))
    return bytes(signed)


def create_session(world: Any, signing: Signing, parameters: dict[str, Any]) -> Answer:
    body = json.dumps(parameters).encode()
    date = (datetime.now(UTC) + signing.moved).strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "content-type": "application/json",
        "host": HOST,
        "x-amz-date": date,
        "x-amz-x509": signing.held.header,
    }
    if signing.chain:
        headers["x-amz-x509-chain"] = ",".join(each.header for each in signing.chain)
    names = ";".join(sorted(headers))
    lines = "".join(f"{each}:{headers[each]}\n" for each in sorted(headers))
    canonical = f"POST\n/sessions\n{signing.query}\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{date[:8]}/{signing.region}/{signing.service}/aws4_request"
    key = signing.key or signing.held.key
    algorithm = signing.algorithm or _algorithm(key)
    text = f"{algorithm}\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}".encode()
    signature = _signature(key, text, signing.pads)
    credential = f"{signing.scope_serial or signing.held.serial}/{scope}"
    headers["authorization"] = (
        f"{algorithm} Credential={credential}, SignedHeaders={names}, Signature={signature.hex()}"
    )
    headers.update(signing.sent_headers)
    found = world.application.test_client().post(
        f"/sessions{'?' if signing.query else ''}{signing.query}",
        data=body if signing.sent_body is None else signing.sent_body,
        headers=headers,
    )
    return Answer(found.status_code, found.get_json(), found.headers.get("x-amzn-ErrorType", ""))
