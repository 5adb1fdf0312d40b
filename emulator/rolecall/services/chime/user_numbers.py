"""The phone number of a user: AssociatePhoneNumberWithUser, DisassociatePhoneNumberFromUser."""

from __future__ import annotations

from rolecall.data.phone_number_table import BUSINESS_CALLING
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime.common import locked_account, owned_user
from rolecall.services.numbers import assign, number_in_inventory, release
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import phone_numbers

ASSOCIATIONS = ("AccountId", "UserId")


@operation("chime", "AssociatePhoneNumberWithUser")
def associate_phone_number_with_user(call: Call, *, AccountId: str, UserId: str, E164PhoneNumber: str) -> Answer:
    """A number of Business Calling that is not assigned. A user has one number at most; this was not recorded."""
    account = locked_account(call, AccountId)
    user = owned_user(call, account.account_id, UserId)
    number = number_in_inventory(call, E164PhoneNumber)
    if number.product_type != BUSINESS_CALLING:
        raise bad_request(f"The phone number must have the product type {BUSINESS_CALLING}.")
    if number.associations:
        raise bad_request("The phone number is assigned already.")
    if phone_numbers.numbers_assigned_to(call.db, call.account_id, "UserId", user.user_id):
        raise bad_request(f"User {user.user_id} has a phone number already.")
    assign(call, number, dict(zip(ASSOCIATIONS, (account.account_id, user.user_id), strict=True)))
    return {}


@operation("chime", "DisassociatePhoneNumberFromUser")
def disassociate_phone_number_from_user(call: Call, *, AccountId: str, UserId: str) -> Answer:
    account = locked_account(call, AccountId)
    user = owned_user(call, account.account_id, UserId)
    numbers = phone_numbers.numbers_assigned_to(call.db, call.account_id, "UserId", user.user_id)
    if not numbers:
        raise AwsError("NotFoundException", f"User {user.user_id} has no phone number.")
    for number in numbers:
        release(call, number, *ASSOCIATIONS)
    return {}
