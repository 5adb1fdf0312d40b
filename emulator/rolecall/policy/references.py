"""The condition keys that a policy refers to, in its conditions and through variables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rolecall.policy.document import VERSION_WITH_VARIABLES, Policy, Statement
from rolecall.policy.patterns import variable_keys


def context_keys(policies: Iterable[Policy]) -> list[str]:
    """The keys as the policies spell them, in their order. Keys that differ only in case count once."""
    found: dict[str, str] = {}
    for policy in policies:
        with_variables = policy.version == VERSION_WITH_VARIABLES
        for statement in policy.statements:
            for key in _keys(statement, with_variables):
                found.setdefault(key.lower(), key)
    return list(found.values())


def _keys(statement: Statement, with_variables: bool) -> Iterator[str]:
    if with_variables:
        for resource in statement.resources or ():
            yield from variable_keys(resource, arn_resource_only=True)
    for condition in statement.conditions:
        yield condition.key
        if with_variables:
            for value in condition.values:
                yield from variable_keys(value)
