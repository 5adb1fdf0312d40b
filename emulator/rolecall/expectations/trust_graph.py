"""The trust graph: who can assume which role of a sandbox, across accounts and identity providers.

Users and roles have an edge to each role that AssumeRole would give them, decided as a real call. Identity providers,
AWS services and principals of accounts outside the sandbox have an edge to each role whose trust policy names them:
what they send is not known, so their conditions are shown as they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rolecall.access.permission import Permission
from rolecall.arns import parse_arn
from rolecall.data import actions
from rolecall.expectations.asking import ANY, ASSUME_ROLE, Asker
from rolecall.expectations.chains import Graph, Step
from rolecall.expectations.principals import Who
from rolecall.policy import CompiledPolicies, CompiledStatement

# By the kind of principal: the actions of STS that give it a role.
_PROVED_ACTIONS = ("sts:assumerolewithwebidentity", "sts:assumerolewithsaml")
_IAM = "iam"


@dataclass(frozen=True, slots=True)
class Node:
    """One principal. ``kind`` is user, role, oidc, saml, service or outside.

    ``is_administrator``: it may do everything in its account. ``reaches_administrator``: it can become such a role.
    """

    arn: str
    label: str
    kind: str
    account_id: str
    is_administrator: bool
    reaches_administrator: bool


@dataclass(frozen=True, slots=True)
class Edge:
    """``source`` can become the role ``target``. ``conditions`` are texts; none: a plain call is enough."""

    source: str
    target: str
    conditions: Sequence[str]
    leads_to_administrator: bool


@dataclass(frozen=True, slots=True)
class TrustGraph:
    """The nodes with an edge, by ARN, and the edges."""

    nodes: Mapping[str, Node]
    edges: Sequence[Edge]


def trust_graph(asker: Asker) -> TrustGraph:
    """The graph of one generation of a sandbox."""
    asker.read_rights()
    graph = Graph(asker)
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for who in asker.principals.entities:
        for step in graph.steps(who):
            if step.role.arn != who.arn:
                found[who.arn, step.role.arn] = conditions_of(step)
    for role in asker.principals.roles:
        trust = asker.trust(role.arn)
        for source, conditions in () if trust is None else _named(asker, trust.policy):
            found.setdefault((source, role.arn), conditions)
    administrators = {who.arn for who in asker.principals.entities if is_administrator(asker, who)}
    reaching = _reaching(found, administrators)
    edges = [
        Edge(source, target, conditions, target in administrators or target in reaching)
        for (source, target), conditions in found.items()
    ]
    arns = dict.fromkeys(arn for edge in edges for arn in (edge.source, edge.target))
    return TrustGraph({arn: _node(asker, arn, administrators, reaching) for arn in arns}, edges)


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
