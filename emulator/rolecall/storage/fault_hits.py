"""How many calls each fault rule has met, and how many it has hit: counted where all processes see it."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage.tables import fault_hits as t


def keep_only(connection: Connection, rule_ids: Iterable[str]) -> None:
    """Begin to count for the rules that are new, go on for those that are known, forget all others."""
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
    """Count a call that the rule meets; returns calls, this one among them, and hits. None: the rule is gone.

    Updated before it is read, so that nobody else counts in between.
    """
    connection.execute(update(t).where(t.c.rule_id == rule_id).values(calls=t.c.calls + 1))
    row = connection.execute(select(t.c.calls, t.c.hits).where(t.c.rule_id == rule_id)).first()
    return None if row is None else (row.calls, row.hits)


def count_hit(connection: Connection, rule_id: str) -> None:
    connection.execute(update(t).where(t.c.rule_id == rule_id).values(hits=t.c.hits + 1))
