"""The pages of IAM Identity Center on which a user approves a program: for a device code, and for a code by redirect.

The pages load nothing, cannot be framed, and their forms work in the browser that got them. The rules are loaded by the
first visit.
"""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from sqlalchemy import Connection

from rolecall.sandbox import Sandbox
from rolecall.web.bodies import BadBodyError, read_json
from rolecall.web.control import THIS_MACHINE
from rolecall.web.doors import PREFIX, Environ, Guard
from rolecall.web.origins import Admission

SSO_PATH = f"{PREFIX}/sso"
AUTHORIZE_PATH = "/authorize"
COOKIE = "rolecall-sso"
_COOKIE_BYTES = 32
_MAXIMUM_FORM_BYTES = 65_536
_PARAMETERS = (
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "scopes",
    "code_challenge",
    "code_challenge_method",
)
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
)
_SECURITY_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
APPROVE_MESSAGE = 'Send {"user_code": "BCDF-GHJK", "user": "ana"}, or {"user_code": "BCDF-GHJK", "deny": true}.'


def _guard(pages: Blueprint, sandbox: Sandbox, admission: Admission) -> None:
    THIS_MACHINE.add(pages, sandbox, admission)

    @pages.after_request
    def secured(answer: Response) -> Response:
        answer.headers.update(_SECURITY_HEADERS)
        answer.headers.setdefault("Content-Security-Policy", _POLICY.format(target=""))
        return answer


SSO_GUARD = Guard(THIS_MACHINE.admits, _guard)


def is_authorization(environ: Environ) -> bool:
    """Whether a request is a browser's, for the page itself. Clients of the API have no operation at this path."""
    return bool(environ["PATH_INFO"] == AUTHORIZE_PATH)


def register_sso_pages(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the page for a device code, its form, the form of the other page, and a decision without a browser."""

    @pages.get("/device")
    def show_device() -> Response:
        return _answered(lambda: _device_page(sandbox, request.args.get("user_code", "")))

    @pages.post("/device")
    def decide_device() -> Response:
        return _answered(lambda: _device_decided(sandbox))

    @pages.post("/authorize")
    def decide_authorization() -> Response:
        return _answered(lambda: _authorization_decided(sandbox))

    @pages.post("/approve")
    def approve() -> tuple[Response, int]:
        consent = _consent()
        try:
            body = read_json(request)
            user_code, user_name = _decision(body)
            consent.approve_device(sandbox.database, sandbox.clock, user_code, user_name)
        except (BadBodyError, consent.ConsentError) as error:
            return jsonify(message=str(error)), 400
        return jsonify(status="denied" if user_name is None else "approved", user=user_name), 200


def register_authorize(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the page to which a client sends the browser for an authorization code."""

    @pages.get("")
    def authorize() -> Response:
        return _answered(lambda: _authorization_page(sandbox))


def _consent() -> Any:
    # Loaded now: most servers never show these pages.
    return importlib.import_module("rolecall.identity_providers.sso_consent")


def _answered(answer: Callable[[], Response]) -> Response:
    consent = _consent()
    try:
        return answer()
    except consent.ConsentError as error:
        return make_response(render_template("sso_message.html", heading="Not possible", message=str(error)), 400)
    except consent.RedirectedError as error:
        return _redirect(error.url)


def _decision(body: Any) -> tuple[str, str | None]:
    match body:
        case {"user_code": str(user_code), "user": str(user), **rest} if not rest:
            return user_code, user
        case {"user_code": str(user_code), "deny": True, **rest} if not rest:
            return user_code, None
    raise BadBodyError(APPROVE_MESSAGE)


def _device_page(sandbox: Sandbox, user_code: str) -> Response:
    if not user_code:
        return make_response(render_template("sso_code.html", action=f"{SSO_PATH}/device"))
    consent, now_seconds = _consent(), sandbox.clock.now_seconds()
    with sandbox.database.snapshot() as connection:
        asked = consent.device_request(connection, user_code, now_seconds)
        keys, grants = sandbox.generations.current(connection).keys, consent.grants(connection)
    hidden = {"user_code": asked.code.user_code}
    seal = consent.seal_form
    return _form(
        asked.client, grants, hidden, f"{SSO_PATH}/device", lambda c: seal(keys, c, asked.code.code_digest, now_seconds)
    )


def _device_decided(sandbox: Sandbox) -> Response:
    consent, given, now_seconds = _consent(), _form_values(), sandbox.clock.now_seconds()
    allowed = given.get("decision") == "allow"

    def decide(connection: Connection) -> None:
        asked = consent.device_request(connection, given.get("user_code", ""), now_seconds)
        keys = sandbox.generations.current(connection).keys
        cookie = request.cookies.get(COOKIE, "")
        consent.check_form(keys, given.get("form", ""), cookie, asked.code.code_digest, now_seconds)
        consent.decide_device(connection, asked, given.get("user", "") if allowed else None)

    sandbox.database.write(decide)
    heading = "Request approved" if allowed else "Request denied"
    return make_response(
        render_template(
            "sso_message.html", heading=heading, message="You can close this window and go on in the program."
        )
    )


def _authorization_page(sandbox: Sandbox) -> Response:
    consent, now_seconds, parameters = _consent(), sandbox.clock.now_seconds(), _asked(request.args)
    with sandbox.database.snapshot() as connection:
        asked = consent.authorization_request(connection, parameters, now_seconds)
        keys, grants = sandbox.generations.current(connection).keys, consent.grants(connection)
    subject = _subject(parameters)
    return _form(
        asked.client,
        grants,
        parameters,
        f"{SSO_PATH}/authorize",
        lambda cookie: consent.seal_form(keys, cookie, subject, now_seconds),
        asked.redirect_uri,
    )


def _authorization_decided(sandbox: Sandbox) -> Response:
    consent, given, now_seconds = _consent(), _form_values(), sandbox.clock.now_seconds()
    parameters = _asked(given)

    def decided(connection: Connection) -> str:
        """The address to go to."""
        asked = consent.authorization_request(connection, parameters, now_seconds)
        keys = sandbox.generations.current(connection).keys
        cookie = request.cookies.get(COOKIE, "")
        consent.check_form(keys, given.get("form", ""), cookie, _subject(parameters), now_seconds)
        if given.get("decision") != "allow":
            return str(asked.back(error="access_denied"))
        return str(consent.approve_authorization(connection, asked, given.get("user", ""), sandbox.ids, now_seconds))

    return _redirect(sandbox.database.write(decided))


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a client's request. Others, such as a decision of its own, must not come into the form."""
    return {name: given[name] for name in _PARAMETERS if name in given}


def _subject(parameters: dict[str, str]) -> str:
    return repr(sorted(parameters.items()))


def _form_values() -> dict[str, str]:
    request.max_content_length = _MAXIMUM_FORM_BYTES
    return request.form.to_dict()


def _form(
    client: Any,
    grants: Any,
    hidden: dict[str, str],
    action: str,
    seal: Callable[[str], str],
    redirect_uri: str = "",
) -> Response:
    """The page that shows what the client gets. Its form is bound to a cookie of the browser."""
    cookie = request.cookies.get(COOKIE) or secrets.token_urlsafe(_COOKIE_BYTES)
    page = render_template(
        "sso_consent.html", client=client, grants=grants, hidden=hidden, action=action, form=seal(cookie)
    )
    answer = make_response(page)
    answer.set_cookie(COOKIE, cookie, path=SSO_PATH, secure=request.is_secure, httponly=True, samesite="Strict")
    if redirect_uri:
        # A browser also applies the policy for forms to the redirect after one.
        url = urlsplit(redirect_uri)
        answer.headers["Content-Security-Policy"] = _POLICY.format(target=f" {url.scheme}://{url.netloc}")
    return answer


def _redirect(url: str) -> Response:
    # Flask types its redirects as werkzeug's responses.
    return make_response(redirect(url, 303))
