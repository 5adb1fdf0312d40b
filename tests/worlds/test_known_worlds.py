"""A large sandbox file that a database was set up from before is not read again, until its whole world is needed."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rolecall.app import open_database
from rolecall.clock import Clock
from rolecall.commands import kept
from rolecall.commands.common import UnusableError, key_of, other_key_lines
from rolecall.commands.kept import read_unless_known
from rolecall.ids import Identifiers
from rolecall.sandbox import Sandbox
from rolecall.settings import SandboxSettings
from rolecall.storage import worlds
from rolecall.storage.engine import Database
from rolecall.storage.gather import account_exists
from rolecall.worlds.declare import read_world
from rolecall.worlds.known_worlds import KnownWorld, front, known_world
from rolecall.worlds.located import read_located
from rolecall.worlds.snapshots import load_database, save_database
from rolecall.worlds.world import World

ACCOUNT = "111122223333"
AWS_FORM = {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "other-secret"}
KEYS = [{"id": "own_key", "secret": "own-secret"}, AWS_FORM]
USERS = [{"name": "none"}, {"name": "first", "access_keys": KEYS}, {"name": "second", "access_keys": []}]

DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)


def text_of(settings: dict[str, Any] | None = None, **account: Any) -> str:
    accounts = [
        {"id": ACCOUNT, **account},
        {"id": "444455556666", "root_access_keys": [{"id": "far_away", "secret": "another-secret"}]},
    ]
    return json.dumps({"version": 1, "accounts": accounts, "settings": settings or {}})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'own.db'}"


def set_up(url: str, text: str) -> None:
    open_database(url, read_world(text), Clock()).close()


def known(url: str, text: str) -> KnownWorld | None:
    with closing(Database(url)) as database, database.snapshot() as connection:
        return known_world(text, worlds.states(connection))


def told(world: World) -> Any:
    """What a server tells about its sandbox when it starts."""
    try:
        key = key_of(world, None)
    except UnusableError as error:
        return str(error)
    return key, other_key_lines(world, key), world.settings


@pytest.mark.parametrize(
    "text",
    [
        text_of(users=USERS),
        text_of(root_access_keys=KEYS),
        text_of(users=USERS[:1]),
        text_of(users=USERS[1:], root_access_keys=[{"id": "root_key", "secret": "of-root", "status": "Inactive"}]),
        text_of(
            {"strict": False, "disabled_regions": ["ap-east-1"], "quotas": {"RolesPerAccount": 4096}},
            users=USERS,
        ),
    ],
)
def test_a_known_world_tells_what_the_whole_world_tells(url: str, text: str) -> None:
    set_up(url, text)
    found = known(url, text)
    assert found is not None
    whole = read_world(text)
    assert (told(front(found)), found.front.settings) == (told(whole), whole.settings)
    assert (found.whole(), found.text_digest) == (whole, whole.text_digest)


def test_another_text_is_not_known(url: str) -> None:
    text = text_of(users=USERS)
    set_up(url, text)
    assert known(url, text + " ") is None
    assert known(url, text_of()) is None
    set_up(url, text_of())
    assert known(url, text) is None


def test_a_text_that_names_another_file_is_read_each_time(url: str, tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text(DOCUMENT)
    text = text_of(policies=[{"name": "p", "document_file": "policy.json"}], users=USERS)
    open_database(url, read_world(text, str(tmp_path)), Clock()).close()
    assert known(url, text) is None


def test_an_unset_up_database_knows_nothing(url: str) -> None:
    open_database(url, read_world(text_of()), Clock()).close()
    with closing(Database(url)) as database:
        database.write(worlds.wipe)
    assert known(url, text_of()) is None


def test_a_start_and_calls_do_not_read_a_known_world(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of({"minimum_session_seconds": 60})
    set_up(url, text)
    found = known(url, text)
    assert found is not None
    monkeypatch.setattr("rolecall.worlds.known_worlds.read_world", None)
    with closing(open_database(url, found, Clock())) as database:
        assert Sandbox(database, found, Clock()).settings.minimum_session_seconds == 60
        with pytest.raises(TypeError):
            Sandbox(database, found, Clock()).reset()


def test_a_reset_reads_it(url: str) -> None:
    text = text_of(users=USERS)
    set_up(url, text)
    found = known(url, text)
    assert found is not None
    with closing(open_database(url, found, Clock())) as database:
        sandbox = Sandbox(database, found, Clock())
        before = save_database(database, SandboxSettings(), last_used=False)
        sandbox.load(json.dumps({"version": 1, "accounts": [{"id": "999988887777"}]}))
        sandbox.reset()
        after = save_database(database, SandboxSettings(), last_used=False)
        with database.snapshot() as connection:
            assert account_exists(connection, ACCOUNT)
            assert not account_exists(connection, "999988887777")
    # With other unique ids and dates.
    assert [len(each.splitlines()) for each in (before, after)] == [before.count("\n")] * 2
    assert known(url, text) is not None


def test_a_database_that_became_another_one_meanwhile_is_set_up(url: str) -> None:
    text = text_of(users=USERS)
    set_up(url, text)
    found = known(url, text)
    assert found is not None
    Path(url.removeprefix("sqlite:///")).unlink()
    with closing(open_database(url, found, Clock())) as database, database.snapshot() as connection:
        assert account_exists(connection, ACCOUNT)


def test_a_loaded_snapshot_stays_while_the_file_stays_the_same(url: str) -> None:
    text = text_of(users=USERS)
    set_up(url, text)
    with closing(Database(url)) as database:
        load_database(database, '{"version": 1, "accounts": [{"id": "999988887777"}]}', 0, Identifiers())
    found = known(url, text)
    assert found is not None
    with closing(open_database(url, found, Clock())) as database, database.snapshot() as connection:
        assert account_exists(connection, "999988887777")
        assert not account_exists(connection, ACCOUNT)


# What serve reads.


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kept, "_LARGE_BYTES", 100)
    made = tmp_path / "sandbox.json"
    made.write_text(text_of(users=USERS))
    return made


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were read as YAML or JSON."""
    found: list[str] = []

    def noted(text: str, *rest: Any) -> Any:
        found.append(text)
        return read_located(text, *rest)

    monkeypatch.setattr("rolecall.worlds.declare.read_located", noted)
    return found


def test_serve_reads_a_file_that_its_database_does_not_know(url: str, file: Path, readings: list[str]) -> None:
    first = read_unless_known(str(file), url)
    open_database(url, first, Clock()).close()
    assert readings == [file.read_text()]
    later = read_unless_known(str(file), url)
    open_database(url, later, Clock()).close()
    assert len(readings) == 1
    assert told(front(first)) == told(front(later)) == told(read_world(file.read_text()))
    file.write_text(text_of())
    open_database(url, read_unless_known(str(file), url), Clock()).close()
    assert len(readings) == 3


def test_a_world_is_kept_as_its_text_once_it_is_set_up(file: Path, readings: list[str]) -> None:
    declared = read_unless_known(str(file), "sqlite://")
    with closing(open_database("sqlite://", declared, Clock())) as database:
        assert len(readings) == 1
        Sandbox(database, declared, Clock()).reset()
    assert len(readings) == 2


def test_serve_reads_a_small_file(url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(url, file.read_text())
    monkeypatch.setattr(kept, "_LARGE_BYTES", 100_000)
    assert isinstance(read_unless_known(str(file), url), World)
    assert isinstance(read_unless_known(None, url), World)


def test_a_file_that_names_another_one_is_kept_as_its_world(url: str, file: Path) -> None:
    (file.parent / "policy.json").write_text(DOCUMENT)
    file.write_text(text_of(policies=[{"name": "p", "document_file": "policy.json"}], users=USERS))
    assert isinstance(read_unless_known(str(file), url), World)


@pytest.mark.parametrize("content", [b"\xff" * 200, b"version: 2" + b" " * 200, b"x" * 200])
def test_serve_reports_every_problem_of_a_changed_file(url: str, file: Path, content: bytes) -> None:
    set_up(url, file.read_text())
    file.write_bytes(content)
    with pytest.raises(UnusableError):
        read_unless_known(str(file), url)


def test_serve_reports_the_file_before_the_database(url: str, file: Path) -> None:
    Path(url.removeprefix("sqlite:///")).write_bytes(b"no database" * 100)
    assert told(front(read_unless_known(str(file), url)))
    file.unlink()
    with pytest.raises(UnusableError, match="cannot read"):
        read_unless_known(str(file), url)


def test_the_secrets_of_a_known_world_are_not_shown(url: str) -> None:
    set_up(url, text_of(users=USERS))
    found = known(url, text_of(users=USERS))
    assert found is not None
    assert "own-secret" not in repr(found) + repr(found.front)
