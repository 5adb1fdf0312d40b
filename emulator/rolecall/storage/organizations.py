"""The organization of an account: its management account, and its features of centralized root access."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from rolecall.storage import tables as t
from rolecall.storage.gather import default_account_id

ROOT_CREDENTIALS_MANAGEMENT = "RootCredentialsManagement"
ROOT_SESSIONS = "RootSessions"


@dataclass(frozen=True, slots=True)
class OrganizationRecord:
    """An organization as its operations see it. ``features`` are sorted by name."""

    organization_id: str
    management_account_id: str | None
    delegated_administrators: frozenset[str]
    features: tuple[str, ...]

    def managed_by(self, account_id: str) -> bool:
        """Whether an account may use centralized root access: the management account, or a delegated administrator."""
        return account_id == self.management_account_id or account_id in self.delegated_administrators


def organization_id_of(connection: Connection, account_id: str) -> str | None:
    """The id of the account's organization; None when the account has none or does not exist."""
    return connection.execute(
        select(t.accounts.c.organization_id).where(t.accounts.c.account_id == account_id)
    ).scalar()


def organization_around(connection: Connection, account_id: str) -> OrganizationRecord | None:
    """The account's organization with its details; None when the account has none."""
    organization_id = organization_id_of(connection, account_id)
    if organization_id is None:
        return None
    management = select(t.organizations.c.management_account_id).where(
        t.organizations.c.organization_id == organization_id
    )
    delegated = t.delegated_administrators.c
    administrators = select(delegated.account_id).where(delegated.organization_id == organization_id)
    switched_on = t.organization_features.c
    features = (
        select(switched_on.feature).where(switched_on.organization_id == organization_id).order_by(switched_on.feature)
    )
    return OrganizationRecord(
        organization_id,
        # If no management account is declared, the account that was declared first takes its place.
        connection.execute(management).scalar() or default_account_id(connection),
        frozenset(connection.execute(administrators).scalars()),
        tuple(connection.execute(features).scalars()),
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
