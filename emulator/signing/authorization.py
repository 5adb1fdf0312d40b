"""The parts of a signature, read from the Authorization header or from the query string.

The checks, their order and their words are those of AWS's front end: first whether the request can be read at all, then
the algorithm, the parts, the signed headers, the date, the clock window, the form of the credential.
Query parameters: IAM User Guide, "Elements of an AWS API request signature".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

from emulator.errors import AwsError
from emulator.http import HttpRequest
from emulator.signing.canonical import canonical_query, check_path, decoded, query_pairs

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_WINDOW_SECONDS = 900
MAXIMUM_EXPIRES_SECONDS = 604_800
MAXIMUM_AUTHORIZATION_CHARACTERS = 8192
# STS takes a presigned request for the clock window, whatever X-Amz-Expires says.
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
# Not confirmed by a recording: AWS's words for these four are not known.
HEADER_NOT_SIGNED = "'{}' must be a 'SignedHeader' in the AWS Authorization."
REPEATED_PART = "Authorization header has more than one '{}' parameter."
AUTHORIZATION_TOO_LONG = f"Authorization header is longer than {MAXIMUM_AUTHORIZATION_CHARACTERS} characters."
EXPIRES_OUT_OF_RANGE = f"X-Amz-Expires must be a number of seconds between 1 and {MAXIMUM_EXPIRES_SECONDS}, got '{{}}'"

_PARTS = ("Credential", "Signature", "SignedHeaders")
_QUERY_PARTS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request says about its signature; nothing of it is proven before ``check_signature`` has returned.

    ``session_token`` and ``payload_hash`` are empty when the request has none. ``signed_headers`` are in lower case and
    sorted, ``timestamp`` is ``YYYYMMDDTHHMMSSZ``, ``canonical_query`` lacks the signature itself.
    """

    access_key_id: str
    session_token: str
    scope_date: str
    region: str
    service: str
    terminator: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    presigned: bool
    canonical_query: str
    payload_hash: str


def read_signature(request: HttpRequest, wall_seconds: float) -> Signature | None:
    """The signature of a request, or None when it has neither an Authorization header nor X-Amz-Algorithm.

    ``wall_seconds`` is the present time, in seconds since the epoch; fractions of a second do not count.
    Raises AwsError InvalidURIPath, MalformedQueryString, IncompleteSignature or SignatureDoesNotMatch.
    """
    check_path(request.raw_path)
    pairs = query_pairs(request.raw_query) if request.raw_query else []
    authorization = request.headers.get("authorization", "").strip(" \t")
    algorithm = _first(pairs, "X-Amz-Algorithm") if pairs else None
    if authorization:
        if algorithm is not None:
            raise AwsError(
                "SignatureDoesNotMatch", "", reason="Authorization header and X-Amz-Algorithm in one request"
            )
        return _from_header(request, authorization, pairs, int(wall_seconds))
    if algorithm is not None:
        return _from_query(request, algorithm, pairs, int(wall_seconds))
    return None


def _from_header(request: HttpRequest, authorization: str, pairs: list[tuple[str, str]], now_seconds: int) -> Signature:
    headers = request.headers
    if len(authorization) > MAXIMUM_AUTHORIZATION_CHARACTERS:
        raise AwsError("IncompleteSignature", AUTHORIZATION_TOO_LONG)
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise AwsError("IncompleteSignature", UNSUPPORTED_ALGORITHM.format(algorithm))
    parts = _authorization_parts(rest, authorization)
    iso_date = headers.get("x-amz-date", "").strip(" \t")
    date = iso_date or headers.get("date", "").strip(" \t")
    if len(parts) < len(_PARTS) or not date:
        _refuse_missing_parts(parts, date)
    signed_headers = _signed_headers(parts["SignedHeaders"])
    _check_signed_headers(signed_headers, headers)
    timestamp = date if iso_date else _basic_format(date)
    _check_window(timestamp, now_seconds, CLOCK_WINDOW_SECONDS)
    access_key_id, scope_date, region, service, terminator = _credential(parts["Credential"])
    return Signature(
        access_key_id,
        headers.get(TOKEN_HEADER, "").strip(" \t"),
        scope_date,
        region,
        service,
        terminator,
        signed_headers,
        parts["Signature"],
        timestamp,
        False,
        canonical_query(pairs) if pairs else "",
        headers.get(CONTENT_HASH_HEADER, "").strip(" \t"),
    )


def _authorization_parts(text: str, authorization: str) -> dict[str, str]:
    """The known parts by name. Raises AwsError IncompleteSignature for a part without ``=``, or given twice."""
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
            # Two parsers could take different ones, so neither is taken.
            if name in parts:
                raise AwsError("IncompleteSignature", REPEATED_PART.format(name))
            parts[name] = value
    return parts


def _refuse_missing_parts(parts: Mapping[str, str], date: str) -> None:
    sentences = [HEADER_REQUIRES.format(name) for name in _PARTS if name not in parts]
    if not date:
        sentences.append(HEADER_REQUIRES_DATE)
    sentences.append(f"Authorization={ALGORITHM}")
    raise AwsError("IncompleteSignature", " ".join(sentences))


def _from_query(request: HttpRequest, algorithm: str, pairs: list[tuple[str, str]], now_seconds: int) -> Signature:
    if algorithm != ALGORITHM:
        raise AwsError("IncompleteSignature", UNSUPPORTED_ALGORITHM.format(algorithm))
    found = {name: _first(pairs, name) for name in _QUERY_PARTS}
    missing = [QUERY_REQUIRES.format(name) for name, value in found.items() if value is None]
    if missing:
        raise AwsError("IncompleteSignature", " ".join([*missing, REEXAMINE_QUERY]))
    credential, signature, signed_names, timestamp = (value or "" for value in found.values())
    signed_headers = _signed_headers(signed_names)
    _check_signed_headers(signed_headers, request.headers)
    _check_window(timestamp, now_seconds, _lifetime_seconds(timestamp, credential, pairs))
    access_key_id, scope_date, region, service, terminator = _credential(credential)
    claimed = request.headers.get(CONTENT_HASH_HEADER, "").strip(" \t")
    return Signature(
        access_key_id,
        _first(pairs, "X-Amz-Security-Token") or "",
        scope_date,
        region,
        service,
        terminator,
        signed_headers,
        signature,
        timestamp,
        True,
        canonical_query(_without_signature(pairs)),
        claimed or _first(pairs, "X-Amz-Content-Sha256") or "",
    )


def _first(pairs: Iterable[tuple[str, str]], name: str) -> str | None:
    """The decoded value of the first parameter of that name; AWS takes the first, and all of them are signed."""
    for key, value in pairs:
        if key == name:
            return decoded(value)
    return None


def _without_signature(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """All but the signature that was read; a second one stays, and so is no part of what anybody signed."""
    at = next(index for index, (name, _) in enumerate(pairs) if name == "X-Amz-Signature")
    return pairs[:at] + pairs[at + 1 :]


@lru_cache(maxsize=256)
def _signed_headers(text: str) -> tuple[str, ...]:
    return tuple(sorted(text.lower().split(";")))


def _check_signed_headers(signed_headers: tuple[str, ...], headers: Mapping[str, str]) -> None:
    """The host and every ``x-amz-`` header must be signed (IAM User Guide, "Create a signed AWS API request").

    Except for the content hash: its value is the canonical request's last line, and several tools rely on that.
    """
    if "host" not in signed_headers and ":authority" not in signed_headers:
        raise AwsError("SignatureDoesNotMatch", HOST_NOT_SIGNED)
    for name in headers:
        if name.startswith("x-amz-") and name not in signed_headers and name != CONTENT_HASH_HEADER:
            raise AwsError("SignatureDoesNotMatch", HEADER_NOT_SIGNED.format(name))


def _basic_format(date: str) -> str:
    """A Date header, which some SDKs send in HTTP's own form, in ISO 8601 basic format; anything else as it is."""
    if len(date) != len("Sun, 30 Aug 2015 12:36:00 GMT") or not date.endswith(" GMT"):
        return date
    try:
        moment = parsedate_to_datetime(date)
        if format_datetime(moment, usegmt=True) != date:
            return date
    except (ValueError, TypeError, IndexError, OverflowError):
        return date
    return _basic(int(moment.timestamp()))


def _lifetime_seconds(timestamp: str, credential: str, pairs: list[tuple[str, str]]) -> int:
    """How long a presigned request is good for, from its date on."""
    _epoch_seconds(timestamp)
    elements = credential.split("/")
    service = elements[3] if len(elements) == 5 else ""
    expires = _first(pairs, "X-Amz-Expires")
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


def _credential(text: str) -> list[str]:
    """Access key id, date, region, service and terminator."""
    elements = text.split("/")
    if len(elements) != 5:
        raise AwsError("IncompleteSignature", NOT_FIVE_ELEMENTS.format(text))
    return elements
