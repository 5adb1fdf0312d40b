"""Puts the rooms together. It is the only module that imports all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any

from rolecall.call_log.last_use import LastUses
from rolecall.call_log.outcomes import Observer, Outcome
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import Clock, ClockState
from rolecall.faults.active import Faults
from rolecall.faults.rules import FaultCatalogue
from rolecall.gateway import Gateway
from rolecall.ids import Identifiers
from rolecall.service_records import action_of, action_prefix
from rolecall.services.registry import AccessReader, RefusalReader, no_accesses, no_refusal
from rolecall.sessions.keys import SEALING_KEY_BYTES
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES, ServerSettings
from rolecall.signin import SignIn
from rolecall.storage import keyring
from rolecall.storage.clock_states import take_over_clock
from rolecall.storage.decision_log import DecisionStore, decision_log_path
from rolecall.storage.engine import Database, DatabaseError
from rolecall.storage.migrate import upgrade
from rolecall.storage.template import UNDATED_SECONDS, DatabaseTemplate, empty_database
from rolecall.web.application import RolecallApplication, web_application
from rolecall.web.origins import DEFAULT_ADMISSION, Admission, admission_of
from rolecall.wire import SERVICES, known_error_codes, operation_names
from rolecall.worlds.setup import reset_world, set_up_world
from rolecall.worlds.snapshots import Snapshots, load_database, save_database
from rolecall.worlds.world import World


def open_database(url: str, world: World, clock: Clock, ids: Identifiers | None = None) -> Database:
    """The migrated database with a sealing key and the declared world. Several processes may call this at once."""
    database = Database(url)
    ids = ids or Identifiers()
    try:
        upgrade(database)
        with database.transaction() as connection:
            take_over_clock(connection, clock)
            if not keyring.load(connection):
                _add_key(connection, clock)
            set_up_world(connection, world, clock.now_seconds(), ids)
    except BaseException:
        database.close()
        raise
    return database


def world_template(world: World, ids: Identifiers) -> DatabaseTemplate:
    """The declared world, set up in memory once for :func:`copied_database` to copy. It has no sealing key."""
    database = empty_database()
    upgrade(database)
    with database.transaction() as connection:
        set_up_world(connection, world, UNDATED_SECONDS, ids)
    template = DatabaseTemplate(database)
    database.close()
    return template


def copied_database(template: DatabaseTemplate, clock: Clock) -> Database:
    """A database in memory as from :func:`open_database`, with a sealing key of its own."""
    database = template.copy(int(clock.now_seconds()))
    with database.transaction() as connection:
        _add_key(connection, clock)
    return database


def worker_application(settings: ServerSettings, world: World) -> RolecallApplication:
    """The application of one worker process. All state that it shares with other processes is in the database."""
    clock = Clock()
    database = open_database(settings.database_url, world, clock)
    decisions = None
    if settings.keeps_log:
        decisions = decision_log(settings.database_url, clock, shared=settings.workers > 1)
        decisions.start()
    return application_over(
        database,
        world,
        clock,
        decisions=decisions,
        maximum_body_bytes=settings.maximum_body_bytes,
        admission=admission_of(settings.allowed_hosts, settings.allowed_origins, listening_at=settings.host),
        writes_last_uses=True,
    )


def checkpoint_database(url: str) -> None:
    """After all workers have ended, write what the write-ahead files hold into the database and its log.

    Best effort: an error here is not reported, because a database that does not answer was reported before.
    """
    with suppress(*DatabaseError, OSError):
        with closing(Database(url)) as database:
            database.checkpoint()
        with closing(DecisionStore(decision_log_path(url))) as store:
            # A process that closes the file last does the same.
            store.dropped()


def decision_log(database_url: str, clock: Clock, *, shared: bool = False) -> DecisionLog:
    """The decision log of a database; ``shared`` when other processes write it too."""
    return DecisionLog(DecisionStore(decision_log_path(database_url)), clock, action_of, shared=shared)


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
    writes_last_uses: bool = False,
) -> RolecallApplication:
    """The application over an opened database. A reset returns to the declared world.

    ``observer`` is called for every call, besides the decision log. Without a log no call is kept.
    """
    gateway, reset = gateway_over(
        database, world, clock, ids=ids, observer=observer, decisions=decisions, writes_last_uses=writes_last_uses
    )
    return application_around(gateway, reset, decisions, maximum_body_bytes=maximum_body_bytes, admission=admission)


def application_around(
    gateway: Gateway,
    reset: Callable[[], None],
    decisions: DecisionLog | None,
    *,
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES,
    admission: Admission = DEFAULT_ADMISSION,
) -> RolecallApplication:
    """The application around the gateway from :func:`gateway_over`."""
    database, clock, ids = gateway.database, gateway.clock, gateway.ids
    snapshots = Snapshots(save=partial(save_world, gateway), load=partial(load_world, gateway))
    return web_application(
        gateway,
        reset,
        decisions,
        snapshots,
        faults=faults_of(database, ids),
        sign_in=SignIn(database, clock),
        maximum_body_bytes=maximum_body_bytes,
        admission=admission,
    )


def faults_of(database: Database, ids: Identifiers) -> Faults:
    """The fault rules in a sandbox's database."""
    operations = {name: partial(operation_names, name) for name in SERVICES}
    return Faults(database, ids, FaultCatalogue(operations, known_error_codes))


def gateway_over(
    database: Database,
    world: World,
    clock: Clock,
    *,
    ids: Identifiers | None = None,
    observer: Observer | None = None,
    decisions: DecisionLog | None = None,
    writes_last_uses: bool = False,
) -> tuple[Gateway, Callable[[], None]]:
    """The gateway of :func:`application_over`, and the function that restores the declared world.

    ``writes_last_uses`` starts a thread for the last uses. Without a log, no other thread would write them.
    """
    ids = ids or Identifiers()
    record: Observer | None = None
    refusals: RefusalReader = no_refusal
    accesses: AccessReader = no_accesses
    if decisions is not None:
        record, refusals, accesses = decisions.record, decisions.details, decisions.accesses
    uses = LastUses(database, action_prefix)
    if decisions is not None:
        # The log's thread writes them as well.
        decisions.also_writes = uses.flush_now_and_then
        decisions.also_closes = uses.flush
    elif writes_last_uses:
        uses.start()
    observers = [observe for observe in (uses.record, record, observer) if observe is not None]
    gateway = Gateway(
        database,
        clock=clock,
        ids=ids,
        settings=world.settings,
        observer=_all_of(observers),
        refusals=refusals,
        accesses=accesses,
        uses=uses,
    )
    return gateway, partial(_reset, database, world, clock, ids, decisions, uses)


def _all_of(observers: Sequence[Observer]) -> Observer | None:
    if len(observers) < 2:
        return observers[0] if observers else None

    def tell(outcome: Outcome) -> None:
        for observer in observers:
            observer(outcome)

    return tell


def _reset(
    database: Database,
    world: World,
    clock: Clock,
    ids: Identifiers,
    decisions: DecisionLog | None,
    uses: LastUses,
) -> None:
    uses.clear()
    ids.restart()
    with database.transaction() as connection:
        # The stored clock is deleted with everything else. The new world's dates come from the machine's clock.
        reset_world(connection, world, clock.wall_seconds(), ids)
    clock.follow(ClockState())
    if decisions is not None:
        decisions.clear()


def save_world(gateway: Gateway, last_used: bool) -> str:
    """The gateway's world as a sandbox file. Raises UnsavableError."""
    gateway.uses.flush()
    return save_database(gateway.database, gateway.settings, last_used=last_used)


def load_world(gateway: Gateway, text: str) -> None:
    """Replace the gateway's world, all or nothing. Raises InvalidWorldError."""
    load_database(gateway.database, text, gateway.clock.now_seconds(), gateway.ids)
    # Pending uses of keys and roles belong to the replaced world.
    gateway.uses.clear()


def list_sealing_keys(database: Database) -> list[tuple[str, int]]:
    """Key id and creation time of every sealing key; the key in use comes last."""
    with database.snapshot() as connection:
        return [(key_id, created_at_seconds) for key_id, _, created_at_seconds in keyring.load(connection)]


def add_sealing_key(database: Database, clock: Clock) -> str:
    """Rotate the key ring; returns the new key's id."""
    with database.transaction() as connection:
        return _add_key(connection, clock)


def _add_key(connection: Any, clock: Clock) -> str:
    # Identifiers of its own: a seed does not repeat keys, and a key survives a reset, which restarts the seed.
    ids = Identifiers()
    key_id = ids.uuid()[:8]
    keyring.add(connection, key_id, ids.secret_bytes(SEALING_KEY_BYTES), int(clock.now_seconds()))
    return key_id
