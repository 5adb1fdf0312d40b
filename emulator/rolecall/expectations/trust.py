"""Which roles may trust a principal at all. Most roles trust few principals, so this saves most questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rolecall.expectations.asking import ASSUME_ROLE, Asker
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies
from rolecall.policy.principal_elements import Reach, ReachTest

_EVERYONE = Reach.DIRECT


class Trusting:
    """The roles of a sandbox, each with the tests of its trust policy."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._roles: list[tuple[Who, Sequence[ReachTest | None]]] = []
        for role in asker.principals.roles:
            policy = asker.trust_policy(role.arn)
            if policy is not None:
                self._roles.append((role, tuple(_tests(policy))))

    def possible(self, who: Who) -> Iterator[Who]:
        """The roles that a principal may be able to assume, by the principals that their trust policies name."""
        rights = self._asker.rights(who)
        principal, layers = rights.caller.principal, rights.layers
        identity = layers.identity
        may_ask = who.kind == "root" or (identity is not None and identity.candidates(ASSUME_ROLE).allows is not None)
        has_boundary = layers.boundary is not None
        for role, tests in self._roles:
            reach = max((_EVERYONE if test is None else test(principal, "", has_boundary) for test in tests), default=0)
            # Without a policy of its own about it, a principal needs a trust policy of its account that names it.
            if reach and (may_ask or (reach >= Reach.LIMITED and role.account_id == who.account_id)):
                yield role


def _tests(policy: CompiledPolicies) -> Iterator[ReachTest | None]:
    action = ASSUME_ROLE.lower()
    for compiled in policy.statements:
        if compiled.statement.effect == "Allow" and compiled.matches_action(action):
            yield compiled.reach
