"""Who may use the control endpoints: this machine, and other machines that prove the control token."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct
from werkzeug.datastructures import Headers

from rolecall.reprs import repr_without

MINIMUM_TOKEN_CHARACTERS = 16
# What RFC 6750 allows in an Authorization header.
_read_token = re.compile(r"[A-Za-z0-9._~+/-]+=*", re.ASCII).fullmatch
# A proxy sets one of these. Then the client is another one than the sender, whose address is the proxy's.
PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Sender(Enum):
    """What is known of the sender of a request."""

    ADMITTED = "admitted"
    # Another machine, which cannot be admitted.
    STRANGER = "stranger"
    # Another machine, which would be admitted with the token.
    UNPROVEN = "unproven"


class ControlAccess(Struct, frozen=True):
    """Which other machines may use the control endpoints: those of ``networks``, by the token. Without one: none.

    Without ``networks`` the token alone decides.
    """

    token: str = ""
    networks: tuple[_Network, ...] = ()

    __repr__ = repr_without("token")

    def judge(self, address: str, headers: Headers) -> Sender:
        """The sender at an address, with these headers of its request."""
        if _is_loopback(address) and not any(name in headers for name in PROXY_HEADERS):
            return Sender.ADMITTED
        if not self.token or not self._is_in_networks(address):
            return Sender.STRANGER
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        proven = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return Sender.ADMITTED if proven and scheme.lower() == "bearer" else Sender.UNPROVEN

    def _is_in_networks(self, address: str) -> bool:
        if not self.networks:
            return True
        known = _address(address)
        return known is not None and any(known in network for network in self.networks)


THIS_MACHINE_ONLY = ControlAccess()


def control_access(token: str = "", hosts: Iterable[str] = ()) -> ControlAccess:
    """The access that a user's options describe. Raises ValueError with a message for the user."""
    networks = tuple(map(_network, hosts))
    if networks and not token:
        raise ValueError("--control-host needs --control-token")
    if token and (len(token) < MINIMUM_TOKEN_CHARACTERS or _read_token(token) is None):
        raise ValueError(
            f"the control token needs {MINIMUM_TOKEN_CHARACTERS} or more letters, digits and characters of -._~+/, "
            "such as from: openssl rand -hex 32"
        )
    return ControlAccess(token, networks)


def _network(host: str) -> _Network:
    try:
        return ipaddress.ip_network(host)
    except ValueError as error:
        raise ValueError(f"{host!r} is no address or network: write it as 10.1.2.3 or 10.0.0.0/8") from error


def _is_loopback(address: str) -> bool:
    known = _address(address)
    return known is not None and known.is_loopback


def _address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return None
    # How a server that listens on :: sees a client of IPv4.
    return getattr(known, "ipv4_mapped", None) or known
