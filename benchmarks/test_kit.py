"""The test kit beside moto's mock_aws: a fresh sandbox, a call, and two hundred tests, alternating in one run.

    python benchmarks/test_kit.py

Compare the ratios, not the times. Needs the extra ``benchmark``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from rolecall import Rolecall

FRESH_BAR_MILLISECONDS = 10
SUITE_BAR = 1 / 3
UNDER_MOTO = "a call under mock_aws"
# Each test assumes a role and makes a refused and an allowed call.
ROLECALL_SUITE = """
import boto3
import pytest


@pytest.mark.parametrize("number", range({tests}))
def test_flow(number, rolecall):
    credentials = boto3.client("sts").assume_role(
        RoleArn="arn:aws:iam::111122223333:role/chime-reader", RoleSessionName="session"
    )["Credentials"]
    chime = boto3.client(
        "chime",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
    with pytest.raises(chime.exceptions.ForbiddenException):
        chime.create_user(AccountId=account_id, Email="new@example.com")
"""
# Moto has no Chime: each test assumes a role and does nothing else.
MOTO_SUITE = """
import boto3
import pytest
from moto import mock_aws


@pytest.mark.parametrize("number", range({tests}))
def test_flow(number):
    with mock_aws():
        boto3.client("sts", region_name="us-east-1").assume_role(
            RoleArn="arn:aws:iam::111122223333:role/chime-reader", RoleSessionName="session"
        )
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, of which the median counts (default 3)")
    parser.add_argument("--tests", type=int, default=200, help="tests of a suite (default 200)")
    parser.add_argument("--repeats", type=int, default=50, help="fresh sandboxes and calls of a run (default 50)")
    options = parser.parse_args()
    fresh_and_calls(options.rounds, options.repeats)
    suites(options.rounds, options.tests)


def fresh_and_calls(rounds: int, repeats: int) -> None:
    print(f"{'milliseconds, wall (CPU)':<46}{'median of ' + str(rounds):>20}")
    here, served = Rolecall(), Rolecall.start()
    in_process, over_a_socket = here.client("sts"), served.client("sts")
    with mock_aws():
        mocked = boto3.client("sts", region_name="us-east-1")
    measures: dict[str, Callable[[], object]] = {
        "a fresh sandbox": lambda: Rolecall().close(),
        "a fresh sandbox as a block": fresh_block,
        "mock_aws as a block": mock_block,
        "a call in this process": in_process.get_caller_identity,
        "a call over a socket": over_a_socket.get_caller_identity,
        UNDER_MOTO: mocked.get_caller_identity,
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            with mock_aws() if name == UNDER_MOTO else contextlib.nullcontext():
                measure()
                found[name].append(timed(measure, repeats))
    here.close()
    served.close()
    for name, runs in found.items():
        wall, processor = (statistics.median(column) for column in zip(*runs, strict=True))
        bar = f"   bar {FRESH_BAR_MILLISECONDS}" if name.startswith("a fresh") else ""
        print(f"{name:<46}{f'{wall:.2f} ({processor:.2f})':>20}{bar}")


def fresh_block() -> None:
    with Rolecall():
        pass


def mock_block() -> None:
    with mock_aws():
        pass


def timed(function: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Milliseconds of one call: elapsed time and processor time."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - wall) / repeats * 1e3, (time.process_time() - processor) / repeats * 1e3


def suites(rounds: int, tests: int) -> None:
    """Runs both suites in this process, alternating, round after round."""
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, source in (("rolecall", ROLECALL_SUITE), ("mock_aws", MOTO_SUITE)):
            files[name] = Path(folder) / f"test_{name}.py"
            files[name].write_text(source.format(tests=tests))
        found: dict[str, list[float]] = {name: [] for name in files}
        for _ in range(rounds):
            for name, file in files.items():
                found[name].append(seconds_of(file))
    ours, theirs = statistics.median(found["rolecall"]), statistics.median(found["mock_aws"])
    print(f"\n{tests} tests, seconds (CPU): rolecall {ours:.2f}, assuming a role, refused and allowed calls to Chime")
    print(f"{'':<{len(str(tests))}}                       mock_aws {theirs:.2f}, assuming a role only")
    print(f"rolecall takes {ours / theirs:.2f} of mock_aws's time; bar {SUITE_BAR:.2f}")


def seconds_of(file: Path) -> float:
    started = time.process_time()
    silence = io.StringIO()
    with contextlib.redirect_stdout(silence):
        status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", str(file)])
    if status != 0:
        sys.exit(silence.getvalue())
    return time.process_time() - started


if __name__ == "__main__":
    main()
