"""The sentence of a refusal (IAM User Guide, Troubleshoot access denied error messages)."""

from __future__ import annotations

from rolecall.policy.decision import Decision
from rolecall.policy.document import PolicyKind

# Kind → (the words of an implicit deny, the words of an explicit deny).
_REASONS = {
    PolicyKind.IDENTITY: ("no identity-based policy allows", "an explicit deny in an identity-based policy"),
    PolicyKind.SESSION: ("no session policy allows", "an explicit deny in a session policy"),
    # Not recorded: AWS's list of policy types in refusals has no scope-down policies, and the model of IAM Toolbox has
    # no check of their own.
    PolicyKind.SCOPE_DOWN: ("no session policy allows", "an explicit deny in a session policy"),
    PolicyKind.BOUNDARY: ("no permissions boundary allows", "an explicit deny in a permissions boundary"),
    PolicyKind.SCP: ("no service control policy allows", "an explicit deny in a service control policy"),
    PolicyKind.RCP: ("no resource control policy allows", "an explicit deny in a resource control policy"),
    PolicyKind.RESOURCE: ("no resource-based policy allows", "an explicit deny in a resource-based policy"),
    PolicyKind.TRUST: ("no role trust policy allows", "an explicit deny in the role trust policy"),
}


def denial_message(decision: Decision, *, shown_resource: str | None = None) -> str:
    """AWS's AccessDenied message for a refusal.

    ``shown_resource`` replaces the resource's ARN, for calls that AWS words in this way. The message has ``*`` as the
    resource only when ``shown_resource`` is ``*``. An unsigned call gets STS's short sentence. An explicit deny names
    the managed policy. An inline policy has no ARN to name.
    """
    question = decision.question
    if question.federated_provider:
        return f"Not authorized to perform {question.action}"
    resource = "" if question.resource == "*" else question.resource
    if shown_resource is not None:
        resource = shown_resource
    caller = "anonymous" if question.principal is None else question.principal.arn
    message = f"User: {caller} is not authorized to perform: {question.action}"
    if resource:
        message += f" on resource: {resource}"
    if decision.layer is None:
        return message
    implicit, explicit = _REASONS[decision.layer]
    if decision.outcome != "ExplicitDeny":
        return f"{message} because {implicit} the {question.action} action"
    arn = "" if decision.statement is None else decision.statement.policy.arn
    if decision.layer is PolicyKind.RCP and f"/{question.context.get('aws:principalorgid')}/" not in arn:
        # A caller outside the organization learns nothing about its policies.
        arn = ""
    return f"{message} with {explicit}" + (f": {arn}" if arn else "")
