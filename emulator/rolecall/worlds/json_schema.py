"""What a check accepts, as a JSON schema, so that an editor completes a file and marks its mistakes.

A schema says what concerns one value. What a value refers to, and the grammar of policies, only the checks know: a
schema refuses nothing that AWS accepts. The schemas are of draft 7, which every editor knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Schema = dict[str, Any]
_Checking = TypeVar("_Checking", bound=Callable[..., Any])
DRAFT = "http://json-schema.org/draft-07/schema#"
_ATTRIBUTE = "json_schema"
# Flags within a pattern, and characters of more than four digits. A pattern that has them is left to the checks.
_NOT_IN_JAVASCRIPT = ("(?s)", "(?i:", r"\U")

_TEXTS: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_PRINCIPALS: Schema = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": dict.fromkeys(("AWS", "Service", "Federated", "CanonicalUser"), _TEXTS),
            "additionalProperties": False,
        },
    ]
}
_STATEMENT: Schema = {
    "type": "object",
    "properties": {
        "Sid": {"type": "string"},
        "Effect": {"enum": ["Allow", "Deny"]},
        "Principal": _PRINCIPALS,
        "NotPrincipal": _PRINCIPALS,
        "Action": _TEXTS,
        "NotAction": _TEXTS,
        "Resource": _TEXTS,
        "NotResource": _TEXTS,
        "Condition": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    "required": ["Effect"],
    "additionalProperties": False,
}
# IAM User Guide, IAM JSON policy elements reference.
POLICY: Schema = {
    "description": "a policy document: a mapping, or JSON text",
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {
                "Version": {"enum": ["2012-10-17", "2008-10-17"]},
                "Id": {"type": "string"},
                "Statement": {
                    "anyOf": [
                        {"$ref": "#/definitions/statement"},
                        {"type": "array", "items": {"$ref": "#/definitions/statement"}},
                    ]
                },
            },
            "required": ["Statement"],
            "additionalProperties": False,
        },
    ],
}
A_POLICY: Schema = {"$ref": "#/definitions/policy"}


def accepting(schema: Callable[[], Schema]) -> Callable[[_Checking], _Checking]:
    """Say what a check accepts. The schema is made only when it is asked for."""

    def decorated(check: _Checking) -> _Checking:
        setattr(check, _ATTRIBUTE, schema)
        return check

    return decorated


def schema_of(check: Callable[..., Any]) -> Schema:
    """What a check accepts. Raises AttributeError for a check that does not say it."""
    schema: Schema = getattr(check, _ATTRIBUTE)()
    return schema


def text_matching(pattern: str, description: str) -> Schema:
    """A text that matches all of a pattern. JSON schemas have the regular expressions of JavaScript."""
    if pattern.startswith("(?s)."):
        # JavaScript has no flag within a pattern.
        pattern = r"[\s\S]" + pattern.removeprefix("(?s).")
    if any(sign in pattern for sign in _NOT_IN_JAVASCRIPT):
        return {"type": "string", "description": description}
    return {"type": "string", "pattern": f"^(?:{pattern})$", "description": description}


def mapping_with(
    properties: Mapping[str, Schema], required: tuple[str, ...], alternatives: Mapping[str, str]
) -> Schema:
    """A mapping with known keys. ``alternatives`` are keys that may stand in place of another one."""
    schema: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    plain = [key for key in required if key not in alternatives]
    if plain:
        schema["required"] = plain
    either = [
        {"anyOf": [{"required": [key]}, {"required": [alternatives[key]]}]} for key in required if key not in plain
    ]
    if either:
        schema["allOf"] = either
    return schema


def document(check: Callable[..., Any], title: str) -> Schema:
    """The whole schema of a file that a check accepts."""
    schema = schema_of(check)
    return {"$schema": DRAFT, "title": title, **schema, "definitions": {"policy": POLICY, "statement": _STATEMENT}}
