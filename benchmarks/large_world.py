"""A large world: writes its sandbox file, and measures starts, memory, snapshots and calls with it.

    python benchmarks/large_world.py --write FILE
    python benchmarks/large_world.py

Without ``--write`` each measurement runs in a process of its own, and the figures are processor time. A machine that is
busy with other work changes them little.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.commands.kept import read_unless_known
from rolecall.ids import Identifiers
from rolecall.inprocess import client, environ_of
from rolecall.settings import SandboxSettings
from rolecall.storage.engine import Database
from rolecall.worlds.snapshots import load_database, save_database
from rolecall.worlds.world import World
from rolecall.worlds.yaml_written import yaml_text

ACCOUNTS, ROLES, USERS = 200, 20_000, 50_000
SNAPSHOT = "snapshot.yaml"


def lines_of(accounts: int, roles: int, users: int) -> list[str]:
    """The sandbox file as JSON, which is also YAML. Users and roles are spread evenly over the accounts."""
    lines = ['{"version": 1, "accounts": [']
    for number in range(accounts):
        account_id = f"{100_000_000_000 + number}"
        mine = [name for name in range(users) if name % accounts == number]
        shown_users: list[dict[str, Any]] = [{"name": f"user-{name:05}"} for name in mine]
        shown_users[0] |= {
            "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
            "access_keys": [{"id": f"AKIA{number:016}", "secret": f"secret-of-account-{number}"}],
        }
        trusted = {"AWS": f"arn:aws:iam::{account_id}:user/{shown_users[0]['name']}"}
        statement = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [statement]}
        shown_roles = [
            {"name": f"role-{name:05}", "trust_policy": json.dumps(trust)}
            for name in range(roles)
            if name % accounts == number
        ]
        account = {"id": account_id, "users": shown_users, "roles": shown_roles}
        lines.append(json.dumps(account) + ("," if number + 1 < accounts else ""))
    return [*lines, "]}"]


def memory_megabytes() -> float:
    """The largest memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result, and the seconds of processor time."""
    begun = time.process_time()
    result = work()
    return result, time.process_time() - begun


def start(file: str, folder: str) -> dict[str, float]:
    """As ``serve`` does it."""
    url = f"sqlite:///{folder}/{Path(file).suffix[1:]}.db"
    world, reading = timed(lambda: read_unless_known(file, url))
    database, setting_up = timed(lambda: open_database(url, world, Clock()))
    database.close()
    return {"read the file, s": reading, "set up the database, s": setting_up, "memory, MB": memory_megabytes()}


def save(_file: str, folder: str) -> dict[str, float]:
    database = Database(f"sqlite:///{folder}/json.db")
    text, saving = timed(lambda: save_database(database, SandboxSettings()))
    database.close()
    memory = memory_megabytes()
    Path(folder, SNAPSHOT).write_text(text, encoding="utf-8")
    return {"save, s": saving, "size, MB": len(text) / 1e6, "memory, MB": memory}


def load(_file: str, folder: str) -> dict[str, float]:
    database = Database(f"sqlite:///{folder}/json.db")
    text = Path(folder, SNAPSHOT).read_text(encoding="utf-8")
    _, loading = timed(lambda: load_database(database, text, time.time(), Identifiers()))
    database.close()
    return {"load, s": loading, "memory, MB": memory_megabytes()}


def calls(_file: str, folder: str) -> dict[str, float]:
    """Microseconds of processor time of one call each, in this process."""
    database, clock = Database(f"sqlite:///{folder}/json.db"), Clock()
    application = application_over(database, World(()), clock)
    found = {}
    for title, call in {
        "GetRole, µs": lambda c: c.get_role(RoleName="role-00000"),
        "GetUser, µs": lambda c: c.get_user(UserName="user-00000"),
        "ListRoles of 100, µs": lambda c: c.list_roles(MaxItems=100),
    }.items():
        kept: list[dict[str, Any]] = []
        iam = client(application, "iam", f"AKIA{0:016}", "secret-of-account-0")
        iam.meta.events.register_first("before-send", lambda request, kept=kept, **_: kept.append(environ_of(request)))
        call(iam)
        [environ] = kept
        body = environ["wsgi.input"].getvalue()

        def once(environ: dict[str, Any] = environ, body: bytes = body) -> bytes:
            made = {**environ, "wsgi.input": io.BytesIO(body)}
            return b"".join(application.wsgi_app(made, lambda *_: None))

        found[title] = min(timed(lambda once=once: [once() for _ in range(100)])[1] for _ in range(5)) / 100 * 1e6
    found["memory, MB"] = memory_megabytes()
    return found


PARTS = {"first start": start, "later start": start, "save": save, "load": load, "calls": calls}
STARTS = ("first start", "later start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--roles", type=int, default=ROLES)
    parser.add_argument("--users", type=int, default=USERS)
    parser.add_argument("--write", metavar="FILE", help="write the sandbox file and measure nothing")
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        name, file, folder = arguments.part
        for title, value in PARTS[name](file, folder).items():
            print(f"{name:14}{title:28}{value:10.1f}")
        return
    text = "\n".join(lines_of(arguments.accounts, arguments.roles, arguments.users)) + "\n"
    if arguments.write:
        Path(arguments.write).write_text(text, encoding="utf-8")
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.json"
        file.write_text(text, encoding="utf-8")
        in_yaml = file.with_suffix(".yaml")
        in_yaml.write_text(yaml_text(json.loads(text)), encoding="utf-8")
        for name, path in [(name, in_yaml) for name in STARTS] + [(name, file) for name in PARTS]:
            print(path.name, flush=True)
            subprocess.run([sys.executable, __file__, "--part", name, str(path), folder], check=True)


if __name__ == "__main__":
    main()
