"""From files to one sandbox file: which kind each file is, and the module that reads it."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.ids import Identifiers
from rolecall.importing.account_details import is_account_details, read_account_details
from rolecall.importing.found import EnoughFoundError, Found, Place
from rolecall.importing.organizations import Organizations, is_organizations_answer
from rolecall.importing.sources import Source, read_source
from rolecall.importing.written import Imported, UnimportableError, written
from rolecall.worlds.located import UnreadableError

UNKNOWN_MESSAGE = "not a file that Rolecall can import: docs/import.md lists the kinds of files"


def imported(names: Sequence[str], ids: Identifiers) -> Imported:
    """The sandbox that the files describe together. Raises OSError, UnimportableError."""
    found, problems = Found(), []
    sources = []
    for name in names:
        try:
            sources.append(read_source(name))
        except UnreadableError as error:
            problems += [f"{name}:{problem.line}: {problem.message}" for problem in error.problems]
    try:
        organizations = Organizations(found)
        for source in sources:
            _read(found, organizations, source)
        organizations.add()
    except EnoughFoundError:
        pass
    if problems:
        raise UnimportableError([*problems, *map(str, found.problems)])
    return written(found, ids)


def _read(found: Found, organizations: Organizations, source: Source) -> None:
    """A file may be a list of answers, as ``jq --slurp`` writes them."""
    place = Place(source)
    if isinstance(source.value, list):
        values = [(place / index, each) for index, each in enumerate(source.value)]
    else:
        values = [(place, source.value)]
    for each, value in values:
        if is_account_details(value):
            read_account_details(found, each, value)
        elif is_organizations_answer(value):
            organizations.read(each, value)
        else:
            found.problem(each, UNKNOWN_MESSAGE)
