"""How many of each resource an account has."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Select, Table, func, select

from rolecall.storage import tables as t

# In the order of the fields below.
_COUNTED = (
    *(t.users, t.groups, t.roles, t.policies, t.oidc_providers, t.saml_providers),
    *(t.server_certificates, t.instance_profiles),
)


class AccountCounts(Struct, frozen=True):
    """Rows of one account. ``root_access_keys`` counts active and inactive keys."""

    users: int
    groups: int
    roles: int
    policies: int
    oidc_providers: int
    saml_providers: int
    server_certificates: int
    instance_profiles: int
    policy_versions: int
    root_access_keys: int
    mfa_devices: int
    mfa_devices_in_use: int
    root_mfa_devices: int
    root_passwords: int
    root_certificates: int


def account_counts(connection: Connection, account_id: str) -> AccountCounts:
    """All counts of an account, in one query."""
    versions = (
        select(func.count())
        .select_from(t.policy_versions.join(t.policies, t.policies.c.policy_id == t.policy_versions.c.policy_id))
        .where(t.policies.c.account_id == account_id)
    )
    keys = _count(t.access_keys, account_id).where(t.access_keys.c.user_id.is_(None))
    devices = _count(t.mfa_devices, account_id)
    counts = [
        *(_count(table, account_id).scalar_subquery() for table in _COUNTED),
        versions.scalar_subquery(),
        keys.scalar_subquery(),
        devices.scalar_subquery(),
        devices.where(t.mfa_devices.c.enabled_at_seconds.is_not(None)).scalar_subquery(),
        devices.where(t.mfa_devices.c.of_root).scalar_subquery(),
        _count(t.login_profiles, account_id).where(t.login_profiles.c.user_id.is_(None)).scalar_subquery(),
        _count(t.signing_certificates, account_id).where(t.signing_certificates.c.user_id.is_(None)).scalar_subquery(),
    ]
    return AccountCounts(*connection.execute(select(*counts)).one())


def entity_counts(connection: Connection) -> dict[str, int]:
    """How many users and roles all accounts have together, under the keys ``users`` and ``roles``."""
    users, roles = (select(func.count()).select_from(table).scalar_subquery() for table in (t.users, t.roles))
    return dict(zip(("users", "roles"), connection.execute(select(users, roles)).one(), strict=True))


def _count(table: Table, account_id: str) -> Select[Any]:
    return select(func.count()).select_from(table).where(table.c.account_id == account_id)
