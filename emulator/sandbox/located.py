"""YAML (and JSON, which is YAML too) as plain values that remember their lines.

Dates stay text, because ``Version: 2012-10-17`` in a policy means the text. Aliases are followed, within bounds: a file
of a few lines must not unfold into gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

Path = tuple[str | int, ...]
# The loader written in C is ten times faster; PyYAML's wheels have it, a build without it falls back.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAXIMUM_DEPTH = 40
MAXIMUM_VALUES = 200_000
NESTED_MESSAGE = "nested too deeply, or too many values"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong with a file, where, and what to do about it. Lines count from 1."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Located:
    """A document's value, and the line of everything in it by path."""

    value: Any
    lines: dict[Path, int]

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest thing around it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class UnreadableError(Exception):
    """The text is not YAML, or cannot be followed. Carries the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in problems))
        self.problems = problems


class _Loader(_Base):  # type: ignore[misc]
    """Refuses deep nesting while it composes: the loader written in C recurses without a bound, to the process's end.

    Both loaders call these two around each node, to find resolvers by path, which a safe loader has none of.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def descend_resolver(self, current_node: yaml.Node | None, _current_index: object) -> None:
        self._depth += 1
        # The root's depth is 1, and its path is empty.
        if current_node is not None and self._depth > MAXIMUM_DEPTH + 1:
            raise UnreadableError([Problem(current_node.start_mark.line + 1, NESTED_MESSAGE)])

    def ascend_resolver(self) -> None:
        self._depth -= 1


def read_located(text: str) -> Located:
    """The value a YAML text holds. Raises UnreadableError."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Located(None, {(): 1})
        return _Reader(loader).read(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UnreadableError([Problem(line, f"not YAML: {error.problem}")]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError([Problem(1, f"not YAML: {error}")]) from error
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._lines: dict[Path, int] = {}
        self._problems: list[Problem] = []

    def read(self, node: yaml.Node) -> Located:
        value = self._value(node, ())
        if self._problems:
            raise UnreadableError(self._problems)
        return Located(value, self._lines)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if len(path) > MAXIMUM_DEPTH or len(self._lines) > MAXIMUM_VALUES:
            raise UnreadableError([Problem(line, NESTED_MESSAGE)])
        if isinstance(node, yaml.MappingNode):
            return dict(self._members(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        if node.tag == _TIMESTAMP:
            return node.value
        value = self._loader.construct_object(node)
        if isinstance(value, bytes):
            self._problems.append(Problem(line, "neither text nor a number"))
        return value

    def _members(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self._problems.append(Problem(line, "a key must be a single value"))
                continue
            if key in seen:
                self._problems.append(Problem(line, f"{key!r} appears twice"))
            seen.add(key)
            self._lines[(*path, key)] = line
            yield key, self._value(value_node, (*path, key))
