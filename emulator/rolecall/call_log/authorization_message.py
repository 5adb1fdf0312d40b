"""The content of an encoded authorization message, in AWS's structure (API reference, DecodeAuthorizationMessage)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rolecall.call_log.key_names import key_name
from rolecall.policy import CompiledStatement, Decision, PolicyKind, Question

# The policies of the side that owns the resource, and the condition keys of what it knows about the resource.
RESOURCE_SIDE = frozenset({PolicyKind.RCP, PolicyKind.RESOURCE, PolicyKind.TRUST})
_RESOURCE_KEYS = ("aws:resourcetag/", "iam:resourcetag/", "aws:resourceorg")


def of_another_owner(question: Question) -> bool:
    """Whether the resource belongs to an account outside the caller's account and organization.

    Such an owner's policies and tags are not the caller's to read. The toolbox's model says that a policy that matched
    can be missing from the list. That this is the reason is assumed: AWS's refusals name policies of the same account
    or organization alone (IAM User Guide, Troubleshoot access denied error messages).
    """
    principal, owner = question.principal, question.resource_account_id
    if principal is None or owner in ("", principal.account_id):
        return False
    organization_id = question.context.get("aws:principalorgid")
    return organization_id is None or question.context.get("aws:resourceorgid") != organization_id


def is_owners_key(key: str) -> bool:
    """Whether a condition key, in any case, tells what the resource's owner knows about the resource."""
    return key.lower().startswith(_RESOURCE_KEYS)


def authorization_message(decision: Decision, context: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """What DecodeAuthorizationMessage shows of a refusal. ``context`` holds all condition keys of the question."""
    question = decision.question
    explicit = decision.outcome == "ExplicitDeny"
    principal_id = "" if question.principal is None else question.principal.user_id
    matched = [each for each in decision.matched if each.statement.effect == "Deny"] if explicit else []
    if of_another_owner(question):
        matched = [each for each in matched if each.policy.policy.kind not in RESOURCE_SIDE]
        context = {key: values for key, values in context.items() if not is_owners_key(key)}
    return {
        "allowed": decision.allowed,
        "explicitDeny": explicit,
        "matchedStatements": _items(_statement(each, principal_id) for each in matched),
        "failures": _items(()),
        "context": {
            "principal": _principal(decision),
            "action": question.action,
            "resource": question.resource,
            "conditions": _items(_condition(key_name(key), values) for key, values in sorted(context.items())),
        },
    }


def _items(items: Iterable[Any]) -> dict[str, list[Any]]:
    return {"items": list(items)}


def _values(values: Iterable[str]) -> dict[str, list[Any]]:
    return _items({"value": value} for value in values)


def _condition(key: str, values: str | Sequence[str]) -> dict[str, Any]:
    return {"key": key, "values": _values((values,) if isinstance(values, str) else values)}


def _principal(decision: Decision) -> dict[str, str]:
    principal = decision.question.principal
    if principal is None:
        return {}
    named = {"name": principal.name} if principal.type == "User" else {}
    return {"id": principal.user_id, **named, "arn": principal.arn}


def _statement(compiled: CompiledStatement, principal_id: str) -> dict[str, Any]:
    statement = compiled.statement
    return {
        "statementId": statement.sid,
        "effect": statement.effect.upper(),
        "principals": _values([principal_id] if principal_id else []),
        "principalGroups": _items(()),
        "notActions" if statement.actions_negated else "actions": _values(statement.actions),
        "notResources" if statement.resources_negated else "resources": _values(statement.resources or ()),
        "conditions": _items(_condition(condition.key, condition.values) for condition in statement.conditions),
    }
