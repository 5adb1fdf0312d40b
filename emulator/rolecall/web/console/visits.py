"""Who looks at the console, and which forms the console itself gave out.

Every browser gets a random name in a cookie. A form carries that name, signed with a key of the sandbox. A page of
another site can neither read the cookie nor sign a name, so it cannot fill in a form. The cookies are
``SameSite=Strict``, and scripts cannot read them. Browsers send the cookies of one host to all of its ports, so nothing
secret is in them.

With a control token, a second cookie says that the visitor knew it. A new token ends these sessions.
"""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import sha256

from flask import Request, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from rolecall.sandbox import Sandbox
from rolecall.web.console.pages import ConsoleError
from rolecall.web.console_door import CONSOLE_PATH

VISITOR_COOKIE = "rolecall-console-visitor"
SESSION_COOKIE = "rolecall-console-session"
NOTICE_COOKIE = "rolecall-console-notice"
FORM_FIELD = "form_token"
# A form that was opened longer ago has to be opened again; so has a session.
FORM_SECONDS = 12 * 3600
SESSION_SECONDS = 12 * 3600
_NOTICE_SECONDS = 60
_is_visitor = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII).fullmatch

OLD_FORM_MESSAGE = "This form is too old, or it does not come from this console. Open the page again."
WRONG_TOKEN_MESSAGE = "This is not the control token of this server."  # noqa: S105


class Visit:
    """One request of a browser to the console.

    ``form_token`` is for the forms of the answer. ``notice`` says what the form before this page did. ``signed_in`` is
    True for everyone when there is no control token.
    """

    def __init__(self, sandbox: Sandbox, request: Request, control_token: str) -> None:
        with sandbox.database.snapshot() as connection:
            key = sandbox.generations.current(connection).keys.newest.console_key
        self._request = request
        self._control_token = control_token
        self._forms = URLSafeTimedSerializer(key, salt="form")
        self._notices = URLSafeTimedSerializer(key, salt="notice")
        bound = hmac.digest(key, control_token.encode(), sha256)
        self._sessions = URLSafeTimedSerializer(bound, salt="session")
        known = request.cookies.get(VISITOR_COOKIE, "")
        self.visitor = known if _is_visitor(known) else secrets.token_urlsafe(24)
        self.form_token = str(self._forms.dumps(self.visitor))
        self.needs_token = bool(control_token)
        self.signed_in = not control_token or self._named(self._sessions, SESSION_COOKIE, SESSION_SECONDS)
        self.notice = self._notice()
        self._set: dict[str, tuple[str, int]] = {}

    def check_form(self) -> None:
        """Raises ConsoleError for a form that this console did not give to this browser."""
        try:
            named = self._forms.loads(self._request.form.get(FORM_FIELD, ""), max_age=FORM_SECONDS)
        except BadSignature as error:
            raise ConsoleError(OLD_FORM_MESSAGE) from error
        if VISITOR_COOKIE not in self._request.cookies or not _same(str(named), self.visitor):
            raise ConsoleError(OLD_FORM_MESSAGE)

    def sign_in(self, given: str) -> None:
        """Open a session for a visitor who knows the control token. Raises ConsoleError."""
        if not self._control_token or not _same(given, self._control_token):
            raise ConsoleError(WRONG_TOKEN_MESSAGE, 401)
        self._set[SESSION_COOKIE] = (str(self._sessions.dumps(self.visitor)), SESSION_SECONDS)

    def sign_out(self) -> None:
        """End the session of this browser."""
        self._set[SESSION_COOKIE] = ("", 0)

    def note(self, notice: str) -> None:
        """Show a line of text on the next page."""
        self._set[NOTICE_COOKIE] = (str(self._notices.dumps([self.visitor, notice])), _NOTICE_SECONDS)

    def finish(self, answer: Response) -> Response:
        """The answer with its cookies."""
        if self._request.cookies.get(VISITOR_COOKIE) != self.visitor:
            self._set[VISITOR_COOKIE] = (self.visitor, FORM_SECONDS * 60)
        if self.notice and NOTICE_COOKIE not in self._set:
            self._set[NOTICE_COOKIE] = ("", 0)
        for name, (value, seconds) in self._set.items():
            answer.set_cookie(
                name,
                value,
                max_age=seconds,
                path=CONSOLE_PATH,
                secure=self._request.is_secure,
                httponly=True,
                samesite="Strict",
            )
        return answer

    def _named(self, signer: URLSafeTimedSerializer, cookie: str, seconds: int) -> bool:
        """Whether a cookie was signed for this visitor not too long ago."""
        try:
            named = signer.loads(self._request.cookies.get(cookie, ""), max_age=seconds)
        except BadSignature:
            return False
        return _same(str(named), self.visitor)

    def _notice(self) -> str:
        try:
            visitor, notice = self._notices.loads(self._request.cookies.get(NOTICE_COOKIE, ""), max_age=_NOTICE_SECONDS)
        except (BadSignature, ValueError, TypeError):
            return ""
        return str(notice) if _same(str(visitor), self.visitor) else ""


def _same(one: str, other: str) -> bool:
    """Compared as digests, so that neither the length nor the beginning shows in the time."""
    return hmac.compare_digest(sha256(one.encode("utf-8", "replace")).digest(), sha256(other.encode()).digest())
