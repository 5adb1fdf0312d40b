"""An account's rules for passwords: one row for each account that has changed them."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, delete, insert, select

from rolecall.storage.tables import password_policies as t


class PasswordPolicy(Struct, frozen=True):
    """The fields of UpdateAccountPasswordPolicy, with its defaults. None means that the caller left it out."""

    minimum_length: int = 6
    require_symbols: bool = False
    require_numbers: bool = False
    require_uppercase: bool = False
    require_lowercase: bool = False
    users_may_change: bool = False
    maximum_age_days: int | None = None
    reuse_prevention_count: int | None = None
    hard_expiry: bool | None = None


_COLUMNS = tuple(t.c[name] for name in PasswordPolicy.__struct_fields__)


def password_policy_of(connection: Connection, account_id: str) -> PasswordPolicy | None:
    """The account's own policy; None when the default applies."""
    row = connection.execute(select(*_COLUMNS).where(t.c.account_id == account_id)).first()
    return None if row is None else PasswordPolicy(*row)


def put_password_policy(connection: Connection, account_id: str, policy: PasswordPolicy) -> None:
    remove_password_policy(connection, account_id)
    connection.execute(insert(t), {"account_id": account_id, **asdict(policy)})


def remove_password_policy(connection: Connection, account_id: str) -> bool:
    """Delete the account's policy. False when it had none."""
    return bool(connection.execute(delete(t).where(t.c.account_id == account_id)).rowcount)
