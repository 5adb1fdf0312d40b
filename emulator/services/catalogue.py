"""Every module that registers operations, named one by one: importing this one is what makes them known."""

from __future__ import annotations

from emulator.services.chime import account_settings, accounts, user_batches, user_settings, users
from emulator.services.registry import all_operations, find
from emulator.services.sts import assume_role, identity, user_sessions

MODULES = (
    assume_role,
    identity,
    user_sessions,
    accounts,
    account_settings,
    users,
    user_batches,
    user_settings,
)

__all__ = ["MODULES", "all_operations", "find"]
