"""The grants of a user's or a role's present policies that no logged call used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.access.policies import Authority, PolicyStore
from rolecall.arns import missing_arn_parts, parse_arn
from rolecall.data import Action, actions, given_on_arns
from rolecall.least_privilege.traffic import EVERY_RESOURCE, Used
from rolecall.policy import CompiledPolicies, CompiledStatement
from rolecall.policy.document import VERSION_WITH_VARIABLES, Statement
from rolecall.policy.patterns import MANY, ONE, Test, cached_glob, glob, overlapping, template, wildcards
from rolecall.storage.roles import role_by_name
from rolecall.storage.trust import UnknownPrincipal, resolve_trust

Json = dict[str, Any]

# A pattern such as "*" grants actions of every service. It is expanded for the services that Rolecall emulates.
EXPANDED_SERVICES = ("chime", "iam", "sts")
_ANY_SERVICE = "*"
NO_SUCH_PRINCIPAL_MESSAGE = "there is no user or role {principal}, so there are no policies to compare with its calls"
ROOT_MESSAGE = "a root user has no policies: it may do everything that no policy of the organization forbids"
FEDERATED_MESSAGE = "a federated user has the policies of the user who obtained its session: ask for that user"


class NoGrantsError(ValueError):
    """The principal has no policies to compare with its calls. The message is for the user who asked."""


class Unused(Struct, frozen=True):
    """Grants that no call used.

    ``actions`` has actions by service. ``resources`` has, by action that was used, the entries of the policies that no
    call was about. ``policies`` are the policies with no statement that any call used, each with the group through
    which a user has it, and whether it also denies something. ``reaches_further`` says that a pattern grants actions of
    services that are not listed.
    """

    actions: Mapping[str, Sequence[str]]
    resources: Mapping[str, Sequence[str]]
    policies: Sequence[Mapping[str, str | bool]]
    reaches_further: bool

    def as_json(self) -> Json:
        return {
            "actions": {prefix: list(names) for prefix, names in self.actions.items()},
            "resources": {action: list(written) for action, written in self.resources.items()},
            "policies": [dict(policy) for policy in self.policies],
            "reaches_further": self.reaches_further,
        }


def authority_of(connection: Connection, principal: str) -> Authority:
    """The present rights of a user or a role, also of the role behind a session. Raises NoGrantsError."""
    arn = parse_arn(principal)
    unknown = NoGrantsError(NO_SUCH_PRINCIPAL_MESSAGE.format(principal=principal))
    if arn is None:
        raise unknown
    store = PolicyStore(0)
    kind, _, rest = arn.resource.partition("/")
    if arn.resource == "root":
        raise NoGrantsError(ROOT_MESSAGE)
    if kind == "federated-user":
        raise NoGrantsError(FEDERATED_MESSAGE)
    if kind == "assumed-role":
        name = rest.partition("/")[0]
        role = role_by_name(connection, arn.account_id, name)
        unique_id = None if role is None or role.name != name else role.role_id
        kind = "role"
    else:
        try:
            unique_id = resolve_trust(connection, [principal]).get(principal)
        except UnknownPrincipal as error:
            raise unknown from error
    if unique_id is None:
        raise unknown
    found = store.role(connection, unique_id) if kind == "role" else store.user(connection, unique_id)
    if found is None:
        raise unknown
    return found


def unused(authority: Authority, used: Used) -> Unused:
    """The grants of an authority that no call used."""
    if authority.identity is None:
        return Unused({}, {}, (), reaches_further=False)
    identity = _layer(authority.identity)
    limits = [_layer(layer) for layer in (authority.boundary, *authority.scps) if layer is not None]
    allows = [each for each in identity if each.allows]
    known = {action.lower(): resources for action, resources in used.permissions.items()}
    never: dict[str, list[str]] = {}
    elsewhere: dict[str, list[str]] = {}
    for prefix in _services(allows):
        for row in _rows(prefix):
            action = f"{prefix}:{row.name}"
            granted = list(_granted(row, action, identity, limits))
            if granted and action.lower() not in known:
                never.setdefault(prefix, []).append(action)
                continue
            resources = known.get(action.lower(), ())
            if idle := {each.written for each in granted if not any(map(each.matches, resources))}:
                elsewhere[action] = sorted(idle)
    return Unused(
        {prefix: sorted(names) for prefix, names in never.items()},
        dict(sorted(elsewhere.items())),
        tuple(_idle_policies(identity, known)),
        reaches_further=any(map(_is_open, allows)),
    )


def _idle_policies(
    identity: Sequence[_Statement], known: Mapping[str, Iterable[str]]
) -> Iterator[Mapping[str, str | bool]]:
    """The policies with no statement that any call used.

    The log does not keep the condition keys of allowed calls. So a statement with conditions counts as used only by
    calls that no statement without conditions allows.
    """
    allows = [each for each in identity if each.allows]
    denying = {_key(each) for each in identity if not each.allows}
    used: set[int] = set()
    for action, resources in known.items():
        about = [each for each in allows if each.names(action)]
        for resource in resources:
            matching = [each for each in about if each.reaches(resource)]
            unconditional = [each for each in matching if not each.compiled.conditions]
            used.update(id(each) for each in unconditional or matching)
    policies: dict[tuple[str, str, str], bool] = {}
    for each in allows:
        policies[_key(each)] = policies.get(_key(each), False) or id(each) in used
    for key, was_used in policies.items():
        if not was_used:
            name, arn, group = key
            through = {"group": group} if group else {}
            yield {"policy": name, "policy_arn": arn, **through, **({"denies": True} if key in denying else {})}


def _key(each: _Statement) -> tuple[str, str, str]:
    policy = each.compiled.policy
    return policy.name, policy.arn, policy.group


# Which actions.


def _services(allows: Iterable[_Statement]) -> list[str]:
    """The services whose actions the statements are about."""
    found: set[str] = set()
    for each in allows:
        if _is_open(each):
            found.update(EXPANDED_SERVICES)
        for action in () if each.statement.actions_negated else each.statement.actions:
            prefix = action.partition(":")[0].lower()
            if not _wild(prefix):
                found.add(prefix)
    return sorted(found)


def _rows(prefix: str) -> Iterable[Action]:
    try:
        return actions(prefix).values()
    except KeyError:
        return ()


def _is_open(each: _Statement) -> bool:
    """Whether a statement is about actions of services that it does not name."""
    statement = each.statement
    return statement.actions_negated or any(_wild(action.partition(":")[0]) for action in statement.actions)


def _wild(text: str) -> bool:
    return "*" in text or "?" in text


# On which resources.


class _Resources(Struct, frozen=True):
    """One entry of Resource, as it is written and as a pattern. In the pattern a variable matches anything."""

    written: str
    pattern: str
    has_variables: bool = False

    def matches(self, resource: str) -> bool:
        return cached_glob(self.pattern)(resource)

    def covers(self, pattern: str) -> bool:
        """Whether the entry certainly matches everything that another pattern matches."""
        if self.has_variables or (ONE in self.pattern and MANY in pattern):
            return False
        return cached_glob(self.pattern)(pattern)


class _Statement(Struct, frozen=True):
    """A statement with its actions by service, and the entries of its Resource or NotResource.

    ReadOnlyAccess has some two thousand actions of four hundred services. Testing all of them for each action would
    take seconds.
    """

    compiled: CompiledStatement
    tests: Mapping[str, Sequence[Test]]
    entries: tuple[_Resources, ...]

    @property
    def statement(self) -> Statement:
        return self.compiled.statement

    @property
    def allows(self) -> bool:
        return self.statement.effect == "Allow"

    def names(self, action: str) -> bool:
        """Whether the statement is about an action, which is given in lower case."""
        tests = (*self.tests.get(action.partition(":")[0], ()), *self.tests.get(_ANY_SERVICE, ()))
        return any(test(action) for test in tests) != self.statement.actions_negated

    def reaches(self, resource: str) -> bool:
        """Whether the statement can be about a resource."""
        if self.statement.resources_negated:
            return not any(entry.covers(resource) for entry in self.entries)
        return any(entry.matches(resource) for entry in self.entries)

    def meets(self, pattern: str) -> bool:
        """Whether the statement can be about a resource that a pattern matches."""
        if self.statement.resources_negated:
            return not any(entry.covers(pattern) for entry in self.entries)
        return any(overlapping(entry.pattern, pattern) for entry in self.entries)

    def holds_for_all(self, pattern: str) -> bool:
        """Whether the statement certainly is about every resource that a pattern matches."""
        if self.compiled.conditions:
            return False
        if self.statement.resources_negated:
            return not any(overlapping(entry.pattern, pattern) for entry in self.entries)
        return any(entry.covers(pattern) for entry in self.entries)

    def granted(self) -> tuple[_Resources, ...]:
        """The resources that the statement is about. A NotResource counts as everything."""
        return (_Resources(EVERY_RESOURCE, MANY),) if self.statement.resources_negated else self.entries


def _layer(compiled: CompiledPolicies) -> list[_Statement]:
    return [_Statement(each, _tests(each.statement), tuple(_entries(each))) for each in compiled.statements]


def _tests(statement: Statement) -> Mapping[str, Sequence[Test]]:
    found: dict[str, list[Test]] = {}
    for action in map(str.lower, statement.actions):
        prefix = action.partition(":")[0]
        found.setdefault(_ANY_SERVICE if _wild(prefix) else prefix, []).append(glob(wildcards(action)))
    return found


def _entries(compiled: CompiledStatement) -> Iterator[_Resources]:
    with_variables = compiled.policy.policy.version == VERSION_WITH_VARIABLES
    for written in compiled.statement.resources or ():
        # An ARN with too few parts means everything below it. A star at its end already says so.
        whole = written if written.endswith("*") else written + ":*" * missing_arn_parts(written)
        pieces = template(whole, with_wildcards=True, with_variables=with_variables, arn_resource_only=True)
        fixed = [piece if isinstance(piece, str) else MANY for piece in pieces]
        yield _Resources(written, "".join(fixed), any(not isinstance(piece, str) for piece in pieces))


def _granted(
    row: Action, action: str, identity: Sequence[_Statement], limits: Sequence[Sequence[_Statement]]
) -> Iterator[_Resources]:
    """The resources for which a call with the action could be allowed.

    The action can be checked on such a resource, every layer allows it, and no statement without conditions denies it.
    """
    layers = [[each for each in layer if each.names(action.lower())] for layer in (identity, *limits)]
    denies = [each for layer in layers for each in layer if not each.allows]
    on_everything = not row.resource_types and action not in given_on_arns()
    for each in layers[0]:
        for entry in each.granted() if each.allows else ():
            asked = EVERY_RESOURCE if on_everything else entry.pattern
            if on_everything and not (entry.matches(EVERY_RESOURCE) and each.reaches(EVERY_RESOURCE)):
                continue
            if any(deny.holds_for_all(asked) for deny in denies):
                continue
            if all(any(allow.allows and allow.meets(asked) for allow in layer) for layer in layers[1:]):
                yield entry
