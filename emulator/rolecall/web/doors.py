"""What a front door is: the paths that it takes, its guard, and the handlers behind it. ``front_doors`` lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint
from msgspec import Struct

from rolecall.sandbox import Sandbox
from rolecall.web.origins import Admission

PREFIX = "/_rolecall"

Environ = dict[str, Any]
# Adds endpoints of one kind to the pages of a door.
Handler = Callable[[Blueprint, Sandbox], None]


def no_guard(_pages: Blueprint, _sandbox: Sandbox, _admission: Admission) -> None:
    """Every client that reaches the server under one of its names gets an answer."""


class Guard(Struct, frozen=True):
    """Who gets an answer: the words of the documentation, and the function that adds the checks to a door's pages."""

    admits: str
    add: Callable[[Blueprint, Sandbox, Admission], None] = no_guard


class FrontDoor(Struct, frozen=True):
    """The way to some of Rolecall's own pages. ``prefix`` begins their paths, and handlers add what follows it.

    ``takes`` is for a door that AWS calls come to as well: it tells the door's own requests from those.
    """

    name: str
    prefix: str
    guard: Guard
    handlers: tuple[Handler, ...]
    takes: Callable[[Environ], bool] | None = None

    def is_for(self) -> Callable[[Environ], bool]:
        """Whether a request belongs to this door. Without ``takes``: every request at the prefix or below it."""
        if self.takes is not None:
            return self.takes
        exact, below = self.prefix, f"{self.prefix}/"

        def at_prefix(environ: Environ) -> bool:
            path: str = environ["PATH_INFO"]
            return path == exact or path.startswith(below)

        return at_prefix

    def pages(self, sandbox: Sandbox, admission: Admission) -> Blueprint:
        """The guarded pages of a sandbox."""
        pages = Blueprint(self.name, __name__, url_prefix=self.prefix, template_folder="templates")
        self.guard.add(pages, sandbox, admission)
        for handler in self.handlers:
            handler(pages, sandbox)
        return pages
