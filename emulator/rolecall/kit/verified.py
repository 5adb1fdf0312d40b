"""A file of expectations as one assertion of a test."""

from __future__ import annotations

import os

from rolecall.expectations.files import InvalidExpectationsError
from rolecall.expectations.report import result_lines
from rolecall.expectations.verifying import Result, verify
from rolecall.sandbox import Sandbox
from rolecall.settings import MAXIMUM_EXPECTATIONS_BYTES
from rolecall.worlds.files import read_named


class BadExpectationsError(ValueError):
    """A file of expectations that cannot be used. The message holds every problem."""


def verified(sandbox: Sandbox, file: str | os.PathLike[str]) -> list[Result]:
    """The results of the expectations in a file, or in a text of several lines.

    Raises AssertionError when one fails, BadExpectationsError, or OSError for the file.
    """
    __tracebackhide__ = True
    is_text = isinstance(file, str) and "\n" in file
    name = "expectations" if is_text else os.fspath(file)
    try:
        results = verify(sandbox, str(file) if is_text else read_named(file, MAXIMUM_EXPECTATIONS_BYTES))
    except InvalidExpectationsError as error:
        lines = [f"{name}:{problem.line}: {problem.message}" for problem in error.problems]
        raise BadExpectationsError("\n".join(["these expectations cannot be used:", *lines])) from error
    if not all(each.holds for each in results):
        raise AssertionError("\n".join([f"{name} does not hold:", *result_lines(results)]))
    return results
