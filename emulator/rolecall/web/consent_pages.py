"""What pages share on which a user lets a program act: their guard, their headers, and forms for one browser alone.

The pages load nothing, cannot be framed, and their forms work in the browser that got them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, make_response, redirect, render_template, request

from rolecall.sandbox import Sandbox
from rolecall.web.control import THIS_MACHINE
from rolecall.web.doors import Guard
from rolecall.web.origins import Admission

_COOKIE_BYTES = 32
_MAXIMUM_FORM_BYTES = 65_536
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
)
_SECURITY_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def _guard(pages: Blueprint, sandbox: Sandbox, admission: Admission) -> None:
    THIS_MACHINE.add(pages, sandbox, admission)

    @pages.after_request
    def secured(answer: Response) -> Response:
        answer.headers.update(_SECURITY_HEADERS)
        answer.headers.setdefault("Content-Security-Policy", _POLICY.format(target=""))
        return answer


CONSENT_GUARD = Guard(THIS_MACHINE.admits, _guard)


def form_values() -> dict[str, str]:
    """The fields of the request's form."""
    request.max_content_length = _MAXIMUM_FORM_BYTES
    return request.form.to_dict()


def form_page(
    template: str, cookie: tuple[str, str], seal: Callable[[str], str], redirect_uri: str = "", **values: Any
) -> Response:
    """The page with a form, bound to a cookie of the browser by the value ``form``.

    ``cookie`` is its name and its path. The form may end with a redirect to ``redirect_uri``.
    """
    name, path = cookie
    known = request.cookies.get(name) or secrets.token_urlsafe(_COOKIE_BYTES)
    answer = make_response(render_template(template, form=seal(known), **values))
    answer.set_cookie(name, known, path=path, secure=request.is_secure, httponly=True, samesite="Strict")
    if redirect_uri:
        # A browser also applies the policy for forms to the redirect after one.
        url = urlsplit(redirect_uri)
        answer.headers["Content-Security-Policy"] = _POLICY.format(target=f" {url.scheme}://{url.netloc}")
    return answer


def message_page(heading: str, message: str, status: int = 200) -> Response:
    return make_response(render_template("sso_message.html", heading=heading, message=message), status)


def see_other(url: str) -> Response:
    # Flask types its redirects as werkzeug's responses.
    return make_response(redirect(url, 303))
