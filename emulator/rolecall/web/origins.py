"""Whether a page of another site is behind a browser's request, under this site's name or its own name.

The check uses the bytes that the client sent. A framework gives an empty name for a ``Host`` header that it cannot
read, and an unreadable name must not count as a name of this machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rolecall.wire import is_aws_host

# Top-level names that no public name ends with (RFC 6761; .internal: ICANN, 2024-07-29).
_PRIVATE_ENDINGS = (".localhost", ".test", ".internal")
# A name of 253 characters, its final dot, and a port.
_MAXIMUM_HOST_CHARACTERS = 260
_LABEL = r"[a-z0-9_-]{1,63}"
# Host of RFC 9112, as far as it is a name or address. Underscores: Docker Compose makes such names.
_read_host = re.compile(
    rf"(?:\[(?P<address>[0-9a-f:.]+(?:%[a-z0-9_.-]+)?)\]|(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?)(?::[0-9]{{0,5}})?",
    re.ASCII | re.IGNORECASE,
).fullmatch
_read_origin = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9_.:\[\]-]+", re.ASCII).fullmatch
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# A browser's values for a request without another site behind it (W3C, Fetch Metadata). "none": a person typed the URL.
_OF_THIS_SITE = ("same-origin", "none")


def asked_host(environ: Mapping[str, Any]) -> str:
    """The name in a request, as the client wrote it; empty when the request's target has another name.

    A target in absolute form (``GET http://name/``) takes precedence over the header: RFC 9112, section 3.2.2.
    """
    host: str = environ.get("HTTP_HOST", "")
    target: str = environ.get("RAW_URI", "")
    if target.startswith("/") or target in ("", "*"):
        return host
    try:
        return host if urlsplit(target).netloc.lower() == host.lower() else ""
    except ValueError:
        return ""


def host_name(host: str) -> str | None:
    """The name or address in a ``Host`` header, in lower case; None for an invalid header."""
    if len(host) > _MAXIMUM_HOST_CHARACTERS:
        return None
    found = _read_host(host)
    if found is None:
        return None
    address, name = found["address"], found["name"]
    if address is None:
        return str(name).lower()
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return None
    return str(address).lower()


def is_private_name(name: str) -> bool:
    """Whether a name from :func:`host_name` is safe from other owners: an address, or a name that is not public.

    The owner of a public name may point it to this machine. A browser then takes the owner's pages and this server for
    the same site (DNS rebinding).
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)
    return True


def from_another_site(origin: str | None, host: str) -> bool:
    """True when the Origin header names another site than the ``Host`` header. Programs send no Origin."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def sent_by_another_site(fetch_site: str | None) -> bool:
    """True when a browser reports that a page of another site is behind a request. Programs report nothing."""
    return fetch_site is not None and fetch_site not in _OF_THIS_SITE


def loaded_by_another_site(fetch_site: str | None, fetch_mode: str | None) -> bool:
    """The same, except for a link or form that leads a visitor here: the sign-in page must allow those."""
    return sent_by_another_site(fetch_site) and fetch_mode != "navigate"


def is_silent_browser(user_agent: str) -> bool:
    """Whether the user agent is a browser, by the name that all browsers have in common (MDN, "User-Agent").

    A browser that sends neither Origin nor Sec-Fetch-Site is old, or loads an image from a name that it does not trust,
    such as another machine's. Nothing then shows which site the page is on.
    """
    return user_agent.startswith("Mozilla/") and "Gecko" in user_agent


@dataclass(frozen=True, slots=True)
class Admission:
    """The names and the origins that the user permitted, besides those that are always safe.

    ``hosts`` are names in lower case, or endings that begin with a dot. ``origins`` are as browsers write them.
    """

    hosts: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()

    def knows_name(self, host: str) -> bool:
        """Whether a ``Host`` header is a name of this machine, or a permitted name."""
        name = host_name(host)
        return name is not None and (is_private_name(name) or self._is_permitted(name))

    def answers_to(self, host: str) -> bool:
        """The same, or a name of AWS: only AWS can make its names lead to another machine."""
        name = host_name(host)
        return name is not None and (self.knows_name(host) or is_aws_host(name))

    def _is_permitted(self, name: str) -> bool:
        return any(name.endswith(host) if host.startswith(".") else name == host for host in self.hosts)


DEFAULT_ADMISSION = Admission()


def admission_of(hosts: Iterable[str] = (), origins: Iterable[str] = (), *, listening_at: str = "") -> Admission:
    """The admission for the names and origins that a user gave, and for the server's own name.

    A host is a name, or ``*.`` and an ending of names. An origin is ``scheme://host:port``. Raises ValueError with what
    is wrong.
    """
    given = [_given_host(host) for host in hosts]
    own = host_name(f"[{listening_at}]" if ":" in listening_at else listening_at)
    return Admission((*given, *([own] if own else [])), frozenset(map(_given_origin, origins)))


def _given_host(host: str) -> str:
    name = host_name(host.removeprefix("*."))
    # Without a port: a name is equally safe at each port.
    if name is None or name != host.removeprefix("*.").lower().rstrip("."):
        raise ValueError(f"{host!r} is not the name of a host: write it as rolecall.example.com, or *.example.com")
    return f".{name}" if host.startswith("*.") else name


def _given_origin(origin: str) -> str:
    written = origin.lower().removesuffix("/")
    scheme = written.partition("://")[0]
    # Browsers leave out the default port.
    written = written.removesuffix(_DEFAULT_PORTS.get(scheme, "\0"))
    if _read_origin(written) is None or host_name(written.partition("://")[2]) is None:
        raise ValueError(
            f"{origin!r} is not an origin of a page: write it as http://localhost:3000; no pattern covers all origins"
        )
    return written
