"""The expectations file: its keys, their values, and every problem with its line.

expectations:
  - {principal: role/chime-reader, may: ["chime:Get*", "chime:List*"], may_not: ["chime:Create*", "iam:*"]}
  - {principal: user/ci, may_assume: [role/deploy], only_if: {sts:ExternalId: partner-id}}
  - {nobody: {may: "iam:CreateUser", but: [user/admin]}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from rolecall.expectations.actions import action_problem
from rolecall.expectations.context import Context, as_given_key, as_request_value
from rolecall.worlds import checking as c
from rolecall.worlds.json_schema import Schema, accepting, document, schema_of
from rolecall.worlds.located import Path, Problem, UnreadableError, read_located

VERBS = ("may", "may_not", "may_assume", "may_not_assume")
NOTHING_MESSAGE = f"expects nothing: give {', '.join(VERBS[:-1])} or {VERBS[-1]}"
SUBJECT_MESSAGE = "must have either principal or nobody"
ONLY_IF_MESSAGE = "belongs to may and may_assume; for a refusal in a context, give the context with given"
ON_MESSAGE = "belongs to may and may_not; may_assume names its roles"
GIVEN_MESSAGE = "is in only_if as well: leave one of them out"
RESOURCE_MESSAGE = "is no resource: write *, an ARN, or role/NAME, user/NAME, group/NAME or policy/NAME"
_SHORT_KINDS = ("role", "user", "group", "policy", "instance-profile")


class InvalidExpectationsError(Exception):
    """A file that cannot be used, with every problem in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in self.problems))


class Written(Struct, frozen=True):
    """A text of the file, and its line."""

    text: str
    line: int


class Expected(Struct, frozen=True):
    """One entry of the file.

    ``principals`` are those it is about; for ``nobody`` they are the exceptions. ``on`` are the resources of actions;
    without one the question is about any resource. The conditions of ``only_if`` must all be needed; ``given`` holds in
    every question. ``spelled`` has their keys as they stand in the file.
    """

    line: int
    nobody: bool
    principals: tuple[Written, ...]
    may: tuple[Written, ...] = ()
    may_not: tuple[Written, ...] = ()
    may_assume: tuple[Written, ...] = ()
    may_not_assume: tuple[Written, ...] = ()
    on: tuple[Written, ...] = ()
    only_if: Context = field(default_factory=dict)
    given: Context = field(default_factory=dict)
    spelled: Mapping[str, str] = field(default_factory=dict)

    @property
    def actions(self) -> list[str]:
        """Every action and pattern of actions that the entry names."""
        return [each.text for each in (*self.may, *self.may_not)]


def read_expectations(text: str) -> tuple[Expected, ...]:
    """The entries of a file. Raises InvalidExpectationsError."""
    try:
        located = read_located(text)
    except UnreadableError as error:
        raise InvalidExpectationsError(error.problems) from error
    notes = c.Notes(located)
    found = None
    try:
        found = _FILE(notes, (), located.value)
        if found == () and not notes.problems:
            notes.add((), "expects nothing: the list expectations is empty")
    except c.EnoughProblemsError:
        pass
    if found is None or notes.problems:
        raise InvalidExpectationsError(notes.problems)
    return tuple(found)


def _texts(check: c.Check) -> c.Check:
    """A text or a list of texts."""

    @accepting(lambda: _one_or_more(schema_of(check)))
    def checked(notes: c.Notes, path: Path, value: Any) -> tuple[Written, ...] | None:
        if isinstance(value, list):
            if not value:
                notes.add(path, "must not be empty")
            return tuple(
                each for index, one in enumerate(value) if (each := _written(notes, (*path, index), one, check))
            )
        one = _written(notes, path, value, check)
        return None if one is None else (one,)

    return checked


def _written(notes: c.Notes, path: Path, value: Any, check: c.Check) -> Written | None:
    text = check(notes, path, value)
    return None if text is None else Written(text, notes.located.line(path))


def _one_or_more(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": schema, "minItems": 1}]}


@accepting(lambda: {"type": "string", "minLength": 1, "description": "an action such as chime:ListUsers or iam:*"})
def _action(notes: c.Notes, path: Path, value: Any) -> str | None:
    text = _name(notes, path, value)
    problem = action_problem(text) if text is not None else ""
    if problem:
        notes.add(path, problem)
    return None if problem else text


@accepting(lambda: {"type": "string", "minLength": 1})
def _name(notes: c.Notes, path: Path, value: Any) -> str | None:
    text: str | None = c.text(notes, path, value)
    if text == "":
        notes.add(path, "must not be empty")
    return text or None


@accepting(lambda: {"type": "string", "minLength": 1, "description": "*, an ARN, or a short form such as role/NAME"})
def _resource(notes: c.Notes, path: Path, value: Any) -> str | None:
    text = _name(notes, path, value)
    if text is None or text == "*":
        return text
    if text.startswith("arn:"):
        if text.count(":") >= 5 or text.endswith("*"):
            return text
    else:
        kind, slash, name = text.rpartition(":")[2].partition("/")
        if slash and name and kind in _SHORT_KINDS:
            return text
    notes.add(path, f"{text!r} {RESOURCE_MESSAGE}")
    return None


@accepting(lambda: {"type": "object", "minProperties": 1, "propertyNames": {"pattern": ":"}})
def _context(notes: c.Notes, path: Path, value: Any) -> Context | None:
    if not isinstance(value, dict) or not value:
        notes.add(path, "must be a mapping of condition keys to values, such as {sts:ExternalId: partner-id}")
        return None
    found = {}
    for key, given in value.items():
        carried = as_request_value(given)
        if ":" not in key:
            notes.add((*path, key), f"{key!r} is not a condition key: write it as sts:ExternalId or aws:SourceIp")
        elif carried is None:
            notes.add((*path, key), "must be text, a number, true or false, or a list of them")
        elif as_given_key(key) in found:
            notes.add((*path, key), "appears twice (condition keys compare without case)")
        else:
            found[as_given_key(key)] = carried
    return found


_OF_VERBS: Mapping[str, c.Check] = {
    "may": _texts(_action),
    "may_not": _texts(_action),
    "may_assume": _texts(_name),
    "may_not_assume": _texts(_name),
}
_NOBODY = c.record(
    dict,
    {
        "may": ("may", _texts(_action)),
        "may_assume": ("may_assume", _texts(_name)),
        "but": ("but", _texts(_name)),
        "on": ("on", _texts(_resource)),
        "given": ("given", _context),
    },
    (),
)
_MEMBERS = c.record(
    dict,
    {
        "principal": ("principal", _texts(_name)),
        **{verb: (verb, check) for verb, check in _OF_VERBS.items()},
        "on": ("on", _texts(_resource)),
        "only_if": ("only_if", _context),
        "given": ("given", _context),
        "nobody": ("nobody", _NOBODY),
    },
    (),
)


def _entry_schema() -> Schema:
    """The members of an entry. Either it is about principals, or about everybody but some."""
    about_principals: Schema = {"required": ["principal"], "not": {"required": ["nobody"]}}
    about_nobody: Schema = {"required": ["nobody"], "maxProperties": 1}
    expecting = {"anyOf": [{"required": [verb]} for verb in VERBS]}
    return {**schema_of(_MEMBERS), "anyOf": [{**about_principals, **expecting}, about_nobody]}


@accepting(_entry_schema)
def _entry(notes: c.Notes, path: Path, value: Any) -> Expected | None:
    members = _MEMBERS(notes, path, value)
    if members is None:
        return None
    if ("principal" in value) == ("nobody" in value):
        notes.add(path, SUBJECT_MESSAGE)
        return None
    line = notes.located.line(path)
    if "nobody" in value:
        return _nobody(notes, path, value, members, line)
    if not any(verb in value for verb in VERBS):
        notes.add(path, NOTHING_MESSAGE)
    if "only_if" in value and ("may_not" in value or "may_not_assume" in value):
        notes.add((*path, "only_if"), ONLY_IF_MESSAGE)
    if "on" in value and not ("may" in value or "may_not" in value):
        notes.add((*path, "on"), ON_MESSAGE)
    for key in members.get("only_if", {}).keys() & members.get("given", {}).keys():
        notes.add((*path, "given"), f"{key} {GIVEN_MESSAGE}")
    return Expected(line, nobody=False, principals=members.pop("principal", ()), spelled=_spelled(value), **members)


def _nobody(notes: c.Notes, path: Path, value: Any, members: dict[str, Any], line: int) -> Expected | None:
    for key in value:
        if key != "nobody":
            notes.add((*path, key), "belongs into nobody: {…}")
    inner, within = value["nobody"], members.get("nobody")
    if within is None:
        return None
    path = (*path, "nobody")
    if "may" not in inner and "may_assume" not in inner:
        notes.add(path, "expects nothing: give may or may_assume")
    if "on" in inner and "may" not in inner:
        notes.add((*path, "on"), ON_MESSAGE)
    return Expected(line, nobody=True, principals=within.pop("but", ()), spelled=_spelled(inner), **within)


def _spelled(value: dict[str, Any]) -> dict[str, str]:
    """The condition keys of an entry, as they stand in the file, by the form in which they are compared."""
    contexts = (value.get(key) for key in ("only_if", "given"))
    return {as_given_key(key): key for context in contexts if isinstance(context, dict) for key in context}


@accepting(lambda: {"const": 1})
def _version(notes: c.Notes, path: Path, value: object) -> None:
    if type(value) is not int or value != 1:
        notes.add(path, "must be 1: this version of Rolecall reads version 1 of the format")


_FILE = c.record(
    lambda expectations: expectations,
    {"version": ("", _version), "expectations": ("expectations", c.list_of(_entry))},
    ("expectations",),
)


def expectations_schema() -> Schema:
    """The JSON schema of the expectations file."""
    schema = document(_FILE, "Expectations of Rolecall: who may do what")
    schema["properties"]["expectations"]["minItems"] = 1
    return schema
