"""Works out the functions of a CloudFormation template: Ref, Fn::GetAtt, Fn::Sub and the others.

CloudFormation User Guide, "Intrinsic function reference" and "Pseudo parameters reference". What a template alone does
not tell can be given from outside, by the name that the messages show. Nothing is guessed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rolecall.importing.found import as_text
from rolecall.worlds.located import MAXIMUM_UNFOLDED_CHARACTERS, Path

_VARIABLE = re.compile(r"\$\{(!?)([^}]*)\}")
# The value of a member that AWS::NoValue takes away.
_NOTHING = object()
# References from one resource or condition to the next. Each takes about ten levels of Python's stack.
_LONGEST_CHAIN = 40
_CONDITIONS = frozenset(("Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Condition"))


class UnresolvedError(Exception):
    """A value that the template does not tell. ``path`` is its place."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


@dataclass
class Template:
    """A template and what is known beside it.

    - ``given``: values by name: ``Parameter``, ``Resource``, ``Resource.Attribute``, or the name of an export.
    - ``pseudo``: the pseudo parameters.
    - ``attribute``: the value of a resource's attribute, for Fn::GetAtt, and of Ref for the empty attribute. None for a
      resource that Rolecall does not have.
    """

    value: Mapping[str, Any]
    given: Mapping[str, str]
    pseudo: Mapping[str, Any]
    attribute: Callable[[str, str, Path], str | None]
    _open: list[str] = field(default_factory=list)
    # Every value that cannot be resolved, also when there are several in one property.
    failed: list[UnresolvedError] = field(default_factory=list)
    # Worked out once each, because references may double the work again and again.
    _holding: dict[str, bool | UnresolvedError] = field(default_factory=dict)
    _attributes: dict[str, str | UnresolvedError | None] = field(default_factory=dict)
    _characters: int = 0

    def section(self, name: str) -> Mapping[str, Any]:
        """One of the template's sections, such as ``Resources``; empty if it is missing or not a mapping."""
        found = self.value.get(name)
        return found if isinstance(found, dict) else {}

    def resolve(self, value: Any, path: Path) -> Any:
        """A value without functions. Raises UnresolvedError for the first of the values that cannot be resolved."""
        before = len(self.failed)
        found = self._resolve(value, path)
        if len(self.failed) > before:
            raise self.failed[before]
        return None if found is _NOTHING else found

    def holds(self, name: str, path: Path) -> bool:
        """Whether a condition of the template holds. Raises UnresolvedError."""
        conditions = self.section("Conditions")
        if name not in conditions:
            raise UnresolvedError(path, f"there is no condition {name!r}")
        if name not in self._holding:
            try:
                with self._entered(f"the condition {name}", path):
                    self._holding[name] = self._true(conditions[name], ("Conditions", name))
            except UnresolvedError as error:
                self._holding[name] = error
        return bool(_unless_failed(self._holding[name]))

    @contextmanager
    def _entered(self, what: str, path: Path) -> Iterator[None]:
        if what in self._open:
            raise UnresolvedError(path, f"{what} refers to itself")
        if len(self._open) >= _LONGEST_CHAIN:
            raise UnresolvedError(path, "its references lead too far")
        self._open.append(what)
        try:
            yield
        finally:
            self._open.pop()

    def _resolve(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            found = [self._member(each, (*path, index)) for index, each in enumerate(value)]
            return [each for each in found if each is not _NOTHING]
        if isinstance(value, str) and "{{resolve:" in value:
            raise UnresolvedError(path, "a dynamic reference is known to AWS only")
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            function = _FUNCTIONS.get(name)
            if function is not None:
                return self._bounded(function(self, argument, (*path, name)), path)
            if name in _CONDITIONS and name != "Condition":
                return self._true(value, path)
            if name.startswith("Fn::"):
                raise UnresolvedError(path, f"{name} is known to AWS only")
        members = {key: self._member(each, (*path, key)) for key, each in value.items()}
        return {key: each for key, each in members.items() if each is not _NOTHING}

    def _member(self, value: Any, path: Path) -> Any:
        """A value in a list or mapping. When it cannot be resolved, the others are still looked at."""
        try:
            return self._resolve(value, path)
        except UnresolvedError as error:
            self.failed.append(error)
            return _NOTHING

    def _bounded(self, value: Any, path: Path) -> Any:
        """Functions may double a text again and again."""
        self._characters += len(value) if isinstance(value, str | list) else 0
        if self._characters > MAXIMUM_UNFOLDED_CHARACTERS:
            raise UnresolvedError(path, "the functions of the template expand to too much text")
        return value

    def _true(self, value: Any, path: Path) -> bool:
        name, argument = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
        if name == "Condition":
            return self.holds(self._text(argument, path), path)
        path = (*path, name)
        if name == "Fn::Equals":
            first, second = self._list(argument, path, 2)
            return bool(as_text(first) == as_text(second))
        if name in _CONDITIONS and isinstance(argument, list):
            found = [self._true(each, (*path, index)) for index, each in enumerate(argument)]
            return {"Fn::And": all(found), "Fn::Or": any(found), "Fn::Not": not all(found)}[name]
        raise UnresolvedError(path[:-1], "must be a condition")

    def _text(self, value: Any, path: Path) -> str:
        found = as_text(self.resolve(value, path))
        if not isinstance(found, str):
            raise UnresolvedError(path, "must be text")
        return found

    def _list(self, value: Any, path: Path, length: int) -> list[Any]:
        found = self.resolve(value, path)
        if not isinstance(found, list) or len(found) != length:
            raise UnresolvedError(path, f"must be a list of {length} values")
        return found

    # The functions.

    def ref(self, name: Any, path: Path) -> Any:
        if not isinstance(name, str):
            raise UnresolvedError(path, "must be a name")
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.section("Parameters"):
            return self._parameter(name, path)
        return self._attribute(name, "", path)

    def _parameter(self, name: str, path: Path) -> Any:
        declared = self.section("Parameters")[name]
        kind = str(declared.get("Type", "")) if isinstance(declared, dict) else ""
        value = self.given.get(name)
        if value is None and isinstance(declared, dict) and not kind.startswith("AWS::SSM"):
            value = declared.get("Default")
        if value is None:
            raise UnresolvedError(path, f"the parameter {name} has no default value: give it with --set {name}=VALUE")
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            return [each.strip() for each in str(value).split(",")]
        return as_text(value)

    def _attribute(self, name: str, attribute: str, path: Path) -> str:
        shown = f"{name}.{attribute}" if attribute else name
        if shown in self.given:
            return self.given[shown]
        if name not in self.section("Resources"):
            raise UnresolvedError(path, f"there is no parameter or resource {name!r}")
        if shown not in self._attributes:
            try:
                with self._entered(f"the resource {name}", path):
                    self._attributes[shown] = self.attribute(name, attribute, path)
            except UnresolvedError as error:
                self._attributes[shown] = error
        found = _unless_failed(self._attributes[shown])
        if found is None:
            raise UnresolvedError(path, f"{shown} is known to AWS only: give it with --set {shown}=VALUE")
        return str(found)

    def get_att(self, value: Any, path: Path) -> str:
        parts = value.split(".", 1) if isinstance(value, str) else value
        if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
            raise UnresolvedError(path, "must be a resource and its attribute")
        return self._attribute(parts[0], self._text(parts[1], (*path, 1)), path)

    def sub(self, value: Any, path: Path) -> str:
        variables: Mapping[str, Any] = {}
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], dict):
            value, variables = value
        if not isinstance(value, str):
            raise UnresolvedError(path, "must be text, or a list of text and variables")

        def replaced(found: re.Match[str]) -> str:
            literal, name = found[1], found[2].strip()
            if literal:
                return f"${{{found[2]}}}"
            if name in variables:
                return self._text(variables[name], (*path, 1, name))
            if "." in name and name not in self.pseudo:
                return self.get_att(name, path)
            return self._text({"Ref": name}, path)

        return _VARIABLE.sub(replaced, self._resolve(value, path))

    def join(self, value: Any, path: Path) -> str:
        delimiter, parts = self._list(value, path, 2)
        texts: list[Any] = [as_text(each) for each in parts] if isinstance(parts, list) else [None]
        if not isinstance(delimiter, str) or not all(isinstance(each, str) for each in texts):
            raise UnresolvedError(path, "must be a delimiter and a list of texts")
        return delimiter.join(texts)

    def split(self, value: Any, path: Path) -> list[str]:
        delimiter, text = self._list(value, path, 2)
        if not isinstance(delimiter, str) or not delimiter or not isinstance(text, str):
            raise UnresolvedError(path, "must be a delimiter and a text")
        return text.split(delimiter)

    def select(self, value: Any, path: Path) -> Any:
        index, values = self._list(value, path, 2)
        number = as_text(index)
        if not isinstance(values, list) or not isinstance(number, str) or not re.fullmatch(r"\d{1,6}", number):
            raise UnresolvedError(path, "must be an index and a list")
        if int(number) >= len(values):
            raise UnresolvedError(path, f"the list has no value with the index {number}")
        return values[int(number)]

    def if_(self, value: Any, path: Path) -> Any:
        if not isinstance(value, list) or len(value) != 3 or not isinstance(value[0], str):
            raise UnresolvedError(path, "must be a condition and two values")
        chosen = 1 if self.holds(value[0], path) else 2
        return self._resolve(value[chosen], (*path, chosen))

    def find_in_map(self, value: Any, path: Path) -> Any:
        found = self.resolve(value, path)
        if not isinstance(found, list) or len(found) not in (3, 4):
            raise UnresolvedError(path, "must be a map and two keys")
        at: Any = self.section("Mappings")
        for key in found[:3]:
            at = at.get(as_text(key)) if isinstance(at, dict) and isinstance(as_text(key), str) else None
        if at is None and len(found) == 4 and isinstance(found[3], dict) and "DefaultValue" in found[3]:
            return found[3]["DefaultValue"]
        if at is None:
            raise UnresolvedError(path, f"the template's mappings have no {'.'.join(map(str, found[:3]))}")
        return at

    def import_value(self, value: Any, path: Path) -> str:
        name = self._text(value, path)
        if name not in self.given:
            raise UnresolvedError(path, f"{name} is an export of another stack: give it with --set {name}=VALUE")
        return self.given[name]

    def base64(self, value: Any, path: Path) -> str:
        return base64.b64encode(self._text(value, path).encode()).decode()

    def length(self, value: Any, path: Path) -> int:
        found = self.resolve(value, path)
        if not isinstance(found, list):
            raise UnresolvedError(path, "must be a list")
        return len(found)

    def json_text(self, value: Any, path: Path) -> str:
        return json.dumps(self.resolve(value, path), separators=(",", ":"))


_FUNCTIONS: Mapping[str, Callable[[Template, Any, Path], Any]] = {
    "Ref": Template.ref,
    "Fn::GetAtt": Template.get_att,
    "Fn::Sub": Template.sub,
    "Fn::Join": Template.join,
    "Fn::Split": Template.split,
    "Fn::Select": Template.select,
    "Fn::If": Template.if_,
    "Fn::FindInMap": Template.find_in_map,
    "Fn::ImportValue": Template.import_value,
    "Fn::Base64": Template.base64,
    "Fn::Length": Template.length,
    "Fn::ToJsonString": Template.json_text,
}


def _unless_failed(found: Any) -> Any:
    if isinstance(found, UnresolvedError):
        raise found
    return found
