"""Which operations a kind of credentials may call. No policy changes these rules.

The rules are a table: ``data/credential_kinds/sts.tsv``. Here are the kind of a caller's credentials and AWS's answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from rolecall.data import credential_kinds
from rolecall.errors import DAMAGED_TOKEN_MESSAGE, AwsError
from rolecall.principals import Caller
from rolecall.service_records import CredentialRules

ROOT_MAY_NOT_ASSUME_MESSAGE = "Roles may not be assumed by root accounts."
# API reference, AssumeRoot: "You cannot use root user credentials to make this call." AWS's answer is not recorded.
ROOT_MAY_NOT_ASSUME_ROOT_MESSAGE = "AssumeRoot may not be called with root user credentials."
# AWS's wording for a federated user's AssumeRole is not recorded. This is its wording for similar operations.
SESSION_CREDENTIALS_MESSAGE = "Cannot call {operation} with session credentials"
# API reference, GetScopedCredentials: "You cannot call it with IAM user credentials or root credentials." AWS's answer
# is not recorded: neither the words nor whether the code is InvalidSubjectCredentials. This follows the sentence above.
LONG_TERM_CREDENTIALS_MESSAGE = "Cannot call {operation} with long-term credentials"
_REFUSED_TO_ROOT = {"AssumeRole": ROOT_MAY_NOT_ASSUME_MESSAGE, "AssumeRoot": ROOT_MAY_NOT_ASSUME_ROOT_MESSAGE}
_OF_IAM = "iam:*"
_REFUSALS = frozenset({"session", "root", "long-term", "invalid"})
# An operation that the table does not have yet. The sessions of GetSessionToken and GetFederationToken may call only
# what AWS lists.
_UNLISTED: Mapping[str, str] = dict.fromkeys(
    ("user_session", "user_session_mfa", "root_session", "root_session_mfa", "federated_user"), "session"
)
# Their kind is the identity's own: sessions of aws login may call IAM and assume roles, but make no further sessions.
_WITH_RIGHTS_OF_IDENTITY = frozenset({"CreateOAuth2Token", "GetDelegatedAccessToken"})
_KIND_OF_KEY = {"Account": "root", "User": "user"}
_KIND_OF_SESSION = {
    "AssumeRole": "role_session",
    "AssumeRoleWithSAML": "federated_role_session",
    "AssumeRoleWithWebIdentity": "federated_role_session",
    "AssumeRoot": "root_task_session",
    "GetFederationToken": "federated_user",
}


def check_credential_kind(caller: Caller, rules: CredentialRules, operation: str) -> None:
    """Raises AwsError when credentials of this kind can never make this call. ``rules`` names its service's rules."""
    if not rules:
        return
    table = credential_kinds()
    row = table[_OF_IAM] if rules == "iam" else table.get(operation, _UNLISTED)
    cell = row.get(credential_kind(caller), "")
    if cell in _REFUSALS:
        raise _refusal(cell, operation)


def credential_kind(caller: Caller) -> str:
    """The caller's column of the table. Scoped credentials are of the kind that they were made from."""
    session, is_root = caller.session, caller.principal.type == "Account"
    if session is None:
        # A caller that a token or an assertion proves may make only the call that carries the proof.
        return _KIND_OF_KEY.get(caller.principal.type, "anonymous")
    if session.type == "GetSessionToken":
        kind = "root_session" if is_root else "user_session"
        return kind if session.mfa_authenticated_at_seconds is None else f"{kind}_mfa"
    if session.type in _WITH_RIGHTS_OF_IDENTITY:
        return "delegated_root" if is_root else "delegated"
    return _KIND_OF_SESSION[session.type]


def _refusal(cell: str, operation: str) -> AwsError:
    if cell == "invalid":
        return AwsError("InvalidClientTokenId", DAMAGED_TOKEN_MESSAGE, reason="IAM refuses sessions of this kind")
    if cell == "root":
        return AwsError("AccessDenied", _REFUSED_TO_ROOT[operation])
    message = LONG_TERM_CREDENTIALS_MESSAGE if cell == "long-term" else SESSION_CREDENTIALS_MESSAGE
    return AwsError("AccessDenied", message.format(operation=operation))
