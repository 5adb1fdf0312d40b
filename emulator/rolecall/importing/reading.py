"""From files to one sandbox file: which kind each file is, and the module that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from rolecall.ids import Identifiers
from rolecall.importing.account_details import is_account_details, read_account_details
from rolecall.importing.cloudformation import is_template, read_template
from rolecall.importing.found import EnoughFoundError, Found, Place
from rolecall.importing.grants import Grants
from rolecall.importing.organizations import Organizations, is_organizations_answer
from rolecall.importing.sizes import check_sizes
from rolecall.importing.sources import Source, read_source
from rolecall.importing.terraform import is_terraform, read_terraform
from rolecall.importing.written import Imported, written
from rolecall.worlds.located import UnreadableError

NOTHING_GIVEN: Mapping[str, str] = MappingProxyType({})
UNKNOWN_MESSAGE = "not a file that Rolecall can import: docs/import.md lists the kinds of files"


def imported(
    names: Sequence[str],
    ids: Identifiers,
    account_id: str = "",
    given: Mapping[str, str] = NOTHING_GIVEN,
    step: Callable[[int, int], None] = lambda _done, _total: None,
) -> Imported:
    """The sandbox that the files describe together.

    ``account_id`` is for files that do not name their account, ``given`` has values that a template does not tell.
    ``step`` is called with the number of parts done and of all: each file is read once as a text and once for what it
    says, and what they say together is written once.

    Raises OSError, UnimportableError.
    """
    found, problems = Found(), []
    sources = []
    parts = 2 * len(names) + 1
    for number, name in enumerate(names):
        step(number, parts)
        try:
            sources.append(read_source(name))
        except UnreadableError as error:
            problems += [f"{name}:{problem.line}: {problem.message}" for problem in error.problems]
    try:
        reader = _Reader(found, Organizations(found), Grants(found), account_id, given)
        # Templates last, because another file may name the account.
        for number, source in enumerate(sorted(sources, key=lambda source: is_template(source.value))):
            step(len(names) + number, parts)
            reader.read(source)
        reader.grants.apply()
        reader.organizations.add()
        check_sizes(found)
    except EnoughFoundError:
        pass
    step(2 * len(names), parts)
    return written(found, ids, problems)


@dataclass(frozen=True, slots=True)
class _Reader:
    found: Found
    organizations: Organizations
    grants: Grants
    account_id: str
    given: Mapping[str, str]

    def read(self, source: Source) -> None:
        """A file may be a list of answers, as ``jq --slurp`` writes them. Raises EnoughFoundError."""
        place = Place(source)
        if isinstance(source.value, list):
            for index, each in enumerate(source.value):
                self._read(place / index, each)
        else:
            self._read(place, source.value)

    def _read(self, place: Place, value: Any) -> None:
        if is_account_details(value):
            read_account_details(self.found, place, value)
        elif is_terraform(value):
            read_terraform(self.grants, self.organizations, place, value, self.account_id)
        elif is_organizations_answer(value):
            self.organizations.read(place, value)
        elif is_template(value):
            only = next(iter(self.found.accounts)) if len(self.found.accounts) == 1 else ""
            read_template(self.grants, place, value, self.account_id or only, self.given)
        else:
            self.found.problem(place, UNKNOWN_MESSAGE)
