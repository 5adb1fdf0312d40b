"""Condition operators, each compiled with its key and values into one function of the request context.

The meaning follows IAM User Guide, Condition operators, and Multivalued context keys. The values of one key are
alternatives. A negated operator holds when none of them matches, so it also holds when the key is absent. When there is
nothing to compare, ForAllValues holds and ForAnyValue does not. IfExists holds when the key is absent.
"""

from __future__ import annotations

import operator as comparison
from collections.abc import Callable, Sequence

from rolecall.policy.document import Condition
from rolecall.policy.patterns import (
    MANY,
    ONE,
    Context,
    ContextValue,
    Piece,
    Test,
    arn_glob,
    cached_arn_glob,
    cached_glob,
    glob,
    resolve,
    template,
)
from rolecall.policy.values import Range, address, address_range, binary, boolean, date_seconds, number

ConditionTest = Callable[[Context], bool]
# From the values of the policy, and whether they may hold variables, to the test of one request value.
Maker = Callable[[Sequence[str], bool], "Test | Binder"]

_IF_EXISTS = "IfExists"
_FOR_ALL_VALUES = "ForAllValues:"
_FOR_ANY_VALUE = "ForAnyValue:"
_NULL = "Null"
# Comparing fewer address ranges one by one is as quick as a look-up.
_LOOKED_UP_FROM = 16


class Binder:
    """Makes the test of a request value for one context: for policy values that hold variables."""

    __slots__ = ("bind",)

    def __init__(self, bind: Callable[[Context], Test]) -> None:
        self.bind = bind


def split_operator(name: str) -> tuple[str, str, bool]:
    """The parts of an operator as written: its set qualifier or an empty text, its name, whether it has IfExists."""
    qualifier = ""
    for prefix in (_FOR_ALL_VALUES, _FOR_ANY_VALUE):
        if name.startswith(prefix):
            qualifier, name = prefix, name[len(prefix) :]
            break
    if name.endswith(_IF_EXISTS):
        return qualifier, name[: -len(_IF_EXISTS)], True
    return qualifier, name, False


def base_operator(name: str) -> str:
    return split_operator(name)[1]


def is_operator(name: str) -> bool:
    """Whether IAM knows the operator; Null takes no IfExists."""
    _, base, if_exists = split_operator(name)
    return base in _OPERATORS or (base == _NULL and not if_exists)


def compile_condition(condition: Condition, with_variables: bool) -> ConditionTest:
    """A function that says whether a request context meets ``condition``. It looks its key up in lower case."""
    qualifier, base, if_exists = split_operator(condition.operator)
    key = condition.key.lower()
    if base == _NULL:
        return _null_test(key, condition.values)
    maker, negated = _OPERATORS[base]
    made = maker(condition.values, with_variables)
    if isinstance(made, Binder):
        return _bound_test(key, made.bind, _combination(qualifier, negated, if_exists))
    if not qualifier:
        if base == "StringEquals" and not if_exists and len(condition.values) == 1:
            [expected] = template(condition.values[0], with_wildcards=False, with_variables=with_variables)
            return _equality_test(key, str(expected))
        return _negated_test(key, made) if negated else _plain_test(key, made, if_exists)
    combine = _combination(qualifier, negated, if_exists)
    return lambda context: combine(context.get(key), made)


def wanted_texts(condition: Condition, with_variables: bool) -> tuple[str, frozenset[str]] | None:
    """A key and texts: a request must have one of the texts to meet ``condition``. None for other conditions."""
    qualifier, base, if_exists = split_operator(condition.operator)
    if base not in ("StringEquals", "StringLike") or if_exists or qualifier == _FOR_ALL_VALUES:
        return None
    texts = []
    for value in condition.values:
        pieces = template(value, with_wildcards=base == "StringLike", with_variables=with_variables)
        if len(pieces) != 1 or not isinstance(pieces[0], str) or MANY in pieces[0] or ONE in pieces[0]:
            return None
        texts.append(pieces[0])
    return condition.key.lower(), frozenset(texts)


def _equality_test(key: str, expected: str) -> ConditionTest:
    """The most common condition, one text for one key, compared without a function call."""

    def test(context: Context) -> bool:
        value = context.get(key)
        return value == expected or (value.__class__ is tuple and expected in value)

    return test


def _plain_test(key: str, matches: Test, if_exists: bool) -> ConditionTest:
    def test(context: Context) -> bool:
        value = context.get(key)
        if value.__class__ is str:
            return matches(value)
        if not value:
            return if_exists
        return any(map(matches, value))

    return test


def _negated_test(key: str, matches: Test) -> ConditionTest:
    def test(context: Context) -> bool:
        value = context.get(key)
        if value.__class__ is str:
            return not matches(value)
        return not value or not any(map(matches, value))

    return test


def _bound_test(
    key: str, bind: Callable[[Context], Test], combine: Callable[[ContextValue | None, Test], bool]
) -> ConditionTest:
    return lambda context: combine(context.get(key), bind(context))


def _null_test(key: str, values: Sequence[str]) -> ConditionTest:
    """Null: the key is absent (``true``) or present (``false``)."""
    wanted = {boolean(value) for value in values}

    def test(context: Context) -> bool:
        value = context.get(key)
        return (value is None or value == ()) in wanted

    return test


def _combination(qualifier: str, negated: bool, if_exists: bool) -> Callable[[ContextValue | None, Test], bool]:
    """How the tests of single request values combine into one answer."""

    def single(value: ContextValue | None, matches: Test) -> bool:
        values = (value,) if isinstance(value, str) else value
        if not values:
            return if_exists or negated
        return any(map(matches, values)) != negated

    def every(value: ContextValue | None, matches: Test) -> bool:
        # IAM counts an empty text as no value here.
        values = (value,) if isinstance(value, str) else value
        if not values or not any(values):
            return True
        return all(matches(each) != negated for each in values)

    def some(value: ContextValue | None, matches: Test) -> bool:
        values = (value,) if isinstance(value, str) else value
        if not values:
            return if_exists
        if not any(values):
            return False
        return any(matches(each) != negated for each in values)

    return {_FOR_ALL_VALUES: every, _FOR_ANY_VALUE: some}.get(qualifier, single)


def _any_of(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]
    known = tuple(tests)

    def matches(value: str) -> bool:
        return any(test(value) for test in known)

    return matches


def _any_pattern(patterns: Sequence[str], compiled: Callable[[str], Test]) -> Test:
    """Whether any pattern matches. All patterns without wildcards together cost one look-up."""
    if len(patterns) == 1:
        return compiled(patterns[0])
    exact = frozenset(pattern for pattern in patterns if MANY not in pattern and ONE not in pattern)
    # A pattern that is no ARN matches nothing, not even itself.
    exact = frozenset(pattern for pattern in exact if compiled(pattern)(pattern))
    wild = [compiled(pattern) for pattern in patterns if MANY in pattern or ONE in pattern]
    if not wild:
        return exact.__contains__
    if not exact:
        return _any_of(wild)
    any_wild = _any_of(wild)
    return lambda value: value in exact or any_wild(value)


def _without_case(text: str) -> str:
    """The text without differences of case. It is folded letter by letter, so that its length stays the same."""
    if text.isascii():
        return text.lower()
    return "".join(map(_letter_without_case, text))


def _letter_without_case(letter: str) -> str:
    upper = letter.upper()
    lower = (upper if len(upper) == 1 else letter).lower()
    return lower if len(lower) == 1 else letter


def _texts(fold: Callable[[str], str] | None, with_wildcards: bool) -> Maker:
    """StringEquals and its relatives."""

    def make(values: Sequence[str], with_variables: bool) -> Test | Binder:
        templates = [template(value, with_wildcards=with_wildcards, with_variables=with_variables) for value in values]
        if any(not isinstance(piece, str) for pieces in templates for piece in pieces):
            return Binder(lambda context: _bound_texts(templates, context, fold, with_wildcards))
        literals = [_literal(pieces) for pieces in templates]
        if with_wildcards:
            return _any_pattern(literals, glob)
        if fold is None:
            return literals[0].__eq__ if len(literals) == 1 else frozenset(literals).__contains__
        folded = frozenset(map(fold, literals))
        return lambda value: fold(value) in folded

    return make


def _bound_texts(
    templates: list[list[Piece]], context: Context, fold: Callable[[str], str] | None, with_wildcards: bool
) -> Test:
    resolved = [pattern for pattern in (resolve(pieces, context) for pieces in templates) if pattern is not None]
    if with_wildcards:
        return _any_pattern(resolved, cached_glob)
    if fold is None:
        return frozenset(resolved).__contains__
    folded = frozenset(map(fold, resolved))
    return lambda value: fold(value) in folded


def _arns(values: Sequence[str], with_variables: bool) -> Test | Binder:
    templates = [template(value, with_wildcards=True, with_variables=with_variables) for value in values]
    if any(not isinstance(piece, str) for pieces in templates for piece in pieces):
        return Binder(lambda context: _bound_arns(templates, context))
    return _any_pattern([_literal(pieces) for pieces in templates], arn_glob)


def _bound_arns(templates: list[list[Piece]], context: Context) -> Test:
    resolved = [pattern for pattern in (resolve(pieces, context) for pieces in templates) if pattern is not None]
    return _any_pattern(resolved, cached_arn_glob)


def _literal(pieces: list[Piece]) -> str:
    return "".join(piece for piece in pieces if isinstance(piece, str))


def _ordered(
    convert: Callable[[str], int | float | None], compare: Callable[[int | float, int | float], bool]
) -> Maker:
    """Numbers and dates. A value that is no number or date never matches."""

    def make(values: Sequence[str], _with_variables: bool) -> Test:
        expected = frozenset(bound for bound in map(convert, values) if bound is not None)
        if not expected:
            return _no_value
        # One comparison is enough: a value below any of several bounds is below the highest of them.
        bound = min(expected) if compare in (comparison.gt, comparison.ge) else max(expected)

        def matches(value: str) -> bool:
            actual = convert(value)
            return actual is not None and (actual in expected if compare is comparison.eq else compare(actual, bound))

        return matches

    return make


def _no_value(_value: str) -> bool:
    return False


def _booleans(values: Sequence[str], _with_variables: bool) -> Test:
    expected = frozenset(map(boolean, values)) - {None}
    return lambda value: boolean(value) in expected


def _binaries(values: Sequence[str], _with_variables: bool) -> Test:
    expected = frozenset(map(binary, values)) - {None}
    return lambda value: binary(value) in expected


def _addresses(values: Sequence[str], _with_variables: bool) -> Test:
    ranges = tuple(dict.fromkeys(filter(None, map(address_range, values))))
    if len(ranges) > _LOOKED_UP_FROM:
        return _any_address(ranges)

    def matches(value: str) -> bool:
        actual = address(value)
        if actual is None:
            return False
        version, bits = actual
        for of, first, shift in ranges:  # noqa: SIM110  a generator would cost more than the comparisons
            if version == of and bits >> shift == first:
                return True
        return False

    return matches


def _any_address(ranges: Sequence[Range]) -> Test:
    """One look-up for each size of range. There are few sizes, however many ranges there are."""
    by_size: dict[tuple[int, int], set[int]] = {}
    for version, first, shift in ranges:
        by_size.setdefault((version, shift), set()).add(first)

    def matches(value: str) -> bool:
        actual = address(value)
        if actual is None:
            return False
        version, bits = actual
        return any(of == version and bits >> shift in firsts for (of, shift), firsts in by_size.items())

    return matches


# Operator → how it compares values, and whether it is negated.
_OPERATORS: dict[str, tuple[Maker, bool]] = {
    "StringEquals": (_texts(None, False), False),
    "StringNotEquals": (_texts(None, False), True),
    "StringEqualsIgnoreCase": (_texts(_without_case, False), False),
    "StringNotEqualsIgnoreCase": (_texts(_without_case, False), True),
    "StringLike": (_texts(None, True), False),
    "StringNotLike": (_texts(None, True), True),
    "NumericEquals": (_ordered(number, comparison.eq), False),
    "NumericNotEquals": (_ordered(number, comparison.eq), True),
    "NumericLessThan": (_ordered(number, comparison.lt), False),
    "NumericLessThanEquals": (_ordered(number, comparison.le), False),
    "NumericGreaterThan": (_ordered(number, comparison.gt), False),
    "NumericGreaterThanEquals": (_ordered(number, comparison.ge), False),
    "DateEquals": (_ordered(date_seconds, comparison.eq), False),
    "DateNotEquals": (_ordered(date_seconds, comparison.eq), True),
    "DateLessThan": (_ordered(date_seconds, comparison.lt), False),
    "DateLessThanEquals": (_ordered(date_seconds, comparison.le), False),
    "DateGreaterThan": (_ordered(date_seconds, comparison.gt), False),
    "DateGreaterThanEquals": (_ordered(date_seconds, comparison.ge), False),
    "Bool": (_booleans, False),
    "BinaryEquals": (_binaries, False),
    "IpAddress": (_addresses, False),
    "NotIpAddress": (_addresses, True),
    "ArnEquals": (_arns, False),
    "ArnLike": (_arns, False),
    "ArnNotEquals": (_arns, True),
    "ArnNotLike": (_arns, True),
}
OPERATOR_NAMES = frozenset({*_OPERATORS, _NULL})
QUALIFIERS = frozenset({_FOR_ALL_VALUES.removesuffix(":"), _FOR_ANY_VALUE.removesuffix(":")})


def needs_key(condition: Condition) -> bool:
    """Whether a request without the condition's key can never meet the condition."""
    qualifier, base, if_exists = split_operator(condition.operator)
    if base == _NULL:
        return all(boolean(value) is False for value in condition.values)
    if qualifier == _FOR_ALL_VALUES or if_exists:
        return False
    return qualifier == _FOR_ANY_VALUE or not _OPERATORS[base][1]
