"""GetDelegatedAccessToken: a partner exchanges a trade-in token for a session of the approver (API reference).

The session belongs to the identity that accepted the delegation request. The request's permission policy limits it.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.sts.session_parameters import issued
from rolecall.sessions.credentials import SessionRequest
from rolecall.sessions.delegation import delegated_session, request_of_token
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage.delegation_requests import DelegationRequest, request_by_id, spend_token

# Not recorded from AWS: the answer to a token that is wrong, another account's or used; how often one may be used.
BAD_TOKEN_CODE = "AccessDenied"  # noqa: S105
BAD_TOKEN_MESSAGE = "The trade-in token is invalid."  # noqa: S105
# The API reference's sentence; AWS's own words were not recorded.
EXPIRED_MESSAGE = (
    "The trade-in token provided in the request has expired and can no longer be exchanged for credentials. "
    "Request a new token and retry the operation."
)


def _bad_token(reason: str) -> AwsError:
    return AwsError(BAD_TOKEN_CODE, BAD_TOKEN_MESSAGE, reason=reason)


def _request(call: Call, token: str) -> tuple[DelegationRequest, int]:
    """The delegation request behind the token, if the caller's account may use it, and when its session ends.

    The session's time runs from SendDelegationToken (the model, CreateDelegationRequest$SessionDuration).
    """
    try:
        request_id, sent_at_seconds = request_of_token(call.keys, token)
    except BadTokenError as error:
        raise _bad_token(str(error)) from error
    request = request_by_id(call.db, request_id)
    if request is None or request.sent_at_seconds != sent_at_seconds:
        raise _bad_token("its delegation request is gone")
    if request.requestor_account_id != call.account_id:
        raise _bad_token("the delegation request is another account's")
    ends_at_seconds = sent_at_seconds + request.session_duration_seconds
    if ends_at_seconds <= call.now_seconds:
        raise AwsError("ExpiredTradeInTokenException", EXPIRED_MESSAGE)
    return request, ends_at_seconds


def _check_approver(call: Call, session: SessionRequest) -> None:
    """Raises AwsError when the approver was deleted, because every call of its session would be refused."""
    principal = session.principal
    if principal.type == "AssumedRole":
        known = call.policies.role(call.db, principal.entity_id)
    elif principal.type == "Account":
        known = call.policies.root(call.db, principal.account_id)
    else:
        known = call.policies.user(call.db, principal.entity_id)
    if known is None:
        raise _bad_token("the role or user that approved is gone")


@operation("sts", "GetDelegatedAccessToken", writes=True)
def get_delegated_access_token(call: Call, *, TradeInToken: str) -> Answer:
    """Credentials of the approver; each token works once.

    Raises AwsError: ExpiredTradeInTokenException, PackedPolicyTooLarge, AccessDenied.
    """
    request, ends_at_seconds = _request(call, TradeInToken)
    now_seconds = int(call.now_seconds)
    session = delegated_session(request.approval or "", request.permission_policy, ends_at_seconds - now_seconds)
    _check_approver(call, session)
    answer = {**issued(call, session), "AssumedPrincipal": session.principal.arn}
    if not spend_token(call.db, request.request_id, now_seconds):
        raise _bad_token("it was exchanged before")
    return answer
