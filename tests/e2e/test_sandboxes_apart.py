"""Which sandbox file and which database a command uses, and what ``serve`` prints about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rolecall.app import open_database
from rolecall.cli import main
from rolecall.clock import Clock
from rolecall.commands.kept import kept_in, kept_line
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

ONE_USER = """
version: 1
accounts:
  - id: "111122223333"
    users: [{name: only, access_keys: [{id: only_key, secret: only_secret}]}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with its own data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def run(*arguments: str) -> Result:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    return done


def databases(folder: Path) -> set[str]:
    return {file.name for file in (folder / "data" / "rolecall").glob("*.db")}


def test_each_sandbox_file_has_a_database_of_its_own(folder: Path) -> None:
    for name in ("one.yaml", "two.yaml"):
        Path(name).write_text(ONE_USER, encoding="utf-8")
    run("db", "upgrade")
    assert databases(folder) == {"rolecall.db"}
    run("db", "upgrade", "--config", "one.yaml")
    run("db", "upgrade", "--config", "two.yaml")
    run("db", "upgrade", "--config", str(Path("one.yaml").resolve()))
    assert sorted(re.sub("-[0-9a-f]{12}", "-ID", name) for name in databases(folder)) == [
        "one-ID.db",
        "rolecall.db",
        "two-ID.db",
    ]


def test_the_sandbox_file_of_the_working_directory_is_found(folder: Path) -> None:
    assert "AWS_ACCESS_KEY_ID=test" in run("env").output
    Path("rolecall.yaml").write_text(ONE_USER, encoding="utf-8")
    assert "AWS_ACCESS_KEY_ID=only_key" in run("env").output
    run("db", "upgrade")
    assert re.fullmatch("rolecall-[0-9a-f]{12}.db", databases(folder).pop())


def test_a_database_that_is_named_is_used_whatever_the_sandbox_file(folder: Path) -> None:
    Path("rolecall.yaml").write_text(ONE_USER, encoding="utf-8")
    run("db", "upgrade", "--database", "sqlite:///own.db")
    assert Path("own.db").is_file()
    assert databases(folder) == set()


def test_serve_says_what_an_earlier_run_left(folder: Path) -> None:
    url = f"sqlite:///{folder}/kept.db"
    assert kept_in(url) is None
    open_database(url, read_world_file(str(builtin_world_path())), Clock()).close()
    kept = kept_in(url)
    assert kept is not None
    assert (set(kept.entities), kept.calls) == ({"users", "roles"}, 0)
    assert kept.entities["users"] == 2
    assert re.fullmatch(
        r"# Database: sqlite:///\S+/kept.db, has 2 users, \d+ roles and 0 logged calls from earlier runs",
        kept_line(url, kept),
    )


def test_the_line_about_the_database_holds_no_password() -> None:
    line = kept_line("postgresql+psycopg://ana:hidden-word@127.0.0.1/sandbox", None)
    assert line == "# Database: postgresql+psycopg://ana:***@127.0.0.1/sandbox, newly made"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:////no/such/folder/rolecall.db"])
def test_what_is_not_there_is_begun_anew(url: str) -> None:
    assert kept_in(url) is None
