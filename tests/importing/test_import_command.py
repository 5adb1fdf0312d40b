"""``rolecall import`` and ``rolecall export`` from outside: files, statuses, and a running server."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from import_worlds import FIRST, IAM
from test_account_details import ALLOW, details, user

from rolecall.cli import main
from rolecall.ids import Identifiers
from rolecall.importing.reading import imported


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs ``rolecall`` in a folder with the file account.json."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    ana = user("ana", UserPolicyList=[{"PolicyName": "own", "PolicyDocument": ALLOW}])
    (tmp_path / "account.json").write_text(json.dumps(details(UserDetailList=[ana])), encoding="utf-8")
    return lambda *arguments: CliRunner().invoke(main, arguments, prog_name="rolecall")


def test_the_sandbox_file_goes_to_stdout_and_the_keys_to_stderr(run: Any, tmp_path: Path) -> None:
    done = run("import", "account.json")
    assert done.exit_code == 0
    (tmp_path / "imported.yaml").write_text(done.stdout, encoding="utf-8")
    assert run("check", "imported.yaml").exit_code == 0
    words = done.stderr.split()
    assert words[:4] == ["account", f"{FIRST},", "user", "ana:"]
    assert f"id: {words[4]}\n" in done.stdout
    assert f"secret: {words[5]}\n" in done.stdout


def test_a_file_may_come_through_a_pipe(run: Any, tmp_path: Path) -> None:
    text = (tmp_path / "account.json").read_text(encoding="utf-8")
    done = CliRunner().invoke(main, ("import", "-"), input=text, prog_name="rolecall")
    assert (done.exit_code, "name: ana" in done.stdout) == (0, True)
    done = CliRunner().invoke(main, ("import", "-"), input="{", prog_name="rolecall")
    assert (done.exit_code, done.stderr.splitlines()[1].split(": ")[0]) == (2, "-:1")


def test_only_the_owner_can_read_the_file(run: Any, tmp_path: Path) -> None:
    assert run("import", "account.json", "-o", "rolecall.yaml").stdout == ""
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "rolecall.yaml").stat().st_mode) == 0o600


def test_a_bad_file_leaves_the_older_sandbox_file(run: Any, tmp_path: Path) -> None:
    (tmp_path / "rolecall.yaml").write_text("version: 1\n", encoding="utf-8")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    done = run("import", "account.json", "broken.json", "-o", "rolecall.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("rolecall: nothing is imported:\nbroken.json:1: not JSON")
    assert (tmp_path / "rolecall.yaml").read_text(encoding="utf-8") == "version: 1\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "gone.json"), "cannot read gone.json: No such file or directory"),
        (("import", "account.json", "--into", "http://127.0.0.1:9"), "Rolecall does not answer at http://127.0.0.1:9"),
        (("import", "account.json", "-o", "no/such/folder.yaml"), "cannot write no/such/folder.yaml"),
        (("export", "--format", "sandbox", "--database", "sqlite:///gone.db"), "there is no such database"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Any, arguments: tuple[str, ...], said: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rolecall: {said}")
    assert done.stderr.count("\n") == 1


def test_export_of_a_database(run: Any) -> None:
    assert run("import", "account.json", "-o", "made.yaml").exit_code == 0
    where = ("--database", "sqlite:///a.db")
    assert run("snapshot", "load", "made.yaml", *where).exit_code == 0
    done = run("export", "--format", "account-details", *where)
    assert [each["Arn"] for each in json.loads(done.stdout)["UserDetailList"]] == [f"{IAM}:user/ana"]
    assert (done.exit_code, done.stderr) == (0, "")
    other = run("export", "--format", "account-details", "--account", "999999999999", *where)
    assert (other.exit_code, other.stderr) == (2, "rolecall: the sandbox has no account 999999999999\n")
    assert run("export", "--format", "sandbox", *where).stdout == run("snapshot", "save", "-", *where).stdout


def test_an_import_tells_how_far_it_is(run: Any, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    file = str(tmp_path / "account.json")
    imported([file], Identifiers(), step=lambda done, total: steps.append((done, total)))
    assert steps == [(0, 3), (1, 3), (2, 3)]
