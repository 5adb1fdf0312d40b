"""Phone numbers as Chime and the Chime SDK's voice service show and change them. They share an account's numbers.

A number's status follows from times that are stored, and from the sandbox's clock. No error message repeats a number:
the voice service's model marks numbers as sensitive, and the decision log keeps messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from rolecall.data import range_of
from rolecall.data.phone_number_table import LOCAL, UNITED_STATES, product_problem
from rolecall.errors import AwsError, bad_request
from rolecall.services.batches import errors_of
from rolecall.services.kinds import shown
from rolecall.services.registry import Answer, Call
from rolecall.storage import phone_numbers as store
from rolecall.storage.phone_numbers import Association, PhoneNumber

DAY_SECONDS = 86_400
# API reference, DeletePhoneNumber: 7 days in the deletion queue.
QUEUE_SECONDS = 7 * DAY_SECONDS
# API reference, UpdatePhoneNumber: a calling name can take 72 hours.
CALLING_NAME_SECONDS = 3 * DAY_SECONDS


def expired_before(call: Call) -> float:
    """Numbers deleted at this time or before are deleted for good."""
    return call.now_seconds - QUEUE_SECONDS


def e164_of(phone_number_id: str) -> str:
    """``+12065550100`` of ``%2B12065550100``, of ``+12065550100`` and of ``12065550100``."""
    return "+" + unquote(phone_number_id).removeprefix("+")


def id_of(e164: str) -> str:
    """The PhoneNumberId in answers. The AWS CLI's examples show ``%2B12065550100``."""
    return quote(e164, safe="")


def status_of(number: PhoneNumber, now_seconds: float) -> str:
    if number.deleted_at_seconds is not None:
        return "DeleteInProgress"
    if now_seconds < number.acquired_at_seconds:
        return "AcquireInProgress"
    return "Assigned" if number.associations else "Unassigned"


def present_numbers(call: Call, found: Iterable[PhoneNumber]) -> list[PhoneNumber]:
    """Those whose time in the deletion queue is not over."""
    before = expired_before(call)
    return [each for each in found if each.deleted_at_seconds is None or each.deleted_at_seconds > before]


def owned_number(call: Call, phone_number_id: str, *, locked: bool = False) -> PhoneNumber:
    """The caller's number, also one in the deletion queue. Raises NotFoundException."""
    found = store.number(call.db, call.account_id, e164_of(phone_number_id), locked=locked)
    if found is None or not present_numbers(call, [found]):
        raise AwsError("NotFoundException", "The phone number was not found.")
    return found


def number_in_inventory(call: Call, phone_number_id: str) -> PhoneNumber:
    """The caller's number, locked, that is acquired and not deleted. Raises NotFoundException, BadRequestException."""
    number = owned_number(call, phone_number_id, locked=True)
    status = status_of(number, call.now_seconds)
    if status not in ("Assigned", "Unassigned"):
        # AWS's wording was not recorded.
        raise bad_request(f"The phone number cannot be used: its status is {status}.")
    return number


def shown_number(call: Call, number: PhoneNumber, member: str = "PhoneNumber") -> Answer:
    """A number as the model's PhoneNumber. The voice service shows more than Chime."""
    where = range_of(number.phone_number)
    local = where is not None and (where.country, where.number_type) == (UNITED_STATES, LOCAL)
    content = {
        "PhoneNumberId": id_of(number.phone_number),
        "E164PhoneNumber": number.phone_number,
        "Country": where and where.country,
        "Type": where and where.number_type,
        "ProductType": number.product_type,
        "Status": status_of(number, call.now_seconds),
        "Capabilities": {
            "InboundCall": True,
            "OutboundCall": True,
            **dict.fromkeys(("InboundSMS", "OutboundSMS", "InboundMMS", "OutboundMMS"), local),
        },
        "Associations": [
            {"Value": each.value, "Name": each.name, "AssociatedTimestamp": each.associated_at_seconds}
            for each in number.associations
        ],
        "CallingName": number.calling_name,
        "CallingNameStatus": _calling_name_status(number, call.now_seconds),
        "CreatedTimestamp": number.created_at_seconds,
        "UpdatedTimestamp": number.updated_at_seconds,
        "DeletionTimestamp": number.deleted_at_seconds,
        "OrderId": number.order_id,
        "Name": number.name,
    }
    return shown(call, member, content)


def check_product(e164: str, product_type: str) -> None:
    """API reference, CreatePhoneNumberOrder and UpdatePhoneNumber. Raises BadRequestException."""
    where = range_of(e164)
    problem = "" if where is None else product_problem(where, product_type)
    if problem:
        raise bad_request(problem)


def change_number(call: Call, phone_number_id: str, members: Mapping[str, Any]) -> PhoneNumber:
    """Change the one detail that is not None.

    Raises AwsError: NotFoundException, BadRequestException for an assigned number's product type, ConflictException
    while the number's calling name is being updated.
    """
    given = {name: value for name, value in members.items() if value is not None}
    if len(given) != 1:
        raise bad_request(f"Exactly one of {', '.join(members)} must be given.")
    number = number_in_inventory(call, phone_number_id)
    changes: dict[str, Any] = {"updated_at_seconds": int(call.now_seconds)}
    if "ProductType" in given:
        if number.associations and given["ProductType"] != number.product_type:
            raise bad_request("The phone number is assigned. Its product type cannot change.")
        check_product(number.phone_number, given["ProductType"])
        changes["product_type"] = given["ProductType"]
    elif "Name" in given:
        changes["name"] = given["Name"]
    else:
        if _calling_name_status(number, call.now_seconds) == "UpdateInProgress":
            raise AwsError("ConflictException", "An update of the phone number's calling name is in progress.")
        changes["calling_name"] = given["CallingName"]
        changes["calling_name_requested_at_seconds"] = int(call.now_seconds)
    store.update_number(call.db, number.phone_number, changes)
    return number._replace(**changes)


def delete_number(call: Call, phone_number_id: str) -> None:
    """Into the deletion queue. Raises AwsError NotFoundException, and BadRequestException for an assigned number."""
    number = number_in_inventory(call, phone_number_id)
    if number.associations:
        raise bad_request("The phone number must be disassociated before it can be deleted.")
    times = dict.fromkeys(("deleted_at_seconds", "updated_at_seconds"), int(call.now_seconds))
    store.update_number(call.db, number.phone_number, times)


def assign(call: Call, number: PhoneNumber, values: Mapping[str, str]) -> None:
    """Associate a locked number: ids by the model's names, such as UserId."""
    now = int(call.now_seconds)
    store.associate(call.db, number.phone_number, [Association(name, value, now) for name, value in values.items()])
    store.update_number(call.db, number.phone_number, {"updated_at_seconds": now})


def release(call: Call, number: PhoneNumber, *names: str) -> None:
    """Take away associations of a number."""
    store.disassociate(call.db, number.phone_number, names)
    store.update_number(call.db, number.phone_number, {"updated_at_seconds": int(call.now_seconds)})


def number_errors(ids: Iterable[str], change: Callable[[str], object]) -> list[Answer]:
    """Call ``change`` with each id. The errors of those that it refuses, as the model's PhoneNumberError."""
    return errors_of(ids, change, lambda each: {"PhoneNumberId": each})


def _calling_name_status(number: PhoneNumber, now_seconds: float) -> str:
    requested = number.calling_name_requested_at_seconds
    if requested is None:
        return "Unassigned"
    return "UpdateInProgress" if now_seconds < requested + CALLING_NAME_SECONDS else "UpdateSucceeded"
