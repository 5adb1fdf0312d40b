"""Whether a browser sent a request on behalf of another site, under this site's name or its own.

What is judged is what the client sent, byte for byte: a framework's reading of the ``Host`` header is empty for what it
does not understand, and what nobody understands must not pass for a name of this machine.
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
# 253 characters of a name, its final dot, and a port.
_MAXIMUM_HOST_CHARACTERS = 260
_LABEL = r"[a-z0-9_-]{1,63}"
# Host of RFC 9112 as far as it names one. Underscores: names of Docker Compose have them.
_read_host = re.compile(
    rf"(?:\[(?P<address>[0-9a-f:.]+(?:%[a-z0-9_.-]+)?)\]|(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?)(?::[0-9]{{0,5}})?",
    re.ASCII | re.IGNORECASE,
).fullmatch
_read_origin = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9_.:\[\]-]+", re.ASCII).fullmatch
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# What a browser says of a request that no other site is behind (W3C, Fetch Metadata); "none" is typed by a person.
_OF_THIS_SITE = ("same-origin", "none")


def asked_host(environ: Mapping[str, Any]) -> str:
    """The name that a request is sent to, as the client wrote it; empty when its target names another one.

    A target in absolute form (``GET http://name/``) goes before the header: RFC 9112, section 3.2.2.
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
    """The name or address in a ``Host`` header, in lower case; None for what is no such header."""
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
    """Whether nobody else can own a name that :func:`host_name` has read: an address, or a name that is not public.

    A public name may lead to this machine for as long as its owner likes; in a browser its pages are then of the same
    site as what answers here (DNS rebinding).
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)
    return True


def from_another_site(origin: str | None, host: str) -> bool:
    """True when the Origin header names another site than the ``Host`` that is asked; programs send no Origin."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def sent_by_another_site(fetch_site: str | None) -> bool:
    """True when a browser says that a page of another site is behind a request; programs say nothing."""
    return fetch_site is not None and fetch_site not in _OF_THIS_SITE


def loaded_by_another_site(fetch_site: str | None, fetch_mode: str | None) -> bool:
    """The same without a link or a form that leads a visitor here, which is what a page to sign in at is for."""
    return sent_by_another_site(fetch_site) and fetch_mode != "navigate"


def is_silent_browser(user_agent: str) -> bool:
    """Whether a browser sent it, by the name that all of them bear (MDN, "User-Agent").

    One that says neither Origin nor Sec-Fetch-Site is old, or asks a name that it does not trust, such as that of
    another machine, for an image: nothing tells whose page that is on.
    """
    return user_agent.startswith("Mozilla/") and "Gecko" in user_agent


@dataclass(frozen=True, slots=True)
class Admission:
    """The names and the origins that the server was told to answer to, besides those that are always safe.

    ``hosts`` are names in lower case, or endings that begin with a dot; ``origins`` are as browsers write them.
    """

    hosts: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()

    def knows_name(self, host: str) -> bool:
        """Whether a ``Host`` header is a name of this machine, or one that the server was told."""
        name = host_name(host)
        return name is not None and (is_private_name(name) or self._was_told(name))

    def answers_to(self, host: str) -> bool:
        """The same, or a name of AWS's, which nobody but AWS can let lead elsewhere."""
        name = host_name(host)
        return name is not None and (self.knows_name(host) or is_aws_host(name))

    def _was_told(self, name: str) -> bool:
        return any(name.endswith(told) if told.startswith(".") else name == told for told in self.hosts)


NOBODY_ELSE = Admission()


def admission_of(hosts: Iterable[str] = (), origins: Iterable[str] = (), *, listening_at: str = "") -> Admission:
    """What may ask, from what a person wrote; the server's own name may. Raises ValueError that says what is wrong.

    A host is a name, or ``*.`` and an ending of names; an origin is ``scheme://host:port``.
    """
    told = [_told_host(host) for host in hosts]
    own = host_name(f"[{listening_at}]" if ":" in listening_at else listening_at)
    return Admission((*told, *([own] if own else [])), frozenset(map(_told_origin, origins)))


def _told_host(host: str) -> str:
    name = host_name(host.removeprefix("*."))
    # Without a port: a name is as safe at each of them.
    if name is None or name != host.removeprefix("*.").lower().rstrip("."):
        raise ValueError(f"{host!r} is no name of a host: write it as rolecall.example.com, or *.example.com")
    return f".{name}" if host.startswith("*.") else name


def _told_origin(origin: str) -> str:
    written = origin.lower().removesuffix("/")
    scheme = written.partition("://")[0]
    # Browsers leave out the port that goes without saying.
    written = written.removesuffix(_DEFAULT_PORTS.get(scheme, "\0"))
    if _read_origin(written) is None or host_name(written.partition("://")[2]) is None:
        raise ValueError(
            f"{origin!r} is no origin of a page: write it as http://localhost:3000; there is none for all pages"
        )
    return written
