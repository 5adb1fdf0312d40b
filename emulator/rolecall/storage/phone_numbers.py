"""Phone numbers, what they are assigned to, and their orders: rows in, records out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from rolecall.storage import tables as t
from rolecall.storage.problems import AlreadyThere, problem_for_conflict


class Association(NamedTuple):
    """What a number is assigned to. ``name`` is the model's, such as UserId."""

    name: str
    value: str
    associated_at_seconds: int


class PhoneNumber(NamedTuple):
    """A number of an AWS account, in E.164 format."""

    phone_number: str
    aws_account_id: str
    order_id: str
    product_type: str
    name: str | None
    calling_name: str | None
    calling_name_requested_at_seconds: int | None
    acquired_at_seconds: int
    created_at_seconds: int
    updated_at_seconds: int
    deleted_at_seconds: int | None
    associations: tuple[Association, ...] = ()


class NumberOrder(NamedTuple):
    """An order. ``numbers`` are the ordered numbers and whether each was acquired."""

    order_id: str
    aws_account_id: str
    product_type: str
    name: str | None
    created_at_seconds: int
    done_at_seconds: int
    numbers: tuple[tuple[str, bool], ...] = ()


Position = tuple[int, str]
BEFORE_THE_FIRST: Position = (-1, "")

_NUMBERS, _ASSOCIATIONS = t.phone_numbers, t.phone_number_associations
_ORDERS, _ORDERED = t.phone_number_orders, t.ordered_phone_numbers
_NUMBER_COLUMNS = [_NUMBERS.c[name] for name in PhoneNumber._fields[:-1]]
_ORDER_COLUMNS = [_ORDERS.c[name] for name in NumberOrder._fields[:-1]]


def numbers_of(connection: Connection, aws_account_id: str, after: Position = BEFORE_THE_FIRST) -> list[PhoneNumber]:
    """An AWS account's numbers, oldest first, also those whose time in the deletion queue is over."""
    statement = select(*_NUMBER_COLUMNS).where(
        _NUMBERS.c.aws_account_id == aws_account_id,
        tuple_(_NUMBERS.c.created_at_seconds, _NUMBERS.c.phone_number) > after,
    )
    return _numbers(connection, statement.order_by(_NUMBERS.c.created_at_seconds, _NUMBERS.c.phone_number))


def number(connection: Connection, aws_account_id: str, e164: str, *, locked: bool = False) -> PhoneNumber | None:
    """The AWS account's number; ``locked`` for a transaction that changes it."""
    statement = select(*_NUMBER_COLUMNS).where(
        _NUMBERS.c.aws_account_id == aws_account_id, _NUMBERS.c.phone_number == e164
    )
    return next(iter(_numbers(connection, statement.with_for_update() if locked else statement)), None)


def numbers_assigned_to(connection: Connection, aws_account_id: str, name: str, value: str) -> list[PhoneNumber]:
    """The AWS account's numbers that are assigned to that thing."""
    assigned = select(_ASSOCIATIONS.c.phone_number).where(_ASSOCIATIONS.c.name == name, _ASSOCIATIONS.c.value == value)
    statement = select(*_NUMBER_COLUMNS).where(
        _NUMBERS.c.aws_account_id == aws_account_id, _NUMBERS.c.phone_number.in_(assigned)
    )
    return _numbers(connection, statement.order_by(_NUMBERS.c.created_at_seconds, _NUMBERS.c.phone_number))


def taken(connection: Connection, expired_before_seconds: float) -> set[str]:
    """Every number that some AWS account has, except for those deleted at that time or before."""
    statement = select(_NUMBERS.c.phone_number).where(
        _NUMBERS.c.deleted_at_seconds.is_(None) | (_NUMBERS.c.deleted_at_seconds > expired_before_seconds)
    )
    return set(connection.execute(statement).scalars())


def remove_expired(connection: Connection, expired_before_seconds: float) -> None:
    """Delete for good the numbers deleted at that time or before."""
    connection.execute(delete(_NUMBERS).where(_NUMBERS.c.deleted_at_seconds <= expired_before_seconds))


def add_number(connection: Connection, number: PhoneNumber) -> None:
    """Add a number without associations. Raises AlreadyThere when an AWS account has it."""
    values = {name: value for name, value in number._asdict().items() if name != "associations"}
    with problem_for_conflict(connection, AlreadyThere(number.phone_number)):
        connection.execute(insert(_NUMBERS), values)


def update_number(connection: Connection, e164: str, changes: Mapping[str, Any]) -> None:
    connection.execute(update(_NUMBERS).where(_NUMBERS.c.phone_number == e164).values(**changes))


def associate(connection: Connection, e164: str, associations: Iterable[Association]) -> None:
    """Assign a locked number."""
    rows = [{"phone_number": e164, **association._asdict()} for association in associations]
    connection.execute(insert(_ASSOCIATIONS), rows)


def disassociate(connection: Connection, e164: str, names: Collection[str]) -> None:
    """Take away a number's associations of these names."""
    connection.execute(
        delete(_ASSOCIATIONS).where(_ASSOCIATIONS.c.phone_number == e164, _ASSOCIATIONS.c.name.in_(names))
    )


def orders_of(connection: Connection, aws_account_id: str, after: Position, limit: int) -> list[NumberOrder]:
    """An AWS account's orders, oldest first."""
    statement = select(*_ORDER_COLUMNS).where(
        _ORDERS.c.aws_account_id == aws_account_id, tuple_(_ORDERS.c.created_at_seconds, _ORDERS.c.order_id) > after
    )
    return _orders(connection, statement.order_by(_ORDERS.c.created_at_seconds, _ORDERS.c.order_id).limit(limit))


def order(connection: Connection, aws_account_id: str, order_id: str) -> NumberOrder | None:
    statement = select(*_ORDER_COLUMNS).where(
        _ORDERS.c.aws_account_id == aws_account_id, _ORDERS.c.order_id == order_id
    )
    return next(iter(_orders(connection, statement)), None)


def add_order(connection: Connection, order: NumberOrder) -> None:
    values = {name: value for name, value in order._asdict().items() if name != "numbers"}
    connection.execute(insert(_ORDERS), values)
    rows = [
        {"order_id": order.order_id, "position": position, "phone_number": e164, "acquired": acquired}
        for position, (e164, acquired) in enumerate(order.numbers)
    ]
    connection.execute(insert(_ORDERED), rows)


def _numbers(connection: Connection, statement: Any) -> list[PhoneNumber]:
    rows = connection.execute(statement).all()
    columns = [_ASSOCIATIONS.c.phone_number, *(_ASSOCIATIONS.c[name] for name in Association._fields)]
    associations = _grouped(connection, select(*columns), _ASSOCIATIONS.c.phone_number, rows, _ASSOCIATIONS.c.name)
    return [PhoneNumber._make((*row, tuple(map(Association._make, associations.get(row[0], ()))))) for row in rows]


def _orders(connection: Connection, statement: Any) -> list[NumberOrder]:
    rows = connection.execute(statement).all()
    columns = (_ORDERED.c.order_id, _ORDERED.c.phone_number, _ORDERED.c.acquired)
    numbers = _grouped(connection, select(*columns), _ORDERED.c.order_id, rows, _ORDERED.c.position)
    return [NumberOrder._make((*row, tuple(numbers.get(row[0], ())))) for row in rows]


def _grouped(
    connection: Connection, statement: Any, key: Any, rows: Sequence[Sequence[Any]], order: Any
) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of ``statement`` that belong to ``rows``, by the key in their first column, without it."""
    grouped: dict[str, list[tuple[Any, ...]]] = {}
    if rows:
        wanted = statement.where(key.in_([row[0] for row in rows])).order_by(key, order)
        for name, *rest in connection.execute(wanted):
            grouped.setdefault(name, []).append(tuple(rest))
    return grouped
