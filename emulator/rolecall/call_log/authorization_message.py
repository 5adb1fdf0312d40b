"""The content of an encoded authorization message, in AWS's structure (API reference, DecodeAuthorizationMessage)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rolecall.call_log.key_names import key_name
from rolecall.policy import CompiledStatement, Decision


def authorization_message(decision: Decision, context: Mapping[str, str | Sequence[str]]) -> dict[str, Any]:
    """What DecodeAuthorizationMessage shows of a refusal. ``context`` holds all condition keys of the question."""
    question = decision.question
    explicit = decision.outcome == "ExplicitDeny"
    principal_id = "" if question.principal is None else question.principal.user_id
    matched = [each for each in decision.matched if each.statement.effect == "Deny"] if explicit else []
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
