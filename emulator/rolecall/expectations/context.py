"""The condition keys that an expectation gives, as requests carry them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rolecall.access.permission import ContextValue

MFA_PRESENT, MFA_AGE = "aws:multifactorauthpresent", "aws:multifactorauthage"
REQUESTED_REGION = "aws:requestedregion"
EXTERNAL_ID, SESSION_NAME, SOURCE_IDENTITY = "sts:externalid", "sts:rolesessionname", "sts:sourceidentity"
TRANSITIVE_KEYS, REQUEST_TAG, TAG_KEYS = "sts:transitivetagkeys", "aws:requesttag/", "aws:tagkeys"
_OTHER_ENDING = "-other"
_OTHERS = {"true": "false", "false": "true"}

Context = Mapping[str, ContextValue]


def as_given_key(key: str) -> str:
    """A condition key in lower case, except for the name of a tag: that becomes the key of a session tag."""
    name, slash, tag = key.partition("/")
    return f"{name.lower()}{slash}{tag}"


def as_request_value(value: Any) -> ContextValue | None:
    """The value of a condition key in a file as requests carry it; None for a value that no request can carry."""
    if isinstance(value, list):
        texts = [_text(each) for each in value]
        return None if None in texts or not texts else tuple(text for text in texts if text is not None)
    return _text(value)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    return None


def without_each(context: Context, spelled: Mapping[str, str]) -> list[tuple[str, Context]]:
    """The contexts in which one key is missing or has another value, each with words for what differs.

    ``spelled`` has the keys as the words show them.
    """
    found: list[tuple[str, Context]] = []
    for key, value in context.items():
        found.append(
            (f"without {spelled.get(key, key)}", {name: each for name, each in context.items() if name != key})
        )
        found.append((f"with another {spelled.get(key, key)}", {**context, key: _other(value)}))
    return found


def _other(value: ContextValue) -> ContextValue:
    if isinstance(value, str):
        return _OTHERS.get(value.lower(), f"{value}{_OTHER_ENDING}")
    return tuple(f"{each}{_OTHER_ENDING}" for each in value)
