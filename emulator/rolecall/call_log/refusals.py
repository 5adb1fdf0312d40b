"""The explanation of a refusal, worked out once after the call and stored as JSON.

It holds every permission that was checked, layer by layer, with the request context, the policies in force, and the
encoded authorization message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import to_builtins

from rolecall.call_log.authorization_message import (
    RESOURCE_SIDE,
    authorization_message,
    is_owners_key,
    of_another_owner,
)
from rolecall.call_log.key_names import key_name
from rolecall.call_log.outcomes import Outcome, SealMessage
from rolecall.policy import (
    CompiledPolicies,
    Decision,
    Layers,
    NamedPolicy,
    PolicyKind,
    Question,
    compile_policies,
    decide,
    explain,
    matches,
)
from rolecall.policy.decision import all_layers
from rolecall.storage.decision_log import KEPT_DETAILS_SECONDS, RefusalDetails

# The longest message that DecodeAuthorizationMessage accepts (its model). The log leaves out a longer one.
MAXIMUM_MESSAGE_CHARACTERS = 10_240
_DIGEST_CHARACTERS = 32
_OF_THE_EVALUATION = ("aws:resource", "aws:requesttag/", "aws:tagkeys")
_ORGANIZATION_KEY = "aws:principalorgid"
_NOTHING = compile_policies([], PolicyKind.SESSION)
_HIDDEN: Mapping[str, Any] = {"hidden": True}
_encode = json.JSONEncoder(separators=(",", ":")).encode

Context = Mapping[str, str | Sequence[str]]


def refusal_details(outcome: Outcome) -> RefusalDetails:
    """The details of a call whose last decision refused it."""
    refused = outcome.decisions[-1]
    context = _context(refused.question)
    organization_id = str(context.get(_ORGANIZATION_KEY, ""))
    policies: dict[tuple[str, str], dict[str, Any]] = {}
    documents: dict[str, str] = {}
    evaluations = [_evaluation(decision, organization_id, policies, documents) for decision in outcome.decisions]
    explanation = {
        "context": _named(context, of_the_evaluation=False),
        "evaluations": evaluations,
        "policies": list(policies.values()),
        "encoded_message": _sealed(refused, context, outcome.seal_message, int(outcome.now_seconds)),
    }
    return RefusalDetails(
        request_id=outcome.request_id,
        account_id="" if outcome.caller is None else outcome.caller.principal.account_id,
        organization_id=organization_id,
        region=outcome.region,
        at_seconds=outcome.now_seconds,
        explanation=_encode(explanation),
        policies=documents,
    )


def _context(question: Question) -> Context:
    """All condition keys. A context can also be iterated, although the engine only looks keys up."""
    return dict(question.context)


def _named(context: Context, *, of_the_evaluation: bool) -> dict[str, Any]:
    """The keys about this resource and its parameters, or the keys about the request, in AWS's spelling."""
    return {
        key_name(key): value if isinstance(value, str) else list(value)
        for key, value in sorted(context.items())
        if of_the_evaluation == (not key.startswith("aws:") or key.startswith(_OF_THE_EVALUATION))
    }


def _sealed(decision: Decision, context: Context, seal: SealMessage | None, now_seconds: int) -> str:
    if seal is None:
        return ""
    text = seal(authorization_message(decision, context), now_seconds + KEPT_DETAILS_SECONDS)
    return text if len(text) <= MAXIMUM_MESSAGE_CHARACTERS else ""


def _evaluation(
    decision: Decision,
    organization_id: str,
    policies: dict[tuple[str, str], dict[str, Any]],
    documents: dict[str, str],
) -> dict[str, Any]:
    """One question and its answer. The policies that it involves are added to ``policies`` and ``documents``.

    ``hidden`` and ``hidden_keys`` mark what AWS would not show the caller. The log shows it, the toolbox does not.
    """
    question, explained = decision.question, explain(decision)
    context = _named(_context(question), of_the_evaluation=True)
    layers, needed, is_anothers = [], _needed_layers(decision), of_another_owner(decision.question)
    for (compiled, target), layer in zip(_targeted_layers(decision, organization_id), explained.layers, strict=True):
        hidden = is_anothers and compiled.kind in RESOURCE_SIDE
        for named in compiled.policies:
            _add_policy(named, compiled.kind, target, policies, documents, hidden=hidden)
        in_order = [each.policy for each in compiled.statements if matches(each, question)]
        matched = [
            {**to_builtins(statement), "uri": policy_uri(named, compiled.kind, target)}
            for named, statement in zip(in_order, layer.matched, strict=True)
        ]
        shown = {"layer": layer.layer, "effect": layer.effect, "needed": compiled.kind in needed, "target": target}
        shown |= _HIDDEN if hidden else {}
        layers.append({**shown, "policies": list(layer.policies), "matched": matched})
    return {
        "action": question.action,
        "resource": question.resource,
        "outcome": explained.outcome,
        "layer": explained.layer,
        **({"layer_name": explained.layer_name} if explained.layer == PolicyKind.SCOPE_DOWN else {}),
        "session_policy_required": decision.layers.session_policy_required,
        "context": context,
        **({"hidden_keys": [key for key in context if is_owners_key(key)]} if is_anothers else {}),
        "layers": layers,
        "nearest": None if explained.nearest is None else to_builtins(explained.nearest),
    }


def _needed_layers(decision: Decision) -> frozenset[PolicyKind]:
    """The layers whose allow was necessary. The other layers may allow nothing, because another layer was enough."""
    question, resource = decision.question, decision.layers.resource
    if decision.allowed:
        return frozenset()
    needed = {PolicyKind.RCP, PolicyKind.SCP, PolicyKind.TRUST, PolicyKind.SCOPE_DOWN}
    if question.principal is not None and question.resource_account_id not in ("", question.principal.account_id):
        needed.add(PolicyKind.RESOURCE)
    # A resource's policy may allow by itself, regardless of the caller's own policies and their limits.
    if resource is None or not decide(Layers(None, resource=resource), question).allowed:
        needed.add(PolicyKind.IDENTITY)
    limited = Layers(None, session=_NOTHING, resource=resource)
    if resource is None or not decide(limited, question).allowed:
        needed |= {PolicyKind.BOUNDARY, PolicyKind.SESSION}
    if decision.layers.delegation:
        needed.add(PolicyKind.SESSION)
    return frozenset(needed)


def _targeted_layers(decision: Decision, organization_id: str) -> Iterator[tuple[CompiledPolicies, str]]:
    """The layers, each with the ARN of the entity that its policies are attached to."""
    question, layers = decision.question, decision.layers
    caller_account_id = "" if question.principal is None else question.principal.account_id
    organization = _organization_targets(question, "aws:principalorgpaths", organization_id, caller_account_id)
    resource_side = _organization_targets(
        question, "aws:resourceorgpaths", organization_id, question.resource_account_id
    )
    principal_arn = "" if question.principal is None else question.principal.principal_arn
    control = iter([*resource_side[: len(layers.rcps)], *organization[: len(layers.scps)]])
    for compiled in all_layers(layers):
        if compiled.kind in (PolicyKind.SCP, PolicyKind.RCP):
            yield compiled, next(control)
        elif compiled.kind in (PolicyKind.RESOURCE, PolicyKind.TRUST):
            yield compiled, question.resource
        else:
            yield compiled, principal_arn


def _organization_targets(question: Question, paths_key: str, organization_id: str, account_id: str) -> list[str]:
    """ARNs of the organization's root, of each unit above the account, and of the account.

    They contain the account's own id, because a sandbox need not have a management account.
    """
    paths = question.context.get(paths_key)
    path = "" if paths is None else paths if isinstance(paths, str) else paths[0]
    of_organization, *levels = path.strip("/").split("/")
    prefix, organization = f"arn:aws:organizations::{account_id}", of_organization or organization_id
    root, *units = levels or [f"r-{organization[2:6]}"]
    return [
        f"{prefix}:root/{organization}/{root}",
        *(f"{prefix}:ou/{organization}/{unit}" for unit in units),
        f"{prefix}:account/{organization}/{account_id}",
    ]


def policy_uri(named: NamedPolicy, kind: PolicyKind, target: str) -> str:
    """The ARN of a managed policy. For an inline policy, an opaque identifier that depends on its text and place."""
    if named.arn:
        return named.arn
    digest = hashlib.sha256("\0".join((kind.value, target, named.name, named.policy.text)).encode()).hexdigest()
    return f"inline-{digest[:_DIGEST_CHARACTERS]}"


def _add_policy(
    named: NamedPolicy,
    kind: PolicyKind,
    target: str,
    policies: dict[tuple[str, str], dict[str, Any]],
    documents: dict[str, str],
    *,
    hidden: bool,
) -> None:
    uri = policy_uri(named, kind, target)
    known = policies.get((kind.value, uri))
    if known is not None:
        if target not in known["attached_to"]:
            known["attached_to"].append(target)
        return
    digest = hashlib.sha256(named.policy.text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    documents[digest] = named.policy.text
    policies[kind.value, uri] = {
        "uri": uri,
        "kind": kind.value,
        "name": named.name,
        "inline": uri.startswith("inline-"),
        "attached_to": [target],
        "digest": digest,
        **(_HIDDEN if hidden else {}),
    }
