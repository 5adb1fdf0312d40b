"""What a database already holds when ``serve`` starts. ``serve`` prints it, so that old content surprises no user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from rolecall.commands.common import DATABASE_PROBLEMS, read_config
from rolecall.storage import worlds
from rolecall.storage.account_summary import entity_counts
from rolecall.storage.decision_log import DecisionStore, LogUnavailableError, decision_log_path
from rolecall.storage.dialects import shown_url
from rolecall.storage.engine import Database, DatabaseError, database_exists, is_in_memory
from rolecall.worlds.files import read_named
from rolecall.worlds.known_worlds import AnyWorld, KnownWorld, as_text, known_world

# A smaller file is read sooner than a database is opened.
_LARGE_BYTES = 100_000


class Kept(NamedTuple):
    """Number of entities from earlier runs, by the name of their kind, and number of calls in the log."""

    entities: Mapping[str, int]
    calls: int


def kept_in(url: str) -> Kept | None:
    """What the database of this URL holds; None when it is new or in memory."""
    if is_in_memory(url) or not database_exists(url):
        return None
    database = Database(url)
    try:
        with database.snapshot() as connection:
            entities = entity_counts(connection)
    except DatabaseError:
        # Without tables the database holds nothing. Any other problem is reported when serve opens the database.
        return None
    finally:
        database.close()
    return Kept(entities, _logged_calls(url))


def read_unless_known(config: str | None, url: str) -> AnyWorld:
    """What a sandbox file declares; without a file, the built-in world. Raises UnusableError with every problem.

    A large file is not read if the database was set up from it. Afterwards only its text is kept.
    """
    if config is None or not _is_large(config):
        return read_config(config)
    known = _known_in(url, config)
    if known is not None:
        return known
    world = read_config(config)
    with suppress(OSError, ValueError):
        return as_text(read_named(config), world)
    return world


def _is_large(file: str) -> bool:
    """False also for a pipe, which can be read only once."""
    with suppress(OSError):
        return os.path.getsize(file) >= _LARGE_BYTES
    return False


def _known_in(url: str, file: str) -> KnownWorld | None:
    """None also when the file or the database cannot be used. That is reported when ``serve`` reads them."""
    with suppress(ValueError, *DATABASE_PROBLEMS):
        if is_in_memory(url) or not database_exists(url):
            return None
        database = Database(url)
        try:
            with database.snapshot() as connection:
                return known_world(read_named(file), worlds.states(connection))
        finally:
            database.close()
    return None


def kept_line(url: str, kept: Kept | None) -> str:
    """The line that ``serve`` prints about its database."""
    if is_in_memory(url):
        return "# Database: in memory, nothing is kept"
    if kept is None:
        return f"# Database: {shown_url(url)}, newly made"
    counts = ", ".join(f"{count} {name}" for name, count in kept.entities.items())
    return f"# Database: {shown_url(url)}, has {counts} and {kept.calls} logged calls from earlier runs"


def _logged_calls(url: str) -> int:
    store = DecisionStore(decision_log_path(url))
    if store.in_memory or not store.exists():
        return 0
    try:
        return store.kept_calls()
    except LogUnavailableError:
        return 0
    finally:
        store.close()
