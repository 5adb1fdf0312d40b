"""``rolecall check``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from emulator.commands.common import UnusableError
from emulator.inspection import examine


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def command(files: Sequence[str]) -> None:
    """Validate sandbox files and policy documents.

    Tells them apart by what is in them, and says every problem of each with its line. Exit status 1 when there is a
    problem, 2 when a file cannot be read.

    \b
    Example:
      rolecall check config/sandbox.yaml config/federation.yaml
    """
    found = 0
    for file in files:
        try:
            problems, kind = examine(Path(file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
        for problem in problems:
            click.echo(f"{file}:{problem.line}: {problem.message}")
        if not problems:
            click.echo(f"{file}: a valid {kind}")
        found += len(problems)
    sys.exit(1 if found else 0)
