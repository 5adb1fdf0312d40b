"""Whether a browser sent a request on behalf of another site."""

from __future__ import annotations

from urllib.parse import urlsplit


def from_another_site(origin: str | None, host: str) -> bool:
    """True when the Origin header names another site than the ``Host`` that is asked; programs send no Origin."""
    return origin is not None and urlsplit(origin).netloc != host
