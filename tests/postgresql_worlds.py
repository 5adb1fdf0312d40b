"""Sandboxes on PostgreSQL for the fixtures ``world`` and ``make_world``: with ``--engine postgresql``."""

from __future__ import annotations

from functools import cache

from postgresql_server import databases

from rolecall.ids import Identifiers
from rolecall.storage.engine import Database
from rolecall.storage.migrate import upgrade
from rolecall.storage.template import UNDATED_SECONDS, datings
from rolecall.worlds.setup import set_up_world
from rolecall.worlds.world import World


class PostgresqlTemplate:
    """A declared sandbox, set up once. As :class:`rolecall.storage.template.DatabaseTemplate`."""

    def __init__(self, declared: World) -> None:
        self._name = databases().new()
        database = Database(databases().server.url(self._name))
        upgrade(database)
        with database.transaction() as connection:
            set_up_world(connection, declared, UNDATED_SECONDS, Identifiers())
            self._dating = [each for each in datings() if connection.exec_driver_sql(each.question).first()]
        database.close()

    def copy(self, now_seconds: int) -> Database:
        database = Database(databases().new_url(self._name))
        with database.transaction() as connection:
            for each in self._dating:
                connection.exec_driver_sql(each.statement.replace("?", "%s"), each.values(now_seconds))
        return database


@cache
def migrated_template() -> str:
    """The name of a database with the tables and nothing in them, to copy."""
    name = databases().new()
    database = Database(databases().server.url(name))
    upgrade(database)
    database.close()
    return name


def drop(database: Database) -> None:
    databases().drop(database.url.rpartition("/")[2])
