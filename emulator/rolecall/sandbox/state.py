"""The class Sandbox. Calls, pages and the test kit work on the same one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial

from rolecall.call_log.access_log import AccessLog
from rolecall.call_log.background import BackgroundWriter
from rolecall.call_log.last_use import LastUses
from rolecall.call_log.outcomes import Observer, Outcome
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import Clock, ClockState
from rolecall.delivery import kinds
from rolecall.delivery.anywhere import contents as anywhere
from rolecall.faults.active import Faults
from rolecall.faults.rules import FaultCatalogue
from rolecall.ids import Identifiers
from rolecall.printable import printable
from rolecall.sandbox.attachments import Attachments
from rolecall.sandbox.generation import Generations
from rolecall.service_records import SOCKET_OPERATIONS, action_prefix
from rolecall.sessions.issuer_keys import IssuerKeys
from rolecall.settings import SandboxSettings
from rolecall.storage.clock_states import share_clock
from rolecall.storage.decision_log import Access, RefusalDetails
from rolecall.storage.engine import Database, DatabaseError
from rolecall.wire import SERVICES, known_error_codes, operation_names
from rolecall.worlds.known_worlds import AnyWorld, front, whole
from rolecall.worlds.setup import reset_world
from rolecall.worlds.snapshots import load_database, save_database

log = logging.getLogger("rolecall")

# Services with calls that are in no model: a websocket makes one, a certificate signs the other.
_UNMODELLED = frozenset({*SOCKET_OPERATIONS.items(), (anywhere.SERVICE, anywhere.SESSION_OPERATION)})


class Sandbox:
    """One sandbox, as this process serves it. Other processes may serve the same database.

    ``world`` is the declared world, to which a reset returns. ``decisions`` is None for a sandbox without a decision
    log. ``observer`` is called for every call, besides the logs. ``world_file`` says for people where ``world`` comes
    from; empty when that is not known.
    """

    def __init__(
        self,
        database: Database,
        world: AnyWorld,
        clock: Clock,
        *,
        ids: Identifiers | None = None,
        decisions: DecisionLog | None = None,
        observer: Observer | None = None,
        access_log: AccessLog | None = None,
        world_file: str = "",
    ) -> None:
        self.database = database
        # The processes over one database share this clock.
        share_clock(database, clock)
        self.clock = clock
        self.ids = ids or Identifiers()
        self.decisions = decisions
        self.last_uses = LastUses(database, action_prefix)
        self.faults = Faults(database, self.ids, _fault_catalogue())
        self.issuer_keys = IssuerKeys()
        self.attachments = Attachments(database, clock, self.ids)
        self.generations = Generations(database, clock, front(world).settings)
        logs = [each for each in (decisions, access_log) if each is not None]
        # Not started yet: threads do not survive a fork, and a test reads what it needs at once.
        self.writer = BackgroundWriter(*logs, self.last_uses)
        recorders: list[Observer] = [self.last_uses.record, *(each.record for each in logs)]
        self.observe = _all_of(recorders if observer is None else [*recorders, observer])
        self._world = world
        self.world_file = world_file

    @property
    def settings(self) -> SandboxSettings:
        """The settings in force, from the sandbox file or from a snapshot that was loaded."""
        return self.generations.settings

    def refusal(self, request_id: str) -> RefusalDetails | None:
        """What explains the refusal of a call; None when the log has nothing about it, or there is no log."""
        return None if self.decisions is None else self.decisions.details(request_id)

    def accesses(self, account_ids: Sequence[str], since_seconds: float) -> list[Access]:
        """The last accesses of these accounts' callers since then; none without a log. Raises LogUnavailableError."""
        return [] if self.decisions is None else self.decisions.accesses(account_ids, since_seconds)

    def catch_up(self) -> None:
        """Load what other processes have changed since the last call: clock, fault rules, settings."""
        with self.database.snapshot() as connection:
            self.generations.current(connection)

    def reset(self) -> None:
        """Return to the declared world and to the machine's time, and forget every call."""
        # Read before the transaction, because other writers wait for a transaction.
        declared = whole(self._world)
        self.last_uses.clear()
        self.ids.restart()
        # The stored clock is deleted with everything else. The new world's dates come from the machine's clock.
        now_seconds = self.clock.wall_seconds()
        self.database.write(lambda connection: reset_world(connection, declared, now_seconds, self.ids))
        self.clock.follow(ClockState())
        self.attachments.renew()
        if self.decisions is not None:
            self.decisions.clear()

    def save(self, *, last_used: bool = True) -> str:
        """The whole world as a sandbox file. Raises UnsavableError."""
        self.last_uses.flush()
        return save_database(self.database, self.settings, last_used=last_used)

    def load(self, text: str) -> None:
        """Replace the world by the world of a snapshot, all or nothing. Raises InvalidWorldError."""
        load_database(self.database, text, self.clock.now_seconds(), self.ids)
        # Pending uses of keys and roles belong to the replaced world.
        self.last_uses.clear()
        self.attachments.renew()

    def finish(self) -> None:
        """Write everything that is not written yet, at the end of the process."""
        self.writer.close()
        try:
            self.database.checkpoint()
        except DatabaseError as error:
            log.warning("%s", printable(f"the database's last changes stay in its -wal file: {error}"))


def _fault_catalogue() -> FaultCatalogue:
    operations = {name: partial(_operation_names, name) for name in SERVICES}
    attached = {name: partial(kinds.operation_names, name) for name in kinds.KINDS}
    services = tuple(name for name in kinds.SERVICE_CREDENTIAL_OPERATIONS if name in SERVICES)
    return FaultCatalogue(operations, _error_codes, attached, kinds.CREDENTIAL_OPERATIONS, services)


def _operation_names(service: str) -> frozenset[str]:
    """The operations of the model, and the ones that are in no model."""
    return operation_names(service) | {name for of, name in _UNMODELLED if of == service}


def _error_codes(service: str, operation: str) -> frozenset[str]:
    """The codes that an operation can answer. Without a model of its own, it has the errors of its service."""
    known = kinds.error_codes if service in kinds.KINDS else known_error_codes
    return known(service, "" if (service, operation) in _UNMODELLED else operation)


def _all_of(observers: Sequence[Observer]) -> Observer:
    if len(observers) == 1:
        return observers[0]

    def tell(outcome: Outcome) -> None:
        for observer in observers:
            observer(outcome)

    return tell
