"""When access keys and roles were last used. A write here does not change rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from rolecall.storage import tables as t


class Use(NamedTuple):
    """One use: the time by the sandbox's clock, the service and the Region."""

    at_seconds: float
    service: str
    region: str


# No rights depend on these columns, so cached policies stay valid.
_CHANGES_NO_RIGHTS = {"changes_no_rights": True}
_KEY = (
    update(t.access_keys)
    .where(t.access_keys.c.access_key_id == bindparam("used"))
    .values(
        last_used_at_seconds=bindparam("at_seconds"),
        last_used_service=bindparam("service"),
        last_used_region=bindparam("region"),
    )
    .execution_options(**_CHANGES_NO_RIGHTS)
)
_ROLE = (
    update(t.roles)
    .where(t.roles.c.role_id == bindparam("used"))
    .values(last_used_at_seconds=bindparam("at_seconds"), last_used_region=bindparam("region"))
    .execution_options(**_CHANGES_NO_RIGHTS)
)


def write_uses(connection: Connection, keys: Mapping[str, Use], roles: Mapping[str, Use]) -> None:
    """Store uses of access keys and of roles, by their ids. An id that no longer exists is ignored."""
    if keys:
        rows = [
            {"used": key_id, "at_seconds": int(use.at_seconds), "service": use.service, "region": use.region}
            for key_id, use in keys.items()
        ]
        connection.execute(_KEY, rows)
    if roles:
        rows = [
            {"used": role_id, "at_seconds": int(use.at_seconds), "region": use.region} for role_id, use in roles.items()
        ]
        connection.execute(_ROLE, rows)


def uses_of_keys(connection: Connection, account_id: str) -> list[tuple[str, Use]]:
    """The last use of each access key of an account, with the unique id of its user, or the account's id for root."""
    keys = t.access_keys.c
    statement = select(keys.user_id, keys.last_used_at_seconds, keys.last_used_service, keys.last_used_region).where(
        keys.account_id == account_id, keys.last_used_at_seconds.is_not(None)
    )
    return [(row[0] or account_id, Use(row[1], row[2] or "", row[3] or "")) for row in connection.execute(statement)]
