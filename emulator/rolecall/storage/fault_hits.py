"""How many calls each fault rule has matched, and how many it has hit, counted for all processes together."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage.tables import fault_hits as t


def keep_only(connection: Connection, rule_ids: Iterable[str]) -> None:
    """Start counting for new rules, continue for known rules, and forget all others."""
    wanted = list(rule_ids)
    connection.execute(delete(t).where(t.c.rule_id.not_in(wanted)))
    known = set(counts(connection))
    for rule_id in wanted:
        if rule_id not in known:
            connection.execute(insert(t).values(rule_id=rule_id, calls=0, hits=0))


def counts(connection: Connection) -> dict[str, tuple[int, int]]:
    """Calls and hits by rule."""
    return {row.rule_id: (row.calls, row.hits) for row in connection.execute(select(t))}


def count_call(connection: Connection, rule_id: str) -> tuple[int, int] | None:
    """Count a call that the rule matches. Returns the number of calls, this one included, and of hits.

    None when the rule is gone. The row is updated before it is read, so that no other call is counted in between.
    """
    connection.execute(update(t).where(t.c.rule_id == rule_id).values(calls=t.c.calls + 1))
    row = connection.execute(select(t.c.calls, t.c.hits).where(t.c.rule_id == rule_id)).first()
    return None if row is None else (row.calls, row.hits)


def count_hit(connection: Connection, rule_id: str) -> None:
    connection.execute(update(t).where(t.c.rule_id == rule_id).values(hits=t.c.hits + 1))
