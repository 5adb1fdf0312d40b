"""Pages that are also JSON: the same content as a list for people and as data for programs, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Request, Response, jsonify

from rolecall.web.console.pages import shown

# With one of these, a program could act for somebody. The address of an RTMP server ends with the key of a stream.
SECRETS = frozenset({"DeviceToken", "JoinToken", "Password", "PersonalPIN", "SecurityToken", "VoipDeviceToken"})
_SECRETS_BELOW = {"RTMPConfiguration": frozenset({"Url"})}
HIDDEN = "(hidden)"
FORMAT = "format"


def without_secrets(value: Any, below: str = "") -> Any:
    """A value of the API with a word in the place of every secret. ``below`` is the member that it is in."""
    if isinstance(value, Mapping):
        secret = SECRETS | _SECRETS_BELOW.get(below, frozenset())
        return {
            name: HIDDEN if name in secret and each is not None else without_secrets(each, name)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each, below) for each in value]
    return value


def shown_also_as_json(request: Request, template: str, content: Mapping[str, Any], **values: Any) -> Response:
    """The page, or its content as JSON for ``format=json``. The template gets the content by its names."""
    cleaned = without_secrets(content)
    if request.args.get(FORMAT) == "json":
        answer: Response = jsonify(cleaned)
        return answer
    query = urlencode({**request.args.to_dict(), FORMAT: "json"})
    return shown(template, as_json=f"?{query}", **cleaned, **values)
