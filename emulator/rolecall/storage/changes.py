"""What a transaction has changed, so that a cache forgets no more than it must.

A write to a table with ``bears_on_rights`` changes the rights of everyone, unless the table is about single entities
(``of_entity``) and the write says about which. A write to a table with ``kept_by`` changes anything that was read of
resources (see ``kept_reads``), unless it says of which resource it changes rows. A write that says nothing is taken for
the larger change, so no code can forget it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table

from rolecall.storage.kept_reads import ANYTHING, NEW, PARTS_CHANGED, VIEW, part_of

# The key of a connection's ``info``: the entities whose rights its transaction has changed, by unique id, or by the id
# of their access key.
RIGHTS_CHANGED = "rights_changed"
# In place of an entity: the rights of anyone may have changed.
EVERYONE = "*"
# Options of a statement: it changes no column that rights depend on, or rows of this user, role, access key or resource
# alone. With CHANGES_BOUND the value is the name of the bound parameter that has the key of a resource.
CHANGES_NO_RIGHTS, CHANGES_ALONE, CHANGES_BOUND = "changes_no_rights", "changes_alone", "changes_bound"


def note_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note that these rows are new."""
    facts = table.info
    if facts["bears_on_rights"]:
        column = facts["of_entity"]
        _entities(connection).update((row.get(column, EVERYONE) for row in rows) if column else (EVERYONE,))
    column = facts["kept_by"]
    if column:
        keys = {row.get(column) for row in rows}
        parts = {ANYTHING if key is None else part_of(table.name, key) for key in keys}
        _note_parts(connection, (NEW, *parts) if facts["adds_resources"] else parts)


def note_write(connection: Connection, table: Table, options: Mapping[str, Any], key: Any = None) -> None:
    """Note a write with these options of its statement. ``key`` is the value that CHANGES_BOUND names."""
    facts = table.info
    alone = options.get(CHANGES_ALONE, key)
    # A table of a migration or of Alembic states nothing, so it counts as one that bears on everyone's rights.
    if facts.get("bears_on_rights", True) and not options.get(CHANGES_NO_RIGHTS):
        _entities(connection).add(alone if alone is not None and facts.get("of_entity") else EVERYONE)
    if facts.get("kept_by", ANYTHING):
        is_one = alone is not None and facts.get("kept_by", ANYTHING) != ANYTHING
        _note_parts(connection, (part_of(table.name, alone) if is_one else ANYTHING,))


def _entities(connection: Connection) -> set[str]:
    noted: set[str] = connection.info.setdefault(RIGHTS_CHANGED, set())
    return noted


def _note_parts(connection: Connection, parts: Sequence[str] | set[str]) -> None:
    info = connection.info
    info.setdefault(PARTS_CHANGED, set()).update(parts)
    view = info.get(VIEW)
    if view is not None:
        # What the transaction reads from now on is not what others read.
        view.close()
