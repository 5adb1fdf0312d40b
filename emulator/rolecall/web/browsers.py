"""AWS calls from browsers: which pages may make them, and the CORS headers of the answers.

Everyone knows the documented credentials, so a page of any site could sign calls with them. AWS needs no such guard,
because its credentials are secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from rolecall.caches import BoundedCache
from rolecall.web.origins import (
    Admission,
    asked_host,
    from_another_site,
    host_name,
    is_silent_browser,
    sent_by_another_site,
)

Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Any], Iterable[bytes]]
Refuse = Callable[[str, Environ, Any], Iterable[bytes]]

NO_HOST_MESSAGE = "The Host header is missing or is not a valid host name."
UNKNOWN_HOST_MESSAGE = (
    "Rolecall does not answer to the name {name}, because a web page of another site could use it. "
    "If the name is yours, start Rolecall with --allow-host {name}."
)
OTHER_ORIGIN_MESSAGE = (
    "Rolecall does not answer web pages of other origins{which}. "
    "To allow the pages of an origin, start Rolecall with --allow-origin ORIGIN."
)
_SHOWN_ORIGIN_CHARACTERS = 200
_REMEMBERED_HOSTS = 256
# How long a browser may remember that an origin may call. Most browsers cap this themselves (Chromium: 2 hours).
_PREFLIGHT_SECONDS = 7200
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_EXPOSED = "x-amzn-RequestId, x-amzn-ErrorType, x-amzn-ErrorMessage, Date"
# Header names, as a preflight request lists them.
_is_list_of_names = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,4096}").fullmatch


def guarded(application: WsgiApplication, refuse: Refuse, admission: Admission) -> WsgiApplication:
    """The application, for requests that ``admission`` allows. ``refuse(message, …)`` answers all other requests."""

    # Every call needs this check, and servers have few names.
    answered: BoundedCache[str, bool] = BoundedCache(_REMEMBERED_HOSTS)

    def is_answered(host: str) -> bool:
        if not admission.answers_to(host):
            return False
        answered.put(host, True)
        return True

    def guard(environ: Environ, start_response: Any) -> Iterable[bytes]:
        host = asked_host(environ)
        if not (answered.get(host) or is_answered(host)):
            return refuse(_host_message(host), environ, start_response)
        message = _page_refusal(environ, host, admission)
        if message:
            return refuse(message, environ, start_response)
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or origin.lower() not in admission.origins:
            return application(environ, start_response)
        if environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ:
            return _preflight(origin, environ, start_response)
        return application(environ, partial(_start_for, origin, start_response))

    return guard


def admits(environ: Environ, admission: Admission) -> bool:
    """Whether a program or an allowed page sent this request, to a name that Rolecall answers to."""
    host = asked_host(environ)
    return admission.answers_to(host) and not _page_refusal(environ, host, admission)


def _page_refusal(environ: Environ, host: str, admission: Admission) -> str:
    """Why the request of a page is refused; empty for every other request."""
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        fetch_site = environ.get("HTTP_SEC_FETCH_SITE")
        # Checked first, because most calls have no such header.
        if fetch_site is None:
            foreign = is_silent_browser(environ.get("HTTP_USER_AGENT", ""))
        else:
            foreign = sent_by_another_site(fetch_site)
        return OTHER_ORIGIN_MESSAGE.format(which="") if foreign else ""
    if origin.lower() in admission.origins or not from_another_site(origin, host):
        return ""
    which = f", such as {origin[:_SHOWN_ORIGIN_CHARACTERS]}" if origin else ""
    return OTHER_ORIGIN_MESSAGE.format(which=which)


def _host_message(host: str) -> str:
    name = host_name(host)
    return NO_HOST_MESSAGE if name is None else UNKNOWN_HOST_MESSAGE.format(name=name)


def _start_for(origin: str, start_response: Any, status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
    allowed = [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", _EXPOSED), ("Vary", "Origin")]
    return start_response(status, [*headers, *allowed], *rest)


def _preflight(origin: str, environ: Environ, start_response: Any) -> list[bytes]:
    """The answer to a browser's question whether a page may make a call (Fetch standard, "CORS protocol")."""
    headers = [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Max-Age", str(_PREFLIGHT_SECONDS)),
        ("Vary", "Origin, Access-Control-Request-Headers"),
        ("Content-Length", "0"),
    ]
    wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
    # All of them: the signed headers differ between SDKs, and "*" does not cover Authorization.
    if _is_list_of_names(wanted):
        headers.append(("Access-Control-Allow-Headers", wanted))
    if environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true":
        headers.append(("Access-Control-Allow-Private-Network", "true"))
    start_response("200 OK", headers)
    return [b""]
