"""AssumeRoleWithWebIdentity over sockets, beside a bare Flask application on the same server.

    python benchmarks/web_identity.py

One run repeats one token, whose signature is verified once. Another run uses more tokens than the cache keeps, so each
signature is verified. Compare the ratios, not the times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode

import load
import servers

ACCOUNT = "111122223333"
ISSUER = "https://token.actions.githubusercontent.com"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci"
# More tokens than a worker's cache of verified signatures holds.
TOKENS = 5000
BAR = 5.0
BARE = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


def sandbox() -> str:
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER[8:]}"
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringLike": {f"{ISSUER[8:]}:sub": "repo:octo-org/*"},
            "StringEquals": {f"{ISSUER[8:]}:repository": "octo-org/octo-repo"},
        },
    }
    account = {
        "id": ACCOUNT,
        "users": [{"name": "admin", "access_keys": [{"id": "test", "secret": "test"}]}],
        "roles": [{"name": "ci", "trust_policy": {"Version": "2012-10-17", "Statement": [statement]}}],
        "oidc_providers": [{"url": ISSUER, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall"}],
    }
    return json.dumps({"version": 1, "accounts": [account]})


def minted(url: str, algorithm: str) -> str:
    wanted = {"issuer": ISSUER, "shape": "github-actions", "lifetime_seconds": 86400, "algorithm": algorithm}
    request = urllib.request.Request(f"{url}/_rolecall/oidc/token", json.dumps(wanted).encode())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(json.load(answer)["token"])


def call(token: str) -> bytes:
    """The call as botocore sends it."""
    parameters = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": ROLE,
        "RoleSessionName": "benchmark",
        "WebIdentityToken": token,
    }
    body = urlencode(parameters).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
        "User-Agent: Boto3/1.44.5 md/Botocore#1.44.5\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each run lasts (default 2)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each kind (default 5)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8])
    arguments = parser.parse_args()
    servers.take_processor(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        port = servers.free_port()
        bare = stack.enter_context(servers.started("bare Flask", servers.bare_flask(port), port))
        config = Path(folder) / "sandbox.json"
        config.write_text(sandbox(), encoding="utf-8")
        port = servers.free_port()
        command = servers.rolecall(port, f"sqlite:///{Path(folder) / 'rolecall.db'}", "--config", str(config))
        ours = stack.enter_context(servers.started("rolecall", command, port, "/_rolecall/health"))
        servers.take_processor(1)
        runs: list[tuple[servers.Server, str, bytes | list[bytes]]] = [(bare, "bare Flask", BARE)]
        for algorithm in ("RS256", "ES256"):
            tokens = [call(minted(ours.url, algorithm)) for _ in range(TOKENS)]
            runs += [(ours, f"{algorithm}, one token", tokens[0]), (ours, f"{algorithm}, new tokens", tokens)]
        for connections in arguments.connections:
            compare(runs, connections, arguments.seconds, arguments.rounds)


def compare(
    runs: list[tuple[servers.Server, str, bytes | list[bytes]]], connections: int, seconds: float, rounds: int
) -> None:
    results: dict[str, list[load.Result]] = {name: [] for _, name, _ in runs}
    for _ in range(rounds):
        for server, name, request in runs:
            results[name].append(load.run(server.port, request, connections, seconds, server.pids()))
    floor = statistics.median(result.rate for result in results["bare Flask"])
    print(f"\n{connections} connection(s), median of {rounds} rounds of {seconds:g} s (bar {BAR:g})")
    print(f"{'':20}{'requests/s':>12}{'bare/this':>11}{'this/bare':>11}{'CPU µs':>9}")
    for name, found in results.items():
        rate = statistics.median(result.rate for result in found)
        cpu = statistics.median(result.cpu_microseconds for result in found)
        print(f"{name:20}{rate:12.0f}{floor / rate:11.2f}{rate / floor:11.2f}{cpu:9.0f}")


if __name__ == "__main__":
    main()
