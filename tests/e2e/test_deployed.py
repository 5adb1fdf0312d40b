"""The commands of the Containerfile, run without a container engine: its build, its server and its health check."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import deployed
import pytest
from deployed import ROOT
from served import PATIENCE_SECONDS, Server, clean_environment, start

VOLUME = "/var/lib/rolecall"


def check_health(served: Server) -> int:
    _, *arguments = deployed.health_command()
    own = [each.replace(":4580", f":{served.port}") for each in arguments]
    command = [sys.executable, *own]
    environment = clean_environment(served.folder)
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=PATIENCE_SECONDS, check=False
    ).returncode


def test_the_server_of_the_container_is_healthy_while_it_serves(tmp_path: Path) -> None:
    environment = {
        name: value.replace(VOLUME, str(tmp_path))
        for name, value in deployed.container_environment().items()
        if name.startswith("ROLECALL_")
    }
    # Tests listen on this machine alone.
    assert environment.pop("ROLECALL_HOST") == "0.0.0.0"  # noqa: S104 - what the file says
    served = start(tmp_path, database=environment.pop("ROLECALL_DATABASE"), **environment)
    try:
        assert check_health(served) == 0
        served.stop()
        assert check_health(served) != 0
    finally:
        served.kill()


@pytest.mark.optional
def test_the_container_is_built_by_its_commands(tmp_path: Path) -> None:
    """In an empty environment, from only the files that .dockerignore lets through."""
    source, target = tmp_path / "source", tmp_path / "rolecall"
    source.mkdir()
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            found = ROOT / line[1:]
            if found.is_dir():
                shutil.copytree(found, source / line[1:], ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(found, source)
    build = [text for text in deployed.of_container("RUN") if "/opt/rolecall" in text]
    assert len(build) == 2
    for text in build:
        command = text.replace("/opt/rolecall", str(target)).replace("python3 -m venv", f"{sys.executable} -m venv")
        with contextlib.chdir(source):
            subprocess.run(["sh", "-ec", command], check=True, timeout=PATIENCE_SECONDS * 3)
    said = subprocess.run(
        [target / "bin/rolecall", "--version"],
        env=clean_environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "rolecall" in said.stdout.lower()
    imported = "import psycopg, signxml, rolecall"
    subprocess.run([target / "bin/python", "-c", imported], env=clean_environment(tmp_path), cwd=tmp_path, check=True)
