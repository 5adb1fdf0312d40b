"""What the command line tells about files and operations, without serving anything."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from emulator.access.policies import MalformedPolicy, parsed_policy
from emulator.policy import PolicyKind
from emulator.sandbox.declare import InvalidWorldError, read_world
from emulator.sandbox.located import Problem, UnreadableError, read_located
from emulator.services.catalogue import find
from emulator.wire import SERVICES, load_service

_PACKAGE_PARENT = Path(__file__).resolve().parent.parent


def examine(text: str) -> tuple[list[Problem], str]:
    """The problems of a sandbox file or policy document, and which of the two it is."""
    try:
        located = read_located(text)
    except UnreadableError as error:
        return error.problems, "file"
    if isinstance(located.value, dict) and ("Statement" in located.value or "statement" in located.value):
        return _policy_problems(text, located.value), "policy document"
    try:
        read_world(text)
    except InvalidWorldError as error:
        return error.problems, "sandbox file"
    return [], "sandbox file"


def _policy_problems(text: str, document: dict[str, object]) -> list[Problem]:
    try:
        parsed_policy(text, _kind_of(document))
    except MalformedPolicy as error:
        return [Problem(1, str(error))]
    return []


def _kind_of(document: dict[str, object]) -> PolicyKind:
    """With a Principal it is a resource's policy; with one and no Resource, a role's trust policy."""
    statements = document.get("Statement")
    statements = statements if isinstance(statements, list) else [statements]
    mappings = [statement for statement in statements if isinstance(statement, dict)]
    if not any("Principal" in statement or "NotPrincipal" in statement for statement in mappings):
        return PolicyKind.IDENTITY
    if any("Resource" in statement or "NotResource" in statement for statement in mappings):
        return PolicyKind.RESOURCE
    return PolicyKind.TRUST


def describe_operations(service: str | None) -> Iterator[str]:
    """A line per operation: service, name, and where it is implemented, or that it is not. Raises KeyError."""
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
            yield f"{service:28} {name:44} {_place(registered.function) if registered else 'authorised, not emulated'}"
        yield f"{service:28} {emulated} of {len(names)} emulated"


def _place(function: object) -> str:
    """``emulator/services/sts/assume_role.py:121``"""
    code = inspect.unwrap(function).__code__  # type: ignore[arg-type]
    return f"{Path(code.co_filename).resolve().relative_to(_PACKAGE_PARENT).as_posix()}:{code.co_firstlineno}"
