"""What the text of a condition value means: a number, a date, an address, a boolean or bytes; None for other texts."""

from __future__ import annotations

import base64
import binascii
import math
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from rolecall.caches import remembered

_NUMBER_CHARACTERS = frozenset("0123456789+-.eE")
_MAX_NUMBER_CHARACTERS = 64
_MAX_DATE_CHARACTERS = 64
_CACHED_VALUES = 1024
_MAX_EPOCH_SECONDS = 2**63 - 1
# The years of Java's calendar; IAM accepts no others.
_MIN_YEAR, _MAX_YEAR = -292_275_054, 292_278_993
_MAX_FRACTION_DIGITS = 9
_IPV4_BITS = 32
_IPV6 = 6
_SECONDS_PER_DAY = 86_400


def number(text: str) -> int | float | None:
    """An integer or a decimal number."""
    if not text or len(text) > _MAX_NUMBER_CHARACTERS or not _NUMBER_CHARACTERS.issuperset(text):
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def boolean(text: str) -> bool | None:
    """The boolean of ``true`` or ``false``, in upper or lower case."""
    lowered = text.lower()
    if lowered == "true":
        return True
    return False if lowered == "false" else None


def binary(text: str) -> bytes | None:
    """The bytes of a Base64 text."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


# An address range as (version, first address >> shift, shift). One shift and one comparison test an address.
Range = tuple[int, int, int]


def address_range(text: str) -> Range | None:
    """A CIDR range, or one address. Bits behind the prefix do not count."""
    _, slash, prefix = text.partition("/")
    # Python's parser also accepts a net mask or a zone, which are not valid in a CIDR range.
    if (slash and not prefix.isdigit()) or "%" in text:
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    shift = network.max_prefixlen - network.prefixlen
    if shift <= _IPV4_BITS and network.version == _IPV6:
        version, first = _plain(network.network_address)
        return version, first >> shift, shift
    return network.version, int(network.network_address) >> shift, shift


def _plain(parsed: IPv4Address | IPv6Address) -> tuple[int, int]:
    """(version, number) of an address. An IPv4 address that is written in IPv6's form becomes IPv4."""
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (parsed.version, int(parsed)) if mapped is None else (mapped.version, int(mapped))


@remembered(_CACHED_VALUES)
def address(text: str) -> tuple[int, int] | None:
    """(version, number) of an IPv4 or IPv6 address."""
    if "%" in text:
        return None
    try:
        return _plain(ip_address(text))
    except ValueError:
        return None


@remembered(_CACHED_VALUES)
def date_seconds(text: str) -> int | float | None:
    """Seconds since the epoch of an ISO 8601 date or of an integer (IAM User Guide, Date condition operators).

    IAM also accepts dates without month, day, minutes or seconds, and one-digit parts.
    """
    if len(text) > _MAX_DATE_CHARACTERS or not text.isascii():
        return None
    text = text.upper()
    if "T" not in text and "-" not in text:
        return _digits(text, 0, _MAX_EPOCH_SECONDS)
    day, _, time = text.partition("T")
    days = _days(day)
    seconds = _time(time) if time else 0
    return None if days is None or seconds is None else days * _SECONDS_PER_DAY + seconds


def _digits(text: str, lowest: int, highest: int) -> int | None:
    if not text.isdigit():
        return None
    value = int(text)
    return value if lowest <= value <= highest else None


def _days(text: str) -> int | None:
    negative = text.startswith("-")
    parts = text[negative:].split("-")
    if len(parts) > 3:
        return None
    year = _digits(parts[0], 0, -_MIN_YEAR if negative else _MAX_YEAR)
    month = _digits(parts[1], 1, 12) if len(parts) > 1 else 1
    day = _digits(parts[2], 1, 31) if len(parts) > 2 else 1
    if year is None or month is None or day is None:
        return None
    year = -year if negative else year
    first, next_first = _days_from_civil(year, month, 1), _days_from_civil(year + month // 12, month % 12 + 1, 1)
    # Not recorded for a day that its month lacks. The years that IAM accepts are the range of a parser that refuses it.
    return first + day - 1 if day <= next_first - first else None


def _days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, also for years that no datetime can hold."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def _time(text: str) -> int | float | None:
    clock, offset = text, 0
    if text.endswith("Z"):
        clock = text[:-1]
    else:
        for sign in "+-":
            if sign in text:
                clock, _, zone = text.partition(sign)
                found = _offset(zone)
                if found is None:
                    return None
                offset = found if sign == "+" else -found
    parts = clock.split(":")
    if len(parts) > 3:
        return None
    whole, dot, fraction = parts[2].partition(".") if len(parts) > 2 else ("0", "", "")
    hours, minutes = _digits(parts[0], 0, 23), _digits(parts[1], 0, 59) if len(parts) > 1 else 0
    seconds = _digits(whole, 0, 59)
    if hours is None or minutes is None or seconds is None:
        return None
    total = hours * 3600 + minutes * 60 + seconds - offset
    if not dot:
        return total
    if not fraction.isdigit() or len(fraction) > _MAX_FRACTION_DIGITS:
        return None
    return total + float(f"0.{fraction}")


def _offset(zone: str) -> int | None:
    """``hh``, ``hh:mm`` or ``hhmm`` as seconds."""
    hours, minutes = zone[:2], zone[2:].removeprefix(":")
    if len(hours) != 2 or (minutes and len(minutes) != 2) or zone.endswith(":"):
        return None
    whole, rest = _digits(hours, 0, 23), _digits(minutes, 0, 59) if minutes else 0
    return None if whole is None or rest is None else whole * 3600 + rest * 60
