"""Plain values as YAML text: mappings, lists, texts, whole numbers, true, false and null. Members keep their order.

The text is written event by event. A tree of PyYAML's nodes would take ten times the memory of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

import yaml

_LINE_CHARACTERS = 120
_Base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TAG = "tag:yaml.org,2002:"
_TEXT = f"{_TAG}str"
_WORDS: Mapping[Any, str] = {True: "true", False: "false", None: "null"}
_resolve: Any = yaml.resolver.Resolver().resolve
_Representer: Any = yaml.representer.SafeRepresenter
_RESOLVERS = yaml.resolver.Resolver.yaml_implicit_resolvers
# Means the same with quotes and without, and only without them.
_ANY, _WITHOUT_QUOTES, _IN_QUOTES = (True, True), (True, False), (False, True)


def yaml_text(value: Any) -> str:
    """The YAML of a value. In its mappings, an iterator may stand for a list.

    Nothing is kept of a member that is written, so an iterator over large members needs only the memory of one.
    """
    events = chain(_BEGIN, chain.from_iterable(_pieces(value)), _END)
    text: str = yaml.emit(events, Dumper=_Base, allow_unicode=True, width=_LINE_CHARACTERS)
    return text


_BEGIN = (yaml.StreamStartEvent(), yaml.DocumentStartEvent(explicit=False))
_END = (yaml.DocumentEndEvent(explicit=False), yaml.StreamEndEvent())
_MAPPING = yaml.MappingStartEvent(None, None, True, flow_style=False)
_MAPPING_END = yaml.MappingEndEvent()
_LIST = yaml.SequenceStartEvent(None, None, True, flow_style=False)
_LIST_END = yaml.SequenceEndEvent()


def _pieces(value: Any) -> Iterator[list[yaml.Event]]:
    """The events of a value, in parts: a part for each member of a list or iterator."""
    if type(value) is list or isinstance(value, Iterator):
        yield [_LIST]
        for member in value:
            yield _events(member)
        yield [_LIST_END]
    elif type(value) is dict:
        yield [_MAPPING]
        for name, member in value.items():
            yield _events(name)
            yield from _pieces(member)
        yield [_MAPPING_END]
    else:
        yield _events(value)


def _events(value: Any) -> list[yaml.Event]:
    events: list[yaml.Event] = []
    _add(value, events.append)
    return events


def _add(value: Any, add: Callable[[yaml.Event], None]) -> None:
    kind = type(value)
    if kind is str:
        add(_text(value))
    elif kind is dict:
        add(_MAPPING)
        for name, member in value.items():
            _add(name, add)
            _add(member, add)
        add(_MAPPING_END)
    elif kind in (list, tuple):
        add(_LIST)
        for member in value:
            _add(member, add)
        add(_LIST_END)
    elif kind is int:
        add(yaml.ScalarEvent(None, f"{_TAG}int", _WITHOUT_QUOTES, str(value)))
    elif kind is bool or value is None:
        add(yaml.ScalarEvent(None, f"{_TAG}{'null' if value is None else 'bool'}", _WITHOUT_QUOTES, _WORDS[value]))
    else:
        add(_other(value))


def _other(value: Any) -> yaml.ScalarEvent:
    """Any other scalar that YAML knows, such as a number with a fraction. Raises yaml.YAMLError."""
    node = _Representer().represent_data(value)
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.representer.RepresenterError("cannot represent an object", value)
    implicit = tuple(_resolve(yaml.ScalarNode, node.value, way) == node.tag for way in (_WITHOUT_QUOTES, _IN_QUOTES))
    return yaml.ScalarEvent(None, node.tag, implicit, node.value, style=node.style)


def _text(text: str) -> yaml.ScalarEvent:
    if text and text[0] not in _RESOLVERS:
        return yaml.ScalarEvent(None, _TEXT, _ANY, text)
    means_text = _resolve(yaml.ScalarNode, text, _WITHOUT_QUOTES) == _TEXT
    return yaml.ScalarEvent(None, _TEXT, _ANY if means_text else _IN_QUOTES, text)
