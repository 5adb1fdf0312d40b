"""Puts the rooms together. It is the only module that imports all of them."""

from __future__ import annotations

from contextlib import closing, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from rolecall.call_log.access_log import AccessLog
from rolecall.call_log.outcomes import Observer
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import Clock
from rolecall.ids import Identifiers
from rolecall.sandbox import Sandbox
from rolecall.service_records import action_of
from rolecall.sessions.keys import SEALING_KEY_BYTES
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES, ServerSettings
from rolecall.storage import keyring
from rolecall.storage.clock_states import take_over_clock
from rolecall.storage.decision_log import DecisionStore, decision_log_path
from rolecall.storage.engine import Database, DatabaseError, database_exists
from rolecall.storage.migrate import check_writable, upgrade, upgrade_schema
from rolecall.storage.template import UNDATED_SECONDS, DatabaseTemplate, empty_database
from rolecall.web.application import RolecallApplication, web_application
from rolecall.web.control_access import control_access
from rolecall.web.origins import DEFAULT_ADMISSION, Admission, admission_of
from rolecall.worlds.known_worlds import AnyWorld
from rolecall.worlds.setup import set_up_world
from rolecall.worlds.world import World

# The sandbox of a server that was given no file, for people.
BUILT_IN = "the built-in one"


def open_database(url: str, world: AnyWorld, clock: Clock, ids: Identifiers | None = None) -> Database:
    """The migrated database with a sealing key and the declared world. Several processes may call this at once."""
    database = Database(url)
    ids = ids or Identifiers()
    try:
        # One transaction, so a new database is either complete or still empty.
        database.write(partial(_set_up, world=world, clock=clock, ids=ids))
    except BaseException:
        database.close()
        raise
    return database


def _set_up(connection: Any, world: AnyWorld, clock: Clock, ids: Identifiers) -> None:
    upgrade_schema(connection)
    check_writable(connection)
    take_over_clock(connection, clock)
    if not keyring.load(connection):
        _add_key(connection, clock)
    set_up_world(connection, world, clock.now_seconds(), ids)


@cache
def _migrated() -> DatabaseTemplate:
    """The tables and no sandbox. Making the tables takes several times as long as setting up a small sandbox."""
    database = empty_database()
    upgrade(database)
    template = DatabaseTemplate(database)
    database.close()
    return template


def world_template(world: World, ids: Identifiers) -> DatabaseTemplate:
    """The declared world, set up in memory once for :func:`copied_database` to copy. It has no sealing key."""
    database = _migrated().copy(UNDATED_SECONDS)
    with database.transaction() as connection:
        set_up_world(connection, world, UNDATED_SECONDS, ids)
    template = DatabaseTemplate(database)
    database.close()
    return template


def copied_database(template: DatabaseTemplate, clock: Clock) -> Database:
    """A database in memory as from :func:`open_database`, with a sealing key of its own."""
    database = template.copy(int(clock.now_seconds()))
    database.write(lambda connection: _add_key(connection, clock))
    return database


def sandbox_in_memory(world: World) -> Sandbox:
    """The declared world in this process alone, for questions about it. The caller closes its database."""
    clock = Clock()
    return Sandbox(open_database("sqlite://", world, clock), world, clock)


def worker_application(settings: ServerSettings, world: AnyWorld) -> RolecallApplication:
    """The application of one worker process. All state that it shares with other processes is in the database."""
    clock = Clock()
    database = open_database(settings.database_url, world, clock)
    decisions = None
    if settings.keeps_log:
        decisions = decision_log(settings.database_url, clock, shared=settings.workers > 1)
    access_log = AccessLog() if settings.access_log else None
    file = str(Path(settings.config_path).resolve()) if settings.config_path else BUILT_IN
    sandbox = Sandbox(database, world, clock, decisions=decisions, access_log=access_log, world_file=file)
    sandbox.writer.start()
    return web_application(
        sandbox,
        maximum_body_bytes=settings.maximum_body_bytes,
        admission=admission_of(
            settings.allowed_hosts,
            settings.allowed_origins,
            listening_at=settings.host,
            control=control_access(settings.control_token, settings.control_hosts),
        ),
    )


def checkpoint_database(url: str) -> None:
    """After all workers have ended, write what the write-ahead files hold into the database and its log.

    Best effort: an error here is not reported, because a database that does not answer was reported before.
    """
    with suppress(*DatabaseError, OSError):
        # A file that was moved away meanwhile must not be made again: SQLite would throw its write-ahead file away.
        if database_exists(url):
            with closing(Database(url)) as database:
                database.checkpoint()
        with closing(DecisionStore(decision_log_path(url))) as store:
            # A process that closes the file last does the same.
            if store.exists():
                store.dropped()


def decision_log(database_url: str, clock: Clock, *, shared: bool = False) -> DecisionLog:
    """The decision log of a database; ``shared`` when other processes write it too."""
    store = DecisionStore(decision_log_path(database_url))
    return DecisionLog(store, clock, action_of, shared=shared or store.shared)


def application_over(
    database: Database,
    world: World,
    clock: Clock,
    *,
    ids: Identifiers | None = None,
    observer: Observer | None = None,
    decisions: DecisionLog | None = None,
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES,
    admission: Admission = DEFAULT_ADMISSION,
) -> RolecallApplication:
    """The application over an opened database: ``web_application`` over a new :class:`Sandbox`."""
    sandbox = Sandbox(database, world, clock, ids=ids, decisions=decisions, observer=observer)
    return web_application(sandbox, maximum_body_bytes=maximum_body_bytes, admission=admission)


def list_sealing_keys(database: Database) -> list[tuple[str, int]]:
    """Key id and creation time of every sealing key; the key in use comes last."""
    with database.snapshot() as connection:
        return [(key_id, created_at_seconds) for key_id, _, created_at_seconds in keyring.load(connection)]


def add_sealing_key(database: Database, clock: Clock) -> str:
    """Rotate the key ring; returns the new key's id."""
    return database.write(lambda connection: _add_key(connection, clock))


def _add_key(connection: Any, clock: Clock) -> str:
    # Identifiers of its own: a seed does not repeat keys, and a key survives a reset, which restarts the seed.
    ids = Identifiers()
    key_id = ids.uuid()[:8]
    keyring.add(connection, key_id, ids.secret_bytes(SEALING_KEY_BYTES), int(clock.now_seconds()))
    return key_id
