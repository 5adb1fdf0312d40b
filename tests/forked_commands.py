"""Shell commands without their start-up time: each is a fork of a process that has loaded the command's modules.

Most of the time of ``rolecall``, ``aws``, ``pytest`` and ``python`` goes into imports. Here each is a small script in a
folder at the front of the path. A script sends its arguments, folder, environment and streams to a process that has
everything loaded. That process forks, and the script ends with the fork's status. So a command still is a process of
its own, with the pipes and quotes of a real shell. For POSIX.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# The modules that each process loads at its first command. The AWS CLI brings its own botocore, which replaces the
# other one.
_LOADED = {
    # Not "awscli.handlers": it takes the home folder, and so the place of kept credentials, when it is loaded.
    "aws": (
        "awscli.clidriver",
        "awscli.customizations.cloudformation",
        "awscli.customizations.codedeploy.codedeploy",
        "awscli.customizations.ec2.bundleinstance",
        "fileinput",
        "rsa",
        "s3transfer.manager",
    ),
    "rolecall": (
        "boto3",
        "hypothesis",
        "jwt",
        "pytest",
        "unittest",
        "rolecall.cli",
        "rolecall.commands.serve",
        "rolecall.gateway.connect",
        "rolecall.kit",
        "rolecall.services.chime",
        "rolecall.services.iam",
        "rolecall.services.sts",
        "rolecall.storage.sqlite_dialect",
        "rolecall.storage.sqlite_log",
        "rolecall.storage.write_ahead",
    ),
}
_COMMANDS = {"aws": "aws", "rolecall": "rolecall", "pytest": "rolecall", "python": "rolecall"}
# A command's request is sent in one piece of at most this length.
_MAXIMUM_BYTES = 1 << 20
# Python's own modules for JSON and sockets would take twice the time of the rest.
_SCRIPT = """#!{python} -IS
import _socket, os, sys
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
connection.connect({address!r})
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
connection.sendmsg([b"."], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
asked = {{"argv": ["{command}", *sys.argv[1:]], "folder": os.getcwd(), "environment": dict(os.environ)}}
connection.sendall(ascii(asked).encode())
connection.shutdown(_socket.SHUT_WR)
sys.exit(int(connection.recv(16) or b"70"))
"""


@contextlib.contextmanager
def forked_commands() -> Iterator[Path]:
    """The folder of the commands, while their processes run."""
    # Not a folder of pytest's: a socket's address may have about a hundred characters.
    with tempfile.TemporaryDirectory(prefix="forked-") as name, contextlib.ExitStack() as processes:
        folder = Path(name)
        for kind in _LOADED:
            processes.enter_context(_process(kind, folder / f"{kind}.socket"))
        for command, kind in _COMMANDS.items():
            script = folder / command
            address = str(folder / f"{kind}.socket")
            script.write_text(_SCRIPT.format(python=sys.executable, address=address, command=command))
            script.chmod(0o755)
        yield folder


@contextlib.contextmanager
def _process(kind: str, address: Path) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(64)
        number = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, __file__, kind, str(number)], pass_fds=[number], stdin=subprocess.DEVNULL
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _serve(kind: str, listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection:
            for name in _LOADED[kind]:
                importlib.import_module(name)
            if os.fork() == 0:
                listener.close()
                _answer(connection)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                """One that has answered is gone."""


def _answer(connection: socket.socket) -> None:
    """Run the command in a fork of this fork, and report its status. Does not return."""
    status = 70
    try:
        _, streams, _, _ = socket.recv_fds(connection, 1, 3)
        text = b""
        while (piece := connection.recv(_MAXIMUM_BYTES)) and len(text) < _MAXIMUM_BYTES:
            text += piece
        child = os.fork()
        if child == 0:
            connection.close()
            run_forked(ast.literal_eval(text.decode()), streams)
        for stream in streams:
            os.close(stream)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        # The status that a shell reports for a signal.
        connection.sendall(str(status if status >= 0 else 128 - status).encode())
    finally:
        os._exit(status & 255)


def run_forked(asked: dict[str, Any], streams: list[int]) -> None:
    status = 1
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  the streams of the process
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        os.chdir(asked["folder"])
        # The AWS CLI sets its models' folder there when it is loaded.
        loaded = {name: os.environ[name] for name in ("AWS_DATA_PATH",) if name in os.environ}
        os.environ.clear()
        os.environ.update(loaded | asked["environment"])
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.argv[:] = asked["argv"]
        status = _status_of(_command)
        sys.stdout.flush()
    except BaseException:  # after any error the fork must end, not go on as its parent
        traceback.print_exc()
    finally:
        os._exit(status)


def _status_of(call: Any) -> int:
    try:
        ended = call()
    except SystemExit as end:
        ended = end.code
    if isinstance(ended, str):
        print(ended, file=sys.stderr)  # noqa: T201
        return 1
    return int(ended or 0) & 255


def _command() -> Any:
    name, *arguments = sys.argv
    if name == "rolecall":
        return importlib.import_module("rolecall.cli").main(prog_name="rolecall")
    if name == "aws":
        return importlib.import_module("awscli.clidriver").main()
    if name == "pytest":
        return importlib.import_module("pytest").console_main()
    if not arguments or arguments[0].startswith("-"):
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  this very Python
    sys.argv[:] = arguments
    sys.path[0] = str(Path(arguments[0]).parent.resolve())
    runpy.run_path(arguments[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    # SIGTERM ends it in the usual way.
    with socket.socket(fileno=int(sys.argv[2])) as listener:
        _serve(sys.argv[1], listener)
