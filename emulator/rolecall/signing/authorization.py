"""The parts of a signature, read from the Authorization header or from the query string.

The checks, their order and their messages are from AWS's front end. First it tests whether the request can be read at
all, then the algorithm, the parts, the signed headers, the date, the clock window and the form of the credential. Query
parameters: IAM User Guide, "Elements of an AWS API request signature".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from msgspec import Struct

from rolecall.caches import remembered
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.reprs import repr_without
from rolecall.signing.canonical import canonical_query, check_path, decoded, query_pairs

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_WINDOW_SECONDS = 900
MAXIMUM_EXPIRES_SECONDS = 604_800
MAXIMUM_AUTHORIZATION_CHARACTERS = 8192
# STS accepts a presigned request for the length of the clock window and ignores X-Amz-Expires.
SERVICES_IGNORING_EXPIRES = frozenset({"sts"})
CONTENT_HASH_HEADER = "x-amz-content-sha256"
TOKEN_HEADER = "x-amz-security-token"  # noqa: S105

UNSUPPORTED_ALGORITHM = "Unsupported AWS 'algorithm': '{}'."
NO_EQUAL_SIGN = "'{}' not a valid key=value pair (missing equal-sign) in Authorization header: '{}'"
HEADER_REQUIRES = "Authorization header requires '{}' parameter."
HEADER_REQUIRES_DATE = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
QUERY_REQUIRES = "AWS query-string parameters must include '{}'."
REEXAMINE_QUERY = "Re-examine the query-string parameters."
HOST_NOT_SIGNED = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
DATE_NOT_BASIC = "Date must be in ISO-8601 'basic format'. Got '{}'. See http://en.wikipedia.org/wiki/ISO_8601"
EXPIRED = "Signature expired: {} is now earlier than {} ({} - {}.)"
NOT_YET_CURRENT = "Signature not yet current: {} is still later than {} ({} + {}.)"
NOT_FIVE_ELEMENTS = (
    "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'"
)
# Not confirmed by a recording: AWS's messages for these four are not known.
HEADER_NOT_SIGNED = "'{}' must be a 'SignedHeader' in the AWS Authorization."
REPEATED_PART = "Authorization header has more than one '{}' parameter."
AUTHORIZATION_TOO_LONG = f"Authorization header is longer than {MAXIMUM_AUTHORIZATION_CHARACTERS} characters."
EXPIRES_OUT_OF_RANGE = f"X-Amz-Expires must be a number of seconds between 1 and {MAXIMUM_EXPIRES_SECONDS}, got '{{}}'"

# A signature with ML-DSA-87 has 9254 hexadecimal digits.
_MAXIMUM_CERTIFICATE_AUTHORIZATION_CHARACTERS = 16_384
_PARTS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARTS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")


class Claim(Struct, frozen=True):
    """The part of a signature that a client's requests have in common: the credential and the names of signed headers.

    ``signed_headers`` are in lower case and sorted. ``signed_names`` holds the same names as one text.
    """

    access_key_id: str
    scope_date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signed_names: str


class Signature(Struct, frozen=True):
    """What a request says about its signature. Nothing in it is proven before ``check_signature`` has returned.

    ``session_token`` and ``payload_hash`` are empty when the request has none. ``timestamp`` is ``YYYYMMDDTHHMMSSZ``.
    ``canonical_query`` does not contain the signature itself.
    """

    claim: Claim
    session_token: str
    signature: str
    timestamp: str
    presigned: bool
    canonical_query: str
    payload_hash: str

    __repr__ = repr_without("session_token")

    @property
    def access_key_id(self) -> str:
        return self.claim.access_key_id

    @property
    def scope_date(self) -> str:
        return self.claim.scope_date

    @property
    def region(self) -> str:
        return self.claim.region

    @property
    def service(self) -> str:
        return self.claim.service

    @property
    def terminator(self) -> str:
        return self.claim.terminator

    @property
    def signed_headers(self) -> tuple[str, ...]:
        return self.claim.signed_headers


def read_signature(request: HttpRequest, wall_seconds: float) -> Signature | None:
    """The signature of a request, or None when it has neither an Authorization header nor X-Amz-Algorithm.

    ``wall_seconds`` is the present time in seconds since the epoch. Fractions of a second do not count.
    Raises AwsError InvalidURIPath, MalformedQueryString, IncompleteSignature or SignatureDoesNotMatch.
    """
    check_path(request.raw_path)
    pairs = query_pairs(request.raw_query) if request.raw_query else []
    authorization = request.headers.get("authorization", "").strip(" \t")
    # AWS takes the first of several equal parameters. All of them are signed.
    parameters = dict(reversed(pairs))
    if authorization:
        if "X-Amz-Algorithm" in parameters:
            raise AwsError(
                "SignatureDoesNotMatch", "", reason="Authorization header and X-Amz-Algorithm in one request"
            )
        return _from_header(request, authorization, pairs, int(wall_seconds))
    if "X-Amz-Algorithm" in parameters:
        return _from_query(request, parameters, pairs, int(wall_seconds))
    return None


def read_certificate_signature(
    request: HttpRequest, wall_seconds: float, algorithms: Collection[str]
) -> tuple[str, Signature]:
    """The algorithm, one of ``algorithms``, and the signature in the Authorization header; the key is a certificate's.

    Source: IAM Roles Anywhere User Guide, "The IAM Roles Anywhere authentication signing process". It is Signature
    Version 4 with another algorithm, and a serial number in place of the access key id. Raises AwsError as
    :func:`read_signature` does.
    """
    check_path(request.raw_path)
    pairs = query_pairs(request.raw_query) if request.raw_query else []
    headers = request.headers
    authorization, date = headers.get("authorization", "").strip(" \t"), headers.get("x-amz-date", "").strip(" \t")
    if len(authorization) > _MAXIMUM_CERTIFICATE_AUTHORIZATION_CHARACTERS:
        raise AwsError("IncompleteSignature", AUTHORIZATION_TOO_LONG)
    algorithm = authorization.partition(" ")[0]
    if algorithm not in algorithms:
        raise AwsError("IncompleteSignature", UNSUPPORTED_ALGORITHM.format(algorithm))
    credential, signature, signed_headers = _checked_parts(authorization, date, algorithm)
    _check_signed_headers(signed_headers, headers)
    _check_window(date, int(wall_seconds), CLOCK_WINDOW_SECONDS)
    claim = _claim(credential, signed_headers)
    return algorithm, Signature(claim, "", signature, date, False, canonical_query(pairs) if pairs else "", "")


def _from_header(request: HttpRequest, authorization: str, pairs: list[tuple[str, str]], now_seconds: int) -> Signature:
    headers = request.headers
    if len(authorization) > MAXIMUM_AUTHORIZATION_CHARACTERS:
        raise AwsError("IncompleteSignature", AUTHORIZATION_TOO_LONG)
    iso_date = headers.get("x-amz-date", "").strip(" \t")
    date = iso_date or headers.get("date", "").strip(" \t")
    beginning, found, signature = authorization.rpartition("Signature=")
    claim = _usual_claim(beginning) if found and date and "," not in signature else None
    credential = ""
    if claim is None:
        credential, signature, signed_headers = _checked_parts(authorization, date)
    else:
        signed_headers = claim.signed_headers
    _check_signed_headers(signed_headers, headers)
    timestamp = date if iso_date else _basic_format(date)
    _check_window(timestamp, now_seconds, CLOCK_WINDOW_SECONDS)
    return Signature(
        claim or _claim(credential, signed_headers),
        headers.get(TOKEN_HEADER, "").strip(" \t"),
        signature,
        timestamp,
        False,
        canonical_query(pairs) if pairs else "",
        headers.get(CONTENT_HASH_HEADER, "").strip(" \t"),
    )


@remembered(512)
def _usual_claim(beginning: str) -> Claim | None:
    """The claim in an Authorization header with the signature last. ``beginning`` is the text before its value.

    None for a header in any unusual form. Such a header goes through the checks in AWS's order.
    """
    if not beginning.startswith(ALGORITHM + " ") or not beginning.rstrip(" \t").endswith(","):
        return None
    try:
        parts = _authorization_parts(beginning[len(ALGORITHM) :], beginning)
        if parts.keys() != {"Credential", "SignedHeaders"}:
            return None
        return _claim(parts["Credential"], _signed_headers(parts["SignedHeaders"]))
    except AwsError:
        return None


def _checked_parts(
    authorization: str, date: str, expected_algorithm: str = ALGORITHM
) -> tuple[str, str, tuple[str, ...]]:
    """Credential, signature and signed headers. Raises AwsError IncompleteSignature."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != expected_algorithm:
        raise AwsError("IncompleteSignature", UNSUPPORTED_ALGORITHM.format(algorithm))
    parts = _authorization_parts(rest, authorization)
    sentences = [HEADER_REQUIRES.format(name) for name in _PARTS if name not in parts]
    if not date:
        sentences.append(HEADER_REQUIRES_DATE)
    if sentences:
        raise AwsError("IncompleteSignature", " ".join([*sentences, f"Authorization={algorithm}"]))
    return parts["Credential"], parts["Signature"], _signed_headers(parts["SignedHeaders"])


def _authorization_parts(text: str, authorization: str) -> dict[str, str]:
    """The known parts by name. Raises AwsError IncompleteSignature for a part without ``=`` and for a repeated part."""
    parts: dict[str, str] = {}
    for untrimmed in text.split(","):
        part = untrimmed.strip(" \t")
        name, equal_sign, value = part.partition("=")
        if not equal_sign:
            if not part:
                continue
            message = NO_EQUAL_SIGN.format(part, authorization)
            raise AwsError("IncompleteSignature", message, reason="Authorization part without an equal sign")
        if name in _PARTS:
            # Two parsers could each take a different one, so the request is refused.
            if name in parts:
                raise AwsError("IncompleteSignature", REPEATED_PART.format(name))
            parts[name] = value
    return parts


def _from_query(
    request: HttpRequest, parameters: Mapping[str, str], pairs: list[tuple[str, str]], now_seconds: int
) -> Signature:
    algorithm = decoded(parameters["X-Amz-Algorithm"])
    if algorithm != ALGORITHM:
        raise AwsError("IncompleteSignature", UNSUPPORTED_ALGORITHM.format(algorithm))
    missing = [QUERY_REQUIRES.format(name) for name in _QUERY_PARTS if name not in parameters]
    if missing:
        raise AwsError("IncompleteSignature", " ".join([*missing, REEXAMINE_QUERY]))
    credential, signature, signed_names, timestamp = (decoded(parameters[name]) for name in _QUERY_PARTS)
    signed_headers = _signed_headers(signed_names)
    _check_signed_headers(signed_headers, request.headers)
    expires = decoded(parameters["X-Amz-Expires"]) if "X-Amz-Expires" in parameters else None
    _check_window(timestamp, now_seconds, _lifetime_seconds(timestamp, credential, expires))
    claim = _claim(credential, signed_headers)
    claimed = request.headers.get(CONTENT_HASH_HEADER, "").strip(" \t")
    return Signature(
        claim,
        decoded(parameters.get("X-Amz-Security-Token", "")),
        signature,
        timestamp,
        True,
        canonical_query(_without_signature(pairs)),
        claimed or decoded(parameters.get("X-Amz-Content-Sha256", "")),
    )


def _without_signature(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """All pairs but the signature that was read. A second signature stays in, so it never matches what was signed."""
    at = next(index for index, (name, _) in enumerate(pairs) if name == "X-Amz-Signature")
    return pairs[:at] + pairs[at + 1 :]


def _signed_headers(text: str) -> tuple[str, ...]:
    return tuple(sorted(text.lower().split(";")))


def _check_signed_headers(signed_headers: tuple[str, ...], headers: Mapping[str, str]) -> None:
    """The host and every ``x-amz-`` header must be signed (IAM User Guide, "Create a signed AWS API request").

    The content hash is excepted: its value is the last line of the canonical request, and several tools rely on that.
    """
    if "host" not in signed_headers and ":authority" not in signed_headers:
        raise AwsError("SignatureDoesNotMatch", HOST_NOT_SIGNED)
    for name in headers:
        if name.startswith("x-amz-") and name not in signed_headers and name != CONTENT_HASH_HEADER:
            raise AwsError("SignatureDoesNotMatch", HEADER_NOT_SIGNED.format(name))


def _basic_format(date: str) -> str:
    """A Date header in ISO 8601 basic format. botocore sends HTTP's own date format; any other text stays as it is."""
    http_date = date.removesuffix(" -0000") + " GMT" if date.endswith(" -0000") else date
    if len(http_date) != len("Sun, 30 Aug 2015 12:36:00 GMT") or not http_date.endswith(" GMT"):
        return date
    try:
        moment = parsedate_to_datetime(http_date)
        if format_datetime(moment, usegmt=True) != http_date:
            return date
    except (ValueError, TypeError, IndexError, OverflowError):
        return date
    return _basic(int(moment.timestamp()))


def _lifetime_seconds(timestamp: str, credential: str, expires: str | None) -> int:
    """How long a presigned request is valid, counted from its date."""
    _epoch_seconds(timestamp)
    elements = credential.split("/")
    service = elements[3] if len(elements) == 5 else ""
    if expires is None or service in SERVICES_IGNORING_EXPIRES:
        return CLOCK_WINDOW_SECONDS
    in_range = expires.isascii() and expires.isdigit() and len(expires) <= len(str(MAXIMUM_EXPIRES_SECONDS))
    if not in_range or not 1 <= int(expires) <= MAXIMUM_EXPIRES_SECONDS:
        raise AwsError("IncompleteSignature", EXPIRES_OUT_OF_RANGE.format(expires))
    return int(expires)


def _check_window(timestamp: str, now_seconds: int, lifetime_seconds: int) -> None:
    signed_at_seconds = _epoch_seconds(timestamp)
    if now_seconds - signed_at_seconds > lifetime_seconds:
        edge, now = _basic(now_seconds - lifetime_seconds), _basic(now_seconds)
        message = EXPIRED.format(timestamp, edge, now, _duration(lifetime_seconds))
        raise AwsError("SignatureDoesNotMatch", message)
    if signed_at_seconds - now_seconds > CLOCK_WINDOW_SECONDS:
        edge, now = _basic(now_seconds + CLOCK_WINDOW_SECONDS), _basic(now_seconds)
        message = NOT_YET_CURRENT.format(timestamp, edge, now, _duration(CLOCK_WINDOW_SECONDS))
        raise AwsError("SignatureDoesNotMatch", message)


@lru_cache(maxsize=1024)
def _epoch_seconds(timestamp: str) -> int:
    """Seconds since the epoch of ``YYYYMMDDTHHMMSSZ``. Raises AwsError IncompleteSignature for any other form."""
    digits = timestamp[:8] + timestamp[9:15]
    if len(timestamp) == 16 and timestamp[8] == "T" and timestamp[15] == "Z" and digits.isascii() and digits.isdigit():
        year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
        try:
            moment = datetime(year, month, day, int(digits[8:10]), int(digits[10:12]), int(digits[12:]), tzinfo=UTC)
            return int(moment.timestamp())
        except ValueError:
            pass
    raise AwsError("IncompleteSignature", DATE_NOT_BASIC.format(timestamp))


def _basic(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _duration(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} sec"


def _claim(credential: str, signed_headers: tuple[str, ...]) -> Claim:
    """Raises AwsError IncompleteSignature unless the credential has its five elements."""
    elements = credential.split("/")
    if len(elements) != 5:
        raise AwsError("IncompleteSignature", NOT_FIVE_ELEMENTS.format(credential))
    access_key_id, scope_date, region, service, terminator = elements
    names = ";".join(signed_headers)
    return Claim(access_key_id, scope_date, region, service, terminator, signed_headers, names)
