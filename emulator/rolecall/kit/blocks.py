"""The state of an open block: environment, boto3's default session, and where new clients send their requests.

Environment and default session belong to the process. The block that was opened last sets them. For a new client, the
block of its own thread or task decides where requests go; a context variable holds that block. A thread without a
block, such as a thread of a pool, uses the block that the main thread opened last, if any. When a client finds another
block's keys in the environment, it signs with the keys of its own block.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from botocore.client import BaseClient
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import NoCredentialsError

from rolecall.kit import loading, older_clients
from rolecall.kit.routing import Route
from rolecall.wire import SERVICES

# Variables that could give a client another destination or other credentials.
REMOVED_VARIABLES = (
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
    "AWS_EC2_METADATA_V1_DISABLED",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ENDPOINT_URL",
    *(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}" for service in SERVICES),
)
# A value from the test stays. Otherwise these keep the developer's own files out of the test.
FILE_VARIABLES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
SET_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EC2_METADATA_DISABLED",
)
MANAGED_VARIABLES = (*SET_VARIABLES, *FILE_VARIABLES, *REMOVED_VARIABLES)

Keys = tuple[str, str, str]


class Block:
    """One open block. ``keys`` are access key id, secret and session token (or empty). Creating it opens it.

    Without keys, clients find their credentials where ``provided`` points them: at an instance, a task or a pod.
    """

    def __init__(
        self,
        owner: object,
        route: Route,
        keys: Keys | None,
        region: str,
        endpoint_url: str = "",
        provided: Mapping[str, str] | None = None,
    ) -> None:
        self.owner = owner
        self.route = route
        self.keys = keys
        self.closed = False
        self.variables = _variables(keys, region, endpoint_url, provided or {})
        # Not routed itself: in another thread it may create clients of another block.
        self.session = loading.late_session()
        self.outer = _innermost.get()
        self.thread = threading.current_thread()
        # The state to restore.
        self.before: tuple[Mapping[str, str | None], Any] = ({}, None)
        _open(self)
        _innermost.set(self)

    def current_keys(self) -> Keys:
        """The keys that a client of the block signs with now."""
        if self.keys is not None:
            return self.keys
        found = loading.core_session().get_credentials()
        if found is None:
            raise NoCredentialsError
        frozen = found.get_frozen_credentials()
        return frozen.access_key, frozen.secret_key, frozen.token or ""

    def close(self) -> None:
        """Restore everything. Blocks may close in any order; a second call does nothing."""
        if self.closed:
            return
        _close(self)
        if _innermost.get() is self:
            # This context drops the block, so that nothing of the ended sandbox is kept. Other contexts skip it.
            _innermost.set(self.outer)


# The open blocks of this process, in the order in which they were opened.
_blocks: list[Block] = []
_turn = threading.RLock()
# The parts of the keys of open blocks and of the last ones that ended. Another thread may change the environment while
# a client reads it: the client then has the keys of a block that has just ended, or parts of two blocks' keys.
_key_parts: dict[str, None] = {}
_KEY_PARTS_KEPT = 1024
_innermost: ContextVar[Block | None] = ContextVar("rolecall_block", default=None)
# While set, the client that is being made explicitly belongs to no block.
_explicit: ContextVar[bool] = ContextVar("rolecall_explicit", default=False)


def innermost(owner: object = None) -> Block | None:
    """The block of this thread or task, else the main thread's last, else the last; only ``owner``'s if given."""
    block = _innermost.get()
    while block is not None and (block.closed or owner not in (None, block.owner)):
        block = block.outer
    if block is None:
        candidates = [known for known in reversed(_blocks) if owner in (None, known.owner)]
        # A block that another thread of a pool opened for itself does not count for this thread.
        of_test = (known for known in candidates if known.thread is threading.main_thread())
        block = next(of_test, candidates[0] if candidates else None)
    return block


class explicit:  # noqa: N801  used like a function
    """Inside, the code that makes a client routes it, not the block around."""

    def __enter__(self) -> None:
        self._token = _explicit.set(True)

    def __exit__(self, *_exception: object) -> None:
        _explicit.reset(self._token)


def _variables(keys: Keys | None, region: str, endpoint_url: str, provided: Mapping[str, str]) -> dict[str, str | None]:
    access_key_id, secret_access_key, session_token = keys or (None, None, None)
    # Whatever else could give credentials is switched off.
    metadata_is_used = "AWS_EC2_METADATA_SERVICE_ENDPOINT" in provided
    values: dict[str, str | None] = dict.fromkeys(REMOVED_VARIABLES)
    values.update(
        AWS_ACCESS_KEY_ID=access_key_id,
        AWS_SECRET_ACCESS_KEY=secret_access_key,
        AWS_SESSION_TOKEN=session_token or None,
        AWS_DEFAULT_REGION=region,
        AWS_REGION=region,
        AWS_EC2_METADATA_DISABLED=None if metadata_is_used else "true",
        AWS_ENDPOINT_URL=endpoint_url or None,
    )
    values.update(provided)
    for name in FILE_VARIABLES:
        if name not in os.environ:
            values[name] = os.devnull
    return values


def _open(block: Block) -> None:
    with _turn:
        block.before = ({name: os.environ.get(name) for name in block.variables}, loading.default_session())
        if not _blocks:
            _watch_clients()
        _blocks.append(block)
        _remember(block.keys or ())
        _apply(block.variables, block.session)


def _remember(keys: Iterable[str]) -> None:
    """Keep the parts of a block's keys. The oldest parts of blocks that have ended go when there are too many."""
    for part in filter(None, keys):
        _key_parts.pop(part, None)
        _key_parts[part] = None
    if len(_key_parts) > _KEY_PARTS_KEPT:
        is_open = {part for known in _blocks for part in known.keys or ()}
        for part in [part for part in _key_parts if part not in is_open][: len(_key_parts) - _KEY_PARTS_KEPT]:
            del _key_parts[part]


def _close(block: Block) -> None:
    with _turn:
        position = _blocks.index(block)
        block.closed = True
        _blocks.remove(block)
        if position == len(_blocks):
            _apply(*block.before)
        else:
            # A block was opened after this one. It must now restore the state from before this one.
            _blocks[position].before = ({**_blocks[position].before[0], **block.before[0]}, block.before[1])
        if not _blocks:
            _stop_watching()


def _apply(variables: Mapping[str, str | None], session: Any) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    loading.set_default_session(session)


_original_init = BaseClient.__init__


@functools.wraps(_original_init)
def _routing_init(client: Any, *arguments: Any, **named: Any) -> None:
    """Runs for every client of botocore, boto3 and aiobotocore, from any session."""
    _original_init(client, *arguments, **named)
    block = None if _explicit.get() else innermost()
    if block is not None:
        block.route.attach(client)
        _sign_with_own_keys(client, block)


def _watch_clients() -> None:
    BaseClient.__init__ = _routing_init  # type: ignore[method-assign, assignment]
    older_clients.watch(lambda: innermost())


def _stop_watching() -> None:
    # Code that wrapped this function meanwhile keeps it. Without a block it does nothing.
    if BaseClient.__init__ is _routing_init:
        BaseClient.__init__ = _original_init  # type: ignore[method-assign]
    older_clients.stop()


def _sign_with_own_keys(client: Any, block: Block) -> None:
    """Give a client of another thread's block its own keys, in place of those in the process's environment."""
    found = client._request_signer._credentials
    of_environment = isinstance(found, Credentials) and found.method == "env"
    if not of_environment or isinstance(found, RefreshableCredentials) or block.keys is None:
        return
    keys = (found.access_key, found.secret_key, found.token or "")
    if keys != block.keys and all(part in _key_parts for part in keys if part):
        # Of the same class, because a client of aiobotocore awaits its credentials.
        own = type(found)(*block.keys[:2], block.keys[2] or None, method="rolecall")
        client._request_signer._credentials = own
