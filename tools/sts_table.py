"""Writes the tables of operations in docs/sts.md and docs/organizations.md.

They come from the registry, botocore's model, the code and the tests.

python tools/sts_table.py          writes them into the pages, between their two marks

A test checks that the pages have the tables that this would write.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.model import Shape
from botocore.session import Session

from rolecall.services.catalogue import find
from rolecall.services.registry import RegisteredOperation, no_permission

ROOT = Path(__file__).resolve().parent.parent
# The tests of a service, by the service. Its page has its name.
TESTS = {"sts": "test_sts_*.py", "organizations": "test_organizations_*.py"}
BEGIN = "<!-- begin: written by tools/sts_table.py -->\n"
END = "<!-- end: written by tools/sts_table.py -->\n"
Place = tuple[str, str]


def main() -> None:
    for service in TESTS:
        page = page_of(service)
        page.write_text(with_table(page.read_text(encoding="utf-8"), service), encoding="utf-8")


def page_of(service: str) -> Path:
    return ROOT / "docs" / f"{service}.md"


def with_table(page: str, service: str) -> str:
    before, rest = page.split(BEGIN)
    return before + BEGIN + table(service) + END + rest.split(END)[1]


def table(service: str) -> str:
    model = Session().get_service_model(service)
    lines = ["| operation | parameters and their limits | errors | tests |", "| --- | --- | --- | --- |"]
    for name in model.operation_names:
        operation = model.operation_model(name)
        registered = find(service, name)
        if registered is None:
            lines.append(f"| `{name}` | | `NotImplemented` | |")
            continue
        refused = {"AccessDenied"} - ({"AccessDenied"} if registered.permissions is no_permission else set())
        codes = sorted({*model_codes(operation), *raised_codes(registered), *refused})
        columns = (
            f"`{name}`",
            parameters(operation, registered),
            ", ".join(f"`{code}`" for code in codes),
            tests(service, name),
        )
        lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines) + "\n"


def parameters(operation: Any, registered: RegisteredOperation) -> str:
    shape = operation.input_shape
    if shape is None or not shape.members:
        return "none"
    shown = []
    for name, member in shape.members.items():
        limits = "" if name in registered.parameters else "not emulated"
        limits = limits or limits_of(member)
        required = "" if name in shape.required_members else "?"
        shown.append(f"`{name}`{required}" + (f" {limits}" if limits else ""))
    return ", ".join(shown)


def limits_of(shape: Shape) -> str:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    unit = {"list": " items", "string": " characters"}.get(shape.type_name, "")
    if low is not None and high is not None:
        return f"{low}{unit}" if low == high else f"{low} to {high}{unit}"
    if high is not None:
        return f"up to {high}{unit}"
    return f"from {low}{unit}" if low is not None else ""


def model_codes(operation: Any) -> Iterator[str]:
    for shape in operation.error_shapes:
        yield shape.metadata.get("error", {}).get("code", shape.name)


def raised_codes(registered: RegisteredOperation) -> set[str]:
    """The codes in every ``AwsError("CODE", …)`` that the operation's functions can reach."""
    own = (registered.function, registered.permissions, registered.precheck, registered.proof)
    waiting = [(each.__module__, each.__name__) for each in own if each is not None]
    seen: set[Place] = set()
    codes: set[str] = set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        node = functions_of(place[0]).get(place[1])
        if node is None:
            continue
        codes |= set(codes_in(node))
        waiting += [names_of(place[0]).get(name, ("", "")) for name in names_in(node)]
    return codes


def codes_in(node: ast.AST) -> Iterator[str]:
    for call in ast.walk(node):
        named = call.func if isinstance(call, ast.Call) and call.args else None
        if isinstance(named, ast.Name) and named.id == "AwsError" and isinstance(call.args[0], ast.Constant):
            yield str(call.args[0].value)


def names_in(node: ast.AST) -> set[str]:
    return {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}


@cache
def tree_of(module: str) -> ast.Module:
    file = ROOT / "emulator" / Path(*module.split("."))
    file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def functions_of(module: str) -> dict[str, ast.AST]:
    """The functions of a module of the package by name. Classes are left out: they also occur as annotations."""
    if not module.startswith("rolecall."):
        return {}
    return {node.name: node for node in tree_of(module).body if isinstance(node, ast.FunctionDef)}


@cache
def names_of(module: str) -> dict[str, Place]:
    """Where each name in a module is defined: in the module, or in the module that it is imported from."""
    if not module.startswith("rolecall."):
        return {}
    names: dict[str, Place] = {name: (module, name) for name in functions_of(module)}
    for node in tree_of(module).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rolecall."):
            names |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
    return names


def tests(service: str, operation: str) -> str:
    """The test modules about the service that call the operation, each with the number of functions that do."""
    counts = Counter(
        module for module, called in test_calls(service) if operation in called or xform_name(operation) in called
    )
    return ", ".join(f"`{module}` ({count})" for module, count in sorted(counts.items()))


@cache
def test_calls(service: str) -> list[tuple[str, frozenset[str]]]:
    """For each test function about the service its module, and the methods and texts in it and in its helpers."""
    folder = ROOT / "tests" / "services"
    shared = functions_in(sorted(folder.glob("*_calls.py")))
    found = []
    for file in sorted(folder.glob(TESTS[service])):
        own = functions_in([file])
        helpers = {**shared, **own}
        found += [
            (file.stem, frozenset(words_in(node, helpers, set())))
            for name, node in own.items()
            if name.startswith("test_")
        ]
    return found


def functions_in(files: list[Path]) -> dict[str, ast.AST]:
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}


def words_in(node: ast.AST, helpers: dict[str, ast.AST], seen: set[str]) -> set[str]:
    """Method names and texts of a function, and of the helpers that it calls."""
    words = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    words |= {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    for name in names_in(node) & helpers.keys() - seen:
        seen.add(name)
        words |= words_in(helpers[name], helpers, seen)
    return words


if __name__ == "__main__":
    main()
