"""Identifiers: unique ids, access key ids, secrets and request ids are made only here.

Their forms follow the IAM User Guide, "IAM identifiers": a four-letter prefix for the kind, then characters of the
base32 alphabet. Access key ids contain the account number, as on AWS.
"""

from __future__ import annotations

import base64
import os
import random
import uuid
from collections.abc import Callable

USER_PREFIX = "AIDA"
ROLE_PREFIX = "AROA"
GROUP_PREFIX = "AGPA"
POLICY_PREFIX = "ANPA"
SERVER_CERTIFICATE_PREFIX = "ASCA"
SSH_PUBLIC_KEY_PREFIX = "APKA"
SERVICE_CREDENTIAL_PREFIX = "ACCA"
INSTANCE_PROFILE_PREFIX = "AIPA"
LONG_TERM_KEY_PREFIX = "AKIA"
TEMPORARY_KEY_PREFIX = "ASIA"

# The length is not documented. AWS's ids were seen to have 21 characters.
UNIQUE_ID_LENGTH = 21
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE32_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_ACCOUNT_SHIFT_BITS = 7
_NEW_GENERATION_BIT = 1 << 47
_BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_AUTHORIZATION_ID_CHARACTERS = 25
_EVENTS = uuid.UUID("b0f0a4de-5a0f-4b5e-9f3e-2f1d6f0c7a11")


class Identifiers:
    """Makes identifiers. With a ``seed`` it makes the same ones in the same order, for golden files."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._bytes: Callable[[int], bytes] = os.urandom
        self.restart()

    def restart(self) -> None:
        """Start again. With a seed the first identifiers come again; without a seed, identifiers never repeat."""
        if self._seed is not None:
            # Python's generator ignores the sign of a number, but not the text of one.
            seed = self._seed if self._seed >= 0 else f"{self._seed:x}"
            # S311: only repeatable tests use a seeded generator. Without a seed it is the system's secure one.
            self._bytes = random.Random(seed).randbytes  # noqa: S311

    def unique_id(self, prefix: str) -> str:
        """``AIDA`` + 17 characters."""
        count = UNIQUE_ID_LENGTH - len(prefix)
        return prefix + "".join([_ALPHABET[byte & 31] for byte in self._bytes(count)])

    def access_key_id(self, prefix: str, account_id: str) -> str:
        """20 characters: prefix, account number, 39 random bits."""
        noise = self._bytes(5)
        head = _NEW_GENERATION_BIT | (int(account_id) << _ACCOUNT_SHIFT_BITS) | (noise[0] & 0x7F)
        return prefix + _base32_of(head.to_bytes(6, "big") + noise[1:])

    def secret_access_key(self) -> str:
        """40 characters of the base64 alphabet."""
        return base64.b64encode(self._bytes(30)).decode("ascii")

    def uuid(self) -> str:
        """A version 4 UUID in its usual text form."""
        return uuid_of(self._bytes(16))

    def upper_id(self) -> str:
        """32 characters ``[A-Z0-9]``, as SAML providers and their private keys have."""
        return self.uuid().replace("-", "").upper()

    def lower_id(self, count: int) -> str:
        """Lower-case letters and digits, such as a Voice Connector's 22."""
        return base36_of(self._bytes(count))

    def noise(self, count: int) -> bytes:
        """Random bytes for a value that the answer shows, such as the seed of an MFA device."""
        return self._bytes(count)

    def secret_bytes(self, count: int) -> bytes:
        """Random bytes for the sandbox's own keys. They are never seeded, because a predictable key is insecure."""
        return os.urandom(count)

    def digits(self, count: int) -> str:
        """Decimal digits, for PINs."""
        return "".join(str(byte % 10) for byte in self._bytes(count))


def uuid_of(noise: bytes) -> str:
    """The version 4 UUID, in its usual text form, of 16 random bytes."""
    raw = bytearray(noise)
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _base32_of(raw: bytes) -> str:
    """Ten bytes in base 32. ``base64.b32encode`` gives the same, but takes four times as long."""
    number = int.from_bytes(raw, "big")
    return "".join([_BASE32_PAIRS[number >> shift & 1023] for shift in range(70, -1, -10)])


def base36_of(noise: bytes) -> str:
    """One lower-case letter or digit for each random byte."""
    return "".join([_BASE36[byte % len(_BASE36)] for byte in noise])


def account_of_access_key(access_key_id: str) -> str | None:
    """The account number in an access key id; None for an older or invented id without one."""
    body = access_key_id[4:20]
    if len(access_key_id) != 20 or access_key_id[:4] not in (LONG_TERM_KEY_PREFIX, TEMPORARY_KEY_PREFIX):
        return None
    try:
        head = int.from_bytes(base64.b32decode(body)[:6], "big")
    except ValueError:
        return None
    if not head & _NEW_GENERATION_BIT:
        return None
    return f"{(head & (_NEW_GENERATION_BIT - 1)) >> _ACCOUNT_SHIFT_BITS:012d}"


def event_id(request_id: str) -> str:
    """The id of a call's record, a UUID. It always is the same for a request, and is not the request's own id."""
    return str(uuid.uuid5(_EVENTS, request_id))


def authorization_id(request_id: str) -> str:
    """The authorization id of a refusal: its request id, a UUID, in base 36, as 25 characters ``[0-9a-z]``."""
    number, characters = int(request_id.replace("-", ""), 16), ""
    for _ in range(_AUTHORIZATION_ID_CHARACTERS):
        number, digit = divmod(number, 36)
        characters = _BASE36[digit] + characters
    return characters


def request_of_authorization(authorization_id: str) -> str | None:
    """The request id of an authorization id; None for a text that is not an authorization id."""
    if len(authorization_id) != _AUTHORIZATION_ID_CHARACTERS or not set(authorization_id) <= set(_BASE36):
        return None
    number = int(authorization_id, 36)
    if number >> 128:
        return None
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
