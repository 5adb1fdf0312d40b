"""Policies of one layer, compiled once: statements as functions, found through an index.

The index leads from an action to the statements about it. Many of these may each want certain texts under one condition
key. Then a table leads from the request's value of that key to the statements that can match. Of a hundred statements
for a hundred teams, only the statement for the caller's team is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from rolecall.arns import missing_arn_parts
from rolecall.caches import KEPT_POLICY_CHARACTERS, BoundedCache
from rolecall.policy.document import VERSION_WITH_VARIABLES, NamedPolicy, Policy, PolicyKind, Statement
from rolecall.policy.operators import ConditionTest, compile_condition, wanted_texts
from rolecall.policy.patterns import MANY, ONE, Context, Test, cached_glob, glob, resolve, template, wildcards
from rolecall.policy.principal_elements import ReachTest, compile_principals

ResourceTest = Callable[[str, Context], bool]

_REMEMBERED_ACTIONS = 512
# Policies of these kinds come with a session and go with it.
_OF_ONE_SESSION = (PolicyKind.SESSION, PolicyKind.SCOPE_DOWN)
_COMPILED_LIMIT = 4096
# By the identity of a parsed policy, which is shared by its text, and by the ids of its principals.
_compiled: BoundedCache[tuple[int, tuple[tuple[str, str], ...]], tuple[Policy, tuple[CompiledStatement, ...]]] = (
    BoundedCache(_COMPILED_LIMIT)
)
# Testing fewer statements one by one is as quick as a table.
_TABLED_FROM = 4


class CompiledStatement(NamedTuple):
    """A statement ready to be tested. ``resource`` and ``reach`` are None when they hold for every request.

    ``wanted``, if not None, is a condition key and some texts. A request must have one of them to meet the conditions.
    """

    resource: ResourceTest | None
    conditions: tuple[ConditionTest, ...]
    reach: ReachTest | None
    statement: Statement
    policy: NamedPolicy
    matches_action: Test
    wanted: tuple[str, frozenset[str]] | None


class Table(NamedTuple):
    """Statements by text. Each matches only when the request has one of its texts under ``key``."""

    key: str
    statements: Mapping[str, tuple[CompiledStatement, ...]]

    def possible(self, context: Context) -> tuple[CompiledStatement, ...]:
        """The statements that can match, given the request's values of the key."""
        value = context.get(self.key)
        if value.__class__ is str:
            return self.statements.get(value, ())
        return tuple(compiled for text in dict.fromkeys(value or ()) for compiled in self.statements.get(text, ()))


# Statements of one effect about one action: first the statements that are always tested, with the unconditional ones in
# front, then the tables that lead to the others.
Selection = tuple[tuple[CompiledStatement, ...], tuple[Table, ...]]


class Candidates(NamedTuple):
    """The statements of a layer that are about one action; None for an effect without such statements."""

    denies: Selection | None
    allows: Selection | None


class CompiledPolicies:
    """One layer's policies. They never change, so any number of threads may share them.

    The statements found for an action are remembered, for a bounded number of actions.
    """

    __slots__ = ("_exact", "_other", "_remembered", "kind", "policies", "statements")

    def __init__(
        self, kind: PolicyKind, policies: tuple[NamedPolicy, ...], statements: tuple[CompiledStatement, ...]
    ) -> None:
        self.kind = kind
        self.policies = policies
        self.statements = statements
        self._exact: dict[str, list[int]] = {}
        self._other: list[int] = []
        self._remembered: dict[str, Candidates] = {}
        for position, compiled in enumerate(statements):
            self._enter(position, compiled.statement)

    def _enter(self, position: int, statement: Statement) -> None:
        if statement.actions_negated or any("*" in action or "?" in action for action in statement.actions):
            self._other.append(position)
            return
        for action in dict.fromkeys(map(str.lower, statement.actions)):
            self._exact.setdefault(action, []).append(position)

    def candidates(self, action: str) -> Candidates:
        """The statements about ``action`` (any case)."""
        found = self._remembered.get(action)
        if found is None:
            found = self._find(action.lower())
            if len(self._remembered) >= _REMEMBERED_ACTIONS:
                self._remembered.clear()
            self._remembered[action] = found
        return found

    def _find(self, action: str) -> Candidates:
        positions = [
            *self._exact.get(action, ()),
            *(position for position in self._other if self.statements[position].matches_action(action)),
        ]
        chosen = [self.statements[position] for position in sorted(positions)]
        # A statement without conditions is the cheapest to test. Equals keep the policies' order.
        chosen.sort(key=lambda compiled: len(compiled.conditions))
        return Candidates(
            _select([compiled for compiled in chosen if compiled.statement.effect == "Deny"]),
            _select([compiled for compiled in chosen if compiled.statement.effect == "Allow"]),
        )


def _select(statements: Sequence[CompiledStatement]) -> Selection | None:
    if not statements:
        return None
    tabled: dict[str, list[tuple[CompiledStatement, frozenset[str]]]] = {}
    for compiled in statements:
        if compiled.wanted is not None:
            key, texts = compiled.wanted
            tabled.setdefault(key, []).append((compiled, texts))
    tabled = {key: entries for key, entries in tabled.items() if len(entries) >= _TABLED_FROM}
    asked = [compiled for compiled in statements if compiled.wanted is None or compiled.wanted[0] not in tabled]
    return tuple(asked), tuple(_table(key, entries) for key, entries in tabled.items())


def _table(key: str, entries: Sequence[tuple[CompiledStatement, frozenset[str]]]) -> Table:
    by_text: dict[str, list[CompiledStatement]] = {}
    for compiled, texts in entries:
        for text in texts:
            by_text.setdefault(text, []).append(compiled)
    return Table(key, {text: tuple(found) for text, found in by_text.items()})


def compile_policies(
    policies: Sequence[NamedPolicy], kind: PolicyKind, *, principal_ids: Mapping[str, str] | None = None
) -> CompiledPolicies:
    """The policies of one layer, united.

    ``principal_ids``, for trust and other resource policies, maps principal ARNs as written to the unique ids
    (``AIDA…``, ``AROA…``) that they meant when the policy was saved. Such an element matches a caller with that
    ``entity_id``. It does not match a later user or role with the same ARN.
    """
    ids = tuple(sorted((principal_ids or {}).items()))
    statements = [statement for policy in policies for statement in _statements_of(policy, kind, ids)]
    return CompiledPolicies(kind, tuple(policies), tuple(statements))


def _statements_of(
    policy: NamedPolicy, kind: PolicyKind, principal_ids: tuple[tuple[str, str], ...]
) -> Iterable[CompiledStatement]:
    """The statements of one policy. A change of one policy makes the others be compiled again, so they are kept."""
    if kind in _OF_ONE_SESSION:
        return [_compile(statement, policy, dict(principal_ids)) for statement in policy.policy.statements]
    key = (id(policy.policy), principal_ids)
    known = _compiled.get(key)
    # Python gives the id of a policy that is gone to another one.
    if known is None or known[0] is not policy.policy:
        made = tuple(_compile(statement, policy, dict(principal_ids)) for statement in policy.policy.statements)
        known = (policy.policy, made)
        if len(policy.policy.text) <= KEPT_POLICY_CHARACTERS:
            _compiled.put(key, known)
    return [each._replace(policy=policy) for each in known[1]]


def _compile(statement: Statement, policy: NamedPolicy, principal_ids: Mapping[str, str]) -> CompiledStatement:
    with_variables = policy.policy.version == VERSION_WITH_VARIABLES
    return CompiledStatement(
        _compile_resource(statement, with_variables),
        tuple(compile_condition(condition, with_variables) for condition in statement.conditions),
        compile_principals(statement, principal_ids),
        statement,
        policy,
        _compile_actions(statement),
        next(filter(None, (wanted_texts(condition, with_variables) for condition in statement.conditions)), None),
    )


def _compile_actions(statement: Statement) -> Test:
    """The test of an action in lower case. Only the patterns of its own service are compared.

    ReadOnlyAccess has some two thousand patterns of four hundred services.
    """
    exact: set[str] = set()
    of_services: dict[str, list[Test]] = {}
    of_any: list[Test] = []
    for pattern in map(str.lower, statement.actions):
        service, colon, _ = pattern.partition(":")
        if "*" not in pattern and "?" not in pattern:
            exact.add(pattern)
        elif colon and "*" not in service and "?" not in service:
            of_services.setdefault(service, []).append(glob(wildcards(pattern)))
        else:
            of_any.append(glob(wildcards(pattern)))
    negated = statement.actions_negated

    def matches(action: str) -> bool:
        if action in exact:
            return not negated
        for test in (*of_services.get(action.partition(":")[0], ()), *of_any):
            if test(action):
                return not negated
        return negated

    return matches


def _completed(statement: Statement) -> list[str]:
    """The resources of a statement, and for each ARN with too few parts the complete ARN that it means.

    "When you specify an incomplete ARN in an identity-based policy, AWS automatically completes the ARN by adding
    wildcard characters (*) to all missing fields" (IAM User Guide, Amazon Resource Names). The incomplete ARN stays in
    the list, because a star at the end of a part matches colons too.
    """
    resources = list(statement.resources or ())
    if statement.principals is None:
        resources += [each + ":*" * missing for each in resources if (missing := missing_arn_parts(each))]
    return resources


def resource_patterns(compiled: CompiledStatement, context: Context) -> list[str]:
    """The patterns of a statement's Resource or NotResource for one request, with the values of their variables.

    A pattern with a variable that has no value, or several, matches nothing and is left out.
    """
    with_variables = compiled.policy.policy.version == VERSION_WITH_VARIABLES
    templates = (
        template(resource, with_wildcards=True, with_variables=with_variables, arn_resource_only=True)
        for resource in _completed(compiled.statement)
    )
    return [pattern for pieces in templates if (pattern := resolve(pieces, context)) is not None]


def _compile_resource(statement: Statement, with_variables: bool) -> ResourceTest | None:
    if statement.resources is None:
        return None
    templates = [
        template(resource, with_wildcards=True, with_variables=with_variables, arn_resource_only=True)
        for resource in _completed(statement)
    ]
    fixed = [pieces[0] for pieces in templates if len(pieces) == 1 and isinstance(pieces[0], str)]
    variable = [pieces for pieces in templates if len(pieces) != 1 or not isinstance(pieces[0], str)]
    negated = statement.resources_negated
    if MANY in fixed and not negated:
        return None
    exact = frozenset(pattern for pattern in fixed if MANY not in pattern and ONE not in pattern)
    tests = tuple(glob(pattern) for pattern in fixed if pattern not in exact)
    if len(tests) == 1 and not (exact or variable or negated):
        only = tests[0]
        return lambda resource, _context: only(resource)

    def matches(resource: str, context: Context) -> bool:
        if resource in exact:
            return not negated
        for test in tests:
            if test(resource):
                return not negated
        for pieces in variable:
            pattern = resolve(pieces, context)
            if pattern is not None and cached_glob(pattern)(resource):
                return not negated
        return negated

    return matches
