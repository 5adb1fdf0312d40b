"""Where the decision log is kept, and by whom: one keeper for each database."""

from __future__ import annotations

import importlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import PurePath
from typing import Any, Protocol, cast

from sqlalchemy.exc import SQLAlchemyError

from rolecall.storage.dialects import parsed_url

# A log of another version is replaced by an empty one, not migrated.
SCHEMA_VERSION = 5
IN_MEMORY = ":memory:"
LogUnavailableError = (sqlite3.Error, SQLAlchemyError)


class LogDriver(Protocol):
    """What runs the log's statements, which have question marks for their values."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any:
        """Run one statement. The result has ``fetchone`` and ``fetchall``, and gives its rows one by one."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each of the parameters."""


class LogKeeper(Protocol):
    """The place of one log. Opened on first use, so that a forked process opens its own."""

    shown_place: str
    in_memory: bool
    # Whether servers that know nothing of each other write to it.
    shared: bool
    # Whether :meth:`packed` saves anything.
    packs: bool
    # The function of two texts that finds the second in the first; 0 when it is not there.
    position_in: str
    # The unique id of a call's caller, from its identity.
    entity_id: str

    def exists(self) -> bool:
        """Whether there is a log already."""

    def transaction(self, schema: Sequence[str]) -> AbstractContextManager[LogDriver]:
        """A driver for writing, while no other process writes to the log. Raises LogUnavailableError."""

    def reading(self, schema: Sequence[str], *, calls: bool = True) -> AbstractContextManager[LogDriver]:
        """A driver for reading one state of the log; without ``calls``, not the table of calls.

        Raises LogUnavailableError.
        """

    def append(self, driver: Any, calls: Sequence[Sequence[Any]], position: int) -> None:
        """Add rows to the table ``calls``, in a transaction. The first gets this position."""

    def packed(self, calls: Sequence[Sequence[Any]]) -> str:
        """Rows as one text. Raises ValueError when one of their texts cannot be stored."""

    def unpacked(self, text: str) -> list[list[Any]]:
        """The rows in such a text."""

    def append_packed(self, driver: Any, texts: Sequence[tuple[str, int]], position: int) -> None:
        """Add the rows in some such texts, each with their number, in a transaction. The first gets this position."""

    def next_position(self, driver: Any) -> int:
        """The position after the last row."""

    def forget(self, driver: Any, before: int) -> None:
        """Remove the rows before this position, in a transaction. A few more may stay for a while."""

    def unpack_some(self, schema: Sequence[str]) -> bool:
        """Do some of the work that the next reader would have to wait for. Returns whether more is left."""

    def close(self) -> None:
        """Close the connection. It is opened again when it is needed."""


def decision_log_path(database_url: str) -> str:
    """The place of a database's log: a file beside a SQLite file (``rolecall-decisions.db``), or in memory.

    The log of a PostgreSQL database is in that database, so its place is the URL.
    """
    url = parsed_url(database_url)
    if url.get_backend_name() != "sqlite":
        return database_url
    database = url.database or ""
    if database in ("", IN_MEMORY) or database.startswith("file:"):
        return IN_MEMORY
    path = PurePath(database)
    return str(path.with_name(f"{path.stem}-decisions{path.suffix}"))


def keeper_of(place: str) -> LogKeeper:
    """The keeper of a place that :func:`decision_log_path` gives."""
    in_tables = place.startswith("postgresql") and "://" in place
    module = importlib.import_module(f"rolecall.storage.{'postgresql_log' if in_tables else 'sqlite_log'}")
    return cast(LogKeeper, module.keeper(place))
