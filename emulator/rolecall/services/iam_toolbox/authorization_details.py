"""GetRequestAuthorizationDetails and GetRequestAuthorizationPolicy: AWS's own way to ask why a request was refused.

Sources: IAM User Guide, Troubleshoot access denied error messages, and the API reference of IAM Toolbox (preview).
Details are kept for a day, in the Region of the refused call, for its account and the account's organization.
"""

from __future__ import annotations

import json
from typing import Any

from rolecall.errors import AwsError
from rolecall.ids import request_of_authorization
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import gather
from rolecall.storage.decision_log import RefusalDetails

# AWS's wording was not recorded.
NO_DETAILS_MESSAGE = "No authorization details were found for the authorization id {authorization_id}."
NO_POLICY_MESSAGE = "The policy {policy_uri} was not evaluated for the authorization id {authorization_id}."
INVALID_TOKEN_MESSAGE = "The pagination token is not valid."  # noqa: S105

_EFFECTS = {"Allowed": "ALLOW", "Allow": "ALLOW", "ExplicitDeny": "EXPLICIT_DENY", "ImplicitDeny": "IMPLICIT_DENY"}
# Kind of policy -> type of the check, type of the policy. The checks are listed in this order.
_KINDS = {
    "rcp": ("RESOURCE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"),
    "scp": ("SERVICE_CONTROL_POLICY", "SERVICE_CONTROL_POLICY"),
    "resource": ("RESOURCE", "RESOURCE_BASED_POLICY"),
    "trust": ("RESOURCE", "RESOURCE_BASED_POLICY"),
    "identity": ("PRINCIPAL", "IDENTITY_BASED_POLICY"),
    "boundary": ("PERMISSIONS_BOUNDARY", "PERMISSIONS_BOUNDARY"),
    "session": ("SESSION", "SESSION_POLICY"),
    # The model has no type of their own for scope-down policies: CheckType, PolicyType.
    "scope-down": ("SESSION", "SESSION_POLICY"),
}
_ORDER = list(_KINDS)


@operation("iam-toolbox", "GetRequestAuthorizationDetails")
def get_request_authorization_details(call: Call, *, authorizationId: str, nextToken: str | None = None) -> Answer:
    """The request context, every evaluation with its checks, and the policies. Raises AwsError
    ResourceNotFoundException, ValidationException.
    """
    if nextToken is not None:
        # A call has a handful of evaluations, so no answer needs a second page.
        raise AwsError("ValidationException", INVALID_TOKEN_MESSAGE)
    explanation = json.loads(_details(call, authorizationId).explanation)
    return {
        "requestContext": explanation["context"],
        "evaluations": [_evaluation(evaluation) for evaluation in explanation["evaluations"]],
        "policies": [_policy(policy) for policy in _shown_policies(explanation)],
    }


@operation("iam-toolbox", "GetRequestAuthorizationPolicy")
def get_request_authorization_policy(call: Call, *, authorizationId: str, policyUri: str) -> Answer:
    """The document of one policy at the time of the refusal. Raises AwsError ResourceNotFoundException."""
    details = _details(call, authorizationId)
    for policy in _shown_policies(json.loads(details.explanation)):
        if policy["uri"] == policyUri:
            return {"policyDocument": json.loads(details.policies[policy["digest"]])}
    message = NO_POLICY_MESSAGE.format(policy_uri=policyUri, authorization_id=authorizationId)
    raise AwsError("ResourceNotFoundException", message)


def _details(call: Call, authorization_id: str) -> RefusalDetails:
    request_id = request_of_authorization(authorization_id)
    details = None if request_id is None else call.sandbox.refusal(request_id)
    if details is None or details.region != call.region or not _may_see(call, details):
        message = NO_DETAILS_MESSAGE.format(authorization_id=authorization_id)
        raise AwsError("ResourceNotFoundException", message)
    return details


def _may_see(call: Call, details: RefusalDetails) -> bool:
    """Only the recorded organization may see a refusal; without an organization, only the account."""
    if not details.organization_id:
        return details.account_id == call.account_id
    organization = gather.organization_of(call.db, call.account_id)
    return organization is not None and organization.organization_id == details.organization_id


def _shown_policies(explanation: dict[str, Any]) -> list[dict[str, Any]]:
    """The policies, but not the ones that a resource's owner outside the caller's account and organization has."""
    return [policy for policy in explanation["policies"] if not policy.get("hidden")]


def _evaluation(evaluation: dict[str, Any]) -> Answer:
    resource, hidden_keys = evaluation["resource"], evaluation.get("hidden_keys", ())
    return {
        "action": evaluation["action"],
        "resource": "" if resource == "*" else resource,
        "context": {key: value for key, value in evaluation["context"].items() if key not in hidden_keys},
        "evaluatedEffect": _EFFECTS[evaluation["outcome"]],
        "checks": _checks(evaluation),
    }


def _checks(evaluation: dict[str, Any]) -> list[Answer]:
    checks = [_check(layer, evaluation) for layer in _in_order(evaluation["layers"])]
    if evaluation["session_policy_required"]:
        # A federated user's session without a policy: there is no policy that could allow.
        session = {
            "checkType": "SESSION",
            "evaluatedEffect": "IMPLICIT_DENY",
            "relevantPolicyTypes": ["SESSION_POLICY"],
        }
        checks.append({**session, "matchedPolicies": []})
    return checks


def _in_order(layers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(layers, key=lambda layer: _ORDER.index(layer["layer"]))


def _check(layer: dict[str, Any], evaluation: dict[str, Any]) -> Answer:
    check_type, policy_type = _KINDS[layer["layer"]]
    hidden = layer.get("hidden", False)
    effect = _EFFECTS[layer["effect"]]
    if effect == "IMPLICIT_DENY" and not layer["needed"]:
        effect = "NO_IMPACT"
    check: Answer = {
        "checkType": check_type,
        "evaluatedEffect": effect,
        "relevantPolicyTypes": [policy_type],
        "matchedPolicies": [] if hidden else _matched(layer["matched"]),
    }
    if layer["layer"] in ("scp", "rcp") and not hidden:
        check["targetArn"] = layer["target"]
    return check


def _matched(statements: list[dict[str, Any]]) -> list[Answer]:
    by_policy: dict[str, list[Answer]] = {}
    for statement in statements:
        # AWS makes an id for a statement without one. The form of that id is not documented.
        sid = statement["sid"] or f"statement-{statement['index']}"
        shown = {"sid": sid, "evaluatedEffect": statement["effect"].upper()}
        by_policy.setdefault(statement["uri"], []).append(shown)
    return [{"uri": uri, "matchedStatements": shown} for uri, shown in by_policy.items()]


def _policy(policy: dict[str, Any]) -> Answer:
    return {
        "type": _KINDS[policy["kind"]][1],
        "inline": policy["inline"],
        "uri": policy["uri"],
        "attachedTo": [{"arn": arn} for arn in policy["attached_to"]],
    }
