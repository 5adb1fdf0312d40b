"""The attachments of a sandbox: attached, listed, detached, and listened for.

The database holds them. A *listener* of this process has the sockets: the server's event loop, or a thread of the test
kit. :meth:`Attachments.reconcile` brings the sockets to what the database says.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection

from rolecall.caches import BoundedCache
from rolecall.clock import Clock
from rolecall.delivery.asked import Cache
from rolecall.ids import Identifiers
from rolecall.printable import printable
from rolecall.settings import SandboxSettings
from rolecall.storage import attachments as stored
from rolecall.storage import gather
from rolecall.storage.attachments import Attachment
from rolecall.storage.engine import Database, DatabaseError
from rolecall.storage.world_rows import WorldRows
from rolecall.worlds.attached import BadAttachmentError, facts_of, read_attachment, too_short
from rolecall.worlds.attached_setup import new_id, put_attachment

log = logging.getLogger("rolecall.attachments")

# Sessions that are handed out now. More attachments than this make new ones more often.
_CACHE_LIMIT = 4096
MAXIMUM_ATTACHMENTS = 200
TWICE_MESSAGE = "{attachment_id} is attached already"
NO_LISTENER_MESSAGE = "nothing listens for attachments here: this sandbox has no server"


class Listener(Protocol):
    """Opens and closes the addresses of attachments. Called by any thread."""

    def open(self, attachment: Attachment) -> int:
        """Listen at its address, and answer for it. Returns the port. Raises OSError."""

    def close(self, attachment_id: str) -> None:
        """Stop listening."""


_Wanted = tuple[str, int, str]


def _wanted(attachment: Attachment) -> _Wanted:
    """What an address depends on."""
    return attachment.host, attachment.port, stored.facts_text(attachment.facts)


class Attachments:
    """Attaches, lists and detaches. ``cache`` holds the credentials that are handed out now."""

    def __init__(self, database: Database, clock: Clock, ids: Identifiers) -> None:
        self.cache: Cache = BoundedCache(_CACHE_LIMIT)
        self._database = database
        self._clock = clock
        self._ids = ids
        self._listener: Listener | None = None
        # What this process listens for, by id: what was wanted, and the port.
        self._open: dict[str, tuple[_Wanted, int]] = {}
        # Addresses that could not be used. They are not tried again until something changes.
        self._failed: dict[str, _Wanted] = {}
        self._keeps_all = False
        # The newest generation of the database that was looked at.
        self._generation = -1
        self._turn = threading.RLock()

    # What the database says.

    def attach(
        self, kind: str, members: Mapping[str, Any], settings: SandboxSettings, account_id: str = ""
    ) -> Attachment:
        """A new attachment, which is listened for. Without ``account_id`` it is in the default account.

        Raises BadAttachmentError, and OSError for an address that cannot be used.
        """
        if self._listener is None:
            raise BadAttachmentError(NO_LISTENER_MESSAGE)
        record = read_attachment(kind, members)
        seconds = record.session_seconds
        if seconds is not None and seconds < settings.minimum_session_seconds:
            raise BadAttachmentError(f"session_seconds: {too_short(settings.minimum_session_seconds)}")
        attachment_id = new_id(record, self._ids)
        # The address first: if it cannot be used, nothing is stored. Until it is stored, its requests are dropped.
        wanted = Attachment(attachment_id, "", kind, record.host, record.port, facts_of(record), 0)
        with self._turn:
            if attachment_id in self._open:
                raise BadAttachmentError(TWICE_MESSAGE.format(attachment_id=attachment_id))
            port = self._listener.open(wanted)
            try:
                made = self._put(record, attachment_id, account_id, port)
            except BaseException:
                self._listener.close(attachment_id)
                raise
            self._open[attachment_id] = _wanted(made), port
        return made

    def _put(self, record: Any, attachment_id: str, account_id: str, port: int) -> Attachment:
        made = self._database.write(partial(self._put_in, record, attachment_id, account_id, port))
        if made is None:
            raise BadAttachmentError(f"{attachment_id} was detached meanwhile")
        return made

    def _put_in(
        self, record: Any, attachment_id: str, account_id: str, port: int, connection: Connection
    ) -> Attachment | None:
        if len(stored.list_attachments(connection)) >= MAXIMUM_ATTACHMENTS:
            raise BadAttachmentError(f"there are at most {MAXIMUM_ATTACHMENTS} attachments")
        if stored.attachment_by_id(connection, attachment_id) is not None:
            raise BadAttachmentError(TWICE_MESSAGE.format(attachment_id=attachment_id))
        owner = account_id or gather.default_account_id(connection) or ""
        if not gather.account_exists(connection, owner):
            raise BadAttachmentError(f"the sandbox has no account {owner!r}")
        rows, now_seconds = WorldRows(connection), int(self._clock.now_seconds())
        put_attachment(rows, owner, record, attachment_id, now_seconds, self._ids)
        rows.written()
        stored.set_bound_port(connection, attachment_id, port)
        return stored.attachment_by_id(connection, attachment_id)

    def list(self) -> list[Attachment]:
        """All of them, oldest first."""
        with self._database.snapshot() as connection:
            return stored.list_attachments(connection)

    def detach(self, attachment_id: str) -> bool:
        """Remove an attachment and stop listening for it. False when there is none with this id.

        Credentials that it has handed out stay valid, as on AWS.
        """
        with self._turn:
            removed = self._remove(attachment_id)
            self._close(attachment_id)
        return removed

    def _remove(self, attachment_id: str) -> bool:
        return self._database.write(lambda connection: stored.remove_attachment(connection, attachment_id))

    def renew(self) -> None:
        """After a reset or a load: forget what was handed out, and listen for what there is now."""
        self.cache.clear()
        self.reconcile()

    # What this process listens for.

    def listen_with(self, listener: Listener, *, keeps_all: bool) -> None:
        """From now on ``listener`` has the sockets.

        ``keeps_all``: this process listens for every attachment that no other process listens for. One process of a
        server does. The others listen only for what is attached through them.
        """
        self._listener, self._keeps_all = listener, keeps_all
        if keeps_all:
            with self._database.snapshot() as connection:
                known = stored.list_attachments(connection)
            if any(each.bound_port is not None for each in known):
                self._database.write(stored.forget_bound_ports)
        self.reconcile()

    def reconcile(self) -> None:
        """Listen for what the database has, and for nothing else. A busy address is reported and left out."""
        if self._listener is None:
            return
        with self._turn:
            wanted = {each.attachment_id: each for each in self.list()}
            for attachment_id, (opened, _) in list(self._open.items()):
                each = wanted.get(attachment_id)
                if each is None or _wanted(each) != opened:
                    self._close(attachment_id)
            self._failed = {key: place for key, place in self._failed.items() if key in wanted}
            for each in wanted.values():
                if each.attachment_id in self._open:
                    if each.bound_port is None:
                        self._note(each.attachment_id, self._open[each.attachment_id][1])
                elif self._keeps_all and each.bound_port is None and self._may_work(each):
                    self._try(each)

    def look(self) -> None:
        """Reconcile if another process may have changed something. A database that does not answer is asked later."""
        try:
            with self._database.snapshot() as connection:
                generation = self._database.generation(connection)
            if generation != self._generation:
                self._generation = generation
                self.reconcile()
        except (*DatabaseError, OSError) as error:
            log.info("attachments could not be read: %s", type(error).__name__)

    def _may_work(self, attachment: Attachment) -> bool:
        return self._failed.get(attachment.attachment_id) != _wanted(attachment)

    def _try(self, attachment: Attachment) -> None:
        try:
            self._listen(attachment)
        except OSError as error:
            self._failed[attachment.attachment_id] = _wanted(attachment)
            place = f"{attachment.host} port {attachment.port}"
            log.warning("%s", printable(f"{attachment.attachment_id}: cannot listen on {place}: {error}"))

    def _listen(self, attachment: Attachment) -> None:
        if self._listener is None:
            return
        port = self._listener.open(attachment)
        self._open[attachment.attachment_id] = _wanted(attachment), port
        self._note(attachment.attachment_id, port)

    def _note(self, attachment_id: str, port: int) -> None:
        self._database.write(lambda connection: stored.set_bound_port(connection, attachment_id, port))

    def _close(self, attachment_id: str) -> None:
        if self._open.pop(attachment_id, None) is not None and self._listener is not None:
            self._listener.close(attachment_id)

    def stop(self) -> None:
        """Listen for nothing any more. The attachments stay in the database."""
        with self._turn:
            for attachment_id in list(self._open):
                self._close(attachment_id)
            self._listener = None
