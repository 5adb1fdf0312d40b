"""Which of the open sessions receives which event of messaging, and which sessions are over.

Any process may write an event into the table. Every process with open sessions follows the table by the ids.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import Connection

from rolecall.clock import monotonic_seconds
from rolecall.errors import AwsError
from rolecall.gateway.caller import resolve
from rolecall.gateway.connect import PushSession, frame_text
from rolecall.sandbox import Sandbox
from rolecall.storage import channel_relations, messaging_events, resources
from rolecall.storage.messaging_events import PushedEvent

# Events read at once. What is left comes with the next reading.
_EVENTS_AT_ONCE = 500
# PostgreSQL gives an id before the commit. So an event may become visible after events with higher ids.
_LATE_EVENTS = 200
_LATE_SECONDS = 10.0
# How often sessions without events are looked at.
_CHECK_SECONDS = 1.0
# Every follower has read an event long before that.
_KEPT_SECONDS = 60.0


class Ending(Enum):
    """Why a session is over."""

    CREDENTIALS = "its credentials have expired, or are gone"
    USER = "its user was deleted"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A text for some sessions."""

    text: str
    sessions: Sequence[PushSession]


@dataclass(frozen=True, slots=True)
class News:
    """What one reading found. The endings come first: an ended session receives nothing more."""

    endings: Mapping[PushSession, Ending]
    deliveries: Sequence[Delivery]


class Follower:
    """Reads the events of a sandbox. One thread uses it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._last: int | None = None
        # Ids that were passed over, each with the time until which it is looked for.
        self._late: dict[int, float] = {}
        # Sessions that have received what came between their connect and the first reading after it.
        self._known: set[PushSession] = set()
        self._checked_at_seconds = self._kept_at_seconds = monotonic_seconds()
        self._kept_id = 0

    def read(self, sessions: Collection[PushSession]) -> News:
        """What is new for the open sessions, which must not be empty. Raises the errors of the database."""
        now = monotonic_seconds()
        with self._sandbox.database.snapshot() as connection:
            found = self._found(connection, sessions, now)
            if not found and now - self._checked_at_seconds < _CHECK_SECONDS:
                return News({}, ())
            recipients = self._recipients(connection, found, sessions)
            is_due = now - self._checked_at_seconds >= _CHECK_SECONDS
            concerned = sessions if is_due else {each for _, those in recipients for each in those}
            if is_due:
                self._checked_at_seconds = now
            endings = self._endings(connection, concerned)
        if self._last is not None:
            self._remove_old(now)
        deliveries = []
        for event, those in recipients:
            living = [each for each in those if each not in endings]
            if living:
                deliveries.append(Delivery(frame_text(event.event_type, event.message_type, event.payload), living))
        return News(endings, deliveries)

    def stop(self) -> None:
        """No session is open any more. The next reading begins where its sessions do."""
        self._last = None
        self._late.clear()
        self._known.clear()

    def _found(
        self, connection: Connection, sessions: Collection[PushSession], now: float
    ) -> list[tuple[PushedEvent, Collection[PushSession]]]:
        """New events, each with the sessions that may receive it."""
        if self._last is None:
            self._last = min(each.since_event_id for each in sessions)
            self._kept_id, self._kept_at_seconds = self._last, now
        fresh = [each for each in sessions if each not in self._known]
        found: list[tuple[PushedEvent, Collection[PushSession]]] = []
        since = min((each.since_event_id for each in fresh), default=self._last)
        if since < self._last:
            for event in messaging_events.after(connection, since, self._last - since):
                if event.event_id <= self._last and event.event_id not in self._late:
                    found.append((event, [each for each in fresh if each.since_event_id < event.event_id]))
        if self._late:
            late = messaging_events.of_ids(connection, list(self._late))
            found += [(event, sessions) for event in late]
            gone = {event.event_id for event in late} | {each for each, until in self._late.items() if until < now}
            self._late = {each: until for each, until in self._late.items() if each not in gone}
        for event in messaging_events.after(connection, self._last, _EVENTS_AT_ONCE):
            passed = range(max(self._last + 1, event.event_id - _LATE_EVENTS), event.event_id)
            self._late.update(dict.fromkeys(passed, now + _LATE_SECONDS))
            self._last = event.event_id
            found.append((event, sessions))
        if fresh:
            self._known = set(sessions)
        return found

    def _recipients(
        self,
        connection: Connection,
        found: Iterable[tuple[PushedEvent, Collection[PushSession]]],
        sessions: Iterable[PushSession],
    ) -> list[tuple[PushedEvent, list[PushSession]]]:
        """The members at this moment, and the users whom the event names."""
        by_key: dict[str, list[PushSession]] = {}
        by_arn: dict[str, list[PushSession]] = {}
        for each in sessions:
            by_key.setdefault(each.user_key, []).append(each)
            by_arn.setdefault(each.user_arn, []).append(each)
        members: dict[tuple[str, str], list[str]] = {}
        recipients = []
        for event, allowed in found:
            those: dict[PushSession, None] = {}
            if event.to_members:
                place = (event.channel_key, event.sub_channel_id)
                if place not in members:
                    members[place] = channel_relations.member_keys(connection, *place)
                for key in members[place]:
                    those.update(dict.fromkeys(by_key.get(key, ())))
            for arn in json.loads(event.user_arns):
                those.update(dict.fromkeys(by_arn.get(arn, ())))
            recipients.append((event, [each for each in those if allowed is sessions or each in allowed]))
        return recipients

    def _endings(self, connection: Connection, sessions: Collection[PushSession]) -> dict[PushSession, Ending]:
        identities = self._sandbox.generations.current(connection)
        now_seconds, settings = self._sandbox.clock.now_seconds(), self._sandbox.generations.settings
        living = resources.living(connection, {each.user_key for each in sessions}, now_seconds=now_seconds)
        endings: dict[PushSession, Ending] = {}
        for each in sessions:
            if each.user_key not in living:
                endings[each] = Ending.USER
            elif each.expires_at_seconds is not None and each.expires_at_seconds <= now_seconds:
                endings[each] = Ending.CREDENTIALS
            elif each.generation != identities.generation:
                try:
                    resolve(connection, identities, each.signature, now_seconds, settings)
                except AwsError:
                    endings[each] = Ending.CREDENTIALS
                each.generation = identities.generation
        return endings

    def _remove_old(self, now: float) -> None:
        """Delete events from time to time that every follower has read."""
        if now - self._kept_at_seconds < _KEPT_SECONDS or self._last is None:
            return
        if self._last > self._kept_id:
            with self._sandbox.database.transaction() as connection:
                messaging_events.remove_until(connection, self._kept_id)
        self._kept_id, self._kept_at_seconds = self._last, now
