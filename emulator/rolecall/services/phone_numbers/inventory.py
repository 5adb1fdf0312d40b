"""An account's phone numbers: get, list, update, delete, restore, and the batches of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.errors import bad_request
from rolecall.services.batches import errors_of
from rolecall.services.numbers import (
    change_number,
    delete_number,
    e164_of,
    number_errors,
    owned_number,
    present_numbers,
    shown_number,
    status_of,
)
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import phone_numbers as store
from rolecall.storage.phone_numbers import BEFORE_THE_FIRST, PhoneNumber


class NumberUpdate(TypedDict, total=False):
    """One number's change in a batch."""

    PhoneNumberId: str
    ProductType: str
    CallingName: str


class NamedNumberUpdate(NumberUpdate, total=False):
    """The same of the voice service, where a number can have a name."""

    Name: str


@operation("chime-sdk-voice", "GetPhoneNumber")
@operation("chime", "GetPhoneNumber")
def get_phone_number(call: Call, *, PhoneNumberId: str) -> Answer:
    return {"PhoneNumber": shown_number(call, owned_number(call, PhoneNumberId))}


@operation("chime-sdk-voice", "ListPhoneNumbers")
@operation("chime", "ListPhoneNumbers")
def list_phone_numbers(
    call: Call,
    *,
    Status: str | None = None,
    ProductType: str | None = None,
    FilterName: str | None = None,
    FilterValue: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
    NextToken: str | None = None,
) -> Answer:
    """Numbers of that status and product type that are assigned to the thing in the filter, oldest first."""
    if (FilterName is None) != (FilterValue is None):
        raise bad_request("FilterName and FilterValue must be given together.")
    filters = (Status, ProductType, FilterName, FilterValue)
    after = BEFORE_THE_FIRST if NextToken is None else position_of(call, filters, NextToken)

    def fits(number: PhoneNumber) -> bool:
        return (
            Status in (None, status_of(number, call.now_seconds))
            and ProductType in (None, number.product_type)
            and (FilterName is None or any(each[:2] == (FilterName, FilterValue) for each in number.associations))
        )

    # An account has few numbers, and their status depends on the clock. So the statement does not filter.
    found = [
        number for number in present_numbers(call, store.numbers_of(call.db, call.account_id, after)) if fits(number)
    ]
    numbers, rest = one_page(
        call, filters, found, MaxResults, lambda each: (each.created_at_seconds, each.phone_number)
    )
    return {"PhoneNumbers": [shown_number(call, each, "PhoneNumbers") for each in numbers], **rest}


@operation("chime", "UpdatePhoneNumber")
def update_phone_number(
    call: Call, *, PhoneNumberId: str, ProductType: str | None = None, CallingName: str | None = None
) -> Answer:
    number = change_number(call, PhoneNumberId, {"ProductType": ProductType, "CallingName": CallingName})
    return {"PhoneNumber": shown_number(call, number)}


@operation("chime-sdk-voice", "UpdatePhoneNumber")
def update_phone_number_of_voice(
    call: Call,
    *,
    PhoneNumberId: str,
    ProductType: str | None = None,
    CallingName: str | None = None,
    Name: str | None = None,
) -> Answer:
    members = {"ProductType": ProductType, "CallingName": CallingName, "Name": Name}
    return {"PhoneNumber": shown_number(call, change_number(call, PhoneNumberId, members))}


@operation("chime", "BatchUpdatePhoneNumber")
def batch_update_phone_number(call: Call, *, UpdatePhoneNumberRequestItems: Sequence[NumberUpdate]) -> Answer:
    return _updated(call, UpdatePhoneNumberRequestItems, ("ProductType", "CallingName"))


@operation("chime-sdk-voice", "BatchUpdatePhoneNumber")
def batch_update_phone_number_of_voice(
    call: Call, *, UpdatePhoneNumberRequestItems: Sequence[NamedNumberUpdate]
) -> Answer:
    """The reference of this service says that a request cannot have a number twice. AWS's message is not recorded."""
    ids = {e164_of(item["PhoneNumberId"]) for item in UpdatePhoneNumberRequestItems}
    if len(ids) < len(UpdatePhoneNumberRequestItems):
        raise bad_request("UpdatePhoneNumberRequestItems must not have a PhoneNumberId twice.")
    return _updated(call, UpdatePhoneNumberRequestItems, ("ProductType", "CallingName", "Name"))


@operation("chime-sdk-voice", "DeletePhoneNumber")
@operation("chime", "DeletePhoneNumber")
def delete_phone_number(call: Call, *, PhoneNumberId: str) -> Answer:
    """The number stays in the deletion queue for seven days."""
    delete_number(call, PhoneNumberId)
    return {}


@operation("chime-sdk-voice", "BatchDeletePhoneNumber")
@operation("chime", "BatchDeletePhoneNumber")
def batch_delete_phone_number(call: Call, *, PhoneNumberIds: Sequence[str]) -> Answer:
    return {"PhoneNumberErrors": number_errors(PhoneNumberIds, lambda each: delete_number(call, each))}


@operation("chime-sdk-voice", "RestorePhoneNumber")
@operation("chime", "RestorePhoneNumber")
def restore_phone_number(call: Call, *, PhoneNumberId: str) -> Answer:
    """Back from the deletion queue into the inventory."""
    number = owned_number(call, PhoneNumberId, locked=True)
    if number.deleted_at_seconds is None:
        # AWS's answer was not recorded.
        raise bad_request("The phone number is not in the deletion queue.")
    changes: dict[str, Any] = {"deleted_at_seconds": None, "updated_at_seconds": int(call.now_seconds)}
    store.update_number(call.db, number.phone_number, changes)
    return {"PhoneNumber": shown_number(call, number._replace(**changes))}


def _updated(call: Call, items: Sequence[NumberUpdate], members: Sequence[str]) -> Answer:
    def change(item: NumberUpdate) -> None:
        change_number(call, item["PhoneNumberId"], {name: item.get(name) for name in members})

    return {"PhoneNumberErrors": errors_of(items, change, lambda item: {"PhoneNumberId": item["PhoneNumberId"]})}
