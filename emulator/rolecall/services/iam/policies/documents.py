"""Checks policy documents before they are stored. A document that AWS refuses is refused; advice goes to the log."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rolecall.access.policies import MalformedPolicy, parsed_policy
from rolecall.advice import Advice, advise
from rolecall.caches import KEPT_POLICY_CHARACTERS, BoundedCache
from rolecall.errors import AwsError
from rolecall.policy import Policy, PolicyKind
from rolecall.printable import printable
from rolecall.services.registry import Call

log = logging.getLogger("rolecall.policy")

MAXIMUM_ADVICE_LOGGED = 20
_advice: BoundedCache[tuple[PolicyKind, str], Sequence[Advice]] = BoundedCache(1024, KEPT_POLICY_CHARACTERS)


def checked_document(call: Call, text: str, kind: PolicyKind, name: str, *, is_inline: bool = False) -> Policy:
    """Parse a policy text. Advice about the policy goes to the log under ``name``.

    Raises AwsError MalformedPolicyDocument.
    """
    try:
        policy = parsed_policy(text, kind, is_inline=is_inline)
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicyDocument", error.message, reason=str(error)) from error
    if log.isEnabledFor(logging.WARNING):
        for advice in _advice_on(policy):
            line = f"{call.request_id} {name}, Statement[{advice.statement_index}]: {advice.message}"
            log.warning("%s", printable(line))
    return policy


def _advice_on(policy: Policy) -> Sequence[Advice]:
    """Programs store the same few policies again and again, so advice is remembered as policies are."""
    key = (policy.kind, policy.text)
    advice = _advice.get(key)
    if advice is None:
        advice = tuple(advise(policy, MAXIMUM_ADVICE_LOGGED))
        _advice.put(key, advice)
    return advice
