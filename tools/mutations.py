"""Finds the small changes that can be made to the product. Reads sources, writes nothing.

Kinds: ``random`` changes what functions do. ``tables`` changes an entry of a module's constant. ``quotas`` changes one
of AWS's quotas by one.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("random", "tables", "quotas")
QUOTAS = "data/quotas/quotas.json"
# From an operator to its text and the text that replaces it.
_COMPARISONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
}
_ENDS = (ast.Raise, ast.Return, ast.Continue, ast.Break)
# Names and calls at a module's top that no behaviour depends on.
_NO_TABLES = {"__all__", "logger", "_log"}
_NO_TABLE_CALLS = {"TypeVar", "ParamSpec", "NewType", "getLogger"}


@dataclass(frozen=True)
class Mutation:
    """One change to one file: the characters from ``start`` to ``end`` become ``replacement``.

    ``lines`` are the first and last line of the changed statement. ``names`` are the changed constants.
    """

    kind: str
    path: str
    start: int
    end: int
    replacement: str
    what: str
    lines: tuple[int, int]
    names: tuple[str, ...] = ()

    def applied(self, source: str) -> str:
        return source[: self.start] + self.replacement + source[self.end :]

    def shown(self, source: str) -> tuple[str, str]:
        """The first line that differs, before and after. These lines identify it in mutants_equivalent.yaml."""
        before, after = source.splitlines(), self.applied(source).splitlines()
        for old, new in zip(before, after, strict=False):
            if old != new:
                return old.strip(), new.strip()
        return "", ""


class _Source:
    """A module's text and tree, and the place of a node in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tree = ast.parse(text)
        self._starts = [0]
        for line in text.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._lines = text.splitlines()

    def offset(self, line: int, column_bytes: int) -> int:
        # ast counts columns in bytes.
        column = len(self._lines[line - 1].encode()[:column_bytes].decode())
        return self._starts[line - 1] + column

    def span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.offset(node.lineno, node.col_offset),  # type: ignore[attr-defined]
            self.offset(node.end_lineno, node.end_col_offset),  # type: ignore[attr-defined]
        )

    def code(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.text[start:end]


def mutations(path: str, text: str, kinds: tuple[str, ...]) -> list[Mutation]:
    """Every change of these kinds to the file ``path`` (relative to the package), in the order of the text."""
    if path == QUOTAS:
        return list(_of_quotas(path, text)) if "quotas" in kinds else []
    source = _Source(text)
    found: list[Mutation] = []
    if "tables" in kinds:
        found += _of_tables(path, source)
    if "random" in kinds:
        found += _of_functions(path, source)
    found.sort(key=lambda mutation: (mutation.start, mutation.end, mutation.what))
    return [mutation for mutation in found if _compiles(mutation.applied(text))]


def _compiles(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _of_quotas(path: str, text: str) -> Iterator[Mutation]:
    for name, row in json.loads(text).items():
        place = re.search(rf'"{re.escape(name)}": \{{', text)
        if place is None:
            continue
        for field in ("value", "on_request"):
            if field in row:
                number = re.compile(rf'"{field}": (\d+)').search(text, place.end())
                if number is None:
                    continue
                line = text.count("\n", 0, number.start()) + 1
                for step in (1, -1):
                    yield Mutation(
                        "quotas",
                        path,
                        number.start(1),
                        number.end(1),
                        str(row[field] + step),
                        f"{name}: {field} moved by {step}",
                        (line, line),
                        (name,) if field == "value" else (name, field),
                    )


# --- constants of modules and of classes


def _of_tables(path: str, source: _Source) -> Iterator[Mutation]:
    for statement, names in _constants(source.tree.body):
        value = statement.value
        if value is None or (isinstance(value, ast.Call) and _called(value) in _NO_TABLE_CALLS):
            continue
        lines = (statement.lineno, statement.end_lineno or statement.lineno)
        for start, end, replacement, what in _values(source, value):
            yield Mutation("tables", path, start, end, replacement, what, lines, names)


def _constants(body: list[ast.stmt]) -> Iterator[tuple[ast.Assign | ast.AnnAssign, tuple[str, ...]]]:
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield from _constants(statement.body)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names = tuple(node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name))
            if names and not _NO_TABLES & set(names):
                yield statement, names


def _values(source: _Source, value: ast.expr) -> Iterator[tuple[int, int, str, str]]:
    """Changes to a table: an entry removed, a number moved by one, a text or truth value changed."""
    inside_joined = {
        id(inner) for node in ast.walk(value) if isinstance(node, ast.JoinedStr) for inner in ast.walk(node)
    }
    # The parts of a lambda belong to a function.
    inside_lambda = {id(inner) for node in ast.walk(value) if isinstance(node, ast.Lambda) for inner in ast.walk(node)}
    for node in ast.walk(value):
        if id(node) in inside_joined or id(node) in inside_lambda:
            continue
        yield from _removals(source, node, at_least=1)
        if isinstance(node, ast.Constant):
            yield from _other_constant(source, node)


def _other_constant(source: _Source, node: ast.Constant) -> Iterator[tuple[int, int, str, str]]:
    start, end = source.span(node)
    match node.value:
        case bool():
            yield start, end, str(not node.value), "truth value turned"
        case int() | float():
            yield start, end, f"({source.code(node)} + 1)", "number moved by one"
            yield start, end, f"({source.code(node)} - 1)", "number moved by minus one"
        case str() if node.value:
            changed = ("x" if node.value[0] != "x" else "y") + node.value[1:]
            yield start, end, repr(changed), "text changed"
        case bytes() if node.value:
            yield start, end, repr(bytes([node.value[0] ^ 1]) + node.value[1:]), "text changed"


def _removals(source: _Source, node: ast.AST, *, at_least: int) -> Iterator[tuple[int, int, str, str]]:
    """An element of a literal removed."""
    if isinstance(node, ast.Dict):
        pairs = list(zip(node.keys, node.values, strict=True))
        spans = [
            (source.span(key)[0] if key else source.span(held)[0] - 2, source.span(held)[1]) for key, held in pairs
        ]
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        spans = [source.span(element) for element in node.elts]
    else:
        return
    if len(spans) < at_least + (1 if isinstance(node, ast.Set | ast.Tuple) else 0):
        return
    for number, (start, end) in enumerate(spans):
        if number + 1 < len(spans):
            end = spans[number + 1][0]
        elif number and not isinstance(node, ast.Tuple):
            start = spans[number - 1][1]
        yield start, end, "", "element removed"


# --- what functions do


def _of_functions(path: str, source: _Source) -> Iterator[Mutation]:
    for function in ast.walk(source.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                yield from _of_statement(path, source, statement)


def _of_statement(path: str, source: _Source, statement: ast.stmt) -> Iterator[Mutation]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return  # the caller visits it separately
    lines = _header(statement)

    def changed(node: ast.AST, replacement: str, what: str) -> Mutation:
        start, end = source.span(node)
        return Mutation("random", path, start, end, replacement, what, lines)

    if isinstance(statement, ast.If):
        if not statement.orelse and isinstance(statement.body[-1], _ENDS):
            yield changed(statement.test, "False", "guard removed")
        yield changed(statement.test, f"not ({source.code(statement.test)})", "condition turned")
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        yield changed(statement, "pass", "statement removed")
    for expression in _expressions(statement):
        for node in ast.walk(expression):
            for start, end, replacement, what in _of_expression(source, node):
                yield Mutation("random", path, start, end, replacement, what, lines)
    for inner in _blocks(statement):
        yield from _of_statement(path, source, inner)


def _of_expression(source: _Source, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for operator, left, right in zip(node.ops, operands, operands[1:], strict=False):
            start, end = source.span(left)[1], source.span(right)[0]
            between = source.text[start:end]
            written, other = _COMPARISONS[type(operator)]
            if written in between:
                yield start, end, between.replace(written, other, 1), f"{written} becomes {other}"
    elif isinstance(node, ast.BoolOp):
        written, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for number in range(len(node.values)):
            rest = [source.code(value) for index, value in enumerate(node.values) if index != number]
            start, end = source.span(node)
            yield start, end, f"({f' {written} '.join(f'({text})' for text in rest)})", "part of a condition removed"
        start, end = source.span(node)
        whole = f" {other} ".join(f"({source.code(value)})" for value in node.values)
        yield start, end, f"({whole})", f"{written} becomes {other}"
    elif isinstance(node, ast.IfExp):
        start, end = source.span(node.test)
        yield start, end, f"not ({source.code(node.test)})", "condition turned"
    elif isinstance(node, ast.comprehension):
        for test in node.ifs:
            start, end = source.span(test)
            yield start, end, "True", "filter removed"
    elif isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool):
        start, end = source.span(node)
        yield start, end, f"({source.code(node)} + 1)", "number moved by one"
    elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict) and not isinstance(
        getattr(node, "ctx", None), ast.Store
    ):
        yield from _removals(source, node, at_least=2)


def _header(statement: ast.stmt) -> tuple[int, int]:
    """The first and last line of a statement, without the block below it."""
    last = statement.end_lineno or statement.lineno
    inner = [block.lineno for block in _blocks(statement)]
    return statement.lineno, max(statement.lineno, min(inner) - 1) if inner else last


def _blocks(statement: ast.stmt) -> Iterator[ast.stmt]:
    for field in ("body", "orelse", "finalbody"):
        yield from getattr(statement, field, [])
    for handler in getattr(statement, "handlers", []):
        yield from handler.body
    for case in getattr(statement, "cases", []):
        yield from case.body


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement itself. Annotations are left out: they change no behaviour."""
    for field, value in ast.iter_fields(statement):
        if field in {"body", "orelse", "finalbody", "handlers", "annotation"}:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.match_case):
                yield from [guard for guard in [item.guard] if guard is not None]
            elif isinstance(item, ast.withitem):
                yield item.context_expr
            elif isinstance(item, ast.expr):
                yield item


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


# --- who uses a constant


def uses(names: set[str], sources: dict[str, str]) -> dict[str, set[int]]:
    """Lines inside functions that use these constants, also through constants made from them, by path."""
    trees = {path: ast.parse(text) for path, text in sources.items() if path.endswith(".py")}
    found: dict[str, set[int]] = {}
    known: set[str] = set()
    wanted = set(names)
    while wanted - known:
        known |= wanted
        for path, tree in trees.items():
            for statement in ast.walk(tree):
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    lines = {line for inner in statement.body for line in _lines_naming(inner, wanted)}
                    if lines:
                        found.setdefault(path, set()).update(lines)
            for constant, made in _constants(tree.body):
                if constant.value is not None and any(True for _ in _lines_naming(constant.value, wanted)):
                    wanted = wanted | set(made)
    return found


def used_while_importing(names: set[str], sources: dict[str, str]) -> bool:
    """Whether code outside functions uses these constants: other constants, defaults, decorators."""
    return any(
        _named(node) in names and isinstance(node.ctx, ast.Load)  # type: ignore[attr-defined]
        for path, text in sources.items()
        if path.endswith(".py")
        for node in _outside_functions(ast.parse(text))
    )


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for field, value in ast.iter_fields(tree):
        if field == "body" and isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST):
                yield node
                yield from _outside_functions(node)


def _named(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _lines_naming(tree: ast.AST, names: set[str]) -> Iterator[int]:
    for node in ast.walk(tree):
        if _named(node) in names:
            yield node.lineno  # type: ignore[attr-defined]
