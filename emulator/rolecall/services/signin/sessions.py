"""Sign-in sessions: who is signed in with a program, and the end of a session.

Source: the model of Sign-In. The Service Authorization Reference does not have the actions yet, so they are authorised
under the names of the operations, on all resources.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.signin.common import invalid
from rolecall.sessions.pages import open_page, seal_page
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage.signin_sessions import (
    SignInSession,
    owner_arn_of,
    revoke,
    session_by_id,
    sessions_of,
)

_DEFAULT_RESULTS = 100
_CLIENT_TYPE = "CLI"
_ALL = "*"
# AWS's wordings of these are not recorded.
NOT_FOUND_MESSAGE = "Session not found: {arn}"
ACCOUNT_MESSAGE = "The principal must belong to the account of the caller."
NEXT_TOKEN_MESSAGE = "The pagination token is invalid."  # noqa: S105 - a message


@operation("signin", "ListSessions")
def list_sessions(
    call: Call,
    *,
    principalArn: str | None = None,
    maxResults: int = _DEFAULT_RESULTS,
    nextToken: str | None = None,
    status: str | None = None,
    clientId: str | None = None,
    issuedAfter: int | None = None,
    issuedBefore: int | None = None,
) -> Answer:
    """The sessions of an identity, the newest first. Filters are combined. Raises AwsError ValidationException."""
    if _account_of(call, principalArn) != call.account_id:
        raise invalid(ACCOUNT_MESSAGE)
    found = [
        each
        for each in sessions_of(call.db, call.account_id, _owner(call, principalArn), call.now_seconds)
        if (status is None or each.status == status)
        and (clientId is None or each.client_id == clientId)
        and (issuedAfter is None or each.issued_at_seconds >= issuedAfter)
        and (issuedBefore is None or each.issued_at_seconds < issuedBefore)
    ]
    filters = json.dumps([principalArn or owner_arn_of(call.caller.principal), status, clientId])
    bounds = json.dumps([issuedAfter, issuedBefore])
    scope = (call.account_id, call.service, call.operation, filters, bounds)
    if nextToken:
        issued_at_seconds, session_id = _position(call, scope, nextToken)
        found = [
            each for each in found if (-each.issued_at_seconds, each.session_id) > (-issued_at_seconds, session_id)
        ]
    answer: Answer = {"items": [_summary(each) for each in found[:maxResults]]}
    if len(found) > maxResults:
        last = found[maxResults - 1]
        token = seal_page(call.keys, scope, json.dumps([last.issued_at_seconds, last.session_id]))
        # The model's pattern of the token has no dot.
        answer["nextToken"] = urlsafe_b64encode(token.encode()).decode("ascii")
    return answer


@operation("signin", "GetSession")
def get_session(call: Call, *, sessionArn: str, principalArn: str | None = None) -> Answer:
    """One session. Raises AwsError ResourceNotFoundException, also for a session of another identity or account."""
    session = _found(call, sessionArn, principalArn)
    return {
        **_summary(session),
        "lastUsedAt": session.last_used_at_seconds,
        "issuedInRegion": session.region,
        "userAgent": session.user_agent or None,
    }


@operation("signin", "BatchRevokeSessions")
def batch_revoke_sessions(
    call: Call, *, sessionArns: Sequence[str], principalArn: str | None = None, reason: str = ""
) -> Answer:
    """End sessions: they cannot be refreshed any more. A session that has ended stays so, without an error."""
    revoked: list[Any] = []
    errors: list[Any] = []
    for arn in dict.fromkeys(sessionArns):
        try:
            session = _found(call, arn, principalArn)
        except AwsError as error:
            errors.append({"sessionArn": arn, "code": "RESOURCE_NOT_FOUND", "message": error.message})
        else:
            revoke(call.db, session.session_id, reason)
            revoked.append({"sessionArn": arn})
    return {"revokedSessions": revoked, "errors": errors}


def _account_of(call: Call, principal_arn: str | None) -> str:
    parsed = None if principal_arn is None else parse_arn(principal_arn)
    return call.account_id if parsed is None else parsed.account_id


def _owner(call: Call, principal_arn: str | None) -> str | None:
    """The owner whose sessions are meant; None for all of the account."""
    if principal_arn is None:
        return owner_arn_of(call.caller.principal)
    return None if principal_arn.endswith(f":{_ALL}") else principal_arn


def _found(call: Call, session_arn: str, principal_arn: str | None) -> SignInSession:
    parsed, owner = parse_arn(session_arn), _owner(call, principal_arn)
    session = None if parsed is None else session_by_id(call.db, parsed.resource.removeprefix("session/"))
    is_own = (
        session is not None
        and session.arn == session_arn
        and session.account_id == call.account_id == _account_of(call, principal_arn)
        and owner in (None, session.owner_arn)
        and session.expires_at_seconds > call.now_seconds
    )
    if session is None or not is_own:
        raise AwsError("ResourceNotFoundException", NOT_FOUND_MESSAGE.format(arn=session_arn))
    return session


def _summary(session: SignInSession) -> Answer:
    return {
        "sessionArn": session.arn,
        "principalArn": session.owner_arn,
        "role": session.owner_arn if session.principal.type == "AssumedRole" else None,
        "status": session.status,
        "clientId": session.client_id,
        "clientType": _CLIENT_TYPE,
        "issuedAt": session.issued_at_seconds,
        "expiresAt": session.expires_at_seconds,
    }


def _position(call: Call, scope: tuple[str, ...], token: str) -> tuple[int, str]:
    try:
        issued_at_seconds, session_id = json.loads(open_page(call.keys, scope, urlsafe_b64decode(token).decode()))
    except (BadTokenError, ValueError, RecursionError) as error:
        raise invalid(NEXT_TOKEN_MESSAGE) from error
    return issued_at_seconds, session_id
