"""What a request for a token or an assertion is checked against, apart from what signs one: that takes long to load."""

from __future__ import annotations

import re

IDP_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class TokenRequestError(ValueError):
    """A token that cannot be issued. The user sees the message."""


class AssertionRequestError(ValueError):
    """An assertion that cannot be issued. The user sees the message."""
