"""What holds for one generation of the database: identities, fault rules, the settings and the clock of the sandbox.

A write that changes who may do what raises the generation, in whichever process it happens (docs/architecture.md).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sqlalchemy import Connection

from rolecall.clock import Clock
from rolecall.faults.active import ActiveFaults, active_faults
from rolecall.identities import IdentityStore, read_identities
from rolecall.settings import SandboxSettings
from rolecall.storage import worlds
from rolecall.storage.clock_states import kept_clock
from rolecall.storage.engine import Database
from rolecall.wire import declared_code
from rolecall.worlds.setup import settings_in


class Generations:
    """Keeps the newest generation, with its ``settings`` and its ``faults``, which are None without rules."""

    settings: SandboxSettings
    faults: ActiveFaults | None

    def __init__(self, database: Database, clock: Clock, settings: SandboxSettings) -> None:
        self.settings = self._declared_settings = settings
        self.faults = None
        self._database = database
        self._clock = clock
        self._identities: IdentityStore | None = None
        self._taking_over = threading.Lock()

    def current(self, connection: Connection) -> IdentityStore:
        """The identities of the connection's generation.

        A new generation starts with empty caches, unless this process has made it by changing single users or roles.
        """
        generation = self._database.generation(connection)
        identities = self._identities
        if identities is None:
            return self._read(connection, generation)
        if identities.generation == generation:
            return identities
        with self._taking_over:
            # One step after the other, so that each of the changes is noted once and in order.
            newest = self._identities or identities
            changed = self._database.changed_between(newest.generation, generation)
            if changed is not None:
                # Settings, clock and fault rules belong to no entity, so they are the same.
                self._identities = newest.next(generation, changed) if newest.generation != generation else newest
                return self._identities
        return self._read(connection, generation)

    def _read(self, connection: Connection, generation: int) -> IdentityStore:
        identities = read_identities(connection, generation, self._identities)
        # Settings change only with the whole world: by loading a snapshot, or by a reset.
        states = worlds.states(connection)
        self._take_over(identities, settings_in(states, self._declared_settings), states)
        return identities

    def _take_over(self, identities: IdentityStore, settings: SandboxSettings, states: Mapping[str, str]) -> None:
        """Switch to a newer generation. A thread that still sees an older one must not switch back."""
        with self._taking_over:
            if self._identities is None or self._identities.generation < identities.generation:
                self._clock.follow(kept_clock(states))
                self.faults = active_faults(self._database, states, declared_code)
                self.settings = settings
                self._identities = identities
