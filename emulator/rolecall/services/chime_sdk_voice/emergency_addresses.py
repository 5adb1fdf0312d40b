"""Addresses of emergency calls in the United States (Amazon Chime SDK API reference, ValidateE911Address).

Rolecall knows the states and their ZIP codes, no streets. So it corrects what is written in an unusual way, and refuses
an address whose ZIP code is in another state.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from rolecall.data import UnitedStatesState, states
from rolecall.data.phone_number_table import UNITED_STATES
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE
from rolecall.services.registry import Answer, Call, operation

VALID, CORRECTED, FAILED = 0, 1, 2
_ZIP_CODE = re.compile(r"(\d{5})(?:-?(\d{4}))?")
_NUMBER = re.compile(r"\d+[A-Z]?(?:[-/ ]\d+(?:/\d+)?)?", re.IGNORECASE)
# The Postal Service's abbreviations of directions.
_DIRECTION = r"(?:N|S|E|W|NE|NW|SE|SW)\.?"
_BEFORE = re.compile(rf"({_DIRECTION}) (?=\S)", re.IGNORECASE)
_AFTER = re.compile(rf" ({_DIRECTION}) (\S.*)$", re.IGNORECASE)
_LAST = re.compile(rf" ({_DIRECTION})$", re.IGNORECASE)


@operation(SERVICE, "ValidateE911Address", writes=False)
def validate_e911_address(
    call: Call,
    *,
    AwsAccountId: str,
    StreetNumber: str,
    StreetInfo: str,
    City: str,
    State: str,
    Country: str,
    PostalCode: str,
) -> Answer:
    """Nothing is kept: the same address has the same AddressExternalId. AWS's refusals were not recorded."""
    if AwsAccountId != call.account_id:
        raise AwsError("ForbiddenException", "AwsAccountId must be the account of the caller.")
    if Country.strip().upper() != UNITED_STATES:
        raise bad_request("Country must be US: 911 is called in the United States.")
    given = {"streetNumber": StreetNumber, "streetInfo": StreetInfo, "city": City, "state": State}
    tidy = {name: " ".join(value.split()) for name, value in given.items()}
    zip_code = _ZIP_CODE.fullmatch(PostalCode.strip())
    if zip_code is None or not _NUMBER.fullmatch(tidy["streetNumber"]):
        return {"ValidationResult": FAILED, "CandidateAddressList": []}
    state = next((each for each in states() if tidy["state"].upper() in (each.code, each.name.upper())), None)
    plus4 = {} if zip_code[2] is None else {"postalCodePlus4": zip_code[2]}
    tidy |= {"postalCode": zip_code[1], **plus4, "country": UNITED_STATES}
    if state is None or not state.has_zip_code(zip_code[1]):
        # The address with the state of its ZIP code.
        candidates = [{**tidy, "state": each.code} for each in states() if each.has_zip_code(zip_code[1])]
        return {"ValidationResult": FAILED, "CandidateAddressList": candidates}
    return _validated(tidy, state, given | {"postalCode": PostalCode, "country": Country})


def _validated(tidy: dict[str, str], state: UnitedStatesState, given: dict[str, str]) -> Answer:
    address = {**_street(tidy["streetInfo"]), **{name: value for name, value in tidy.items() if name != "streetInfo"}}
    address["state"] = state.code
    digits = tidy["postalCode"] + ("-" + tidy["postalCodePlus4"] if "postalCodePlus4" in tidy else "")
    written = {**tidy, "state": state.code, "postalCode": digits}
    is_same = all(written[name] == value for name, value in given.items())
    digest = hashlib.sha256(repr(sorted((name, value.lower()) for name, value in address.items())).encode())
    return {
        "ValidationResult": VALID if is_same else CORRECTED,
        "AddressExternalId": digest.hexdigest()[:32],
        "Address": address,
    }


def _street(street_info: str) -> dict[str, Any]:
    """The parts of a street, as the reference's examples have them.

    ``N. Third St.`` has a preDirectional, ``8th Avenue N`` a streetSuffix, ``Central Park S. Unit A`` a
    postDirectional, which has all that follows.
    """
    parts: dict[str, str] = {}
    name = street_info
    if before := _BEFORE.match(name):
        parts["preDirectional"], name = before[1], name[before.end() :]
    if after := _AFTER.search(name):
        parts["postDirectional"], name = f"{after[1]} {after[2]}", name[: after.start()]
    elif last := _LAST.search(name):
        parts["streetSuffix"], name = last[1], name[: last.start()]
    return {"streetName": name, **parts}
