"""Shared by all tables: their metadata, the names of their constraints, and the facts that each table must state."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from sqlalchemy import Column, ForeignKey, MetaData, String, Table
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def cascade(target: str) -> ForeignKey:
    """A reference whose row is deleted together with the row that it refers to."""
    return ForeignKey(target, ondelete="CASCADE")


class Snapshot(Enum):
    """How a snapshot of the world keeps a table."""

    KEYS = "in keys of the sandbox file"
    ROWS = "row by row, under the key rows"
    LEFT_OUT = "not at all: it belongs to one database, not to its world"


def table(
    name: str,
    *,
    bears_on_rights: bool,
    snapshot: Snapshot,
    columns: Sequence[SchemaItem],
    numbered: bool = False,
    of_entity: str = "",
    kept_by: str = "",
    adds_resources: bool = False,
) -> Table:
    """A table with its two facts.

    ``bears_on_rights`` says that a write may change who may do what. Each such write makes every process drop its
    cached principals and policies. So it must be True for every table that rights are read from. It should be False for
    tables that are written often, such as messages. ``numbered`` rows have a whole number as their key, which the
    database gives. It gives no number twice, even after the row is deleted.

    ``of_entity`` is the column that names a user, role or access key, for a table whose rows bear on the rights of that
    one alone. ``kept_by`` is for a table whose rows are kept after they are read (see ``kept_reads``): the column with
    the key of the resource, or ``*`` when a write may change rows of any table that is kept so. ``adds_resources`` says
    that a new row is a new resource.
    """
    for column in columns:
        if isinstance(column, Column) and isinstance(column.type, String):
            # Names have the same order on every database: by their bytes, as SQLite sorts them.
            by_bytes = type(column.type)(column.type.length, collation="C")
            column.type = column.type.with_variant(by_bytes, "postgresql")
    info = {"bears_on_rights": bears_on_rights, "snapshot": snapshot, "numbered": numbered, "of_entity": of_entity}
    info |= {"kept_by": kept_by, "adds_resources": adds_resources}
    return Table(name, metadata, *columns, info=info, sqlite_autoincrement=numbered)


# For a column that snapshots leave out, because no operation shows it.
NOT_IN_SNAPSHOTS = {"snapshot": Snapshot.LEFT_OUT}
# For columns whose dates a column of another name does not show, see storage/template.py: a time that a set-up works
# out from the time of creation, and JSON whose members ``…Timestamp`` are seconds.
AFTER_CREATION = {"dates": "after creation"}
IN_MEMBERS = {"dates": "in members"}
