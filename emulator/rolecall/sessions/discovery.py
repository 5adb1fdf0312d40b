"""Fetches an issuer's discovery document and the key set that it names (OpenID Connect Discovery 1.0).

Time and size are bounded, the machine's authorities verify certificates, and redirects are not followed. This module
is imported on first use, because the HTTP client takes long to load.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import urllib3

from rolecall.clock import monotonic_seconds
from rolecall.issuers import is_loopback
from rolecall.sessions.issuer_errors import TOTAL_SECONDS, UnreachableIssuerError
from rolecall.sessions.web_identity import BadKeySetError

DISCOVERY_PATH = "/.well-known/openid-configuration"
CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0
MAXIMUM_DOCUMENT_BYTES = 262_144
_CHUNK_BYTES = 16_384
# One pool for each host that is in use at the same time.
_pool = urllib3.PoolManager(
    num_pools=8,
    cert_reqs="CERT_REQUIRED",
    retries=False,
    timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
    headers={"Accept": "application/json", "User-Agent": "rolecall"},
)


def key_set_text(issuer: str) -> str:
    """The text of the issuer's key set. Raises UnreachableIssuerError, BadKeySetError."""
    document = _json(_get(issuer.rstrip("/") + DISCOVERY_PATH))
    if document.get("issuer") != issuer:
        # OpenID Connect Discovery 1.0, section 4.3: it must be exactly the issuer that was asked.
        raise BadKeySetError(f"the discovery document names another issuer: {str(document.get('issuer'))[:255]}")
    key_set_url = document.get("jwks_uri")
    if not isinstance(key_set_url, str) or not _allowed(key_set_url, issuer):
        raise BadKeySetError("the discovery document has no jwks_uri, or one that Rolecall does not fetch")
    return _get(key_set_url).decode("utf-8", "replace")


def _allowed(url: str, issuer: str) -> bool:
    """Whether Rolecall fetches the URL: https anywhere, http only between an issuer and a URL on this machine."""
    try:
        parts, host = urlsplit(url), urlsplit(issuer).hostname or ""
        if parts.scheme == "https":
            return bool(parts.hostname)
        return parts.scheme == "http" and is_loopback(parts.hostname or "") and is_loopback(host)
    except ValueError:
        return False


def _get(url: str) -> bytes:
    try:
        response = _pool.request("GET", url, redirect=False, preload_content=False, decode_content=False)
    except urllib3.exceptions.LocationParseError as error:
        raise BadKeySetError(f"{url[:255]} is no URL") from error
    except urllib3.exceptions.HTTPError as error:
        raise UnreachableIssuerError(f"{url[:255]}: {error}") from error
    try:
        if response.status >= 500 or response.status == 429:
            raise UnreachableIssuerError(f"{url[:255]} answered {response.status}")
        if response.status != 200:
            raise BadKeySetError(f"{url[:255]} answered {response.status}")
        return _body(response, url)
    except urllib3.exceptions.HTTPError as error:
        raise UnreachableIssuerError(f"{url[:255]}: {error}") from error
    finally:
        # Closed instead of released to the pool, which would first read the rest of a document that is too long.
        response.close()


def _body(response: urllib3.BaseHTTPResponse, url: str) -> bytes:
    body = b""
    deadline = monotonic_seconds() + TOTAL_SECONDS
    while chunk := response.read(_CHUNK_BYTES, decode_content=False):
        body += chunk
        if len(body) > MAXIMUM_DOCUMENT_BYTES:
            raise BadKeySetError(f"{url[:255]} is longer than {MAXIMUM_DOCUMENT_BYTES} bytes")
        if monotonic_seconds() > deadline:
            # The caller has given up waiting.
            raise UnreachableIssuerError(f"{url[:255]} takes too long")
    return body


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadKeySetError("the discovery document is not JSON") from error
    if not isinstance(found, dict):
        raise BadKeySetError("the discovery document is not a JSON object")
    return found
