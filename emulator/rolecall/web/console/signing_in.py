"""Signing in with the control token, on a sandbox that several people share."""

from __future__ import annotations

from flask import Request, Response, g

from rolecall.sandbox import Sandbox
from rolecall.web.console.pages import Page, Values, done, shown


def sign_in_page(status: int = 401, message: str = "") -> Response:
    """The form for the control token."""
    return shown("sign_in.html", status, message=message)


def _sign_in(_sandbox: Sandbox, request: Request, _values: Values) -> Response:
    g.visit.sign_in(request.form.get("control_token", ""))
    return done("", "You are signed in.")


def _sign_out(_sandbox: Sandbox, _request: Request, _values: Values) -> Response:
    g.visit.sign_out()
    return done("", "You are signed out.")


PAGES = (Page("/sign-in", None, act=_sign_in, is_open=True), Page("/sign-out", None, act=_sign_out))
