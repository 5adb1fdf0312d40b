"""``rolecall verify``"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rolecall.commands.asked import asked_sandbox, running_option
from rolecall.commands.common import SCHEMA_HINT, UnusableError, config_option, read_text, tell_exactly
from rolecall.commands.running import ask_for, unusable
from rolecall.commands.terminal import show
from rolecall.expectations.files import InvalidExpectationsError
from rolecall.expectations.report import junit, result_lines, results_as_json, results_of_json
from rolecall.expectations.verifying import Result, verify
from rolecall.settings import MAXIMUM_EXPECTATIONS_BYTES


@click.command("verify")
@click.argument("file", metavar="FILE")
@config_option
@running_option
@click.option("--junit", "junit_file", metavar="FILE", default=None, help="Also write the results as a JUnit report.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(file: str, config: str | None, endpoint: str | None, junit_file: str | None, as_json: bool) -> None:
    """Check who may do what against a file of expectations.

    The command prints one line for each expectation. Below one that fails it prints the decision with its reasons, and
    the nearest statement. It checks the sandbox file, or a running sandbox with --endpoint. FILE may be -, which is
    standard input.

    The exit status is 1 when an expectation fails, and 2 when the file cannot be used.

    \b
    Examples:
      rolecall verify expectations.yaml
      rolecall verify expectations.yaml --config sandbox.yaml --junit results.xml
      rolecall verify expectations.yaml --endpoint http://127.0.0.1:4580
    """
    text = read_text(file, MAXIMUM_EXPECTATIONS_BYTES)
    results = _of_server(endpoint, file, text) if endpoint else _of_config(config, file, text)
    if junit_file is not None:
        try:
            Path(junit_file).write_text(junit(results, file), encoding="utf-8")
        except OSError as error:
            raise UnusableError(f"cannot write {junit_file}: {error.strerror or error}") from error
    if as_json:
        tell_exactly(json.dumps(results_as_json(results), indent=2))
    else:
        show(result_lines(results))
    sys.exit(0 if all(each.holds for each in results) else 1)


def _of_config(config: str | None, file: str, text: str) -> Sequence[Result]:
    with asked_sandbox(config) as sandbox:
        try:
            return verify(sandbox, text)
        except InvalidExpectationsError as error:
            problems = [{"line": problem.line, "message": problem.message} for problem in error.problems]
            raise _unusable(file, problems) from error


def _of_server(endpoint: str, file: str, text: str) -> Sequence[Result]:
    status, answer = ask_for(endpoint, "POST", "verify", text)
    if isinstance(answer, dict) and isinstance(answer.get("problems"), list):
        raise _unusable(file, answer["problems"])
    if status != 200:
        raise unusable(answer)
    return results_of_json(answer)


def _unusable(file: str, problems: Sequence[dict[str, Any]]) -> UnusableError:
    lines = [f"{file}:{problem['line']}: {problem['message']}" for problem in problems]
    return UnusableError(f"{file} cannot be used:", lines, hint=SCHEMA_HINT.format(kind="expectations"))
