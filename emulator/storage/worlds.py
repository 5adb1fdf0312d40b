"""Putting declared rows in place: what is declared is made so, what is not declared stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, and_, delete, insert, select, update

from emulator.storage.tables import metadata, sandbox_states

Row = Mapping[str, Any]
# Keys outlive a reset, so that nobody's credentials of a moment ago turn into nonsense instead of expiring.
_KEPT_BY_WIPE = frozenset({"generations", "sealing_keys", "signing_keys"})


def wipe(connection: Connection) -> None:
    """Forget every account and everything in it."""
    for table in reversed(metadata.sorted_tables):
        if table.name not in _KEPT_BY_WIPE:
            connection.execute(delete(table))


def find(connection: Connection, table: Table, key: Row) -> Row | None:
    """The row with these column values, or None."""
    row = connection.execute(select(table).where(_matches(table, key))).first()
    return None if row is None else dict(row._mapping)


def put(connection: Connection, table: Table, key: Row, values: Row, new: Row) -> None:
    """Make the row of ``key`` have ``values``; a new row gets ``new`` as well. Writes nothing that is so already."""
    present = find(connection, table, key)
    if present is None:
        connection.execute(insert(table).values(**key, **values, **new))
    elif any(present[name] != value for name, value in values.items()):
        connection.execute(update(table).where(_matches(table, key)).values(**values))


def replace(connection: Connection, table: Table, owner: Row, rows: Iterable[Row], ignored: frozenset[str]) -> None:
    """Make the rows of ``owner`` exactly these; columns in ``ignored`` do not tell an old row from a new one."""
    wanted = [{**owner, **row} for row in rows]
    columns = [column.name for column in table.columns if column.name not in ignored]
    present = {
        tuple(row._mapping[name] for name in columns)
        for row in connection.execute(select(table).where(_matches(table, owner)))
    }
    if present == {tuple(row.get(name) for name in columns) for row in wanted}:
        return
    connection.execute(delete(table).where(_matches(table, owner)))
    for row in wanted:
        connection.execute(insert(table).values(**row))


def _matches(table: Table, key: Row) -> Any:
    return and_(*(table.c[name] == value for name, value in key.items()))


def state(connection: Connection, name: str) -> str | None:
    """What :func:`set_state` last kept under this name."""
    return connection.execute(select(sandbox_states.c.value).where(sandbox_states.c.name == name)).scalar()


def states(connection: Connection) -> dict[str, str]:
    """Everything that is kept, by name."""
    rows = connection.execute(select(sandbox_states.c.name, sandbox_states.c.value))
    return {row.name: row.value for row in rows}


def set_state(connection: Connection, name: str, value: str) -> None:
    put(connection, sandbox_states, {"name": name}, {"value": value}, {})
