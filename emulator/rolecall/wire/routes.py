"""From method, path and query string to the operation of a rest-json service.

Each service has one tree of path segments. Rules with a fixed query string (``?operation=…``) are tried first.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from rolecall.wire.forms import percent_decode, percent_encode
from rolecall.wire.services import Service

# Resources inside an app instance, with ARNs such as app-instance/ID/channel/ID (Service Authorization Reference,
# Chime).
_WITHIN_APP_INSTANCES = frozenset({"user", "bot", "channel", "channel-flow"})
MAXIMUM_SEGMENTS = 64


class Rule(Struct, frozen=True):
    """One operation's place in the tree: its label names in order and its fixed query parameters."""

    operation_name: str
    labels: tuple[str, ...]
    fixed: tuple[tuple[str, str], ...]
    template: str


class Node(Struct):
    """A node of the tree. A path goes on by a literal segment or by a label. ``rules``, by method, if it ends here."""

    literals: dict[str, Node] = field(default_factory=dict)
    label: Node | None = None
    rules: dict[str, list[Rule]] = field(default_factory=dict)


class Match(Struct, frozen=True):
    operation_name: str
    labels: Mapping[str, str]
    template: str


def build_tree(service: Service) -> Node:
    """The tree of all operations of a rest-json service."""
    root = Node()
    for operation_name, method, uri in service.routes:
        path, _, query = uri.partition("?")
        node = root
        labels: list[str] = []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                labels.append(segment.strip("{}+"))
                node.label = node.label or Node()
                node = node.label
            else:
                node = node.literals.setdefault(segment, Node())
        fixed = tuple((name, value) for name, _, value in (part.partition("=") for part in query.split("&")) if name)
        rules = node.rules.setdefault(method, [])
        rules.append(Rule(operation_name, tuple(labels), fixed, path))
        rules.sort(key=lambda rule: -len(rule.fixed))
    return root


def find(root: Node, method: str, raw_path: str, query: Mapping[str, str]) -> Match | None:
    """The operation whose template matches the segments of the path. Raises AwsError for an invalid escape."""
    segments = raw_path[1:].split("/", MAXIMUM_SEGMENTS)
    if len(segments) > MAXIMUM_SEGMENTS:
        return None
    found = _walk(root, segments, 0, [], method, query)
    return _matched(*found) if found else None


def find_spanning(root: Node, method: str, raw_path: str, query: Mapping[str, str]) -> Match | None:
    """As :func:`find`, for a path that the server has already decoded, so that each ``%2F`` of an ARN is a slash.

    The grammar of ARNs says how many segments an ARN spans. In other labels an escaped slash cannot be recognised.
    """
    segments = raw_path[1:].split("/", MAXIMUM_SEGMENTS)
    if len(segments) > MAXIMUM_SEGMENTS:
        return None
    found = _walk_spanning(root, segments, 0, [], method, query)
    return _matched(*found) if found else None


def corrected_path(match: Match) -> str:
    """The template with each label strictly percent-encoded."""
    parts = []
    for segment in match.template.strip("/").split("/"):
        parts.append(percent_encode(match.labels[segment.strip("{}+")]) if segment.startswith("{") else segment)
    return "/" + "/".join(parts)


def _matched(rule: Rule, labels: list[str]) -> Match:
    decoded = [percent_decode(label) for label in labels]
    return Match(rule.operation_name, dict(zip(rule.labels, decoded, strict=True)), rule.template)


def _walk(
    node: Node, segments: list[str], at: int, labels: list[str], method: str, query: Mapping[str, str]
) -> tuple[Rule, list[str]] | None:
    if at == len(segments):
        return _chosen(node, labels, method, query)
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _walk(literal, segments, at + 1, labels, method, query)
        if found:
            return found
    if node.label is not None and segment:
        return _walk(node.label, segments, at + 1, [*labels, segment], method, query)
    return None


def _walk_spanning(
    node: Node, segments: list[str], at: int, labels: list[str], method: str, query: Mapping[str, str]
) -> tuple[Rule, list[str]] | None:
    if at == len(segments):
        return _chosen(node, labels, method, query)
    segment = segments[at]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _walk_spanning(literal, segments, at + 1, labels, method, query)
        if found:
            return found
    end = at + _arn_segments(segments, at)
    if node.label is None or not segment or end > len(segments):
        return None
    return _walk_spanning(node.label, segments, end, [*labels, "/".join(segments[at:end])], method, query)


def _arn_segments(segments: list[str], at: int) -> int:
    """How many segments the value that begins at ``at`` spans: one, unless it is an ARN."""
    if not segments[at][:6].lower().startswith(("arn:", "arn%3a")):
        return 1
    parts = percent_decode(segments[at]).split(":", 5)
    if len(parts) < 6 or ":" in parts[5]:
        return 1
    within = parts[5] == "app-instance" and at + 3 < len(segments) and segments[at + 2] in _WITHIN_APP_INSTANCES
    return 4 if within else 2


def _chosen(node: Node, labels: list[str], method: str, query: Mapping[str, str]) -> tuple[Rule, list[str]] | None:
    for rule in node.rules.get(method, ()):
        if all(query.get(name) == value for name, value in rule.fixed):
            return rule, labels
    return None
