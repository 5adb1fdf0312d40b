"""The operations of the access portal. An access token of the OIDC service proves who calls.

Source: IAM Identity Center Portal API reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from rolecall.arns import saml_provider_arn
from rolecall.delivery import role_session
from rolecall.errors import AwsError
from rolecall.principals import Caller, Principal
from rolecall.services.registry import Answer, Call, Parameters, Proven, no_permission, operation
from rolecall.sessions.credentials import TokenTooLargeError
from rolecall.sessions.pages import open_page, seal_page
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage.gather import role
from rolecall.storage.identity_center import (
    DirectoryUser,
    IdentityCenter,
    assigned_accounts,
    assigned_roles,
    identity_center,
    sso_provider_name,
    user_by_id,
)
from rolecall.storage.sso_sessions import ACCESS, end_session, token_of

PORTAL_SCOPE = "sso:account:access"
# As recorded.
TOKEN_MESSAGE = "Session token not found or invalid"  # noqa: S105 - a message
NO_ACCESS_MESSAGE = "No access"
# AWS's wordings of these are not recorded.
NEXT_TOKEN_MESSAGE = "Invalid next token provided"  # noqa: S105 - a message
TAGS_MESSAGE = "The user's attributes do not fit into a session"
_DEFAULT_RESULTS = 100
Item = TypeVar("Item")


class _SignedIn(NamedTuple):
    """A user with a session."""

    center: IdentityCenter
    user: DirectoryUser
    session_id: str


def _proof(call: Call, parameters: Parameters) -> Proven:
    """The user of the access token. Raises AwsError UnauthorizedException."""
    token, center = token_of(call.db, parameters["accessToken"], ACCESS), identity_center(call.db)
    user = None if token is None else user_by_id(call.db, token.session.user_id)
    if token is None or center is None or user is None:
        raise AwsError("UnauthorizedException", TOKEN_MESSAGE)
    if min(token.expires_at_seconds, token.session.expires_at_seconds) <= call.now_seconds:
        raise AwsError("UnauthorizedException", TOKEN_MESSAGE, reason="the token has expired")
    if token.session.scopes and PORTAL_SCOPE not in token.session.scopes:
        raise AwsError("UnauthorizedException", TOKEN_MESSAGE, reason="the client has no scope for the portal")
    principal = Principal("IdentityCenterUser", "", user.user_id, "", user.user_id, user.user_id, user.name)
    return Proven(Caller(principal, ""), _SignedIn(center, user, token.session.session_id))


@operation("sso", "ListAccounts", permissions=no_permission, proof=_proof)
def list_accounts(
    call: Call,
    *,
    accessToken: str,  # verified by the proof
    nextToken: str | None = None,
    maxResults: int = _DEFAULT_RESULTS,
) -> Answer:
    """The accounts in which the user has a role. Raises AwsError: UnauthorizedException, InvalidRequestException."""
    found = assigned_accounts(call.db, call.proof.user.user_id)
    shown, more = _page(call, found, nextToken, maxResults, lambda each: each.account_id)
    accounts = [{"accountId": each.account_id, "accountName": each.name, "emailAddress": each.email} for each in shown]
    return {"accountList": accounts, **more}


@operation("sso", "ListAccountRoles", permissions=no_permission, proof=_proof)
def list_account_roles(
    call: Call,
    *,
    accessToken: str,  # verified by the proof
    accountId: str,
    nextToken: str | None = None,
    maxResults: int = _DEFAULT_RESULTS,
) -> Answer:
    """The user's permission sets in an account. For an account without any, AWS's answer is not recorded.

    Raises AwsError: UnauthorizedException, ForbiddenException, InvalidRequestException.
    """
    found = assigned_roles(call.db, call.proof.user.user_id, accountId)
    if not found:
        raise _no_access()
    shown, more = _page(call, found, nextToken, maxResults, lambda each: each.name.lower(), accountId)
    return {"roleList": [{"roleName": each.name, "accountId": each.account_id} for each in shown], **more}


@operation("sso", "GetRoleCredentials", permissions=no_permission, proof=_proof)
def get_role_credentials(
    call: Call,
    *,
    accessToken: str,  # verified by the proof
    accountId: str,
    roleName: str,
) -> Answer:
    """Credentials of the role of a permission set. The session has the user's name.

    IAM Identity Center assumes the role with an assertion of its own, which names the provider in the account. The
    user's attributes for access control become session tags.
    Raises AwsError: UnauthorizedException, ForbiddenException (the permission set is not assigned).
    """
    signed_in: _SignedIn = call.proof
    assigned = {each.name: each for each in assigned_roles(call.db, signed_in.user.user_id, accountId)}.get(roleName)
    entity = None if assigned is None else role(call.db, assigned.role_id)
    if assigned is None or entity is None:
        raise _no_access()
    try:
        _, made = role_session(
            call.keys,
            call.ids,
            call.flaw.issued_at_seconds(call.now_seconds, assigned.session_duration_seconds),
            entity,
            signed_in.user.name,
            assigned.session_duration_seconds,
            type="AssumeRoleWithSAML",
            tags=signed_in.user.attributes,
            federated_provider=saml_provider_arn(accountId, sso_provider_name(signed_in.center.instance_id)),
        )
    except TokenTooLargeError as error:
        raise AwsError("InvalidRequestException", TAGS_MESSAGE) from error
    credentials = call.flaw.shown(made)
    return {
        "roleCredentials": {
            "accessKeyId": credentials.access_key_id,
            "secretAccessKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
            "expiration": credentials.expires_at_seconds * 1000,
        }
    }


@operation("sso", "Logout", permissions=no_permission, proof=_proof)
def logout(call: Call, *, accessToken: str) -> None:
    """End the session with its access and refresh tokens. Credentials of roles stay valid until they expire.

    Raises AwsError UnauthorizedException.
    """
    del accessToken  # verified by the proof
    end_session(call.db, call.proof.session_id)


def _no_access() -> AwsError:
    # Not in the model. Its status is recorded.
    return AwsError("ForbiddenException", NO_ACCESS_MESSAGE, status=403)


def _page(
    call: Call,
    found: Sequence[Item],
    next_token: str | None,
    max_results: int,
    position: Callable[[Item], str],
    account_id: str = "",
) -> tuple[Sequence[Item], Answer]:
    """The items of a page, in the order of their positions, and the member nextToken when more follow."""
    scope = call.service, call.operation, call.proof.user.user_id, account_id
    if next_token:
        try:
            after = str(json.loads(open_page(call.keys, scope, next_token)))
        except BadTokenError:
            raise AwsError("InvalidRequestException", NEXT_TOKEN_MESSAGE) from None
        found = [each for each in found if position(each) > after]
    if len(found) <= max_results:
        return found, {}
    shown = found[:max_results]
    return shown, {"nextToken": seal_page(call.keys, scope, json.dumps(position(shown[-1])))}
