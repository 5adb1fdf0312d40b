"""Trying a question, also with a policy that is not stored yet: what would be answered if this text were in force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from rolecall.access.check import Rights
from rolecall.access.permission import Permission
from rolecall.arns import parse_arn
from rolecall.data import Action, actions
from rolecall.expectations.actions import is_wild, one_action_problem
from rolecall.expectations.asking import ANY, Answered, Asker, Change, is_assuming
from rolecall.expectations.context import Context
from rolecall.expectations.deciding import assume_with
from rolecall.expectations.holders import BadQuestionError, chosen_by
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies, Layers, NamedPolicy, PolicyKind, compile_policies

ROLE_NEEDED_MESSAGE = "assuming is about a role: give its ARN as the resource"


class Draft(Struct, frozen=True):
    """A text in the place of a stored policy.

    ``named`` has the name and the ARN of the stored one. ``role_arn`` is the role of a trust policy, else empty.
    ``owner_arn`` is the user, group or role of an inline policy, else empty.
    """

    named: NamedPolicy
    role_arn: str = ""
    owner_arn: str = ""

    @property
    def is_control(self) -> bool:
        """Whether the text is of a service or resource control policy."""
        return self.named.policy.kind in (PolicyKind.SCP, PolicyKind.RCP)

    def is_about(self, who: Who, rights: Rights) -> bool:
        """Whether the stored policy bears on the rights of a principal."""
        layers = (rights.layers.identity, rights.layers.boundary, *rights.layers.scps)
        return any(self._is_same(each, who) for layer in layers if layer is not None for each in layer.policies)

    def bears_on(self, who: Who, stored: Answered) -> bool:
        """Whether the stored policy was asked for an answer without the draft."""
        if self.role_arn:
            return stored.resource == self.role_arn
        if stored.decision is None:
            return False
        layers = stored.decision.layers
        asked = (layers.identity, layers.boundary, *layers.scps, *layers.rcps)
        return any(self._is_same(each, who) for layer in asked if layer is not None for each in layer.policies)

    def in_rights(self, who: Who, rights: Rights) -> Rights:
        """The rights with the draft. A managed policy that the principal lacks is added to its own."""
        if self.role_arn:
            return rights
        layers = rights.layers
        identity, boundary = self._replaced(layers.identity, who), self._replaced(layers.boundary, who)
        is_lacking = self.named.arn and self.named.policy.kind is PolicyKind.IDENTITY
        if is_lacking and identity is not None and not self.is_about(who, rights):
            identity = compile_policies([*identity.policies, self.named], PolicyKind.IDENTITY)
        scps = tuple(self._replaced(each, who) or each for each in layers.scps)
        changed: Layers = replace(layers, identity=identity, boundary=boundary, scps=scps)
        return Rights(rights.caller, changed, rights.context)

    def in_trust(self, rights: Rights, permissions: list[Permission]) -> tuple[Rights, list[Permission]]:
        """The permissions of an AssumeRole with the draft as the role's trust policy."""
        compiled = compile_policies([self.named], PolicyKind.TRUST)
        return rights, [replace(each, resource_policy=compiled) for each in permissions]

    def in_rcps(self, who: Who, rights: Rights, permissions: list[Permission]) -> tuple[Rights, list[Permission]]:
        """The permissions of an AssumeRole with the draft among the resource control policies of the role's account."""
        return rights, [
            replace(each, rcps=tuple(self._replaced(level, who) or level for level in each.rcps))
            for each in permissions
        ]

    def _replaced(self, layer: CompiledPolicies | None, who: Who) -> CompiledPolicies | None:
        if layer is None or not any(self._is_same(each, who) for each in layer.policies):
            return layer
        drafted = [
            replace(each, policy=self.named.policy) if self._is_same(each, who) else each for each in layer.policies
        ]
        return compile_policies(drafted, layer.kind)

    def _is_same(self, each: NamedPolicy, who: Who) -> bool:
        if self.named.arn or each.arn:
            return each.arn == self.named.arn
        if each.name != self.named.name or self.role_arn:
            return False
        owner = parse_arn(self.owner_arn)
        if owner is None or owner.resource_type != "group":
            return who.arn == self.owner_arn and not each.group
        return each.group == owner.resource_name and who.account_id == owner.account_id


def actions_of(patterns: Sequence[str], limit: int) -> tuple[list[Action], bool]:
    """The first ``limit`` actions, by name, that some patterns match, and whether there are more.

    Raises BadQuestionError for a pattern that matches nothing.
    """
    table, chosen = chosen_by(patterns)
    places = sorted(table.members(chosen), key=table.names.__getitem__)
    return [table.rows[place] for place in places[:limit]], len(places) > limit


def one_action(name: str) -> Action:
    """The action of this name. Raises BadQuestionError, also for a pattern."""
    problem = one_action_problem(name)
    if problem:
        raise BadQuestionError(problem)
    prefix, _, short = name.partition(":")
    return actions(prefix.lower())[short.lower()]


def tried(
    asker: Asker, who: Who, action: Action, resource: str, given: Context, draft: Draft | None = None
) -> Answered:
    """The answer to one question. Raises BadQuestionError when assuming is not about one role."""
    if draft is not None:
        with_draft, stored = draft, asker.rights
        asker = asker.with_rights(lambda each: with_draft.in_rights(each, stored(each)))
    if not is_assuming(action):
        return asker.ask(who, action, resource, given)
    if resource == ANY or is_wild(resource):
        raise BadQuestionError(ROLE_NEEDED_MESSAGE)
    change: Change | None = None
    if draft is not None and draft.role_arn == resource:
        change = draft.in_trust
    elif draft is not None and draft.named.policy.kind is PolicyKind.RCP:
        change = partial(draft.in_rcps, who)
    return assume_with(asker, who, f"{action.service_prefix}:{action.name}", resource, given, change)
