"""Encrypted assertions: the key by RSA-OAEP, the assertion by AES (XML Encryption 1.1). Needs the provider's key.

The library cryptography decrypts; this module finds the parts in the XML. It refuses RSA 1.5 padding, because an
attacker can decrypt it by sending many guesses.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from rolecall.caches import BoundedCache
from rolecall.sessions.saml.records import EncryptionError
from rolecall.sessions.saml.xml import ENCRYPTION_NS, NAMESPACES

_XENC11 = "http://www.w3.org/2009/xmlenc11#"
# Algorithm -> bytes of its key, and whether it authenticates its content.
CONTENT_ALGORITHMS = {
    f"{ENCRYPTION_NS}aes128-cbc": (16, False),
    f"{ENCRYPTION_NS}aes192-cbc": (24, False),
    f"{ENCRYPTION_NS}aes256-cbc": (32, False),
    f"{_XENC11}aes128-gcm": (16, True),
    f"{_XENC11}aes192-gcm": (24, True),
    f"{_XENC11}aes256-gcm": (32, True),
}
KEY_ALGORITHMS = frozenset({f"{ENCRYPTION_NS}rsa-oaep-mgf1p", f"{_XENC11}rsa-oaep"})
_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    f"{ENCRYPTION_NS}sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    f"{ENCRYPTION_NS}sha512": hashes.SHA512,
}
_MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    f"{_XENC11}mgf1sha1": hashes.SHA1,
    f"{_XENC11}mgf1sha256": hashes.SHA256,
    f"{_XENC11}mgf1sha384": hashes.SHA384,
    f"{_XENC11}mgf1sha512": hashes.SHA512,
}
_ENCRYPTED_KEY = f"{{{ENCRYPTION_NS}}}EncryptedKey"
_BLOCK_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
# By their text. The longest RSA key that is usual, with 4096 bits, has half of these characters.
_loaded: BoundedCache[str, rsa.RSAPrivateKey] = BoundedCache(64, characters=8192)


def load_private_key(pem: str) -> rsa.RSAPrivateKey:
    """A private key in IAM's form. Raises EncryptionError for anything but an RSA key in PEM without a password.

    Cached, because checking an RSA key takes tens of milliseconds, and each assertion and each snapshot needs its keys.
    """
    known = _loaded.get(pem)
    if known is not None:
        return known
    try:
        key = load_pem_private_key(pem.encode("ascii"), None)
    # ValueError, TypeError (a password) and UnsupportedAlgorithm have no narrower base class in common.
    except Exception as error:
        raise EncryptionError("not a private key in PEM without a password") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise EncryptionError("not an RSA key")
    _loaded.put(pem, key)
    return key


def decrypted(encrypted: etree._Element, private_keys: Sequence[str]) -> bytes:
    """The text inside an EncryptedAssertion. Raises the same EncryptionError for every fault after the algorithm's."""
    data = encrypted.find("xenc:EncryptedData", NAMESPACES)
    algorithm = _algorithm(data)
    if algorithm not in CONTENT_ALGORITHMS:
        raise EncryptionError(f"encrypted by {algorithm[:100]!r}")
    key_bytes, authenticated = CONTENT_ALGORITHMS[algorithm]
    content = _cipher_value(data)
    for wrapped in encrypted.iter(_ENCRYPTED_KEY):
        for pem in private_keys:
            key = _unwrapped(wrapped, load_private_key(pem))
            if key is None or len(key) != key_bytes:
                continue
            text = _by_gcm(key, content) if authenticated else _by_cbc(key, content)
            if text is not None:
                return text
    used = ", ".join(sorted({_algorithm(wrapped)[:100] for wrapped in encrypted.iter(_ENCRYPTED_KEY)})) or "no key"
    raise EncryptionError(f"no private key of the provider opens the assertion, whose key is encrypted by {used}")


def _algorithm(element: etree._Element | None) -> str:
    method = None if element is None else element.find("xenc:EncryptionMethod", NAMESPACES)
    return "" if method is None else method.get("Algorithm", "")


def _cipher_value(element: etree._Element | None) -> bytes:
    text = "" if element is None else element.findtext("xenc:CipherData/xenc:CipherValue", "", NAMESPACES)
    try:
        return b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncryptionError("an encrypted value is not base64") from error


def _unwrapped(wrapped: etree._Element, private_key: rsa.RSAPrivateKey) -> bytes | None:
    """The key inside; None when it is for another recipient, because an assertion may have several recipients."""
    if _algorithm(wrapped) not in KEY_ALGORITHMS:
        return None
    digest = wrapped.find("xenc:EncryptionMethod/ds:DigestMethod", NAMESPACES)
    mask = wrapped.find(f"xenc:EncryptionMethod/{{{_XENC11}}}MGF", NAMESPACES)
    digest_class = hashes.SHA1 if digest is None else _DIGESTS.get(digest.get("Algorithm", ""))
    mask_class = hashes.SHA1 if mask is None else _MASKS.get(mask.get("Algorithm", ""))
    if digest_class is None or mask_class is None:
        return None
    oaep = padding.OAEP(mgf=padding.MGF1(mask_class()), algorithm=digest_class(), label=None)
    try:
        return private_key.decrypt(_cipher_value(wrapped), oaep)
    except ValueError:
        return None


def _by_gcm(key: bytes, content: bytes) -> bytes | None:
    if len(content) < _NONCE_BYTES + _TAG_BYTES:
        return None
    try:
        return AESGCM(key).decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], None)
    # InvalidTag means only that this is not the key.
    except Exception:
        return None


def _by_cbc(key: bytes, content: bytes) -> bytes | None:
    if len(content) < 2 * _BLOCK_BYTES or len(content) % _BLOCK_BYTES:
        return None
    decryptor = Cipher(algorithms.AES(key), modes.CBC(content[:_BLOCK_BYTES])).decryptor()
    padded = decryptor.update(content[_BLOCK_BYTES:]) + decryptor.finalize()
    # The last byte says how many bytes were added; their values are open (XML Encryption, 5.2). A wrong last byte gets
    # the same error as any other wrong content: otherwise an attacker could decrypt by sending many guesses.
    return padded[: -padded[-1]] if 1 <= padded[-1] <= _BLOCK_BYTES else padded
