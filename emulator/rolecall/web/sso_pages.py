"""The pages of IAM Identity Center on which a user approves a program: for a device code, and for a code by redirect.

The pages load nothing, cannot be framed, and their forms work in the browser that got them. The rules are loaded by the
first visit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request
from sqlalchemy import Connection

from rolecall.sandbox import Sandbox
from rolecall.web.bodies import BadBodyError, read_json
from rolecall.web.consent_pages import form_page, form_values, message_page, see_other
from rolecall.web.doors import PREFIX, Environ

SSO_PATH = f"{PREFIX}/sso"
AUTHORIZE_PATH = "/authorize"
COOKIE = "rolecall-sso"
_COOKIE = (COOKIE, SSO_PATH)
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
APPROVE_MESSAGE = 'Send {"user_code": "BCDF-GHJK", "user": "ana"}, or {"user_code": "BCDF-GHJK", "deny": true}.'


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
        return message_page("Not possible", str(error), 400)
    except consent.RedirectedError as error:
        return see_other(error.url)


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
    return form_page(
        "sso_consent.html",
        _COOKIE,
        lambda cookie: seal(keys, cookie, asked.code.code_digest, now_seconds),
        client=asked.client,
        grants=grants,
        hidden=hidden,
        action=f"{SSO_PATH}/device",
    )


def _device_decided(sandbox: Sandbox) -> Response:
    consent, given, now_seconds = _consent(), form_values(), sandbox.clock.now_seconds()
    allowed = given.get("decision") == "allow"

    def decide(connection: Connection) -> None:
        asked = consent.device_request(connection, given.get("user_code", ""), now_seconds)
        keys = sandbox.generations.current(connection).keys
        cookie = request.cookies.get(COOKIE, "")
        consent.check_form(keys, given.get("form", ""), cookie, asked.code.code_digest, now_seconds)
        consent.decide_device(connection, asked, given.get("user", "") if allowed else None)

    sandbox.database.write(decide)
    heading = "Request approved" if allowed else "Request denied"
    return message_page(heading, "You can close this window and go on in the program.")


def _authorization_page(sandbox: Sandbox) -> Response:
    consent, now_seconds, parameters = _consent(), sandbox.clock.now_seconds(), _asked(request.args)
    with sandbox.database.snapshot() as connection:
        asked = consent.authorization_request(connection, parameters, now_seconds)
        keys, grants = sandbox.generations.current(connection).keys, consent.grants(connection)
    subject = _subject(parameters)
    return form_page(
        "sso_consent.html",
        _COOKIE,
        lambda cookie: consent.seal_form(keys, cookie, subject, now_seconds),
        asked.redirect_uri,
        client=asked.client,
        grants=grants,
        hidden=parameters,
        action=f"{SSO_PATH}/authorize",
    )


def _authorization_decided(sandbox: Sandbox) -> Response:
    consent, given, now_seconds = _consent(), form_values(), sandbox.clock.now_seconds()
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

    return see_other(sandbox.database.write(decided))


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    """The parameters of a client's request. Others, such as a decision of its own, must not come into the form."""
    return {name: given[name] for name in _PARAMETERS if name in given}


def _subject(parameters: dict[str, str]) -> str:
    return repr(sorted(parameters.items()))
