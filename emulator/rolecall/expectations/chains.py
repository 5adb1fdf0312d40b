"""Chains of roles: which roles a principal can reach by assuming one after the other, and on which terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.access.check import Rights
from rolecall.access.permission import Permission
from rolecall.expectations.asking import Asker, asking
from rolecall.expectations.principals import Who
from rolecall.expectations.trust import Trusting
from rolecall.expectations.unmet import Relaxing, Unmet, real_layers, unmet_conditions
from rolecall.policy import CompiledPolicies, PolicyKind
from rolecall.sandbox import Sandbox

DEFAULT_CHAINS = 10
MAXIMUM_CHAINS = 100
# Longer chains are of no use to anyone who reads them.
MAXIMUM_STEPS = 8
_MAXIMUM_VISITS = 50_000


class Step(Struct, frozen=True):
    """One AssumeRole of a chain, and the conditions that the call must meet beyond a plain one."""

    caller: Who
    role: Who
    conditions: tuple[Unmet, ...]

    def as_json(self) -> dict[str, Any]:
        conditions = [each.as_json() for each in self.conditions]
        return {"from": self.caller.arn, "to": self.role.arn, "conditions": conditions}


class Chains(Struct, frozen=True):
    """The shortest chains first. ``more`` says that there are further ones."""

    start: Who
    goal: Who
    chains: Sequence[Sequence[Step]]
    more: bool

    def as_json(self) -> dict[str, Any]:
        paths = [[step.as_json() for step in chain] for chain in self.chains]
        return {"from": self.start.arn, "to": self.goal.arn, "paths": paths, "more": self.more}


def chains_between(sandbox: Sandbox, start: str, goal: str, limit: int = DEFAULT_CHAINS) -> Chains:
    """The chains from a principal to a role. Raises NoSuchNameError, also for a name of several principals."""
    with asking(sandbox) as asker:
        caller = asker.principals.single(start)
        role = asker.principals.single(goal, ("role",))
        graph = Graph(asker)
        found, more = graph.chains(caller, role, limit)
        return Chains(caller, role, found, more)


class Graph:
    """Who can assume which role. A step is worked out when a chain comes to its caller."""

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._trusting = Trusting(asker)
        self._relaxing = Relaxing()
        self._steps: dict[str, list[Step]] = {}

    def steps(self, caller: Who) -> list[Step]:
        """The roles that a principal can assume, plainly or under conditions."""
        known = self._steps.get(caller.arn)
        if known is None:
            known = self._steps[caller.arn] = list(self.steps_to(caller))
        return known

    def steps_to(self, caller: Who, role_arn: str = "", goal: Callable[[str], bool] = bool) -> Iterator[Step]:
        """The steps to one role, or to the roles whose ARN is a goal, each worked out anew."""
        for role in self._trusting.possible(caller, role_arn):
            if goal(role.arn) and (step := self.step(caller, role)) is not None:
                yield step

    def step(self, caller: Who, role: Who) -> Step | None:
        """The step from a principal to a role; None when the call is refused whatever it sends."""
        plain: dict[PolicyKind, list[CompiledPolicies]] = {}

        def relax(rights: Rights, permissions: list[Permission]) -> tuple[Rights, list[Permission]]:
            plain.update(real_layers(rights, permissions[0]))
            return self._relaxing(rights, permissions)

        if self._asker.assume(caller, role.arn, {}).allowed:
            return Step(caller, role, ())
        relaxed = self._asker.assume(caller, role.arn, {}, relax)
        if not relaxed.allowed or relaxed.decision is None:
            return None
        return Step(caller, role, tuple(unmet_conditions(plain, relaxed.decision)))

    def chains(self, start: Who, goal: Who, limit: int) -> tuple[list[list[Step]], bool]:
        """Up to ``limit`` chains without repetition, the shortest first, and whether there may be more."""
        found: list[list[Step]] = []
        # By number of steps: the principals that a walk from the start reaches, and the steps that end at each.
        reached = [[start]]
        endings: list[Mapping[str, list[Step]]] = [{}]
        visits = _Visits(_MAXIMUM_VISITS)
        for _length in range(MAXIMUM_STEPS):
            last_steps = [step for caller in reached[-1] for step in self._to_goal(caller, goal)]
            for step in last_steps:
                for chain in _backward(step, endings, len(endings) - 1, visits):
                    if len(found) == limit:
                        return found, True
                    found.append(chain)
            if visits.are_over:
                return found, True
            incoming: dict[str, list[Step]] = {}
            for caller in reached[-1]:
                for step in self.steps(caller):
                    if step.role.arn not in (start.arn, goal.arn):
                        incoming.setdefault(step.role.arn, []).append(step)
            if not incoming:
                return found, False
            endings.append(incoming)
            reached.append([steps[0].role for steps in incoming.values()])
        return found, False

    def _to_goal(self, caller: Who, goal: Who) -> Iterator[Step]:
        known = self._steps.get(caller.arn)
        if known is None:
            return self.steps_to(caller, goal.arn)
        return (step for step in known if step.role.arn == goal.arn)


class _Visits:
    """Bounds the work in a graph where everyone may assume everything."""

    def __init__(self, maximum: int) -> None:
        self._left = maximum

    @property
    def are_over(self) -> bool:
        return self._left <= 0

    def count(self) -> bool:
        """Count one; whether there was one left."""
        self._left -= 1
        return self._left >= 0


def _backward(
    last: Step, endings: Sequence[Mapping[str, list[Step]]], length: int, visits: _Visits
) -> Iterator[list[Step]]:
    """The chains that end with a step, back to their start, which is reached when no step is before."""
    waiting = [[last]]
    while waiting and visits.count():
        chain = waiting.pop()
        before = length - len(chain) + 1
        if before == 0:
            yield chain
            continue
        met = {chain[0].caller.arn, *(step.role.arn for step in chain)}
        for step in reversed(endings[before].get(chain[0].caller.arn, ())):
            if step.caller.arn not in met:
                waiting.append([step, *chain])
