"""The documents of an organization's policies: their form and their size (User Guide, Quotas)."""

from __future__ import annotations

import json

from rolecall.data import Quotas, without_resource_control
from rolecall.errors import AwsError
from rolecall.policy import MalformedPolicy, PolicyKind, parse_policy
from rolecall.services.organizations.common import violates
from rolecall.services.registry import Call
from rolecall.storage.gather import RESOURCE_CONTROL_POLICY, SERVICE_CONTROL_POLICY

# Recorded from AWS, in many public issues.
MALFORMED_MESSAGE = "The provided policy document does not meet the requirements of the specified policy type."
# The API reference's sentence; AWS's own words were not recorded.
SIZE_MESSAGE = "You attempted to create a policy that is larger than the maximum size."
_KINDS = {SERVICE_CONTROL_POLICY: PolicyKind.SCP, RESOURCE_CONTROL_POLICY: PolicyKind.RCP}
_AI_OPT_OUT = "AISERVICES_OPT_OUT_POLICY"


def check_content(call: Call, policy_type: str, content: str) -> None:
    """Raises AwsError: ConstraintViolationException for the size, MalformedPolicyDocumentException for the rest."""
    if len(content) > _most_characters(call.settings.quotas, policy_type):
        raise violates("POLICY_CONTENT_LIMIT_EXCEEDED", SIZE_MESSAGE)
    problem = _problem(policy_type, content)
    if problem:
        raise AwsError("MalformedPolicyDocumentException", MALFORMED_MESSAGE, reason=problem)


def _most_characters(quotas: Quotas, policy_type: str) -> int:
    """White space counts."""
    if policy_type == SERVICE_CONTROL_POLICY:
        return quotas.service_control_policy_characters
    if policy_type == RESOURCE_CONTROL_POLICY:
        return quotas.resource_control_policy_characters
    if policy_type == _AI_OPT_OUT:
        return quotas.ai_opt_out_policy_characters
    return quotas.management_policy_characters


def _problem(policy_type: str, content: str) -> str:
    kind = _KINDS.get(policy_type)
    if kind is None:
        return "" if isinstance(_json(content), dict) else "not a JSON object"
    try:
        policy = parse_policy(content, kind)
    except MalformedPolicy as error:
        return str(error)
    if kind is PolicyKind.RCP:
        actions = [action for statement in policy.statements for action in statement.actions]
        unknown = without_resource_control(actions)
        if unknown:
            return f"no resource control policies for {', '.join(unknown)}"
    return ""


def _json(content: str) -> object:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
