"""Accounts of an organization and the tree they are in: rows in, frozen records out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from rolecall.storage import tables as t
from rolecall.storage.gather import ACTIVE as ACTIVE
from rolecall.storage.gather import root_of
from rolecall.storage.problems import AlreadyThere, problem_for_conflict

CREATED = "CREATED"
INVITED = "INVITED"


class MemberAccount(Struct, frozen=True):
    """An account of an organization. ``ou_id`` is None for an account directly below the root."""

    account_id: str
    name: str
    email: str
    joined_method: str
    joined_at_seconds: int
    state: str
    ou_id: str | None


class Unit(Struct, frozen=True):
    """An organizational unit. ``parent_id`` is None directly below the root."""

    ou_id: str
    name: str
    parent_id: str | None


class Creation(Struct, frozen=True):
    """One request of CreateAccount. ``account_id`` is None, and ``failure_reason`` is not, when it failed."""

    request_id: str
    account_name: str
    state: str
    requested_at_seconds: int
    completed_at_seconds: int
    account_id: str | None
    failure_reason: str | None


def new_membership(account_id: str, now_seconds: int) -> dict[str, Any]:
    """The row of an account that joins with the sandbox. A declared account has no email address of its own."""
    return {
        "email": f"account+{account_id}@example.com",
        "joined_method": INVITED,
        "joined_at_seconds": now_seconds,
        "state": ACTIVE,
    }


def _accounts(organization_id: str) -> Select[Any]:
    facts, placed = t.organization_accounts, t.organizational_unit_accounts
    return (
        select(
            t.accounts.c.account_id,
            t.accounts.c.name,
            facts.c.email,
            facts.c.joined_method,
            facts.c.joined_at_seconds,
            facts.c.state,
            placed.c.ou_id,
        )
        .join(facts, facts.c.account_id == t.accounts.c.account_id, isouter=True)
        .join(placed, placed.c.account_id == t.accounts.c.account_id, isouter=True)
        .where(t.accounts.c.organization_id == organization_id)
    )


def _account(row: Row[Any]) -> MemberAccount:
    # A database that an older Rolecall set up has no facts about its accounts.
    facts = new_membership(row.account_id, 0) if row.email is None else row._mapping
    return MemberAccount(
        row.account_id,
        row.name,
        facts["email"],
        facts["joined_method"],
        facts["joined_at_seconds"],
        facts["state"],
        row.ou_id,
    )


def list_accounts(
    connection: Connection, organization_id: str, *, after: int = -1, limit: int = 1_000_000
) -> list[tuple[int, MemberAccount]]:
    """Accounts with their positions, in the order in which they joined, after a position."""
    statement = (
        _accounts(organization_id)
        .add_columns(t.accounts.c.position)
        .where(t.accounts.c.position > after)
        .order_by(t.accounts.c.position)
        .limit(limit)
    )
    return [(row.position, _account(row)) for row in connection.execute(statement)]


def accounts_below(connection: Connection, organization_id: str, ou_id: str | None) -> list[MemberAccount]:
    """The accounts directly in a unit, or directly below the root for None, by id."""
    placed = t.organizational_unit_accounts.c.ou_id
    statement = _accounts(organization_id).where(placed.is_(None) if ou_id is None else placed == ou_id)
    return [_account(row) for row in connection.execute(statement.order_by(t.accounts.c.account_id))]


def member_account(connection: Connection, organization_id: str, account_id: str) -> MemberAccount | None:
    row = connection.execute(_accounts(organization_id).where(t.accounts.c.account_id == account_id)).first()
    return None if row is None else _account(row)


def account_with_email(connection: Connection, email: str) -> str | None:
    """The id of the account that has an email address, in any case of letters."""
    facts = t.organization_accounts.c
    statement = select(facts.account_id).where(func.lower(facts.email) == email.lower())
    return connection.execute(statement).scalar()


def account_count(connection: Connection, organization_id: str) -> int:
    statement = select(func.count()).select_from(t.accounts).where(t.accounts.c.organization_id == organization_id)
    return int(connection.execute(statement).scalar_one())


def add_account(connection: Connection, organization_id: str, account: MemberAccount) -> None:
    """A new account directly below the root. Raises AlreadyThere when its id or its email address is taken."""
    position = connection.execute(select(func.max(t.accounts.c.position))).scalar()
    row = {
        "account_id": account.account_id,
        "name": account.name,
        "position": 0 if position is None else position + 1,
        "organization_id": organization_id,
    }
    with problem_for_conflict(connection, AlreadyThere(account.account_id)):
        connection.execute(insert(t.accounts), row)
        put_facts(connection, account)


def put_facts(connection: Connection, account: MemberAccount) -> None:
    """What the organization keeps of an account."""
    facts = t.organization_accounts
    connection.execute(delete(facts).where(facts.c.account_id == account.account_id))
    values = {
        "account_id": account.account_id,
        "email": account.email,
        "joined_method": account.joined_method,
        "joined_at_seconds": account.joined_at_seconds,
        "state": account.state,
    }
    connection.execute(insert(facts), values)


def place_account(connection: Connection, account_id: str, ou_id: str | None) -> None:
    """Move an account into a unit, or directly below the root for None."""
    placed = t.organizational_unit_accounts
    connection.execute(delete(placed).where(placed.c.account_id == account_id))
    if ou_id is not None:
        connection.execute(insert(placed).values(account_id=account_id, ou_id=ou_id))


def let_go(connection: Connection, organization_id: str, account_id: str) -> None:
    """Take an account out of its organization, with all that the organization kept of it."""
    place_account(connection, account_id, None)
    for table in (t.organization_accounts, t.delegated_administrators, t.delegated_services):
        connection.execute(delete(table).where(table.c.account_id == account_id))
    forget_target(connection, organization_id, account_id)
    connection.execute(update(t.accounts).where(t.accounts.c.account_id == account_id).values(organization_id=None))


def forget_target(connection: Connection, organization_id: str, target: str) -> None:
    """Delete the tags of an account or a unit, and detach its policies."""
    targets, tags = t.organization_policy_targets.c, t.organization_tags.c
    connection.execute(
        delete(t.organization_policy_targets).where(
            targets.organization_id == organization_id, targets.target == target
        )
    )
    connection.execute(
        delete(t.organization_tags).where(tags.organization_id == organization_id, tags.resource_id == target)
    )


# Units.


def unit(connection: Connection, organization_id: str, ou_id: str) -> Unit | None:
    units = t.organizational_units.c
    statement = select(units.ou_id, units.name, units.parent_id).where(
        units.organization_id == organization_id, units.ou_id == ou_id
    )
    row = connection.execute(statement).first()
    return None if row is None else Unit(*row)


def units_of(connection: Connection, organization_id: str) -> Mapping[str, Unit]:
    """All units by id, in the order of their ids."""
    units = t.organizational_units.c
    statement = (
        select(units.ou_id, units.name, units.parent_id)
        .where(units.organization_id == organization_id)
        .order_by(units.ou_id)
    )
    return {row.ou_id: Unit(*row) for row in connection.execute(statement)}


def add_unit(connection: Connection, organization_id: str, new: Unit) -> None:
    connection.execute(
        insert(t.organizational_units).values(
            ou_id=new.ou_id, organization_id=organization_id, name=new.name, parent_id=new.parent_id
        )
    )


def rename_unit(connection: Connection, ou_id: str, name: str) -> None:
    connection.execute(update(t.organizational_units).where(t.organizational_units.c.ou_id == ou_id).values(name=name))


def remove_unit(connection: Connection, organization_id: str, ou_id: str) -> None:
    forget_target(connection, organization_id, ou_id)
    connection.execute(delete(t.organizational_units).where(t.organizational_units.c.ou_id == ou_id))


def path_of(organization_id: str, units: Mapping[str, Unit], ou_id: str | None) -> Sequence[str]:
    """The ids from the organization and its root down to a unit, which is the last one."""
    return (organization_id, root_of(organization_id), *levels_above(units, ou_id))


def levels_above(units: Mapping[str, Unit], ou_id: str | None) -> list[str]:
    """The ids of a unit and the units above it, outermost first. Nothing for the root, and for an unknown unit."""
    found: list[str] = []
    # A unit met twice would be a circle, which neither the sandbox file nor an operation makes.
    while ou_id is not None and ou_id in units and ou_id not in found:
        found.insert(0, ou_id)
        ou_id = units[ou_id].parent_id
    return found


class OrganizationTree(Struct, frozen=True):
    """The units of an organization by their ids, and the unit of each account. None stands for the root."""

    units: Mapping[str, Unit]
    unit_of: Mapping[str, str | None]

    def levels_above(self, ou_id: str | None) -> list[str]:
        """A unit and the units above it, outermost first."""
        return levels_above(self.units, ou_id)

    def accounts_below(self, ou_id: str | None) -> list[str]:
        """The accounts in a unit and in the units below it. None means the root, so all accounts."""
        return [
            account_id
            for account_id, unit_id in self.unit_of.items()
            if ou_id is None or ou_id in self.levels_above(unit_id)
        ]


def organization_tree(connection: Connection, organization_id: str) -> OrganizationTree:
    """The units of an organization, and its accounts by their ids."""
    members = t.organizational_unit_accounts
    accounts = (
        select(t.accounts.c.account_id, members.c.ou_id)
        .outerjoin(members, members.c.account_id == t.accounts.c.account_id)
        .where(t.accounts.c.organization_id == organization_id)
        .order_by(t.accounts.c.account_id)
    )
    unit_of = {row.account_id: row.ou_id for row in connection.execute(accounts)}
    return OrganizationTree(units_of(connection, organization_id), unit_of)


# Requests of CreateAccount.


def add_creation(connection: Connection, organization_id: str, creation: Creation) -> None:
    connection.execute(
        insert(t.account_creations).values(
            request_id=creation.request_id,
            organization_id=organization_id,
            account_name=creation.account_name,
            state=creation.state,
            requested_at_seconds=creation.requested_at_seconds,
            completed_at_seconds=creation.completed_at_seconds,
            account_id=creation.account_id,
            failure_reason=creation.failure_reason,
        )
    )


def creations(connection: Connection, organization_id: str) -> list[Creation]:
    """All requests, the oldest first."""
    kept = t.account_creations.c
    statement = (
        select(
            kept.request_id,
            kept.account_name,
            kept.state,
            kept.requested_at_seconds,
            kept.completed_at_seconds,
            kept.account_id,
            kept.failure_reason,
        )
        .where(kept.organization_id == organization_id)
        .order_by(kept.requested_at_seconds, kept.request_id)
    )
    return [Creation(*row) for row in connection.execute(statement)]


# Organizations.


def add_organization(connection: Connection, organization_id: str, account_id: str) -> None:
    """A new organization with its management account as the only member."""
    connection.execute(
        insert(t.organizations).values(organization_id=organization_id, management_account_id=account_id)
    )
    connection.execute(
        update(t.accounts).where(t.accounts.c.account_id == account_id).values(organization_id=organization_id)
    )


def remove_organization(connection: Connection, organization_id: str, account_id: str) -> None:
    """Delete an organization whose only member is its management account."""
    let_go(connection, organization_id, account_id)
    connection.execute(delete(t.organizations).where(t.organizations.c.organization_id == organization_id))
