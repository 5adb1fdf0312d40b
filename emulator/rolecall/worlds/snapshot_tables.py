"""How a snapshot stores each table: in keys of the sandbox file, as plain rows, or not at all.

The declaration of each table decides (:func:`rolecall.storage.schema.table`).
"""

from __future__ import annotations

from rolecall.storage.schema import Snapshot
from rolecall.storage.tables import metadata


def _kept(how: Snapshot) -> tuple[str, ...]:
    """Names of tables. A table comes after the tables that its rows refer to."""
    return tuple(str(table.name) for table in metadata.sorted_tables if table.info["snapshot"] is how)


DECLARED_TABLES = frozenset(_kept(Snapshot.KEYS))
LEFT_OUT_TABLES = frozenset(_kept(Snapshot.LEFT_OUT))
PLAIN_TABLES = _kept(Snapshot.ROWS)

# In the form TABLE.COLUMN.
LEFT_OUT_COLUMNS = frozenset(
    f"{table.name}.{column.name}"
    for table in metadata.sorted_tables
    for column in table.columns
    if column.info.get("snapshot") is Snapshot.LEFT_OUT
)
