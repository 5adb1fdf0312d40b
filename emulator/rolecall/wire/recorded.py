"""Parameters and answers as AWS CloudTrail records them: under its names, and without secrets.

CloudTrail writes member names with a small first letter, and times in a form for people. It leaves secrets out of the
records of IAM and STS, and replaces them by a word in the records of JSON services. Rolecall also hides session tokens,
which CloudTrail does not.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from msgspec import Struct

from rolecall.wire.models import Member, Shape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
# Always secret, because the oldest supported model marks fewer shapes as sensitive.
_SECRET = frozenset(
    {
        "AuthenticationCode1",
        "AuthenticationCode2",
        "ContextAssertion",
        "DecodedMessage",
        "EncodedMessage",
        "PersonalPIN",
        "SAMLAssertion",
        "SecretAccessKey",
        "TokenCode",
        "TradeInToken",
        "WebIdentityToken",
        # Of IAM Identity Center and of Sign-In, whose names begin with a small letter.
        "accessToken",
        "assertion",
        "clientSecret",
        "code",
        "codeVerifier",
        "deviceCode",
        "idToken",
        "refreshToken",
        "secretAccessKey",
        "sessionToken",
        "subjectToken",
        "token",
        "userCode",
        "verificationUriComplete",
    }
)
_HIDDEN_TOKEN = "SessionToken"  # noqa: S105
# Tokens that AWS itself issues are recorded by their id (IAM User Guide, Auditing cross-partition identity federation).
_IDENTIFIED_TOKEN = "WebIdentityToken"  # noqa: S105
_ISSUER_ENDING = ".tokens.sts.global.api.aws"
_TOKEN_ID_CHARACTERS = 128
# IAM User Guide, Logging IAM and AWS STS API calls: answers of reading operations are not recorded, except for these.
# For GetScopedCredentials AWS's record is not documented. The access key id in its answer tells whose calls follow.
_READING_PREFIXES = ("Get", "List", "Describe", "Search", "Simulate", "BatchGet", "Decode")
_ISSUING = frozenset({"GetFederationToken", "GetScopedCredentials", "GetSessionToken", "GetWebIdentityToken"})
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_HIDDEN_TEXT = f'"{HIDDEN}"'

# From a value to its JSON text.
Record = Callable[[Any], str]


class Recorder(Struct, frozen=True):
    """How calls of one operation are recorded, as JSON objects. ``answer`` is None when answers are not recorded.

    ``error_names`` gives the model's exception name for each code on the wire, because CloudTrail uses the name.
    """

    parameters: Record
    answer: Record | None
    error_names: Mapping[str, str]


def compile_recorder(
    operation_name: str, given: Shape | None, answered: Shape | None, protocol: str, error_names: Mapping[str, str]
) -> Recorder:
    """The recorder of an operation. It decides how to treat each member when it records the first call."""
    reads = operation_name.startswith(_READING_PREFIXES) and operation_name not in _ISSUING
    hides = protocol != "query"
    answer = None if reads or answered is None else _structure(answered, hides)
    return Recorder(_nothing if given is None else _structure(given, hides), answer, error_names)


def _nothing(_value: Any) -> str:
    return "{}"


def _hidden(_value: Any) -> str:
    return _HIDDEN_TEXT


def _structure(shape: Shape, hides: bool) -> Record:
    plan: dict[str, tuple[str, Record]] = {}

    def record_structure(value: Mapping[str, Any]) -> str:
        if not plan:
            plan.update(_members(shape, hides))
        parts = []
        for name, item in value.items():
            found = plan.get(name)
            if found is not None and item is not None:
                parts.append(found[0] + found[1](item))
            elif name == _IDENTIFIED_TOKEN and isinstance(item, str):
                parts += _token_id(item)
        return "{" + ",".join(parts) + "}"

    return record_structure


def _token_id(token: str) -> list[str]:
    """The member with the id of a token of AWS; none for a token of another issuer, or a text that is no token."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        issuer, token_id = claims["iss"], claims["jti"]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return []
    is_id = isinstance(token_id, str) and len(token_id) <= _TOKEN_ID_CHARACTERS
    if not is_id or not isinstance(issuer, str) or not issuer.endswith(_ISSUER_ENDING):
        return []
    return [f'"webIdentityTokenId":{quoted(token_id)}']


def _members(shape: Shape, hides: bool) -> dict[str, tuple[str, Record]]:
    members = {}
    for name, member in shape.members.items():
        secret = name in _SECRET or member.shape.sensitive
        if not secret or hides:
            hidden = secret or name == _HIDDEN_TOKEN
            label = quoted(name[0].lower() + name[1:]) + ":"
            members[name] = (label, _hidden if hidden else _value(member, hides))
    return members


def _value(member: Member, hides: bool) -> Record:
    shape = member.shape
    if shape.sensitive:
        return _hidden
    if shape.type == "structure" and not shape.traits.get("document"):
        return _structure(shape, hides)
    if shape.type == "list":
        return _list(shape.part("member"), hides)
    if shape.type == "map":
        return _map(shape, hides)
    records: dict[str, Record] = {"string": quoted, "timestamp": _time, "blob": _blob}
    return records.get(shape.type, json.dumps)


def _list(element: Member, hides: bool) -> Record:
    records: list[Record] = []

    def record_list(value: Any) -> str:
        if not records:
            records.append(_value(element, hides))
        return "[" + ",".join(map(records[0], value)) + "]"

    return record_list


def _map(shape: Shape, hides: bool) -> Record:
    records: list[Record] = []

    def record_map(value: Mapping[str, Any]) -> str:
        if not records:
            hidden_keys = shape.part("key").shape.sensitive
            records.extend((_hidden, _hidden) if hidden_keys else (quoted, _value(shape.part("value"), hides)))
        label, record = records
        return "{" + ",".join([f"{label(key)}:{record(item)}" for key, item in value.items()]) + "}"

    return record_map


def _blob(value: bytes) -> str:
    return f'"{base64.b64encode(value).decode("ascii")}"'


def _time(seconds: float) -> str:
    return f'"{spoken_time(seconds)}"'


# Sessions that are issued in the same second mostly expire in the same second too.
@lru_cache(maxsize=64)
def spoken_time(seconds: float) -> str:
    """``Aug 1, 2024 1:42:21 PM``."""
    at = time.gmtime(seconds)
    half = "AM" if at.tm_hour < 12 else "PM"
    clock = f"{at.tm_hour % 12 or 12}:{at.tm_min:02d}:{at.tm_sec:02d} {half}"
    return f"{_MONTHS[at.tm_mon - 1]} {at.tm_mday}, {at.tm_year} {clock}"
