"""Which roles may trust a principal at all. Most roles trust few principals, so this saves most questions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rolecall.access.policies import Trust
from rolecall.expectations.actions import is_wild
from rolecall.expectations.asking import ASSUME_ROLE, Asker
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies
from rolecall.policy.compiled import ResourceTest
from rolecall.policy.patterns import Context
from rolecall.policy.principal_elements import Reach, ReachTest, named_by, names_of

_EVERYONE = Reach.DIRECT
_COLONS_OF_ARN = 5
_ARNS_OF_IAM = "arn:aws:iam::"
_WILDCARD = re.compile(r"[*?]")


@dataclass
class _Allowed:
    """What a principal's own policies may allow it to assume: single roles, and what the tests of patterns say."""

    arns: set[str] = field(default_factory=set)
    # None for a statement that this cannot rule out.
    tests: list[ResourceTest | None] = field(default_factory=list)

    def holds(self, role_arn: str, context: Context) -> bool:
        return role_arn in self.arns or any(test is None or test(role_arn, context) for test in self.tests)


class _Index:
    """The roles of a sandbox, each with the tests of its trust policy, and by what the policies name."""

    def __init__(self, asker: Asker) -> None:
        self.roles: list[tuple[Who, Sequence[ReachTest | None]]] = []
        self.positions: dict[str, int] = {}
        # Positions by ARN, unique id or account id; and of the roles that may trust anyone.
        self.naming: dict[str, set[int]] = {}
        self.open: set[int] = set()
        self._made_from = _trusts(asker)
        for role, trust in self._made_from:
            self._add(role, trust)

    def holds(self, asker: Asker) -> bool:
        """Whether the roles and their trust policies are still those that the index was made from."""
        now = _trusts(asker)
        return len(now) == len(self._made_from) and all(
            trust is known and role == of_role
            for (role, trust), (of_role, known) in zip(now, self._made_from, strict=True)
        )

    def _add(self, role: Who, trust: Trust) -> None:
        position = self.positions[role.arn] = len(self.roles)
        action, tests = ASSUME_ROLE.lower(), []
        for compiled in trust.policy.statements:
            if compiled.statement.effect != "Allow" or not compiled.matches_action(action):
                continue
            tests.append(compiled.reach)
            names = named_by(compiled.statement, trust.role.trust_principal_ids)
            if names is None:
                self.open.add(position)
            for name in names or ():
                self.naming.setdefault(name, set()).add(position)
        self.roles.append((role, tests))


def _trusts(asker: Asker) -> list[tuple[Who, Trust]]:
    asker.read_trusts()
    found = ((role, asker.trust(role.arn)) for role in asker.principals.roles)
    return [(role, trust) for role, trust in found if trust is not None]


class Trusting:
    """Which roles may trust a principal. A question about one of many roles or principals looks at few roles."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._index: _Index = asker.still(
            "roles by whom they trust", lambda known: known.holds(asker), lambda: _Index(asker)
        )

    def possible(self, who: Who, role_arn: str = "") -> Iterator[Who]:
        """The roles that a principal may be able to assume, or only the one with this ARN.

        The trust policy names it, and its own policies allow it on the role unless that is not needed. Conditions are
        not compared.
        """
        rights = self._asker.rights(who)
        principal, layers = rights.caller.principal, rights.layers
        allowed = None if layers.identity is None else _allowed(layers.identity)
        has_boundary = layers.boundary is not None
        index = self._index
        named = index.open.union(*(index.naming.get(name, ()) for name in names_of(principal)))
        of_account = index.naming.get(principal.account_id, set())
        if role_arn:
            wanted = self._at([role_arn])
            named, of_account = named & wanted, of_account & wanted
        if allowed is not None and not allowed.tests:
            of_account = of_account & self._at(allowed.arns)
        for position in sorted(named | of_account):
            role, tests = index.roles[position]
            reach = max((_EVERYONE if test is None else test(principal, "", has_boundary) for test in tests), default=0)
            # A trust policy of its own account that names a principal itself is enough.
            if reach and (
                allowed is None
                or (reach >= Reach.LIMITED and role.account_id == who.account_id)
                or allowed.holds(role.arn, rights.context)
            ):
                yield role

    def _at(self, arns: Iterable[str]) -> set[int]:
        positions = self._index.positions
        return {positions[arn] for arn in arns if arn in positions}


def _allowed(identity: CompiledPolicies) -> _Allowed:
    """What the statements that allow to assume roles are about."""
    action = ASSUME_ROLE.lower()
    found = _Allowed()
    for compiled in identity.statements:
        statement = compiled.statement
        if statement.effect != "Allow" or not compiled.matches_action(action):
            continue
        resources = statement.resources or ()
        # What a variable stands for may depend on the call.
        if any("${" in resource for resource in resources):
            found.tests.append(None)
        elif compiled.resource is None or statement.resources_negated:
            found.tests.append(compiled.resource)
        else:
            single = set(filter(_is_single, resources))
            found.arns |= single
            if any(map(_may_mean_roles, set(resources) - single)):
                found.tests.append(compiled.resource)
    return found


def _may_mean_roles(pattern: str) -> bool:
    """Whether the text before the first wildcard of a pattern may begin the ARN of a role."""
    fixed = _WILDCARD.split(pattern, maxsplit=1)[0]
    return fixed.startswith(_ARNS_OF_IAM) or _ARNS_OF_IAM.startswith(fixed)


def _is_single(resource: str) -> bool:
    """Whether a pattern means one resource. IAM completes an ARN that has too few parts with wildcards."""
    return not is_wild(resource) and resource.count(":") >= _COLONS_OF_ARN
