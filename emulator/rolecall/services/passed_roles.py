"""Roles that a caller passes to a service: the permission that this takes, and whether the role trusts the service."""

from __future__ import annotations

from rolecall.access.permission import ContextValue, Permission
from rolecall.policy import Layers, Question, decide
from rolecall.principals import Principal
from rolecall.services.registry import Call


def passing_permission(call: Call, role_arn: str, service: str, associated_arn: str = "") -> Permission:
    """The permission to pass a role to a service, for the resource that will use it.

    Source: Service Authorization Reference, iam:PassRole and its condition keys.
    """
    keys: dict[str, ContextValue] = {"iam:passedtoservice": service}
    if associated_arn:
        keys["iam:associatedresourcearn"] = associated_arn
    trust = call.policies.trust(call.db, role_arn)
    if trust is not None and trust.role.entity.account_id == call.account_id:
        for key, value in trust.role.entity.tags:
            keys[f"aws:resourcetag/{key.lower()}"] = value
            keys[f"iam:resourcetag/{key.lower()}"] = value
    return Permission("iam:PassRole", role_arn, context=keys)


def trusts_service(call: Call, role_arn: str, service: str, source_arn: str) -> bool:
    """Whether the caller's account has the role, and its trust policy lets the service assume it for ``source_arn``."""
    trust = call.policies.trust(call.db, role_arn)
    if trust is None or trust.role.entity.account_id != call.account_id:
        return False
    context: dict[str, ContextValue] = {
        "aws:sourceaccount": call.account_id,
        "aws:sourcearn": source_arn,
        "aws:principalisawsservice": "true",
        "aws:principalservicename": service,
        "aws:principaltype": "Service",
    }
    principal = Principal("Service", call.account_id, "", "", "", "", service)
    question = Question("sts:AssumeRole", role_arn, context, principal, None, call.account_id)
    return decide(Layers(identity=None, resource=trust.policy), question).allowed
