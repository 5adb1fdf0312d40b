"""The trust graph in a browser: who can assume what, the statement behind each edge, and the ways from A to B."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from weakref import WeakKeyDictionary

from flask import Request, Response

from rolecall.expectations.asking import Asker, asking
from rolecall.expectations.chains import Chains, Graph, chains_between
from rolecall.expectations.principals import NoSuchNameError
from rolecall.expectations.trust_graph import Edge, KnownGraph, Node, TrustGraph, conditions_of, statements_for
from rolecall.sandbox import Sandbox
from rolecall.storage.oidc_providers import provider_by_arn as oidc_provider
from rolecall.storage.roles import role_by_name
from rolecall.storage.saml_providers import provider_by_arn as saml_provider
from rolecall.web.console.decisions import as_text
from rolecall.web.console.pages import ConsoleError, Page, Values, shown

NO_EDGE_MESSAGE = "The first of these can not become the second: the sandbox has no such edge."
# More than this is no picture that anybody can read. The table and the filter are for more.
EDGES_DRAWN = 1000
_EDGES_LISTED = 1000
_NAMES_OFFERED = 300
# A trust policy may ask for the time, and nothing tells when that changes an edge.
_KEPT_SECONDS = 60

_PROVIDERS: Mapping[str, Callable[[Any, str], object]] = {"oidc": oidc_provider, "saml": saml_provider}

_known: WeakKeyDictionary[Sandbox, KnownGraph] = WeakKeyDictionary()
_kept: WeakKeyDictionary[Sandbox, tuple[int, int, TrustGraph]] = WeakKeyDictionary()
_working = threading.Lock()


def graph_of(sandbox: Sandbox) -> TrustGraph:
    """The graph of the sandbox as it is now. After a change of who may do what, only what changed is tried again."""
    with asking(sandbox) as asker, _working:
        minute = int(sandbox.clock.now_seconds()) // _KEPT_SECONDS
        known = _kept.get(sandbox)
        if known is None or known[:2] != (asker.generation, minute):
            # Taken out, so that nothing half done is left when this fails.
            working = _known.pop(sandbox, None) or KnownGraph()
            known = _kept[sandbox] = asker.generation, minute, working.now(asker, minute)
            _known[sandbox] = working
        return known[2]


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    given = {name: request.args.get(name, "").strip() for name in ("from", "to", "name", "administrators")}
    graph = graph_of(sandbox)
    ways, problem = _ways(sandbox, given["from"], given["to"])
    edges = list(_chosen(graph, ways, given))
    on_way = {(step.caller.arn, step.role.arn) for chain in (ways.chains if ways else ()) for step in chain}
    arns = dict.fromkeys(arn for edge in edges for arn in (edge.source, edge.target))
    nodes = [graph.nodes[arn] for arn in arns if arn in graph.nodes]
    return shown(
        "trust.html",
        given=given,
        graph=graph,
        edges=edges[:_EDGES_LISTED],
        count=len(edges),
        nodes=nodes,
        # Once for each node: hundreds of edges name the same ones.
        quoted={arn: quote(arn, errors="replace") for arn in arns},
        with_page=_with_page(sandbox, nodes),
        on_way=on_way,
        ways=ways,
        conditions_of=conditions_of,
        problem=problem,
        command=shlex.join(("rolecall", "paths", given["from"], given["to"])),
        drawn=len(edges) <= EDGES_DRAWN,
        maximum=EDGES_DRAWN,
        names=[node.label for node in graph.nodes.values() if node.kind in ("user", "role")][:_NAMES_OFFERED],
    )


def _with_page(sandbox: Sandbox, nodes: Sequence[Node]) -> set[str]:
    """The ARNs of the nodes that have a page. A trust policy may name a provider that the account does not have."""
    found = {node.arn for node in nodes if node.kind in ("user", "role")}
    with sandbox.database.snapshot() as connection:
        for node in nodes:
            finder = _PROVIDERS.get(node.kind)
            if finder is not None and finder(connection, node.arn) is not None:
                found.add(node.arn)
    return found


def _ways(sandbox: Sandbox, start: str, goal: str) -> tuple[Chains | None, str]:
    """The chains of roles between two principals, or why there is nothing to look for."""
    if not (start and goal):
        return None, ""
    try:
        return chains_between(sandbox, start, goal), ""
    except NoSuchNameError as error:
        return None, str(error)


def _chosen(graph: TrustGraph, ways: Chains | None, given: dict[str, str]) -> Iterator[Edge]:
    """The edges that a page shows: on the ways that were asked for, at a name, or that lead to administrators."""
    if ways is not None:
        steps = {(step.caller.arn, step.role.arn) for chain in ways.chains for step in chain}
        yield from (edge for edge in graph.edges if (edge.source, edge.target) in steps)
        return
    name, start, goal = given["name"].lower(), given["from"], given["to"]
    for edge in graph.edges:
        ends = (graph.nodes[edge.source], graph.nodes[edge.target])
        if given["administrators"] and not edge.leads_to_administrator:
            continue
        if name and not any(name in node.label.lower() or name in node.arn.lower() for node in ends):
            continue
        if (start and start not in (ends[0].arn, ends[0].label)) or (goal and goal not in (ends[1].arn, ends[1].label)):
            continue
        yield edge


def _edge(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    source, target = request.args.get("from", ""), request.args.get("to", "")
    graph = graph_of(sandbox)
    edge = next((each for each in graph.edges if (each.source, each.target) == (source, target)), None)
    if edge is None:
        raise ConsoleError(NO_EDGE_MESSAGE, 404)
    with asking(sandbox) as asker:
        step = _step(asker, source, target)
        indexes = {each.statement.index for each in statements_for(asker, source, target)}
        who = asker.principals.by_arn.get(target)
    with sandbox.database.snapshot() as connection:
        role = None if who is None else role_by_name(connection, who.account_id, who.name)
    if role is None:
        raise ConsoleError(NO_EDGE_MESSAGE, 404)
    return shown(
        "trust_edge.html",
        edge=edge,
        source=graph.nodes[source],
        source_has_page=source in _with_page(sandbox, [graph.nodes[source]]),
        target=graph.nodes[target],
        statements=_statements(role.trust_policy, indexes),
        unmet=() if step is None else step,
        is_step=step is not None,
    )


def _step(asker: Asker, source: str, target: str) -> Sequence[dict[str, object]] | None:
    """The unmet conditions of an AssumeRole; None for an edge from something that does not call AssumeRole here."""
    caller, role = asker.principals.by_arn.get(source), asker.principals.by_arn.get(target)
    if caller is None or role is None:
        return None
    step = Graph(asker).step(caller, role)
    return None if step is None else [each.as_json() for each in step.conditions]


def _statements(document: str, indexes: set[int]) -> list[tuple[str, bool]]:
    """The statements of a trust policy as text. Those that name the principal are marked with True."""
    statements = json.loads(document)["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return [(as_text(statement), at in indexes) for at, statement in enumerate(listed)]


PAGES = (Page("/trust", _page, "Trust graph"), Page("/trust/edge", _edge))
