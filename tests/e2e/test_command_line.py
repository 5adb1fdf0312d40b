"""The command ``rolecall`` as users type it: its output, where it goes, and the exit status."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from amounts import usual
from botocore.exceptions import ClientError
from click.testing import CliRunner, Result
from reserved_ports import reserved_port
from served import (
    ADMIN,
    DEVELOPER,
    PATIENCE_SECONDS,
    Server,
    clean_environment,
    role_arn,
    run_rolecall,
    script,
    start,
    start_rolecall,
    stops_as_promised,
    without_slow_lines,
)

from rolecall import __version__
from rolecall.cli import main
from rolecall.service_records import SERVICE_RECORDS

COMMANDS = ("serve", "demo", "env", "check", "operations", "keys", "db")
GOOD_POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:Get*", "Resource": "*"}]}
TRUST_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
}
ONE_USER = """
    version: 1
    accounts:
      - id: "999900001111"
        users:
          - name: only
            access_keys: [{id: only_key, secret: "it's$HOME"}]
            attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
    """
MANY_PROBLEMS = """\
version: 1
accounts:
  - id: "111122223333"
    users:
      - nmae: ana
      - name: li
        attached_policies: ["arn:aws:iam::aws:policy/NoSuchPolicy"]
    roles:
      - name: reader
        trust_policy: {Version: "2012-10-17", Statement: [{Effect: Alow, Action: "sts:AssumeRole"}]}
        max_session_duration: 12
settings: {strict: perhaps}
"""


@pytest.fixture
def rolecall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """``rolecall(arguments)`` in this process, in the test's own folder: much faster than a new process."""
    environment = clean_environment(tmp_path)
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, **variables: str) -> Result:
        return CliRunner().invoke(main, arguments, env=environment | variables, prog_name="rolecall")

    return run


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
    return name


def refused(done: Result | subprocess.CompletedProcess[str]) -> str:
    """The stderr of a command that ended with status 2 and printed nothing else."""
    status = done.exit_code if isinstance(done, Result) else done.returncode
    assert (status, done.stdout) == (2, ""), done
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(rolecall: Callable[..., Result], option: str) -> None:
    done = rolecall(option)
    assert (done.exit_code, done.stderr) == (0, "")
    assert [name for name in COMMANDS if not re.search(rf"^  {name}\b", done.stdout, re.MULTILINE)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(rolecall: Callable[..., Result], command: str) -> None:
    done = rolecall(command, "--help")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"Usage: rolecall {command}" in done.stdout


def test_version(tmp_path: Path) -> None:
    assert start_rolecall(tmp_path, "--version").stdout == f"rolecall, version {__version__}\n"


def test_the_command_is_also_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rolecall.cli", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert __version__ in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("serve", "--no-such-option"),
        ("serve", "--port", "0"),
        ("serve", "--port", "65536"),
        ("serve", "--port", "http"),
        ("serve", "--workers", "0"),
        ("serve", "surplus"),
        ("no-such-command",),
        ("check",),
        ("keys",),
        ("keys", "no-such-command"),
        ("operations", "sts", "iam"),
    ],
)
def test_wrong_usage_is_said_on_stderr(rolecall: Callable[..., Result], arguments: tuple[str, ...]) -> None:
    said = refused(rolecall(*arguments))
    if arguments == ("keys",):
        # A group of commands shows its help.
        assert said.startswith("Usage: rolecall keys")
    else:
        assert said.startswith("rolecall: ")
        assert said.splitlines()[-1].endswith(" --help shows how to write it")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def failed_serve(folder: Path, *arguments: str, **environment: str) -> list[str]:
    """The lines of stderr of a ``serve`` that cannot start."""
    if "--port" not in arguments:
        arguments = (*arguments, "--port", str(reserved_port()))
    if "--database" not in arguments and "ROLECALL_DATABASE" not in environment:
        arguments = (*arguments, "--database", "sqlite:///serve.db")
    with mock.patch("rolecall.commands.serve.serve", side_effect=AssertionError("it started")):
        return refused(run_rolecall(folder, "serve", *arguments, **environment)).splitlines()


def test_serve_on_a_busy_port(tmp_path: Path, taken_port: int) -> None:
    (line,) = failed_serve(tmp_path, "--port", str(taken_port))
    assert line.startswith(f"rolecall: cannot listen on 127.0.0.1 port {taken_port}: ")
    assert "--port" in line


def test_serve_on_the_port_of_another_rolecall(server: Server, tmp_path: Path) -> None:
    (line,) = refused(start_rolecall(tmp_path, "serve", "--port", str(server.port))).splitlines()
    assert line.startswith(f"rolecall: cannot listen on 127.0.0.1 port {server.port}: ")
    assert server.control("GET", "health")[0] == 200


def test_serve_on_an_address_of_another_machine(tmp_path: Path) -> None:
    (line,) = failed_serve(tmp_path, "--host", "192.0.2.1")
    assert line.startswith("rolecall: cannot listen on 192.0.2.1 port ")


SCHEMA_HINT = "rolecall schema sandbox lets an editor check the file while you write it"


def test_serve_with_a_config_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    lines = failed_serve(tmp_path, "--config", "binary.yaml")
    assert lines == ["rolecall: binary.yaml cannot be used:", "binary.yaml:1: not UTF-8 text", SCHEMA_HINT]


@pytest.mark.parametrize("name", ["missing.yaml", "folder"])
def test_serve_with_a_config_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (line,) = failed_serve(tmp_path, "--config", name)
    assert line.startswith(f"rolecall: cannot read {name}: ")


def test_serve_with_a_config_of_several_problems(tmp_path: Path) -> None:
    name = write(tmp_path, "world.yaml", MANY_PROBLEMS)
    first, *problems, hint = failed_serve(tmp_path, "--config", name)
    assert (first, hint) == (f"rolecall: {name} cannot be used:", SCHEMA_HINT)
    assert sorted({problem.split(" ")[0] for problem in problems}) == [
        f"{name}:10:",
        f"{name}:11:",
        f"{name}:12:",
        f"{name}:5:",
        f"{name}:7:",
    ]
    assert f"{name}:5: accounts[0].users[0].nmae: unknown key, did you mean 'name'?" in problems
    assert not (tmp_path / "serve.db").exists()


def test_serve_with_a_config_that_refers_to_nothing(tmp_path: Path) -> None:
    text = ONE_USER.replace("AdministratorAccess", "NoSuchPolicy")
    name = write(tmp_path, "world.yaml", text)
    _, problem, _ = failed_serve(tmp_path, "--config", name)
    assert problem.startswith(
        f"{name}:8: accounts[0].users[0].attached_policies[0]: there is no policy arn:aws:iam::aws"
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n", "a: [\n", "a: &a [*a]\n"])
def test_serve_with_a_config_that_is_not_a_sandbox_file(tmp_path: Path, text: str) -> None:
    name = write(tmp_path, "world.yaml", text)
    first, *problems, hint = failed_serve(tmp_path, "--config", name)
    assert (first, hint) == (f"rolecall: {name} cannot be used:", SCHEMA_HINT)
    assert problems
    assert all(re.match(rf"{name}:\d+: ", problem) for problem in problems)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////no/such/folder/rolecall.db", "rolecall: cannot open the database: "),
        ("sqlite:///.", "rolecall: cannot open the database: "),
        ("postgresql+psycopg://ana:hidden-word@127.0.0.1:1/none", "rolecall: cannot open the database: "),
        ("no url", "rolecall: the database URL is not valid: "),
        ("", "rolecall: the database URL is not valid: "),
    ],
)
def test_serve_without_a_database(tmp_path: Path, url: str, message: str) -> None:
    lines = failed_serve(tmp_path, "--database", url)
    assert lines[0].startswith(message)
    assert "hidden-word" not in "".join(lines)


def test_serve_with_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("nothing of SQLite\n" * 100, encoding="utf-8")
    (line,) = failed_serve(tmp_path, "--database", "sqlite:///notes.db")
    assert line.startswith("rolecall: cannot open the database: ")
    assert (tmp_path / "notes.db").read_text(encoding="utf-8").startswith("nothing of SQLite")


def test_workers_cannot_share_a_database_in_memory(tmp_path: Path) -> None:
    (line,) = failed_serve(tmp_path, "--database", "sqlite://", "--workers", "2")
    assert "--workers 1" in line


def kill_group(process: subprocess.Popen[Any]) -> None:
    """A server and its workers, if they did not end as they should."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def printed_until_terminated(process: subprocess.Popen[str], after_seconds: float = 0.3) -> list[str]:
    """The output of a server that gets the signal to end just after it said that it is ready."""
    assert process.stdout is not None
    impatience = threading.Timer(PATIENCE_SECONDS, kill_group, [process])
    impatience.start()
    try:
        first = process.stdout.readline()
        time.sleep(after_seconds)
        process.terminate()
        lines = [first, *process.stdout]
        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        impatience.cancel()
        kill_group(process)
    return [line.rstrip("\n") for line in lines]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nobody_has_to_read_what_the_server_prints(tmp_path: Path, workers: str) -> None:
    port = reserved_port()
    process = subprocess.Popen(
        [*script("rolecall"), "serve", "--port", str(port), "--database", "sqlite:///own.db", "--workers", workers],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    # As "rolecall serve | head -1" does.
    process.stdout.readline()
    process.stdout.close()
    try:
        time.sleep(0.2)
        assert (
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_rolecall/health", timeout=PATIENCE_SECONDS).status == 200
        )
        process.terminate()
        assert process.communicate(timeout=PATIENCE_SECONDS)[1] == b""
        assert process.returncode == 0
    finally:
        kill_group(process)


def test_a_signal_right_after_the_start_is_heard(tmp_path: Path) -> None:
    for _ in range(usual(3, most=8)):
        process = subprocess.Popen(
            [*script("rolecall"), "serve", "--port", str(reserved_port()), "--database", "sqlite://"],
            env=clean_environment(tmp_path),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        printed_until_terminated(process, after_seconds=0)


def test_the_variables_of_the_environment_stand_for_options(tmp_path: Path) -> None:
    port = reserved_port()
    config = write(tmp_path, "world.yaml", ONE_USER)
    environment = {
        "ROLECALL_PORT": str(port),
        "ROLECALL_DATABASE": "sqlite:///own.db",
        "ROLECALL_CONFIG": config,
        "ROLECALL_HOST": "127.0.0.1",
        "ROLECALL_WORKERS": "1",
        "ROLECALL_THREADS": "2",
    }
    process = subprocess.Popen(
        [*script("rolecall"), "serve"],
        env=clean_environment(tmp_path, **environment),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = printed_until_terminated(process)
    assert lines[0] == f"Rolecall is ready at http://127.0.0.1:{port}"
    assert "export AWS_ACCESS_KEY_ID=only_key" in lines
    assert (tmp_path / "own.db").is_file()


def test_an_option_beats_the_environment(rolecall: Callable[..., Result]) -> None:
    done = rolecall("env", "--port", "2222", ROLECALL_PORT="1111")
    assert "export AWS_ENDPOINT_URL_STS=http://127.0.0.1:2222\n" in done.stdout
    assert "http://127.0.0.1:1111\n" in rolecall("env", ROLECALL_PORT="1111").stdout
    refused(rolecall("env", ROLECALL_PORT="many"))


def test_the_database_is_in_the_users_data_folder_by_default(tmp_path: Path) -> None:
    done = run_rolecall(tmp_path, "db", "upgrade", XDG_DATA_HOME=str(tmp_path / "data"), LOCALAPPDATA=str(tmp_path))
    assert done.returncode == 0
    assert [file.name for file in tmp_path.rglob("rolecall.db")] == ["rolecall.db"]


def test_the_lines_of_env_are_for_a_shell(tmp_path: Path) -> None:
    config = write(tmp_path, "world.yaml", ONE_USER)
    lines = run_rolecall(tmp_path, "env", "--all", "--config", config, "--port", "4581").stdout
    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")
    shown = 'printf "%s\\n" ' + " ".join(f'"${name}"' for name in names)
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input=f"{lines}\n{shown}",
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    expected = ["http://127.0.0.1:4581", "only_key", "it's$HOME", "us-east-1", "us-east-1"]
    assert done.stdout.splitlines() == expected


def test_env_names_the_administrators_key_of_awss_form_too(rolecall: Callable[..., Result]) -> None:
    printed = rolecall("env", "--all").stdout
    assert "export AWS_ACCESS_KEY_ID=test\n" in printed
    last = printed.splitlines()[-1]
    assert last == (
        "# Some tools accept only key ids that AWS could have made. For them: "
        "export AWS_ACCESS_KEY_ID=AKIARTX3GSDSROLECALL AWS_SECRET_ACCESS_KEY=rolecall/sandbox/admin/not/a/real/secret"
    )
    # A user whose only key has another form gets no such line.
    assert "#" not in rolecall("env", "--all", "--as", "developer").stdout


def test_env_names_the_services_that_rolecall_serves_and_no_other(tmp_path: Path) -> None:
    """Variables of services: AWS SDKs and Tools Reference Guide, Service-specific endpoints. boto3 must know each."""
    printed = run_rolecall(tmp_path, "env", "--port", "4581").stdout
    program = (
        "import boto3\n"
        "from botocore.configprovider import ConfiguredEndpointProvider as Configured\n"
        "session = boto3.Session()\n"
        # Every client asks this. The clients of services without a variable would read 400 models, for 20 seconds.
        "named = [n for n in session.get_available_services() if Configured({}, {}, n).provide()]\n"
        "found = {n: session.client(n).meta.endpoint_url for n in [*named, 's3', 'sqs']}\n"
        "print(*sorted(n for n, url in found.items() if url == 'http://127.0.0.1:4581'), sep='\\n')\n"
    )
    quoted = shlex.join([sys.executable, "-c", program])
    done = subprocess.run(
        ["/bin/sh", "-e"],
        input=f"eval \"$(cat <<'END'\n{printed}END\n)\"\n{quoted}",
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
        env=clean_environment(tmp_path),
    )
    assert set(done.stdout.split()) >= {"sts", "iam", "chime", "chime-sdk-voice", "organizations", "eks-auth"}
    assert set(done.stdout.split()) == set(SERVICE_RECORDS) & {*boto3.Session().get_available_services()}
    assert "AWS_ENDPOINT_URL=" not in printed
    assert printed.splitlines()[-1].startswith("# Only calls of the services that Rolecall serves go to it.")


def test_env_for_one_of_the_users(rolecall: Callable[..., Result]) -> None:
    assert "AWS_ACCESS_KEY_ID=developer\n" in rolecall("env", "--as", "developer").stdout
    assert "no user 'nobody'" in refused(rolecall("env", "--as", "nobody"))


def test_serve_prints_the_lines_of_env(server: Server, tmp_path: Path) -> None:
    expected = run_rolecall(tmp_path, "env", "--all", "--port", str(server.port)).stdout
    ready, console, sandbox, database, *exports = server.output().splitlines(keepends=True)
    assert ready == f"Rolecall is ready at {server.url}\n"
    assert console == f"# Console: {server.url}/_rolecall/console\n"
    assert sandbox == "# Sandbox: the built-in one\n"
    assert re.fullmatch(
        r"# Database: (in memory, nothing is kept|sqlite:///\S+, (newly made|has .* from earlier runs))\n", database
    )
    assert "".join(exports) == expected
    assert without_slow_lines(server.errors()) == ""


def test_check_of_good_files(tmp_path: Path, rolecall: Callable[..., Result]) -> None:
    write(tmp_path, "world.yaml", ONE_USER)
    write(tmp_path, "policy.json", json.dumps(GOOD_POLICY, indent=2))
    write(tmp_path, "trust.json", json.dumps(TRUST_POLICY))
    done = rolecall("check", "world.yaml", "policy.json", "trust.json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "world.yaml: a valid sandbox file",
        "policy.json: a valid policy document",
        "trust.json: a valid policy document",
    ]


def test_check_of_the_examples(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parent.parent.parent / "config"
    files = sorted(str(file) for file in folder.glob("*.yaml"))
    done = run_rolecall(tmp_path, "check", *files)
    assert done.stdout.splitlines() == [f"{file}: a valid sandbox file" for file in files]


def test_check_names_every_problem_of_every_file(tmp_path: Path, rolecall: Callable[..., Result]) -> None:
    write(tmp_path, "world.yaml", MANY_PROBLEMS)
    write(tmp_path, "good.json", json.dumps(GOOD_POLICY))
    write(tmp_path, "bad.json", json.dumps(GOOD_POLICY).replace("Allow", "Alow"))
    done = rolecall("check", "world.yaml", "good.json", "bad.json")
    assert (done.exit_code, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith("world.yaml:")]
    assert "good.json: a valid policy document" in lines
    assert any(line.startswith("bad.json:1: Syntax errors in policy.") for line in lines)


@pytest.mark.parametrize(
    "change",
    [
        lambda policy: policy.pop("Statement"),
        lambda policy: policy.update(Version="2013-10-17"),
        lambda policy: policy["Statement"][0].update(Action="ListUsers"),
        lambda policy: policy["Statement"][0].update(Resource="chime"),
        lambda policy: policy["Statement"][0].update(Conditions={}),
        lambda policy: policy["Statement"].append([]),
    ],
)
def test_check_of_a_policy_that_aws_would_refuse(
    tmp_path: Path, rolecall: Callable[..., Result], change: Callable[[dict[str, object]], object]
) -> None:
    policy = json.loads(json.dumps(GOOD_POLICY))
    change(policy)
    write(tmp_path, "policy.json", json.dumps(policy))
    done = rolecall("check", "policy.json")
    assert (done.exit_code, done.stderr) == (1, "")
    assert done.stdout.startswith("policy.json:1: ")


def test_check_of_a_file_that_is_not_there(rolecall: Callable[..., Result]) -> None:
    assert refused(rolecall("check", "missing.yaml")).startswith("rolecall: cannot read missing.yaml: ")


def test_operations_says_what_is_emulated_and_where(rolecall: Callable[..., Result]) -> None:
    done = rolecall("operations", "sts")
    lines = {line.split()[1]: line.split(maxsplit=2)[2] for line in done.stdout.splitlines()[:-1]}
    assert re.fullmatch(r"rolecall/services/sts/\w+\.py:\d+", lines["AssumeRole"])
    assert re.search(r"\d+ of \d+ emulated$", done.stdout.rstrip())
    everything = rolecall("operations").stdout
    # Each operation without a place is named as such, and the last line of its service counts the others.
    without_place = re.findall(r"^\S+ +\S+ +authorised, not emulated$", everything, re.M)
    counts = re.findall(r"(\d+) of (\d+) emulated$", everything, re.M)
    assert len(without_place) == sum(int(total) - int(done) for done, total in counts)
    assert {line.split()[0] for line in everything.splitlines()} >= {"sts", "iam", "chime", "chime-sdk-voice"}
    assert "no service 'sqs'" in refused(rolecall("operations", "sqs"))


def test_demo_shows_every_step(tmp_path: Path) -> None:
    done = start_rolecall(tmp_path, "demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "refused with 403 ForbiddenException" in done.stdout
    assert "arn:aws:sts::111122223333:federated-user/ana" in done.stdout
    assert list(tmp_path.iterdir()) == []
    # Its clients know no profile of the user.
    assert run_rolecall(tmp_path, "demo", AWS_PROFILE="missing").returncode == 0


def test_db_upgrade_makes_the_schema_once(tmp_path: Path) -> None:
    first = run_rolecall(tmp_path, "db", "upgrade", "--database", "sqlite:///new.db")
    second = run_rolecall(tmp_path, "db", "upgrade", "--database", "sqlite:///new.db")
    assert (first.returncode, second.returncode) == (0, 0)
    assert first.stdout.rstrip().endswith("was empty")
    assert second.stdout.rstrip().endswith("as before")
    refused(run_rolecall(tmp_path, "db", "upgrade", "--database", "sqlite:////no/such/folder/new.db"))


def key_ids(folder: Path, database: str) -> list[str]:
    listed = run_rolecall(folder, "keys", "list", "--database", database).stdout
    return [line.split()[0] for line in listed.splitlines()]


def test_sessions_outlive_the_rotation_of_keys(make_server: Callable[..., Server], tmp_path: Path) -> None:
    served = make_server("--workers", "2")
    database = f"sqlite:///{(served.folder / 'rolecall.db').as_posix()}"
    before = served.assume("chime-reader")
    first = key_ids(tmp_path, database)
    done = run_rolecall(tmp_path, "keys", "rotate", "--database", database)
    assert done.returncode == 0
    second = key_ids(tmp_path, database)
    assert second[:-1] == first
    assert done.stdout.startswith(second[-1])
    # Without a restart the running workers must open tokens of either key, and seal with the new key.
    after = [served.assume("chime-reader") for _ in range(4)]
    for credentials in (before, *after):
        for _ in range(4):
            assert served.client("chime", credentials=credentials).list_accounts()["Accounts"]
    served.stop()
    served.restart()
    for credentials in (before, *after):
        assert served.client("chime", credentials=credentials).list_accounts()["Accounts"]


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_ends_the_server_within_five_seconds(
    make_server: Callable[..., Server], signal_name: str, workers: str
) -> None:
    def attempt() -> bool:
        served = make_server("--workers", workers)
        kept = [served.client("sts", max_pool_connections=1) for _ in range(4)]
        for sts in kept:
            sts.get_caller_identity()
        took_seconds = served.stop(getattr(signal, signal_name))
        with pytest.raises(ConnectionRefusedError):
            served.control("GET", "health")
        return took_seconds < served.promised_stop_seconds

    assert stops_as_promised(attempt)


def test_a_terminal_interrupts_the_whole_group(make_server: Callable[..., Server]) -> None:
    def attempt() -> bool:
        served = make_server("--workers", "2")
        begun = time.monotonic()
        os.killpg(served.process.pid, signal.SIGINT)
        assert served.process.wait(PATIENCE_SECONDS) == 0
        took_seconds = time.monotonic() - begun
        assert without_slow_lines(served.errors()) == ""
        return took_seconds < served.promised_stop_seconds

    assert stops_as_promised(attempt)


def test_a_database_in_memory_begins_anew(make_server: Callable[..., Server]) -> None:
    served = make_server(database="sqlite://")
    chime = served.client("chime")
    account = chime.list_accounts()["Accounts"][0]["AccountId"]
    chime.create_user(AccountId=account, Email="new@example.com")
    assert len(chime.list_users(AccountId=account)["Users"]) == 4
    served.stop()
    served.restart()
    chime = served.client("chime")
    account = chime.list_accounts()["Accounts"][0]["AccountId"]
    assert len(chime.list_users(AccountId=account)["Users"]) == 3


@pytest.mark.parametrize("host", ["::1", "0.0.0.0"])  # noqa: S104
def test_other_addresses_to_listen_on(tmp_path: Path, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, 0))
    except OSError:
        pytest.skip(f"this machine has no {host}")
    port = reserved_port()
    url = f"http://[::1]:{port}" if ":" in host else f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [*script("rolecall"), "serve", "--host", host, "--port", str(port), "--database", "sqlite://"],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = printed_until_terminated(process)
    assert lines[0] == f"Rolecall is ready at {url}"
    assert shlex.split(next(line for line in lines if line.startswith("export "))) == [
        "export",
        f"AWS_ENDPOINT_URL={url}",
    ]


def test_reset_brings_the_declared_world_back(make_server: Callable[..., Server]) -> None:
    served = make_server("--workers", "2")
    credentials = served.assume("chime-manager")
    chime = served.client("chime", credentials=credentials)
    account = chime.list_accounts()["Accounts"][0]["AccountId"]
    gone = chime.create_account(Name="Extra")["Account"]["AccountId"]
    chime.create_user(AccountId=account, Email="new@example.com")
    assert served.control("POST", "reset") == (200, {"status": "ok"})
    admin = served.client("chime")
    names = [entry["Name"] for entry in admin.list_accounts()["Accounts"]]
    assert names == ["Sandbox"]
    account = admin.list_accounts()["Accounts"][0]["AccountId"]
    assert len(admin.list_users(AccountId=account)["Users"]) == 3
    with pytest.raises(ClientError) as caught:
        admin.get_account(AccountId=gone)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    # The role is a new one of the same name, so sessions of the old one have ended.
    for _ in range(6):
        with pytest.raises(ClientError) as caught:
            served.client("sts", credentials=credentials).get_caller_identity()
        assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
    assert served.assume("chime-manager")


def test_health(server: Server) -> None:
    assert server.control("GET", "health") == (200, {"status": "ok", "version": __version__, "database": "ok"})


@pytest.mark.parametrize(
    "origin", ["http://other.example", "null", "https://127.0.0.1", "http://127.0.0.1:1", "http://localhost", "rubbish"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", "health"), ("POST", "reset")])
def test_control_endpoints_refuse_pages_of_other_sites(server: Server, origin: str, method: str, path: str) -> None:
    status, answer = server.control(method, path, Origin=origin)
    assert status == 403
    assert "other sites" in answer["message"]


def test_control_endpoints_answer_their_own_pages(server: Server) -> None:
    assert server.control("GET", "health", Origin=server.url)[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "reset", 405), ("DELETE", "health", 405), ("GET", "no-such-page", 404), ("GET", "", 404)],
)
def test_control_endpoints_answer_json_also_when_they_refuse(
    server: Server, method: str, path: str, status: int
) -> None:
    found, answer = server.control(method, path)
    assert found == status
    assert list(answer) == ["message"]


def test_a_changed_config_is_applied_to_the_same_database(tmp_path: Path) -> None:
    write(tmp_path, "world.yaml", ONE_USER)
    served = start(tmp_path, "--config", "world.yaml")
    keys = ("only_key", "it's$HOME")
    assert served.client("sts", keys).get_caller_identity()["Account"] == "999900001111"
    served.stop()
    write(tmp_path, "world.yaml", ONE_USER.replace("only_key", "new_key").replace("it's$HOME", "plain"))
    served.restart()
    try:
        assert served.client("sts", ("new_key", "plain")).get_caller_identity()["Account"] == "999900001111"
        with pytest.raises(ClientError):
            served.client("sts", ADMIN).get_caller_identity()
    finally:
        served.stop()


def test_verbose_tells_why_a_call_was_refused(make_server: Callable[..., Server]) -> None:
    served = make_server("--verbose")
    with pytest.raises(ClientError) as caught:
        served.client("sts", DEVELOPER).assume_role(RoleArn=role_arn("no-such-role"), RoleSessionName="dev")
    request_id = caught.value.response["ResponseMetadata"]["RequestId"]
    (line,) = [line for line in served.errors().splitlines() if request_id in line]
    assert "AssumeRole AccessDenied" in line
    assert DEVELOPER[1] not in served.errors()
