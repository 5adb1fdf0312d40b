"""Query protocol input: ``Tags.member.1.Key=a`` parameters to the members of the model.

Names that the model does not know are ignored, as AWS does. A known name in the wrong form raises MalformedInput.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rolecall.errors import AwsError
from rolecall.wire.models import Member, Shape
from rolecall.wire.scalars import text_reader

MAXIMUM_NESTING = 32
Decode = Callable[[Mapping[str, str]], dict[str, Any]]
_Read = Callable[[Any], Any]
_COMPLEX = frozenset({"structure", "list", "map"})


def compile_decode(shape: Shape | None) -> Decode:
    """A function from the parameters of a request to the members of its input structure."""
    members = shape.members if shape else {}
    plain = {m.wire_name: (name, text_reader(m)) for name, m in members.items() if m.shape.type not in _COMPLEX}
    nested = {m.wire_name: (name, _node_reader(m)) for name, m in members.items() if m.shape.type in _COMPLEX}

    def decode(parameters: Mapping[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        trees: dict[str, Any] = {}
        for name, text in parameters.items():
            found = plain.get(name)
            if found is not None:
                member, read = found
                values[member] = text if read is None else read(text)
            elif nested and name.partition(".")[0] in nested:
                _plant(trees, name, text)
        for name, tree in trees.items():
            member, read_node = nested[name]
            values[member] = read_node(tree)
        return values

    return decode


def _plant(trees: dict[str, Any], name: str, text: str) -> None:
    """Put one dotted parameter into the tree. Raises AwsError MalformedInput when parameters contradict each other."""
    *branches, leaf = name.split(".", MAXIMUM_NESTING + 1)
    if len(branches) > MAXIMUM_NESTING:
        raise AwsError("MalformedInput", "The parameter name is nested too deeply.")
    node = trees
    for branch in branches:
        node = node.setdefault(branch, {})
        if not isinstance(node, dict):
            raise AwsError("MalformedInput", "Start of structure or map found where not expected.")
    if leaf in node:
        raise AwsError("MalformedInput", f"Unexpected complex element termination: {name}")
    node[leaf] = text


def _node_reader(member: Member) -> _Read:
    kind = member.shape.type
    if kind == "structure":
        return _structure_reader(member.shape)
    if kind == "list":
        return _list_reader(member.shape)
    if kind == "map":
        return _map_reader(member.shape)
    read = text_reader(member)

    def read_leaf(node: Any) -> Any:
        if isinstance(node, dict):
            raise AwsError("MalformedInput", "Start of structure or map found where not expected.")
        return node if read is None else read(node)

    return read_leaf


def _structure_reader(shape: Shape) -> _Read:
    plan: dict[str, tuple[str, _Read]] = {}

    def read_structure(node: Any) -> Any:
        if not plan:
            plan.update({m.wire_name: (name, _node_reader(m)) for name, m in shape.members.items()})
        if not isinstance(node, dict):
            if node:
                raise AwsError("MalformedInput", "Unexpected complex element termination")
            return {}
        values = {}
        for name, child in node.items():
            found = plan.get(name)
            if found is not None:
                values[found[0]] = found[1](child)
        return values

    return read_structure


def _list_reader(shape: Shape) -> _Read:
    element = shape.part("member")
    wrapper = "" if shape.flattened else element.wire_name
    read: list[_Read] = []

    def read_list(node: Any) -> Any:
        if not read:
            read.append(_node_reader(element))
        return [read[0](child) for child in _numbered(node, wrapper)]

    return read_list


def _map_reader(shape: Shape) -> _Read:
    key, value = shape.part("key"), shape.part("value")
    wrapper = "" if shape.flattened else "entry"
    read: list[_Read] = []

    def read_map(node: Any) -> Any:
        if not read:
            read.extend((_node_reader(key), _node_reader(value)))
        values: dict[Any, Any] = {}
        for child in _numbered(node, wrapper):
            if not isinstance(child, dict) or key.wire_name not in child:
                raise AwsError("MalformedInput", "Map entry without a key.")
            name = read[0](child[key.wire_name])
            if name in values:
                raise AwsError("MalformedInput", "Map key found twice.")
            values[name] = read[1](child[value.wire_name]) if value.wire_name in child else None
        return values

    return read_map


def _numbered(node: Any, wrapper: str) -> list[Any]:
    """The children ``1``, ``2``, … in order of their number. Gaps are allowed, as AWS allows them."""
    if wrapper and isinstance(node, dict):
        if node.keys() - {wrapper}:
            raise AwsError("MalformedInput", f"Unexpected key in list: {min(node.keys() - {wrapper})}")
        node = node[wrapper]
    if not isinstance(node, dict):
        if node:
            raise AwsError("MalformedInput", "Unexpected list element termination")
        return []
    numbers: dict[int, Any] = {}
    for text, child in node.items():
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise AwsError("MalformedInput", f"{text} is not a valid index.")
        number = int(text)
        if number in numbers:
            raise AwsError("MalformedInput", f"The index {number} is given twice.")
        numbers[number] = child
    return [numbers[number] for number in sorted(numbers)]
