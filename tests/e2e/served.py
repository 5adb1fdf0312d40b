"""A real ``rolecall serve`` process for tests, and the ways tests reach it: boto3, the AWS CLI, and raw bytes."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from unittest import mock

import boto3
from botocore.config import Config
from click.testing import CliRunner
from forked_servers import ForkedProcess, fork_rolecall
from reserved_ports import reserved_port

from rolecall.cli import main
from rolecall.commands.common import MIGRATING
from rolecall.commands.serve import SLOW_SETTING_UP
from rolecall.commands.snapshot import SLOW_LOADING, SLOW_SAVING

FIRST_ACCOUNT = "111122223333"
SECOND_ACCOUNT = "444455556666"
ADMIN = ("test", "test")
DEVELOPER = ("developer", "developer-secret")
# The limit for events that must happen. It does not measure speed: it ends a test that would hang.
PATIENCE_SECONDS = 300
# The server's promise: it ends within five seconds.
STOP_SECONDS = 5
_START_ATTEMPTS = 5
_STOP_ATTEMPTS = 5


def script(name: str) -> list[str]:
    """The command line of a console script that is installed beside the running interpreter."""
    beside = Path(sys.executable).parent / (f"{name}.exe" if os.name == "nt" else name)
    if beside.is_file():
        return [str(beside)]
    return [sys.executable, "-m", {"rolecall": "rolecall.cli", "aws": "awscli"}[name]]


def role_arn(name: str, account: str = FIRST_ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def clean_environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment without the developer's own settings for AWS or Rolecall."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ROLECALL_", "XDG_"))}
    own = {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "PYTHONUNBUFFERED": "1"}
    return kept | own | extra


def run_rolecall(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs ``rolecall`` with these arguments to its end, in this process: a new process takes ten times as long."""
    variables = clean_environment(home, **environment)
    with mock.patch.dict(os.environ, variables, clear=True), contextlib.chdir(home):
        done = CliRunner().invoke(main, arguments, prog_name="rolecall")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(["rolecall", *arguments], done.exit_code, done.stdout, done.stderr)


def start_rolecall(
    home: Path, *arguments: str, through: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """The same in a new process, for tests of the process itself. ``through`` is a command that runs a command."""
    return subprocess.run(
        [*through, *script("rolecall"), *arguments],
        env=clean_environment(home, **environment),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@functools.cache
def boto3_session() -> boto3.Session:
    """One for all tests of a process, because it keeps the parsed service models."""
    return boto3.Session(region_name="us-east-1")


@dataclass(frozen=True, slots=True)
class RawAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A ``rolecall serve`` process. Made by :func:`start`."""

    process: subprocess.Popen[bytes] | ForkedProcess
    port: int
    folder: Path
    log: Path
    options: tuple[str, ...]
    environment: dict[str, str] = field(repr=False)
    start_seconds: float = 0.0
    # The command to run in place of the installed one.
    aws_command: list[str] | None = None
    # A command that runs the server's command.
    through: tuple[str, ...] = ()

    @property
    def promised_stop_seconds(self) -> float:
        """The seconds in which it must end; more on a machine so slow that starting took longer."""
        return max(STOP_SECONDS, self.start_seconds)

    @property
    def url(self) -> str:
        scheme = "https" if {"--tls", "--tls-cert"} & set(self.options) else "http"
        return f"{scheme}://127.0.0.1:{self.port}"

    def output(self) -> str:
        return self.log.with_suffix(".out").read_text(encoding="utf-8")

    def errors(self) -> str:
        return self.log.with_suffix(".err").read_text(encoding="utf-8")

    def client(
        self, service: str, keys: tuple[str, ...] = ADMIN, *, credentials: dict[str, Any] | None = None, **config: Any
    ) -> Any:
        """A boto3 client for (id, secret[, token]), or for credentials that STS issued. It does not retry."""
        if credentials is not None:
            keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        return boto3_session().client(
            service,
            endpoint_url=self.url,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2] if len(keys) > 2 else None,
            config=Config(retries={"total_max_attempts": 1}, **config),
        )

    def assume(self, role: str, keys: tuple[str, ...] = ADMIN, **arguments: Any) -> dict[str, Any]:
        """Credentials of a role; ``role`` is an ARN, or the name of a role of the first account."""
        arn = role if role.startswith("arn:") else role_arn(role)
        answer = self.client("sts", keys).assume_role(RoleArn=arn, **{"RoleSessionName": "session", **arguments})
        return answer["Credentials"]  # type: ignore[no-any-return]

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> RawAnswer:
        """One request by Python's own HTTP client, unsigned, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers or {}, **options)
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return RawAnswer(answer.status, named, answer.read())
        finally:
            connection.close()

    def control(self, method: str, path: str, **headers: str) -> tuple[int, Any]:
        """Status and JSON of a control endpoint."""
        answer = self.request(method, f"/_rolecall/{path}", headers=headers)
        return answer.status, json.loads(answer.body)

    def aws(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The AWS CLI with these arguments, as the administrator unless the environment says otherwise."""
        known = {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "us-east-1"}
        if "AWS_PROFILE" not in environment and "--profile" not in arguments:
            known |= {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1]}
        return subprocess.run(
            [*(self.aws_command or script("aws")), *arguments],
            env=clean_environment(self.folder, **(known | environment)),
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def stop(self, signal_number: int = signal.SIGTERM) -> float:
        """End the server as a user does. Returns the seconds until it had ended. It must end cleanly."""
        begun = time.monotonic()
        self.process.send_signal(signal_number)
        try:
            # Longer than promised. The tests that measure the time check it.
            status = self.process.wait(PATIENCE_SECONDS)
        finally:
            self.kill()
        took = time.monotonic() - begun
        assert status == 0, f"exit status {status}: {self.errors()}"
        assert "Traceback" not in self.errors(), self.errors()
        return took

    def kill(self) -> None:
        """``kill -9`` for the server and its workers, which have a process group of their own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_SECONDS)

    def restart(self) -> None:
        """The same server again: port, options and database."""
        started = _started(self.folder, self.port, self.options, self.environment, self.through)
        assert started is not None, "the port was taken by somebody else meanwhile"
        self.process, self.log, self.start_seconds = started.process, started.log, started.start_seconds


def eventually(check: Callable[[], bool]) -> bool:
    """Whether something becomes true in the end, for work that another process does a moment later."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := check()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def stops_as_promised(attempt: Callable[[], bool]) -> bool:
    """Whether the server ended as promised in one of a few attempts. A busy machine may delay any of them."""
    return any(attempt() for _ in range(_STOP_ATTEMPTS))


def start(
    folder: Path, *options: str, database: str | None = None, through: tuple[str, ...] = (), **environment: str
) -> Server:
    """Start ``rolecall serve`` on a free port and wait until it says that it is ready.

    Its files are in ``folder``; ``database`` is a URL, a file there by default. ``through`` is a command that runs the
    server's command.
    """
    url = database if database is not None else f"sqlite:///{(folder / 'rolecall.db').as_posix()}"
    options = ("--database", url, *options)
    for _ in range(_START_ATTEMPTS):
        # Without a reserved port another process may take it before the server listens.
        server = _started(folder, reserved_port(), options, clean_environment(folder, **environment), through)
        if server is not None:
            return server
    raise AssertionError(f"no port stayed free in {_START_ATTEMPTS} attempts")


def _started(
    folder: Path, port: int, options: tuple[str, ...], environment: dict[str, str], through: tuple[str, ...]
) -> Server | None:
    begun = time.monotonic()
    log = folder / f"serve-{port}-{time.monotonic_ns()}"
    with log.with_suffix(".out").open("wb") as output, log.with_suffix(".err").open("wb") as errors:
        process = _process(("serve", "--port", str(port), *options), folder, environment, through, output, errors)
    server = Server(process, port, folder, log, options, environment, through=through)
    while f"Rolecall is ready at {server.url}\n" not in server.output():
        if process.poll() is not None and f"port {port}" in server.errors():
            return None
        if process.poll() is not None or time.monotonic() - begun > PATIENCE_SECONDS:
            server.kill()
            raise AssertionError(f"rolecall serve did not start:\n{server.output()}{server.errors()}")
        time.sleep(0.01)
    server.start_seconds = time.monotonic() - begun
    return server


def _process(
    arguments: tuple[str, ...],
    folder: Path,
    environment: dict[str, str],
    through: tuple[str, ...],
    output: IO[bytes],
    errors: IO[bytes],
) -> subprocess.Popen[bytes] | ForkedProcess:
    if hasattr(os, "fork") and not through:
        with open(os.devnull, "rb") as nothing:
            streams = (nothing.fileno(), output.fileno(), errors.fileno())
            return fork_rolecall(list(arguments), cwd=folder, env=environment, streams=streams)
    return subprocess.Popen(
        [*through, *script("rolecall"), *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        start_new_session=True,
    )


def without_slow_lines(errors: str) -> str:
    """What a command wrote to stderr, without the lines that say on a busy machine what takes a second."""
    slow = {f"rolecall: {what}" for what in (MIGRATING, SLOW_SETTING_UP, SLOW_SAVING, SLOW_LOADING)}
    return "".join(line for line in errors.splitlines(keepends=True) if line.rstrip("\n") not in slow)
