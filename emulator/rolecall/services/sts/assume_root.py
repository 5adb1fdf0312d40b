"""AssumeRoot: a session as a member account's root user, for one privileged task (API reference, AssumeRoot).

The session is the root user of the target account, limited by the task policy. Task policies consist of denies alone:
they limit what the root user may do and grant nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rolecall.access.context import owner_keys
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.regions import refuse_global_endpoint
from rolecall.arns import parse_arn, root_arn
from rolecall.errors import AwsError
from rolecall.principals import Principal
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.sts.members import PolicyDescriptor
from rolecall.services.sts.propagated_identity import passed_on
from rolecall.services.sts.session_parameters import issued
from rolecall.sessions.credentials import SessionRequest
from rolecall.storage.organizations import ROOT_SESSIONS, organization_around

TASK_POLICY_PREFIX = "arn:aws:iam::aws:policy/root-task/"
TASK_POLICIES = frozenset(
    TASK_POLICY_PREFIX + name
    for name in (
        "IAMAuditRootUserCredentials",
        "IAMCreateRootUserPassword",
        "IAMDeleteRootUserCredentials",
        "S3UnlockBucketPolicy",
        "SQSUnlockQueuePolicy",
    )
)
DEFAULT_DURATION_SECONDS = 900
# None of these three was recorded from AWS.
NO_TASK_POLICY_MESSAGE = "{arn} is not a policy for a privileged task."
TARGET_MESSAGE = "Request ARN is invalid"
NOT_REACHABLE_MESSAGE = "User: {caller} is not authorized to perform: sts:AssumeRoot on resource: {target}"
_is_account_id = re.compile(r"\d{12}").fullmatch


def _target_account(target: str) -> str:
    """The account whose root user the target names. Raises AwsError ValidationError."""
    if _is_account_id(target):
        return target
    parsed = parse_arn(target)
    if parsed is None:
        raise AwsError("ValidationError", f"{target} is invalid")
    if not _is_account_id(parsed.account_id) or target != root_arn(parsed.account_id):
        raise AwsError("ValidationError", TARGET_MESSAGE)
    return parsed.account_id


def _check_values(call: Call, parameters: Parameters) -> None:
    refuse_global_endpoint(call.host)
    _target_account(parameters["TargetPrincipal"])
    arn = parameters["TaskPolicyArn"].get("arn", "")
    if arn not in TASK_POLICIES:
        raise AwsError("ValidationError", NO_TASK_POLICY_MESSAGE.format(arn=arn or "TaskPolicyArn"))


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    # The organization decides for the member account, so only the caller's side needs to allow.
    account_id = _target_account(parameters["TargetPrincipal"])
    member = call.policies.membership(call.db, account_id)
    context: dict[str, ContextValue] = {
        "sts:taskpolicyarn": parameters["TaskPolicyArn"]["arn"],
        **owner_keys(account_id, member.organization_id, member.path),
    }
    return [Permission("sts:AssumeRoot", root_arn(account_id), context=context)]


def _check_reach(call: Call, target_account_id: str) -> None:
    """Raises AwsError AccessDenied unless the caller's account manages root sessions of the target."""
    organization = organization_around(call.db, call.account_id)
    reason = ""
    if organization is None or not organization.managed_by(call.account_id):
        reason = "neither the management account nor a delegated administrator"
    elif ROOT_SESSIONS not in organization.features:
        reason = "the organization has not enabled root sessions"
    elif target_account_id == organization.management_account_id:
        reason = "the management account is not a member account"
    else:
        target = organization_around(call.db, target_account_id)
        if target is None or target.organization_id != organization.organization_id:
            reason = "the target is not an account of this organization"
    if reason:
        message = NOT_REACHABLE_MESSAGE.format(caller=call.caller.principal.arn, target=root_arn(target_account_id))
        raise AwsError("AccessDenied", message, reason=reason)


@operation("sts", "AssumeRoot", permissions=_permissions, precheck=_check_values, writes=False)
def assume_root(
    call: Call,
    *,
    TargetPrincipal: str,
    TaskPolicyArn: PolicyDescriptor,
    DurationSeconds: int = DEFAULT_DURATION_SECONDS,
    MinimumSessionTokenSize: int = 0,
) -> Answer:
    """Credentials of a member account's root user. Raises AwsError: ValidationError, InvalidAction, AccessDenied."""
    account_id = _target_account(TargetPrincipal)
    _check_reach(call, account_id)
    arn = root_arn(account_id)
    session = call.caller.session
    source_identity = "" if session is None else session.source_identity
    request = SessionRequest(
        type="AssumeRoot",
        principal=Principal("Account", account_id, arn, arn, account_id, account_id, "root"),
        duration_seconds=DurationSeconds,
        policy_arns=(TaskPolicyArn["arn"],),
        source_identity=source_identity,
        context=passed_on(session, call.account_id, account_id),
        minimum_token_bytes=MinimumSessionTokenSize,
    )
    answer = issued(call, request)
    if source_identity:
        answer["SourceIdentity"] = source_identity
    return answer
