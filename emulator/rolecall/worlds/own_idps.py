"""Rolecall's own SAML identity providers in a sandbox file: their metadata, and keys that are made in time."""

from __future__ import annotations

import importlib
from typing import Any

from msgspec.structs import asdict, replace

from rolecall.worlds.world import World

_SIGNING_KEYS = "signing_keys"


def own_metadata(connection: Any, name: str, now_seconds: int) -> str:
    """The metadata of the identity provider. Its key is made now if it has none."""
    return str(_provider().metadata_within(connection, name, now_seconds))


def with_keys(world: World, now_seconds: int) -> World:
    """The world with a key for each identity provider that has none in it.

    Keys take tens of milliseconds each, so they are made before the transaction that others wait for.
    """
    names = {each.rolecall_idp for account in world.accounts for each in account.saml_providers if each.rolecall_idp}
    rows = list(world.rows.get(_SIGNING_KEYS, ()))
    if not names:
        return world
    provider, purposes = _provider(), {row["purpose"] for row in rows}
    rows += [
        asdict(provider.new_key(name, now_seconds))
        for name in sorted(names)
        if provider.purpose_of(name) not in purposes
    ]
    return replace(world, rows={**world.rows, _SIGNING_KEYS: tuple(rows)})


def _provider() -> Any:
    # Loaded now: most sandbox files declare no identity provider of Rolecall's own.
    return importlib.import_module("rolecall.identity_providers.saml_assertions")
