"""``rolecall check``"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from rolecall.commands.common import UnusableError, tell
from rolecall.inspection import examine
from rolecall.worlds.files import read_named


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
def command(files: Sequence[str]) -> None:
    """Validate sandbox files and policy documents.

    Tells them apart by what is in them, and says every problem of each with its line. Where there is none, advice
    says what AWS takes and what yet cannot be meant. Exit status 1 when there is a problem, 2 when a file cannot be
    read; advice does not count.

    \b
    Example:
      rolecall check config/sandbox.yaml config/federation.yaml
    """
    found = 0
    for file in files:
        try:
            examined = examine(read_named(file), str(Path(file).parent))
        except (OSError, ValueError) as error:
            raise UnusableError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error
        for problem in examined.problems:
            tell(f"{file}:{problem.line}: {problem.message}")
        for advice in examined.advice:
            tell(f"{file}:{advice.line}: advice: {advice.message}")
        if not examined.problems:
            tell(f"{file}: a valid {examined.kind}")
        found += len(examined.problems)
    sys.exit(1 if found else 0)
