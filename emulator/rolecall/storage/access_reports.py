"""Reports of last accesses: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select

from rolecall.storage.tables import access_reports as t

# AWS does not say how long it keeps a report. The oldest reports of an account go when it has more than this.
KEPT_REPORTS = 200


class AccessReport(Struct, frozen=True):
    """A finished job. ``owner_id`` is the unique id of the user or role that asked. ``report`` is JSON."""

    job_id: str
    account_id: str
    owner_id: str
    operation: str
    created_at_seconds: int
    report: str


_COLUMNS = tuple(t.c[name] for name in AccessReport.__struct_fields__)


def access_report_by_job(connection: Connection, account_id: str, job_id: str) -> AccessReport | None:
    """The account's report with that job id; None when there is none."""
    row = connection.execute(select(*_COLUMNS).where(t.c.account_id == account_id, t.c.job_id == job_id)).first()
    return None if row is None else AccessReport(*row)


def add_access_report(connection: Connection, report: AccessReport) -> None:
    """Store a report, and remove the account's oldest ones beyond KEPT_REPORTS."""
    connection.execute(insert(t), asdict(report))
    newest_first = select(t.c.job_id).where(t.c.account_id == report.account_id)
    newest_first = newest_first.order_by(t.c.created_at_seconds.desc(), t.c.job_id).offset(KEPT_REPORTS)
    beyond = connection.execute(newest_first).scalars().all()
    if beyond:
        connection.execute(delete(t).where(t.c.job_id.in_(beyond)))
