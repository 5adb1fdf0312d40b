"""Server certificates: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select

from rolecall.arns import iam_arn
from rolecall.storage.named import CountInAccount, ListByPath, move_entity
from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import server_certificates as t


class ServerCertificate(Struct, frozen=True):
    """A certificate without its private key. ``body`` and ``chain`` are PEM."""

    certificate_id: str
    account_id: str
    name: str
    path: str
    body: str
    chain: str | None
    expires_at_seconds: int
    uploaded_at_seconds: int

    @property
    def arn(self) -> str:
        return iam_arn(self.account_id, "server-certificate", self.path, self.name)


_COLUMNS = tuple(t.c[name] for name in ServerCertificate.__struct_fields__)
_LIST = ListByPath(t, _COLUMNS)
_COUNT = CountInAccount(t)


def server_certificate_by_name(connection: Connection, account_id: str, name: str) -> ServerCertificate | None:
    """The account's certificate with that name, in any case of letters; None when there is none."""
    statement = select(*_COLUMNS).where(t.c.account_id == account_id, t.c.name_key == name.lower())
    row = connection.execute(statement).first()
    return None if row is None else ServerCertificate(*row)


def list_server_certificates(
    connection: Connection, account_id: str, *, path_prefix: str, after_name_key: str, limit: int
) -> list[ServerCertificate]:
    """Certificates by name, starting after ``after_name_key`` (a name in lower case)."""
    return [ServerCertificate(*row) for row in _LIST.rows(connection, account_id, path_prefix, after_name_key, limit)]


def count_server_certificates(connection: Connection, account_id: str) -> int:
    return _COUNT.of(connection, account_id)


def add_server_certificate(connection: Connection, certificate: ServerCertificate) -> None:
    """Raises AlreadyThere when the account has a certificate with that name."""
    with problem_for_conflict(connection, AlreadyThere(certificate.name)):
        connection.execute(insert(t), {**asdict(certificate), "name_key": certificate.name.lower()})


def move_server_certificate(connection: Connection, certificate_id: str, name: str, path: str) -> None:
    """Give a certificate another name and path. Raises AlreadyThere when another one of the account has the name."""
    move_entity(connection, t.c.certificate_id, certificate_id, name, path)


def remove_server_certificate(connection: Connection, certificate_id: str) -> None:
    """Delete a certificate and its tags."""
    connection.execute(delete(t).where(t.c.certificate_id == certificate_id))
