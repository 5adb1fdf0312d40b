"""The organization of an account: its management account, and its features of centralized root access."""

from __future__ import annotations

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class OrganizationTree:
    """The units of an organization by their parents, and its accounts by their units. None stands for the root."""

    parents: Mapping[str, str | None]
    unit_of: Mapping[str, str | None]

    def levels_above(self, unit_id: str | None) -> list[str]:
        """A unit and the units above it, outermost first."""
        found: list[str] = []
        while unit_id is not None and unit_id not in found:
            found.insert(0, unit_id)
            unit_id = self.parents.get(unit_id)
        return found

    def accounts_below(self, unit_id: str | None) -> list[str]:
        """The accounts in a unit and in the units below it. None means the root, so all accounts."""
        return [
            account_id
            for account_id, unit in self.unit_of.items()
            if unit_id is None or unit_id in self.levels_above(unit)
        ]


def organization_tree(connection: Connection, organization_id: str) -> OrganizationTree:
    """The units and accounts of an organization."""
    units, members = t.organizational_units.c, t.organizational_unit_accounts.c
    of_organization = units.organization_id == organization_id
    parents = connection.execute(select(units.ou_id, units.parent_id).where(of_organization))
    accounts = (
        select(t.accounts.c.account_id, members.ou_id)
        .outerjoin(t.organizational_unit_accounts, members.account_id == t.accounts.c.account_id)
        .where(t.accounts.c.organization_id == organization_id)
        .order_by(t.accounts.c.account_id)
    )
    return OrganizationTree(
        {row[0]: row[1] for row in parents}, {row[0]: row[1] for row in connection.execute(accounts)}
    )
