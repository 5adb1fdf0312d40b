"""Chains of roles: which roles a principal can reach by assuming one after the other, and on which terms."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
# Bounds the work in a graph where everyone may assume everything.
_MAXIMUM_VISITS = 50_000


@dataclass(frozen=True, slots=True)
class Step:
    """One AssumeRole of a chain, and the conditions that the call must meet beyond a plain one."""

    caller: Who
    role: Who
    conditions: tuple[Unmet, ...]

    def as_json(self) -> dict[str, Any]:
        conditions = [each.as_json() for each in self.conditions]
        return {"from": self.caller.arn, "to": self.role.arn, "conditions": conditions}


@dataclass(frozen=True, slots=True)
class Chains:
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
            known = self._steps[caller.arn] = list(self.steps_to(caller, bool))
        return known

    def steps_to(self, caller: Who, goal: Callable[[str], bool]) -> Iterator[Step]:
        """The steps to roles whose ARN is a goal, each worked out anew."""
        for role in self._trusting.possible(caller):
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
        """Up to ``limit`` chains without repetition, the shortest first, and whether there are more."""
        distances = self._distances(start, goal)
        found: list[list[Step]] = []
        waiting: deque[list[Step]] = deque([[]])
        visits = 0
        while waiting:
            chain = waiting.popleft()
            visits += 1
            last = chain[-1].role if chain else start
            if chain and last.arn == goal.arn:
                if len(found) == limit:
                    return found, True
                found.append(chain)
                continue
            if visits > _MAXIMUM_VISITS:
                return found, True
            met = {start.arn, *(step.role.arn for step in chain)}
            for step in self._steps.get(last.arn, ()):
                room = MAXIMUM_STEPS - len(chain) - 1
                again = step.role.arn in met and not (not chain and step.role.arn == goal.arn)
                if not again and distances.get(step.role.arn, MAXIMUM_STEPS + 1) <= room:
                    waiting.append([*chain, step])
        return found, False

    def _distances(self, start: Who, goal: Who) -> Mapping[str, int]:
        """The number of steps to the goal, for all that can be reached from the start."""
        before: dict[str, list[str]] = {}
        reached, waiting = {start.arn}, deque([(start, 0)])
        while waiting:
            caller, length = waiting.popleft()
            if length >= MAXIMUM_STEPS or (caller.arn == goal.arn and length):
                continue
            for step in self.steps(caller):
                before.setdefault(step.role.arn, []).append(caller.arn)
                if step.role.arn not in reached:
                    reached.add(step.role.arn)
                    waiting.append((step.role, length + 1))
        distances, backward = {goal.arn: 0}, deque([goal.arn])
        while backward:
            arn = backward.popleft()
            for caller_arn in before.get(arn, ()):
                if caller_arn not in distances:
                    distances[caller_arn] = distances[arn] + 1
                    backward.append(caller_arn)
        return distances
