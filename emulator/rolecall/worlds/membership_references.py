"""Accounts whose email address or state cannot be theirs."""

from __future__ import annotations

from typing import Any

from rolecall.storage.gather import ACTIVE
from rolecall.worlds.plain_values import Found, mappings_in, repeats, text_in


def dangling_memberships(world: Any) -> Found:
    """Every such problem, with the path of its value."""
    accounts = list(mappings_in(world, "accounts"))
    for index, _ in repeats((index, text_in(account, "email")) for index, account in accounts):
        yield ("accounts", index, "email"), "another account has this email address"
    organization = world.get("organization") if isinstance(world, dict) else None
    management = text_in(organization, "management_account") if isinstance(organization, dict) else ""
    for index, account in accounts:
        if text_in(account, "state", ACTIVE) == ACTIVE:
            continue
        if not isinstance(organization, dict) or account.get("in_organization") is False:
            yield ("accounts", index, "state"), "only an account of the organization has a state"
        elif text_in(account, "id") == management or (not management and index == 0):
            yield ("accounts", index, "state"), f"the management account of an organization is {ACTIVE}"
