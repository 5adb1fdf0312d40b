"""JSON bodies of the control endpoints: read with a limit, and refused with a message for the client."""

from __future__ import annotations

import json
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

MAXIMUM_BODY_BYTES = 262_144
NOT_JSON_MESSAGE = "The body is not JSON."
TWICE_MESSAGE = "The body has {name} twice."
TOO_LARGE_MESSAGE = f"The body is larger than {MAXIMUM_BODY_BYTES} bytes."


class BadBodyError(ValueError):
    """A body that cannot be read. The message is for the client."""


def read_json(request: Request, *, if_empty: str = "") -> Any:
    """The body as JSON, with any content type; ``if_empty`` replaces an empty body. Raises BadBodyError."""
    request.max_content_length = MAXIMUM_BODY_BYTES
    try:
        return json.loads(request.get_data() or if_empty, object_pairs_hook=_object)
    except BadBodyError:
        raise
    except RequestEntityTooLarge as error:
        raise BadBodyError(TOO_LARGE_MESSAGE) from error
    except (ValueError, RecursionError) as error:
        raise BadBodyError(NOT_JSON_MESSAGE) from error


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises BadBodyError for a repeated name. Python would silently drop its first value."""
    value = dict(members)
    if len(value) != len(members):
        names = [name for name, _ in members]
        raise BadBodyError(TWICE_MESSAGE.format(name=next(name for name in names if names.count(name) > 1)))
    return value
