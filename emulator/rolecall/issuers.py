"""URLs of OpenID Connect issuers: which URLs a provider may have, and which issuers are Rolecall's own.

The rules are from the IAM API reference, CreateOpenIDConnectProvider: https, no query, no port. There are two
exceptions for tests on one machine. An issuer on this machine may use http and a port. Rolecall's own issuers may have
any address of the server, because their keys are never fetched.
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
    """Why a URL cannot be a provider's, for people; empty when it can."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is not a URL"
    loopback = is_loopback(host)
    if parts.scheme not in ("https", "http") or not url.startswith(f"{parts.scheme}://"):
        return "it must begin with https://"
    if parts.scheme == "http" and not loopback and not is_own(url):
        return "http is only for issuers on this machine: others need https"
    if port is not None and not loopback and not is_own(url):
        return "it must not name a port"
    if len(url) > MAXIMUM_URL_CHARACTERS or not (loopback or _HOST.fullmatch(host)):
        return "it has no valid host"
    if "?" in url or "#" in url or "@" in parts.netloc or not _PATH.fullmatch(parts.path):
        return "it must have only a host and a path"
    return ""


def is_own(url: str) -> bool:
    """Whether the issuer is one of this sandbox's own, under any address of the server."""
    return _OWN_PATH.fullmatch(_split(url).path) is not None


def key_purpose(url: str) -> str:
    """The purpose under which the signing keys of an issuer are stored: Rolecall's own issuer, or a declared URL."""
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
    """``host/path``: the start of condition keys, and the form that IAM shows."""
    return url.partition("://")[2] or url


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")
