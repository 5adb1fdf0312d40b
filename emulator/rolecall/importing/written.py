"""From what was found in the files to a sandbox file, whose every problem has the file and line that it came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rolecall.ids import LONG_TERM_KEY_PREFIX, Identifiers
from rolecall.importing.found import Found, Place, Section
from rolecall.worlds.checking import spelled
from rolecall.worlds.declare import InvalidWorldError, checked_world
from rolecall.worlds.located import MAXIMUM_VALUES, Located, Path
from rolecall.worlds.snapshots import without_defaults
from rolecall.worlds.yaml_written import yaml_text

_HEADING = (
    "# An imported sandbox. Rolecall made up its access keys; no secret comes from AWS. Start it with\n"
    "# rolecall serve --config FILE\n"
)
_DOCUMENTS = ("document", "trust_policy")


@dataclass(frozen=True, slots=True)
class MadeKey:
    """An access key that was made up. ``user`` is a name, or empty for the account's root user."""

    account_id: str
    user: str
    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Imported:
    """A sandbox file as text, the access keys in it, and what the user should know, one line each."""

    text: str
    keys: tuple[MadeKey, ...]
    notes: tuple[str, ...]


class UnimportableError(Exception):
    """The files cannot be imported. ``problems`` has one line each, with file and line."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(dict.fromkeys(problems))
        super().__init__("; ".join(self.problems))


def written(found: Found, ids: Identifiers, unread: Sequence[str] = ()) -> Imported:
    """The sandbox file of what was found. ``unread`` are the problems of files that could not be read.

    Raises UnimportableError with every problem.
    """
    world = without_defaults(_world(found))
    problems = [*unread, *map(str, found.problems)]
    if not found.accounts and not problems:
        raise UnimportableError(["the files name no account"])
    # A part that could not be read is no reason for a second message.
    spoilt = {problem.place.source.name for problem in found.problems}
    lines = _numbered(found)
    located = Located(world, {path: number for number, (path, _) in enumerate(lines)})
    try:
        checked_world(located)
    except InvalidWorldError as error:
        for problem in error.problems if lines else ():
            path, place = lines[problem.line]
            if place.source.name not in spoilt:
                problems.append(_message(path, place, problem.message))
    if problems:
        raise UnimportableError(problems)
    keys = _made_keys(world["accounts"], ids)
    if _values(world) > MAXIMUM_VALUES // 2:
        # A document as text is one value, so more of them fit into a sandbox file.
        _as_text(world)
    return Imported(_HEADING + yaml_text(world), tuple(keys), tuple(str(note) for note in found.notes))


def _world(found: Found) -> Section:
    management = found.organization.get("management_account")
    # The management account is the first one, unless there is none.
    accounts = sorted(found.accounts.values(), key=lambda account: account["id"] != management)
    for account in accounts:
        for noun in ("users", "groups", "policies", "roles", "instance_profiles"):
            if noun in account:
                account[noun] = account.pop(noun)
    world: Section = {"version": 1}
    if found.organization:
        world["organization"] = found.organization
    return world | {"accounts": accounts}


def _numbered(found: Found) -> list[tuple[Path, Place]]:
    """The places by path in the sandbox file. The check of the file sees their numbers as its lines."""
    order = {account["id"]: index for index, account in enumerate(_world(found)["accounts"])}
    first = next(iter(found.origins.values()), None)
    numbered: list[tuple[Path, Place]] = [((), first)] if first is not None else []
    for path, place in found.origins.items():
        owner: Path = ("organization",) if path[0] == "organization" else ("accounts", order[str(path[0])])
        numbered.append(((*owner, *path[1:]), place))
    return numbered


def _message(path: Path, place: Place, message: str) -> str:
    """A problem of the sandbox file, told about the place in the imported file that the part came from."""
    if path and message.startswith(spelled(path)):
        message = f"{spelled(place.path)}{message.removeprefix(spelled(path))}"
    return f"{place.source.name}:{place.line}: {message}"


def _made_keys(accounts: list[Section], ids: Identifiers) -> list[MadeKey]:
    """One access key for each user, or for the root user of an account without users."""
    made = []
    for account in accounts:
        users = account.get("users", ())
        for owner in users or [account]:
            key = MadeKey(
                account["id"],
                owner["name"] if users else "",
                ids.access_key_id(LONG_TERM_KEY_PREFIX, account["id"]),
                ids.secret_access_key(),
            )
            made.append(key)
            section = [{"id": key.access_key_id, "secret": key.secret_access_key}]
            owner["access_keys" if users else "root_access_keys"] = section
    return made


def _values(value: Any) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_values, children))


def _as_text(value: Any) -> None:
    """Write the documents in a sandbox file as text."""
    if isinstance(value, list):
        for each in value:
            _as_text(each)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key in _DOCUMENTS and isinstance(member, dict):
                value[key] = json.dumps(member)
            elif key == "inline_policies":
                value[key] = {
                    name: json.dumps(each) if isinstance(each, dict) else each for name, each in member.items()
                }
            else:
                _as_text(member)
