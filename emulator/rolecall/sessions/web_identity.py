"""Web identity tokens: JSON Web Tokens of OpenID Connect issuers, read, checked and verified.

PyJWT reads tokens and checks signatures. This module first refuses what PyJWT is too tolerant about. Nothing in a token
decides how it is verified. AWS must accept the algorithm, and the algorithm must fit the key. The token's key id
selects the key from the issuer's own set. Every other header (``jwk``, ``jku``, ``x5u``, ``x5c``) is ignored.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import isfinite
from typing import Any

from msgspec import Struct

from rolecall.caches import BoundedCache
from rolecall.errors import AwsError
from rolecall.sessions.algorithms import ALGORITHMS
from rolecall.sessions.jose_door import jose

# IAM User Guide, Create an OpenID Connect identity provider: AWS accepts a token for five minutes after it expired,
# because clocks differ. It is not documented that the two other times get the same grace.
LEEWAY_SECONDS = 300
# IAM User Guide, same page: an issuer's set may have 100 RSA keys and 100 elliptic-curve keys.
MAXIMUM_KEYS = 200
_MAXIMUM_SUBJECT_CHARACTERS = 255
_VERIFIED_LIMIT = 4096
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_PRINTABLE = re.compile(r"[!-~]+")

MALFORMED_MESSAGE = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
MISSING_CLAIM_MESSAGE = "Missing a required claim: {claim}"
AUDIENCE_MESSAGE = "Incorrect token audience"
EXPIRED_MESSAGE = "Token expired: current date/time {now} must be before the expiration date/time {expiry}"
# The two blanks are AWS's. AWS answers this for every failure about keys, a wrong signature included.
KEY_MESSAGE = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
# The model's own description of the error, for faults whose message at AWS is not known.
INVALID_MESSAGE = (
    "The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity "
    "provider and then retry the request."
)


class BadKeySetError(Exception):
    """A text is not a usable JSON Web Key Set. The text of the error gives the reason, for people."""


class WebToken(Struct, frozen=True):
    """A token as it was read. Nothing in it is proven."""

    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    @property
    def key_id(self) -> str:
        return str(self.header.get("kid", ""))

    @property
    def issuer(self) -> str:
        return str(self.claims["iss"])


class _Key(Struct, frozen=True):
    """One public key, and the algorithms it may be used with."""

    public_key: Any
    algorithms: frozenset[str]


class KeySet:
    """The public keys of an issuer by their ids. The set remembers the tokens that it has verified."""

    __slots__ = ("_by_id", "_verified")

    def __init__(self, keys: Mapping[str, tuple[_Key, ...]]) -> None:
        self._by_id = keys
        # Hashes of whole tokens whose signatures this set has verified. Their claims are checked on each call.
        self._verified: BoundedCache[bytes, bool] = BoundedCache(_VERIFIED_LIMIT)

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._by_id

    def verify(self, token: WebToken) -> None:
        """Raises AwsError InvalidIdentityToken unless one of the keys signed the token."""
        digest = sha256(token.text.encode()).digest()
        if self._verified.get(digest):
            return
        algorithm = token.header.get("alg")
        keys = [key for key in self._by_id.get(token.key_id, ()) if algorithm in key.algorithms]
        if not keys:
            raise _invalid(KEY_MESSAGE, f"the issuer has no key {token.key_id[:64]!r} for {algorithm}")
        if not any(_signed_with(key, token.text, str(algorithm)) for key in keys):
            raise _invalid(KEY_MESSAGE, "the signature is not the issuer's")
        self._verified.put(digest, True)


def _signed_with(key: _Key, text: str, algorithm: str) -> bool:
    return bool(jose().signed_with(key.public_key, text, algorithm))


def read_key_set(text: str) -> KeySet:
    """The keys of a JSON Web Key Set (RFC 7517) that can verify tokens; other keys in it are ignored.

    Raises BadKeySetError for a text that is not a set, and for a set without a usable key.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadKeySetError("not JSON") from error
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list):
        raise BadKeySetError('not a JSON Web Key Set: it has no list "keys"')
    if len(members) > MAXIMUM_KEYS:
        raise BadKeySetError(f"more than {MAXIMUM_KEYS} keys")
    keys: dict[str, tuple[_Key, ...]] = {}
    for member in members:
        key = _key_of(member) if isinstance(member, dict) else None
        if key is not None:
            keys[member["kid"]] = (*keys.get(member["kid"], ()), key)
    if not keys:
        raise BadKeySetError('no key in it has a "kid" and can verify signatures of ' + ", ".join(ALGORITHMS))
    return KeySet(keys)


def _key_of(member: Mapping[str, Any]) -> _Key | None:
    """The key; None when it has no id, is for another use, or is too weak or too long.

    An empty id is allowed. It serves tokens without an id: AWS was seen to require it in the set even then
    (amazon-eks-pod-identity-webhook, issue 12).
    """
    key_id, use, named = member.get("kid"), member.get("use", "sig"), member.get("alg")
    if not isinstance(key_id, str) or use != "sig":
        return None
    try:
        public_key, algorithms = jose().public_key(member)
    except (KeyError, ValueError, TypeError):
        return None
    if named is not None:
        algorithms &= {str(named)}
    return _Key(public_key, algorithms) if algorithms else None


def read_token(text: str) -> WebToken:
    """The token in a text; it must name an issuer. Raises AwsError InvalidIdentityToken."""
    if not _COMPACT.fullmatch(text):
        raise _invalid(MALFORMED_MESSAGE, "not three parts of base64url")
    try:
        decoded = jose().unproven(text)
        claims = _read_json(decoded["payload"])
        _read_json(urlsafe_b64decode(text.partition(".")[0] + "=="))
    except (ValueError, TypeError, RecursionError) as error:
        raise _invalid(MALFORMED_MESSAGE, str(error)) from error
    header: Mapping[str, Any] = decoded["header"]
    if not isinstance(claims, dict):
        raise _invalid(MALFORMED_MESSAGE, "the claims are not a JSON object")
    if urlsafe_b64encode(decoded["signature"]).rstrip(b"=") != text.rpartition(".")[2].encode():
        # The same bytes have several spellings in base64url. Only the canonical one is what the issuer wrote.
        raise _invalid(MALFORMED_MESSAGE, "the signature is not written in the canonical form")
    if not isinstance(header.get("kid", ""), str):
        raise _invalid(MALFORMED_MESSAGE, "the id of the key is not a text")
    if "crit" in header or "b64" in header:
        raise _invalid(MALFORMED_MESSAGE, "the header has extensions that must be understood")
    if header.get("alg") not in ALGORITHMS:
        raise _invalid(KEY_MESSAGE, f"the algorithm {str(header.get('alg'))[:64]!r} is not one that AWS takes")
    _text_claim(claims, "iss")
    return WebToken(text, header, claims)


def _read_json(text: bytes | str) -> Any:
    """JSON as RFC 8259 has it. Raises ValueError for what Python reads beyond it, RecursionError."""
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number is too large, or none")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7519, 4: names must be unique. A reader may take the last one instead. AWS's choice is not known."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


def _text_claim(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is None or value == "":
        raise _invalid(MISSING_CLAIM_MESSAGE.format(claim=name))
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value.replace(" ", "_")):
        raise _invalid(INVALID_MESSAGE, f"the claim {name} is not a text of printable characters")
    return value


def subject_of(token: WebToken) -> str:
    """The claim ``sub``. Raises AwsError InvalidIdentityToken."""
    subject = _text_claim(token.claims, "sub")
    if len(subject) > _MAXIMUM_SUBJECT_CHARACTERS:
        raise _invalid(INVALID_MESSAGE, "the claim sub is too long")
    return subject


def audience_of(token: WebToken, client_ids: Sequence[str] | None) -> str:
    """The audience: ``azp`` if there is one, else the ``aud`` that is a client id; any ``aud`` without ``client_ids``.

    IAM User Guide, Available keys for AWS OIDC federation: with both claims AWS uses azp as the audience. Raises
    AwsError InvalidIdentityToken.
    """
    claims = token.claims
    if claims.get("azp"):
        audiences: list[Any] = [_text_claim(claims, "azp")]
    else:
        value = claims.get("aud")
        audiences = value if isinstance(value, list) else [value]
        if not audiences or audiences[0] in (None, ""):
            raise _invalid(MISSING_CLAIM_MESSAGE.format(claim="aud"))
    for audience in audiences:
        known = isinstance(audience, str) and (client_ids is None or audience in client_ids)
        if known and _PRINTABLE.fullmatch(audience.replace(" ", "_")):
            return str(audience)
    raise _invalid(AUDIENCE_MESSAGE)


def check_times(token: WebToken, now_seconds: float) -> None:
    """Checks ``exp``, ``iat`` and ``nbf`` by the sandbox's clock.

    Raises AwsError ExpiredTokenException, or InvalidIdentityToken for a time that is not a whole number or lies ahead.
    """
    now = int(now_seconds)
    for name in ("exp", "iat"):
        if token.claims.get(name) is None:
            raise _invalid(MISSING_CLAIM_MESSAGE.format(claim=name))
    for name in ("exp", "iat", "nbf"):
        value = token.claims.get(name, 0)
        if type(value) is not int:
            raise _invalid(INVALID_MESSAGE, f"the claim {name} is not a whole number")
        if name != "exp" and value > now + LEEWAY_SECONDS:
            raise _invalid(INVALID_MESSAGE, f"{name} is in the future: {value}, now it is {now}")
    expiry = token.claims["exp"]
    if expiry + LEEWAY_SECONDS <= now:
        raise AwsError("ExpiredTokenException", EXPIRED_MESSAGE.format(now=now, expiry=expiry))


def _invalid(message: str, reason: str = "") -> AwsError:
    return AwsError("InvalidIdentityToken", message, reason=reason)
