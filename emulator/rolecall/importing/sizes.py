"""Policies that are longer than AWS lets any account have.

IAM User Guide, IAM and AWS STS quotas: characters without white space. AWS raises one of these quotas on request, the
quota on trust policies, and not without limit.
"""

from __future__ import annotations

import json
from typing import Any

from rolecall.data import RAISED_QUOTAS
from rolecall.importing.found import Found, Place, Section

_INLINE = {
    "users": RAISED_QUOTAS.user_inline_policies_total_characters,
    "groups": RAISED_QUOTAS.group_inline_policies_total_characters,
    "roles": RAISED_QUOTAS.role_inline_policies_total_characters,
}


def check_sizes(found: Found) -> None:
    """Add a problem for each entity whose policies are too long. Raises EnoughFoundError."""
    for account_id, account in found.accounts.items():
        for noun, most in _INLINE.items():
            for index, entity in enumerate(account.get(noun, ())):
                count = sum(map(_characters, (entity.get("inline_policies") or {}).values()))
                what = f"the inline policies of {entity['name']} together"
                place = found.origins[account_id, noun, index]
                _check(found, place, what, count, most)
                if noun == "roles":
                    trust = _characters(entity.get("trust_policy"))
                    what = f"the trust policy of {entity['name']}"
                    _check(found, place, what, trust, RAISED_QUOTAS.role_trust_policy_characters)
        for index, policy in enumerate(account.get("policies", ())):
            if (account_id, "policies", index) in found.of_aws:
                continue
            versions: list[Section] = [policy, *policy.get("versions", ())]
            count = max(_characters(each.get("document")) for each in versions)
            place = found.origins[account_id, "policies", index]
            _check(found, place, f"the policy {policy['name']}", count, RAISED_QUOTAS.managed_policy_characters)


def _check(found: Found, place: Place, what: str, count: int, most: int) -> None:
    if count > most:
        found.problem(place, f"{what}: {count} characters, and AWS takes {most}")


def _characters(document: Any) -> int:
    text = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
    return len("".join(text.split()))
