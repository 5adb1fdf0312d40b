"""Every module that registers operations, named one by one: importing this one is what makes them known."""

from __future__ import annotations

from emulator.services.chime import account_settings, accounts, user_batches, user_settings, users
from emulator.services.iam import policies, policy_tags, policy_versions, roles, service_linked_roles
from emulator.services.registry import all_operations, find
from emulator.services.sts import assume_role, identity, user_sessions

MODULES = (
    assume_role,
    identity,
    user_sessions,
    policies,
    policy_versions,
    policy_tags,
    roles,
    service_linked_roles,
    accounts,
    account_settings,
    users,
    user_batches,
    user_settings,
)

__all__ = ["MODULES", "all_operations", "find"]
