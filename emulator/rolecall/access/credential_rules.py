"""Which operations a kind of credentials may call. No policy changes these rules.

IAM User Guide, "Compare AWS STS credentials" and the API reference pages of GetSessionToken and GetFederationToken.
"""

from __future__ import annotations

from rolecall.errors import DAMAGED_TOKEN_MESSAGE, AwsError
from rolecall.principals import ROLE_SESSIONS, Caller
from rolecall.service_records import CredentialRules

ROOT_MAY_NOT_ASSUME_MESSAGE = "Roles may not be assumed by root accounts."
# API reference, AssumeRoot: "You cannot use root user credentials to make this call." AWS's answer is not recorded.
ROOT_MAY_NOT_ASSUME_ROOT_MESSAGE = "AssumeRoot may not be called with root user credentials."
# AWS's wording for a federated user's AssumeRole is not recorded. This is its wording for similar operations.
SESSION_CREDENTIALS_MESSAGE = "Cannot call {operation} with session credentials"
_REFUSED_TO_ROOT = {"AssumeRole": ROOT_MAY_NOT_ASSUME_MESSAGE, "AssumeRoot": ROOT_MAY_NOT_ASSUME_ROOT_MESSAGE}
_REFUSED_TO_EVERY_SESSION = frozenset({"GetSessionToken", "GetFederationToken"})
_ALLOWED_TO_IAM = frozenset({"AssumeRoot", "GetDelegatedAccessToken"})
_ALLOWED_TO_USER_SESSIONS = frozenset({"AssumeRole", "GetCallerIdentity"})


def check_credential_kind(caller: Caller, rules: CredentialRules, operation: str) -> None:
    """Raises AwsError when credentials of this kind can never make this call. ``rules`` names its service's rules."""
    session = caller.session
    if rules == "sts":
        if caller.principal.type == "Account" and operation in _REFUSED_TO_ROOT:
            raise AwsError("AccessDenied", _REFUSED_TO_ROOT[operation])
        if session is None:
            return
        if operation in _REFUSED_TO_EVERY_SESSION or not _sts_allowed(caller, operation):
            raise AwsError("AccessDenied", SESSION_CREDENTIALS_MESSAGE.format(operation=operation))
    elif rules == "iam" and session is not None and not _iam_allowed(caller):
        raise AwsError("InvalidClientTokenId", DAMAGED_TOKEN_MESSAGE, reason="IAM refuses sessions of this kind")


def _sts_allowed(caller: Caller, operation: str) -> bool:
    kind = caller.session.type if caller.session else ""
    if kind == "GetFederationToken":
        return operation == "GetCallerIdentity"
    if kind == "GetSessionToken":
        return operation in _ALLOWED_TO_USER_SESSIONS
    return True


def _iam_allowed(caller: Caller) -> bool:
    session = caller.session
    if session is None or session.type in ROLE_SESSIONS or session.type in _ALLOWED_TO_IAM:
        return True
    return session.type == "GetSessionToken" and session.mfa_authenticated_at_seconds is not None
