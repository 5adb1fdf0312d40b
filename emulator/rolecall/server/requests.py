"""The WSGI environment of a request, from what the parser found in its bytes."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from rolecall.caches import remembered

Environ = dict[str, Any]

_REMEMBERED_TARGETS = 512
_KEYS_LIMIT = 512
_KEY_BYTES = 64
_IGNORED = ("rolecall.ignored", "")
# From a header's name as clients write it to the WSGI key and the name in lower case.
_keys: dict[bytes, tuple[str, str]] = {
    b"content-type": ("CONTENT_TYPE", "content-type"),
    b"content-length": ("CONTENT_LENGTH", "content-length"),
    # The one header of AWS with an underscore. No proxy checks a header of the other name.
    b"x-amz-sso_bearer_token": ("HTTP_X_AMZ_SSO_BEARER_TOKEN", "x-amz-sso_bearer_token"),
}
# Only a list of cookies has another separator (RFC 9113, section 8.2.3).
_SEPARATORS = {"HTTP_COOKIE": "; "}


def base_environ(scheme: str, server: tuple[str, int], client: tuple[str, int]) -> Environ:
    """The part of the environment that all requests of a connection share."""
    return {
        "SCRIPT_NAME": "",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }


def add_header(environ: Environ, headers: dict[str, str], name: bytes, value: bytes) -> None:
    """Add a header to the environment and to ``headers``. A repeated header becomes a list."""
    key, lower = _keys.get(name) or _key(name)
    text = value.decode("latin-1")
    if key in environ:
        text = f"{environ[key]}{_SEPARATORS.get(key, ',')}{text}"
    environ[key] = headers[lower] = text


def _key(name: bytes) -> tuple[str, str]:
    lower = name.lower()
    if lower in _keys:
        key = _keys[lower]
    elif b"_" in name:
        # WSGI gives "a_b" and "a-b" the same key. A header that a proxy checked as one must not be read as the other.
        key = _IGNORED
    else:
        text = lower.decode("latin-1")
        key = (f"HTTP_{text.upper().replace('-', '_')}", text)
    if len(_keys) < _KEYS_LIMIT and len(name) < _KEY_BYTES:
        _keys[name] = key
    return key


def set_target(environ: Environ, target: bytes) -> None:
    """Set path and query. ``RAW_URI`` is the target as it was sent."""
    environ["RAW_URI"], environ["QUERY_STRING"], environ["PATH_INFO"] = _parts(target)


@remembered(_REMEMBERED_TARGETS)
def _parts(target: bytes) -> tuple[str, str, str]:
    """The target as text, its query string, and its path without escapes. Clients ask for the same ones again."""
    text = target.decode("latin-1")
    path, _, query = text.partition("?")
    return text, query, unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path


def set_first_line(environ: Environ, line: bytes) -> None:
    """Set method and target of a request that the parser did not understand, as far as they can be read."""
    parts = line.split(b" ")
    environ["REQUEST_METHOD"] = parts[0][:32].decode("latin-1") or "GET"
    environ["SERVER_PROTOCOL"] = "HTTP/1.1"
    set_target(environ, parts[1] if len(parts) == 3 and parts[1][:1] == b"/" else b"/")
