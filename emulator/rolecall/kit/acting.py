"""The open blocks of a sandbox, in which plain boto3 calls as one of its identities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rolecall.kit import loading
from rolecall.kit.attached import Attached, Attaching
from rolecall.kit.blocks import Block
from rolecall.kit.clients import Clients
from rolecall.kit.identity import Keys


class Acting:
    """Opens and closes the blocks of ``owner``: the blocks of its own ``with``, and the blocks that act as someone."""

    def __init__(self, owner: object, clients: Clients) -> None:
        self._owner = owner
        self._clients = clients
        self._entered: list[Block] = []
        self._acting: list[Block] = []

    def enter(self, keys: Keys) -> None:
        """Open a block of the sandbox's own ``with``."""
        self._entered.append(self._block(keys))

    def leave(self) -> bool:
        """Close the newest of these blocks. Returns whether it was the last one."""
        self._entered.pop().close()
        return not self._entered

    @contextmanager
    def acting(self, keys: Keys) -> Iterator[Any]:
        """A block whose plain boto3 calls with the keys. Yields a boto3 session of them."""
        block = self._block(keys)
        self._acting.append(block)
        try:
            yield loading.late_session(lambda: self._clients.core(keys, self._clients.region))
        finally:
            block.close()
            self._acting.remove(block)

    @contextmanager
    def attached(
        self,
        attaching: Attaching,
        kind: str,
        role: str | None,
        facts: dict[str, Any],
        *,
        token_file: bool = False,
    ) -> Iterator[Attached]:
        """A block that runs where something is attached, which is detached afterwards."""
        members = facts if role is None else {"role": role, **facts}
        with (
            attaching.attached(kind, {"region": self._clients.region, **members}, token_file=token_file) as attached,
            self.provided(attached.environment, str(attached.facts["region"])),
        ):
            yield attached

    @contextmanager
    def provided(self, variables: Mapping[str, str], region: str) -> Iterator[None]:
        """A block whose plain boto3 finds its credentials where the variables point it."""
        clients = self._clients
        block = Block(self._owner, clients.route, None, region, clients.endpoint_url, variables)
        self._acting.append(block)
        try:
            yield
        finally:
            block.close()
            self._acting.remove(block)

    def close(self) -> None:
        """Close every block."""
        for acting in list(self._acting):
            # Open blocks of this sandbox are closed later by their own end, which then does nothing.
            acting.close()
        while self._entered:
            self._entered.pop().close()

    def _block(self, keys: Keys) -> Block:
        clients = self._clients
        return Block(self._owner, clients.route, keys, clients.region, clients.endpoint_url)
