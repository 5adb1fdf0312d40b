"""Several processes over one database, as far as a test can tell: each has a database object and caches of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from world_handle import WorldHandle

from rolecall.sandbox import Sandbox
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES
from rolecall.storage.engine import Database
from rolecall.storage.kept_reads import KeptReads
from rolecall.web.aws import aws_application


class Process:
    """One of them."""

    def __init__(self, world: WorldHandle, url: str) -> None:
        self._world = world
        self.database = Database(url)
        self.sandbox = Sandbox(self.database, world.declared, world.clock)
        self.aws = aws_application(self.sandbox, DEFAULT_MAXIMUM_BODY_BYTES)

    def client(self, service: str, **options: Any) -> Any:
        """A client of :meth:`WorldHandle.client`, answered here."""
        theirs, self._world._aws = self._world._aws, self.aws
        try:
            return self._world.client(service, **options)
        finally:
            self._world._aws = theirs

    def forget(self) -> None:
        """Drop everything that was read before."""
        self.sandbox.generations._identities = None
        fresh, kept = KeptReads(), self.database._kept
        for name in ("_values", "_pages", "_touched", "_floor", "_reached"):
            setattr(kept, name, getattr(fresh, name))


@contextmanager
def processes(world: WorldHandle, folder: Path, count: int) -> Iterator[list[Process]]:
    """So many processes over a copy of the world in a file; on PostgreSQL over the world itself."""
    url = world.database.url
    if not url.startswith("postgresql"):
        url = f"sqlite:///{folder / 'shared.db'}"
        with world.database.snapshot() as connection:
            driver: Any = connection.connection.driver_connection
            copy = sqlite3.connect(folder / "shared.db")
            driver.backup(copy)
            copy.close()
    found = [Process(world, url) for _ in range(count)]
    try:
        yield found
    finally:
        for each in found:
            each.database.close()
