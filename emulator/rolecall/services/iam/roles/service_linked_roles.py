"""Service-linked roles: created and deleted here. The modules that change roles refuse other changes to them."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.arns import iam_arn
from rolecall.data import QUOTAS, ServiceLinkedRole, service_linked_roles
from rolecall.errors import AwsError
from rolecall.services.iam.roles.roles import NOT_FOUND_MESSAGE, check_role_count, existing_role, shown_role
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.roles import SERVICE_LINKED_PATH
from rolecall.storage.service_linked_roles import (
    Deletion,
    create,
    created_trust_policy,
    deletion_by_task,
    role_name,
    run_deletion,
)

UNKNOWN_SERVICE_MESSAGE = "Cannot find Service Linked Role template for {service}"
SUFFIX_MESSAGE = "Custom suffix is not allowed for {service}"
TAKEN_MESSAGE = "Service role name {name} has been taken in this account, please try a different suffix."
# Not recorded from AWS.
NAME_LENGTH_MESSAGE = "The role name {name} is longer than {limit} characters."
# AWS's own sentence is not documented. RoleUsageList names the resources.
IN_USE_REASON = "The role {name} cannot be deleted because the following resources still use it."
TASK_NOT_FOUND_MESSAGE = "Deletion task {task_id} cannot be found."
BAD_TASK_MESSAGE = "Invalid deletion task id: {task_id}"


def _on_new_role(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """AWS names the role it would make. For an unknown service it names any role under the service's path."""
    service = parameters["AWSServiceName"]
    facts = service_linked_roles().get(service)
    name = "*" if facts is None else role_name(facts, parameters.get("CustomSuffix", ""))
    arn = iam_arn(call.account_id, "role", f"{SERVICE_LINKED_PATH}{service}/", name)
    return [Permission("iam:CreateServiceLinkedRole", arn, context={"iam:awsservicename": service})]


@operation("iam", "CreateServiceLinkedRole", permissions=_on_new_role)
def create_service_linked_role(
    call: Call, *, AWSServiceName: str, Description: str = "", CustomSuffix: str = ""
) -> Answer:
    """The role of a service, with its trust policy and its one policy. API reference: CreateServiceLinkedRole.

    Raises AwsError: AccessDenied (a service without such a role), InvalidInput (suffix, name taken), LimitExceeded.
    """
    facts = service_linked_roles().get(AWSServiceName)
    if facts is None:
        raise AwsError("AccessDenied", UNKNOWN_SERVICE_MESSAGE.format(service=AWSServiceName))
    _check_name(facts, CustomSuffix)
    check_role_count(call)
    try:
        role = create(
            call.db,
            call.account_id,
            facts,
            call.now_seconds,
            call.ids,
            custom_suffix=CustomSuffix,
            description=Description,
        )
    except AlreadyThere as error:
        raise AwsError("InvalidInput", TAKEN_MESSAGE.format(name=role_name(facts, CustomSuffix))) from error
    return {"Role": shown_role(call, role, created_trust_policy(facts.service))}


def _check_name(facts: ServiceLinkedRole, custom_suffix: str) -> None:
    if custom_suffix and facts.custom_suffix == "refused":
        raise AwsError("InvalidInput", SUFFIX_MESSAGE.format(service=facts.service))
    name = role_name(facts, custom_suffix)
    limit = QUOTAS.role_name_characters
    if len(name) > limit:
        raise AwsError("InvalidInput", NAME_LENGTH_MESSAGE.format(name=name, limit=limit))


@operation("iam", "DeleteServiceLinkedRole")
def delete_service_linked_role(call: Call, *, RoleName: str) -> Answer:
    """Start the deletion; GetServiceLinkedRoleDeletionStatus shows its result. Raises AwsError NoSuchEntity."""
    role = existing_role(call, RoleName)
    if role.linked_service is None:
        # The model has no other error for a role that is not linked to a service.
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(name=RoleName))
    reason = IN_USE_REASON.format(name=role.name)
    deletion = run_deletion(call.db, role, reason, call.now_seconds, call.ids)
    return {"DeletionTaskId": deletion.task_id}


def _on_task(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The role of a task. Its name is in the task id, so the permission can be checked after the deletion."""
    path, _, _ = parameters["DeletionTaskId"].removeprefix("task").rpartition("/")
    arn = f"arn:aws:iam::{call.account_id}:role{path}"
    return [Permission("iam:GetServiceLinkedRoleDeletionStatus", arn)]


def _check_task_id(_call: Call, parameters: Parameters) -> None:
    task_id = parameters["DeletionTaskId"]
    parts = task_id.split("/")
    if len(parts) != 5 or parts[:2] != ["task", SERVICE_LINKED_PATH.strip("/")] or not all(parts):
        raise AwsError("InvalidInput", BAD_TASK_MESSAGE.format(task_id=task_id))


@operation("iam", "GetServiceLinkedRoleDeletionStatus", permissions=_on_task, precheck=_check_task_id)
def get_service_linked_role_deletion_status(call: Call, *, DeletionTaskId: str) -> Answer:
    """The result of a deletion, and the users of the role that prevented it.

    Raises AwsError: InvalidInput, NoSuchEntity.
    """
    deletion = deletion_by_task(call.db, call.account_id, DeletionTaskId)
    if deletion is None:
        raise AwsError("NoSuchEntity", TASK_NOT_FOUND_MESSAGE.format(task_id=DeletionTaskId))
    answer: Answer = {"Status": deletion.status}
    if deletion.status == "FAILED":
        answer["Reason"] = _reason(deletion)
    return answer


def _reason(deletion: Deletion) -> Answer:
    usages = [{"Region": usage.region, "Resources": list(usage.resources)} for usage in deletion.usages]
    return {"Reason": deletion.reason, "RoleUsageList": usages}
