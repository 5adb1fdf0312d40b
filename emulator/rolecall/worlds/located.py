"""YAML, and JSON, which is also YAML, as plain values with their lines.

Dates stay text, because ``Version: 2012-10-17`` in a policy means the text. Aliases are followed within bounds, because
a file of a few lines must not expand to gigabytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import yaml

from rolecall.printable import printable
from rolecall.worlds.plain_json import NotPlainError, plain_json

Path = tuple[str | int, ...]
# The loader in C is ten times faster. PyYAML's wheels have it; a build without it uses the one in Python.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAXIMUM_DEPTH = 40
# Values in the text. A snapshot of 20,000 roles and 50,000 users has about 700,000, which take some seconds.
MAXIMUM_VALUES = 1_000_000
# More problems than anyone reads for one file.
MAXIMUM_PROBLEMS = 1_000
_MAXIMUM_MESSAGE_CHARACTERS = 2_000
# Characters of a number. Converting a text to a number takes time by the square of its length.
_MAXIMUM_NUMBER_CHARACTERS = 64
# Lines that begin with a per cent sign, as directives do: the parser compares each with all earlier ones.
_MAXIMUM_DIRECTIVES = 100
# The characters that aliases may add: the length of each value, and some more for its place.
MAXIMUM_UNFOLDED_CHARACTERS = 20_000_000
_PLACE_CHARACTERS = 100
NESTED_MESSAGE = "nested too deeply"
TOO_MANY_MESSAGE = f"more than {MAXIMUM_VALUES} values"
UNFOLDED_MESSAGE = "aliases expand to too much text"
DIRECTIVES_MESSAGE = "too many directives"
LONG_NUMBER_MESSAGE = f"a number of more than {_MAXIMUM_NUMBER_CHARACTERS} characters"
NO_TAGS: Mapping[str, str] = MappingProxyType({})
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
# A pair of halves or any other escape. The second part keeps an escaped backslash from starting a pair.
_ESCAPED = re.compile(r"\\(?:(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A problem of a file: its line, and what to do about it. Lines count from 1."""

    line: int
    message: str

    def __post_init__(self) -> None:
        # The message repeats text of the file, and the file may come from another person.
        message = printable(self.message[: _MAXIMUM_MESSAGE_CHARACTERS + 1])
        if len(self.message) > _MAXIMUM_MESSAGE_CHARACTERS:
            message = f"{message[:_MAXIMUM_MESSAGE_CHARACTERS]}…"
        object.__setattr__(self, "message", message)


class Located:
    """A document's value, and the line of each part by its path. ``lines`` may be a function that finds them."""

    __slots__ = ("_lines", "value")

    def __init__(self, value: Any, lines: dict[Path, int] | Callable[[], dict[Path, int]]) -> None:
        self.value = value
        self._lines = lines

    @property
    def lines(self) -> dict[Path, int]:
        if callable(self._lines):
            self._lines = self._lines()
        return self._lines

    def line(self, path: Path) -> int:
        """The line of ``path``, or of its nearest parent in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


class UnreadableError(Exception):
    """The text is not YAML, or exceeds a bound. Carries the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in problems))
        self.problems = problems


class _Loader(_Base):  # type: ignore[misc]
    """Refuses deep nesting while it composes, because the loader in C recurses until the process crashes.

    Both loaders call these two methods around each node to find resolvers by path. A safe loader has no such resolvers.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def descend_resolver(self, current_node: yaml.Node | None, _current_index: object) -> None:
        self._depth += 1
        self._nodes += 1
        # The root has depth 1 and an empty path.
        if current_node is not None and self._depth > MAXIMUM_DEPTH + 1:
            raise UnreadableError([Problem(current_node.start_mark.line + 1, NESTED_MESSAGE)])
        if current_node is not None and self._nodes > MAXIMUM_VALUES:
            raise UnreadableError([Problem(current_node.start_mark.line + 1, TOO_MANY_MESSAGE)])

    def ascend_resolver(self) -> None:
        self._depth -= 1


def read_located(text: str, tags: Mapping[str, str] = NO_TAGS) -> Located:
    """The value in a YAML text. Raises UnreadableError.

    ``tags`` allows tags that YAML does not know. A value with such a tag becomes a mapping with one member, whose key
    the mapping of ``tags`` gives: with ``{"!Ref": "Ref"}``, ``!Ref name`` is ``{"Ref": "name"}``.
    """
    if not tags:
        try:
            return Located(plain_json(text, MAXIMUM_DEPTH, MAXIMUM_VALUES), partial(_lines_of, text))
        except NotPlainError:
            # YAML, or a text with a problem that YAML's parser explains with its line.
            pass
    return _read_yaml(text, tags)


def _lines_of(text: str) -> dict[Path, int]:
    try:
        return _read_yaml(text, NO_TAGS).lines
    except UnreadableError:
        # YAML is stricter about where a line may end.
        return {(): 1}


def _read_yaml(text: str, tags: Mapping[str, str]) -> Located:
    if text.count("\n%") > _MAXIMUM_DIRECTIVES:
        raise UnreadableError([Problem(1, DIRECTIVES_MESSAGE)])
    loader = None
    try:
        # The loader in Python already reads the first part of the text here.
        loader = _Loader(_with_whole_characters(text))
        node = loader.get_single_node()
        if node is None:
            return Located(None, {(): 1})
        return _Reader(loader, tags).read(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UnreadableError([Problem(line, f"not YAML: {error.problem}")]) from error
    except yaml.reader.ReaderError as error:
        # The loader in C counts bytes.
        before = text.encode()[: error.position] if _Base is not yaml.SafeLoader else text[: error.position].encode()
        message = f"not YAML: {error.reason} (#x{error.character:04x})"
        raise UnreadableError([Problem(before.count(b"\n") + 1, message)]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnreadableError([Problem(1, f"not YAML: {error}")]) from error
    finally:
        if loader is not None:
            loader.dispose()


def _with_whole_characters(text: str) -> str:
    """JSON may write a character as two halves, which YAML does not allow. Any text but JSON stays as it is."""
    if not text.lstrip().startswith("{"):
        return text
    return _ESCAPED.sub(lambda found: json.loads(f'"{found[0]}"') if found[1] else found[0], text)


class _Reader:
    def __init__(self, loader: Any, tags: Mapping[str, str]) -> None:
        self._loader = loader
        self._tags = tags
        self._lines: dict[Path, int] = {}
        self._problems: list[Problem] = []
        self._met: set[int] = set()
        self._unfolded_characters = 0

    def read(self, node: yaml.Node) -> Located:
        value = self._value(node, ())
        if self._problems:
            raise UnreadableError(self._problems)
        return Located(value, self._lines)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self._lines.setdefault(path, line)
        if len(path) > MAXIMUM_DEPTH:
            raise UnreadableError([Problem(line, NESTED_MESSAGE)])
        if id(node) in self._met:
            self._unfold(node, line)
        self._met.add(id(node))
        if node.tag in self._tags:
            key = self._tags[node.tag]
            self._lines.setdefault((*path, key), line)
            return {key: self._plain(node, (*path, key), line)}
        return self._plain(node, path, line)

    def _plain(self, node: yaml.Node, path: Path, line: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return dict(self._members(node, path))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, index)) for index, child in enumerate(node.value)]
        # Times stay text. So do numbers with colons, which YAML 1.1 reads to the base of sixty and YAML 1.2 does not.
        if node.tag == _TIMESTAMP or node.tag in self._tags or (node.tag in _NUMBERS and ":" in node.value):
            return node.value
        if node.tag in _NUMBERS and len(node.value) > _MAXIMUM_NUMBER_CHARACTERS:
            self._note(line, LONG_NUMBER_MESSAGE)
            return None
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:
            self._note(line, f"not YAML: {error}")
            return None
        except KeyError as error:
            # For a value with the tag of true or false that is neither.
            self._note(line, f"not YAML: {error} is not a value of its type")
            return None
        if isinstance(value, bytes):
            self._note(line, "neither text nor a number")
        return value

    def _note(self, line: int, message: str) -> None:
        self._problems.append(Problem(line, message))
        if len(self._problems) >= MAXIMUM_PROBLEMS:
            raise UnreadableError(self._problems)

    def _unfold(self, node: yaml.Node, line: int) -> None:
        """Count a node that an alias repeats: it is in the text once, and in the value again."""
        own = len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        self._unfolded_characters += _PLACE_CHARACTERS + own
        if self._unfolded_characters > MAXIMUM_UNFOLDED_CHARACTERS:
            raise UnreadableError([Problem(line, UNFOLDED_MESSAGE)])

    def _members(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None:
                self._note(line, "a key must be a single value")
                continue
            if key in seen:
                self._note(line, f"{key!r} appears twice")
            seen.add(key)
            self._lines[(*path, key)] = line
            yield key, self._value(value_node, (*path, key))
