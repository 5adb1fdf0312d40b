"""Large sandbox files as their text. Such a file is read only when its whole world is needed: for a set-up or a reset.

Reading a large file takes seconds, and its world takes several times the text's memory. The database has the digest of
the text that it was set up from, and the *front* of its world: what a server tells about it when it starts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from rolecall.settings import SandboxSettings
from rolecall.storage import worlds
from rolecall.worlds import world as w
from rolecall.worlds.declare import read_world, text_digest
from rolecall.worlds.kept_settings import settings_of, settings_text

# The digest of the file's text: while it stays the same, nothing has to be compared.
TEXT_STATE = "world_text"
_FRONT_STATE = "world_front"


class KnownWorld:
    """A world as its text, which says everything. ``front`` has its settings and first keys.

    ``read`` is the world, if the text was read already. It is kept until the world is needed for the first time.
    """

    __slots__ = ("_read", "_text", "front", "text_digest")

    def __init__(self, text: str, digest: str, front: w.World, read: w.World | None = None) -> None:
        self._text = text
        self._read = read
        self.text_digest = digest
        self.front = front

    def whole(self) -> w.World:
        """The world of the text. Raises InvalidWorldError, if the text needs something that is not installed now."""
        world, self._read = self._read, None
        return read_world(self._text) if world is None else world


AnyWorld = w.World | KnownWorld


def whole(declared: AnyWorld) -> w.World:
    """Everything that is declared. Raises InvalidWorldError."""
    return declared.whole() if isinstance(declared, KnownWorld) else declared


def front(declared: AnyWorld) -> w.World:
    """At least the settings, and of the first account the first user with access keys and the root user's keys."""
    return declared.front if isinstance(declared, KnownWorld) else declared


def known_world(text: str, states: Mapping[str, str]) -> KnownWorld | None:
    """The world of a text, if the stored states of a database say that it was set up from the text."""
    digest, kept = text_digest(text), states.get(_FRONT_STATE)
    if not kept or states.get(TEXT_STATE) != digest:
        return None
    return KnownWorld(text, digest, _front_of(json.loads(kept)))


def as_text(text: str, world: w.World) -> AnyWorld:
    """The world that was read from a text, to be kept as the text. The same world, if the text alone is too little."""
    digest = text_digest(text)
    if world.text_digest != digest:
        return world
    return KnownWorld(text, digest, _front_of(_front_values(world)), world)


def note_text(connection: Any, world: w.World) -> None:
    """Keep what :func:`known_world` asks for."""
    worlds.set_state(connection, TEXT_STATE, world.text_digest)
    kept = json.dumps(_front_values(world), sort_keys=True) if world.text_digest else ""
    worlds.set_state(connection, _FRONT_STATE, kept)


def _front_values(world: w.World) -> dict[str, Any]:
    account = world.accounts[0]
    owners = [user for user in account.users if user.access_keys][:1]
    return {
        "settings": settings_text(world.settings),
        "account_id": account.account_id,
        "users": {user.name: [asdict(key) for key in user.access_keys] for user in owners},
        "root": [asdict(key) for key in account.root_access_keys],
    }


def _front_of(values: Mapping[str, Any]) -> w.World:
    users = tuple(w.DeclaredUser(name=name, access_keys=_keys(keys)) for name, keys in values["users"].items())
    account = w.DeclaredAccount(account_id=values["account_id"], users=users, root_access_keys=_keys(values["root"]))
    return w.World((account,), settings=settings_of(values["settings"], SandboxSettings()))


def _keys(values: list[dict[str, Any]]) -> tuple[w.DeclaredKey, ...]:
    return tuple(w.DeclaredKey(**each) for each in values)
