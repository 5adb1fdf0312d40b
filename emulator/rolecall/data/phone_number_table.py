"""The pool of phone numbers that can be ordered, as ranges. See phone_numbers/README.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

_FOLDER = Path(__file__).parent / "phone_numbers"
UNITED_STATES = "US"
LOCAL, TOLL_FREE = "Local", "TollFree"
BUSINESS_CALLING, VOICE_CONNECTOR, DIAL_IN = "BusinessCalling", "VoiceConnector", "SipMediaApplicationDialIn"
PRODUCT_TYPES = (BUSINESS_CALLING, VOICE_CONNECTOR, DIAL_IN)
# The pattern of TollFreePrefix in the model of SearchAvailablePhoneNumbers.
_TOLL_FREE_PREFIXES = ("800", "833", "844", "855", "866", "877", "888")


class NumberRange(Struct, frozen=True):
    """All numbers that begin with ``prefix``, a plus sign and digits, and have ``digits`` more.

    ``area_code`` is a toll-free prefix for a toll-free range of the United States. It is empty elsewhere, as
    ``state`` and ``cities`` are.
    """

    prefix: str
    digits: int
    country: str
    number_type: str
    area_code: str = ""
    state: str = ""
    cities: tuple[str, ...] = ()

    def numbers(self) -> Iterator[str]:
        for number in range(10**self.digits):
            yield f"{self.prefix}{number:0{self.digits}}"


@cache
def number_ranges() -> Mapping[str, NumberRange]:
    """The ranges by prefix, in the order of their numbers. No prefix begins with another one."""
    found = []
    for state, areas in json.loads((_FOLDER / "area_codes.json").read_text(encoding="utf-8")).items():
        for area_code, cities in areas.items():
            prefix = f"+1{area_code}55501"
            found.append(NumberRange(prefix, 2, UNITED_STATES, LOCAL, area_code, state, tuple(cities)))
    found += [NumberRange(f"+1{prefix}55501", 2, UNITED_STATES, TOLL_FREE, prefix) for prefix in _TOLL_FREE_PREFIXES]
    for country, types in json.loads((_FOLDER / "countries.json").read_text(encoding="utf-8")).items():
        found += [NumberRange(prefix, digits, country, name) for name, (prefix, digits) in types.items()]
    return MappingProxyType({each.prefix: each for each in sorted(found, key=lambda each: each.prefix)})


def range_of(number: str) -> NumberRange | None:
    """The range with that number in E.164 format; None when the pool does not have it."""
    ranges = number_ranges()
    for length in range(len(number)):
        found = ranges.get(number[:length])
        if found is not None:
            rest = number[length:]
            return found if len(rest) == found.digits and rest.isascii() and rest.isdigit() else None
    return None


def product_problem(where: NumberRange, product_type: str) -> str:
    """Why numbers of a range cannot be of a product type (API reference, CreatePhoneNumberOrder); else empty."""
    if where.country != UNITED_STATES and product_type != DIAL_IN:
        return f"Numbers outside the United States must have the product type {DIAL_IN}."
    if where.number_type == TOLL_FREE and product_type == BUSINESS_CALLING:
        return f"Toll-free numbers cannot have the product type {BUSINESS_CALLING}."
    return ""
