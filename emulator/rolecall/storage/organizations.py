"""The organization of an account: its management account, and its features of centralized root access."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, insert, select

from rolecall.storage import tables as t
from rolecall.storage.gather import default_account_id

ROOT_CREDENTIALS_MANAGEMENT = "RootCredentialsManagement"
ROOT_SESSIONS = "RootSessions"


class OrganizationRecord(Struct, frozen=True):
    """An organization as its operations see it. ``features`` are sorted by name."""

    organization_id: str
    management_account_id: str | None
    delegated_administrators: frozenset[str]
    features: tuple[str, ...]

    def managed_by(self, account_id: str) -> bool:
        """Whether an account may use centralized root access: the management account, or a delegated administrator."""
        return account_id == self.management_account_id or account_id in self.delegated_administrators


# Many calls ask these several times, so they are made once.
_ORGANIZATION_ID = select(t.accounts.c.organization_id).where(t.accounts.c.account_id == bindparam("account_id"))
_MANAGEMENT = select(t.organizations.c.management_account_id).where(
    t.organizations.c.organization_id == bindparam("organization_id")
)
_ADMINISTRATORS = select(t.delegated_administrators.c.account_id).where(
    t.delegated_administrators.c.organization_id == bindparam("organization_id")
)
_FEATURES = (
    select(t.organization_features.c.feature)
    .where(t.organization_features.c.organization_id == bindparam("organization_id"))
    .order_by(t.organization_features.c.feature)
)


def organization_id_of(connection: Connection, account_id: str) -> str | None:
    """The id of the account's organization; None when the account has none or does not exist."""
    return connection.execute(_ORGANIZATION_ID, {"account_id": account_id}).scalar()


def organization_around(connection: Connection, account_id: str) -> OrganizationRecord | None:
    """The account's organization with its details; None when the account has none."""
    organization_id = organization_id_of(connection, account_id)
    if organization_id is None:
        return None
    asked = {"organization_id": organization_id}
    return OrganizationRecord(
        organization_id,
        # If no management account is declared, the account that was declared first takes its place.
        connection.execute(_MANAGEMENT, asked).scalar() or default_account_id(connection),
        frozenset(connection.execute(_ADMINISTRATORS, asked).scalars()),
        tuple(connection.execute(_FEATURES, asked).scalars()),
    )


def switch_feature(connection: Connection, organization_id: str, feature: str, *, on: bool) -> None:
    """Switch a feature on or off. Nothing changes if it already is."""
    row = {"organization_id": organization_id, "feature": feature}
    columns = t.organization_features.c
    matches = (columns.organization_id == organization_id) & (columns.feature == feature)
    connection.execute(delete(t.organization_features).where(matches))
    if on:
        connection.execute(insert(t.organization_features).values(**row))


def any_organization(connection: Connection) -> bool:
    """Whether an account of the sandbox is in an organization."""
    members = select(t.accounts.c.account_id).where(t.accounts.c.organization_id.is_not(None)).limit(1)
    return connection.execute(members).first() is not None
