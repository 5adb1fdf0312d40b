"""Which of the open sessions receives which event of messaging, and which sessions are over.

Any process may write an event into the table. Every process with open sessions follows the table by the ids.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

from msgspec import Struct
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
# How long an id that was passed over is looked for: PostgreSQL gives an id before the commit.
_LATE_SECONDS = 10.0
# How often sessions without events are looked at.
_CHECK_SECONDS = 1.0
# Every follower has read an event long before that.
_KEPT_SECONDS = 60.0


class Ending(Enum):
    """Why a session is over."""

    CREDENTIALS = "its credentials have expired, or are gone"
    USER = "its user was deleted"


class Delivery(Struct, frozen=True):
    """A text for some sessions."""

    text: str
    sessions: Sequence[PushSession]


class News(Struct, frozen=True):
    """What one reading found. The endings come first: an ended session receives nothing more."""

    endings: Mapping[PushSession, Ending]
    deliveries: Sequence[Delivery]


class _Place(Struct, frozen=True):
    """How far the events are read.

    ``late`` has ids that were passed over, each with the time until which it is looked for. ``known`` are the sessions
    that have received what came between their connect and the first reading after it.
    """

    last_id: int
    late: Mapping[int, float]
    known: Collection[PushSession]


# An event, and the sessions that have received it already.
_Found = tuple[PushedEvent, Collection[PushSession]]


class Follower:
    """Reads the events of a sandbox. One thread uses it. The next reading repeats one that failed."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._place: _Place | None = None
        self._checked_at_seconds = self._kept_at_seconds = monotonic_seconds()
        self._kept_id = self._removed_id = 0

    def read(self, sessions: Collection[PushSession]) -> News:
        """What is new for the open sessions, which must not be empty. Raises the errors of the database."""
        now = monotonic_seconds()
        is_due = now - self._checked_at_seconds >= _CHECK_SECONDS
        with self._sandbox.database.snapshot() as connection:
            place, found = _found(connection, self._place, sessions, now)
            recipients = _recipients(connection, found, sessions)
            concerned = sessions if is_due else {each for _, those in recipients for each in those}
            endings = self._endings(connection, concerned) if concerned else {}
        # Only now, because a reading that fails must lose no event.
        self._place = place
        if is_due:
            self._checked_at_seconds = now
        deliveries = []
        for event, those in recipients:
            living = [each for each in those if each not in endings]
            if living:
                deliveries.append(Delivery(frame_text(event.event_type, event.message_type, event.payload), living))
        return News(endings, deliveries)

    def remove_old(self) -> None:
        """Delete from time to time what every follower has read. Raises the errors of the database."""
        now = monotonic_seconds()
        if self._place is None or now - self._kept_at_seconds < _KEPT_SECONDS:
            return
        if self._kept_id > self._removed_id:
            read_id = self._kept_id
            self._sandbox.database.write(lambda connection: messaging_events.remove_until(connection, read_id))
        self._removed_id, self._kept_id, self._kept_at_seconds = self._kept_id, self._place.last_id, now

    def stop(self) -> None:
        """No session is open any more. The next reading begins where its sessions do."""
        self._place = None

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
                else:
                    each.generation = identities.generation
        return endings


def _found(
    connection: Connection, before: _Place | None, sessions: Collection[PushSession], now: float
) -> tuple[_Place, list[_Found]]:
    """The place after this reading, and what it found."""
    if before is None:
        gaps = {event_id: now + _LATE_SECONDS for each in sessions for event_id in each.unseen_event_ids}
        before = _Place(min(each.since_event_id for each in sessions), gaps, ())
    last_id, late = before.last_id, dict(before.late)
    found: list[_Found] = []
    if late:
        came = messaging_events.of_ids(connection, list(late))
        found += [(event, ()) for event in came]
        gone = {event.event_id for event in came} | {each for each, until in late.items() if until < now}
        late = {each: until for each, until in late.items() if each not in gone}
    fresh = [each for each in sessions if each not in before.known]
    behind = min((min(each.unseen_event_ids, default=each.since_event_id + 1) - 1 for each in fresh), default=last_id)
    if behind < last_id:
        for event in messaging_events.after(connection, behind, last_id - behind):
            if event.event_id <= last_id and event.event_id not in before.late:
                found.append((event, before.known))
    for event in messaging_events.after(connection, last_id, _EVENTS_AT_ONCE):
        passed = range(max(last_id + 1, event.event_id - messaging_events.LATE_EVENTS), event.event_id)
        late.update(dict.fromkeys(passed, now + _LATE_SECONDS))
        last_id = event.event_id
        found.append((event, ()))
    return _Place(last_id, late, frozenset(sessions) if fresh else before.known), found


def _recipients(
    connection: Connection, found: Sequence[_Found], sessions: Iterable[PushSession]
) -> list[tuple[PushedEvent, list[PushSession]]]:
    """The members at this moment, and the users whom the event names."""
    by_key: dict[str, list[PushSession]] = {}
    by_arn: dict[str, list[PushSession]] = {}
    if found:
        for each in sessions:
            by_key.setdefault(each.user_key, []).append(each)
            by_arn.setdefault(each.user_arn, []).append(each)
    members: dict[tuple[str, str], list[str]] = {}
    recipients = []
    for event, served in found:
        those: dict[PushSession, None] = {}
        if event.to_members:
            place = (event.channel_key, event.sub_channel_id)
            if place not in members:
                members[place] = channel_relations.member_keys(connection, *place)
            for key in members[place]:
                those.update(dict.fromkeys(by_key.get(key, ())))
        for arn in json.loads(event.user_arns):
            those.update(dict.fromkeys(by_arn.get(arn, ())))
        recipients.append((event, [each for each in those if each.awaits(event.event_id) and each not in served]))
    return recipients
