"""GetScopedCredentials: weaker credentials of the caller's own session (IAM User Guide, Permissions for
GetScopedCredentials).
"""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.access.regions import refuse_global_endpoint
from rolecall.errors import AwsError
from rolecall.principals import Session, SessionContents
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.sts.session_parameters import issued, session_policies
from rolecall.sessions.credentials import SessionRequest

# The model, ScopedPoliciesCount: "A maximum of 3 scope down policy layers are allowed per session."
MAXIMUM_SCOPE_DOWN_POLICIES = 3
# ? AWS's table of actions does not have this one yet. That a caller needs the permission, and for no resource, is the
# rule of similar operations. So a scope-down policy without it ends the narrowing.
PERMISSIONS = (Permission("sts:GetScopedCredentials"),)
# ? None of these was recorded from AWS. Neither are the codes of the first two documented: the model says that a fourth
# policy "is denied". The third one has the model's code.
NOTHING_ASKED_MESSAGE = "At least one of Policy or DurationSeconds must be specified."
TOO_MANY_LAYERS_CODE = "AccessDenied"
TOO_MANY_LAYERS_MESSAGE = (
    "The session already has {count} scope down policies. A maximum of {maximum} scope down policies are allowed per "
    "session."
)
LIFETIME_MESSAGE = (
    "The requested DurationSeconds exceeds the remaining lifetime of the calling session. GetScopedCredentials cannot "
    "extend a session beyond its original expiration."
)
# A call must narrow something. These parameters do not.
_NARROW_NOTHING = frozenset({"ScopedSessionDescription", "MinimumSessionTokenSize"})
_CONTENTS = SessionContents.__struct_fields__


def _check_values(call: Call, parameters: Parameters) -> None:
    refuse_global_endpoint(call.host)
    if not parameters.keys() - _NARROW_NOTHING:
        raise AwsError("ValidationError", NOTHING_ASKED_MESSAGE)


def _duration(call: Call, session: Session, asked: int | None) -> int:
    """The seconds from now that the credentials last: never beyond the caller's own."""
    remaining_seconds = session.expires_at_seconds - int(call.now_seconds)
    if asked is not None and asked > remaining_seconds:
        raise AwsError("InsufficientSessionLifetime", LIFETIME_MESSAGE)
    return remaining_seconds if asked is None else asked


def _permissions(_call: Call, _parameters: Parameters) -> Sequence[Permission]:
    return PERMISSIONS


@operation("sts", "GetScopedCredentials", permissions=_permissions, precheck=_check_values, writes=False)
def get_scoped_credentials(
    call: Call,
    *,
    Policy: str | None = None,
    DurationSeconds: int | None = None,
    ScopedSessionDescription: str | None = None,  # for the log alone, which has every parameter
    MinimumSessionTokenSize: int = 0,
) -> Answer:
    """Credentials of the caller's session with fewer rights, a shorter life, or both.

    Everything about the session stays, also its time of issue. That is not documented for the time, and it means that
    a policy which revokes the session's older credentials revokes these as well. API reference: GetScopedCredentials.
    Raises AwsError: MalformedPolicyDocument, AccessDenied (a fourth policy), InsufficientSessionLifetime,
    PackedPolicyTooLarge.
    """
    principal, session = call.caller.principal, call.caller.session
    if session is None:
        raise TypeError("the table of kinds of credentials refuses long-term keys")
    policies = session.scope_down_policies + session_policies(call, principal.account_id, Policy, ())
    if len(policies) > MAXIMUM_SCOPE_DOWN_POLICIES:
        known = len(session.scope_down_policies)
        message = TOO_MANY_LAYERS_MESSAGE.format(count=known, maximum=MAXIMUM_SCOPE_DOWN_POLICIES)
        raise AwsError(TOO_MANY_LAYERS_CODE, message)
    duration_seconds = _duration(call, session, DurationSeconds)
    contents = {name: getattr(session, name) for name in _CONTENTS}
    request = SessionRequest(
        **{**contents, "scoped": True, "scope_down_policies": policies},
        principal=principal,
        duration_seconds=duration_seconds,
        minimum_token_bytes=MinimumSessionTokenSize,
        began_at_seconds=session.issued_at_seconds,
    )
    answer: Answer = {
        **issued(call, request, session.chain),
        "SessionInfo": {"ScopedSessionId": principal.user_id, "Arn": principal.arn},
        "ScopedPoliciesCount": len(policies),
    }
    if session.source_identity:
        answer["SourceIdentity"] = session.source_identity
    return answer
