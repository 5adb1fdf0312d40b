"""Whether a browser sent a request on behalf of another site, under this site's name or its own."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

# Top-level names that no public name ends with (RFC 6761; .internal: ICANN, 2024-07-29).
_PRIVATE_ENDINGS = (".localhost", ".test", ".internal")


def from_another_site(origin: str | None, host: str) -> bool:
    """True when the Origin header names another site than the ``Host`` that is asked; programs send no Origin."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != host
    except ValueError:
        return True


def loaded_by_another_site(fetch_site: str | None, fetch_mode: str | None) -> bool:
    """True when a page of another site loads this one's as its image, script or the like (W3C, Fetch Metadata).

    Browsers send no Origin with that. A link that a visitor follows is none of it.
    """
    return fetch_site in ("cross-site", "same-site") and fetch_mode != "navigate"


def is_private_name(host: str) -> bool:
    """Whether nobody else can own the name in a ``Host`` header: an address, or a name that is not public.

    A public name may lead to this machine for as long as its owner likes; in a browser its pages are then of the same
    site as what answers here (DNS rebinding).
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)
    return True
