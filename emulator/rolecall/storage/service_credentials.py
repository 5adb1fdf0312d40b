"""Service-specific credentials of users: rows in, frozen records out."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select, update

from rolecall.storage import tables as t
from rolecall.storage.problems import AlreadyThere, problem_for_conflict


class ServiceCredential(Struct, frozen=True):
    """A credential for one service, such as ``codecommit.amazonaws.com``, without its secret.

    ``public_name`` is the user name or the alias of the credential. ``expires_at_seconds`` None means never.
    """

    credential_id: str
    account_id: str
    user_id: str
    service_name: str
    public_name: str
    secret_digest: str
    status: str
    created_at_seconds: int
    expires_at_seconds: int | None


class OwnedCredential(Struct, frozen=True):
    """A credential, and the present name of its user."""

    credential: ServiceCredential
    user_name: str


_TABLE = t.service_credentials
_COLUMNS = tuple(_TABLE.c[name] for name in ServiceCredential.__struct_fields__)


def service_credentials_of(connection: Connection, user_id: str) -> list[ServiceCredential]:
    """The credentials of a user, oldest first."""
    statement = (
        select(*_COLUMNS)
        .where(_TABLE.c.user_id == user_id)
        .order_by(_TABLE.c.created_at_seconds, _TABLE.c.credential_id)
    )
    return [ServiceCredential(*row) for row in connection.execute(statement)]


def service_credentials_in(connection: Connection, account_id: str) -> list[OwnedCredential]:
    """The credentials of all users of an account, oldest first."""
    statement = (
        select(*_COLUMNS, t.users.c.name)
        .join(t.users, t.users.c.user_id == _TABLE.c.user_id)
        .where(_TABLE.c.account_id == account_id)
        .order_by(_TABLE.c.created_at_seconds, _TABLE.c.credential_id)
    )
    return [OwnedCredential(ServiceCredential(*row[:-1]), row[-1]) for row in connection.execute(statement)]


def service_credential_by_id(connection: Connection, account_id: str, credential_id: str) -> ServiceCredential | None:
    """The account's credential with that id; None when there is none."""
    of_account = (_TABLE.c.account_id == account_id) & (_TABLE.c.credential_id == credential_id)
    row = connection.execute(select(*_COLUMNS).where(of_account)).first()
    return None if row is None else ServiceCredential(*row)


def public_name_is_taken(connection: Connection, account_id: str, service_name: str, public_name: str) -> bool:
    """Whether a credential of the account has this name at the service."""
    statement = select(_TABLE.c.credential_id).where(
        _TABLE.c.account_id == account_id,
        _TABLE.c.service_name == service_name,
        _TABLE.c.public_name == public_name,
    )
    return connection.execute(statement).first() is not None


def add_service_credential(connection: Connection, credential: ServiceCredential) -> None:
    """Raises AlreadyThere when the service has the name already, or when the user is gone."""
    with problem_for_conflict(connection, AlreadyThere(credential.public_name)):
        connection.execute(insert(_TABLE), asdict(credential))


def set_service_credential_status(connection: Connection, credential_id: str, status: str) -> None:
    """``status`` is Active or Inactive."""
    connection.execute(update(_TABLE).where(_TABLE.c.credential_id == credential_id).values(status=status))


def set_service_credential_secret(connection: Connection, credential_id: str, secret_digest: str) -> None:
    connection.execute(
        update(_TABLE).where(_TABLE.c.credential_id == credential_id).values(secret_digest=secret_digest)
    )


def remove_service_credential(connection: Connection, credential_id: str) -> None:
    connection.execute(delete(_TABLE).where(_TABLE.c.credential_id == credential_id))
