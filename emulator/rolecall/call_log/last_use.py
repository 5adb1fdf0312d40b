"""When access keys and roles were last used: recorded during a call, written later.

During the call this costs one entry in a dictionary. A thread writes at most once a second (``background``). Until
then, this module answers questions about a use.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rolecall.call_log.outcomes import Outcome
from rolecall.clock import monotonic_seconds
from rolecall.storage.engine import Database, DatabaseError
from rolecall.storage.last_use import Use, write_uses

log = logging.getLogger("rolecall.last_use")

INTERVAL_SECONDS = 1.0
# Keys or roles that wait. An ordinary sandbox has fewer, but a lenient one accepts any key id.
WAITING_LIMIT = 10_000

ServiceOf = Callable[[str], str]


class LastUses:
    """The uses of one process that are not written yet. ``service_of`` gives IAM's name of a service."""

    interval_seconds = INTERVAL_SECONDS

    def __init__(self, database: Database, service_of: ServiceOf) -> None:
        self._database = database
        self._service_of = service_of
        self._keys: dict[str, Use] = {}
        self._roles: dict[str, Use] = {}
        self._turn = threading.Lock()
        self._written_at_seconds = 0.0
        self._warned = False

    def record(self, outcome: Outcome) -> None:
        """Record a call with proven credentials, allowed or refused: the use of a key, or of a session's role."""
        caller = outcome.caller
        if caller is None:
            return
        if caller.session is None:
            used, waiting = caller.access_key_id, self._keys
        elif caller.principal.type == "AssumedRole":
            used, waiting = caller.principal.entity_id, self._roles
        else:
            return
        if len(waiting) < WAITING_LIMIT or used in waiting:
            waiting[used] = Use(outcome.now_seconds, outcome.service, outcome.region)

    def of_key(self, access_key_id: str) -> Use | None:
        """The newest use of an access key, unless it is already written."""
        return self._named(self._keys.get(access_key_id))

    def of_role(self, role_id: str) -> Use | None:
        return self._named(self._roles.get(role_id))

    def _named(self, use: Use | None) -> Use | None:
        return None if use is None else use._replace(service=self._service_of(use.service))

    def write_waiting(self) -> bool:
        """Write, unless the last write was a moment ago: the thread may come by more often for the log."""
        if monotonic_seconds() - self._written_at_seconds >= INTERVAL_SECONDS:
            self.flush()
        return False

    def flush(self) -> None:
        """Write everything recorded so far. Never raises, because the calls have already been answered."""
        with self._turn:
            self._written_at_seconds = monotonic_seconds()
            keys = {used: use._replace(service=self._service_of(use.service)) for used, use in _copied(self._keys)}
            roles = dict(_copied(self._roles))
            if not keys and not roles:
                return
            try:
                self._database.write(lambda connection: write_uses(connection, keys, roles))
            except (*DatabaseError, OSError) as error:
                if not self._warned:
                    self._warned = True
                    log.warning("last uses cannot be written: %s", type(error).__name__)
                return
            # Only now, so that a question in the meantime finds each use in one place or the other.
            _forget(self._keys, keys)
            _forget(self._roles, roles)

    def close(self) -> None:
        """Write the rest."""
        self.flush()

    def clear(self) -> None:
        with self._turn:
            self._keys.clear()
            self._roles.clear()


def _copied(waiting: dict[str, Use]) -> list[tuple[str, Use]]:
    """The uses that wait now. Copying a dictionary is one step, so calls that add to it do not disturb the copy."""
    return list(waiting.copy().items())


def _forget(waiting: dict[str, Use], written: dict[str, Use]) -> None:
    for used, use in written.items():
        newest = waiting.get(used)
        if newest is not None and newest.at_seconds <= use.at_seconds:
            waiting.pop(used, None)
