"""What a request for a token or an assertion is checked against, apart from what signs one: that takes long to load."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

IDP_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class TokenRequestError(ValueError):
    """A token that cannot be issued. The user sees the message."""


class AssertionRequestError(ValueError):
    """An assertion that cannot be issued. The user sees the message."""


def read_claim(text: str) -> tuple[str, Any]:
    """Name and value of a claim: ``k=v`` has a text, ``k:=v`` a JSON value. Raises TokenRequestError."""
    name, equals, value = text.partition("=")
    if not equals or not name.removesuffix(":"):
        raise TokenRequestError(f"{text}: write it as NAME=TEXT, or as NAME:=JSON")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TokenRequestError(f"{text}: the value after := is not JSON") from error


def _no_constant(name: str) -> None:
    """NaN and Infinity are no JSON, but Python reads them."""
    raise ValueError(name)


def read_pairs(texts: Iterable[str]) -> dict[str, list[str]]:
    """The values of names, from texts ``NAME=TEXT``. Raises AssertionRequestError."""
    found: dict[str, list[str]] = {}
    for text in texts:
        # The first = ends the name: values contain a = more often than names.
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise AssertionRequestError(f"{text}: write it as NAME=TEXT")
        found.setdefault(name, []).append(value)
    return found
