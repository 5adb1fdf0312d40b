"""A user's consent at IAM Identity Center: what a client asks for, what a user would grant, and the decision.

Owned here: the rules of both requests, and the protection of the forms. Not here: HTTP, cookies and pages (``web``),
and the tokens that clients get (``services``). A sandbox has no passwords for the directory: a user is chosen.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from rolecall.clock import Clock
from rolecall.ids import Identifiers
from rolecall.sessions.keys import KeyRing
from rolecall.sessions.sealed_forms import is_sealed_form
from rolecall.sessions.sealed_forms import seal_form as seal_form
from rolecall.storage.engine import Database
from rolecall.storage.identity_center import (
    AssignedRole,
    DirectoryUser,
    assigned_accounts,
    assigned_roles,
    directory_users,
    user_by_name,
)
from rolecall.storage.sso_sessions import (
    APPROVED,
    DENIED,
    PENDING,
    SsoClient,
    SsoCode,
    add_code,
    client_by_id,
    code_by_user_code,
    decide_code,
    digest,
)

# RFC 6749, section 4.1.2 recommends ten minutes at most.
CODE_SECONDS = 600
_CODE_BYTES = 48
_SHOWN_USERS = 200
_MAXIMUM_STATE_CHARACTERS = 2048
_is_challenge = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch

UNKNOWN_CODE_MESSAGE = "There is no such code. Compare it with the code that the program shows."
EXPIRED_CODE_MESSAGE = "The code has expired. Start again in the program."
DECIDED_MESSAGE = "This request was decided before."
NO_USER_MESSAGE = "The directory of IAM Identity Center has no user {name!r}."
FORM_MESSAGE = "The form has expired, or belongs to another browser. Open the page again."
CLIENT_MESSAGE = "There is no such client. The program has to register again."
REDIRECT_MESSAGE = "The client has not registered this redirect URI."


class ConsentError(ValueError):
    """A request that no user can approve. The visitor sees the message."""


class RedirectedError(Exception):
    """A request that is refused by sending the browser back to the client, at ``url`` (RFC 6749, section 4.1.2.1)."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url


class Grant(Struct, frozen=True):
    """What a user would give to the client: roles in accounts."""

    user: DirectoryUser
    roles: tuple[AssignedRole, ...]


class DeviceRequest(Struct, frozen=True):
    code: SsoCode
    client: SsoClient


class AuthorizationRequest(Struct, frozen=True):
    """A request for an authorization code (RFC 6749, section 4.1.1), with its parameters as they came."""

    client: SsoClient
    redirect_uri: str
    state: str
    code_challenge: str
    parameters: Mapping[str, str]

    def back(self, **answer: str) -> str:
        """The client's address with an answer."""
        given = {**answer, **({"state": self.state} if self.state else {})}
        return f"{self.redirect_uri}{'&' if '?' in self.redirect_uri else '?'}{urlencode(given)}"


def device_request(connection: Any, user_code: str, now_seconds: float) -> DeviceRequest:
    """The pending request with that code, which users may write in small letters. Raises ConsentError."""
    letters = re.sub(r"[^A-Z]", "", user_code.upper())
    code = code_by_user_code(connection, f"{letters[:4]}-{letters[4:]}")
    client = None if code is None else client_by_id(connection, code.client_id)
    if code is None or client is None:
        raise ConsentError(UNKNOWN_CODE_MESSAGE)
    if code.expires_at_seconds <= now_seconds:
        raise ConsentError(EXPIRED_CODE_MESSAGE)
    if code.status != PENDING:
        raise ConsentError(DECIDED_MESSAGE)
    return DeviceRequest(code, client)


def decide_device(connection: Any, request: DeviceRequest, user_name: str | None) -> None:
    """Approve the request as a user; without a name, deny it. Raises ConsentError."""
    user = None if user_name is None else _user(connection, user_name)
    status, user_id = (DENIED, None) if user is None else (APPROVED, user.user_id)
    if not decide_code(connection, request.code.code_digest, status, user_id):
        raise ConsentError(DECIDED_MESSAGE)


def approve_device(database: Database, clock: Clock, user_code: str, user_name: str | None) -> None:
    """Approve a device code as a user; without a name, deny it. Raises ConsentError."""

    def approve(connection: Any) -> None:
        decide_device(connection, device_request(connection, user_code, clock.now_seconds()), user_name)

    database.write(approve)


def authorization_request(connection: Any, parameters: Mapping[str, str], now_seconds: float) -> AuthorizationRequest:
    """The request of a client. Raises ConsentError, or RedirectedError once the redirect URI is known to be its own."""
    client = client_by_id(connection, parameters.get("client_id", ""))
    if client is None or client.expires_at_seconds <= now_seconds:
        raise ConsentError(CLIENT_MESSAGE)
    redirect_uri, state = parameters.get("redirect_uri", ""), parameters.get("state", "")
    if not any(_is_same_redirect(redirect_uri, registered) for registered in client.redirect_uris):
        raise ConsentError(REDIRECT_MESSAGE)
    challenge = parameters.get("code_challenge", "")
    request = AuthorizationRequest(client, redirect_uri, state[:_MAXIMUM_STATE_CHARACTERS], challenge, parameters)
    if parameters.get("response_type") != "code":
        raise RedirectedError(request.back(error="unsupported_response_type"))
    if client.grant_types and "authorization_code" not in client.grant_types:
        raise RedirectedError(request.back(error="unauthorized_client"))
    if len(state) > _MAXIMUM_STATE_CHARACTERS:
        raise RedirectedError(request.back(error="invalid_request"))
    if parameters.get("code_challenge_method") != "S256" or not _is_challenge(challenge):
        # RFC 7636, section 4.4.1. IAM Identity Center accepts no other method from public clients.
        raise RedirectedError(request.back(error="invalid_request"))
    if not set(parameters.get("scopes", parameters.get("scope", "")).replace(",", " ").split()) <= set(client.scopes):
        raise RedirectedError(request.back(error="invalid_scope"))
    return request


def approve_authorization(
    connection: Any, request: AuthorizationRequest, user_name: str, ids: Identifiers, now_seconds: float
) -> str:
    """The client's address with a new authorization code for the user. Raises ConsentError."""
    user = _user(connection, user_name)
    secret = urlsafe_b64encode(ids.secret_bytes(_CODE_BYTES)).decode("ascii")
    code = SsoCode(
        code_digest=digest(secret),
        client_id=request.client.client_id,
        user_code=None,
        status=APPROVED,
        user_id=user.user_id,
        redirect_uri=request.redirect_uri,
        code_challenge=request.code_challenge,
        polled_at_millis=None,
        session_id=None,
        expires_at_seconds=int(now_seconds) + CODE_SECONDS,
    )
    add_code(connection, code, now_seconds)
    return request.back(code=secret)


def grants(connection: Any) -> list[Grant]:
    """What each user would grant, by the user's name."""
    return [
        Grant(
            user,
            tuple(
                role
                for account in assigned_accounts(connection, user.user_id)
                for role in assigned_roles(connection, user.user_id, account.account_id)
            ),
        )
        for user in directory_users(connection, _SHOWN_USERS)
    ]


def check_form(keys: KeyRing, value: str, cookie: str, subject: str, now_seconds: float) -> None:
    """Raises ConsentError unless :func:`seal_form` made the value for this cookie and subject."""
    if not is_sealed_form(keys, value, cookie, subject, now_seconds):
        raise ConsentError(FORM_MESSAGE)


def _user(connection: Any, name: str) -> DirectoryUser:
    user = user_by_name(connection, name)
    if user is None:
        raise ConsentError(NO_USER_MESSAGE.format(name=name))
    return user


def _is_same_redirect(asked: str, registered: str) -> bool:
    """RFC 8252, section 7.3: a program on the user's machine may choose the port each time."""
    try:
        one, other = urlsplit(asked), urlsplit(registered)
        has_port = one.port is None or one.port > 0
    except ValueError:
        return False
    # The text must be what its parts say, because a browser could read any other text in its own way.
    if not has_port or re.search(r"[\x00-\x20\x7f\\]", asked) or one.username is not None or one.fragment:
        return False
    return (one.scheme, one.hostname, one.path, one.query) == (other.scheme, other.hostname, other.path, other.query)
