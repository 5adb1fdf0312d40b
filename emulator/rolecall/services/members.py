"""Which members of a request an operation takes, also inside structures: what its parameters' types say.

A parameter that is a structure, or a list of structures, has a TypedDict as its type. The gateway refuses a member that
the TypedDict lacks: a newer model lets clients send it, and the operation would ignore it. A structure that is kept and
answered as it came has the type Document.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, NewType, TypedDict, get_args, get_origin, get_type_hints, is_typeddict

from rolecall.services.registry import RegisteredOperation

Path = tuple[str, ...]
Document = NewType("Document", dict[str, Any])


class Tag(TypedDict):
    """A tag in a request."""

    Key: str
    Value: str


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that a request has: those that are not None."""
    return {name: value for name, value in members.items() if value is not None}


def refused_members(registered: RegisteredOperation, input_paths: Iterable[Path]) -> frozenset[Path]:
    """The members of the model's input that the operation would ignore.

    ``input_paths`` are the members of the model, also inside structures. A member inside a refused one is left out. A
    verb looks at its members itself, except for those inside the parameters that it names.
    """
    types: Mapping[str, Any] | None = None
    refused: set[Path] = set()
    for path in input_paths:
        if path[0] not in registered.parameters:
            if not registered.verb:
                refused.add(path[:1])
        elif len(path) > 1:
            if types is None:
                types = get_type_hints(inspect.unwrap(registered.function))
            taken = _taken(types.get(path[0]), path[1:])
            if taken < len(path) - 1:
                refused.add(path[: taken + 2])
    return frozenset(refused)


def _taken(annotation: Any, path: Path) -> int:
    """How many names of a path below a parameter of that type its TypedDicts have; all for a Document."""
    for depth, name in enumerate(path):
        structure = _structure(annotation)
        if structure is Document:
            return len(path)
        hints = get_type_hints(structure) if is_typeddict(structure) else {}
        if name not in hints:
            return depth
        annotation = hints[name]
    return len(path)


def _structure(annotation: Any) -> Any:
    """The type without None, and the type of the elements of a list."""
    while get_args(annotation):
        if isinstance(get_origin(annotation), type) and issubclass(get_origin(annotation), Sequence):
            annotation = get_args(annotation)[0]
        elif NoneType in get_args(annotation):
            annotation = next(each for each in get_args(annotation) if each is not NoneType)
        else:
            return annotation
    return annotation


def first_given(parameters: Mapping[str, Any], refused: Iterable[Path]) -> Path | None:
    """The first of some members, by name, that a request has; None without any."""
    return min((path for path in refused if _given(parameters, path)), default=None)


def _given(value: Any, path: Path) -> bool:
    if not path:
        return True
    if isinstance(value, list):
        return any(_given(each, path) for each in value)
    return isinstance(value, Mapping) and path[0] in value and _given(value[path[0]], path[1:])
