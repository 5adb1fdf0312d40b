"""The trust graph: who can assume which role of a sandbox, across accounts and identity providers.

Users and roles have an edge to each role that AssumeRole would give them, decided as a real call. Identity providers,
AWS services and principals of accounts outside the sandbox have an edge to each role whose trust policy names them:
what they send is not known, so their conditions are shown as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from rolecall.access.permission import Permission
from rolecall.access.policies import Authority, Trust
from rolecall.arns import parse_arn
from rolecall.data import actions
from rolecall.expectations.asking import ANY, ASSUME_ROLE, Asker
from rolecall.expectations.chains import Graph, Step
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies, CompiledStatement

# By the kind of principal: the actions of STS that give it a role.
_PROVED_ACTIONS = ("sts:assumerolewithwebidentity", "sts:assumerolewithsaml")
_IAM = "iam"
# After a change of more trust policies than this, all steps are worked out anew.
_FEW_ROLES = 8
# Condition keys, also as variables, whose values change with time.
_KEYS_OF_TIME = ("aws:currenttime", "aws:epochtime", "aws:tokenissuetime")

Conditions = tuple[str, ...]
Policies = TypeVar("Policies", Authority | None, Trust | None)


class Node(Struct, frozen=True):
    """One principal. ``kind`` is user, role, oidc, saml, service or outside.

    ``is_administrator``: it may do everything in its account. ``reaches_administrator``: it can become such a role.
    """

    arn: str
    label: str
    kind: str
    account_id: str
    is_administrator: bool
    reaches_administrator: bool


class Edge(Struct, frozen=True):
    """``source`` can become the role ``target``. ``conditions`` are texts; none: a plain call is enough."""

    source: str
    target: str
    conditions: Sequence[str]
    leads_to_administrator: bool


class TrustGraph(Struct, frozen=True):
    """The nodes with an edge, by ARN, and the edges."""

    nodes: Mapping[str, Node]
    edges: Sequence[Edge]


class KnownGraph:
    """The trust graph of a sandbox, brought up to date with each change instead of worked out anew.

    An edge depends on the policies of its source and on the trust policy of its role. Those that have not changed are
    the same objects as before. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._minute = -1
        self._authorities: dict[str, Authority | None] = {}
        self._trusts: dict[str, Trust | None] = {}
        # By caller and role: the conditions of a step. By role: what else its trust policy lets in.
        self._steps: dict[str, dict[str, Conditions]] = {}
        self._named: dict[str, list[tuple[str, Conditions]]] = {}
        self._account_ids: set[str] = set()
        self._administrators: set[str] = set()

    def now(self, asker: Asker, minute: int) -> TrustGraph:
        """The graph of the asker's generation. Policies that ask for the time are tried again in each ``minute``."""
        asker.read_rights()
        graph = Graph(asker)
        authorities = {who.arn: asker.authority(who) for who in asker.principals.entities}
        trusts = {role.arn: asker.trust(role.arn) for role in asker.principals.roles}
        same_minute, self._minute = minute == self._minute, minute
        callers = _changed(self._authorities, authorities, same_minute=same_minute)
        roles = _changed(self._trusts, trusts, same_minute=same_minute)
        account_ids = {root.account_id for root in asker.principals.roots}
        # Which principals are outside depends on the accounts, too.
        for role_arn in roles if account_ids == self._account_ids else trusts:
            trust = trusts.get(role_arn)
            self._named[role_arn] = [] if trust is None else list(_named(asker, trust.policy))
        self._account_ids = account_ids
        for who in asker.principals.entities:
            if who.arn in callers or len(roles) > _FEW_ROLES:
                steps = {step.role.arn: conditions_of(step) for step in graph.steps(who)}
                self._steps[who.arn] = steps
            else:
                self._try_again(graph, who, roles, trusts)
            if who.arn in callers:
                self._administrators.discard(who.arn)
                if is_administrator(asker, who):
                    self._administrators.add(who.arn)
        self._authorities, self._trusts = authorities, trusts
        return self._graph(asker)

    def _try_again(self, graph: Graph, who: Who, roles: set[str], trusts: Mapping[str, object]) -> None:
        """The steps of a caller that has not changed to roles that have."""
        steps = self._steps[who.arn]
        before = {arn: steps.pop(arn) for arn in roles if arn in steps}
        after = {arn: conditions_of(step) for arn in roles for step in graph.steps_to(who, arn) if arn in trusts}
        if before or after:
            steps.update(after)
            # In the order of the roles, as if all had been worked out at once.
            self._steps[who.arn] = {arn: steps[arn] for arn in trusts if arn in steps}

    def _graph(self, asker: Asker) -> TrustGraph:
        found: dict[tuple[str, str], Conditions] = {}
        for source in self._authorities:
            for target, conditions in self._steps[source].items():
                if target != source:
                    found[source, target] = conditions
        for target in self._trusts:
            for source, conditions in self._named[target]:
                found.setdefault((source, target), conditions)
        administrators = {arn for arn in self._administrators if arn in self._authorities}
        reaching = _reaching(found, administrators)
        edges = [
            Edge(source, target, conditions, target in administrators or target in reaching)
            for (source, target), conditions in found.items()
        ]
        arns = dict.fromkeys(arn for edge in edges for arn in (edge.source, edge.target))
        return TrustGraph({arn: _node(asker, arn, administrators, reaching) for arn in arns}, edges)


def trust_graph(asker: Asker) -> TrustGraph:
    """The graph of one generation of a sandbox."""
    return KnownGraph().now(asker, 0)


def _changed(before: Mapping[str, Policies], after: Mapping[str, Policies], *, same_minute: bool) -> set[str]:
    """The ARNs whose policies are not the same any more, also because they ask for the time."""
    changed = {arn for arn, policies in after.items() if policies is None or policies is not before.get(arn)}
    if not same_minute:
        changed.update(arn for arn, policies in after.items() if arn not in changed and _asks_for_time(policies))
    return changed | (before.keys() - after.keys())


def _asks_for_time(policies: Authority | Trust | None) -> bool:
    if isinstance(policies, Authority):
        layers = (policies.identity, policies.boundary, *policies.scps)
    else:
        layers = () if policies is None else (policies.policy, *policies.membership.rcps)
    texts = {named.policy.text for layer in layers if layer is not None for named in layer.policies}
    return any(key in text.lower() for text in texts for key in _KEYS_OF_TIME)


def conditions_of(step: Step) -> tuple[str, ...]:
    """The conditions of a step for people."""
    found = (
        f"{'not ' if each.effect == 'Deny' else ''}{each.operator} {each.key} {', '.join(each.values)}"
        for each in step.conditions
    )
    return tuple(dict.fromkeys(found))


def is_administrator(asker: Asker, who: Who) -> bool:
    """Whether a principal may do every action of IAM on every resource, and any action at all.

    Who may do everything in IAM can give itself everything else.
    """
    rights = asker.rights(who)
    moment = asker.moment(rights, _IAM, {})
    if not asker.decided(rights, Permission(ANY, ANY), moment):
        return False
    names = (f"{_IAM}:{row.name}" for row in actions(_IAM).values())
    return all(asker.decided(rights, Permission(name, ANY), moment) for name in names)


def statements_for(asker: Asker, source: str, role_arn: str) -> list[CompiledStatement]:
    """The statements of a role's trust policy that name a principal, allowing and denying ones."""
    trust = asker.trust(role_arn)
    if trust is None:
        return []
    policy = trust.policy
    who = asker.principals.by_arn.get(source)
    if who is None:
        return [each for each in policy.statements if source in _written(each)]
    rights = asker.rights(who)
    principal, has_boundary = rights.caller.principal, rights.layers.boundary is not None
    return [
        each
        for each in policy.statements
        if each.matches_action(ASSUME_ROLE.lower()) and (each.reach is None or each.reach(principal, "", has_boundary))
    ]


def _named(asker: Asker, policy: CompiledPolicies) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The providers, services and outside principals that a trust policy lets in, with their conditions."""
    for compiled in policy.statements:
        statement = compiled.statement
        if statement.effect != "Allow" or statement.principals is None or statement.principals_negated:
            continue
        conditions = tuple(f"{each.operator} {each.key} {', '.join(each.values)}" for each in statement.conditions)
        if any(map(compiled.matches_action, _PROVED_ACTIONS)):
            yield from ((name, conditions) for name in statement.principals.federated)
        if compiled.matches_action(ASSUME_ROLE.lower()):
            yield from ((name, conditions) for name in statement.principals.services)
            yield from ((name, conditions) for name in statement.principals.aws if _is_outside(asker, name))


def _written(compiled: CompiledStatement) -> Iterable[str]:
    principals = compiled.statement.principals
    return () if principals is None else (*principals.aws, *principals.services, *principals.federated)


def _is_outside(asker: Asker, name: str) -> bool:
    """Whether a principal of a trust policy belongs to an account that the sandbox does not have."""
    arn = parse_arn(name)
    account_id = name if arn is None else arn.account_id
    return len(account_id) == 12 and account_id not in {root.account_id for root in asker.principals.roots}


def _reaching(edges: Iterable[tuple[str, str]], goals: set[str]) -> set[str]:
    """The sources from which a walk along the edges leads to a goal."""
    before: dict[str, list[str]] = {}
    for source, target in edges:
        before.setdefault(target, []).append(source)
    found: set[str] = set()
    waiting = list(goals)
    while waiting:
        for source in before.get(waiting.pop(), ()):
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def _node(asker: Asker, arn: str, administrators: set[str], reaching: set[str]) -> Node:
    who = asker.principals.by_arn.get(arn)
    if who is not None:
        return Node(arn, who.label, who.kind, who.account_id, arn in administrators, arn in reaching)
    parsed = parse_arn(arn)
    kind = {"oidc-provider": "oidc", "saml-provider": "saml"}.get("" if parsed is None else parsed.resource_type, "")
    if not kind:
        kind = "outside" if parsed is not None or arn.isdecimal() else "service" if arn.endswith(".com") else "oidc"
    label = arn if parsed is None else parsed.resource.partition("/")[2] or f"{parsed.account_id}:{parsed.resource}"
    return Node(arn, label, kind, "" if parsed is None else parsed.account_id, False, arn in reaching)
