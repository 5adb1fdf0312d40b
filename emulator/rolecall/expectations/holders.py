"""Who may do an action: every user, role and root user of a sandbox, plainly or under conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from rolecall.expectations.actions import ActionTable, action_problem, one_action_problem, table_for
from rolecall.expectations.asking import asking, is_assuming
from rolecall.expectations.chains import Graph
from rolecall.expectations.deciding import ANYWHERE, Deciding, Scope, arn_of
from rolecall.expectations.principals import Who
from rolecall.expectations.unmet import Relaxing, Unmet, real_layers, unmet_conditions
from rolecall.sandbox import Sandbox


class BadQuestionError(ValueError):
    """A question that cannot be asked. The message is for the user."""


class Holder(Struct, frozen=True):
    """A principal that may do the action: on ``resource``, and under ``conditions`` that a plain call does not meet."""

    who: Who
    resource: str
    conditions: tuple[Unmet, ...]

    def as_json(self) -> dict[str, Any]:
        conditions = [each.as_json() for each in self.conditions]
        return {"principal": self.who.arn, "resource": self.resource, "conditions": conditions}


class Holders(Struct, frozen=True):
    """The answer to one question. ``resource`` is empty when it was about any resource."""

    action: str
    resource: str
    holders: Sequence[Holder]

    def as_json(self) -> dict[str, Any]:
        holders = [each.as_json() for each in self.holders]
        return {"action": self.action, "resource": self.resource or None, "principals": holders}


def chosen_by(patterns: Sequence[str]) -> tuple[ActionTable, int]:
    """The actions that some patterns match: a table, and their places in it.

    Raises BadQuestionError for a pattern that matches nothing.
    """
    for pattern in patterns:
        problem = action_problem(pattern)
        if problem:
            raise BadQuestionError(problem)
    table = table_for(patterns)
    chosen = 0
    for pattern in patterns:
        chosen |= table.matching(pattern)
    return table, chosen


def who_can(sandbox: Sandbox, action: str, resource: str = "") -> Holders:
    """Every principal that may do an action on a resource, or on any resource.

    Raises BadQuestionError for an unknown action, NoSuchNameError for an unknown user or role as the resource.
    """
    problem = one_action_problem(action)
    if problem:
        raise BadQuestionError(problem)
    with asking(sandbox) as asker:
        table = table_for([action])
        deciding = Deciding(asker, table)
        chosen = table.matching(action)
        name = table.names[table.first(chosen)]
        everyone = [*asker.principals.roots, *asker.principals.entities]
        scope = _scope(deciding, resource)
        finder = _Finder(deciding, chosen, scope)
        found = [holder for who in everyone if (holder := finder.holder(who)) is not None]
        return Holders(name, scope.pattern, found)


def _scope(deciding: Deciding, resource: str) -> Scope:
    if not resource:
        return ANYWHERE
    principals = deciding.asker.principals
    kind = resource.rpartition(":")[2].partition("/")[0]
    if not resource.startswith("arn:") and kind in ("user", "role"):
        return Scope(principals.single(resource, (kind,)).arn)
    return Scope(arn_of(resource, principals.default_account_id))


class _Finder:
    """Looks at one action of one scope, principal by principal."""

    def __init__(self, deciding: Deciding, chosen: int, scope: Scope) -> None:
        self._deciding = deciding
        self._chosen = chosen
        self._action = deciding.table.rows[deciding.table.first(chosen)]
        self._scope = scope
        asker, relaxing = deciding.asker, Relaxing()
        self._relaxed = Deciding(asker.with_rights(lambda who: relaxing.rights(asker.rights(who))), deciding.table)
        self._graph = Graph(deciding.asker)

    def holder(self, who: Who) -> Holder | None:
        """The principal with the resource and the conditions; None when it may not do the action."""
        [(_, answered)] = self._deciding.search(who, self._chosen, self._scope, {}, True)
        if answered.allowed:
            return Holder(who, answered.resource, ())
        return self._of_roles(who) if is_assuming(self._action) else self._under_conditions(who)

    def _of_roles(self, who: Who) -> Holder | None:
        role_arn = self._scope.pattern if self._scope.is_single else ""
        step = next(self._graph.steps_to(who, role_arn, self._scope.holds), None)
        return None if step is None else Holder(who, step.role.arn, step.conditions)

    def _under_conditions(self, who: Who) -> Holder | None:
        [(_, answered)] = self._relaxed.search(who, self._chosen, self._scope, {}, True)
        if not answered.allowed or answered.decision is None:
            return None
        real = real_layers(self._deciding.asker.rights(who))
        return Holder(who, answered.resource, tuple(unmet_conditions(real, answered.decision)))
