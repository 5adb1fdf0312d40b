"""YAML, and JSON, which is also YAML, as plain values with their lines.

Dates stay text, because ``Version: 2012-10-17`` in a policy means the text. Aliases are followed within bounds, because
a file of a few lines must not expand to gigabytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
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
# Different texts, of which a file usually repeats those that it had last.
_SHARED_TEXTS = 4096
NESTED_MESSAGE = "nested too deeply"
TOO_MANY_MESSAGE = f"more than {MAXIMUM_VALUES} values"
UNFOLDED_MESSAGE = "aliases expand to too much text"
DIRECTIVES_MESSAGE = "too many directives"
LONG_NUMBER_MESSAGE = f"a number of more than {_MAXIMUM_NUMBER_CHARACTERS} characters"
NO_TAGS: Mapping[str, str] = MappingProxyType({})
_TEXTS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:timestamp")
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

    __slots__ = ("_lines", "_places", "value")

    def __init__(self, value: Any, lines: Mapping[Path, int] | Callable[[], Mapping[Path, int]]) -> None:
        self.value = value
        self._lines = lines
        self._places: dict[Path, Path] = {}

    @property
    def lines(self) -> Mapping[Path, int]:
        if callable(self._lines):
            self._lines = self._lines()
        return self._lines

    def came_from(self, path: Path, place: Path) -> None:
        """What is at ``path`` in the value was put there, and the file has it at ``place``."""
        self._places[path] = place

    def line(self, path: Path) -> int:
        """The line of ``path``, or of its nearest parent in the file."""
        while path:
            if path in self._places:
                path = self._places[path]
            if path in self.lines:
                break
            path = path[:-1]
        return self.lines.get(path, 1)


class UnreadableError(Exception):
    """The text is not YAML, or exceeds a bound. Carries the problems."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in problems))
        self.problems = problems


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
    return Located(_read_yaml(text, tags), partial(_lines_of, text, tags))


def _lines_of(text: str, tags: Mapping[str, str] = NO_TAGS) -> dict[Path, int]:
    lines: dict[Path, int] = {}
    try:
        _read_yaml(text, tags, lines)
    except UnreadableError:
        # A text in JSON. YAML is stricter about where a line may end.
        lines.clear()
    return lines or {(): 1}


def _read_yaml(text: str, tags: Mapping[str, str], lines: dict[Path, int] | None = None) -> Any:
    """The value of a text. ``lines`` gets the line of each part. Raises UnreadableError."""
    if text.count("\n%") > _MAXIMUM_DIRECTIVES:
        raise UnreadableError([Problem(1, DIRECTIVES_MESSAGE)])
    loader = None
    try:
        # The loader in Python already reads the first part of the text here.
        loader = _Base(_with_whole_characters(text))
        return _Reader(loader, tags, lines).read()
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
    """Makes the value while the text is parsed. A tree of the parser's nodes would take ten times the value's memory.

    Only the events of what has an anchor are kept, because an alias may repeat them.
    """

    def __init__(self, loader: Any, tags: Mapping[str, str], lines: dict[Path, int] | None) -> None:
        self._loader = loader
        self._tags = tags
        self._lines = lines
        self._problems: list[Problem] = []
        self._nodes = 0
        # The same text stands in a file again and again, as keys, dates and parts of policies do.
        self._texts: dict[str, str] = {}
        self._kept: list[Any] = []
        # The first event of each anchor, by its place among the events that are kept.
        self._anchors: dict[str, int] = {}
        # Anchors that the event stands in.
        self._open: list[str] = []
        # The place of the next event to repeat. None while the events come from the text.
        self._next: int | None = None
        self._unfolded_characters = 0

    def read(self) -> Any:
        self._event()
        if type(self._event()) is yaml.StreamEndEvent:
            return None
        value = self._value(self._event(), ())
        self._event()
        after = self._event()
        if type(after) is not yaml.StreamEndEvent:
            problem = "but found another document"
            raise yaml.composer.ComposerError(None, None, problem, after.start_mark)
        if self._problems:
            raise UnreadableError(self._problems)
        return value

    def _event(self) -> Any:
        if self._next is not None:
            self._next += 1
            return self._kept[self._next - 1]
        event = self._loader.get_event()
        if self._open:
            self._kept.append(event)
        return event

    def _value(self, event: Any, path: Path) -> Any:
        if type(event) is yaml.AliasEvent:
            return self._repeat(event, path)
        self._count(event)
        if event.anchor is None or self._next is not None:
            return self._tagged(event, path)
        self._begin(event)
        value = self._tagged(event, path)
        self._open.pop()
        return value

    def _count(self, event: Any) -> None:
        if self._next is not None:
            # An alias repeats it: it is in the text once, and in the value again.
            own = len(event.value) if type(event) is yaml.ScalarEvent else 0
            self._unfolded_characters += _PLACE_CHARACTERS + own
            if self._unfolded_characters > MAXIMUM_UNFOLDED_CHARACTERS:
                raise UnreadableError([Problem(_line_of(event), UNFOLDED_MESSAGE)])
            return
        self._nodes += 1
        if self._nodes > MAXIMUM_VALUES:
            raise UnreadableError([Problem(_line_of(event), TOO_MANY_MESSAGE)])

    def _begin(self, event: Any) -> None:
        """From here on, keep the events of what has this anchor."""
        first = self._anchors.get(event.anchor)
        if first is not None:
            raise yaml.composer.ComposerError(None, None, "second occurrence", event.start_mark)
        if not self._open:
            self._kept.append(event)
        self._anchors[event.anchor] = len(self._kept) - 1
        self._open.append(event.anchor)

    def _first(self, alias: Any) -> int:
        """The place of the first event of what an alias repeats."""
        first = self._anchors.get(alias.anchor)
        if first is None:
            raise yaml.composer.ComposerError(None, None, "found undefined alias", alias.start_mark)
        return first

    def _repeat(self, alias: Any, path: Path) -> Any:
        first, after = self._first(alias), self._next
        if alias.anchor in self._open:
            # It would repeat itself without end.
            raise UnreadableError([Problem(_line_of(alias), NESTED_MESSAGE)])
        self._next = first + 1
        value = self._value(self._kept[first], path)
        self._next = after
        return value

    def _tagged(self, event: Any, path: Path) -> Any:
        if self._lines is not None:
            self._lines.setdefault(path, _line_of(event))
        if len(path) > MAXIMUM_DEPTH:
            raise UnreadableError([Problem(_line_of(event), NESTED_MESSAGE)])
        if event.tag not in self._tags:
            return self._plain(event, path)
        key = self._tags[event.tag]
        if self._lines is not None:
            self._lines.setdefault((*path, key), _line_of(event))
        return {key: self._plain(event, (*path, key))}

    def _plain(self, event: Any, path: Path) -> Any:
        if type(event) is yaml.MappingStartEvent:
            return self._mapping(path)
        if type(event) is yaml.SequenceStartEvent:
            return self._sequence(path)
        if event.tag in self._tags:
            return event.value
        return self._scalar(event)

    def _sequence(self, path: Path) -> list[Any]:
        members: list[Any] = []
        while type(event := self._event()) is not yaml.SequenceEndEvent:
            members.append(self._value(event, (*path, len(members))))
        return members

    def _mapping(self, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while type(event := self._event()) is not yaml.MappingEndEvent:
            named = self._kept[self._first(event)] if type(event) is yaml.AliasEvent else event
            if type(named) is not yaml.ScalarEvent:
                self._note(_line_of(named), "a key must be a single value")
                self._pass_over(event, path)
                self._pass_over(self._event(), path)
                continue
            if named is event:
                self._count_key(event)
            key = self._shared(named.value)
            if key in members:
                self._note(_line_of(named), f"{key!r} appears twice")
            member_path = (*path, key)
            if self._lines is not None:
                self._lines[member_path] = _line_of(named)
            members[key] = self._value(self._event(), member_path)
        return members

    def _count_key(self, event: Any) -> None:
        if self._next is not None:
            return
        self._count(event)
        if event.anchor is not None:
            self._begin(event)
            self._open.pop()

    def _pass_over(self, event: Any, path: Path) -> None:
        if type(event) is not yaml.AliasEvent:
            self._value(event, (*path, ""))

    def _shared(self, text: str) -> str:
        if len(self._texts) >= _SHARED_TEXTS:
            self._texts.clear()
        return self._texts.setdefault(text, text)

    def _scalar(self, event: Any) -> Any:
        tag, text = event.tag, event.value
        if tag is None or tag == "!":
            is_plain = event.implicit[0]
            if not is_plain or (text and text[0] not in self._loader.yaml_implicit_resolvers):
                return self._shared(text)
            tag = self._loader.resolve(yaml.ScalarNode, text, event.implicit)
        # Times stay text. So do numbers with colons, which YAML 1.1 reads to the base of sixty and YAML 1.2 does not.
        if tag in _TEXTS or (tag in _NUMBERS and ":" in text):
            return self._shared(text)
        if tag in _NUMBERS and len(text) > _MAXIMUM_NUMBER_CHARACTERS:
            self._note(_line_of(event), LONG_NUMBER_MESSAGE)
            return None
        return self._constructed(event, yaml.ScalarNode(tag, text, event.start_mark, event.end_mark))

    def _constructed(self, event: Any, node: yaml.ScalarNode) -> Any:
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:
            self._note(_line_of(event), f"not YAML: {error}")
            return None
        except KeyError as error:
            # For a value with the tag of true or false that is neither.
            self._note(_line_of(event), f"not YAML: {error} is not a value of its type")
            return None
        # The loader would keep every node.
        self._loader.constructed_objects.clear()
        if isinstance(value, bytes):
            self._note(_line_of(event), "neither text nor a number")
        return value

    def _note(self, line: int, message: str) -> None:
        self._problems.append(Problem(line, message))
        if len(self._problems) >= MAXIMUM_PROBLEMS:
            raise UnreadableError(self._problems)


def _line_of(event: Any) -> int:
    return int(event.start_mark.line) + 1
