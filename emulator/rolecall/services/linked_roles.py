"""Service-linked roles that a feature makes when it is switched on, and the permission that takes.

IAM User Guide, Service-linked role permissions: a caller whose request makes such a role needs
iam:CreateServiceLinkedRole.
"""

from __future__ import annotations

from rolecall.access.permission import Permission
from rolecall.arns import iam_arn
from rolecall.data import service_linked_roles
from rolecall.errors import bad_request
from rolecall.services.registry import Call
from rolecall.storage import service_linked_roles as linked_roles
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.roles import role_by_name


def permission_to_make(call: Call, service: str) -> Permission | None:
    """What a caller needs whose call makes the role of ``service``; None when the account has the role."""
    facts = service_linked_roles()[service]
    role = role_by_name(call.db, call.account_id, facts.role_name)
    if role is not None and role.linked_service == service:
        return None
    resource = iam_arn(call.account_id, "role", f"/aws-service-role/{service}/", facts.role_name)
    return Permission("iam:CreateServiceLinkedRole", resource, context={"iam:awsservicename": service})


def ensure_role(call: Call, service: str, feature: str) -> None:
    """Make the role of ``service`` unless the account has it.

    Raises AwsError BadRequestException, naming ``feature``, when an ordinary role stands where that one belongs.
    """
    facts = service_linked_roles()[service]
    try:
        linked_roles.ensure(call.db, call.account_id, facts, call.now_seconds, call.ids)
    except AlreadyThere as problem:
        message = f"{feature} needs the service-linked role {facts.role_name}, but another role has that name."
        raise bad_request(message) from problem
