"""Makes a database from a test's ``config``: it is read once and set up once, then only copied."""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rolecall.app import copied_database, world_template
from rolecall.caches import BoundedCache
from rolecall.clock import Clock
from rolecall.ids import Identifiers
from rolecall.storage.engine import Database
from rolecall.storage.template import DatabaseTemplate
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import InvalidWorldError, read_world, read_world_file
from rolecall.worlds.files import MAXIMUM_FILE_BYTES
from rolecall.worlds.world import World

Config = str | os.PathLike[str] | Mapping[str, Any] | None

_REMEMBERED = 32
# The texts are the files of a few tests.
_worlds: BoundedCache[tuple[str, str], World] = BoundedCache(_REMEMBERED, sys.maxsize)
_prepared: BoundedCache[tuple[int, int | None], Prepared] = BoundedCache(_REMEMBERED)


class BadConfigError(ValueError):
    """A sandbox file, text or mapping that is not valid. The message holds every problem."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared world. ``ids`` go on after its last identifier, so that a seed always gives the same ones."""

    world: World
    template: DatabaseTemplate
    ids: Identifiers

    def database(self, clock: Clock) -> tuple[Database, Identifiers]:
        """A database of its own, and the source of all further identifiers."""
        ids = copy.deepcopy(self.ids)
        return copied_database(self.template, clock), ids


def prepared_world(config: Config, seed: int | None) -> Prepared:
    """The world of a configuration; the built-in world for None. Raises BadConfigError, or OSError for a file."""
    world = declared_world(config)
    key = (id(world), seed)
    known = _prepared.get(key)
    # Python may give the id of a dropped world to another world.
    if known is None or known.world is not world:
        ids = Identifiers(seed)
        known = Prepared(world, world_template(world, ids), ids)
        _prepared.put(key, known)
    return known


def declared_world(config: Config) -> World:
    """A path is read as a file. A text with several lines, or one that begins with ``{``, is the file's content."""
    if config is None:
        config = builtin_world_path()
    if isinstance(config, Mapping):
        config = _as_json(config)
    if isinstance(config, str) and (config.lstrip().startswith("{") or "\n" in config):
        return _read("config", "", config)
    path = os.path.abspath(config)
    return _read(os.fspath(config), path, _text_of(path))


def _text_of(path: str) -> str:
    """The file's text, to see whether it has changed. The reader of the file reports errors in it."""
    with open(path, "rb") as file:
        return file.read(MAXIMUM_FILE_BYTES + 1).decode("utf-8", "replace")


def load_snapshot(load: Callable[[str], None], text: str) -> None:
    """Replace a world with ``load``, which reads the text. Raises BadConfigError."""
    if not isinstance(text, str):
        raise TypeError(f"a snapshot must be the text from snapshot(), not {type(text).__name__}")
    try:
        load(text)
    except InvalidWorldError as error:
        raise BadConfigError(_problem_lines("snapshot", error)) from error


def _problem_lines(name: str, error: InvalidWorldError) -> str:
    lines = [f"{name}:{problem.line}: {problem.message}" for problem in error.problems]
    return "\n".join(["this sandbox cannot be used:", *lines])


def _as_json(config: Mapping[str, Any]) -> str:
    try:
        return json.dumps(config, indent=1)
    except TypeError as error:
        raise BadConfigError(f"config holds something that a sandbox file cannot hold: {error}") from error


def _read(name: str, path: str, text: str) -> World:
    known = _worlds.get((path, text))
    if known is None:
        try:
            known = read_world_file(path) if path else read_world(text, os.curdir)
        except InvalidWorldError as error:
            raise BadConfigError(_problem_lines(name, error)) from error
        _worlds.put((path, text), known)
    return known
