"""Commands in a real terminal, narrow and wide, and in a pipe; the link to the console; --follow until Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from forked_servers import fork_rolecall
from served import PATIENCE_SECONDS, Server, clean_environment, eventually, run_rolecall, script

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROLE = "arn:aws:iam::444455556666:role/chime-partner"
Make = Callable[..., Server]


def in_terminal(home: Path, columns: int, *arguments: str, **environment: str) -> str:
    """What a command prints on a terminal of this width."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {**clean_environment(home), "TERM": "xterm-256color", **environment}
    for name in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"} - environment.keys():
        variables.pop(name, None)
    process = fork_rolecall(list(arguments), cwd=home, env=variables, streams=(theirs, theirs, theirs))
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:
        # The terminal of a process that has ended.
        pass
    finally:
        os.close(ours)
    assert process.wait(PATIENCE_SECONDS) in (0, 2)
    return b"".join(parts).decode().replace("\r\n", "\n")


def widest(text: str) -> int:
    return max(map(len, ESCAPE.sub("", text).splitlines()))


def refuse(server: Server) -> str:
    with pytest.raises(ClientError) as caught:
        server.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="abc")
    return str(caught.value.response["ResponseMetadata"]["RequestId"])


def database(server: Server) -> list[str]:
    return ["--database", f"sqlite:///{(server.folder / 'rolecall.db').as_posix()}"]


def test_the_demo_fits(tmp_path: Path) -> None:
    plain = run_rolecall(tmp_path, "demo").stdout
    assert 60 < widest(plain) < 100
    assert "\x1b" not in plain
    narrow = in_terminal(tmp_path, 50, "demo")
    assert widest(narrow) <= 50
    assert "\x1b[1;31mImplicitDeny" in narrow
    wide = in_terminal(tmp_path, 200, "demo", NO_COLOR="1")
    assert "\x1b" not in wide
    assert wide == plain


def test_explanations_and_decisions_fit_every_terminal(make_server: Make) -> None:
    server = make_server()
    made = refuse(server)
    assert eventually(lambda: server.control("GET", f"decisions/{made}")[0] == 200)
    page = f"{server.url}/_rolecall/console/decisions/{made}"
    for columns in (40, 80, 200):
        explained = in_terminal(server.folder, columns, "explain", made, *database(server), "--port", str(server.port))
        lines = [line for line in explained.splitlines() if page not in line]
        assert widest("\n".join(lines)) <= columns
        assert page in explained
        assert "encoded message" not in explained
        listed = in_terminal(server.folder, columns, "decisions", *database(server))
        assert widest(listed) <= columns
        assert made in listed
        assert ("REQUEST ID" in listed) is (columns == 200)
        assert "\x1b" not in in_terminal(server.folder, columns, "decisions", *database(server), NO_COLOR="1")
    problem = in_terminal(server.folder, 40, "explain", "nothing", *database(server))
    assert widest(problem) <= 40
    assert problem.startswith("\x1b[1;31mrolecall:")


def test_an_explanation_names_the_page_only_while_the_server_has_the_call(make_server: Make) -> None:
    server = make_server()
    made = refuse(server)
    assert eventually(lambda: server.control("GET", f"decisions/{made}")[0] == 200)
    arguments = ["explain", made, *database(server)]
    page = f"console           {server.url}/_rolecall/console/decisions/{made}"
    assert page.split()[0] not in run_rolecall(server.folder, *arguments, "--port", "9").stdout
    shown = run_rolecall(server.folder, *arguments, "--port", str(server.port), "--verbose").stdout
    assert shown.splitlines()[-1] == page
    assert "\nencoded message   ey" in shown
    with urllib.request.urlopen(page.split()[1], timeout=PATIENCE_SECONDS) as answer:  # noqa: S310  of this machine
        assert made in answer.read().decode()
    server.stop()
    assert "_rolecall/console" not in run_rolecall(server.folder, *arguments, "--port", str(server.port)).stdout


def test_following_prints_further_calls_until_it_is_interrupted(make_server: Make) -> None:
    server = make_server()
    first = refuse(server)
    assert eventually(lambda: server.control("GET", f"decisions/{first}")[0] == 200)
    with subprocess.Popen(
        [*script("rolecall"), "decisions", "--follow", *database(server)],
        env=clean_environment(server.folder),
        cwd=server.folder,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout is not None
            assert first in process.stdout.readline()
            second = refuse(server)
            assert second in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=PATIENCE_SECONDS)
            assert (process.returncode, rest) == (0, "")
        finally:
            process.kill()


def test_a_completion_script_is_one_that_bash_accepts(tmp_path: Path) -> None:
    done = run_rolecall(tmp_path, _ROLECALL_COMPLETE="bash_source")
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=False).returncode == 0
    assert "complete -o nosort -F _rolecall_completion rolecall" in done.stdout
