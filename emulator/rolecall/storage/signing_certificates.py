"""X.509 signing certificates of users and root users: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import signing_certificates as t


class SigningCertificate(Struct, frozen=True):
    """``user_id`` is None for a certificate of the root user. ``fingerprint`` is of the certificate's DER form."""

    certificate_id: str
    account_id: str
    user_id: str | None
    body: str
    fingerprint: str
    status: str
    uploaded_at_seconds: int


_COLUMNS = tuple(t.c[name] for name in SigningCertificate.__struct_fields__)


def certificates_of(connection: Connection, account_id: str, user_id: str | None) -> list[SigningCertificate]:
    """The certificates of a user, oldest first. ``user_id`` None means the root user."""
    statement = (
        select(*_COLUMNS)
        .where(t.c.account_id == account_id, t.c.user_id.is_not_distinct_from(user_id))
        .order_by(t.c.uploaded_at_seconds, t.c.certificate_id)
    )
    return [SigningCertificate(*row) for row in connection.execute(statement)]


def add_certificate(connection: Connection, certificate: SigningCertificate) -> None:
    """Raises AlreadyThere when any user of the account has the same certificate already, or when the user is gone."""
    with problem_for_conflict(connection, AlreadyThere(certificate.certificate_id)):
        connection.execute(insert(t), asdict(certificate))


def set_certificate_status(connection: Connection, certificate_id: str, status: str) -> None:
    """``status`` is Active or Inactive."""
    connection.execute(update(t).where(t.c.certificate_id == certificate_id).values(status=status))


def remove_certificate(connection: Connection, certificate_id: str) -> None:
    connection.execute(delete(t).where(t.c.certificate_id == certificate_id))
