"""Clients that a program made before a block, for example while it was imported. Inside a block they reach the sandbox.

Such a client is found by its first call inside a block. From then on, each of its calls goes to the innermost block of
the moment, signed with that block's keys. Keys that the program itself gave to the client stay. When the last block
ends, the client is as it was.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from botocore.client import BaseClient
from botocore.credentials import Credentials

from rolecall.kit.routing import Route, is_routed, refuse_not_served

_ANSWER_ID, _REFUSER_ID = "rolecall-older-client", "rolecall-older-client-not-served"


class Around(Protocol):
    """What a client needs of a block."""

    route: Route

    def current_keys(self) -> tuple[str, str, str]: ...


def _no_block() -> Around | None:
    return None


_around: Callable[[], Around | None] = _no_block
_turn = threading.RLock()
# Each found client, and the credentials that it had.
_found: WeakKeyDictionary[BaseClient, Any] = WeakKeyDictionary()
_original_call = BaseClient._make_api_call  # type: ignore[attr-defined]


def watch(around: Callable[[], Around | None]) -> None:
    """From now on, find such clients. ``around`` gives the innermost block of the caller, if there is one."""
    global _around
    _around = around
    BaseClient._make_api_call = _finding_call  # type: ignore[attr-defined]


def stop() -> None:
    """The last block has ended: every found client gets back what it had."""
    # Code that wrapped this function meanwhile keeps it. Without a block it does nothing.
    if BaseClient._make_api_call is _finding_call:  # type: ignore[attr-defined]
        BaseClient._make_api_call = _original_call  # type: ignore[attr-defined]
    with _turn:
        client: Any
        for client, credentials in list(_found.items()):
            signer = client._request_signer
            if isinstance(signer._credentials, _CredentialsOfBlock):
                signer._credentials = credentials
            client.meta.events.unregister("before-send", unique_id=_ANSWER_ID)
            client.meta.events.unregister("before-send", unique_id=_REFUSER_ID)
        _found.clear()


@functools.wraps(_original_call)
def _finding_call(client: Any, *arguments: Any, **named: Any) -> Any:
    if client not in _found and _around() is not None and not is_routed(client):
        with _turn:
            _find(client)
    return _original_call(client, *arguments, **named)


def _find(client: Any) -> None:
    if client in _found:
        return
    signer = client._request_signer
    _found[client] = signer._credentials
    if getattr(signer._credentials, "method", "") != "explicit":
        signer._credentials = _CredentialsOfBlock(signer._credentials)
    client.meta.events.register_first("before-send", _answer, unique_id=_ANSWER_ID)
    client.meta.events.register_last("before-send", _refuse, unique_id=_REFUSER_ID)


def _answer(request: Any, event_name: str, **_ignored: Any) -> Any:
    block = _around()
    return None if block is None else block.route.answer(request, event_name)


def _refuse(request: Any, event_name: str, **_ignored: Any) -> Any:
    return None if _around() is None else refuse_not_served(request, event_name)


class _CredentialsOfBlock:
    """The keys of the block around a call; outside of blocks, what the client had."""

    def __init__(self, outside: Any) -> None:
        self._outside = outside

    def get_frozen_credentials(self) -> Any:
        now = self._now()
        return None if now is None else now.get_frozen_credentials()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._now(), name)

    def _now(self) -> Any:
        block = _around()
        if block is None:
            return self._outside
        access_key_id, secret_access_key, session_token = block.current_keys()
        return Credentials(access_key_id, secret_access_key, session_token or None)
