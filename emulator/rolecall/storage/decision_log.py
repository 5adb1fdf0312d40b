"""The decision log: one row for each call, and the explanation of each refusal for a day.

Several processes write the same log. Its writers never wait for writers of the database's other tables, and issuing
credentials still writes nothing to those. Where the log is kept, ``log_keepers`` says: in a SQLite file beside a SQLite
database, or in tables of their own in PostgreSQL. It uses drivers without SQLAlchemy, because writing a row costs less
than building a statement.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct

from rolecall.storage import call_counts
from rolecall.storage.call_counts import CallCounts, PackedCalls, Tally, tally_of
from rolecall.storage.call_kinds import CallKind as CallKind
from rolecall.storage.call_kinds import KnownKinds, counted
from rolecall.storage.call_kinds import kinds_of as kinds_of
from rolecall.storage.log_keepers import LogDriver, LogKeeper, keeper_of
from rolecall.storage.log_keepers import LogUnavailableError as LogUnavailableError
from rolecall.storage.log_keepers import decision_log_path as decision_log_path

KEPT_CALLS = 50_000
KEPT_DETAILS_SECONDS = 24 * 3600
# A process may hold a call this long before it writes it. After a reset, a call may seem to be older than the reset by
# more than this: then the machine's clock was set back, and the call came after the reset.
_HELD_SECONDS = 60
# Old rows are removed after this many new ones. Until then, readers skip them.
_PRUNE_AFTER_CALLS = 2_000
_EVERYTHING_BUT_ALLOWED = "refused"


class LoggedCall(NamedTuple):
    """One call. Times are seconds since the epoch: ``at_seconds`` the sandbox's, ``received_at_seconds`` the wall's.

    ``principal`` is the caller's ARN, and ``principal_arn`` is the ARN of the user or role behind it. Both are empty
    when the call proved no identity. ``session``, ``decisions`` and ``identity`` are JSON. ``actions`` are in lower
    case, joined and enclosed by ``|``. ``outcome`` is Allowed, ExplicitDeny, ImplicitDeny, or the error code of a call
    that was refused before any policy counted. ``parameters`` and ``answer`` are JSON in CloudTrail's form, without
    secrets. ``error_name`` is the exception of the service's model. One such row is made for each call and stored as it
    is.
    """

    received_at_seconds: float
    at_seconds: float
    request_id: str
    account_id: str
    principal: str
    principal_arn: str
    access_key_id: str
    session: str
    service: str
    operation: str
    region: str
    actions: str
    decisions: str
    outcome: str
    error_code: str
    message: str
    reason: str
    status: int
    latency_seconds: float
    source_ip: str
    user_agent: str
    identity: str = ""
    parameters: str = ""
    answer: str = ""
    error_name: str = ""


class RefusalDetails(Struct, frozen=True):
    """The explanation of a refusal as JSON. ``policies`` holds the documents at that time, by digest."""

    request_id: str
    account_id: str
    organization_id: str
    region: str
    at_seconds: float
    explanation: str
    policies: Mapping[str, str]


class Access(NamedTuple):
    """The last call of a user, role or root user that named an operation, by the sandbox's clock.

    ``entity_id`` is the unique id of the user or role, or the account's id for the root user.
    """

    account_id: str
    entity_id: str
    service: str
    operation: str
    region: str
    at_seconds: float


class LogPlace(NamedTuple):
    """Where a reader of the log stands: behind the call at ``position``, 0 for the beginning.

    ``cleared_at_seconds`` is the wall's time at which the log was emptied. Then positions begin again, so an earlier
    place stands for the beginning.
    """

    cleared_at_seconds: float
    position: int


class CallFilter(Struct, frozen=True):
    """Which calls to select. A member that is empty or None does not filter. ``action`` may end with ``*``.

    ``with_federated_users`` also selects calls of federated users whose sessions ``principal`` obtained.
    ``about`` is a text in the caller's ARN or in the JSON of the answer.
    """

    principal: str = ""
    action: str = ""
    outcome: str = ""
    since_seconds: float | None = None
    limit: int = 100
    with_federated_users: bool = False
    about: str = ""


_COLUMNS = LoggedCall._fields
# The fields of CountedCall.
_COUNTED = attrgetter("service", "operation", "outcome", "status", "latency_seconds")
_TYPES = {
    "received_at_seconds": "REAL",
    "at_seconds": "REAL",
    "latency_seconds": "REAL",
    "status": "INTEGER",
}
_SCHEMA = (
    "CREATE TABLE calls (position INTEGER PRIMARY KEY, "
    + ", ".join(f"{name} {_TYPES.get(name, 'TEXT')} NOT NULL" for name in _COLUMNS)
    + ")",
    "CREATE TABLE refusals (position INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, "
    "organization_id TEXT NOT NULL, region TEXT NOT NULL, at_seconds REAL NOT NULL, explanation BLOB NOT NULL)",
    "CREATE TABLE policies (digest TEXT PRIMARY KEY, document BLOB NOT NULL)",
    "CREATE TABLE refusal_policies (position INTEGER NOT NULL, digest TEXT NOT NULL, "
    "PRIMARY KEY (position, digest)) WITHOUT ROWID",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value REAL NOT NULL)",
    *call_counts.SCHEMA,
)
_TABLES = ("refusals", "policies", "refusal_policies", "facts", *call_counts.TABLES)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM calls"  # noqa: S608
_KEPT = f"position > (SELECT max(position) FROM calls) - {KEPT_CALLS}"  # noqa: S608
_REFUSAL_COLUMNS = ("position", "request_id", "account_id", "organization_id", "region", "at_seconds", "explanation")
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in _REFUSAL_COLUMNS if name != "request_id")
_INSERT_REFUSAL = (
    f"INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id) DO UPDATE SET {_REPLACED}"  # noqa: S608
)
_LAST_WRITTEN_FIRST = "ORDER BY position DESC LIMIT ?"
_NEWEST_FIRST = "ORDER BY received_at_seconds DESC, position DESC LIMIT ?"


class DecisionStore:
    """The log, by the URL of its database or by the path of its file. Safe to share between threads.

    Opened on first use, so that a forked process opens its own. Every method except ``close`` raises
    LogUnavailableError when the log cannot be read or written.
    """

    def __init__(self, place: str) -> None:
        self._keeper: LogKeeper = keeper_of(place)
        # For people: a path, or a URL without its password.
        self.path = self._keeper.shown_place
        self._calls_until_prune = 0
        self._known_kinds = KnownKinds()

    @property
    def in_memory(self) -> bool:
        return self._keeper.in_memory

    @property
    def shared(self) -> bool:
        """Whether other servers may write to the same log, besides the workers of this one."""
        return self._keeper.shared

    def exists(self) -> bool:
        return self._keeper.exists()

    @property
    def packs(self) -> bool:
        """Whether :meth:`pack` saves anything."""
        return self._keeper.packs

    def pack(self, calls: Sequence[LoggedCall]) -> PackedCalls:
        """Many calls as :meth:`write` takes them best. Raises ValueError when one of their texts cannot be stored."""
        received = [call.received_at_seconds for call in calls]
        return PackedCalls(
            len(calls), min(received), max(received), tally_of(map(_COUNTED, calls)), self._keeper.packed(calls)
        )

    def write(
        self,
        calls: Sequence[LoggedCall | PackedCalls],
        details: Mapping[str, RefusalDetails],
        dropped: Mapping[str, int],
        now_seconds: float,
    ) -> None:
        """Add calls, oldest first, with ``details`` by request id. ``dropped`` counts lost calls by kind."""
        with self._transaction() as driver:
            first = position = self._keeper.next_position(driver)
            tally = Tally()
            for rows, packed in self._parts(calls, _fact(driver, "cleared_at_seconds")):
                if packed:
                    self._keeper.append_packed(driver, [(each.text, each.calls) for each in packed], position)
                    position += sum(each.calls for each in packed)
                    for each in packed:
                        tally.add(each.tally)
                    continue
                self._keeper.append(driver, rows, position)
                tally.add(tally_of(map(_COUNTED, rows)))
                for offset, call in enumerate(rows if details else ()):
                    if call.request_id in details:
                        _insert_details(driver, position + offset, details[call.request_id])
                position += len(rows)
            call_counts.add_counts(driver, tally)
            for name, count in dropped.items():
                if count:
                    _set_fact(driver, f"dropped_{name}", _fact(driver, f"dropped_{name}") + count)
            self._calls_until_prune -= position - first
            if self._calls_until_prune <= 0:
                self._calls_until_prune = _PRUNE_AFTER_CALLS
                self._prune(driver, now_seconds)

    def _parts(
        self, calls: Sequence[LoggedCall | PackedCalls], cleared_at_seconds: float
    ) -> Iterator[tuple[list[LoggedCall], list[PackedCalls]]]:
        """The calls that were not cleared, in order, in few parts: rows alone, or packed calls alone."""
        since = cleared_at_seconds - _HELD_SECONDS
        rows: list[LoggedCall] = []
        packed: list[PackedCalls] = []
        for each in calls:
            whole = isinstance(each, PackedCalls) and (
                each.last_at_seconds < since or each.first_at_seconds >= cleared_at_seconds
            )
            if rows if whole else packed:
                yield rows, packed
                rows, packed = [], []
            if isinstance(each, PackedCalls) and whole:
                packed.append(each)
                continue
            found = [each] if isinstance(each, LoggedCall) else map(LoggedCall._make, self._keeper.unpacked(each.text))
            rows += [call for call in found if not since <= call.received_at_seconds < cleared_at_seconds]
        if rows or packed:
            yield rows, packed

    def unpack_some(self) -> bool:
        """Do some of the work that the next reader would have to wait for. Returns whether more is left."""
        return self._keeper.unpack_some(_SCHEMA)

    def calls(self, wanted: CallFilter, *, as_written: bool = False) -> list[LoggedCall]:
        """The matching calls, newest first by the machine's clock, because each process writes at its own time.

        ``as_written`` sorts by the order of writing instead. For a single process this is the order of the calls, even
        if the clock is moved.
        """
        order = _LAST_WRITTEN_FIRST if as_written else _NEWEST_FIRST
        conditions, values = self._conditions(wanted)
        query = f"{_SELECT} WHERE {_KEPT} AND {conditions} {order}"
        with self._reading() as driver:
            return [LoggedCall(*row) for row in driver.execute(query, (*values, wanted.limit))]

    def newest_place(self) -> LogPlace:
        """The place behind the last call."""
        with self._reading_no_calls() as driver:
            return self._newest_place(driver)

    def calls_after(self, place: LogPlace, wanted: CallFilter) -> tuple[LogPlace, list[LoggedCall]]:
        """The place behind the last call, and the matching calls that were written after ``place``, the last first.

        Positions are given in the order of the commits, whatever process writes, so no call is left out.
        """
        conditions, values = self._conditions(wanted)
        query = f"{_SELECT} WHERE {conditions} AND position > ? AND position <= ? {_LAST_WRITTEN_FIRST}"
        with self._reading() as driver:
            newest = self._newest_place(driver)
            if newest == place:
                return newest, []
            since = place.position if place.cleared_at_seconds == newest.cleared_at_seconds else 0
            since = max(since, newest.position - KEPT_CALLS)
            # Another process may have written more since then.
            given = (*values, since, newest.position, wanted.limit)
            return newest, [LoggedCall(*row) for row in driver.execute(query, given)]

    def kinds(self, wanted: CallFilter) -> list[CallKind]:
        """The kinds of all matching calls, whatever the limit. A principal may have made every call of the log."""
        conditions, values = self._conditions(wanted)
        # The texts that decide, and no further columns: reading whole rows would take several times as long.
        columns = "service, operation, outcome, decisions, position"
        query = (
            f"SELECT {columns} FROM calls WHERE {conditions} AND position > ? AND position <= ? "  # noqa: S608
            "ORDER BY position DESC"
        )
        with self._reading() as driver:

            def read(behind: int, last: int) -> list[CallKind]:
                return counted(driver.execute(query, (*values, behind, last)))

            newest = self._newest_place(driver)
            # Each question with a time is another one, so nothing is remembered for it.
            known = self._known_kinds if wanted.since_seconds is None else KnownKinds()
            question = (newest.cleared_at_seconds, conditions, *values)
            return known.between(question, max(0, newest.position - KEPT_CALLS), newest.position, read)

    def places(self, positions: Sequence[int]) -> dict[int, tuple[float, str]]:
        """The time and the request id of the calls at some positions."""
        marks = ", ".join("?" * len(positions))
        query = f"SELECT position, at_seconds, request_id FROM calls WHERE position IN ({marks})"  # noqa: S608
        with self._reading() as driver:
            return {at: (at_seconds, request_id) for at, at_seconds, request_id in driver.execute(query, positions)}

    def _conditions(self, wanted: CallFilter) -> tuple[str, list[object]]:
        """What the filter says about a row. Where to look is not in it.

        SQLite takes one bound of a range, so a second one would make it read the log from its beginning.
        """
        conditions, values = ["1 = 1"], list[object]()
        if wanted.principal:
            of_principal = "principal = ? OR principal_arn = ?"
            values += [wanted.principal, wanted.principal]
            if wanted.with_federated_users:
                # Only long-term credentials obtain such a session, so its chain has one link.
                find = self._keeper.position_in
                of_principal += f" OR ({find}(principal, ':federated-user/') > 0 AND {find}(session, ?) > 0)"
                values.append(f'"chain":[{json.dumps(wanted.principal)}]')
            conditions.append(f"({of_principal})")
        if wanted.action:
            action = wanted.action.lower()
            conditions.append(f"{self._keeper.position_in}(actions, ?) > 0")
            values.append(f"|{action[:-1]}" if action.endswith("*") else f"|{action}|")
        if wanted.outcome.lower() == _EVERYTHING_BUT_ALLOWED:
            conditions.append("outcome != 'Allowed'")
        elif wanted.outcome:
            conditions.append("lower(outcome) = lower(?)")
            values.append(wanted.outcome)
        if wanted.since_seconds is not None:
            conditions.append("at_seconds >= ?")
            values.append(wanted.since_seconds)
        if wanted.about:
            find = self._keeper.position_in
            conditions.append(f"({find}(principal, ?) > 0 OR {find}(answer, ?) > 0)")
            values += [wanted.about, wanted.about]
        return " AND ".join(conditions), values

    def accesses(self, account_ids: Sequence[str], since_seconds: float) -> list[Access]:
        """The last call for each caller, operation and Region, allowed or not, with the newest last.

        Calls that proved no identity are not among them.
        """
        places = ", ".join("?" * len(account_ids))
        named = f"account_id, {self._keeper.entity_id}, service, operation, region"
        query = (
            f"SELECT {named}, max(at_seconds) AS at FROM calls "  # noqa: S608
            f"WHERE {_KEPT} AND identity != '' AND operation != '' AND at_seconds >= ? AND account_id IN ({places}) "
            "GROUP BY 1, 2, 3, 4, 5 ORDER BY at"
        )
        with self._reading() as driver:
            return [Access(*row) for row in driver.execute(query, (since_seconds, *account_ids))]

    def callers(self) -> list[str]:
        """The ARNs of all users and roles that called."""
        query = f"SELECT DISTINCT principal_arn FROM calls WHERE {_KEPT} ORDER BY principal_arn"  # noqa: S608
        with self._reading() as driver:
            return [arn for (arn,) in driver.execute(query)]

    def call(self, request_id: str) -> LoggedCall | None:
        """One call. There is no index: only people look for one call, and an index would slow every call."""
        query = f"{_SELECT} WHERE request_id = ? AND {_KEPT}"
        with self._reading() as driver:
            row = driver.execute(query, (request_id,)).fetchone()
        return None if row is None else LoggedCall(*row)

    def details(self, request_id: str, now_seconds: float | None = None) -> RefusalDetails | None:
        """The explanation of a refusal, if it is not older than a day at ``now_seconds``."""
        query = "SELECT * FROM refusals WHERE request_id = ?"
        documents = (
            "SELECT p.digest, p.document FROM refusal_policies r JOIN policies p ON p.digest = r.digest "
            "WHERE r.position = ? ORDER BY p.digest"
        )
        with self._reading_no_calls() as driver:
            row = driver.execute(query, (request_id,)).fetchone()
            if row is None or (now_seconds is not None and row[5] <= now_seconds - KEPT_DETAILS_SECONDS):
                return None
            policies = {digest: _unpacked(packed) for digest, packed in driver.execute(documents, (row[0],))}
        _, known_id, account_id, organization_id, region, at_seconds, packed = row
        return RefusalDetails(known_id, account_id, organization_id, region, at_seconds, _unpacked(packed), policies)

    def dropped(self) -> dict[str, int]:
        """How many calls were not logged because too many came at once."""
        with self._reading_no_calls() as driver:
            return {kind: int(_fact(driver, f"dropped_{kind}")) for kind in ("allowed", "refused")}

    def forgotten(self) -> int:
        """How many logged calls were removed because newer ones came."""
        with self._reading_no_calls() as driver:
            return max(0, self._keeper.next_position(driver) - 1 - KEPT_CALLS)

    def kept_calls(self) -> int:
        """How many calls the log holds now."""
        with self._reading() as driver:
            return int(driver.execute("SELECT count(*) FROM calls").fetchone()[0])

    def counts(self) -> CallCounts:
        """The counts of all kinds of calls, also of calls that the log has removed."""
        dropped = self.dropped()
        with self._reading_no_calls() as driver:
            return call_counts.read_counts(driver, dropped)

    def clear(self, now_wall_seconds: float) -> None:
        """Remove everything. Calls of other processes that came before now and are written later are not logged."""
        with self._transaction() as driver:
            self._keeper.forget(driver, self._keeper.next_position(driver))
            for table in _TABLES:
                driver.execute(f"DELETE FROM {table}")  # noqa: S608
            _set_fact(driver, "cleared_at_seconds", now_wall_seconds)

    def close(self) -> None:
        self._keeper.close()

    def _prune(self, driver: LogDriver, now_seconds: float) -> None:
        oldest = self._keeper.next_position(driver) - KEPT_CALLS
        self._keeper.forget(driver, oldest)
        driver.execute(
            "DELETE FROM refusals WHERE position < ? OR at_seconds <= ?", (oldest, now_seconds - KEPT_DETAILS_SECONDS)
        )
        driver.execute("DELETE FROM refusal_policies WHERE position NOT IN (SELECT position FROM refusals)")
        driver.execute("DELETE FROM policies WHERE digest NOT IN (SELECT digest FROM refusal_policies)")

    def _newest_place(self, driver: LogDriver) -> LogPlace:
        return LogPlace(_fact(driver, "cleared_at_seconds"), self._keeper.next_position(driver) - 1)

    def _transaction(self) -> AbstractContextManager[LogDriver]:
        return self._keeper.transaction(_SCHEMA)

    def _reading(self) -> AbstractContextManager[LogDriver]:
        return self._keeper.reading(_SCHEMA)

    def _reading_no_calls(self) -> AbstractContextManager[LogDriver]:
        return self._keeper.reading(_SCHEMA, calls=False)


def _insert_details(driver: LogDriver, position: int, details: RefusalDetails) -> None:
    for digest, document in details.policies.items():
        if driver.execute("SELECT 1 FROM policies WHERE digest = ?", (digest,)).fetchone() is None:
            driver.execute("INSERT INTO policies VALUES (?, ?)", (digest, _packed(document)))
        driver.execute("INSERT INTO refusal_policies VALUES (?, ?)", (position, digest))
    # Identifiers made from a seed repeat in another run.
    driver.execute(
        _INSERT_REFUSAL,
        (
            position,
            details.request_id,
            details.account_id,
            details.organization_id,
            details.region,
            details.at_seconds,
            _packed(details.explanation),
        ),
    )


def _fact(driver: LogDriver, name: str) -> float:
    row = driver.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return 0.0 if row is None else float(row[0])


def _set_fact(driver: LogDriver, name: str, value: float) -> None:
    driver.execute(
        "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
    )


def _packed(text: str) -> bytes:
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 1)


def _unpacked(packed: bytes) -> str:
    return zlib.decompress(packed).decode("utf-8", "surrogatepass")
