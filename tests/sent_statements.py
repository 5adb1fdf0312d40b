"""The statements that a database gets while a test looks, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from rolecall.storage.engine import Database
from rolecall.storage.postgresql_link import Link


@contextmanager
def sent_statements(database: Database) -> Iterator[list[str]]:
    """A list that grows with each statement. On PostgreSQL each is a round trip, except the COMMIT of a read."""
    seen: list[str] = []
    if database.url.startswith("postgresql"):
        with _sent_to_postgresql(database, seen):
            yield seen
        return
    with database.snapshot() as connection:
        driver: Any = connection.connection.driver_connection
    driver.set_trace_callback(seen.append)
    try:
        yield seen
    finally:
        driver.set_trace_callback(None)


@contextmanager
def _sent_to_postgresql(database: Database, seen: list[str]) -> Iterator[None]:
    checked, run_prepared = Link._checked, Link.run_prepared
    texts: dict[bytes, bytes] = {}

    def note_text(link: Any, name: bytes, sql: bytes, values: Any) -> Any:
        texts[name] = sql
        return run_prepared(link, name, sql, values)

    def note(link: Any, send: Callable[..., Any], *arguments: Any) -> Any:
        if arguments:
            seen.append(texts.get(arguments[0], arguments[0]).decode())
        return checked(link, send, *arguments)

    def note_slow(_connection: Any, _cursor: Any, statement: str, *_others: Any) -> None:
        seen.append(statement)

    Link._checked, Link.run_prepared = note, note_text  # type: ignore[method-assign]
    event.listen(database._engine, "before_cursor_execute", note_slow)
    try:
        yield
    finally:
        event.remove(database._engine, "before_cursor_execute", note_slow)
        Link._checked, Link.run_prepared = checked, run_prepared  # type: ignore[method-assign]
