"""Credential reports: the newest one of each account, and the rows of the credentials that a new one tells about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, Table, delete, insert, select, update

from rolecall.storage import tables as t
from rolecall.storage.access_keys import AccessKeyRecord
from rolecall.storage.login_profiles import LoginProfile
from rolecall.storage.mfa_devices import MfaDeviceRecord
from rolecall.storage.signing_certificates import SigningCertificate


class CredentialReport(Struct, frozen=True):
    """``content`` is CSV. It tells about ``generated_at_seconds``, and may be read from ``ready_at_seconds`` on."""

    account_id: str
    content: str
    generated_at_seconds: int
    ready_at_seconds: int


class Credentials(Struct, frozen=True):
    """What a user has. None stands for the root user in the mapping of :func:`credentials_of_account`."""

    keys: list[AccessKeyRecord]
    certificates: list[SigningCertificate]
    passwords: list[LoginProfile]
    devices: list[MfaDeviceRecord]


_REPORTS = t.credential_reports
_COLUMNS = tuple(_REPORTS.c[name] for name in CredentialReport.__struct_fields__)
Record = TypeVar("Record", AccessKeyRecord, SigningCertificate, LoginProfile, MfaDeviceRecord)


def report_of(connection: Connection, account_id: str) -> CredentialReport | None:
    """The account's newest report; None when there is none."""
    row = connection.execute(select(*_COLUMNS).where(_REPORTS.c.account_id == account_id)).first()
    return None if row is None else CredentialReport(*row)


def keep_report(connection: Connection, report: CredentialReport) -> None:
    """Store a report in place of the account's older one."""
    connection.execute(delete(_REPORTS).where(_REPORTS.c.account_id == report.account_id))
    connection.execute(insert(_REPORTS), asdict(report))


def make_ready(connection: Connection, account_id: str, now_seconds: int) -> None:
    """Let the account's report be read from now on."""
    of_account = _REPORTS.c.account_id == account_id
    connection.execute(update(_REPORTS).where(of_account).values(ready_at_seconds=now_seconds))


def credentials_of_account(connection: Connection, account_id: str) -> dict[str | None, Credentials]:
    """The credentials of every user of an account that has some, by user id; the root user's under None.

    MFA devices that are not enabled are left out.
    """
    found: dict[str | None, Credentials] = {}

    def of(user_id: str | None) -> Credentials:
        return found.setdefault(user_id, Credentials([], [], [], []))

    for key in _records(connection, t.access_keys, AccessKeyRecord, account_id):
        of(key.user_id).keys.append(key)
    for certificate in _records(connection, t.signing_certificates, SigningCertificate, account_id):
        of(certificate.user_id).certificates.append(certificate)
    for password in _records(connection, t.login_profiles, LoginProfile, account_id):
        of(password.user_id).passwords.append(password)
    for device in _records(connection, t.mfa_devices, MfaDeviceRecord, account_id):
        if device.enabled_at_seconds is not None:
            of(device.user_id).devices.append(device)
    return found


def _records(connection: Connection, table: Table, record: type[Record], account_id: str) -> Sequence[Record]:
    columns = [table.c[name] for name in record.__struct_fields__]
    statement = select(*columns).where(table.c.account_id == account_id).order_by(*table.primary_key.columns)
    return [record(*row) for row in connection.execute(statement)]
