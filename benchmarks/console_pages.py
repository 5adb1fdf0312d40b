"""The processor time of every page of the console, over a large sandbox with a full decision log.

    python benchmarks/console_pages.py
    python benchmarks/console_pages.py --postgresql

For each page: the best of some visits, and the first visit after a change of who may do what. Both in milliseconds of
this process, and the best time on the clock, which with PostgreSQL also has its server's time. ``--postgresql`` starts
a PostgreSQL server and needs its programs (see tests/postgresql_server.py).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import console_contents
import postgresql_server
from botocore.exceptions import ClientError

from rolecall.app import application_over, decision_log, open_database
from rolecall.clock import Clock
from rolecall.inprocess import client
from rolecall.storage.decision_log import KEPT_CALLS, CallFilter, LoggedCall
from rolecall.worlds.declare import read_world

CONSOLE = "/_rolecall/console"
HUB, WORK = "111122223333", "444455556666"
BUSY = f"arn:aws:iam::{HUB}:role/team-0/role-0000"
OTHER = f"arn:aws:iam::{WORK}:role/team-1/role-0001"
USER = f"arn:aws:iam::{HUB}:user/user-000"
POLICY = f"arn:aws:iam::{HUB}:policy/policy-000"
BAR_MILLISECONDS = 100


def world_of(roles: int, users: int = 200, policies: int = 300) -> dict[str, Any]:
    """Two accounts. A role trusts one user and the role before it; every fiftieth role may do everything."""
    accounts: list[dict[str, Any]] = []
    for place, account_id in enumerate((HUB, WORK)):
        mine = [number for number in range(roles) if number % 2 == place]
        accounts.append(
            {
                "id": account_id,
                "name": ("hub", "work")[place],
                "users": [_user(account_id, number) for number in range(users // 2)],
                "groups": [{"name": f"group-{number:02}"} for number in range(20)],
                "policies": [_policy(account_id, number) for number in range(policies // 2)],
                "roles": [_role(account_id, number) for number in mine],
                "chime_accounts": [_chime_account(number) for number in range(20)],
            }
        )
    return {"version": 1, "accounts": accounts}


def _statement(effect: str, action: Any, **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, **more}]}


def _user(account_id: str, number: int) -> dict[str, Any]:
    user: dict[str, Any] = {"name": f"user-{number:03}", "groups": [f"group-{number % 20:02}"]}
    if number < 40:
        user["access_keys"] = [{"id": f"key_of_{account_id}_{number}", "secret": f"secret-{number}"}]
    assuming = [f"arn:aws:iam::{each}:role/team-{number % 10}/*" for each in (HUB, WORK)]
    user["inline_policies"] = {"assume": _statement("Allow", "sts:AssumeRole", Resource=assuming)}
    if number == 0:
        user["attached_policies"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    return user


def _policy(account_id: str, number: int) -> dict[str, Any]:
    actions = [f"chime:{verb}*" for verb in ("List", "Get", "Create")[: number % 3 + 1]] + ["iam:GetRole"]
    resource = ["*", f"arn:aws:iam::{account_id}:role/team-{number % 10}/*"]
    return {"name": f"policy-{number:03}", "document": _statement("Allow", actions, Resource=resource)}


def _role(account_id: str, number: int) -> dict[str, Any]:
    trusted = [f"arn:aws:iam::{account_id}:user/user-{number // 2 % 100:03}"]
    if number >= 20:
        before = number - 20
        trusted.append(f"arn:aws:iam::{account_id}:role/team-{before % 10}/role-{before:04}")
    trust = _statement("Allow", "sts:AssumeRole", Principal={"AWS": trusted})
    role: dict[str, Any] = {"name": f"role-{number:04}", "path": f"/team-{number % 10}/", "trust_policy": trust}
    role["attached_policies"] = [f"arn:aws:iam::{account_id}:policy/policy-{number % 150:03}"]
    if number % 50 == 7:
        role["attached_policies"].append("arn:aws:iam::aws:policy/AdministratorAccess")
    role["inline_policies"] = {"own": _statement("Allow", ["chime:Update*", "sts:TagSession"], Resource="*")}
    return role


def _chime_account(number: int) -> dict[str, Any]:
    users = [{"email": f"user-{each}@example.com"} for each in range(200 if number == 0 else 5)]
    return {"name": f"chime {number}", "users": users}


def real_calls(application: Any) -> list[LoggedCall]:
    """Some calls of every kind, as the log has them."""
    admin = _client(application, "iam")
    for number in range(8):
        admin.get_role(RoleName=f"role-{number * 2:04}")
        _client(application, "chime").list_accounts()
    sts = _client(application, "sts")
    for number in (0, 200):
        got = sts.assume_role(RoleArn=f"arn:aws:iam::{HUB}:role/team-0/role-{number:04}", RoleSessionName=f"s{number}")
        session = [got["Credentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        for service, call in (
            ("chime", lambda c: c.list_accounts()),
            ("iam", lambda c: c.get_role(RoleName="role-0010")),
            ("iam", lambda c: c.get_user(UserName="user-001")),
            ("iam", lambda c: c.delete_role(RoleName="role-0010")),
        ):
            with suppress(ClientError):
                call(client(application, service, *session))
    log = application.sandbox.decisions
    log.flush()
    found: list[LoggedCall] = log.store.calls(CallFilter(limit=KEPT_CALLS))
    return found


def _client(application: Any, service: str, number: int = 0) -> Any:
    return client(application, service, f"key_of_{HUB}_{number}", f"secret-{number}")


def filled(store: Any, samples: list[LoggedCall], roles: int, calls: int) -> None:
    """Write many calls like the samples: two fifths by one role, one in a hundred of them refused."""
    chance = random.Random(1)
    allowed = [each for each in samples if each.outcome == "Allowed"]
    refused = [each for each in samples if each.outcome != "Allowed"]
    made: list[LoggedCall] = []
    for number in range(calls):
        sample = chance.choice(refused if number % 100 == 0 else allowed)
        at_seconds = sample.at_seconds - (calls - number) / 10
        changed = {"request_id": f"{number:08x}-1111-4111-8111-111111111111", "at_seconds": at_seconds}
        if number % 5 > 1 and ":assumed-role/" in sample.principal:
            role = chance.randrange(roles)
            account_id = (HUB, WORK)[role % 2]
            changed["principal"] = f"arn:aws:sts::{account_id}:assumed-role/role-{role:04}/s{role}"
            changed["principal_arn"] = f"arn:aws:iam::{account_id}:role/team-{role % 10}/role-{role:04}"
        made.append(sample._replace(received_at_seconds=at_seconds, **changed))
    for start in range(0, calls, 200):
        store.write(made[start : start + 200], {}, {}, samples[0].at_seconds)


def pages(refused: str, allowed: str, contents: console_contents.Contents) -> dict[str, str]:
    """The name and the address of each page."""
    one, editor = "/identities/one?arn=", "/policies/one?"
    busy = quote(BUSY)
    return {
        "start": "",
        "decisions": "/decisions",
        "decisions, refused": "/decisions?outcome=Refused",
        "decisions of a busy role": f"/decisions?principal={busy}",
        "decisions of a quiet role": f"/decisions?principal={quote(OTHER)}",
        "decisions, one action": "/decisions?action=iam:DeleteRole",
        "decisions, no such action": "/decisions?action=iam:CreateGroup",
        "decisions, 1000 of them": "/decisions?limit=1000",
        "a refused call": f"/decisions/{refused}",
        "an allowed call": f"/decisions/{allowed}",
        "identities": "/identities",
        "identities by name": "/identities?name=role-099",
        "a user": one + quote(USER),
        "a group": f"{one}{quote(f'arn:aws:iam::{HUB}:group/group-01')}",
        "a busy role": one + busy,
        "a quiet role": one + quote(OTHER),
        "a role's actions": f"{one}{busy}&action={quote('iam:* chime:* sts:*')}",
        "trust graph": "/trust",
        "trust graph, one team": "/trust?name=team-3",
        "trust graph, administrators": "/trust?administrators=yes",
        "trust graph, a way": f"/trust?from=user/user-000&to={quote('role/role-0400')}",
        "an edge": f"/trust/edge?from={quote(USER)}&to={busy}",
        "policies": "/policies",
        "policies by name": "/policies?name=chime",
        "policy editor": f"{editor}arn={quote(POLICY)}",
        "policy editor, a question": f"{editor}arn={quote(POLICY)}&principal={busy}&action=chime:ListUsers",
        "trust policy": f"{editor}owner={busy}&trust=yes",
        "simulator": "/simulator",
        "simulator, IAM": f"/simulator?principal={busy}&service=iam",
        **{f"chime: {name.removeprefix('chime-')}": path for name, path in contents.pages(HUB).items()},
        "federation": "/federation",
        "time and faults": "/time",
        "least privilege": "/least-privilege",
        "least privilege, a busy role": f"/least-privilege?principal={busy}",
        "least privilege, a quiet role": f"/least-privilege?principal={quote(OTHER)}",
    }


def timed(visit: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds of the processor and of the clock."""
    began, processor = time.perf_counter(), time.process_time()
    answer = visit()
    found = (time.process_time() - processor) * 1000, (time.perf_counter() - began) * 1000
    assert answer.status_code == 200, answer.text[-500:]
    return found


def measured(application: Any, chosen: dict[str, str], visits: int) -> Iterator[tuple[str, float, float, float]]:
    browser, admin = application.test_client(), _client(application, "iam")
    for name, path in chosen.items():

        def visit(path: str = path) -> Any:
            return browser.get(CONSOLE + path)

        visit()
        best = [min(each) for each in zip(*(timed(visit) for _ in range(visits)), strict=True)]
        changed = []
        for _ in range(2):
            # A change of who may do what. The calls before the visit read some of it again, as other calls do.
            admin.tag_user(UserName="user-001", Tags=[{"Key": "n", "Value": str(time.perf_counter_ns())}])
            changed.append(timed(visit)[0])
        yield name, best[0], min(changed), best[1]


def shown(found: Iterator[tuple[str, float, float, float]]) -> None:
    print(f"{'page':32}{'ms':>8}{'ms after a change':>20}{'ms on the clock':>18}")
    slow = 0
    for name, best, changed, clock in found:
        mark = " *" if best > BAR_MILLISECONDS else ""
        slow += bool(mark)
        print(f"{name:32}{best:8.1f}{changed:20.1f}{clock:18.1f}{mark}", flush=True)
    print(f"{slow} pages take more than {BAR_MILLISECONDS} ms of processor time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roles", type=int, default=1000)
    parser.add_argument("--calls", type=int, default=KEPT_CALLS)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--page", default="", help="only pages whose name has this text")
    parser.add_argument("--profile", action="store_true", help="show where the visits spend their time")
    parser.add_argument("--postgresql", action="store_true", help="with the database in PostgreSQL")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        os.chmod(folder, 0o711)
        url = f"sqlite:///{Path(folder) / 'rolecall.db'}"
        if arguments.postgresql:
            own = Path(folder) / "postgresql"
            own.mkdir()
            server = postgresql_server.Server(own)
            stack.callback(server.stop)
            url = postgresql_server.Databases(server).new_url()
        world, clock = read_world(json.dumps(world_of(arguments.roles))), Clock()
        database = open_database(url, world, clock)
        stack.callback(database.close)
        log = decision_log(url, clock)
        application = application_over(database, world, clock, decisions=log)
        contents = console_contents.fill(lambda service: _client(application, service))
        samples = real_calls(application)
        filled(log.store, samples, arguments.roles, arguments.calls)
        refusal = _refusal(application, log)
        chosen = pages(refusal, f"{arguments.calls // 2 + 1:08x}-1111-4111-8111-111111111111", contents)
        chosen = {name: path for name, path in chosen.items() if arguments.page in name}
        profile = cProfile.Profile()
        if arguments.profile:
            profile.enable()
        shown(measured(application, chosen, arguments.visits))
        if arguments.profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(35)


def _refusal(application: Any, log: Any) -> str:
    """The request id of a refused call, the newest one of the log."""
    try:
        _client(application, "iam", 1).get_user(UserName="user-001")
    except ClientError as error:
        log.flush()
        return str(error.response["ResponseMetadata"]["RequestId"])
    raise AssertionError("the call was allowed")


if __name__ == "__main__":
    main()
