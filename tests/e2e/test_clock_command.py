"""``rolecall clock`` against served sandboxes: one worker and two, and no server at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError
from reserved_ports import reserved_port
from served import Server, run_rolecall

Make = Callable[..., Server]


@pytest.fixture
def clean(server: Server) -> Iterator[Server]:
    yield server
    clock(server, "reset")


def clock(server: Server, *change: str) -> str:
    done = run_rolecall(server.folder, "clock", *change, "--port", str(server.port))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def state(server: Server) -> tuple[float, bool]:
    status, shown = server.control("GET", "clock")
    assert status == 200
    return shown["offset_seconds"], shown["frozen"]


def test_the_clock_is_shown_moved_and_reset(clean: Server) -> None:
    assert clock(clean).endswith("Z, the real time\n")
    assert clock(clean, "+1h").endswith("Z, 3600 s ahead of the real time\n")
    assert state(clean) == (3600, False)
    assert clock(clean, "-1h30m10s").endswith("Z, 1810 s behind the real time\n")
    assert clock(clean, "+1d").endswith("Z, 84590 s ahead of the real time\n")
    assert clock(clean, "freeze").endswith("s ahead of the real time, frozen\n")
    assert clock(clean, "2030-01-01T00:00:00Z").startswith("2030-01-01T00:00:00Z, ")
    assert clock(clean, "unfreeze").endswith("s ahead of the real time\n")
    assert clock(clean, "reset").endswith("Z, the real time\n")
    assert state(clean) == (0, False)


def test_the_server_is_found_by_url_and_by_variables(clean: Server) -> None:
    for arguments, variables in (
        (["--endpoint", clean.url], {}),
        (["--endpoint", f"{clean.url}/"], {}),
        ([], {"ROLECALL_ENDPOINT": clean.url}),
        ([], {"ROLECALL_PORT": str(clean.port), "ROLECALL_HOST": "127.0.0.1"}),
    ):
        done = run_rolecall(clean.folder, "clock", "+1s", *arguments, **variables)
        assert (done.returncode, done.stderr) == (0, "")
    assert state(clean) == (4, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("soon", "'soon' is not a change of the clock: write a step such as +1h"),
        ("+1", "'+1' is not a change of the clock"),
        ("2030-13-01", "Write a time as 2030-01-01T00:00:00Z."),
        ("1969-01-01", "The sandbox's clock goes from 1970"),
        ("+999999999999d", "The sandbox's clock goes from 1970"),
    ],
)
def test_invalid_changes(clean: Server, change: str, words: str) -> None:
    done = run_rolecall(clean.folder, "clock", change, "--port", str(clean.port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rolecall: {words}")
    assert state(clean) == (0, False)


def test_without_a_server(clean: Server) -> None:
    port = reserved_port()
    done = run_rolecall(clean.folder, "clock", "-1h", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"rolecall: Rolecall does not answer at http://127.0.0.1:{port}: start it with rolecall serve, "
        "or give its address with --endpoint, or --host and --port\n"
    )
    for endpoint in ("127.0.0.1:4580", "ftp://127.0.0.1", "http://127.0.0.1:none"):
        done = run_rolecall(clean.folder, "clock", "--endpoint", endpoint)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"rolecall: {endpoint!r} is not the URL of a server: write it as http://127.0.0.1:4580\n"


def test_workers_share_one_clock_also_after_a_restart(make_server: Make) -> None:
    server = make_server("--workers", "2")
    credentials = server.assume("chime-reader")

    def codes() -> set[str]:
        """The answers of both workers. Each client opens its own connection, and connections go to both workers."""
        found = set()
        for _ in range(20):
            try:
                server.client("sts", credentials=credentials).get_caller_identity()
                found.add("")
            except ClientError as error:
                found.add(error.response["Error"]["Code"])
        return found

    assert codes() == {""}
    clock(server, "+2h")
    assert {state(server) for _ in range(20)} == {(7200, False)}
    assert codes() == {"ExpiredToken"}
    server.stop()
    server.restart()
    assert codes() == {"ExpiredToken"}
    assert server.control("POST", "reset")[0] == 200
    assert {state(server) for _ in range(20)} == {(0, False)}
