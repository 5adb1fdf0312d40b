"""Virtual MFA devices and their used codes: rows in, frozen records out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, or_, select, update

from rolecall.reprs import repr_without
from rolecall.storage import tables as t
from rolecall.storage.problems import AlreadyThere, problem_for_conflict


class MfaDeviceRecord(Struct, frozen=True):
    """A device without its seed. ``enabled_at_seconds`` is None while the device is not assigned.

    ``user_id`` is None for a device of the root user, which has ``of_root`` instead.
    """

    serial_number: str
    account_id: str
    user_id: str | None
    of_root: bool
    enabled_at_seconds: int | None


class MfaDeviceSecret(Struct, frozen=True):
    """A device's seed. ``used_step`` is the newest step whose code was used, or None."""

    serial_number: str
    seed: str
    used_step: int | None

    __repr__ = repr_without("seed")


_DEVICES = t.mfa_devices
_USES = t.mfa_code_uses
# In the order of MfaDeviceRecord's fields.
_COLUMNS = (
    _DEVICES.c.serial_number,
    _DEVICES.c.account_id,
    _DEVICES.c.user_id,
    _DEVICES.c.of_root,
    _DEVICES.c.enabled_at_seconds,
)


def device_by_serial(connection: Connection, account_id: str, serial_number: str) -> MfaDeviceRecord | None:
    """The account's device with that serial number; None when there is none."""
    statement = select(*_COLUMNS).where(_DEVICES.c.account_id == account_id, _DEVICES.c.serial_number == serial_number)
    return _record(connection.execute(statement).first())


def device_secrets(connection: Connection, device: str) -> list[MfaDeviceSecret]:
    """The devices of any account with that serial number or that name."""
    serial_number = _DEVICES.c.serial_number
    statement = (
        select(serial_number, _DEVICES.c.seed, _USES.c.used_step)
        .outerjoin(_USES, _USES.c.serial_number == serial_number)
        .where(or_(serial_number == device, serial_number.endswith(f"/{device}", autoescape=True)))
        .order_by(serial_number)
    )
    return [MfaDeviceSecret(*row) for row in connection.execute(statement)]


def devices_of(connection: Connection, account_id: str, user_id: str | None) -> list[MfaDeviceRecord]:
    """The devices enabled for a user, by serial number. ``user_id`` None means the root user."""
    statement = (
        select(*_COLUMNS)
        .where(
            _DEVICES.c.account_id == account_id,
            _DEVICES.c.user_id.is_not_distinct_from(user_id),
            _DEVICES.c.of_root.is_(user_id is None),
        )
        .order_by(_DEVICES.c.serial_number)
    )
    return [MfaDeviceRecord(*row) for row in connection.execute(statement)]


def list_devices(
    connection: Connection, account_id: str, *, assigned: bool | None, after_serial_number: str, limit: int
) -> list[MfaDeviceRecord]:
    """The account's devices by serial number. ``assigned`` limits them to assigned or to unassigned devices."""
    statement = select(*_COLUMNS).where(
        _DEVICES.c.account_id == account_id, _DEVICES.c.serial_number > after_serial_number
    )
    if assigned is not None:
        enabled = _DEVICES.c.enabled_at_seconds
        statement = statement.where(enabled.is_not(None) if assigned else enabled.is_(None))
    statement = statement.order_by(_DEVICES.c.serial_number).limit(limit)
    return [MfaDeviceRecord(*row) for row in connection.execute(statement)]


def count_devices(connection: Connection, account_id: str) -> int:
    statement = select(func.count()).select_from(_DEVICES).where(_DEVICES.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def add_device(connection: Connection, account_id: str, serial_number: str, seed: str, created_at_seconds: int) -> None:
    """Store a new, unassigned device. Raises AlreadyThere when there is a device with that serial number."""
    values = {
        "serial_number": serial_number,
        "account_id": account_id,
        "seed": seed,
        "created_at_seconds": created_at_seconds,
    }
    with problem_for_conflict(connection, AlreadyThere(serial_number)):
        connection.execute(insert(_DEVICES), values)


def assign_device(connection: Connection, serial_number: str, user_id: str, enabled_at_seconds: int) -> None:
    _change(connection, serial_number, user_id=user_id, of_root=False, enabled_at_seconds=enabled_at_seconds)


def release_device(connection: Connection, serial_number: str) -> None:
    """Take a device from its owner. The record of its used codes stays."""
    _change(connection, serial_number, user_id=None, of_root=False, enabled_at_seconds=None)


def _change(connection: Connection, serial_number: str, **values: Any) -> None:
    connection.execute(update(_DEVICES).where(_DEVICES.c.serial_number == serial_number).values(**values))


def remove_device(connection: Connection, serial_number: str) -> None:
    """Delete a device, its tags, and the record of its used codes."""
    connection.execute(delete(_DEVICES).where(_DEVICES.c.serial_number == serial_number))


def lock_device(connection: Connection, serial_number: str) -> str | None:
    """The device's seed, or None for no such device. Other transactions that lock it wait, if several may write."""
    statement = select(_DEVICES.c.seed).where(_DEVICES.c.serial_number == serial_number).with_for_update()
    seed: str | None = connection.execute(statement).scalar()
    return seed


def use_step(connection: Connection, serial_number: str, step: int) -> bool:
    """Mark a step as used. False when a code of this or a newer step was used before.

    The caller has locked the device (:func:`lock_device`), so only one of several attempts at once succeeds.
    """
    of_device = _USES.c.serial_number == serial_number
    newest = connection.execute(select(_USES.c.used_step).where(of_device)).scalar()
    if newest is None:
        connection.execute(insert(_USES), {"serial_number": serial_number, "used_step": step})
        return True
    if newest >= step:
        return False
    connection.execute(update(_USES).where(of_device).values(used_step=step))
    return True


def _record(row: Sequence[Any] | None) -> MfaDeviceRecord | None:
    return None if row is None else MfaDeviceRecord(*row)
