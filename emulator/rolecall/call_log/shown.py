"""The decision log for people and programs: one call as JSON values, and as text for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rolecall.call_log.changes import changes_for
from rolecall.call_log.layers import LAYER_EFFECTS, LAYER_TITLES
from rolecall.clock import iso8601
from rolecall.ids import authorization_id
from rolecall.policy import listed_values, policy_label
from rolecall.printable import printable
from rolecall.storage.decision_log import LoggedCall, RefusalDetails

Json = dict[str, Any]

# Kinds of policy that apply to a call level by level.
_LEVELLED = ("scp", "rcp")


def call_as_json(call: LoggedCall) -> Json:
    """A call without its explanation. ``time`` is the sandbox's. ``latency_seconds`` counts only the gateway's time."""
    error = {"code": call.error_code, "message": call.message, "reason": call.reason}
    decisions = json.loads(call.decisions)
    deciding = decisions[-1] if decisions else {}
    return {
        "request_id": call.request_id,
        "time": iso8601(call.at_seconds),
        "service": call.service,
        "operation": call.operation,
        "region": call.region,
        "account_id": call.account_id,
        "principal": call.principal,
        "principal_arn": call.principal_arn,
        "access_key_id": call.access_key_id,
        "session": json.loads(call.session) if call.session else None,
        "actions": [decision["action"] for decision in decisions],
        "resources": [decision["resource"] for decision in decisions],
        "outcome": call.outcome,
        "layer": deciding.get("layer", ""),
        "layer_name": deciding.get("layer_name") or LAYER_TITLES.get(deciding.get("layer", ""), ""),
        "statement": deciding.get("statement"),
        "status": call.status,
        "error": error if call.error_code else None,
        "latency_seconds": round(call.latency_seconds, 6),
        "source_ip": call.source_ip,
        "user_agent": call.user_agent,
    }


CALL_TITLES = ("TIME", "OUTCOME", "CALLER", "CALL", "REQUEST ID")


def call_cells(shown: Json) -> tuple[str, str, str, str, str]:
    """The result of :func:`call_as_json` in the columns of :data:`CALL_TITLES`."""
    asked = ", ".join(
        f"{action} on {resource}" for action, resource in zip(shown["actions"], shown["resources"], strict=True)
    ) or " ".join(filter(None, (shown["service"], shown["operation"] or "(no operation)")))
    code = shown["error"]["code"] if shown["error"] else ""
    error = f" ({code})" if code not in ("", shown["outcome"]) else ""
    return shown["time"], f"{shown['outcome']}{error}", shown["principal"] or "nobody", asked, shown["request_id"]


def call_line(shown: Json) -> str:
    """A call in one line, for programs: time, request id, outcome, caller and what it asked for."""
    time, outcome, caller, asked, request_id = call_cells(shown)
    return printable(f"{time}  {request_id}  {outcome}  {caller}  {asked}")


def call_lines(shown: Json) -> list[str]:
    """A call in some lines, for a narrow terminal."""
    time, outcome, caller, asked, request_id = call_cells(shown)
    return [printable(line) for line in (f"{time}  {outcome}: {asked}", f"    by {caller}", f"    {request_id}")]


def explained_as_json(call: LoggedCall, details: RefusalDetails | None) -> Json:
    """The call with every decision. For a refusal with stored details, it also has the whole explanation.

    Each evaluation then says under ``changes`` what would have to change before it allows the call.
    """
    shown = {**call_as_json(call), "decisions": json.loads(call.decisions)}
    if details is None:
        return shown
    explanation = json.loads(details.explanation)
    policies = [_with_document(policy, details.policies) for policy in explanation["policies"]]
    evaluations = [
        {**each, "changes": [change.as_json() for change in changes_for(each, call.principal_arn)]}
        for each in explanation["evaluations"]
    ]
    return {
        **shown,
        "authorization_id": authorization_id(call.request_id),
        "encoded_message": explanation["encoded_message"],
        "context": explanation["context"],
        "evaluations": evaluations,
        "policies": policies,
    }


def _with_document(policy: Json, documents: Mapping[str, str]) -> Json:
    shown = {name: value for name, value in policy.items() if name != "digest"}
    return {**shown, "document": json.loads(documents[policy["digest"]])}


def explained_lines(shown: Json) -> Iterator[str]:
    """The result of :func:`explained_as_json`, for a terminal."""
    return map(printable, _explained_lines(shown))


def _explained_lines(shown: Json) -> Iterator[str]:
    yield from _asked_lines(shown)
    yield from _answer_lines(shown)
    evaluations = shown.get("evaluations")
    if evaluations is None:
        yield from _decision_lines(shown)
        return
    for evaluation in evaluations:
        yield ""
        yield from _evaluation_lines(evaluation)
    yield ""
    yield f"authorization id  {shown['authorization_id']}"
    if shown["encoded_message"]:
        yield f"encoded message   {shown['encoded_message']}"


def _asked_lines(shown: Json) -> Iterator[str]:
    asked = " ".join(filter(None, (shown["service"], shown["operation"] or "(no operation)")))
    where = f" in {shown['region']}" if shown["region"] else ""
    yield f"request  {shown['request_id']}, {shown['time']}"
    yield f"asked    {asked}{where}"
    key = f" with access key {shown['access_key_id']}" if shown["access_key_id"] else ""
    yield f"by       {shown['principal'] or 'an unauthenticated caller'}{key}"
    session = shown["session"]
    if session is not None:
        name = f" {session['name']}" if session["name"] else ""
        times = f"issued {iso8601(session['issued_at_seconds'])}, expires {iso8601(session['expires_at_seconds'])}"
        yield f"         session{name} of {session['type']}, {times}"
        for fact in ("source_identity", "federated_provider"):
            if fact in session:
                yield f"         {fact.replace('_', ' ')} {session[fact]}"
        if "mfa_authenticated_at_seconds" in session:
            yield f"         MFA at {iso8601(session['mfa_authenticated_at_seconds'])}"
        if "scope_down_policies" in session:
            yield f"         scope-down policies: {session['scope_down_policies']}"
        if "chain" in session:
            yield f"         obtained by {', then '.join(session['chain'])}"
        if "tags" in session:
            yield f"         tags {', '.join(f'{key}={value}' for key, value in session['tags'].items())}"
    agent = f", {shown['user_agent']}" if shown["user_agent"] else ""
    yield f"from     {shown['source_ip'] or 'an unknown address'}{agent}"


def _answer_lines(shown: Json) -> Iterator[str]:
    took = f"after {shown['latency_seconds'] * 1000:.1f} ms"
    error = shown["error"]
    if error is None:
        yield f"answered {shown['status']} {took}"
        return
    yield f"answered {shown['status']} {error['code']} {took}"
    for text in (error["message"], error["reason"]):
        if text:
            yield f"         {text}"


def _decision_lines(shown: Json) -> Iterator[str]:
    if not shown["decisions"]:
        refused = shown["outcome"] != "Allowed"
        yield ""
        yield "refused before any policy was evaluated" if refused else "this operation needs no permission"
    for decision in shown["decisions"]:
        yield ""
        yield f"{decision['outcome']}: {decision['action']} on {decision['resource']}"
        yield f"  {_decided(decision)}"
    if shown["outcome"] in ("ExplicitDeny", "ImplicitDeny"):
        yield "  further details are kept for one day only"


def _decided(decision: Json) -> str:
    if not decision["layer"]:
        return "by no policy: the root user needs none"
    title = decision.get("layer_name") or LAYER_TITLES[decision["layer"]]
    statement = decision.get("statement")
    if statement is None:
        return f"by the {title}: no statement allows it"
    label = statement["sid"] or f"statement {statement['index']}"
    return f"by the {title}: {policy_label(statement['policy'], statement['policy_arn'])} / {label}"


def _evaluation_lines(evaluation: Json) -> Iterator[str]:
    title = evaluation.get("layer_name") or LAYER_TITLES.get(evaluation["layer"], "")
    deciding = f", decided by the {title}" if title else ""
    yield f"{evaluation['outcome']}: {evaluation['action']} on {evaluation['resource']}{deciding}"
    for layer in evaluation["layers"]:
        policies = ", ".join(layer["policies"]) or "none"
        # root/ORGANIZATION/ROOT, ou/ORGANIZATION/UNIT or account/ORGANIZATION/ACCOUNT
        at = f" at {layer['target'].rpartition(':')[2]}" if layer["layer"] in _LEVELLED else ""
        yield f"  {LAYER_TITLES[layer['layer']]}{at} [{policies}]: {LAYER_EFFECTS[layer['effect']]}"
        for statement in layer["matched"]:
            yield from _statement_lines(statement)
    if evaluation["session_policy_required"]:
        yield "  session policies [none]: a federated user without one may do nothing"
    nearest = evaluation["nearest"]
    if nearest is not None:
        yield f"  the nearest statement that would have allowed it failed on {', '.join(nearest['failed'])}:"
        yield from _statement_lines(nearest)
    yield from _change_lines(evaluation["changes"])


def _change_lines(changes: Sequence[Json]) -> Iterator[str]:
    if changes:
        yield "  what would have to change:"
    for place, change in enumerate(changes, 1):
        yield f"    {place}. {' '.join(change['texts'])}"
        if change["statement"] is not None:
            text = json.dumps(change["statement"], indent=2, ensure_ascii=False)
            yield from (f"       {line}" for line in text.splitlines())


def _statement_lines(statement: Json) -> Iterator[str]:
    label = statement["sid"] or f"statement {statement['index']}"
    policy = policy_label(statement["policy_name"], statement["policy_arn"])
    yield f"    {statement['effect']} {policy} / {label}"
    for element in statement["elements"]:
        listed = listed_values(element["policy_values"])
        yield f"      {element['element']} [{listed}]: the request has {element['request_value']}"
    for condition in statement["conditions"]:
        values = condition["request_values"]
        has = "has no such key" if values is None else f"has {', '.join(values)}"
        wanted = listed_values(condition["policy_values"])
        verdict = "met" if condition["met"] else "not met"
        yield f"      {condition['operator']} {condition['key']} [{wanted}]: the request {has}: {verdict}"
