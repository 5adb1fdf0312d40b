"""The models' limits, checked in AWS's words: ``1 validation error detected: Value 'x' at 'roleName' failed …``.

A checker answers the failures in AWS's order, or an empty tuple. STS and Chime repeat the refused value in the message,
IAM does not. No message repeats a sensitive value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.wire.models import Shape
from rolecall.wire.patterns import Matcher, matcher
from rolecall.wire.recorded import HIDDEN
from rolecall.wire.scalars import FLOAT_TYPES, INTEGER_TYPES

# IAM's recorded answers of 2026 name the parameter only; STS's also show the value.
SERVICES_WITHOUT_VALUES = frozenset({"iam"})
# IAM's answers of 2026 also leave out the values that an enumeration allows.
SERVICES_WITHOUT_ENUM_VALUES = frozenset({"iam"})
# A list of a hundred thousand bad elements must not make an answer of megabytes.
MAXIMUM_FAILURES = 100
_NOT_NULL = "Member must not be null"
# The model's pattern refuses the wildcards that its own documentation allows (IAM, InlinePolicyIdentifierType).
_CORRECTED_PATTERNS = {"AttachmentName": r"[\w+=,.@*?-]+"}
# Recorded: IAM checks these patterns separately, after all limits. Each has a message of its own.
_OWN_SENTENCES = {
    ("iam", "pathType"): "The specified value for {path} is invalid. It must begin and end with / and contain only "
    "alphanumeric characters and/or / characters."
}


class Failure(Struct, frozen=True):
    """One broken constraint: the path, the value found and the constraint's sentence.

    ``shown`` is the value ready to print with its trailing blank, or empty. A failure that stands ``alone`` is the
    whole message. It appears only when there is no other failure.
    """

    path: str
    shown: str
    sentence: str
    alone: bool = False

    def below(self, parent: str) -> Failure:
        return Failure(f"{parent}.{self.path}" if self.path else parent, self.shown, self.sentence, self.alone)

    def __str__(self) -> str:
        if self.alone:
            return self.sentence.format(path=self.path)
        return f"Value {self.shown}at '{self.path}' failed to satisfy constraint: {self.sentence}"


Failures = Sequence[Failure]
Check = Callable[[Any], Failures]


class Style(Struct, frozen=True):
    """How a service words its failures."""

    service_name: str
    shows_values: bool
    shows_enum_values: bool


def style_of(service_name: str) -> Style:
    shows_values = service_name not in SERVICES_WITHOUT_VALUES
    return Style(service_name, shows_values, service_name not in SERVICES_WITHOUT_ENUM_VALUES)


def compile_check(shape: Shape | None, service_name: str) -> Check:
    """A function from the decoded parameters to the failures of the whole request."""
    return _structure_check(shape, style_of(service_name), {}) if shape else _nothing


def sentence(failures: Failures) -> str:
    """All failures in one message."""
    joined = [failure for failure in failures if not failure.alone]
    if not joined:
        return str(failures[0])
    failures, count = joined, len(joined)
    return f"{count} validation error{'s' if count > 1 else ''} detected: " + "; ".join(map(str, failures))


# What the member Reason of InvalidInputException says of each constraint (Organizations API reference).
_REASONS = (
    (_NOT_NULL, "INPUT_REQUIRED"),
    ("Member must satisfy enum", "INVALID_ENUM"),
    ("Member must have length less", "MAX_LENGTH_EXCEEDED"),
    ("Member must have length greater", "MIN_LENGTH_EXCEEDED"),
    ("Member must have value less", "MAX_VALUE_EXCEEDED"),
    ("Member must have value greater", "MIN_VALUE_EXCEEDED"),
    ("Member must satisfy constraint", "INVALID_LIST_MEMBER"),
)


# The whole message of such an exception. The first two were recorded (boto3, issue 4565), the others are the words of
# the API reference.
_SENTENCES_OF_REASONS = {
    "INVALID_PATTERN": "You provided a value that does not match the required pattern.",
    "INVALID_ENUM": "You specified an invalid value.",
    "INPUT_REQUIRED": "You must include a value for all required parameters.",
    "MAX_LENGTH_EXCEEDED": "You provided a string parameter that is longer than allowed.",
    "MIN_LENGTH_EXCEEDED": "You provided a string parameter that is shorter than allowed.",
    "MAX_VALUE_EXCEEDED": "You provided a numeric parameter that has a larger value than allowed.",
    "MIN_VALUE_EXCEEDED": "You provided a numeric parameter that has a smaller value than allowed.",
    "INVALID_LIST_MEMBER": "You provided a list to a parameter that contains at least one invalid value.",
}


def reason_of(failure: Failure) -> tuple[str, str]:
    """AWS's word for the kind of a failure, such as ``INVALID_PATTERN``, and the message that goes with it."""
    reason = next((word for begin, word in _REASONS if failure.sentence.startswith(begin)), "INVALID_PATTERN")
    return reason, _SENTENCES_OF_REASONS[reason]


def _nothing(value: Any) -> Failures:
    return ()


def lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


def java_hash_order(names: Iterable[str]) -> list[str]:
    """The names in the order of a Java HashMap's keys. Every recorded answer lists its failures in this order."""
    names = list(names)
    size = 16
    while len(names) > size * 3 // 4:
        size *= 2

    def bucket(name: str) -> int:
        code = 0
        for character in lower_first(name):
            code = (code * 31 + ord(character)) & 0xFFFFFFFF
        return (code ^ (code >> 16)) & (size - 1)

    return sorted(names, key=bucket)


def _checker(shape: Shape, style: Style, seen: dict[str, Check]) -> Check | None:
    """The check of one shape; None when the shape has no limits. ``seen`` holds the checks of recursive shapes."""
    if shape.type == "structure":
        return _structure_check(shape, style, seen)
    if shape.type == "list":
        return _list_check(shape, style, seen)
    if shape.type == "map":
        return _map_check(shape, style, seen)
    if shape.type in INTEGER_TYPES or shape.type in FLOAT_TYPES:
        return _number_check(shape, style)
    return _text_check(shape, style)


def _structure_check(shape: Shape, style: Style, seen: dict[str, Check]) -> Check:
    if shape.name in seen:
        return seen[shape.name]
    plan: list[tuple[str, str, bool, Check | None]] = []

    def check_structure(value: Any) -> Failures:
        failures: list[Failure] | None = None
        for name, path, required, check in plan:
            member = value.get(name)
            if member is None:
                if required:
                    failures = failures or []
                    failures.append(Failure(path, _null(style), _NOT_NULL))
            elif check is not None:
                found = check(member)
                if found:
                    failures = failures or []
                    failures.extend([failure.below(path) for failure in found])
        return failures or ()

    seen[shape.name] = check_structure
    members, required = shape.members, shape.required
    for name in java_hash_order(members):
        check = _checker(members[name].shape, style, seen)
        if check is not None or name in required:
            plan.append((name, lower_first(name), name in required, check))
    return check_structure


def _null(style: Style) -> str:
    return "null " if style.shows_values else ""


def _text_check(shape: Shape, style: Style) -> Check | None:
    sentences = _text_sentences(shape, style)
    if not sentences:
        return None
    smallest, largest = shape.traits.get("min", 0), shape.traits.get("max", sys.maxsize)
    matches = _pattern_of(shape)
    values = frozenset(shape.traits.get("enum", ()))

    def check_text(value: Any) -> Failures:
        if (
            smallest <= len(value) <= largest
            and (matches is None or matches(value))
            and (not values or value in values)
        ):
            return ()
        broken = {
            "max": len(value) > largest,
            "min": len(value) < smallest,
            "pattern": matches is not None and not matches(value),
            "enum": bool(values) and value not in values,
        }
        shown = _shown(shape, style, value)
        own = _OWN_SENTENCES.get((style.service_name, shape.name))
        if own is not None and broken.pop("pattern"):
            alone = [Failure("", "", own, alone=True)]
        else:
            alone = []
        return [Failure("", shown, text) for trait, text in sentences.items() if broken.get(trait)] + alone

    return check_text


def _pattern_of(shape: Shape) -> Matcher | None:
    pattern = _CORRECTED_PATTERNS.get(shape.name) or shape.traits.get("pattern")
    return matcher(pattern) if pattern and shape.type == "string" else None


def _text_sentences(shape: Shape, style: Style) -> dict[str, str]:
    """AWS's sentence for each broken trait of a string or blob, in AWS's order."""
    sentences: dict[str, str] = {}
    if "max" in shape.traits:
        sentences["max"] = f"Member must have length less than or equal to {shape.traits['max']}"
    if shape.traits.get("min", 0) > 0:
        sentences["min"] = f"Member must have length greater than or equal to {shape.traits['min']}"
    if "pattern" in shape.traits:
        sentences["pattern"] = f"Member must satisfy regular expression pattern: {shape.traits['pattern']}"
    if "enum" in shape.traits:
        allowed = f": [{', '.join(shape.traits['enum'])}]" if style.shows_enum_values else ""
        sentences["enum"] = f"Member must satisfy enum value set{allowed}"
    return sentences


def _number_check(shape: Shape, style: Style) -> Check | None:
    smallest, largest = shape.traits.get("min"), shape.traits.get("max")
    if smallest is None and largest is None:
        return None

    def check_number(value: Any) -> Failures:
        if largest is not None and value > largest:
            return [Failure("", _shown(shape, style, value), f"Member must have value less than or equal to {largest}")]
        if smallest is not None and value < smallest:
            return [
                Failure("", _shown(shape, style, value), f"Member must have value greater than or equal to {smallest}")
            ]
        return ()

    return check_number


def _size_failures(shape: Shape, style: Style, value: Any) -> Failures:
    size, traits = len(value), shape.traits
    if size > traits.get("max", sys.maxsize):
        text = f"Member must have length less than or equal to {traits['max']}"
    elif size < traits.get("min", 0):
        text = f"Member must have length greater than or equal to {traits['min']}"
    else:
        return ()
    return [Failure("", _shown(shape, style, value), text)]


def _list_check(shape: Shape, style: Style, seen: dict[str, Check]) -> Check:
    element = shape.part("member").shape
    check = _checker(element, style, seen)
    if element.type in {"structure", "list", "map"}:
        return _nested_list_check(shape, style, check)
    wanted = list(_scalar_sentences(element, style))
    # Recorded: lists with a length limit of their own also mention null, lists without one do not.
    if not wanted or "max" in shape.traits or "min" in shape.traits:
        wanted.append(_NOT_NULL)
    text = f"Member must satisfy constraint: [{', '.join(wanted)}]"

    def check_scalars(value: Any) -> Failures:
        failures = _size_failures(shape, style, value)
        for item in value:
            if item is None or (check is not None and check(item)):
                return [*failures, Failure("", _shown(shape, style, value), text)]
        return failures

    return check_scalars


def _scalar_sentences(shape: Shape, style: Style) -> Iterable[str]:
    if shape.type in INTEGER_TYPES or shape.type in FLOAT_TYPES:
        bounds = (("max", "less"), ("min", "greater"))
        return [
            f"Member must have value {word} than or equal to {shape.traits[trait]}"
            for trait, word in bounds
            if trait in shape.traits
        ]
    return _text_sentences(shape, style).values()


def _nested_list_check(shape: Shape, style: Style, check: Check | None) -> Check:
    def check_elements(value: Any) -> Failures:
        failures = list(_size_failures(shape, style, value))
        for index, item in enumerate(value, 1):
            if item is None:
                failures.append(Failure(f"{index}.member", _null(style), _NOT_NULL))
            elif check is not None:
                failures.extend([failure.below(f"{index}.member") for failure in check(item)])
            if len(failures) > MAXIMUM_FAILURES:
                break
        return failures

    return check_elements


def _map_check(shape: Shape, style: Style, seen: dict[str, Check]) -> Check:
    key, element = shape.part("key").shape, shape.part("value").shape
    check_key, check_value = _checker(key, style, seen), _checker(element, style, seen)
    nested = element.type in {"structure", "list", "map"}
    key_text = f"Map keys must satisfy constraint: [{', '.join([*_scalar_sentences(key, style), _NOT_NULL])}]"
    value_text = f"Map value must satisfy constraint: [{', '.join([*_scalar_sentences(element, style), _NOT_NULL])}]"

    def check_map(value: Mapping[str, Any]) -> Failures:
        failures = list(_size_failures(shape, style, value))
        shown = _shown(shape, style, value)
        if check_key is not None and any(check_key(name) for name in value):
            failures.append(Failure("", shown, key_text))
        if any(
            item is None or (not nested and check_value is not None and check_value(item)) for item in value.values()
        ):
            failures.append(Failure("", shown, value_text))
        if nested and check_value is not None:
            for name, item in value.items():
                if item is not None and len(failures) <= MAXIMUM_FAILURES:
                    # AWS's form of a sensitive key in a path is not recorded.
                    place = HIDDEN if key.sensitive else name
                    failures.extend(failure.below(f"{place}.member") for failure in check_value(item))
        return failures

    return check_map


def _secret(shape: Shape, above: frozenset[str] = frozenset()) -> bool:
    """Whether a value of this shape may hold a sensitive part."""
    if shape.name in above:
        return False
    if shape.sensitive:
        return True
    above = above | {shape.name}
    parts = [
        *shape.members.values(),
        *(shape.part(name) for name in ("member", "key", "value") if name in shape.traits),
    ]
    return any(_secret(part.shape, above) for part in parts)


def _shown(shape: Shape, style: Style, value: Any) -> str:
    return f"'{_printed(value)}' " if style.shows_values and not _secret(shape) else ""


def _printed(value: Any) -> str:
    """A value as Java prints it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_printed, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{lower_first(name)}={_printed(item)}" for name, item in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return (
        f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]" if isinstance(value, bytes) else str(value)
    )
