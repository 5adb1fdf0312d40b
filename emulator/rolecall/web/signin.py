"""AWS's sign-in endpoint at ``/federation``, and the page behind it: the visitor's identity and its rights in Chime.

A visitor's cookie works for the page alone. The page loads nothing from elsewhere, has no form but signing out, and
cannot be framed by other pages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request

from rolecall.clock import monotonic_seconds
from rolecall.http import HttpRequest
from rolecall.principals import Caller
from rolecall.sandbox import Sandbox
from rolecall.signin import SignIn, SignInError
from rolecall.web.doors import PREFIX, Environ, Guard
from rolecall.web.origins import Admission, asked_host, from_another_site, loaded_by_another_site, sent_by_another_site
from rolecall.web.signin_log import SignInLog

FEDERATION_PATH = "/federation"
SESSION_PATH = f"{PREFIX}/session"
COOKIE = "rolecall-console"
_MAXIMUM_PARAMETER_CHARACTERS = 65_536
# Browsers drop a longer cookie.
_MAXIMUM_COOKIE_CHARACTERS = 4000
_CONSOLE_HOST = re.compile(r"([a-z0-9-]+\.)*(aws\.amazon\.com|amazonaws\.com)")
_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
ACTION_MESSAGE = "Action must be getSigninToken or login."
SESSION_MESSAGE = "Session must be a JSON object with the texts sessionId, sessionKey and sessionToken."
SESSION_TYPE_MESSAGE = "SessionType must be json."
DESTINATION_MESSAGE = (
    "Destination must be an https URL of the AWS console (*.aws.amazon.com), or a page of this server."
)
ISSUER_MESSAGE = "Issuer must be an http or https URL."
UNKNOWN_MESSAGE = "There is no parameter {name} for {action}: known are {known}."
TOO_LONG_MESSAGE = "A parameter is longer than 65536 characters."
TOO_LARGE_MESSAGE = "The session is too large for a browser's cookie: use smaller session policies or fewer tags."
_PARAMETERS = {
    "getSigninToken": ("Action", "Session", "SessionDuration", "SessionType"),
    "login": ("Action", "Issuer", "Destination", "SigninToken"),
}


def is_federation(environ: Environ) -> bool:
    """Whether a request is for the endpoint itself. AWS calls may have paths below it."""
    return bool(environ["PATH_INFO"] == FEDERATION_PATH)


def _guard(pages: Blueprint, _sandbox: Sandbox, _admission: Admission) -> None:
    """Other sites may link to the pages, but not load or frame them."""

    @pages.before_request
    def refuse_embedding() -> Response | None:
        headers = request.headers
        if loaded_by_another_site(headers.get("Sec-Fetch-Site"), headers.get("Sec-Fetch-Mode")):
            return _refused("A page of another site may link here, but must not load anything from here.", 403)
        return None

    @pages.after_request
    def secured(answer: Response) -> Response:
        answer.headers.update(_SECURITY_HEADERS)
        return answer


OWN_SITE = Guard("every client, but nothing that another site's page loads", _guard)


def register_federation(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the sign-in endpoint."""
    sign_in, log = SignIn(sandbox.database, sandbox.clock), SignInLog(sandbox)

    @pages.route("", methods=["GET", "POST"])
    def federation() -> Response:
        started_seconds = monotonic_seconds()
        action = request.values.get("Action", "")
        destination = request.values.get("Destination", "") if action == "login" else ""
        answer: Response
        caller: Caller | None = None
        try:
            given = _parameters()
            step = _logged_in if action == "login" else _sign_in_token
            answer, caller = step(sign_in, given)
            problem = ""
        except SignInError as error:
            answer, problem = _refused(str(error)), error.logged
        if action in _PARAMETERS:
            log.note(action, started_seconds, caller, destination, problem)
        return answer


def register_session(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the page of a visitor, and signing out."""
    sign_in = SignIn(sandbox.database, sandbox.clock)

    @pages.get("")
    def console() -> Response:
        return _page(sign_in)

    @pages.post("/sign-out")
    def sign_out() -> Response:
        # The cookie is SameSite=Lax. The origin shows whether a form belongs to another site.
        origin, fetch_site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        if from_another_site(origin, asked_host(request.environ)) or sent_by_another_site(fetch_site):
            return _refused("A page of another site cannot sign you out.", 403)
        answer = _as_response(redirect(SESSION_PATH, 303))
        answer.delete_cookie(COOKIE, path=SESSION_PATH)
        return answer


def _parameters() -> dict[str, str]:
    """The parameters of the URL and the form. Raises SignInError."""
    given = {**request.args.to_dict(), **request.form.to_dict()}
    known = _PARAMETERS.get(given.get("Action", ""))
    if known is None:
        raise SignInError(ACTION_MESSAGE)
    for name, value in given.items():
        if name not in known:
            raise SignInError(UNKNOWN_MESSAGE.format(name=name, action=given["Action"], known=", ".join(known)))
        if len(value) > _MAXIMUM_PARAMETER_CHARACTERS:
            raise SignInError(TOO_LONG_MESSAGE)
    return given


def _sign_in_token(sign_in: SignIn, given: Mapping[str, str]) -> tuple[Response, Caller | None]:
    if given.get("SessionType", "json") != "json":
        raise SignInError(SESSION_TYPE_MESSAGE)
    session = _session(given.get("Session", ""))
    duration = given.get("SessionDuration")
    # A text that is not a whole number is out of every range, so the rule itself refuses it.
    duration_seconds = None if duration is None else int(duration) if re.fullmatch(r"[0-9]{1,6}", duration) else -1
    token, caller = sign_in.sign_in_token(
        session.get("sessionId", ""), session.get("sessionKey", ""), session.get("sessionToken", ""), duration_seconds
    )
    return jsonify(SigninToken=token), caller


def _session(text: str) -> dict[str, str]:
    try:
        session = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SignInError(SESSION_MESSAGE) from error
    if not isinstance(session, dict) or not all(isinstance(value, str) for value in session.values()):
        raise SignInError(SESSION_MESSAGE)
    if not session.keys() <= {"sessionId", "sessionKey", "sessionToken"} or not session.get("sessionId"):
        raise SignInError(SESSION_MESSAGE)
    return session


def _logged_in(sign_in: SignIn, given: Mapping[str, str]) -> tuple[Response, Caller | None]:
    destination, issuer = given.get("Destination", ""), given.get("Issuer", "")
    if not _is_destination(destination):
        raise SignInError(DESTINATION_MESSAGE)
    if issuer and not _is_web_address(issuer):
        raise SignInError(ISSUER_MESSAGE)
    session, lasts_seconds = sign_in.console_session(given.get("SigninToken", ""), _http_request())
    if len(session) > _MAXIMUM_COOKIE_CHARACTERS:
        raise SignInError(TOO_LARGE_MESSAGE)
    answer = _as_response(redirect(_landing(destination, issuer), 302))
    answer.set_cookie(
        COOKIE, session, lasts_seconds, path=SESSION_PATH, secure=request.is_secure, httponly=True, samesite="Lax"
    )
    visitor = sign_in.visitor(session)
    return answer, None if visitor is None else visitor.identity.caller


def _is_destination(text: str) -> bool:
    """Whether the destination is AWS's console or this server. Anything else would be an open redirect."""
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
    except ValueError:
        return False
    if url.username is not None or "\\" in text or any(character <= " " for character in text):
        return False
    if url.scheme in ("http", "https") and url.netloc == request.host:
        return True
    return url.scheme == "https" and port in (None, 443) and _CONSOLE_HOST.fullmatch(host) is not None


def _is_web_address(text: str) -> bool:
    try:
        return urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return False


def _landing(destination: str, issuer: str) -> str:
    """Rolecall's own page. A sandbox has no AWS console, so the page names the destination and does not go there."""
    url = urlsplit(destination)
    if url.netloc == request.host:
        # Absolute, because a path that begins with two slashes would be read as another host.
        return f"{request.scheme}://{request.host}{quote(url.path, safe='/-._~%')}{'?' if url.query else ''}{url.query}"
    return f"{SESSION_PATH}?{urlencode({'destination': destination, **({'issuer': issuer} if issuer else {})})}"


def _page(sign_in: SignIn) -> Response:
    visitor = sign_in.visitor(request.cookies.get(COOKIE, ""))
    issuer = request.args.get("issuer", "")
    if not _is_web_address(issuer):
        issuer = ""
    if visitor is None:
        return make_response(render_template("signed_out.html", issuer=issuer), 401)
    caller = visitor.identity.caller
    permissions = sign_in.chime_permissions(visitor, _http_request())
    levels: dict[str, list[Any]] = {}
    for permission in permissions:
        levels.setdefault(permission.access_level, []).append(permission)
    page = render_template(
        "console.html",
        caller=caller,
        ends=datetime.fromtimestamp(visitor.ends_at_seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        destination=request.args.get("destination", ""),
        levels=levels,
        allowed=sum(1 for permission in permissions if not permission.refusal),
        total=len(permissions),
        sign_out=f"{SESSION_PATH}/sign-out",
    )
    return make_response(page, 200)


def _http_request() -> HttpRequest:
    headers = {name.lower(): value for name, value in request.headers.items() if name != "Cookie"}
    address = request.remote_addr or "127.0.0.1"
    return HttpRequest("GET", SESSION_PATH, "", headers, b"", scheme=request.scheme, remote_address=address)


def _refused(message: str, status: int = 400) -> Response:
    return make_response(jsonify(message=message), status)


def _as_response(answer: Any) -> Response:
    # Flask types its redirects as werkzeug's responses.
    return make_response(answer)
