"""The schema: the migrations, step by step, build the same as the code builds at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from rolecall import app
from rolecall.clock import Clock
from rolecall.storage import migrate
from rolecall.storage.engine import Database
from rolecall.storage.problems import NewerDatabaseError
from rolecall.storage.upgrade import configuration, run
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file


def _schema(url: str) -> dict[str, object]:
    """SQLite's description of the schema, in a form in which two databases can be compared."""
    found: dict[str, object] = {}
    engine = create_engine(url)
    inspector = inspect(engine)
    with engine.connect() as connection:
        # SQLAlchemy reads neither name nor options of a reference that a migration added with its column.
        references = {
            table: sorted(map(str, (row[2:] for row in connection.execute(text(f"PRAGMA foreign_key_list({table})")))))
            for table in inspector.get_table_names()
        }
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        found[table] = {
            "columns": [(c["name"], str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)],
            "primary key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": references[table],
            "unique": sorted(str(one) for one in inspector.get_unique_constraints(table)),
            "indexes": sorted(str(one) for one in inspector.get_indexes(table)),
            "checks": sorted(str(one) for one in inspector.get_check_constraints(table)),
        }
    engine.dispose()
    return found


def test_head_revision_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(configuration()).get_current_head() == migrate.HEAD_REVISION


def test_migrations_build_the_schema_that_the_code_makes(tmp_path: Path) -> None:
    made = f"sqlite:///{tmp_path / 'made.db'}"
    database = Database(made)
    assert migrate.upgrade(database) == ""
    database.close()
    migrated = f"sqlite:///{tmp_path / 'migrated.db'}"
    database = Database(migrated)
    with database.transaction() as connection:
        # A database that Alembic knows but that no migration has changed yet.
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        command.upgrade(configuration(connection), "head")
    with database.snapshot() as connection:
        assert migrate.current_revision(connection) == migrate.HEAD_REVISION
        assert database.generation(connection) >= 1
    database.close()
    assert _schema(migrated) == _schema(made)
    assert len(_schema(made)) > 20


def test_a_migrated_database_takes_a_resource_before_its_parent(tmp_path: Path) -> None:
    """The order of the rows of a snapshot: only the end of the transaction asks for the parent."""
    database = Database(f"sqlite:///{tmp_path / 'migrated.db'}")
    adding = text(
        "INSERT INTO resources (resource_key, account_id, region, kind, resource_id, created_at_seconds, content,"
        " parent_key) VALUES (:key, '111122223333', 'us-east-1', 'k', :key, 0, '{}', :parent)"
    )
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        command.upgrade(configuration(connection), "head")
        connection.execute(text("INSERT INTO accounts (account_id, name, position) VALUES ('111122223333', 'a', 0)"))
        connection.execute(adding, {"key": "child", "parent": "parent"})
        connection.execute(adding, {"key": "parent", "parent": None})
    with database.transaction() as connection:
        connection.execute(text("DELETE FROM resources WHERE resource_key = 'parent'"))
        assert connection.execute(text("SELECT count(*) FROM resources")).scalar() == 0
    database.close()


def test_a_database_that_holds_something_else_gets_the_schema_too(tmp_path: Path) -> None:
    """Even a table of ours: a copy without Alembic's own table, for example."""
    made, other = f"sqlite:///{tmp_path / 'made.db'}", f"sqlite:///{tmp_path / 'other.db'}"
    for url in (made, other):
        database = Database(url)
        with database.transaction() as connection:
            if url == other:
                migrate.upgrade_schema(connection)
                connection.execute(text("DROP TABLE alembic_version"))
                connection.execute(text("DROP TABLE sealing_keys"))
            assert migrate.upgrade_schema(connection) == ""
        database.close()
    assert _schema(other) == _schema(made)


def test_a_new_database_is_complete_or_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url, world = f"sqlite:///{tmp_path / 'new.db'}", read_world_file(str(builtin_world_path()))

    def fail(*_arguments: object) -> None:
        raise RuntimeError("the power went out")

    with monkeypatch.context() as patched:
        patched.setattr(app, "set_up_world", fail)
        with pytest.raises(RuntimeError, match="the power went out"):
            app.open_database(url, world, Clock())
    assert _schema(url) == {}
    app.open_database(url, world, Clock()).close()
    assert len(_schema(url)) > 20


def test_an_older_database_is_migrated_and_set_up_in_one_transaction(tmp_path: Path) -> None:
    old, new = f"sqlite:///{tmp_path / 'old.db'}", f"sqlite:///{tmp_path / 'new.db'}"
    database, world = Database(old), read_world_file(str(builtin_world_path()))
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        command.upgrade(configuration(connection), "0003")
    database.close()
    for url in (old, new):
        opened = app.open_database(url, world, Clock())
        with opened.snapshot() as connection:
            assert migrate.current_revision(connection) == migrate.HEAD_REVISION
            assert connection.execute(text("SELECT count(*) FROM users")).scalar() == 2
        opened.close()
    assert _schema(old) == _schema(new)


def test_upgrading_twice_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'twice.db'}"
    database = Database(url)
    migrate.upgrade(database)
    before = _schema(url)
    assert migrate.upgrade(database) == migrate.HEAD_REVISION
    assert _schema(url) == before
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'newer.db'}")
    migrate.upgrade(database)
    with database.transaction() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabaseError, match="9999"):
        migrate.upgrade(database)
    with database.snapshot() as connection:
        assert migrate.current_revision(connection) == "9999"
    database.close()


def test_an_upgrade_from_the_head_runs_no_migration(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'head.db'}")
    migrate.upgrade(database)
    with database.transaction() as connection:
        run(connection, migrate.HEAD_REVISION)
        assert migrate.current_revision(connection) == migrate.HEAD_REVISION
    database.close()


@pytest.mark.parametrize("start", ["0003", "0014"])
def test_an_upgrade_tells_how_far_it_is(tmp_path: Path, start: str) -> None:
    database = Database(f"sqlite:///{tmp_path / 'older.db'}")
    with database.transaction() as connection:
        command.upgrade(configuration(connection), start)
    steps: list[tuple[int, int]] = []
    assert migrate.upgrade(database, lambda done, total: steps.append((done, total))) == start
    total = int(migrate.HEAD_REVISION) - int(start)
    assert steps == [(done, total) for done in range(total + 1)]
    assert migrate.upgrade(database, lambda done, total: steps.append((done, total))) == migrate.HEAD_REVISION
    assert len(steps) == total + 1
    database.close()
