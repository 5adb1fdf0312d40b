"""Writes the declared phone numbers. Each was ordered, and Chime has got it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from rolecall.ids import uuid_of
from rolecall.storage import tables as t
from rolecall.storage.world_rows import WorldRows
from rolecall.worlds.chime_sdk import DeclaredPhoneNumber

# The model's names of what a number is assigned to.
CONNECTOR_ID, GROUP_ID = "VoiceConnectorId", "VoiceConnectorGroupId"
# API reference, UpdatePhoneNumber: a calling name can take 72 hours.
_CALLING_NAME_SECONDS = 3 * 86_400
_DATES = frozenset({"associated_at_seconds"})


def put_phone_number(
    db: WorldRows, account_id: str, declared: DeclaredPhoneNumber, associations: Mapping[str, str], now_seconds: int
) -> None:
    """Create the number with an order of its own, or bring it up to date. One in the deletion queue comes back.

    ``associations`` are ids by the model's names. Without any the number stays assigned to what has it.
    """
    number = {"phone_number": declared.number}
    order_id = uuid_of(hashlib.sha256(f"{account_id} {declared.number}".encode()).digest()[:16])
    calling_name = None if declared.calling_name is None else now_seconds - _CALLING_NAME_SECONDS
    values = {"aws_account_id": account_id, "product_type": declared.product_type, "deleted_at_seconds": None}
    values |= {} if declared.name is None else {"name": declared.name}
    values |= {} if declared.calling_name is None else {"calling_name": declared.calling_name}
    new = {
        "order_id": order_id,
        "calling_name_requested_at_seconds": calling_name,
        "acquired_at_seconds": now_seconds,
        "created_at_seconds": now_seconds,
        "updated_at_seconds": now_seconds,
    }
    if db.find(t.phone_numbers, number) is None:
        order = {"aws_account_id": account_id, "product_type": declared.product_type, "name": declared.name}
        done = {"created_at_seconds": now_seconds, "done_at_seconds": now_seconds}
        db.put(t.phone_number_orders, {"order_id": order_id}, {**order, **done}, {})
        ordered = {"order_id": order_id, "position": 0}
        db.put(t.ordered_phone_numbers, ordered, {**number, "acquired": True}, {})
    db.put(t.phone_numbers, number, values, new)
    if associations:
        rows = [
            {"name": name, "value": value, "associated_at_seconds": now_seconds} for name, value in associations.items()
        ]
        db.replace(t.phone_number_associations, number, rows, _DATES)
