"""Which services and actions some policies can grant: the question of last-accessed reports, not of a decision.

AWS's recorded reports show the rules. Conditions of an Allow are taken as met, conditions of a Deny as not met. A Deny
counts when it has no condition and is about every resource. Boundaries, session policies and control policies do not
count. Source: IAM User Guide, Refine permissions in AWS using last accessed information.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rolecall.data import actions, service_prefixes
from rolecall.policy.document import Policy, Statement
from rolecall.policy.patterns import Test, glob, wildcards

_EVERYTHING = "*"


@dataclass(frozen=True)
class _Actions:
    """The actions that a statement is about."""

    statement: Statement

    @cached_property
    def _by_service(self) -> Mapping[str, Sequence[tuple[str, Test]]]:
        """The patterns by service, with their tests. A policy such as ReadOnlyAccess has two thousand of them."""
        found: dict[str, list[tuple[str, Test]]] = {}
        for pattern in map(str.lower, self.statement.actions):
            found.setdefault(pattern.partition(":")[0], []).append((pattern, glob(wildcards(pattern))))
        return found

    def _tests_about(self, prefix: str) -> Sequence[tuple[str, Test]]:
        return (*self._by_service.get(prefix, ()), *self._by_service.get(_EVERYTHING, ()))

    def about(self, prefix: str) -> tuple[str, ...]:
        """The patterns that can be about a service."""
        return tuple(pattern for pattern, _ in self._tests_about(prefix))

    def has_whole(self, prefix: str) -> bool:
        """Whether the statement is about every action of a service."""
        found = self.about(prefix)
        if self.statement.actions_negated:
            return not found
        return _is_whole(prefix, found)

    def has_some(self, prefix: str) -> bool:
        """Whether the statement names the service, or for NotAction leaves a part of it."""
        found = self.about(prefix)
        return not _is_whole(prefix, found) if self.statement.actions_negated else bool(found)

    def has(self, action: str) -> bool:
        """Whether the statement is about an action, which is given in lower case."""
        prefix = action.partition(":")[0]
        return any(test(action) for _, test in self._tests_about(prefix)) != self.statement.actions_negated


def _is_whole(prefix: str, patterns: Iterable[str]) -> bool:
    return any(each in (_EVERYTHING, f"{prefix}:*") for each in patterns)


class Grants:
    """What some policies can grant together. ``limits`` are further policies, of which only what they deny counts."""

    def __init__(self, policies: Sequence[Policy], limits: Sequence[Policy] = ()) -> None:
        statements = [statement for policy in policies for statement in policy.statements]
        self._allows = [_Actions(each) for each in statements if each.effect == "Allow"]
        statements += [statement for policy in limits for statement in policy.statements]
        self._denies = [_Actions(each) for each in statements if each.effect == "Deny" and _holds_everywhere(each)]

    def services(self) -> list[str]:
        """The prefixes of the services with an action that the policies can grant, sorted."""
        return [prefix for prefix in sorted(service_prefixes()) if self._grants_action_of(prefix)]

    def _grants_action_of(self, prefix: str) -> bool:
        if not self.names(prefix):
            return False
        # Most of the 450 services are granted as a whole. Their tables need not be read.
        return self.grants_whole(prefix) or any(True for _ in self.actions(prefix))

    def grants_whole(self, prefix: str) -> bool:
        """Whether the policies can certainly grant every action of the service."""
        allowed = any(each.has_whole(prefix) for each in self._allows)
        return allowed and not any(each.has_some(prefix) for each in self._denies)

    def names(self, prefix: str) -> bool:
        """Whether an Allow is about the service, and no Deny takes all of it away."""
        allowed = any(each.has_some(prefix) for each in self._allows)
        return allowed and not any(each.has_whole(prefix) for each in self._denies)

    def actions(self, prefix: str) -> Iterator[str]:
        """The names of the service's actions that the policies can grant, in the order of the table."""
        try:
            rows = actions(prefix)
        except KeyError:
            return
        for key, row in rows.items():
            action = f"{prefix}:{key}"
            if any(each.has(action) for each in self._allows) and not any(each.has(action) for each in self._denies):
                yield row.name


def services_of_levels(levels: Sequence[Sequence[Policy]]) -> list[str]:
    """The services with an action that every level of control policies allows, and no level denies, sorted."""
    everything = [policy for level in levels for policy in level]
    grants = [Grants(level, everything) for level in levels]
    found = []
    for prefix in sorted(service_prefixes()):
        if not all(each.names(prefix) for each in grants):
            continue
        parts = [set(each.actions(prefix)) for each in grants if not each.grants_whole(prefix)]
        if not parts or set.intersection(*parts):
            found.append(prefix)
    return found


def _holds_everywhere(statement: Statement) -> bool:
    """Whether a Deny has no condition and is about every resource."""
    resources: Sequence[str] = statement.resources or ()
    return not statement.conditions and _EVERYTHING in resources and not statement.resources_negated


# AWS's service reference says of each action whether its last use is tracked: the operations of IAM and STS, not
# permissions without an operation such as iam:PassRole, and nothing of Chime. Rolecall knows no use of other services'
# actions.
TRACKED_SERVICES = ("iam", "sts")


def tracked_actions(grants: Grants, prefix: str) -> list[str]:
    """The actions of a service that the policies can grant and whose last use AWS tracks, by name."""
    if prefix not in TRACKED_SERVICES:
        return []
    rows = actions(prefix)
    return sorted(name for name in grants.actions(prefix) if rows[name.lower()].has_operation)
