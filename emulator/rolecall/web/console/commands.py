"""The command lines that do what a form of the console does."""

from __future__ import annotations

import shlex

from flask import Request, g

from rolecall.settings import Address

DEFAULT_ENDPOINT = Address("127.0.0.1", 4580).url
# Longer ones are of no use in a line of text.
_MAXIMUM_CHARACTERS = 1000


def endpoint(request: Request) -> str:
    """The address of this server, as the browser knows it."""
    return request.host_url.rstrip("/")


def rolecall(request: Request, *words: str) -> str:
    """A ``rolecall`` command that asks this server."""
    own = endpoint(request)
    return shlex.join(("rolecall", *words, *(() if own == DEFAULT_ENDPOINT else ("--endpoint", own))))


def curl(request: Request, path: str, *options: str) -> str:
    """A request to a control endpoint of this server. The shell puts the control token in, where one is needed."""
    line = shlex.join(("curl", "-s", *options, f"{endpoint(request)}/_rolecall/{path}"))
    return f'{line} -H "Authorization: Bearer $ROLECALL_CONTROL_TOKEN"' if g.visit.needs_token else line


def in_a_notice(done: str, command: str) -> str:
    """What was done, and the command that does the same."""
    return f"{done} In a terminal: {command}" if len(command) <= _MAXIMUM_CHARACTERS else done
