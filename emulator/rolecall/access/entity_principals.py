"""Users and root users as principals."""

from __future__ import annotations

from rolecall.arns import root_arn
from rolecall.principals import Principal
from rolecall.storage.gather import Entity


def user_principal(entity: Entity) -> Principal:
    """An IAM user as a principal; its user id is the same for long-term keys and for GetSessionToken sessions."""
    return Principal("User", entity.account_id, entity.arn, entity.arn, entity.entity_id, entity.entity_id, entity.name)


def root_principal(account_id: str) -> Principal:
    arn = root_arn(account_id)
    return Principal("Account", account_id, arn, arn, account_id, account_id, "root")
