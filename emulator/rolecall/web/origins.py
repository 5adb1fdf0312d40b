"""Whether a browser sent a request on behalf of another site, under this site's name or under its own.

These functions judge the headers as the client sent them. A framework reads an invalid ``Host`` header as an empty
one, but an invalid header must not pass as a name of this machine.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from rolecall.web.control_access import THIS_MACHINE_ONLY, ControlAccess
from rolecall.wire import is_aws_host

# No public name ends with these (RFC 6761; .internal: ICANN, 2024-07-29).
_PRIVATE_ENDINGS = (".localhost", ".test", ".internal")
# A name of 253 characters, its final dot, and a port.
_MAXIMUM_HOST_CHARACTERS = 260
_LABEL = r"[a-z0-9_-]{1,63}"
# Host of RFC 9112, but not empty. Underscores are allowed because names of Docker Compose have them.
_read_host = re.compile(
    rf"(?:\[(?P<address>[0-9a-f:.]+(?:%[a-z0-9_.-]+)?)\]|(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?)(?::[0-9]{{0,5}})?",
    re.ASCII | re.IGNORECASE,
).fullmatch
_read_origin = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9_.:\[\]-]+", re.ASCII).fullmatch
# A token of 16 random characters cannot be guessed over a network.
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
# Values of Sec-Fetch-Site without another site (W3C, Fetch Metadata). "none": the user typed the address.
_OF_THIS_SITE = ("same-origin", "none")


def asked_host(environ: Mapping[str, Any]) -> str:
    """The ``Host`` header as the client wrote it. Empty when the request's target names another host.

    A target in absolute form (``GET http://name/``) has precedence over the header: RFC 9112, section 3.2.2.
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
    """The name or address in a ``Host`` header, in lower case. None for an invalid header."""
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
    """Whether a name from :func:`host_name` is an address or a name that no stranger can own.

    The owner of a public name can point it at this machine. A browser would then treat the owner's pages and this
    server as the same site (DNS rebinding).
    """
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)
    return True


def from_another_site(origin: str | None, host: str) -> bool:
    """True when the Origin header names another site than ``host``. Programs send no Origin."""
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


def sent_by_another_site(fetch_site: str | None) -> bool:
    """True when the browser says that a page of another site caused the request. Programs send no Sec-Fetch-Site."""
    return fetch_site is not None and fetch_site not in _OF_THIS_SITE


def loaded_by_another_site(fetch_site: str | None, fetch_mode: str | None) -> bool:
    """As :func:`sent_by_another_site`, but False for a link or form that brings the user to a page of this site."""
    return sent_by_another_site(fetch_site) and fetch_mode != "navigate"


def is_silent_browser(user_agent: str) -> bool:
    """Whether a browser sent the request: all browsers share this form of the name (MDN, "User-Agent").

    For requests without Origin and Sec-Fetch-Site. Old browsers send neither. New ones send neither when they load an
    image from a name that they do not trust, such as another machine's. Then nothing shows whose page it is on.
    """
    return user_agent.startswith("Mozilla/") and "Gecko" in user_agent


class Admission(Struct, frozen=True):
    """The names, origins and machines that the user has allowed, besides the ones that are always safe.

    ``hosts`` are names in lower case, or endings that begin with a dot. ``origins`` are as browsers write them.
    """

    hosts: tuple[str, ...] = ()
    origins: frozenset[str] = frozenset()
    control: ControlAccess = THIS_MACHINE_ONLY

    def knows_name(self, host: str) -> bool:
        """Whether a ``Host`` header is a private name, an address or an allowed name."""
        name = host_name(host)
        return name is not None and (is_private_name(name) or self._is_allowed(name))

    def answers_to(self, host: str) -> bool:
        """As :meth:`knows_name`, and True for AWS's own names too: no stranger can point those at this machine."""
        name = host_name(host)
        return name is not None and (self.knows_name(host) or is_aws_host(name))

    def _is_allowed(self, name: str) -> bool:
        return any(name.endswith(allowed) if allowed.startswith(".") else name == allowed for allowed in self.hosts)


DEFAULT_ADMISSION = Admission()


def admission_of(
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
    *,
    listening_at: str = "",
    control: ControlAccess = THIS_MACHINE_ONLY,
) -> Admission:
    """The admission that a user's options describe; the server's own name is allowed too.

    A host is a name, or ``*.`` and an ending of names. An origin is ``scheme://host:port``. Raises ValueError with a
    message for the user.
    """
    allowed = [_allowed_host(host) for host in hosts]
    own = host_name(f"[{listening_at}]" if ":" in listening_at else listening_at)
    return Admission((*allowed, *([own] if own else [])), frozenset(map(_allowed_origin, origins)), control)


def _allowed_host(host: str) -> str:
    name = host_name(host.removeprefix("*."))
    # A port is refused: a name is allowed at every port.
    if name is None or name != host.removeprefix("*.").lower().rstrip("."):
        raise ValueError(f"{host!r} is not a host name: write it as rolecall.example.com or *.example.com")
    return f".{name}" if host.startswith("*.") else name


def _allowed_origin(origin: str) -> str:
    written = origin.lower().removesuffix("/")
    scheme = written.partition("://")[0]
    # Browsers leave out the default port.
    written = written.removesuffix(_DEFAULT_PORTS.get(scheme, "\0"))
    if _read_origin(written) is None or host_name(written.partition("://")[2]) is None:
        raise ValueError(
            f"{origin!r} is not the origin of a page: write it as http://localhost:3000; no value allows every page"
        )
    return written
