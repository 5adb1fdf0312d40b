"""Code for the subcommands that ask a sandbox file or a running sandbox: their options, and the sandbox of the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from rolecall.app import sandbox_in_memory
from rolecall.commands.common import UnusableError, read_config
from rolecall.commands.running import ask, endpoint_option
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.principals import NoSuchNameError
from rolecall.sandbox import Sandbox

running_option = endpoint_option("URL of a running sandbox, to ask it instead of the sandbox file.")
Answer = dict[str, Any]


@contextmanager
def asked_sandbox(config: str | None) -> Iterator[Sandbox]:
    """The world of a sandbox file, in memory. Raises UnusableError."""
    sandbox = sandbox_in_memory(read_config(config))
    try:
        yield sandbox
    finally:
        sandbox.database.close()


def answer_of(
    endpoint: str | None, config: str | None, path: str, parameters: dict[str, str], answer: Callable[[Sandbox], Answer]
) -> Answer:
    """The answer of the control endpoint with these parameters, or of the sandbox file. Raises UnusableError."""
    if endpoint:
        given = {name: value for name, value in parameters.items() if value}
        found: Answer = ask(endpoint, "GET", f"{path}?{urlencode(given)}")
        return found
    with asked_sandbox(config) as sandbox:
        try:
            return answer(sandbox)
        except (BadQuestionError, NoSuchNameError) as error:
            raise UnusableError(str(error)) from error
