"""Which roles may trust a principal at all. Most roles trust few principals, so this saves most questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rolecall.expectations.asking import ASSUME_ROLE, Asker
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies
from rolecall.policy.compiled import ResourceTest
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
        """The roles that a principal may be able to assume.

        The trust policy names it, and its own policies allow it on the role unless that is not needed. Conditions are
        not compared.
        """
        rights = self._asker.rights(who)
        principal, layers = rights.caller.principal, rights.layers
        allowed = None if layers.identity is None else _allowed(layers.identity)
        has_boundary = layers.boundary is not None
        for role, tests in self._roles:
            reach = max((_EVERYONE if test is None else test(principal, "", has_boundary) for test in tests), default=0)
            # A trust policy of its own account that names a principal itself is enough.
            if reach and (
                allowed is None
                or (reach >= Reach.LIMITED and role.account_id == who.account_id)
                or any(test is None or test(role.arn, rights.context) for test in allowed)
            ):
                yield role


def _allowed(identity: CompiledPolicies) -> list[ResourceTest | None]:
    """The resource tests of the statements that allow to assume roles; None for one that this cannot rule out."""
    action = ASSUME_ROLE.lower()
    found: list[ResourceTest | None] = []
    for compiled in identity.statements:
        if compiled.statement.effect == "Allow" and compiled.matches_action(action):
            # What a variable stands for may depend on the call.
            fixed = not any("${" in resource for resource in compiled.statement.resources or ())
            found.append(compiled.resource if fixed else None)
    return found


def _tests(policy: CompiledPolicies) -> Iterator[ReachTest | None]:
    action = ASSUME_ROLE.lower()
    for compiled in policy.statements:
        if compiled.statement.effect == "Allow" and compiled.matches_action(action):
            yield compiled.reach
