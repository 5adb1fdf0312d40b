"""What the commands ``check`` and ``operations`` find out about files and operations, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from msgspec import Struct, field

from rolecall.access.policies import MalformedPolicy, parsed_policy
from rolecall.advice import advise
from rolecall.policy import Policy, PolicyKind
from rolecall.services.catalogue import find
from rolecall.services.registry import RegisteredOperation
from rolecall.wire import SERVICES, load_service
from rolecall.worlds.checking import spelled
from rolecall.worlds.declare import InvalidWorldError, read_world
from rolecall.worlds.document_files import read_document_files
from rolecall.worlds.located import Located, Path, Problem, UnreadableError, read_located
from rolecall.worlds.policy_problems import hint, pointed_at

_PACKAGE_PARENT = FilePath(__file__).resolve().parent.parent
_JSON_SPACE = " \t\r\n"
_CLOSED = {"}": "object", "]": "list"}
_POLICY_VERSIONS = ("2012-10-17", "2008-10-17")
_STATEMENT_ALONE = 'a statement on its own is no policy: put it into {"Version": "2012-10-17", "Statement": [...]}'
_YAML_POLICY = "IAM takes policy documents in JSON only; convert this one to JSON before you store it"


class Examination(Struct, frozen=True):
    """What was found in one file. ``kind`` says what the file is. Advice does not count as a problem."""

    kind: str
    problems: list[Problem] = field(default_factory=list)
    advice: list[Problem] = field(default_factory=list)


def examine(text: str, folder: str | None = None) -> Examination:
    """The problems of a sandbox file or policy document, or advice on its policies when it has no problems.

    Paths in a sandbox file are relative to ``folder``.
    """
    try:
        located = read_located(text)
    except UnreadableError as error:
        return Examination("file", error.problems)
    if _is_policy(located.value):
        return _examined_policy(text, located)
    if any(map(_is_statement, located.value if isinstance(located.value, list) else [located.value])):
        return Examination("policy document", [Problem(1, _STATEMENT_ALONE)])
    if located.value is None:
        return Examination("file", [Problem(1, "there is nothing in this file")])
    try:
        read_world(text, folder)
    except InvalidWorldError as error:
        return Examination("sandbox file", error.problems)
    read_document_files(located, folder)
    return Examination("sandbox file", [], sorted(_advice_on_world(located)))


def examine_policy(text: str, kind: PolicyKind) -> Examination:
    """As :func:`examine`, for a text that IAM is asked to store as a policy of this kind."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return Examination("policy document", [_not_json(text, error)])
    try:
        located = read_located(text)
    except UnreadableError as error:
        return Examination("policy document", error.problems)
    return _examined_as(text, located, kind, [])


def _is_policy(value: Any) -> bool:
    """Whether the value is meant as a policy, also with a misspelt Statement."""
    return isinstance(value, dict) and (
        any(str(key).lower() == "statement" for key in value) or value.get("Version") in _POLICY_VERSIONS
    )


def _is_statement(value: Any) -> bool:
    return isinstance(value, dict) and "Effect" in value


def _examined_policy(text: str, located: Located) -> Examination:
    advice = []
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.lstrip("\ufeff \t\r\n").startswith("{"):
            return Examination("policy document", [_not_json(text, error)])
        text = json.dumps(located.value)
        advice.append(Problem(1, _YAML_POLICY))
    return _examined_as(text, located, _kind_of(located.value), advice)


def _examined_as(text: str, located: Located, kind: PolicyKind, advice: list[Problem]) -> Examination:
    try:
        policy = parsed_policy(text, kind)
    except MalformedPolicy as error:
        line = located.line(pointed_at(error.pointer, located.value))
        return Examination("policy document", [Problem(line, f"{error}{hint(error.pointer)}")])
    return Examination("policy document", [], [*advice, *_advice_on(policy, located, ())])


def _not_json(text: str, error: ValueError | RecursionError) -> Problem:
    """The place where a text stops being JSON. An extra comma is reported at the comma.

    Python before 3.13 reports it at the token after the comma.
    """
    if not isinstance(error, json.JSONDecodeError):
        return Problem(1, f"not JSON: {error}")
    comma = error.pos if text[error.pos : error.pos + 1] == "," else len(text[: error.pos].rstrip(_JSON_SPACE)) - 1
    after = text[comma + 1 :].lstrip(_JSON_SPACE)[:1]
    if text[comma : comma + 1] == "," and after in _CLOSED:
        error = json.JSONDecodeError(f"there is a comma before the end of the {_CLOSED[after]}", text, comma)
    return Problem(error.lineno, f"not JSON: {error}")


def _advice_on(policy: Policy, located: Located, path: Path) -> Iterator[Problem]:
    """Advice on one policy, at the lines of its statements. A policy written as text has the line of the text."""
    for advice in advise(policy):
        statement: Path = (*path, "Statement", advice.statement_index)
        yield Problem(located.line(statement), f"{spelled(statement)}: {advice.message}")


def _advice_on_world(located: Located) -> Iterator[Problem]:
    for path, written, kind in _policies_of(located.value):
        text = written if isinstance(written, str) else json.dumps(written)
        yield from _advice_on(parsed_policy(text, kind, is_inline="inline_policies" in path), located, path)


def _policies_of(world: Any) -> Iterator[tuple[Path, Any, PolicyKind]]:
    """Every policy of a valid sandbox file, with its place."""
    organization = world.get("organization", {})
    for key, policy_kind in (
        ("service_control_policies", PolicyKind.SCP),
        ("resource_control_policies", PolicyKind.RCP),
    ):
        for index, control in enumerate(organization.get(key, ())):
            yield ("organization", key, index, "document"), control["document"], policy_kind
    for number, account in enumerate(world["accounts"]):
        of_account: Path = ("accounts", number)
        for index, policy in enumerate(account.get("policies", ())):
            yield (*of_account, "policies", index, "document"), policy["document"], PolicyKind.IDENTITY
        for kind in ("users", "groups", "roles"):
            for index, entity in enumerate(account.get(kind, ())):
                place: Path = (*of_account, kind, index)
                if "trust_policy" in entity:
                    yield (*place, "trust_policy"), entity["trust_policy"], PolicyKind.TRUST
                for name, document in entity.get("inline_policies", {}).items():
                    yield (*place, "inline_policies", name), document, PolicyKind.IDENTITY


def _kind_of(document: dict[str, object]) -> PolicyKind:
    """The kind of a policy document. A Principal makes it a resource's policy, without a Resource a trust policy."""
    statements = document.get("Statement")
    statements = statements if isinstance(statements, list) else [statements]
    mappings = [statement for statement in statements if isinstance(statement, dict)]
    if not any("Principal" in statement or "NotPrincipal" in statement for statement in mappings):
        return PolicyKind.IDENTITY
    if any("Resource" in statement or "NotResource" in statement for statement in mappings):
        return PolicyKind.RESOURCE
    return PolicyKind.TRUST


def describe_operations(service: str | None) -> Iterator[str]:
    """A line per operation: service, name, and where it is implemented, if it is. Raises KeyError."""
    if service is not None and service not in SERVICES:
        raise KeyError(f"there is no service {service!r}; known are {', '.join(SERVICES)}")
    return _operation_lines([service] if service is not None else list(SERVICES))


def _operation_lines(services: list[str]) -> Iterator[str]:
    for service in services:
        names = load_service(service).operation_names
        emulated = 0
        for name in sorted(names):
            registered = find(service, name)
            emulated += registered is not None
            yield f"{service:28} {name:44} {_place(registered) if registered else 'authorised, not emulated'}"
        yield f"{service:28} {emulated} of {len(names)} emulated"


def _place(registered: RegisteredOperation) -> str:
    """``rolecall/services/sts/assume_role.py:121``"""
    file, line = registered.place
    return f"{FilePath(file).resolve().relative_to(_PACKAGE_PARENT).as_posix()}:{line}"
