"""Batches of Chime's services: each item has its own outcome, and the answer lists the errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from rolecall.errors import AwsError
from rolecall.services.registry import Answer

Item = TypeVar("Item")


def errors_of(items: Iterable[Item], change: Callable[[Item], object], named: Callable[[Item], Answer]) -> list[Answer]:
    """Call ``change`` with each item. The errors of the items that it refuses, with the members that name an item."""
    errors = []
    for item in items:
        try:
            change(item)
        except AwsError as error:
            errors.append({**named(item), **error_members(error)})
    return errors


def error_members(error: AwsError) -> Answer:
    """The members of one error. The codes of batches are the names of the errors without "Exception"."""
    return {"ErrorCode": error.code.removesuffix("Exception"), "ErrorMessage": error.message}
