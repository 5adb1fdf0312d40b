"""The pages of Sign-In: where ``aws login`` sends the browser, and where a code for another device is shown.

The rules are loaded by the first visit.
"""

from __future__ import annotations

import importlib
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, Response, jsonify, request
from msgspec import Struct, field

from rolecall.access.check import RefusedError
from rolecall.access.regions import sign_in_region
from rolecall.call_log.outcomes import SIGN_IN_SERVICE, Recorded
from rolecall.clock import monotonic_seconds
from rolecall.gateway import Gateway
from rolecall.gateway.received import Received
from rolecall.http import HttpRequest
from rolecall.sandbox import Sandbox
from rolecall.service_records import DEFAULT_REGION
from rolecall.web.bodies import BadBodyError, read_json
from rolecall.web.consent_pages import form_page, form_values, message_page, see_other
from rolecall.web.doors import PREFIX, Environ

SIGN_IN_PATH = f"{PREFIX}/signin"
AUTHORIZE_PATH = "/v1/authorize"
CONFIRMATION_PATH = "/v1/sessions/confirmation"
COOKIE = "rolecall-signin"
_COOKIE = (COOKIE, SIGN_IN_PATH)
_SHOWN_PRINCIPALS = 200
_SHOWN_CHARACTERS = 4096
_FOUND, _DENIED_STATUS = 302, 403
FORM_MESSAGE = "The form has expired, or belongs to another browser. Open the page again."
APPROVE_MESSAGE = (
    'Send {"url": "http://127.0.0.1:4580/v1/authorize?…", "principal": "user/ana"}, '
    'with "session_name" for a role, or {"url": "…", "deny": true}.'
)


def is_sign_in_page(environ: Environ) -> bool:
    """Whether a request is a browser's, for one of the pages. Clients of the API have no operation at these paths."""
    path = environ["PATH_INFO"]
    return environ["REQUEST_METHOD"] == "GET" and path in (AUTHORIZE_PATH, CONFIRMATION_PATH)


def register_sign_in_pages(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the page to which a program sends the browser, and the page that shows a code."""

    @pages.get("/authorize")
    def authorize() -> Response:
        return _answered(lambda: _authorization_page(sandbox))

    @pages.get("/sessions/confirmation")
    def confirmation() -> Response:
        return _confirmation_page()


def register_sign_in_decisions(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the form of the page, and a decision without a browser."""

    @pages.post("/authorize")
    def decide() -> Response:
        return _answered(lambda: _form_decided(sandbox))

    @pages.post("/approve")
    def approve() -> tuple[Response, int]:
        problems: tuple[type[Exception], ...] = (BadBodyError, *_problems())
        try:
            location = _approved(sandbox, read_json(request))
        except problems as error:
            return jsonify(message=str(error)), 400
        return jsonify(location=location), 200


class _Choice(Struct, frozen=True):
    """A principal on the page."""

    label: str
    arn: str
    is_role: bool


class _Parameters(Struct, frozen=True):
    """What the log records of a request: not the state and not the challenge (Sign-In User Guide, CloudTrail)."""

    parameters: Callable[[Any], str] = json.dumps
    answer: None = None
    error_names: Mapping[str, str] = field(default_factory=dict)


def _rules() -> Any:
    # Loaded now: most servers never show these pages.
    return importlib.import_module("rolecall.signin.authorization")


def _principals(sandbox: Sandbox, connection: Any, identities: Any) -> Any:
    room = importlib.import_module("rolecall.expectations.principals")
    return room.Principals(connection, identities, sandbox.clock.now_seconds())


def _problems() -> tuple[type[Exception], ...]:
    room = importlib.import_module("rolecall.expectations.principals")
    return _rules().AuthorizationError, room.NoSuchNameError


def _answered(answer: Callable[[], Response]) -> Response:
    problems = _problems()
    try:
        return answer()
    except problems as error:
        return message_page("Not possible", str(error), 400)


def _asked(given: Mapping[str, str], server_url: str, host: str) -> Any:
    """The program's request. Other fields, such as a decision of its own, must not come into the form."""
    rules = _rules()
    parameters = {name: given[name] for name in rules.PARAMETERS if name in given}
    return rules.authorization_request(parameters, server_url, sign_in_region(host) or DEFAULT_REGION)


def _asked_here(given: Mapping[str, str]) -> Any:
    return _asked(given, f"{request.scheme}://{request.host}", request.host)


def _subject(asked: Any) -> str:
    return repr(sorted(asked.parameters.items()))


def _authorization_page(sandbox: Sandbox) -> Response:
    rules, asked, now_seconds = _rules(), _asked_here(request.args), sandbox.clock.now_seconds()
    with sandbox.database.snapshot() as connection:
        identities = sandbox.generations.current(connection)
        known = _principals(sandbox, connection, identities)
        choices = [
            _Choice(who.label, who.arn, who.kind == "role")
            for who in (*known.entities, *known.roots)
            if not who.arn.partition(":role")[2].startswith("/aws-service-role/")
        ]
        keys = identities.keys
    return form_page(
        "signin_consent.html",
        _COOKIE,
        lambda cookie: rules.seal_form(keys, cookie, _subject(asked), now_seconds),
        asked.redirect_uri,
        choices=choices[:_SHOWN_PRINCIPALS],
        hidden=asked.parameters,
        action=f"{SIGN_IN_PATH}/authorize",
        session_name=rules.DEFAULT_SESSION_NAME,
        here=asked.client_id == rules.SAME_DEVICE,
    )


def _form_decided(sandbox: Sandbox) -> Response:
    rules, given = _rules(), form_values()
    asked, cookie = _asked_here(given), request.cookies.get(COOKIE, "")

    def check(keys: Any, now_seconds: float) -> None:
        if not rules.is_sealed_form(keys, given.get("form", ""), cookie, _subject(asked), now_seconds):
            raise rules.AuthorizationError(FORM_MESSAGE)

    # A name that the user wrote counts before the marked one.
    principal = given.get("other", "").strip() or given.get("principal", "")
    if given.get("decision") != "allow":
        principal = ""
    return see_other(_decided(sandbox, asked, principal, given.get("session_name", "").strip(), check))


def _approved(sandbox: Sandbox, body: Any) -> str:
    """The address to which a browser would go after the decision in a body. Raises BadBodyError."""
    match body:
        case {"url": str(url), "principal": str(principal), "session_name": str(session_name), **rest} if not rest:
            pass
        case {"url": str(url), "principal": str(principal), **rest} if not rest:
            session_name = ""
        case {"url": str(url), "deny": True, **rest} if not rest:
            principal = session_name = ""
        case _:
            raise BadBodyError(APPROVE_MESSAGE)
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=32))
    except ValueError as error:
        raise BadBodyError(APPROVE_MESSAGE) from error
    if parts.path != AUTHORIZE_PATH or (not principal and "deny" not in body):
        raise BadBodyError(APPROVE_MESSAGE)
    asked = _asked(given, f"{parts.scheme}://{parts.netloc}", parts.netloc)
    return _decided(sandbox, asked, principal, session_name, lambda _keys, _now_seconds: None)


def _decided(sandbox: Sandbox, asked: Any, written: str, session_name: str, check: Callable[[Any, float], None]) -> str:
    """The program's address with a code, or with a refusal by the user, who names nobody, or by a policy."""
    rules = _rules()
    received = Received(sandbox.ids.uuid(), _browser_request(), sandbox.clock.wall_seconds(), monotonic_seconds())
    failure: RefusedError | None = None
    stopped: ValueError | None = None
    with sandbox.database.snapshot() as connection:
        identities, now_seconds = sandbox.generations.current(connection), sandbox.clock.now_seconds()
        check(identities.keys, now_seconds)
        if not written:
            return str(asked.back(error="access_denied"))
        who = _principals(sandbox, connection, identities).single(written)
        session_name = session_name or rules.DEFAULT_SESSION_NAME
        principal = rules.principal_of(connection, identities, who.account_id, who.kind, who.unique_id, session_name)
        identity = rules.identity_of(connection, identities, principal, now_seconds)
        decisions = ()
        try:
            decisions = rules.authorise(connection, identities, asked, identity, received.request, now_seconds)
        except rules.UnauthenticatedError as error:
            failure, stopped = error.refusal, error
        except RefusedError as error:
            failure = error
    if failure is None:
        url = sandbox.database.write(
            lambda transaction: rules.approve(transaction, asked, principal, sandbox.ids, now_seconds)
        )
    else:
        url = asked.back(error="access_denied", error_description=failure.message)
    logged = {"client_id": asked.client_id, "redirect_uri": asked.redirect_uri, "code_challenge_method": "SHA-256"}
    Gateway(sandbox).observe(
        received,
        SIGN_IN_SERVICE,
        rules.AUTHORIZE,
        identity,
        _FOUND if failure is None else _DENIED_STATUS,
        failure,
        None,
        decisions,
        identities,
        Recorded(_Parameters(), 0, logged, None),
    )
    if stopped is not None:
        raise stopped
    return str(url)


def _browser_request() -> HttpRequest:
    headers = {name.lower(): value for name, value in request.headers.items() if name != "Cookie"}
    address = request.remote_addr or "127.0.0.1"
    return HttpRequest("GET", AUTHORIZE_PATH, "", headers, b"", scheme=request.scheme, remote_address=address)


def _confirmation_page() -> Response:
    """The code for a program on another device, in the form that AWS CLI reads (its ``parse_verification_code``)."""
    given = {name: request.args[name][:_SHOWN_CHARACTERS] for name in ("state", "code") if name in request.args}
    if "code" not in given:
        problem = request.args.get("error_description", request.args.get("error", ""))[:_SHOWN_CHARACTERS]
        return message_page("Not signed in", problem or "There is no authorization code.", 400)
    shown = b64encode(urlencode(given).encode()).decode("ascii")
    return message_page("Enter this code in the program", shown)
