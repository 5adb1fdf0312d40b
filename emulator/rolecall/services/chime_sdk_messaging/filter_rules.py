"""Filter rules of push notifications (Chime SDK Developer Guide, Using filter rules to filter messages).

A rule names attributes of messages. Each has a list of exact texts, or of texts that it must not be. A key ``or`` has a
list of rules, one of which must match. The guide names no other form. AWS's messages are not recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rolecall.errors import bad_request

_MAXIMUM_BYTES = 2048
_MAXIMUM_ALTERNATIVES = 5
_MAXIMUM_COMPLEXITY = 20
_EXCLUDING = "anything-but"
# How the key is written is not recorded: rules of Amazon SNS have the dollar sign.
_ALTERNATIVES = frozenset({"or", "$or"})


def check_filter_rule(text: str) -> None:
    """Raises AwsError BadRequestException for a rule that is malformed, too long or too complex."""
    if len(text.encode(errors="replace")) > _MAXIMUM_BYTES:
        raise bad_request(f"FilterRule may have at most {_MAXIMUM_BYTES} bytes.")
    try:
        rule = json.loads(text)
    except (ValueError, RecursionError):
        rule = None
    if not isinstance(rule, dict):
        raise bad_request("FilterRule must be a JSON object.")
    complexity = _complexity(rule, nested=False)
    if complexity > _MAXIMUM_COMPLEXITY:
        message = f"The complexity of FilterRule is {complexity}: it may have {_MAXIMUM_COMPLEXITY} keys and values."
        raise bad_request(message)


def _complexity(rule: Mapping[str, Any], *, nested: bool) -> int:
    """How many keys and values a rule has. Raises AwsError BadRequestException for any other form."""
    total = 0
    for key, values in rule.items():
        if not isinstance(values, list) or not values:
            raise bad_request(f"FilterRule must have a list of texts for {key}.")
        if key in _ALTERNATIVES and not nested:
            if len(values) > _MAXIMUM_ALTERNATIVES:
                raise bad_request(f"FilterRule may have at most {_MAXIMUM_ALTERNATIVES} constraints in {key}.")
            if not all(isinstance(each, dict) for each in values):
                raise bad_request(f"FilterRule must have a list of JSON objects for {key}.")
            total += sum(_complexity(each, nested=True) for each in values)
        else:
            total += 1 + sum(_texts(key, value) for value in values)
    return total


def _texts(key: str, value: Any) -> int:
    """How many texts a value has: itself, or those that the attribute must not be."""
    texts = value.get(_EXCLUDING) if isinstance(value, dict) and value.keys() == {_EXCLUDING} else [value]
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise bad_request(f"FilterRule compares exact texts only: {key} has texts, or {_EXCLUDING} with texts.")
    return len(texts)
