"""``rolecall snapshot save`` and ``load`` beside a served process, and without one."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from served import FIRST_ACCOUNT, Server, run_rolecall, without_slow_lines

from rolecall.sessions.signing_keys import new_signing_key, public_jwk

Make = Callable[..., Server]


def database(folder: Path) -> str:
    return f"sqlite:///{(folder / 'rolecall.db').as_posix()}"


def snapshot(folder: Path, verb: str, file: str, url: str = "", *options: str) -> None:
    done = run_rolecall(folder, "snapshot", verb, file, *options, "--database", url or database(folder))
    assert (done.returncode, done.stdout, without_slow_lines(done.stderr)) == (0, "", "")


def test_a_running_server_returns_to_a_saved_world(make_server: Make) -> None:
    server = make_server("--workers", "2")
    credentials = server.assume("chime-reader")
    snapshot(server.folder, "save", "before.yaml", "", "--no-last-used")
    file = server.folder / "before.yaml"
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    iam = server.client("iam")
    iam.create_user(UserName="new")
    iam.detach_role_policy(RoleName="chime-reader", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
    with pytest.raises(ClientError):
        server.client("chime", credentials=credentials).list_accounts()
    snapshot(server.folder, "load", "before.yaml")
    for _ in range(6):
        assert server.client("chime", credentials=credentials).list_accounts()["Accounts"]
    assert "new" not in [user["UserName"] for user in iam.list_users()["Users"]]
    snapshot(server.folder, "save", "after.yaml", "", "--no-last-used")
    assert (server.folder / "after.yaml").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")
    # The file that the server was started with is not applied over it.
    iam.delete_role_policy(RoleName="chime-denied", PolicyName="no-chime")
    snapshot(server.folder, "save", "changed.yaml")
    snapshot(server.folder, "load", "changed.yaml")
    server.stop()
    server.restart()
    assert iam.list_role_policies(RoleName="chime-denied")["PolicyNames"] == []


def test_a_snapshot_starts_another_server(make_server: Make) -> None:
    first = make_server()
    first.client("iam").create_user(UserName="new")
    user_id = first.client("iam").get_user(UserName="new")["User"]["UserId"]
    snapshot(first.folder, "save", "world.yaml")
    copied = database(first.folder).replace("rolecall.db", "copy.db")
    snapshot(first.folder, "load", "world.yaml", copied)
    configured = str(first.folder / "world.yaml")
    for second in (make_server(database=copied), make_server("--config", configured)):
        found = second.client("iam").get_user(UserName="new")["User"]
        assert (found["UserId"], found["Arn"]) == (user_id, f"arn:aws:iam::{FIRST_ACCOUNT}:user/new")


def test_standard_streams(make_server: Make) -> None:
    server = make_server()
    saved = run_rolecall(server.folder, "snapshot", "save", "-", "--database", database(server.folder))
    assert saved.stdout.startswith("# A snapshot: ")
    loaded = subprocess.run(
        [sys.executable, "-m", "rolecall", "snapshot", "load", "-", "--database", database(server.folder)],
        input=saved.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (loaded.returncode, loaded.stdout, without_slow_lines(loaded.stderr)) == (0, "", "")


WORLD = """
version: 1
accounts:
- id: "111122223333"
  users: [{name: ana, access_keys: [{id: anas_key, secret: anas-secret}]}]
"""


def _database_with(folder: Path, text: str) -> str:
    (folder / "world.yaml").write_text(text)
    url = f"sqlite:///{folder / 'world.db'}"
    snapshot(folder, "load", "world.yaml", url)
    return url


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_that_was_there_is_the_owners_alone_afterwards(tmp_path: Path) -> None:
    url = _database_with(tmp_path, WORLD)
    file = tmp_path / "before.yaml"
    file.write_text("anything")
    file.chmod(0o644)
    (tmp_path / "link.yaml").symlink_to("before.yaml")
    snapshot(tmp_path, "save", "link.yaml", url)
    assert (tmp_path / "link.yaml").is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "anas-secret" in file.read_text()
    snapshot(tmp_path, "save", "again.yaml", url)
    assert (tmp_path / "again.yaml").read_bytes() == file.read_bytes()
    # Nothing else is left beside them.
    assert {each.name for each in tmp_path.glob("*.yaml")} == {"world.yaml", "before.yaml", "link.yaml", "again.yaml"}
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    url = _database_with(tmp_path, WORLD)
    done = run_rolecall(tmp_path, "snapshot", "save", "/dev/full", "--database", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rolecall: cannot write /dev/full: No space left on device\n"


def test_files_that_a_sandbox_file_names_lie_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "keys.json").write_text(json.dumps({"keys": [public_jwk(new_signing_key("ES256"))]}))
    issuer = {"url": "https://idp.example.com", "jwks_file": "keys.json"}
    account = {"id": "111122223333", "oidc_providers": [issuer]}
    (folder / "world.json").write_text(json.dumps({"version": 1, "accounts": [account]}))
    snapshot(tmp_path, "load", "elsewhere/world.json", f"sqlite:///{tmp_path / 'world.db'}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["save", "x.yaml", "--database", "sqlite:///absent.db"], "there is no such database"),
        (["save", "x.yaml", "--database", "sqlite://"], "ask the server at /_rolecall/snapshot"),
        (["save", "x.yaml", "--database", "nonsense"], "the database URL is not valid"),
        (["load", "absent.yaml", "--database", "sqlite:///new.db"], "cannot read absent.yaml: No such file"),
        (
            ["load", "bad.yaml", "--database", "sqlite:///new.db"],
            "bad.yaml:2: accounts: must name at least one account",
        ),
        (["load", "bad.bin", "--database", "sqlite:///new.db"], "cannot read bad.bin: not UTF-8 text"),
        (["load"], "Missing argument 'FILE'"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, arguments: list[str], words: str) -> None:
    (tmp_path / "bad.yaml").write_text("version: 1\naccounts: []\n")
    (tmp_path / "bad.bin").write_bytes(b"\xff\xfe")
    done = run_rolecall(tmp_path, "snapshot", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.yaml").exists()
