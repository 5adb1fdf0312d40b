"""The words of a sign-in that console authorization stops (Sign-In User Guide, "Troubleshooting console access")."""

from __future__ import annotations

from rolecall.access.console_access import AUTHENTICATE
from rolecall.policy import Decision, PolicyKind

BY_RESOURCE_POLICY_MESSAGE = "Your authentication information is incorrect. Please try again."
BY_CONTROL_POLICY_MESSAGE = "Authentication failed Invalid request"
AFTER_AUTHENTICATION_MESSAGE = (
    "Authentication failed: To access this account, sign in from a different network, or contact your administrator "
    "for more information"
)
# What CloudTrail's event ConsoleLogin says.
LOGGED_MESSAGE = "Authorization denied because of a {kind} policy"
_LOGGED_KINDS = {PolicyKind.RESOURCE: "resource-based", PolicyKind.RCP: "resource control"}


def stopped_message(decision: Decision) -> str:
    """What the visitor sees."""
    if decision.question.action != AUTHENTICATE:
        return AFTER_AUTHENTICATION_MESSAGE
    return BY_CONTROL_POLICY_MESSAGE if decision.layer is PolicyKind.RCP else BY_RESOURCE_POLICY_MESSAGE


def logged_message(decision: Decision) -> str:
    """What the log says. AWS documents the sentence for two kinds of policies alone."""
    layer = decision.layer
    kind = "" if layer is None else _LOGGED_KINDS.get(layer, layer.value)
    return LOGGED_MESSAGE.format(kind=kind)
