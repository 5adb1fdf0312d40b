"""The cost of a simulation, worked out from its policies before anything is matched.

The unit is one step of :func:`rolecall.policy.patterns.glob_steps`. Every pattern counts against every text that it may
be compared with. An action or a resource that ends the search early may be absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rolecall.access.permission import ContextValue
from rolecall.policy import CompiledPolicies, Condition, Statement
from rolecall.policy.document import VERSION_WITH_VARIABLES
from rolecall.policy.operators import base_operator
from rolecall.policy.patterns import glob_steps, template

# Stands for a variable's value: here it only counts that the value is text.
_SOME_VALUE = "x"
# A pattern with variables is built and compiled for each question: this many steps, and this many for each part.
_BINDING, _BINDING_PART = 20, 4
_STATEMENT = 4
_COMPARISON = 20
_DATE = 100
# The engine looks for denies, then for allows, and then collects the matches for the answer.
_PASSES = 3


def steps(
    layers: Iterable[CompiledPolicies], action: str, resources: Sequence[str], context: Mapping[str, ContextValue]
) -> int:
    """The most steps that one action on all the resources can take."""
    characters = sum(map(len, resources))
    total = 0
    for layer in layers:
        for compiled in layer.statements:
            statement = compiled.statement
            with_variables = compiled.policy.policy.version == VERSION_WITH_VARIABLES
            fixed, per_character = _resource_steps(statement, with_variables)
            fixed += _STATEMENT + sum(_condition_steps(each, context, with_variables) for each in statement.conditions)
            total += _action_steps(statement, action) + fixed * len(resources) + per_character * characters
    return _PASSES * total


def _action_steps(statement: Statement, action: str) -> int:
    return _STATEMENT + sum(_pattern_steps(pattern, len(action), False, False) for pattern in statement.actions)


def _resource_steps(statement: Statement, with_variables: bool) -> tuple[int, int]:
    fixed = per_character = 0
    for resource in statement.resources or ():
        once, each = _glob_steps(resource, with_variables, True)
        fixed, per_character = fixed + once, per_character + each
    return fixed, per_character


def _condition_steps(condition: Condition, context: Mapping[str, ContextValue], with_variables: bool) -> int:
    value = context.get(condition.key.lower(), ())
    lengths = [len(value)] if isinstance(value, str) else [len(each) for each in value]
    base = base_operator(condition.operator)
    if base.startswith(("String", "Arn")):
        if "Like" in base or base.startswith("Arn"):
            return sum(
                _pattern_steps(written, length, with_variables, False)
                for written in condition.values
                for length in lengths or (0,)
            )
        return sum(lengths) + _COMPARISON * (len(condition.values) + len(lengths))
    # For other operators only the number of values counts, but each value of the request is read.
    return (_DATE if base.startswith("Date") else _COMPARISON) * (1 + len(lengths))


def _pattern_steps(written: str, characters: int, with_variables: bool, of_resource: bool) -> int:
    fixed, per_character = _glob_steps(written, with_variables, of_resource)
    return fixed + per_character * characters


def _glob_steps(written: str, with_variables: bool, of_resource: bool) -> tuple[int, int]:
    pieces = template(written, with_wildcards=True, with_variables=with_variables, arn_resource_only=of_resource)
    pattern = "".join(piece if isinstance(piece, str) else _SOME_VALUE for piece in pieces)
    fixed, per_character = glob_steps(pattern)
    if len(pieces) > 1 or not isinstance(pieces[0], str):
        fixed += _BINDING + _BINDING_PART * len(pieces) + fixed * _BINDING_PART
    return fixed, per_character
