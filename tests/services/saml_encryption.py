"""Shared by the tests of encrypted assertions: encrypts as identity providers do."""

from __future__ import annotations

import os
from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree
from saml_calls import closed, found, opened, private_key_pem, tag

XENC, XENC11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"


def public_key() -> rsa.RSAPublicKey:
    key = load_pem_private_key(private_key_pem().encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key()


def ciphertext(algorithm: str, key: bytes, text: bytes) -> bytes:
    if algorithm.endswith("gcm"):
        nonce = os.urandom(12)
        return nonce + AESGCM(key).encrypt(nonce, text, None)
    start = os.urandom(16)
    added = 16 - len(text) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return start + encryptor.update(text + bytes(added - 1) + bytes([added])) + encryptor.finalize()


def encrypted(
    assertion: str,
    algorithm: str = f"{XENC11}aes256-gcm",
    key_algorithm: str = f"{XENC}rsa-oaep-mgf1p",
    to: Any = None,
    inside: bytes | None = None,
) -> str:
    """The response with its assertion encrypted to the provider's key."""
    root = opened(assertion)
    plain = found(root, "saml:Assertion")
    key = os.urandom(16 if "128" in algorithm else 32)
    outer = etree.Element(tag("saml", "EncryptedAssertion"))
    data = etree.SubElement(outer, f"{{{XENC}}}EncryptedData", Type=f"{XENC}Element")
    etree.SubElement(data, f"{{{XENC}}}EncryptionMethod", Algorithm=algorithm)
    wrapped = etree.SubElement(etree.SubElement(data, tag("ds", "KeyInfo")), f"{{{XENC}}}EncryptedKey")
    etree.SubElement(wrapped, f"{{{XENC}}}EncryptionMethod", Algorithm=key_algorithm)
    # What rsa-oaep-mgf1p means without a DigestMethod.
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303
    for owner, content in (
        (wrapped, (to or public_key()).encrypt(key, oaep)),
        (data, ciphertext(algorithm, key, inside or etree.tostring(plain))),
    ):
        holder = etree.SubElement(owner, f"{{{XENC}}}CipherData")
        etree.SubElement(holder, f"{{{XENC}}}CipherValue").text = b64encode(content).decode("ascii")
    root.replace(plain, outer)
    return closed(root)
