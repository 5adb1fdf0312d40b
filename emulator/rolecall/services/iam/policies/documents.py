"""Policy documents on their way into storage: refused when AWS refuses them, advised on in the log."""

from __future__ import annotations

import logging

from rolecall.access.policies import MalformedPolicy, parsed_policy
from rolecall.advice import advise
from rolecall.errors import AwsError
from rolecall.policy import Policy, PolicyKind
from rolecall.printable import printable
from rolecall.services.registry import Call

log = logging.getLogger("rolecall.policy")

MAXIMUM_ADVICE_LOGGED = 20


def checked_document(call: Call, text: str, kind: PolicyKind, name: str) -> Policy:
    """The policy that a text holds; advice on it goes to the log under ``name``.

    Raises AwsError MalformedPolicyDocument.
    """
    try:
        policy = parsed_policy(text, kind)
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicyDocument", error.message, reason=str(error)) from error
    if log.isEnabledFor(logging.WARNING):
        for advice in advise(policy, MAXIMUM_ADVICE_LOGGED):
            told = f"{call.request_id} {name}, Statement[{advice.statement_index}]: {advice.message}"
            log.warning("%s", printable(told))
    return policy
