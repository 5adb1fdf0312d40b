"""The example projects: each is a user's own project, and its own tests must pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PROJECTS = sorted(file.parent.name for file in EXAMPLES.glob("*/pyproject.toml"))


@pytest.mark.slow
@pytest.mark.parametrize("name", PROJECTS)
def test_the_tests_of_an_example_pass(name: str, tmp_path: Path) -> None:
    # A copy, so that this repository's own configuration has no effect on it.
    project = tmp_path / name
    shutil.copytree(EXAMPLES / name, project)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_there_are_examples() -> None:
    assert "credential-flows" in PROJECTS
