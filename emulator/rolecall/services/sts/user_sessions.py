"""GetSessionToken and GetFederationToken: sessions that an IAM user or the root user opens."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import federated_user_arn
from rolecall.principals import federated_principal
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, no_permission, operation
from rolecall.services.sts.members import PolicyDescriptor
from rolecall.services.sts.second_factor import MFA
from rolecall.services.sts.session_parameters import arns_of, issued, session_policies, session_tags, with_packed_size
from rolecall.sessions.credentials import SessionRequest

DEFAULT_DURATION_SECONDS = 43_200
# When the root user asks for longer, AWS lowers the duration to this and does not refuse.
ROOT_MAXIMUM_SECONDS = 3600


def _duration(call: Call, asked: int | None) -> int:
    duration_seconds = DEFAULT_DURATION_SECONDS if asked is None else asked
    if call.caller.principal.type == "Account":
        return min(duration_seconds, ROOT_MAXIMUM_SECONDS)
    return duration_seconds


@operation("sts", "GetSessionToken", permissions=no_permission, second_factor=MFA, writes=False)
def get_session_token(
    call: Call,
    *,
    DurationSeconds: int | None = None,
    MinimumSessionTokenSize: int = 0,
    SerialNumber: str | None = None,  # with TokenCode the second factor, checked before
    TokenCode: str | None = None,
) -> Answer:
    """Temporary credentials with the caller's own rights. No policy controls it. API reference: GetSessionToken."""
    request = SessionRequest(
        type="GetSessionToken",
        principal=call.caller.principal,
        duration_seconds=_duration(call, DurationSeconds),
        minimum_token_bytes=MinimumSessionTokenSize,
        mfa_authenticated_at_seconds=call.mfa_at_seconds,
    )
    return issued(call, request)


def _federation_permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    resource = federated_user_arn(call.account_id, parameters["Name"])
    tags = session_tags(parameters.get("Tags", ()))
    if not tags:
        return [Permission("sts:GetFederationToken", resource)]
    context: dict[str, ContextValue] = {f"aws:requesttag/{key.lower()}": value for key, value in tags}
    context["aws:tagkeys"] = tuple(key for key, _ in tags)
    return [Permission(action, resource, context=context) for action in ("sts:GetFederationToken", "sts:TagSession")]


@operation("sts", "GetFederationToken", permissions=_federation_permissions, writes=False)
def get_federation_token(
    call: Call,
    *,
    Name: str,
    Policy: str | None = None,
    PolicyArns: Sequence[PolicyDescriptor] = (),
    DurationSeconds: int | None = None,
    Tags: Sequence[Tag] = (),
    MinimumSessionTokenSize: int = 0,
) -> Answer:
    """Credentials of a federated user: the caller's rights, limited by session policies; without those, no rights.

    API reference: GetFederationToken. Raises AwsError: ValidationError, MalformedPolicyDocument, PackedPolicyTooLarge.
    """
    principal = call.caller.principal
    policy_arns = arns_of(PolicyArns)
    policies = session_policies(call, principal.account_id, Policy, policy_arns)
    tags = session_tags(Tags)
    federated = federated_principal(principal, Name)
    request = SessionRequest(
        type="GetFederationToken",
        principal=federated,
        duration_seconds=_duration(call, DurationSeconds),
        session_name=Name,
        policies=policies,
        policy_arns=policy_arns,
        tags=tags,
        minimum_token_bytes=MinimumSessionTokenSize,
    )
    shown = {"FederatedUserId": federated.user_id, "Arn": federated.arn}
    return with_packed_size({**issued(call, request), "FederatedUser": shown})
