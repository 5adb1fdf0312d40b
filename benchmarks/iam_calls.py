"""Calls of IAM over a socket, beside a bare Flask application that gives answers of the same size.

    python benchmarks/iam_calls.py

Both servers have one worker and get their load in turn, on 8 connections. ``CPU`` is the processor time of a request,
which a busy machine changes less than the rates. CreateRole is called once for each of many names.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import load
import servers
import signed_requests

KEYS = ("test", "test")
ACCOUNT_ID = "111122223333"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ROLES, CREATED, WARM_UP_SECONDS = 120, 400, 0.5
BARS = {"GetRole": 0.6, "GetUser": 0.6, "ListRoles": 0.3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument("--connections", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bare_port, port = servers.free_port(), servers.free_port()
        bare = stack.enter_context(servers.started("bare Flask", servers.bare_flask(bare_port), bare_port))
        command = servers.rolecall(port, f"sqlite:///{Path(folder) / 'iam.db'}")
        ours = stack.enter_context(servers.started("rolecall", command, port, "/_rolecall/health"))
        measure(bare, ours, arguments)


def measure(bare: servers.Server, ours: servers.Server, arguments: argparse.Namespace) -> None:
    iam = signed_requests.client(ours.url, "iam", KEYS)
    user = iam.list_users()["Users"][0]["UserName"]
    for number in range(ROLES):
        iam.create_role(RoleName=f"benchmark-{number:04}", AssumeRolePolicyDocument=TRUST, Description="a role")
    sizes = {
        name: int(answer["ResponseMetadata"]["HTTPHeaders"]["content-length"])
        for name, answer in {
            "GetRole": iam.get_role(RoleName="benchmark-0001"),
            "GetUser": iam.get_user(UserName=user),
            "ListRoles": iam.list_roles(MaxItems=100),
        }.items()
    }
    requests = {
        "GetRole": signed_requests.captured(iam, lambda c: c.get_role(RoleName="benchmark-0001")),
        "GetUser": signed_requests.captured(_client(ours), lambda c: c.get_user(UserName=user)),
        "ListRoles": signed_requests.captured(_client(ours), lambda c: c.list_roles(MaxItems=100)),
    }
    print(f"{'':12}{'requests/s':>12}{'Flask':>9}{'of Flask':>10}{'bar':>6}{'CPU µs':>9}{'Flask':>8}")
    for name, request in requests.items():
        floor = f"GET /{sizes[name]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        pairs = ((ours, request), (bare, floor))
        for server, sent in pairs:
            load.run(server.port, sent, arguments.connections, WARM_UP_SECONDS, [])
        found: dict[str, list[load.Result]] = {ours.name: [], bare.name: []}
        for _ in range(arguments.rounds):
            for server, sent in pairs:
                result = load.run(server.port, sent, arguments.connections, arguments.seconds, server.pids())
                found[server.name].append(result)
        rate, floor_rate = (statistics.median(each.rate for each in results) for results in found.values())
        cpu, floor_cpu = (statistics.median(each.cpu_microseconds for each in results) for results in found.values())
        shown = f"{name:12}{rate:12.0f}{floor_rate:9.0f}{rate / floor_rate:10.2f}{BARS[name]:6.1f}"
        print(f"{shown}{cpu:9.0f}{floor_cpu:8.0f}")
    iam = _client(ours)
    created = [_creation(iam, number) for number in range(CREATED)]
    result = load.run(ours.port, created, 1, 3600, ours.pids(), limit=CREATED)
    print(f"{'CreateRole':12}{result.rate:12.0f}{'':25}{result.cpu_microseconds:9.0f} (bar 700)")


def _creation(iam: Any, number: int) -> bytes:
    made = {"RoleName": f"made-{number:04}", "AssumeRolePolicyDocument": TRUST, "Description": "a role"}
    return signed_requests.captured(iam, lambda c: c.create_role(**made))


def _client(server: servers.Server) -> Any:
    return signed_requests.client(server.url, "iam", KEYS)


if __name__ == "__main__":
    main()
