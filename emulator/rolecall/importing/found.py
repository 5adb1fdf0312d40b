"""What was found in the files to import: parts of a sandbox file, each with the place that it came from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rolecall.importing.sources import Source
from rolecall.worlds.checking import spelled
from rolecall.worlds.located import MAXIMUM_PROBLEMS, Path, Problem

Section = dict[str, Any]
_NOT_KNOWN = "Rolecall does not have this; it is left out"


def as_text(value: Any) -> Any:
    """A number or truth value as CloudFormation writes it into texts; anything else as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


class EnoughFoundError(Exception):
    """The files have more problems than anyone reads, so the rest of them is not checked."""


@dataclass(frozen=True, slots=True)
class Place:
    """A value of a file, by its path."""

    source: Source
    path: Path = ()

    def __truediv__(self, part: str | int) -> Place:
        return Place(self.source, (*self.path, part))

    @property
    def line(self) -> int:
        return self.source.line(self.path)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a place that the user should know: ``file:line: path: message``."""

    place: Place
    message: str

    def __str__(self) -> str:
        path = spelled(self.place.path)
        problem = Problem(self.place.line, f"{path}: {self.message}" if path else self.message)
        return f"{self.place.source.name}:{problem.line}: {problem.message}"


@dataclass
class Found:
    """Accounts by id, the organization, and the findings so far.

    - ``origins``: where each part came from, by its path in the sandbox file.
    - ``of_aws``: the paths of policies that stand for a policy of AWS. AWS's own policies have no size limit.
    - ``problems``: nothing is imported while there is one.
    - ``notes``: what a file names and the sandbox will not have, and what was assumed.
    """

    accounts: dict[str, Section] = field(default_factory=dict)
    organization: Section = field(default_factory=dict)
    origins: dict[tuple[str | int, ...], Place] = field(default_factory=dict)
    of_aws: set[Path] = field(default_factory=set)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def problem(self, place: Place, message: str) -> None:
        """Raises EnoughFoundError."""
        self.problems.append(Finding(place, message))
        if len(self.problems) >= MAXIMUM_PROBLEMS:
            raise EnoughFoundError

    def note(self, place: Place, message: str) -> None:
        self.notes.append(Finding(place, message))

    def account(self, account_id: str, place: Place) -> Section:
        """The section of an account, made when it is new."""
        if account_id not in self.accounts:
            self.accounts[account_id] = {"id": account_id}
            self.origins[account_id,] = place
        return self.accounts[account_id]

    def add(self, account_id: str, noun: str, section: Section, place: Place) -> Section:
        """Add an entity to one of an account's lists."""
        listed = self.account(account_id, place).setdefault(noun, [])
        self.origins[account_id, noun, len(listed)] = place
        listed.append(section)
        return section

    def add_to_organization(self, noun: str, section: Section, place: Place) -> Section:
        listed = self.organization.setdefault(noun, [])
        self.origins["organization", noun, len(listed)] = place
        listed.append(section)
        return section


@dataclass(frozen=True, slots=True)
class Part:
    """A mapping in a file, read member by member. A member of the wrong type is a problem, and reads as absent.

    ``is_lenient``: numbers and truth values are texts too, as CloudFormation takes them.
    """

    found: Found
    place: Place
    value: Mapping[str, Any]
    is_lenient: bool = False

    def text(self, key: str, *, required: bool = False) -> str:
        value = self._as_text(self.value.get(key))
        if isinstance(value, str):
            return value
        if value is not None or required:
            self.found.problem(self.place / key, f"must be text: {key}" if value is not None else f"lacks {key}")
        return ""

    def parts(self, key: str) -> list[Part]:
        """The mappings in a list."""
        found = []
        for index, each in enumerate(self._list(key)):
            if isinstance(each, dict):
                found.append(Part(self.found, self.place / key / index, each, self.is_lenient))
            else:
                self.found.problem(self.place / key / index, "must be a mapping")
        return found

    def texts(self, key: str) -> Iterator[tuple[int, str]]:
        for index, each in enumerate(map(self._as_text, self._list(key))):
            if isinstance(each, str):
                yield index, each
            else:
                self.found.problem(self.place / key / index, "must be text")

    def part(self, key: str) -> Part | None:
        """A mapping; None when it is absent."""
        value = self.value.get(key)
        if value is None or isinstance(value, dict):
            return None if value is None else Part(self.found, self.place / key, value, self.is_lenient)
        self.found.problem(self.place / key, "must be a mapping")
        return None

    def note_unknown(self, known: Collection[str]) -> None:
        """Note each member that Rolecall does not have and that has a content."""
        for key, value in self.value.items():
            if key not in known and value not in (None, "", [], {}):
                self.found.note(self.place / key, _NOT_KNOWN)

    def _as_text(self, value: Any) -> Any:
        return as_text(value) if self.is_lenient else value

    def _list(self, key: str) -> list[Any]:
        value = self.value.get(key)
        if value is None or isinstance(value, list):
            return value or []
        self.found.problem(self.place / key, "must be a list")
        return []
