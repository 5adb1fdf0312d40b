"""Single values: from the text of a parameter, label or header, to the text of an answer, and times in AWS's formats.

Inside Rolecall a time is always seconds since the epoch, as a float.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from rolecall.errors import AwsError
from rolecall.wire.models import Member

INTEGER_TYPES = frozenset({"integer", "long", "short", "byte"})
FLOAT_TYPES = frozenset({"float", "double"})
_INTEGER_BITS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
_INTEGER_TEXT = re.compile(r"[+-]?[0-9]{1,20}")
_FLOAT_TEXT = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?")
_EARLIEST_SECONDS = -62_135_596_800.0
_LATEST_SECONDS = 253_402_300_799.0

FromText = Callable[[str], object]


def not_convertible(found: str, wanted: str) -> AwsError:
    """AWS's error for a value of the wrong type, the same on query and JSON services."""
    return AwsError("MalformedInput", f"{found} can not be converted to {wanted}")


def text_reader(member: Member) -> FromText | None:
    """A function from a value's text to the value; None when the text itself is the value."""
    kind = member.shape.type
    if kind in INTEGER_TYPES:
        return _integer_reader(kind)
    if kind in FLOAT_TYPES:
        return read_float
    if kind == "boolean":
        return read_boolean
    if kind == "timestamp":
        return read_timestamp
    if kind == "blob":
        return read_blob
    return None


def integer_bounds(kind: str) -> tuple[int, int]:
    """Smallest and largest value of one of the integer types."""
    half = 1 << (_INTEGER_BITS[kind] - 1)
    return -half, half - 1


def _integer_reader(kind: str) -> FromText:
    smallest, largest = integer_bounds(kind)

    def read_integer(text: str) -> int:
        if _INTEGER_TEXT.fullmatch(text):
            value = int(text)
            if smallest <= value <= largest:
                return value
        raise not_convertible("STRING_VALUE", "an Integer" if kind == "integer" else f"a {kind.capitalize()}")

    return read_integer


def read_float(text: str) -> float:
    if _FLOAT_TEXT.fullmatch(text):
        value = float(text)
        if abs(value) != float("inf"):
            return value
    raise not_convertible("STRING_VALUE", "a Float")


def read_boolean(text: str) -> bool:
    lowered = text.lower()
    if lowered == "true":
        return True
    if lowered == "false":
        return False
    raise not_convertible("STRING_VALUE", "a Boolean")


def read_blob(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise AwsError("MalformedInput", "The value is not valid base64.") from None


def read_timestamp(text: str) -> float:
    """ISO 8601, an HTTP date or epoch seconds: AWS accepts all three. Raises AwsError MalformedInput."""
    if _FLOAT_TEXT.fullmatch(text):
        return checked_seconds(float(text))
    for read in (datetime.fromisoformat, _from_http_date):
        try:
            moment = read(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
        return checked_seconds(seconds)
    raise not_convertible("STRING_VALUE", "a Timestamp")


def _from_http_date(text: str) -> datetime:
    return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


def checked_seconds(seconds: float) -> float:
    """Epoch seconds between the years 1 and 9999. Raises AwsError MalformedInput outside them."""
    if _EARLIEST_SECONDS <= seconds <= _LATEST_SECONDS:
        return seconds
    raise AwsError("MalformedInput", "The timestamp is out of range.")


def _integer(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"expected an integer, not {type(value).__name__}")


def _float(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return repr(value)
    raise TypeError(f"expected a finite number, not {value!r}")


def _boolean(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    raise TypeError(f"expected a boolean, not {type(value).__name__}")


# By type: from a value of an answer to its text, which is the same in XML and JSON. They raise TypeError.
PLAIN_TEXTS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "boolean": _boolean,
        **dict.fromkeys(sorted(INTEGER_TYPES), _integer),
        **dict.fromkeys(sorted(FLOAT_TYPES), _float),
    }
)


def iso8601_seconds(seconds: float) -> str:
    """``2026-11-23T10:00:00Z``: the form of query services, without fractions."""
    return f"{_calendar(seconds // 1)}Z"


def iso8601_milliseconds(seconds: float) -> str:
    """``2026-11-23T10:00:00.250Z``: the form of Chime."""
    milliseconds = round(seconds * 1000)
    return f"{_calendar(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _calendar(whole_seconds: float) -> str:
    year, month, day, hour, minute, second, *_ = time.gmtime(whole_seconds)
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


def http_date(seconds: float) -> str:
    """``Mon, 23 Nov 2026 10:00:00 GMT``: the form of headers."""
    return _http_date(int(seconds))


# All answers of the same second have the same date.
@lru_cache(maxsize=64)
def _http_date(whole_seconds: int) -> str:
    return formatdate(whole_seconds, usegmt=True)


def epoch_seconds(seconds: float) -> str:
    """Seconds with at most three decimals: the form of JSON bodies."""
    rounded = round(seconds, 3)
    return str(int(rounded)) if rounded == int(rounded) else f"{rounded:.3f}"
