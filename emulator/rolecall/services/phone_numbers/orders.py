"""Numbers that can be had: the search, orders, and the countries with their types of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from rolecall.data import NumberRange, number_ranges, range_of
from rolecall.data.phone_number_table import BUSINESS_CALLING, DIAL_IN, LOCAL, TOLL_FREE, UNITED_STATES
from rolecall.errors import AwsError, bad_request
from rolecall.services.kinds import shown
from rolecall.services.numbers import (
    check_product,
    e164_of,
    expired_before,
)
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import phone_numbers as store
from rolecall.storage.phone_numbers import BEFORE_THE_FIRST, NumberOrder, PhoneNumber
from rolecall.storage.problems import AlreadyThere

# How long an order is in progress, by the sandbox's clock. AWS's time was not recorded.
ORDER_SECONDS = 5


@operation("chime-sdk-voice", "SearchAvailablePhoneNumbers")
@operation("chime", "SearchAvailablePhoneNumbers")
def search_available_phone_numbers(
    call: Call,
    *,
    AreaCode: str | None = None,
    City: str | None = None,
    Country: str = UNITED_STATES,
    State: str | None = None,
    TollFreePrefix: str | None = None,
    PhoneNumberType: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
    NextToken: str | None = None,
) -> Answer:
    """API reference: US numbers need AreaCode, State, City with State, or TollFreePrefix; others need their type."""
    of_united_states = (AreaCode, City, State, TollFreePrefix)
    if Country == UNITED_STATES:
        if of_united_states == (None,) * 4:
            raise bad_request("AreaCode, City, State or TollFreePrefix must be given for numbers of the US.")
        if City is not None and State is None:
            raise bad_request("State must be given together with City.")
    elif any(each is not None for each in of_united_states):
        raise bad_request("AreaCode, City, State and TollFreePrefix apply to numbers of the US alone.")
    elif PhoneNumberType is None:
        raise bad_request("PhoneNumberType must be given for numbers outside the US.")
    elif all(each.country != Country for each in number_ranges().values()):
        raise bad_request(f"Country {Country} is not supported.")
    filters = (*of_united_states, Country, PhoneNumberType)
    [after] = ("",) if NextToken is None else position_of(call, filters, NextToken)
    wanted = {
        "country": Country,
        "area_code": AreaCode if TollFreePrefix is None else TollFreePrefix,
        "state": State,
        "number_type": PhoneNumberType if TollFreePrefix is None else TOLL_FREE,
    }
    if TollFreePrefix is not None and (AreaCode not in (None, TollFreePrefix) or PhoneNumberType == LOCAL):
        return {"E164PhoneNumbers": []}
    found = [
        each
        for each in number_ranges().values()
        if all(value in (None, getattr(each, name)) for name, value in wanted.items())
        and (City is None or City.lower() in [city.lower() for city in each.cities])
    ]
    free = _free_numbers(found, store.taken(call.db, expired_before(call)), after)
    numbers, rest = one_page(call, filters, list(islice(free, MaxResults + 1)), MaxResults, lambda each: (each,))
    return {"E164PhoneNumbers": numbers, **rest}


@operation("chime-sdk-voice", "ListSupportedPhoneNumberCountries")
@operation("chime", "ListSupportedPhoneNumberCountries")
def list_supported_phone_number_countries(call: Call, *, ProductType: str) -> Answer:
    """API reference, CreatePhoneNumberOrder: other countries than the US have SipMediaApplicationDialIn alone."""
    types: dict[str, set[str]] = {}
    for each in number_ranges().values():
        elsewhere = each.country != UNITED_STATES and ProductType != DIAL_IN
        toll_free = each.number_type == TOLL_FREE and ProductType == BUSINESS_CALLING
        if not elsewhere and not toll_free:
            types.setdefault(each.country, set()).add(each.number_type)
    countries = [
        shown(
            call, "PhoneNumberCountries", {"CountryCode": country, "SupportedPhoneNumberTypes": sorted(types[country])}
        )
        for country in sorted(types)
    ]
    return {"PhoneNumberCountries": countries}


@operation("chime", "CreatePhoneNumberOrder")
def create_phone_number_order(call: Call, *, ProductType: str, E164PhoneNumbers: Sequence[str]) -> Answer:
    return _ordered(call, ProductType, E164PhoneNumbers, None)


@operation("chime-sdk-voice", "CreatePhoneNumberOrder")
def create_phone_number_order_of_voice(
    call: Call, *, ProductType: str, E164PhoneNumbers: Sequence[str], Name: str | None = None
) -> Answer:
    """``Name`` is given to each number of the order."""
    return _ordered(call, ProductType, E164PhoneNumbers, Name)


@operation("chime-sdk-voice", "GetPhoneNumberOrder")
@operation("chime", "GetPhoneNumberOrder")
def get_phone_number_order(call: Call, *, PhoneNumberOrderId: str) -> Answer:
    order = store.order(call.db, call.account_id, PhoneNumberOrderId)
    if order is None:
        raise AwsError("NotFoundException", f"Phone number order {PhoneNumberOrderId} was not found.")
    return {"PhoneNumberOrder": _shown_order(call, order, "PhoneNumberOrder")}


@operation("chime-sdk-voice", "ListPhoneNumberOrders")
@operation("chime", "ListPhoneNumberOrders")
def list_phone_number_orders(
    call: Call, *, NextToken: str | None = None, MaxResults: int = DEFAULT_MAX_RESULTS
) -> Answer:
    after = BEFORE_THE_FIRST if NextToken is None else position_of(call, (), NextToken)
    found = store.orders_of(call.db, call.account_id, after, MaxResults + 1)
    orders, rest = one_page(call, (), found, MaxResults, lambda each: (each.created_at_seconds, each.order_id))
    return {"PhoneNumberOrders": [_shown_order(call, each, "PhoneNumberOrders") for each in orders], **rest}


def _free_numbers(ranges: Sequence[NumberRange], taken: set[str], after: str) -> Iterator[str]:
    for each in ranges:
        # The last number of the range: all numbers of a range before ``after`` need not be made.
        if f"{each.prefix}{'9' * each.digits}" > after:
            yield from (number for number in each.numbers() if number > after and number not in taken)


def _ordered(call: Call, product_type: str, numbers: Sequence[str], name: str | None) -> Answer:
    """A number that the pool lacks, or that somebody has, fails. The order of the others goes on.

    Two orders of one number at the same moment: the table's key lets one of them have it.
    """
    e164s = [e164_of(each) for each in numbers]
    if not e164s or len(set(e164s)) < len(e164s):
        raise bad_request("E164PhoneNumbers must have at least one number, and none of them twice.")
    for e164 in e164s:
        check_product(e164, product_type)
    store.remove_expired(call.db, expired_before(call))
    created, done = int(call.now_seconds), int(call.now_seconds) + ORDER_SECONDS
    order = NumberOrder(call.ids.uuid(), call.account_id, product_type, name, created, done)
    outcomes = []
    for e164 in e164s:
        number = PhoneNumber(
            e164, call.account_id, order.order_id, product_type, name, None, None, done, created, done, None
        )
        outcomes.append((e164, range_of(e164) is not None and _acquired(call, number)))
    order = order._replace(numbers=tuple(outcomes))
    store.add_order(call.db, order)
    return {"PhoneNumberOrder": _shown_order(call, order, "PhoneNumberOrder")}


def _acquired(call: Call, number: PhoneNumber) -> bool:
    try:
        store.add_number(call.db, number)
    except AlreadyThere:
        return False
    return True


def _shown_order(call: Call, order: NumberOrder, member: str) -> Answer:
    """An order as the model's PhoneNumberOrder. Outcomes show when the order is done."""
    acquired = [got for _, got in order.numbers]
    in_progress = call.now_seconds < order.done_at_seconds
    if in_progress:
        status = "Processing"
    else:
        status = "Successful" if all(acquired) else "Partial" if any(acquired) else "Failed"
    content = {
        "PhoneNumberOrderId": order.order_id,
        "ProductType": order.product_type,
        "Status": status,
        "OrderType": "New",
        "OrderedPhoneNumbers": [
            {"E164PhoneNumber": e164, "Status": "Processing" if in_progress else "Acquired" if got else "Failed"}
            for e164, got in order.numbers
        ],
        "CreatedTimestamp": order.created_at_seconds,
        "UpdatedTimestamp": order.created_at_seconds if in_progress else order.done_at_seconds,
    }
    return shown(call, member, content)
