"""Text to policy: the structure of a document, strictly (IAM User Guide, Grammar of the IAM JSON policy language).

:mod:`rolecall.policy.validity` checks what the structure alone does not show, such as whether a resource is an ARN.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from msgspec.structs import replace

from rolecall.policy.document import (
    VERSION_WITH_VARIABLES,
    VERSION_WITHOUT_VARIABLES,
    Condition,
    Effect,
    MalformedPolicy,
    Policy,
    PolicyKind,
    Principals,
    Statement,
)
from rolecall.policy.operators import is_operator
from rolecall.policy.patterns import has_reserved_characters
from rolecall.policy.validity import (
    INVALID_JSON,
    KINDS_WITHOUT_PRINCIPAL,
    SYNTAX_ERRORS,
    WRONG_OPERATOR_IN_TRUST,
    validate,
)

# Twice the limit of every IAM operation (IAM API Reference, policyDocumentType), because AWS's own policies have no
# such limit: AWSSupportServiceRolePolicy has 156,916 characters.
MAX_DOCUMENT_CHARACTERS = 262_144
MAX_STATEMENTS = 2_000
MAX_STATEMENT_ITEMS = 10_000
"""Bounds against hostile documents. A real document reaches its size quota far earlier."""

_WHITE_SPACE = frozenset(" \t\n\r")
_TOP_ELEMENTS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
ELEMENTS = _TOP_ELEMENTS | _STATEMENT_ELEMENTS
_PRINCIPAL_TYPES = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


def _denying_everything(kind: PolicyKind) -> str:
    statement = {"Sid": "ThisPolicyCannotBeReadAnyMore", "Effect": "Deny", "Action": "*"}
    if kind in KINDS_WITHOUT_PRINCIPAL:
        return json.dumps({"Version": VERSION_WITH_VARIABLES, "Statement": [{**statement, "Resource": "*"}]})
    return json.dumps({"Version": VERSION_WITH_VARIABLES, "Statement": [{**statement, "Principal": {"AWS": "*"}}]})


_DENYING_EVERYTHING = {kind: _denying_everything(kind) for kind in PolicyKind}


class _Number(str):
    """A JSON number, kept as it was written. It is valid as a condition value and nowhere else."""

    __slots__ = ()


def parse_policy(text: str, kind: PolicyKind, *, is_inline: bool = False) -> Policy:
    """The policy that ``text`` holds, checked as AWS checks a policy of that kind when it is saved.

    An identity-based policy is a managed one, unless ``is_inline`` is true.

    Raises MalformedPolicy with AWS's message, and no other error.
    """
    policy, effects = _read(text, kind)
    validate(policy, effects, is_inline=is_inline)
    return _versioned(policy)


def kept_policy(text: str, kind: PolicyKind) -> Policy:
    """The policy of a document that was saved before, under the rules of that time. Never raises.

    Rules that came since do not make it void. A document that cannot be read any more denies everything, because what
    it denied is unknown. The ``text`` of the answer is then another one than the document's.
    """
    try:
        policy, _ = _read(text, kind)
    except MalformedPolicy:
        return _versioned(_read(_DENYING_EVERYTHING[kind], kind)[0])
    return _versioned(policy)


def _versioned(policy: Policy) -> Policy:
    return policy if policy.version else replace(policy, version=VERSION_WITHOUT_VARIABLES)


def _read(text: str, kind: PolicyKind) -> tuple[Policy, list[str]]:
    """The policy, and the effects as they are spelled. Raises MalformedPolicy for a wrong structure only."""
    document = _decode(text, kind)
    if type(document) is not dict:
        _fail("")
    for element in document:
        if element not in _TOP_ELEMENTS:
            _fail(element)
    version = document.get("Version", "")
    if "Version" in document and version not in (VERSION_WITH_VARIABLES, VERSION_WITHOUT_VARIABLES):
        _fail("Version")
    identifier = document.get("Id", "")
    if type(identifier) is not str:
        _fail("Id")
    written = document.get("Statement")
    listed = written if type(written) is list else [written]
    if not listed or len(listed) > MAX_STATEMENTS:
        _fail("Statement")
    statements, effects = [], []
    for index, item in enumerate(listed):
        statements.append(_statement(item, index, kind))
        effects.append(item["Effect"])
    return Policy(kind, text, str(version), identifier, tuple(statements)), effects


def document_size(text: str) -> int:
    """Characters of a document that count against IAM's quotas: all except white space outside strings."""
    size = 0
    inside = escaped = False
    for character in text:
        if inside:
            size += 1
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character not in _WHITE_SPACE:
            size += 1
            inside = character == '"'
    return size


def _decode(text: str, kind: PolicyKind) -> Any:
    message = INVALID_JSON if kind is PolicyKind.TRUST else SYNTAX_ERRORS
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise MalformedPolicy(message)
    try:
        document = json.loads(
            text, object_pairs_hook=_object, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant
        )
    except MalformedPolicy:
        raise
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy(message) from error
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _fail("duplicate key")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _fail(pointer: str) -> NoReturn:
    raise MalformedPolicy(SYNTAX_ERRORS, pointer)


def _statement(item: Any, index: int, kind: PolicyKind) -> Statement:
    where = f"Statement[{index}]"
    if type(item) is not dict:
        _fail(where)
    for element in item:
        if element not in _STATEMENT_ELEMENTS:
            _fail(f"{where}.{element}")
    for element in ("Action", "Resource", "Principal"):
        if element in item and f"Not{element}" in item:
            _fail(f"{where}.Not{element}")
    effect = item.get("Effect")
    if type(effect) is not str or effect.lower() not in ("allow", "deny"):
        _fail(f"{where}.Effect")
    sid = item.get("Sid", "")
    if type(sid) is not str:
        _fail(f"{where}.Sid")
    actions, actions_negated = _texts(item, "Action", where)
    resources, resources_negated = _texts(item, "Resource", where)
    # The spelling of Effect is checked later, in AWS's order of checks.
    meaning: Effect = "Allow" if effect.lower() == "allow" else "Deny"
    return Statement(
        index=index,
        sid=_text(sid, f"{where}.Sid"),
        effect=meaning,
        actions=actions or (),
        actions_negated=actions_negated,
        resources=resources,
        resources_negated=resources_negated,
        principals=_principals(item, where),
        principals_negated="NotPrincipal" in item,
        conditions=_conditions(item, where, kind),
    )


def _text(value: str, where: str) -> str:
    # Half a surrogate pair is no character, and the pattern matcher uses such code points itself.
    if has_reserved_characters(value):
        _fail(where)
    return value


def _texts(item: dict[str, Any], element: str, where: str) -> tuple[tuple[str, ...] | None, bool]:
    negated = f"Not{element}" in item
    name = f"Not{element}" if negated else element
    if name not in item:
        return None, False
    return _list_of_texts(item[name], f"{where}.{name}"), negated


def _list_of_texts(value: Any, where: str) -> tuple[str, ...]:
    values = value if type(value) is list else [value]
    if len(values) > MAX_STATEMENT_ITEMS:
        _fail(where)
    for entry in values:
        if type(entry) is not str:
            _fail(where)
        _text(entry, where)
    return tuple(values)


def _principals(item: dict[str, Any], where: str) -> Principals | None:
    name = "NotPrincipal" if "NotPrincipal" in item else "Principal"
    if name not in item:
        return None
    value = item[name]
    where = f"{where}.{name}"
    if value == "*":
        return Principals(aws=("*",), written_as_star=True)
    if type(value) is not dict or not value:
        _fail(where)
    found: dict[str, tuple[str, ...]] = {}
    for principal_type, written in value.items():
        if principal_type not in _PRINCIPAL_TYPES:
            _fail(f"{where}.{principal_type}")
        found[principal_type] = _list_of_texts(written, f"{where}.{principal_type}")
    return Principals(
        aws=found.get("AWS", ()),
        services=found.get("Service", ()),
        federated=found.get("Federated", ()),
        canonical_users=found.get("CanonicalUser", ()),
    )


def _conditions(item: dict[str, Any], where: str, kind: PolicyKind) -> tuple[Condition, ...]:
    block = item.get("Condition", {})
    where = f"{where}.Condition"
    if type(block) is not dict:
        _fail(where)
    conditions: list[Condition] = []
    for operator, keys in block.items():
        if type(keys) is not dict:
            _fail(f"{where}.{operator}")
        # AWS accepts any operator that is applied to nothing.
        if keys and not is_operator(operator):
            message = WRONG_OPERATOR_IN_TRUST if kind is PolicyKind.TRUST else SYNTAX_ERRORS
            raise MalformedPolicy(message.format(operator=operator), f"{where}.{operator}")
        for key, written in keys.items():
            values = written if type(written) is list else [written]
            pointer = f"{where}.{operator}.{key}"
            texts = tuple(_condition_value(value, pointer) for value in values)
            conditions.append(Condition(operator, _text(key, pointer), texts))
    if len(conditions) > MAX_STATEMENT_ITEMS:
        _fail(where)
    return tuple(conditions)


def _condition_value(value: Any, where: str) -> str:
    if value is True:
        return "true"
    if value is False:
        return "false"
    if type(value) is not str and type(value) is not _Number:
        _fail(where)
    return _text(str(value), where)
