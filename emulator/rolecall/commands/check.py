"""``rolecall check``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from rolecall.commands.common import unreadable
from rolecall.commands.terminal import show
from rolecall.inspection import examine
from rolecall.worlds.files import read_named


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def command(files: Sequence[str]) -> None:
    """Validate sandbox files and policy documents.

    The command finds out which kind a file is, and prints every problem with its line. For a file without problems it
    prints advice: it names policies that AWS accepts but that cannot do what their author wants.

    The exit status is 1 when there is a problem, 2 when a file cannot be read, and 0 when there is only advice.

    \b
    Example:
      rolecall check config/sandbox.yaml config/federation.yaml
    """
    found = 0
    for file in files:
        try:
            examined = examine(read_named(file), str(Path(file).parent))
        except (OSError, ValueError) as error:
            raise unreadable(file, error) from error
        for problem in examined.problems:
            show([f"{file}:{problem.line}: {problem.message}"])
        for advice in examined.advice:
            show([f"{file}:{advice.line}: advice: {advice.message}"])
        if not examined.problems:
            show([f"{file}: a valid {examined.kind}"])
        found += len(examined.problems)
    sys.exit(1 if found else 0)
