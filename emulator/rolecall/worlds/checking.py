"""Checks of single values of a sandbox file. A check notes a problem and goes on, so that all are reported at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from rolecall.clock import EARLIEST_SECONDS
from rolecall.issuers import issuer_problem
from rolecall.policy import MalformedPolicy, Policy, PolicyKind, parse_policy
from rolecall.sessions.saml.on_demand import read_metadata
from rolecall.sessions.saml.records import BadMetadataError, SamlNotInstalledError
from rolecall.sessions.web_identity import BadKeySetError, read_key_set
from rolecall.worlds.document_files import FILE_KEYS, DocumentFile
from rolecall.worlds.files import ElsewhereError, read_beside
from rolecall.worlds.json_schema import A_POLICY, Schema, accepting, mapping_with, schema_of, text_matching
from rolecall.worlds.located import MAXIMUM_PROBLEMS, Located, Path, Problem
from rolecall.worlds.policy_problems import hint, pointed_at

Result = TypeVar("Result")
Check = Callable[["Notes", Path, Any], Any]

MAXIMUM_KEY_SET_BYTES = 1_048_576
MAXIMUM_METADATA_BYTES = 10_000_000
# 9999-12-31: the latest date that an answer can show.
LATEST_DATE_SECONDS = 253_402_300_799
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer"}
_FILE: Schema = {"type": "string", "minLength": 1, "description": "the path of a file, from this file's folder"}
_FILES: Schema = {"type": "object", "additionalProperties": _FILE}
_TYPE_NAMES = {str: "text", bool: "true or false", int: "a whole number", list: "a list", dict: "a mapping"}


class EnoughProblemsError(Exception):
    """The file has more problems than anyone reads, so the rest of it is not checked."""


class Notes:
    """The problems found so far in one file. Too many of them raise EnoughProblemsError."""

    def __init__(self, located: Located, folder: str | None = None) -> None:
        self.located = located
        self._folder = folder
        # Whether the meaning of the text depends on other files.
        self.names_files = False
        self.problems: list[Problem] = []

    @property
    def folder(self) -> str | None:
        """Paths in the file are relative to this folder. None for a text without a file."""
        self.names_files = True
        return self._folder

    def add(self, path: Path, message: str, within: Path = ()) -> None:
        """Note a problem of ``path``. Its line is the line of the place ``within`` the value."""
        line = self.located.line((*path, *within))
        self.problems.append(Problem(line, f"{spelled(path)}: {message}" if path else message))
        if len(self.problems) >= MAXIMUM_PROBLEMS:
            raise EnoughProblemsError


def spelled(path: Path) -> str:
    """``accounts[0].users[1].name``"""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _has_surrogate(text: str) -> bool:
    """Whether half a surrogate pair stands alone, as JSON's escapes allow. No answer could carry it."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _of_type(kind: type) -> Check:
    @accepting(lambda: {"type": _JSON_TYPES[kind]})
    def check(notes: Notes, path: Path, value: Any) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            notes.add(path, f"must be {_TYPE_NAMES[kind]}")
            return None
        if isinstance(value, str) and ("\0" in value or _has_surrogate(value)):
            notes.add(path, "holds a character that is not allowed in text")
            return None
        return value

    return check


text = _of_type(str)
boolean = _of_type(bool)
whole_number = _of_type(int)


def matching(pattern: str, description: str) -> Check:
    """A text that matches all of ``pattern``."""
    compiled = re.compile(pattern)

    @accepting(lambda: text_matching(pattern, description))
    def check(notes: Notes, path: Path, value: Any) -> str | None:
        if isinstance(value, str) and compiled.fullmatch(value):
            return value
        hint = ' (write it in quotes, "…")' if isinstance(value, int) else ""
        notes.add(path, f"must be {description}{hint}")
        return None

    return check


def one_of(*choices: str) -> Check:
    @accepting(lambda: {"enum": list(choices)})
    def check(notes: Notes, path: Path, value: Any) -> str | None:
        if value in choices:
            return str(value)
        notes.add(path, f"must be {' or '.join(choices)}")
        return None

    return check


def between(lowest: int, highest: int) -> Check:
    @accepting(lambda: {"type": "integer", "minimum": lowest, "maximum": highest})
    def check(notes: Notes, path: Path, value: Any) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        notes.add(path, f"must be a whole number from {lowest} to {highest}")
        return None

    return check


@accepting(lambda: {"type": "string", "description": "a time such as 2030-01-01T00:00:00Z"})
def moment(notes: Notes, path: Path, value: Any) -> int | None:
    """A time as text; the result is seconds since the epoch."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            seconds = int((found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp())
            if EARLIEST_SECONDS <= seconds <= LATEST_DATE_SECONDS:
                return seconds
    except (ValueError, OverflowError):
        pass
    notes.add(path, "must be a time such as 2030-01-01T00:00:00Z")
    return None


def optional(check: Check) -> Check:
    @accepting(lambda: {"anyOf": [schema_of(check), {"type": "null"}]})
    def checked(notes: Notes, path: Path, value: Any) -> Any:
        return None if value is None else check(notes, path, value)

    return checked


def list_of(check: Check) -> Check:
    """A list. The result leaves out members with problems."""

    @accepting(lambda: {"type": "array", "items": schema_of(check)})
    def checked(notes: Notes, path: Path, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            notes.add(path, "must be a list")
            return ()
        members = [check(notes, (*path, index), member) for index, member in enumerate(value)]
        return tuple(member for member in members if member is not None)

    return checked


def mapping_of(check: Check, key_check: Check | None = None) -> Check:
    """A mapping from any text to values that pass the check."""

    @accepting(lambda: _mapping_schema(check, key_check))
    def checked(notes: Notes, path: Path, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            notes.add(value.path if isinstance(value, DocumentFile) else path, "must be a mapping")
            return {}
        result = {}
        for key, member in value.items():
            if key_check is not None:
                key_check(notes, (*path, key), key)
            result[key] = check(notes, (*path, key), member)
        return {key: member for key, member in result.items() if member is not None}

    return checked


def record(make: Callable[..., Result], fields: Mapping[str, tuple[str, Check]], required: tuple[str, ...]) -> Check:
    """A mapping with known keys; the result is ``make(**members)``. ``fields``: key in the file -> (member, check).

    A document may also be named by its file. Such a key is known here, but the file was read before the check.
    """
    files = {key: FILE_KEYS[key] for key in fields if key in FILE_KEYS}
    fields = {**fields, **dict.fromkeys(files.values(), ("", _unread_file))}

    def schema() -> Schema:
        named = {file: _FILES if key == "inline_policies" else _FILE for key, file in files.items()}
        own = {key: schema_of(check) for key, (_, check) in fields.items() if key not in named}
        return mapping_with({**own, **named}, required, files)

    @accepting(schema)
    def checked(notes: Notes, path: Path, value: Any) -> Result | None:
        if not isinstance(value, dict):
            notes.add(path, "must be a mapping")
            return None
        members: dict[str, Any] = {}
        for key, member in value.items():
            if key not in fields:
                notes.add((*path, key), f"unknown key{_nearest(key, fields)}")
                continue
            name, check = fields[key]
            result = check(notes, (*path, key), member)
            if result is not None:
                members[name] = result
        missing = [key for key in required if key not in value]
        if missing:
            notes.add(path, f"lacks {', '.join(missing)}")
        if missing or any(fields[key][0] not in members for key in required):
            return None
        return make(**members)

    return checked


def _mapping_schema(check: Check, key_check: Check | None) -> Schema:
    keys = {} if key_check is None else {"propertyNames": schema_of(key_check)}
    return {"type": "object", "additionalProperties": schema_of(check), **keys}


def checked(check: Check, problem_of: Callable[[Any], str]) -> Check:
    """A value that passes ``check``, and about which ``problem_of`` has nothing to say."""

    @accepting(lambda: schema_of(check))
    def checked_again(notes: Notes, path: Path, value: Any) -> Any:
        result = check(notes, path, value)
        problem = "" if result is None else problem_of(result)
        if problem:
            notes.add(path, problem)
            return None
        return result

    return checked_again


def _unread_file(notes: Notes, path: Path, _value: Any) -> None:
    notes.add(path, "names the file of a document where there can be none")


def _nearest(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f", did you mean {near[0]!r}?" if near else f"; the known keys are {', '.join(known)}"


def policy(kind: PolicyKind, *, is_inline: bool = False) -> Check:
    """A policy document, as a mapping or as JSON text; the result is JSON text."""

    @accepting(lambda: A_POLICY)
    def check(notes: Notes, path: Path, value: Any) -> str | None:
        if not isinstance(value, (dict, str)):
            notes.add(path, "must be a policy document: a mapping, or JSON text")
            return None
        if isinstance(value, DocumentFile) and value.problem:
            notes.add(value.path, value.problem)
            return None
        document = document_text(value)
        try:
            accepted_policy(document, kind, is_inline=is_inline)
        except MalformedPolicy as error:
            message = f"not a policy that AWS accepts: {error}{hint(error.pointer)}"
            if isinstance(value, DocumentFile):
                notes.add(value.path, f"{value.place(error.pointer)}: {message}")
            else:
                notes.add(path, message, pointed_at(error.pointer, value))
            return None
        return document

    return check


# The check of a trust policy, the check of its principals and the set-up all read it, and many roles have the same one.
@lru_cache(maxsize=4096)
def accepted_policy(text: str, kind: PolicyKind, *, is_inline: bool = False) -> Policy:
    """The policy that a text holds. Raises MalformedPolicy."""
    return parse_policy(text, kind, is_inline=is_inline)


def document_text(value: Any) -> str:
    """A policy document as JSON text. A text stays as it is."""
    return str(value) if isinstance(value, str) else json.dumps(value)


def document_of(text: str) -> Any:
    """A policy as a mapping if that gives exactly the same text again; else the text."""
    try:
        value = json.loads(text)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, dict) and json.dumps(value) == text and _is_plain(value) else text


def _is_plain(value: Any) -> bool:
    """Whether YAML keeps the value's exact text. A number with a fraction may come back in another form."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | bool | int)


@accepting(lambda: {"type": "string", "description": "the URL of an OpenID Connect provider"})
def issuer_url(notes: Notes, path: Path, value: Any) -> str | None:
    """The URL of an OpenID Connect provider."""
    problem = issuer_problem(value) if isinstance(value, str) else "it must be text"
    if problem:
        notes.add(path, f"not the URL of a provider: {problem}")
        return None
    return str(value)


def _text_of_file(
    notes: Notes, path: Path, value: Any, maximum_bytes: int, read: Callable[[str], object]
) -> str | None:
    """The text of a file beside the sandbox file, if ``read`` accepts it."""
    if not isinstance(value, str) or not value:
        notes.add(path, "must be the path of a file")
        return None
    try:
        text = read_beside(notes.folder, value, maximum_bytes)
        read(text)
    except ElsewhereError as error:
        notes.add(path, str(error))
        return None
    except (OSError, UnicodeDecodeError) as error:
        notes.add(path, f"cannot read {value}: {getattr(error, 'strerror', None) or error}")
        return None
    except (BadKeySetError, BadMetadataError, ValueError) as error:
        notes.add(path, f"{value} cannot be used: {error}")
        return None
    except SamlNotInstalledError as error:
        notes.add(path, error.message)
        return None
    return text


@accepting(lambda: _FILE)
def key_set_file(notes: Notes, path: Path, value: Any) -> str | None:
    """The path of a file with a JSON Web Key Set. The result is the file's text."""
    return _text_of_file(notes, path, value, MAXIMUM_KEY_SET_BYTES, read_key_set)


@accepting(lambda: _FILE)
def saml_metadata_file(notes: Notes, path: Path, value: Any) -> str | None:
    """The path of a file with the metadata of a SAML identity provider. The result is the file's text."""
    return _text_of_file(notes, path, value, MAXIMUM_METADATA_BYTES, read_metadata)


@accepting(lambda: {"type": "string", "description": "the metadata of a SAML identity provider as XML text"})
def saml_metadata(notes: Notes, path: Path, value: Any) -> str | None:
    """The metadata of a SAML identity provider as XML text."""
    if not isinstance(value, str) or not value:
        notes.add(path, "must be XML text")
        return None
    if len(value.encode("utf-8", "surrogatepass")) > MAXIMUM_METADATA_BYTES:
        notes.add(path, f"longer than {MAXIMUM_METADATA_BYTES} bytes")
        return None
    try:
        read_metadata(value)
    except (BadMetadataError, SamlNotInstalledError) as error:
        notes.add(path, f"cannot be used: {error}" if isinstance(error, BadMetadataError) else error.message)
        return None
    return value


def saml_is_missing() -> str:
    """What to install, if SAML needs an extra of Rolecall that is not installed; else empty."""
    try:
        read_metadata("")
    except SamlNotInstalledError as error:
        return error.message
    except BadMetadataError:
        pass
    return ""


def not_emulated(what: str) -> Check:
    """A key of the format that this version does not support. An empty list is accepted, anything else is a problem."""

    @accepting(lambda: {"type": "array", "maxItems": 0})
    def check(notes: Notes, path: Path, value: Any) -> None:
        if value:
            notes.add(path, f"{what} are not emulated by this version of Rolecall")

    return check
