"""Runs tools that were written for AWS against a served sandbox, each in an environment of its own.

    python tests/tools/run.py                 every tool
    python tests/tools/run.py pmapper prowler these
    python tests/tools/run.py --write         writes the table of docs/tools.md, too

Optional: no test needs it. The environments take 2 GB and are kept in --folder. tools.yaml says what is installed and
what each tool must find. The run leaves out a tool that is a Debian package and is not installed.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "tools.md"
BEGIN, END = "<!-- begin: written by tests/tools/run.py -->\n", "<!-- end: written by tests/tools/run.py -->"
TOOLS: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "tools.yaml").read_text(encoding="utf-8"))
KEY, SECRET = "AKIAAUDITR0000000001", "audit-audit-audit-audit-audit-audit-aaaa"
HEADER = "| tool | version | result | operations | services that Rolecall does not have |"
LIMIT_SECONDS = 600
READY = re.compile(r"Rolecall is ready at (\S+)")
# In the user agent of the calls that prepare the sandbox. The tool does not make these.
PREPARING = "preparing/1"
# No part of Rolecall's own environment reaches a tool.
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")


@contextmanager
def served(database: str) -> Iterator[str]:
    """The URL of a fresh sandbox."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "rolecall", "serve", "--config", str(HERE / "sandbox.yaml")]
    server = subprocess.Popen(
        [*command, "--database", database, "--port", str(port)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert server.stdout is not None
        ready = READY.match(server.stdout.readline())
        assert ready, "the server did not start"
        marked = Config(user_agent_extra=PREPARING)
        boto3.client("iam", config=marked, **client(ready[1])).create_account_alias(AccountAlias="audited-example")
        yield ready[1]
    finally:
        server.terminate()
        server.communicate(timeout=10)


def client(url: str) -> dict[str, str]:
    return {
        "endpoint_url": url,
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "region_name": "us-east-1",
    }


def installed(name: str, tool: dict[str, Any], folder: Path) -> tuple[Path, str] | None:
    """The folder of a tool's programs, and its version; None for a Debian package that the machine does not have."""
    if "debian" in tool:
        return _from_debian(tool["debian"])
    environment = folder / name.replace(" ", "-")
    stamp = environment / "packages"
    wanted = " ".join(tool["packages"])
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(environment, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        pip = [environment / "bin" / "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, *tool["packages"]], check=True)
        stamp.write_text(wanted)
    return environment / "bin", tool["packages"][0].partition("==")[2]


def _from_debian(package: str) -> tuple[Path, str] | None:
    program, asking = shutil.which(package), shutil.which("dpkg-query")
    if program is None or asking is None:
        return None
    asked = [asking, "--show", "--showformat=${source:Upstream-Version}", package]
    shown = subprocess.run(asked, stdout=subprocess.PIPE, text=True)
    return None if shown.returncode else (Path(program).parent, shown.stdout)


def result_of(tool: dict[str, Any], programs: Path, url: str, work: Path) -> str:
    """Why the tool failed; empty if it ran to its end and found what it must."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "HOME": str(work),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PREPARING": PREPARING,
    }
    printed = ""
    for command in tool["commands"]:
        arguments = shlex.split(command.format(bin=programs, here=HERE, python=sys.executable))
        done = subprocess.run(
            arguments,
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
        )
        printed += done.stdout
        if done.returncode:
            print(printed)
            return f"exit status {done.returncode}"
    found = (work / tool["file"]).read_text(encoding="utf-8") if "file" in tool else printed
    missing = [each for each in tool["finds"] if not re.search(each, found, re.DOTALL)]
    wrong = [each for each in tool.get("lacks", ()) if re.search(each, found, re.DOTALL)]
    if missing or wrong:
        print(printed)
    return "; ".join([*(f"does not find {each}" for each in missing), *(f"finds {each}" for each in wrong)])


def calls(database: str) -> tuple[int, list[str]]:
    """How many operations of Rolecall the tool called, and the services that it asked and Rolecall does not have."""
    decisions = subprocess.run(
        [sys.executable, "-m", "rolecall", "decisions", "--format", "json", "--limit", "50000", "--database", database],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    operations: Counter[str] = Counter()
    others: set[str] = set()
    for line in decisions.splitlines():
        call = yaml.safe_load(line)
        if PREPARING in (call["user_agent"] or ""):
            continue
        if call["outcome"] == "NotImplemented":
            others.add(str(call["service"]))
        else:
            operations[f"{call['service']}:{call['operation']}"] += 1
    return len(operations), sorted(others)


def row(name: str, programs: Path, version: str) -> tuple[bool, str]:
    tool = TOOLS[name]
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as data:
        database = f"sqlite:///{data}/rolecall.db"
        with served(database) as url:
            problem = result_of(tool, programs, url, Path(work))
        count, others = calls(database)
    what = problem or "ran to its end; finds what it must"
    return not problem, f"| {name} | {version} | {what} | {count} | {', '.join(others) or 'none'} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", metavar="TOOL", default=list(TOOLS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "rolecall-tools")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows: dict[str, str] = {}
    all_well = True
    for name in given.tools:
        found = installed(name, TOOLS[name], given.folder)
        if found is None:
            print(f"{name} is left out: apt-get install {TOOLS[name]['debian']}", flush=True)
            continue
        well, rows[name] = row(name, *found)
        all_well = all_well and well
        print(rows[name], flush=True)
    if given.write:
        write(rows)
    return 0 if all_well else 1


def write(rows: dict[str, str]) -> None:
    """Put the rows into the table of the page. A tool that was not run keeps its row."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    written, after = rest.split(END)
    earlier = {line.split("|")[1].strip(): line for line in written.splitlines()}
    lines = [HEADER, "| --- | --- | --- | --- | --- |"]
    lines += [line for name in TOOLS if (line := rows.get(name, earlier.get(name)))]
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
