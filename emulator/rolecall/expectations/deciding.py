"""Whether there is a resource on which a principal may, or may not, do some actions.

Actions that the same statements match are decided together. When no statement about them names a resource, one question
is enough. Otherwise the search of :mod:`witness` gives the resource, and the policy engine confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rolecall.access.check import Rights, ask
from rolecall.access.context import RequestContext
from rolecall.access.permission import Permission
from rolecall.arns import PARTITION, iam_arn
from rolecall.data import Action, given_on_arns
from rolecall.expectations.actions import ActionTable, is_wild, templates_of
from rolecall.expectations.asking import ANY, ASSUME_ROLE, Answered, Asker, Change, is_assuming, ordinary
from rolecall.expectations.context import Context
from rolecall.expectations.principals import Who
from rolecall.expectations.trust import Trusting
from rolecall.expectations.witness import TooManyStatesError, resource_with
from rolecall.policy import CompiledPolicies, CompiledStatement, Layers
from rolecall.policy.compiled import resource_patterns
from rolecall.policy.decision import all_layers
from rolecall.policy.patterns import MANY, ONE, cached_glob, wildcards
from rolecall.service_records import SERVICE_RECORDS

TOO_MANY_MESSAGE = "the policies name too many resources to try them all: give the resource with on"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# Keys that only a stored resource brings.
_OF_RESOURCES = ("aws:resourcetag/", "iam:resourcetag/", "iam:permissionsboundary")

# A set of actions, as bits of the table, and its answer.
Part = tuple[int, Answered]


class Scope(Struct, frozen=True):
    """The resources of a question: one ARN, a pattern of ARNs, or any resource when ``pattern`` is empty."""

    pattern: str = ""

    @property
    def is_single(self) -> bool:
        return bool(self.pattern) and not (is_wild(self.pattern) and self.pattern != ANY)

    def holds(self, resource: str) -> bool:
        return not self.pattern or cached_glob(wildcards(self.pattern))(resource)


ANYWHERE = Scope()


class Deciding:
    """Answers for sets of actions of one table, in one generation of a sandbox."""

    def __init__(self, asker: Asker, table: ActionTable) -> None:
        self.asker = asker
        self.table = table
        self._trusting: Trusting | None = None
        self._found: dict[object, str | None] = {}
        self._aparts: dict[tuple[str, int], tuple[int, Mapping[int, Answered | None]]] = {}
        self._governed = sum(
            1 << place for place, row in enumerate(table.rows) if row.service_prefix in SERVICE_RECORDS
        )

    @property
    def trusting(self) -> Trusting:
        if self._trusting is None:
            self._trusting = Trusting(self.asker)
        return self._trusting

    def search(
        self, who: Who, chosen: int, scope: Scope, given: Context, wanted: bool, *, is_pattern: bool = False
    ) -> Iterator[Part]:
        """For each part of a set of actions: an answer that is as ``wanted``, if any resource of the scope has one.

        Otherwise an example of the other answer. For a pattern of actions, those that no policy decides about are left
        out. An action that any credentials of this kind may call, or none, is such an action.
        """
        special, fixed = self._apart(who, chosen)
        for place, answered in fixed.items():
            if answered is not None:
                if not is_pattern:
                    yield 1 << place, answered
            # The other actions of assuming a role are no calls of their own. A pattern means calls.
            elif not is_pattern or self.table.names[place] == ASSUME_ROLE:
                yield 1 << place, self._assuming(who, self.table.rows[place], scope, given, wanted)
        layers = list(all_layers(self.asker.rights(who).layers))
        for part in self.table.alike(chosen & ~special, layers):
            yield from self._part(who, part, scope, given, wanted, layers)

    def _apart(self, who: Who, chosen: int) -> tuple[int, Mapping[int, Answered | None]]:
        """The actions that are answered one by one, as a set and by their places.

        They have their answer already when the kind of credentials decides alone, and None when a role's trust policy
        has a part in it. The kind of credentials depends on the kind of principal alone.
        """
        known = self._aparts.get((who.kind, chosen))
        if known is None:
            found: dict[int, Answered | None] = {}
            for place in self.table.members(chosen & self._governed):
                action = self.table.rows[place]
                fixed = None if is_assuming(action) else self.asker.without_policies(who, action)
                if fixed is not None or is_assuming(action):
                    found[place] = fixed
            known = self._aparts[who.kind, chosen] = sum(1 << place for place in found), found
        return known

    def _part(
        self, who: Who, part: int, scope: Scope, given: Context, wanted: bool, layers: Sequence[CompiledPolicies]
    ) -> Iterator[Part]:
        place = self.table.first(part)
        action = self.table.rows[place]
        if scope.is_single:
            for same in self._with_same_keys(who, part, scope.pattern):
                yield same, self.asker.ask(who, self.table.rows[self.table.first(same)], scope.pattern, given)
            return
        name = f"{action.service_prefix}:{action.name}"
        if self._is_blind(layers, place) or (wanted and _lacks_allow(self.asker.rights(who).layers, name)):
            yield part, self.asker.ask(who, action, scope.pattern or ANY, given)
            return
        for alike in self.table.by_resource_types(part) if not scope.pattern else [part]:
            yield from self._anywhere(who, alike, scope, given, wanted)

    def _with_same_keys(self, who: Who, part: int, resource: str) -> Iterator[int]:
        """The part split by the keys that the stored resource brings. They differ for few actions."""
        found: dict[object, int] = {}
        for place in self.table.members(part & self._governed if resource != ANY else 0):
            context = self.asker.permission(who, self.table.rows[place], resource, {}).context
            key = tuple(sorted(context.items()))
            found[key] = found.get(key, 0) | 1 << place
        yield from found.values()
        rest = part & ~sum(found.values())
        if rest:
            yield rest

    def _anywhere(self, who: Who, part: int, scope: Scope, given: Context, wanted: bool) -> Iterator[Part]:
        place = self.table.first(part)
        action = self.table.rows[place]
        try:
            resource = self._resource(who, action, scope, given, wanted)
        except TooManyStatesError:
            yield part, Answered(wanted, reason=TOO_MANY_MESSAGE, is_known=False)
            return
        if resource is not None or not self._asks_for_stored(who, place):
            yield part, self.asker.ask(who, action, resource or _example(scope, action, who), given)
            return
        for each in self.table.members(part):
            action = self.table.rows[each]
            answered = self._stored(who, action, scope, given, wanted)
            yield 1 << each, answered or self.asker.ask(who, action, _example(scope, action, who), given)

    def _resource(self, who: Who, action: Action, scope: Scope, given: Context, wanted: bool) -> str | None:
        """A resource with the wanted answer, from the patterns of the policies alone."""
        rights = self.asker.rights(who)
        moment = self.asker.moment(rights, action.service_prefix, given)
        owner = scope.pattern.split(":")[4] if scope.pattern.count(":") > 4 else ""
        permission = Permission(
            f"{action.service_prefix}:{action.name}",
            scope.pattern or ANY,
            owner if owner.isdecimal() else "",
            ordinary(who, given),
        )
        context = RequestContext(permission.context, rights.context, moment)
        flags: list[bool] = []
        flagging = _Flagging(permission.action.lower(), context, flags)
        flagged = Rights(rights.caller, flagging.layers(rights.layers), rights.context)
        about = [wildcards(scope.pattern)] if scope.pattern else _about(action, who.account_id)

        def is_wanted(matching: Sequence[bool]) -> bool:
            flags[:] = matching
            return ask(flagged, permission, moment).allowed == wanted

        # Many principals have the same policies.
        key = (tuple(about), tuple(flagging.patterns), tuple(flagging.shape), owner, who.kind, wanted)
        if key not in self._found:
            self._found[key] = resource_with(about, flagging.patterns, is_wanted)
        return self._found[key]

    def _stored(self, who: Who, action: Action, scope: Scope, given: Context, wanted: bool) -> Answered | None:
        """A wanted answer for a resource that IAM stores: only such ones bring tags and boundaries."""
        if action.service_prefix != "iam":
            return None
        for resource_type, arn in self.asker.stored_resources(who.account_id):
            if resource_type in action.resource_types and scope.holds(arn):
                answered = self.asker.ask(who, action, arn, given)
                if answered.allowed == wanted:
                    return answered
        return None

    def _asks_for_stored(self, who: Who, place: int) -> bool:
        """Whether a statement about an action asks for keys that only stored resources bring."""
        return any(
            _asks_for_keys(compiled)
            for layer in all_layers(self.asker.rights(who).layers)
            for compiled in layer.statements
            if self.table.is_about(compiled.statement, place)
        )

    def _is_blind(self, layers: Sequence[CompiledPolicies], place: int) -> bool:
        """Whether no statement about an action asks for the resource or for what only stored resources bring."""
        return not any(
            compiled.resource is not None or _asks_for_keys(compiled)
            for layer in layers
            for compiled in layer.statements
            if self.table.is_about(compiled.statement, place)
        )

    def _assuming(self, who: Who, action: Action, scope: Scope, given: Context, wanted: bool) -> Answered:
        """The answer for an action that is part of assuming a role: its resources are the roles of the sandbox."""
        name = f"{action.service_prefix}:{action.name}"
        if scope.is_single:
            return assume_with(self.asker, who, name, scope.pattern, given)
        every_role = self.trusting.possible(who) if wanted else self.asker.principals.roles
        for role in every_role:
            if scope.holds(role.arn):
                answered = assume_with(self.asker, who, name, role.arn, given)
                if answered.allowed == wanted:
                    return answered
        return Answered(not wanted, reason="no role of the sandbox that the question is about gives another answer")


def assume_with(
    asker: Asker, who: Who, action: str, role_arn: str, given: Context, change: Change | None = None
) -> Answered:
    """The answer to one of the actions that assuming a role needs. ``change`` is as in :meth:`Asker.assume`."""
    if action == ASSUME_ROLE:
        return asker.assume(who, role_arn, given, change)

    def only(rights: Rights, permissions: list[Permission]) -> tuple[Rights, list[Permission]]:
        if change is not None:
            rights, permissions = change(rights, permissions)
        return rights, [replace(permissions[0], action=action)]

    return asker.assume(who, role_arn, given, only)


def _example(scope: Scope, action: Action, who: Who) -> str:
    """A resource of the scope. In a text, a star stands where any name may stand."""
    return scope.pattern or _about(action, who.account_id)[0].replace(ONE + MANY, ANY).replace(MANY, ANY)


def _asks_for_keys(compiled: CompiledStatement) -> bool:
    return any(condition.key.lower().startswith(_OF_RESOURCES) for condition in compiled.statement.conditions)


def _lacks_allow(layers: Layers, name: str) -> bool:
    """Whether a layer that must allow has no statement that allows an action, on any resource and in any context."""
    needed = (layers.identity, layers.boundary, layers.session, *layers.scps, *layers.scope_down)
    return any(layer is not None and layer.candidates(name).allows is None for layer in needed)


def _about(action: Action, account_id: str) -> list[str]:
    """The patterns of the resources that a call with the action may be about, in the caller's own account."""

    def filled(match: re.Match[str]) -> str:
        known = {"Partition": PARTITION, "Account": account_id, "AccountId": account_id, "Region": MANY}
        return known.get(match[1], ONE + MANY)

    found = [_VARIABLE.sub(filled, template) for template in templates_of(action)]
    if f"{action.service_prefix}:{action.name}" in given_on_arns():
        found.append(f"arn:{PARTITION}:{MANY}")
    # A call of an action with several types may name none of them. Here the star is a plain character.
    return found if len(found) == 1 else [*found, ANY]


class _Flagging:
    """Layers with only the statements that can match, whose resources are looked up in ``flags``.

    ``flags`` will hold, for each of ``patterns``, whether the resource of a question matches it. ``shape`` is what
    decides besides the patterns.
    """

    def __init__(self, action: str, context: RequestContext, flags: list[bool]) -> None:
        self.patterns: list[str] = []
        self.shape: list[object] = []
        self._action = action
        self._context = context
        self._flags = flags

    def layers(self, layers: Layers) -> Layers:
        return replace(
            layers,
            identity=self._optional(layers.identity),
            boundary=self._optional(layers.boundary),
            session=self._optional(layers.session),
            scps=tuple(map(self._reduced, layers.scps)),
            rcps=tuple(map(self._reduced, layers.rcps)),
            delegation=tuple(map(self._reduced, layers.delegation)),
            scope_down=tuple(map(self._reduced, layers.scope_down)),
        )

    def _optional(self, layer: CompiledPolicies | None) -> CompiledPolicies | None:
        return None if layer is None else self._reduced(layer)

    def _reduced(self, layer: CompiledPolicies) -> CompiledPolicies:
        self.shape.append(layer.kind)
        kept = tuple(
            self._flagged(each)
            for each in layer.statements
            if each.matches_action(self._action) and all(test(self._context) for test in each.conditions)
        )
        return CompiledPolicies(layer.kind, layer.policies, kept)

    def _flagged(self, compiled: CompiledStatement) -> CompiledStatement:
        effect, negated = compiled.statement.effect, compiled.statement.resources_negated
        if compiled.resource is None:
            self.shape.append((effect, None))
            return compiled
        first = len(self.patterns)
        self.patterns += resource_patterns(compiled, self._context)
        last, flags = len(self.patterns), self._flags
        self.shape.append((effect, negated, first, last))
        return compiled._replace(resource=lambda _resource, _context: any(flags[first:last]) != negated)


def arn_of(written: str, account_id: str) -> str:
    """The ARN, or pattern of ARNs, that a resource of an expectation means: ``role/x`` is one of the account."""
    if written == ANY or written.startswith("arn:"):
        return written
    account, colon, name = written.rpartition(":")
    kind, _, rest = name.partition("/")
    return iam_arn(account if colon else account_id, kind, "/", rest)
