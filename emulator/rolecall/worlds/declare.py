"""The sandbox file: its keys, their possible values, and what they may refer to."""

from __future__ import annotations

import hashlib
from itertools import chain
from pathlib import Path as FilePath

from msgspec.structs import replace

from rolecall.policy import PolicyKind
from rolecall.settings import PARTITIONS, SandboxSettings
from rolecall.version import __version__
from rolecall.worlds import checking as c
from rolecall.worlds import world as w
from rolecall.worlds.attached import dangling_attachments
from rolecall.worlds.chime_sdk_references import dangling_chime_sdk
from rolecall.worlds.collection import without_collection
from rolecall.worlds.control_policies import control_document, management_document
from rolecall.worlds.document_files import read_document_files
from rolecall.worlds.files import read_named
from rolecall.worlds.identity_center import DeclaredIdentityCenter, DeclaredPermissionSet, dangling_center
from rolecall.worlds.json_schema import Schema, accepting, document
from rolecall.worlds.located import Located, Path, Problem, UnreadableError, read_located
from rolecall.worlds.members import record_of
from rolecall.worlds.membership_references import dangling_memberships
from rolecall.worlds.quotas import quotas
from rolecall.worlds.references import UNIT_NAME_MEANING, UNIT_NAME_PATTERN, dangling
from rolecall.worlds.row_checks import ROWS, dangling_rows, rows

# The first line of a snapshot. A snapshot that is cut off is still a sandbox file, so it must not count as complete.
SNAPSHOT_BEGIN = "# A snapshot: "
SNAPSHOT_END = "..."

_REGION = c.matching(r"(?!us-east-1$)[a-z]{2,4}(-[a-z]+)+-\d{1,2}", "a Region such as ap-east-1, but not us-east-1")

_UNIT_NAME = c.matching(UNIT_NAME_PATTERN, UNIT_NAME_MEANING)
_ANY_UNIT_NAME = c.matching(r"(?s).{1,128}", "a name of up to 128 characters")
_UNIT = c.record(
    w.DeclaredUnit,
    {
        "name": ("name", _ANY_UNIT_NAME),
        "id": ("ou_id", c.matching(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}", "an id such as ou-exam-1a2b3c4d")),
        "parent": ("parent", _UNIT_NAME),
        "accounts": ("accounts", c.list_of(w.ACCOUNT_ID)),
    },
    ("name",),
)


_POLICY_KEYS: dict[str, tuple[str, c.Check]] = {
    "name": ("name", c.matching(r"(?s).{1,128}", "a name of up to 128 characters")),
    "id": ("policy_id", c.matching(r"p-[0-9a-zA-Z_]{8,128}", "a policy id such as p-1a2b3c4d")),
    "description": ("description", c.matching(r"(?s).{0,512}", "a text of up to 512 characters")),
    "attached": ("attached", c.boolean),
    "targets": ("targets", c.list_of(c.text)),
}


def _control_policy(kind: PolicyKind) -> c.Check:
    keys = {**_POLICY_KEYS, "document": ("document", control_document(kind))}
    return c.record(w.DeclaredControlPolicy, keys, ("name", "document"))


_MANAGEMENT_POLICY = c.record(
    w.DeclaredManagementPolicy,
    {
        **_POLICY_KEYS,
        "type": ("policy_type", c.matching(r"[A-Z][A-Z0-9_]{1,39}", "a type of policies such as TAG_POLICY")),
        "document": ("document", management_document),
    },
    ("name", "type", "document"),
)


_ORGANIZATION = c.record(
    w.DeclaredOrganization,
    {
        "id": ("organization_id", c.matching(r"o-[a-z0-9]{10,32}", "an organization id such as o-example1234")),
        "organizational_units": ("organizational_units", c.list_of(_UNIT)),
        "service_control_policies": ("service_control_policies", c.list_of(_control_policy(PolicyKind.SCP))),
        "resource_control_policies": ("resource_control_policies", c.list_of(_control_policy(PolicyKind.RCP))),
        "management_policies": ("management_policies", c.list_of(_MANAGEMENT_POLICY)),
        "management_account": ("management_account_id", w.ACCOUNT_ID),
        "delegated_administrators": ("delegated_administrators", c.list_of(w.ACCOUNT_ID)),
        "features": ("features", c.list_of(c.one_of("RootCredentialsManagement", "RootSessions"))),
    },
    ("id",),
)
_SETTINGS = c.record(
    SandboxSettings,
    {
        "strict": ("strict", c.boolean),
        "chime_denied_as": ("chime_denied_as", c.one_of("ForbiddenException", "AccessDeniedException")),
        "minimum_session_seconds": ("minimum_session_seconds", c.between(1, 900)),
        "disabled_regions": ("disabled_regions", c.list_of(_REGION)),
        "quotas": ("quotas", quotas),
        "partitions": ("partitions", c.mapping_of(c.one_of(*PARTITIONS), w.ACCOUNT_ID)),
    },
    (),
)


@accepting(lambda: {"const": 1})
def _version(notes: c.Notes, path: Path, value: object) -> None:
    if type(value) is not int or value != 1:
        notes.add(path, "must be 1: this version of Rolecall reads version 1 of the format")


_WORLD = c.record(
    w.World,
    {
        "version": ("", _version),
        "organization": ("organization", _ORGANIZATION),
        "accounts": ("accounts", c.list_of(record_of(w.DeclaredAccount))),
        "identity_center": ("identity_center", record_of(DeclaredIdentityCenter)),
        "permission_sets": ("permission_sets", c.list_of(record_of(DeclaredPermissionSet))),
        "settings": ("settings", _SETTINGS),
        ROWS: ("rows", rows),
    },
    ("accounts",),
)


def world_schema() -> Schema:
    """The JSON schema of the sandbox file."""
    schema = document(_WORLD, "A sandbox file of Rolecall")
    schema["properties"]["accounts"]["minItems"] = 1
    return {**schema, "required": ["version", *schema["required"]]}


class InvalidWorldError(Exception):
    """A sandbox file that cannot be used, with every problem in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in self.problems))


def read_world_file(path: str) -> w.World:
    """The world that a file declares. Raises OSError, or InvalidWorldError with every problem."""
    try:
        text = read_named(path)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidWorldError([Problem(line, "not UTF-8 text")]) from error
    except ValueError as error:
        raise InvalidWorldError([Problem(1, str(error))]) from error
    return read_world(text, str(FilePath(path).parent))


def read_world(text: str, folder: str | None = None) -> w.World:
    """The world that a text declares. Files named in it are in ``folder``; without ``folder`` it may name none.

    Raises InvalidWorldError.
    """
    with without_collection():
        return _read(text, folder)


def _read(text: str, folder: str | None) -> w.World:
    try:
        located = read_located(text)
    except UnreadableError as error:
        raise InvalidWorldError(error.problems) from error
    if text.startswith(SNAPSHOT_BEGIN) and not text.rstrip().endswith(f"\n{SNAPSHOT_END}"):
        line = text.count("\n") + 1
        raise InvalidWorldError([Problem(line, f"the snapshot is cut off: its last line must be {SNAPSHOT_END}")])
    world, names_files = _world(located, folder)
    return world if names_files else replace(world, text_digest=text_digest(text))


def checked_world(located: Located, folder: str | None = None) -> w.World:
    """The world that a value declares, see :func:`read_world`. Raises InvalidWorldError.

    Documents that the value names by their files come into it.
    """
    return _world(located, folder)[0]


def _world(located: Located, folder: str | None) -> tuple[w.World, bool]:
    """The world, and whether it depends on other files."""
    names_files = read_document_files(located, folder)
    notes = c.Notes(located, folder)
    if isinstance(located.value, dict) and "version" not in located.value:
        notes.add((), "lacks version: 1")
    try:
        world = _checked(notes)
    except c.EnoughProblemsError as enough:
        raise InvalidWorldError(notes.problems) from enough
    if world is None or notes.problems:
        raise InvalidWorldError(notes.problems)
    return world, names_files or notes.names_files


def text_digest(text: str) -> str:
    """A digest of what a text declares, if it names no other file.

    The version is part of it, because another version may read more from the same text.
    """
    digest = hashlib.sha256(f"{__version__}\n".encode())
    digest.update(text.encode())
    return digest.hexdigest()


def _checked(notes: c.Notes) -> w.World | None:
    value = notes.located.value
    world: w.World | None = _WORLD(notes, (), value)
    if world is not None and value.get("accounts") == []:
        notes.add(("accounts",), "must name at least one account")
    for path, message in chain(
        dangling(value),
        dangling_chime_sdk(value),
        dangling_memberships(value),
        dangling_attachments(value),
        dangling_center(value),
        dangling_rows(value),
    ):
        notes.add(path, message)
    return world
