"""Which roles may trust a principal at all. Most roles trust few principals, so this saves most questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rolecall.arns import parse_arn
from rolecall.expectations.asking import ASSUME_ROLE, Asker
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies, Statement
from rolecall.policy.compiled import ResourceTest
from rolecall.policy.principal_elements import Reach, ReachTest
from rolecall.principals import Principal

_EVERYONE = Reach.DIRECT


class Trusting:
    """The roles of a sandbox, each with the tests of its trust policy."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._roles: list[tuple[Who, Sequence[ReachTest | None]]] = []
        # Places in the list of roles: of those that may trust anybody, and of the others by what their policies name.
        self._open: list[int] = []
        self._naming: dict[str, list[int]] = {}
        for role in asker.principals.roles:
            policy = asker.trust_policy(role.arn)
            if policy is None:
                continue
            names = _names(policy, asker.trusted_ids(role.arn))
            for places in [self._open] if names is None else [self._naming.setdefault(name, []) for name in names]:
                places.append(len(self._roles))
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
        for role, tests in self._naming_roles(principal):
            reach = max((_EVERYONE if test is None else test(principal, "", has_boundary) for test in tests), default=0)
            # A trust policy of its own account that names a principal itself is enough.
            if reach and (
                allowed is None
                or (reach >= Reach.LIMITED and role.account_id == who.account_id)
                or any(test is None or test(role.arn, rights.context) for test in allowed)
            ):
                yield role

    def _naming_roles(self, principal: Principal) -> Iterator[tuple[Who, Sequence[ReachTest | None]]]:
        """The roles whose trust policy may name a principal, in their order."""
        keys = {principal.account_id, principal.arn, principal.principal_arn, principal.user_id, principal.entity_id}
        places = {place for key in keys for place in self._naming.get(key, ())}
        return (self._roles[place] for place in sorted(places.union(self._open)))


def _names(policy: CompiledPolicies, ids: Mapping[str, str]) -> set[str] | None:
    """Account ids, ARNs and unique ids that the statements about assuming name; None when they may name anybody."""
    found: set[str] = set()
    for statement in _about_assuming(policy):
        principals = statement.principals
        if principals is None or statement.principals_negated or "*" in principals.aws:
            return None
        for name in principals.aws:
            arn = parse_arn(name)
            is_account = arn is not None and arn.service == "iam" and arn.resource == "root"
            found |= {arn.account_id} if arn is not None and is_account else {name, ids.get(name, name)}
    return found


def _about_assuming(policy: CompiledPolicies) -> Iterator[Statement]:
    action = ASSUME_ROLE.lower()
    for compiled in policy.statements:
        if compiled.statement.effect == "Allow" and compiled.matches_action(action):
            yield compiled.statement


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
