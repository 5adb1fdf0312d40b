"""Calls of IAM over a socket, beside a bare Flask application that gives answers of the same size.

    python benchmarks/iam_calls.py

Both servers have one worker and get their load in turn, on 8 connections. CreateRole is called once for each of many
names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import beside_flask
import load
import servers
import signed_requests
from beside_flask import Measured

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
ROLES, CREATED = 120, 400
BARS = {"GetRole": 0.6, "GetUser": 0.6, "ListRoles": 0.3}


def main() -> None:
    arguments = beside_flask.arguments_of(__doc__)
    with beside_flask.both_servers("iam") as (bare, ours):
        measure(bare, ours, arguments)


def measure(bare: servers.Server, ours: servers.Server, arguments: argparse.Namespace) -> None:
    iam = _client(ours)
    user = iam.list_users()["Users"][0]["UserName"]
    for number in range(ROLES):
        iam.create_role(RoleName=f"benchmark-{number:04}", AssumeRolePolicyDocument=TRUST, Description="a role")
    calls: dict[str, Callable[[Any], Any]] = {
        "GetRole": lambda c: c.get_role(RoleName="benchmark-0001"),
        "GetUser": lambda c: c.get_user(UserName=user),
        "ListRoles": lambda c: c.list_roles(MaxItems=100),
    }
    measured = {}
    for name, call in calls.items():
        size = int(call(iam)["ResponseMetadata"]["HTTPHeaders"]["content-length"])
        measured[name] = Measured(signed_requests.captured(_client(ours), call), size, BARS[name])
    beside_flask.compare(bare, ours, measured, arguments)
    # Each connection sends one more that nobody waits for.
    created = [_creation(_client(ours), number) for number in range(CREATED + arguments.connections)]
    result = load.run(ours.port, created, arguments.connections, 3600, ours.pids(), limit=CREATED)
    print(f"{'CreateRole':12}{result.rate:12.0f}{'':25}{result.cpu_microseconds:9.0f} (bar 700)")


def _creation(iam: Any, number: int) -> bytes:
    made = {"RoleName": f"made-{number:04}", "AssumeRolePolicyDocument": TRUST, "Description": "a role"}
    return signed_requests.captured(iam, lambda c: c.create_role(**made))


def _client(server: servers.Server) -> Any:
    return signed_requests.client(server.url, "iam", KEYS)


if __name__ == "__main__":
    main()
