"""Temporary delegation: a partner's request for access, from its creation to the token that STS exchanges.

Sources: the API references of the operations and the IAM User Guide, IAM temporary delegation. On AWS only onboarded
partners may create requests. In Rolecall any account of the sandbox counts as a partner.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import parsed_policy
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.policy import CompiledPolicies, NamedPolicy, PolicyKind, compile_policies
from rolecall.service_records import action_of
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, concurrent_modification, opened_marker, page_of
from rolecall.services.iam.delegation.delegation_templates import permission_policy, role_boundaries
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.sessions.delegation import approval_text
from rolecall.storage.delegation_requests import (
    DelegationRequest,
    account_name,
    add_request,
    move_request,
    owned_requests,
    request_by_id,
)
from rolecall.storage.gather import account_exists
from rolecall.storage.problems import AlreadyThere

_DAY_SECONDS = 86_400
# IAM User Guide, Building your integration, Expiration Path: how long a request stays in each state.
LIFETIME_SECONDS = {
    "UNASSIGNED": _DAY_SECONDS,
    "ASSIGNED": 7 * _DAY_SECONDS,
    "PENDING_APPROVAL": 7 * _DAY_SECONDS,
    "ACCEPTED": 7 * _DAY_SECONDS,
    "REJECTED": 7 * _DAY_SECONDS,
    "FINALIZED": 7 * _DAY_SECONDS,
}
# IAM User Guide, IAM temporary delegation: "root users can only approve delegation requests with a duration of 4 hours
# or less".
ROOT_APPROVES_SECONDS = 4 * 3600
# The model, DelegationRequest$RequestorName.
_NAME_CHARACTERS = 30
# The owner may call these without a policy (their API references). A deny still counts.
_OWNERS_DEFAULTS = frozenset({"GetDelegationRequest", "GetHumanReadableSummary", "UpdateDelegationRequest"})
# AcceptDelegationRequest declares no InvalidInput. The error that AWS answers was not recorded.
_WRONG_STATE_CODES = {"AcceptDelegationRequest": "ConcurrentModification"}
# The approver must call with credentials of its own, not with these kinds of sessions. Not recorded from AWS.
_MAY_NOT_APPROVE = frozenset({"AssumeRoot", "GetDelegatedAccessToken"})
# The console's address of a request was not recorded.
CONSOLE_LINK = "https://us-east-1.console.aws.amazon.com/iam/home#/temporary-delegation-requests/{request_id}"
# None of these was recorded from AWS.
NOT_FOUND_MESSAGE = "The delegation request with id {request_id} cannot be found."
ALREADY_THERE_MESSAGE = "A delegation request with workflow id {workflow_id} already exists."
UNKNOWN_ACCOUNT_MESSAGE = "Account {account_id} does not exist."
NO_TOPIC_MESSAGE = "NotificationChannel must be the ARN of an SNS topic."
NO_TEMPLATE_MESSAGE = "Permissions must name a PolicyTemplateArn."
NO_OWNER_MESSAGE = "{owner_id} is not the ARN of an owner."
WRONG_STATE_MESSAGE = "{operation} is not possible for a delegation request in state {state}."
OWNER_ONLY_MESSAGE = "Only the owner of the delegation request may send its token."
SESSION_MESSAGE = "Delegation requests cannot be accepted with credentials of {kind}."
ROOT_MESSAGE = "The root user may accept delegation requests with a duration of 4 hours or less only."


def _arn(account_id: str, request_id: str) -> str:
    """The ARN's form is from the Service Authorization Reference."""
    return f"arn:aws:iam::{account_id}:delegation-request/{request_id}"


def _owners_permission(owner_arn: str, action: str) -> CompiledPolicies:
    statement = {"Effect": "Allow", "Principal": {"AWS": owner_arn}, "Action": action, "Resource": "*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    named = NamedPolicy(parsed_policy(text, PolicyKind.RESOURCE), "default permission of the request's owner")
    return compile_policies([named], PolicyKind.RESOURCE)


def on_request(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The operation's action on the request, with the request's ARN in the caller's account."""
    request_id = parameters["DelegationRequestId"]
    action, arn = action_of(call.service, call.operation), _arn(call.account_id, request_id)
    request = request_by_id(call.db, request_id)
    if request is None or request.owner_arn is None:
        return [Permission(action, arn)]
    by_default = None
    if call.operation in _OWNERS_DEFAULTS and request.owner_arn == call.caller.principal.arn:
        by_default = _owners_permission(request.owner_arn, action)
    context: dict[str, ContextValue] = {"iam:delegationrequestowner": request.owner_arn}
    return [Permission(action, arn, context=context, resource_policy=by_default)]


def _on_new_request(call: Call, parameters: Parameters) -> Sequence[Permission]:
    context: dict[str, ContextValue] = {
        "iam:delegationduration": str(parameters["SessionDuration"]),
        "iam:notificationchannel": parameters["NotificationChannel"],
    }
    template_arn = parameters["Permissions"].get("PolicyTemplateArn")
    if template_arn is not None:
        context["iam:templatearn"] = template_arn
    return [Permission("iam:CreateDelegationRequest", _arn(call.account_id, "*"), context=context)]


def _on_list(_call: Call, parameters: Parameters) -> Sequence[Permission]:
    owner_id = parameters.get("OwnerId")
    return [
        Permission(
            "iam:ListDelegationRequests", context={} if owner_id is None else {"iam:delegationrequestowner": owner_id}
        )
    ]


class PolicyParameter(TypedDict, total=False):
    """A parameter of a template."""

    Name: str
    Values: Sequence[str]
    Type: str


class DelegationPermissions(TypedDict, total=False):
    """A template and its parameters."""

    PolicyTemplateArn: str
    Parameters: Sequence[PolicyParameter]


@operation("iam", "CreateDelegationRequest", permissions=_on_new_request)
def create_delegation_request(
    call: Call,
    *,
    Description: str,
    Permissions: DelegationPermissions,
    RequestorWorkflowId: str,
    NotificationChannel: str,
    SessionDuration: int,
    OwnerAccountId: str | None = None,
    RequestMessage: str | None = None,
    RedirectUrl: str | None = None,
    OnlySendByOwner: bool = False,
) -> Answer:
    """Create a request of the caller's account. Raises AwsError: InvalidInput, EntityAlreadyExists."""
    if OwnerAccountId is not None and not account_exists(call.db, OwnerAccountId):
        raise AwsError("InvalidInput", UNKNOWN_ACCOUNT_MESSAGE.format(account_id=OwnerAccountId))
    channel = parse_arn(NotificationChannel)
    if channel is None or channel.service != "sns":
        raise AwsError("InvalidInput", NO_TOPIC_MESSAGE)
    template_arn = Permissions.get("PolicyTemplateArn")
    if template_arn is None:
        raise AwsError("InvalidInput", NO_TEMPLATE_MESSAGE)
    now_seconds = int(call.now_seconds)
    request = DelegationRequest(
        request_id=call.ids.uuid(),
        requestor_account_id=call.account_id,
        owner_account_id=OwnerAccountId,
        description=Description,
        request_message=RequestMessage,
        permissions=json.dumps(Permissions),
        permission_policy=permission_policy(call, template_arn, Permissions.get("Parameters", ())),
        requestor_workflow_id=RequestorWorkflowId,
        redirect_url=RedirectUrl,
        notification_channel=NotificationChannel,
        session_duration_seconds=SessionDuration,
        only_send_by_owner=OnlySendByOwner,
        state="UNASSIGNED",
        created_at_seconds=now_seconds,
        updated_at_seconds=now_seconds,
        expires_at_seconds=now_seconds + LIFETIME_SECONDS["UNASSIGNED"],
    )
    try:
        add_request(call.db, request)
    except AlreadyThere as error:
        message = ALREADY_THERE_MESSAGE.format(workflow_id=RequestorWorkflowId)
        raise AwsError("EntityAlreadyExists", message) from error
    link = CONSOLE_LINK.format(request_id=request.request_id)
    return {"ConsoleDeepLink": link, "DelegationRequestId": request.request_id}


def _state(call: Call, request: DelegationRequest) -> str:
    return "EXPIRED" if request.expires_at_seconds <= call.now_seconds else request.state


def found_request(call: Call, request_id: str, *, to_requestor: bool = False) -> DelegationRequest:
    """The request, if the caller's account may see it. Raises AwsError NoSuchEntity.

    Every account may see a request without owner account (GetDelegationRequest, AssociateDelegationRequest).
    """
    request = request_by_id(call.db, request_id)
    if request is not None:
        of_requestor = to_requestor and request.requestor_account_id == call.account_id
        if of_requestor or request.owner_account_id in (None, call.account_id):
            return request
    raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(request_id=request_id))


def _move(call: Call, request: DelegationRequest, from_states: Sequence[str], to_state: str, **values: Any) -> None:
    """Raises AwsError: InvalidInput for a request in another state, ConcurrentModification."""
    state = _state(call, request)
    if state not in from_states:
        message = WRONG_STATE_MESSAGE.format(operation=call.operation, state=state)
        raise AwsError(_WRONG_STATE_CODES.get(call.operation, "InvalidInput"), message)
    now_seconds = int(call.now_seconds)
    values.update(
        state=to_state,
        updated_at_seconds=now_seconds,
        expires_at_seconds=now_seconds + LIFETIME_SECONDS[to_state],
    )
    if not move_request(call.db, request.request_id, request.state, **values):
        raise concurrent_modification()


def _shown(call: Call, request: DelegationRequest) -> Answer:
    shown = {
        "DelegationRequestId": request.request_id,
        "OwnerAccountId": request.owner_account_id,
        "Description": request.description,
        "RequestMessage": request.request_message,
        "Permissions": json.loads(request.permissions),
        "PermissionPolicy": request.permission_policy,
        "RolePermissionRestrictionArns": role_boundaries(request.permission_policy) or None,
        "OwnerId": request.owner_arn,
        "ApproverId": request.approver_arn,
        "State": _state(call, request),
        "ExpirationTime": request.expires_at_seconds,
        "RequestorId": request.requestor_account_id,
        "RequestorName": account_name(call.db, request.requestor_account_id)[:_NAME_CHARACTERS] or None,
        "CreateDate": request.created_at_seconds,
        "SessionDuration": request.session_duration_seconds,
        "RedirectUrl": request.redirect_url,
        "Notes": request.notes,
        "RejectionReason": request.rejection_reason,
        "OnlySendByOwner": request.only_send_by_owner,
        "UpdatedTime": request.updated_at_seconds,
    }
    return {member: value for member, value in shown.items() if value is not None}


@operation("iam", "GetDelegationRequest", permissions=on_request)
def get_delegation_request(call: Call, *, DelegationRequestId: str) -> Answer:
    """A request. Its requestor and its owner's account may see it; without an account, all. Raises NoSuchEntity."""
    return {"DelegationRequest": _shown(call, found_request(call, DelegationRequestId, to_requestor=True))}


@operation("iam", "ListDelegationRequests", permissions=_on_list)
def list_delegation_requests(
    call: Call, *, OwnerId: str | None = None, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Requests whose owner is in the caller's account. Raises AwsError: InvalidInput, ValidationError."""
    if OwnerId is not None and parse_arn(OwnerId) is None:
        raise AwsError("InvalidInput", NO_OWNER_MESSAGE.format(owner_id=OwnerId))
    filters = (OwnerId or "",)
    after_id = opened_marker(call, filters, Marker)
    found = owned_requests(call.db, call.account_id, owner_arn=OwnerId, after_id=after_id, limit=MaxItems + 1)
    requests, rest = page_of(call, filters, found, lambda request: request.request_id, MaxItems)
    # This is the only list of IAM whose flag begins with a small letter.
    rest["isTruncated"] = rest.pop("IsTruncated")
    return {"DelegationRequests": [_shown(call, request) for request in requests], **rest}


@operation("iam", "AssociateDelegationRequest", permissions=on_request)
def associate_delegation_request(call: Call, *, DelegationRequestId: str) -> None:
    """Make the caller the owner, and its account the owner's account. Raises AwsError as :func:`_move` does."""
    request = found_request(call, DelegationRequestId)
    owner = {"owner_arn": call.caller.principal.arn, "owner_account_id": call.account_id}
    _move(call, request, ("UNASSIGNED",), "ASSIGNED", **owner)


@operation("iam", "UpdateDelegationRequest", permissions=on_request)
def update_delegation_request(call: Call, *, DelegationRequestId: str, Notes: str | None = None) -> None:
    """Forward a request to a user who may approve it. Raises AwsError as :func:`_move` does."""
    request = found_request(call, DelegationRequestId)
    notes = {} if Notes is None else {"notes": Notes}
    _move(call, request, ("ASSIGNED", "PENDING_APPROVAL"), "PENDING_APPROVAL", **notes)


@operation("iam", "AcceptDelegationRequest", permissions=on_request)
def accept_delegation_request(call: Call, *, DelegationRequestId: str) -> None:
    """The caller approves; its current state is recorded. Raises AwsError as :func:`_move` does, and AccessDenied."""
    request = found_request(call, DelegationRequestId)
    principal, session = call.caller.principal, call.caller.session
    if session is not None and session.type in _MAY_NOT_APPROVE:
        raise AwsError("AccessDenied", SESSION_MESSAGE.format(kind=session.type))
    if principal.type == "Account" and request.session_duration_seconds > ROOT_APPROVES_SECONDS:
        raise AwsError("AccessDenied", ROOT_MESSAGE)
    approval = {"approver_arn": principal.arn, "approval": approval_text(call.caller)}
    _move(call, request, ("ASSIGNED", "PENDING_APPROVAL"), "ACCEPTED", **approval)


@operation("iam", "RejectDelegationRequest", permissions=on_request)
def reject_delegation_request(call: Call, *, DelegationRequestId: str, Notes: str | None = None) -> None:
    """Reject a request, even an accepted one until its token is sent. Raises AwsError as :func:`_move` does."""
    request = found_request(call, DelegationRequestId)
    reason = {} if Notes is None else {"rejection_reason": Notes}
    _move(call, request, ("ASSIGNED", "PENDING_APPROVAL", "ACCEPTED"), "REJECTED", **reason)


@operation("iam", "SendDelegationToken", permissions=on_request)
def send_delegation_token(call: Call, *, DelegationRequestId: str) -> None:
    """From now on the requestor may fetch the token, and the session's time runs.

    Raises AwsError as :func:`_move` does, and AccessDenied when only the owner may send the request's token.
    """
    request = found_request(call, DelegationRequestId)
    if request.only_send_by_owner and request.owner_arn != call.caller.principal.arn:
        raise AwsError("AccessDenied", OWNER_ONLY_MESSAGE)
    _move(call, request, ("ACCEPTED",), "FINALIZED", sent_at_seconds=int(call.now_seconds))
