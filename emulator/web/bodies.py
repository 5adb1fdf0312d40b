"""JSON bodies of the control endpoints: read with a limit, and refused with a sentence for whoever sent them."""

from __future__ import annotations

import json
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

MAXIMUM_BODY_BYTES = 262_144
NOT_JSON_MESSAGE = "The body is not JSON."
TOO_LARGE_MESSAGE = f"The body is larger than {MAXIMUM_BODY_BYTES} bytes."


class BadBodyError(ValueError):
    """A body that cannot be understood; the message is for whoever sent it."""


def read_json(request: Request) -> Any:
    """The body, whatever content type it claims to be of. Raises BadBodyError."""
    request.max_content_length = MAXIMUM_BODY_BYTES
    try:
        return json.loads(request.get_data(cache=False))
    except RequestEntityTooLarge as error:
        raise BadBodyError(TOO_LARGE_MESSAGE) from error
    except (ValueError, RecursionError) as error:
        raise BadBodyError(NOT_JSON_MESSAGE) from error
