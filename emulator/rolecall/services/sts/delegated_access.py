"""GetDelegatedAccessToken: a partner trades an exchange token in for a session of the approver (API reference).

The session is that of the identity which accepted the delegation request, cut by the request's permission policy.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.sts.session_parameters import issued
from rolecall.sessions.credentials import SessionRequest
from rolecall.sessions.delegation import delegated_session, request_of_token
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage.delegation_requests import DelegationRequest, request_by_id, spend_token

# What AWS answers to a token that is wrong, somebody else's or used was not recorded, nor how often one may be used.
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
    """The request that the caller's account may trade a token in for, and when its session ends.

    The time runs from SendDelegationToken (the model, CreateDelegationRequest$SessionDuration).
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
    """Raises AwsError when the approver was deleted: its session would be good for nothing."""
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
    """Credentials of the approver, once for each token.

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
