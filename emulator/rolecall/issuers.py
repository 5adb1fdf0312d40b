"""URLs of OpenID Connect issuers: which ones may be a provider, and which ones are Rolecall's own.

The rules are those of the IAM API reference, CreateOpenIDConnectProvider: https, no query, no port. For tests on one
machine two things are allowed besides: http and a port where the host is this machine, and Rolecall's own issuers
under whatever address the server is reached, because their keys are never fetched.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

MAXIMUM_URL_CHARACTERS = 255
OWN_PREFIX = "/_rolecall/oidc/"
ISSUER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PURPOSE_CHARACTERS = 128
_OWN_PATH = re.compile(re.escape(OWN_PREFIX) + f"(?:{ISSUER_NAME.pattern})")
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!&'()+,;=:@%-]*)*")


def issuer_problem(url: str) -> str:
    """What keeps a URL from being a provider's, for people; empty when nothing does."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is no URL"
    loopback = is_loopback(host)
    if parts.scheme not in ("https", "http") or not url.startswith(f"{parts.scheme}://"):
        return "it must begin with https://"
    if parts.scheme == "http" and not loopback and not is_own(url):
        return "http is for issuers on this machine: others need https"
    if port is not None and not loopback and not is_own(url):
        return "it must not name a port"
    if len(url) > MAXIMUM_URL_CHARACTERS or not (loopback or _HOST.fullmatch(host)):
        return "it names no host"
    if "?" in url or "#" in url or "@" in parts.netloc or not _PATH.fullmatch(parts.path):
        return "it must be a host and a path alone"
    return ""


def is_own(url: str) -> bool:
    """Whether the issuer is one of this sandbox's, wherever the server is reached."""
    return _OWN_PATH.fullmatch(_split(url).path) is not None


def key_purpose(url: str) -> str:
    """Under which purpose the keys are kept with which Rolecall signs for an issuer: its own, or a declared URL."""
    name = _split(url).path.removeprefix(OWN_PREFIX) if is_own(url) else url
    purpose = f"oidc {name}"
    if len(purpose) <= _PURPOSE_CHARACTERS:
        return purpose
    return f"oidc {hashlib.sha256(name.encode()).hexdigest()}"


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine's own (RFC 6761 for names, RFC 6890 for addresses)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def without_scheme(url: str) -> str:
    """``host/path``: what condition keys begin with, and what IAM shows."""
    return url.partition("://")[2] or url


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")
