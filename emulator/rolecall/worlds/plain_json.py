"""JSON without YAML's parser, which takes ten times as long. Only for texts that mean the same in both."""

from __future__ import annotations

import json
import re
from typing import Any

# A line break or a forbidden character to YAML, or one half of a character. A tab may not stand everywhere there.
_OTHERWISE_IN_YAML = re.compile(r"[\t\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\\u[dD][89a-fA-F]")
_MAXIMUM_INTEGER_CHARACTERS = 64


class NotPlainError(ValueError):
    """A text that is no JSON, or that YAML might read in another way."""


def plain_json(text: str, maximum_depth: int, maximum_values: int) -> Any:
    """The value of a text. Raises NotPlainError, also for one that is nested more deeply or has more values.

    The bounds are YAML's: a key is a value, too.
    """
    if not text.startswith("{") or _OTHERWISE_IN_YAML.search(text):
        raise NotPlainError
    try:
        value = _read(text)
    except (ValueError, RecursionError) as error:
        raise NotPlainError from error
    _check_size(value, maximum_depth, maximum_values)
    return value


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotPlainError
    return members


def _integer(digits: str) -> int:
    if len(digits) > _MAXIMUM_INTEGER_CHARACTERS:
        raise NotPlainError
    return int(digits)


def _refuse(_number: str) -> None:
    raise NotPlainError


_read = json.JSONDecoder(
    object_pairs_hook=_mapping, parse_int=_integer, parse_float=_refuse, parse_constant=_refuse
).decode


def _check_size(value: Any, maximum_depth: int, maximum_values: int) -> None:
    """Level by level, because Python's own stack has a limit."""
    level, depth, values = [value], 0, 1
    while level:
        inner: list[Any] = []
        for each in level:
            is_mapping = type(each) is dict
            values += len(each) * 2 if is_mapping else len(each)
            inner += [member for member in (each.values() if is_mapping else each) if type(member) in (dict, list)]
        level = inner
        depth += 1
        if depth > maximum_depth or values > maximum_values:
            raise NotPlainError
