"""The effective policy of an account: policies of the root, the units and the account, merged.

Source: Organizations User Guide, Policy syntax and examples for management policy types, Inheritance operators. A value
of a policy is set by ``@@assign``, lengthened by ``@@append`` and shortened by ``@@remove``. A policy may say with
``@@operators_allowed_for_child_policies`` which of these the policies below it may use on an element.

An element has a value or nested elements. One policy may give it the value and another one the nested elements: the
effective policy is then invalid.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

_ASSIGN, _APPEND, _REMOVE = "@@assign", "@@append", "@@remove"
_VALUE_OPERATORS = (_ASSIGN, _APPEND, _REMOVE)
_ALLOWED = "@@operators_allowed_for_child_policies"
_ALL = "@@all"
_NONE = "@@none"
# Deeper than any type of policy nests its elements.
_MAXIMUM_DEPTH = 64


class _Element(Struct):
    """One element of the merged policies. ``allowed`` is None while no policy above limits the operators."""

    children: dict[str, _Element] = field(default_factory=dict)
    value: Any = None
    allowed: frozenset[str] | None = None
    # The ids of the policies that say something about it.
    policies: dict[str, None] = field(default_factory=dict)


class InvalidElement(Struct, frozen=True):
    """An element with a value and with nested elements: the names that lead to it, and the policies that say so."""

    path: tuple[str, ...]
    policies: tuple[str, ...]


class EffectivePolicy(Struct, frozen=True):
    """The merged policy as JSON text, and what is wrong with it."""

    text: str
    invalid: tuple[InvalidElement, ...]


def effective_policy(levels: Sequence[Sequence[tuple[str, str]]]) -> EffectivePolicy:
    """The merged policy. ``levels`` are the ids and documents of the policies of each level, the root's first."""
    merged = _Element()
    for policies in levels:
        limits: list[tuple[_Element, frozenset[str]]] = []
        for policy_id, text in policies:
            document = json.loads(text)
            _Merging(policy_id, limits).merge(merged, document if isinstance(document, dict) else {}, None, 0)
        # A limit holds for the policies below this level, not for its own.
        for element, allowed in limits:
            element.allowed = allowed if element.allowed is None else element.allowed & allowed
    text = json.dumps(_written(merged), separators=(",", ":"), ensure_ascii=False)
    return EffectivePolicy(text, tuple(_invalid(merged, ())))


class _Merging(Struct, frozen=True):
    """One policy, merged into the policies before it."""

    policy_id: str
    limits: list[tuple[_Element, frozenset[str]]]

    def merge(self, element: _Element, document: Mapping[str, Any], allowed: frozenset[str] | None, depth: int) -> None:
        if depth > _MAXIMUM_DEPTH:
            return
        element.policies[self.policy_id] = None
        if element.allowed is not None:
            allowed = element.allowed if allowed is None else allowed & element.allowed
        for name, value in document.items():
            if name == _ALLOWED:
                self.limits.append((element, _operators(value)))
            elif name in _VALUE_OPERATORS:
                if allowed is None or name in allowed:
                    _apply(element, name, value)
            elif isinstance(value, dict):
                self._merge_below(element, name, value, allowed, depth)
            elif allowed is None or _ASSIGN in allowed:
                child = element.children.setdefault(_same(element, name), _Element())
                child.value = value
                child.policies[self.policy_id] = None

    def _merge_below(
        self, element: _Element, name: str, value: Mapping[str, Any], allowed: frozenset[str] | None, depth: int
    ) -> None:
        """An element comes into being only if a policy above allows the policy to say something about it."""
        known = element.children.get(_same(element, name))
        child = _Element() if known is None else known
        self.merge(child, value, allowed, depth + 1)
        if known is None and (allowed is None or child.children or child.value is not None):
            element.children[name] = child


def _invalid(element: _Element, path: tuple[str, ...]) -> Iterator[InvalidElement]:
    if element.value is not None and element.children:
        yield InvalidElement(path, tuple(element.policies))
    for name, child in element.children.items():
        yield from _invalid(child, (*path, name))


def _same(element: _Element, name: str) -> str:
    """The name that the element already has in another case of letters: policy keys compare without case."""
    return next((known for known in element.children if known.lower() == name.lower()), name)


def _operators(value: Any) -> frozenset[str]:
    listed = value if isinstance(value, list) else [value]
    if _ALL in listed:
        return frozenset(_VALUE_OPERATORS)
    return frozenset(each for each in listed if isinstance(each, str) and each != _NONE)


def _apply(element: _Element, operator: str, value: Any) -> None:
    if operator == _ASSIGN:
        element.value = value
        return
    given = value if isinstance(value, list) else [value]
    present = element.value if isinstance(element.value, list) else [] if element.value is None else [element.value]
    if operator == _APPEND:
        element.value = [*present, *(each for each in given if each not in present)]
    else:
        element.value = [each for each in present if each not in given]


def _written(element: _Element) -> Any:
    if element.children:
        return {name: _written(child) for name, child in element.children.items()}
    return {} if element.value is None else element.value
