"""Phone numbers: searched, ordered, updated, deleted, restored and assigned, by the sandbox's clock."""

import json

import pytest
from botocore.exceptions import ClientError
from chime_calls import NOBODY, new_account, new_user, refusal
from chime_worlds import CHIME_WORLD

from rolecall.data import number_ranges, range_of
from rolecall.http import HttpRequest
from rolecall.wire import match

SEATTLE = "+12065550100"
SEATTLE_ID = "%2B12065550100"
DAY = 86_400


@pytest.fixture
def world(make_world):
    return make_world(CHIME_WORLD)


@pytest.fixture
def chime(world):
    return chime_of(world, "admin")


def chime_of(world, user):
    """At Chime's own endpoint: at an endpoint of all services, most of these operations are the voice service's."""
    return world.client("chime", user, endpoint_url="https://chime.us-east-1.amazonaws.com")


@pytest.fixture
def voice(world):
    return world.client("chime-sdk-voice", "admin", endpoint_url="https://voice-chime.us-east-1.amazonaws.com")


def ordered(world, client, *numbers, product="VoiceConnector"):
    order = client.create_phone_number_order(ProductType=product, E164PhoneNumbers=list(numbers))["PhoneNumberOrder"]
    world.clock.advance(5)
    return order["PhoneNumberOrderId"]


def number_of(client, number=SEATTLE):
    return client.get_phone_number(PhoneNumberId=number)["PhoneNumber"]


def test_the_pool_has_each_number_once():
    ranges = list(number_ranges().values())
    assert len(ranges) > 280
    for one in ranges:
        assert not any(other is not one and other.prefix.startswith(one.prefix) for other in ranges)
        assert range_of(next(one.numbers())) is one
    assert range_of("+1206555010") is None
    assert range_of("+120655501000") is None
    assert range_of("+12065550200") is None
    assert range_of("+1206555010x") is None


def test_a_search_finds_numbers_of_an_area_a_city_and_a_state(chime):
    def found(**filters):
        return chime.search_available_phone_numbers(MaxResults=500, **filters)["E164PhoneNumbers"]

    # AWS CLI, search-available-phone-numbers: area code 206 finds +12065550100.
    assert found(AreaCode="206")[0] == SEATTLE
    assert found(City="seattle", State="WA") == found(AreaCode="206")
    assert set(found(AreaCode="206")) < set(found(State="WA"))
    assert found(AreaCode="206", State="CA") == found(AreaCode="999") == found(City="Nowhere", State="WA") == []
    assert {number[:5] for number in found(TollFreePrefix="833")} == {"+1833"}
    assert found(TollFreePrefix="833", PhoneNumberType="Local") == []
    assert found(Country="GB", PhoneNumberType="Local")[0] == "+442079460000"
    assert found(State="WA", PhoneNumberType="TollFree") == []


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"City": "Seattle"},
        {"Country": "GB"},
        {"Country": "GB", "PhoneNumberType": "Local", "AreaCode": "206"},
        {"Country": "XX", "PhoneNumberType": "Local"},
    ],
    ids=str,
)
def test_a_search_that_makes_no_sense(chime, filters):
    assert refusal(chime, "SearchAvailablePhoneNumbers", **filters)[0] == "BadRequestException"


def test_a_search_has_pages_and_leaves_out_what_is_taken(world, chime):
    whole = chime.search_available_phone_numbers(State="WA", MaxResults=500)["E164PhoneNumbers"]
    ordered(world, chime, whole[1])
    found, token = [], {}
    while True:
        page = chime.search_available_phone_numbers(State="WA", MaxResults=200, **token)
        found += page["E164PhoneNumbers"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert found == [whole[0], *whole[2:]]
    for other in ({"State": "CA"}, {"AreaCode": "206"}):
        assert refusal(chime, "SearchAvailablePhoneNumbers", **other, **token)[0] == "BadRequestException"


def test_an_order_goes_on_with_the_clock(world, chime):
    taken = "+12065550101"
    ordered(world, chime_of(world, "stranger"), taken)
    wanted = [SEATTLE, taken, "+12065559999"]
    order = chime.create_phone_number_order(ProductType="BusinessCalling", E164PhoneNumbers=wanted)["PhoneNumberOrder"]
    assert (order["Status"], order["ProductType"]) == ("Processing", "BusinessCalling")
    assert [each["Status"] for each in order["OrderedPhoneNumbers"]] == ["Processing"] * 3
    assert number_of(chime)["Status"] == "AcquireInProgress"
    assert refusal(chime, "DeletePhoneNumber", PhoneNumberId=SEATTLE)[0] == "BadRequestException"
    world.clock.advance(5)
    done = chime.get_phone_number_order(PhoneNumberOrderId=order["PhoneNumberOrderId"])["PhoneNumberOrder"]
    assert done["Status"] == "Partial"
    assert [each["Status"] for each in done["OrderedPhoneNumbers"]] == ["Acquired", "Failed", "Failed"]
    assert done["UpdatedTimestamp"] > done["CreatedTimestamp"]
    failed = ordered(world, chime, taken)
    whole = ordered(world, chime, "+12065550102")
    statuses = [each["Status"] for each in chime.list_phone_number_orders()["PhoneNumberOrders"]]
    assert statuses == ["Partial", "Failed", "Successful"]
    page = chime.list_phone_number_orders(MaxResults=2)
    assert page["PhoneNumberOrders"][1]["PhoneNumberOrderId"] == failed
    rest = chime.list_phone_number_orders(NextToken=page["NextToken"])["PhoneNumberOrders"]
    assert [each["PhoneNumberOrderId"] for each in rest] == [whole]
    stranger = chime_of(world, "stranger")
    assert refusal(stranger, "GetPhoneNumberOrder", PhoneNumberOrderId=whole)[0] == "NotFoundException"


def test_a_number_as_it_is_answered(world, chime, voice):
    order = ordered(world, voice, SEATTLE)
    number = number_of(chime, SEATTLE_ID)
    assert number == number_of(chime) == chime.list_phone_numbers()["PhoneNumbers"][0]
    # AWS CLI, get-phone-number: the id is the encoded number.
    expected = {
        "PhoneNumberId": SEATTLE_ID,
        "E164PhoneNumber": SEATTLE,
        "Country": "US",
        "Type": "Local",
        "ProductType": "VoiceConnector",
        "Status": "Unassigned",
        "Associations": [],
        "CallingNameStatus": "Unassigned",
    }
    assert {name: number[name] for name in expected} == expected
    assert all(number["Capabilities"].values())
    assert number_of(voice)["OrderId"] == order
    assert "OrderId" not in number
    stranger = chime_of(world, "stranger")
    assert refusal(stranger, "GetPhoneNumber", PhoneNumberId=SEATTLE)[0] == "NotFoundException"
    assert stranger.list_phone_numbers()["PhoneNumbers"] == []


@pytest.mark.parametrize(
    ("numbers", "product"),
    [
        (["+18005550100"], "BusinessCalling"),
        (["+442079460000"], "VoiceConnector"),
        ([SEATTLE, "12065550100"], "VoiceConnector"),
        ([], "VoiceConnector"),
    ],
)
def test_orders_that_are_refused(chime, numbers, product):
    parameters = {"ProductType": product, "E164PhoneNumbers": numbers}
    assert refusal(chime, "CreatePhoneNumberOrder", **parameters)[0] == "BadRequestException"
    assert chime.list_phone_number_orders()["PhoneNumberOrders"] == []


def test_one_detail_changes_at_a_time(world, chime, voice):
    ordered(world, chime, SEATTLE, "+18005550100")
    changed = chime.update_phone_number(PhoneNumberId=SEATTLE_ID, ProductType="BusinessCalling")["PhoneNumber"]
    assert changed["ProductType"] == number_of(chime)["ProductType"] == "BusinessCalling"
    for details in ({}, {"ProductType": "VoiceConnector", "CallingName": "two"}):
        assert refusal(chime, "UpdatePhoneNumber", PhoneNumberId=SEATTLE, **details)[0] == "BadRequestException"
    toll_free = {"PhoneNumberId": "+18005550100", "ProductType": "BusinessCalling"}
    assert refusal(chime, "UpdatePhoneNumber", **toll_free)[0] == "BadRequestException"
    assert refusal(chime, "UpdatePhoneNumber", PhoneNumberId="+12065550111", CallingName="no")[0] == "NotFoundException"
    assert voice.update_phone_number(PhoneNumberId=SEATTLE, Name="front desk")["PhoneNumber"]["Name"] == "front desk"
    assert number_of(voice)["Name"] == "front desk"


def test_a_calling_name_takes_three_days(world, chime):
    ordered(world, chime, SEATTLE)
    changed = chime.update_phone_number(PhoneNumberId=SEATTLE, CallingName="first")["PhoneNumber"]
    assert (changed["CallingName"], changed["CallingNameStatus"]) == ("first", "UpdateInProgress")
    world.clock.advance(3 * DAY - 10)
    assert refusal(chime, "UpdatePhoneNumber", PhoneNumberId=SEATTLE, CallingName="second")[0] == "ConflictException"
    world.clock.advance(20)
    assert number_of(chime)["CallingNameStatus"] == "UpdateSucceeded"
    again = chime.update_phone_number(PhoneNumberId=SEATTLE, CallingName="second")["PhoneNumber"]
    assert (again["CallingName"], again["CallingNameStatus"]) == ("second", "UpdateInProgress")


def test_the_default_calling_name_changes_once_in_seven_days(world, chime, voice):
    assert "CallingName" not in chime.get_phone_number_settings()
    chime.update_phone_number_settings(CallingName="default")
    world.clock.advance(7 * DAY - 10)
    assert refusal(chime, "UpdatePhoneNumberSettings", CallingName="other")[0] == "BadRequestException"
    assert voice.get_phone_number_settings()["CallingName"] == "default"
    world.clock.advance(20)
    voice.update_phone_number_settings(CallingName="other")
    settings = chime.get_phone_number_settings()
    assert settings["CallingName"] == "other"
    assert "CallingNameUpdatedTimestamp" in settings


def test_global_settings_are_shared(world, chime, voice):
    assert chime.get_global_settings()["BusinessCalling"] == {}
    assert refusal(chime, "UpdateGlobalSettings")[0] == "BadRequestException"
    chime.update_global_settings(BusinessCalling={"CdrBucket": "business"})
    voice.update_global_settings(VoiceConnector={"CdrBucket": "connector"})
    answer = chime.get_global_settings()
    assert (answer["BusinessCalling"], answer["VoiceConnector"]) == (
        {"CdrBucket": "business"},
        {"CdrBucket": "connector"},
    )
    assert "BusinessCalling" not in voice.get_global_settings()
    chime.update_global_settings(VoiceConnector={})
    assert voice.get_global_settings()["VoiceConnector"] == {}
    assert chime_of(world, "stranger").get_global_settings()["BusinessCalling"] == {}


def test_a_deleted_number_waits_seven_days(world, chime):
    ordered(world, chime, SEATTLE)
    chime.delete_phone_number(PhoneNumberId=SEATTLE_ID)
    queued = number_of(chime)
    assert queued["Status"] == "DeleteInProgress"
    assert "DeletionTimestamp" in queued
    for operation, more in (("DeletePhoneNumber", {}), ("UpdatePhoneNumber", {"CallingName": "name"})):
        assert refusal(chime, operation, PhoneNumberId=SEATTLE, **more)[0] == "BadRequestException"
    world.clock.advance(7 * DAY - 10)
    restored = chime.restore_phone_number(PhoneNumberId=SEATTLE_ID)["PhoneNumber"]
    assert restored["Status"] == "Unassigned"
    assert "DeletionTimestamp" not in restored
    assert refusal(chime, "RestorePhoneNumber", PhoneNumberId=SEATTLE)[0] == "BadRequestException"
    chime.delete_phone_number(PhoneNumberId=SEATTLE)
    stranger = chime_of(world, "stranger")
    assert SEATTLE not in stranger.search_available_phone_numbers(AreaCode="206")["E164PhoneNumbers"]
    world.clock.advance(7 * DAY)
    for operation in ("GetPhoneNumber", "RestorePhoneNumber", "DeletePhoneNumber"):
        assert refusal(chime, operation, PhoneNumberId=SEATTLE)[0] == "NotFoundException"
    assert chime.list_phone_numbers()["PhoneNumbers"] == []
    assert SEATTLE in stranger.search_available_phone_numbers(AreaCode="206")["E164PhoneNumbers"]
    ordered(world, stranger, SEATTLE)
    assert number_of(stranger)["Status"] == "Unassigned"
    assert refusal(chime, "GetPhoneNumber", PhoneNumberId=SEATTLE)[0] == "NotFoundException"


def test_batches_name_what_they_could_not_do(world, chime):
    ordered(world, chime, SEATTLE)
    unknown = "+12065550111"
    items = [
        {"PhoneNumberId": unknown, "CallingName": "name"},
        {"PhoneNumberId": SEATTLE, "CallingName": "name"},
        {"PhoneNumberId": SEATTLE, "CallingName": "again"},
    ]
    errors = chime.batch_update_phone_number(UpdatePhoneNumberRequestItems=items)["PhoneNumberErrors"]
    assert [(each["PhoneNumberId"], each["ErrorCode"]) for each in errors] == [
        (unknown, "NotFound"),
        (SEATTLE, "Conflict"),
    ]
    assert number_of(chime)["CallingName"] == "name"
    # API reference of chime-sdk-voice: "You cannot have a duplicate phoneNumberId in a request."
    twice = [{"PhoneNumberId": SEATTLE, "Name": "a"}, {"PhoneNumberId": SEATTLE.replace("+", "%2B"), "Name": "b"}]
    voice = world.client("chime-sdk-voice", "admin")
    assert refusal(voice, "BatchUpdatePhoneNumber", UpdatePhoneNumberRequestItems=twice)[0] == "BadRequestException"
    assert "Name" not in voice.get_phone_number(PhoneNumberId=SEATTLE)["PhoneNumber"]
    errors = chime.batch_delete_phone_number(PhoneNumberIds=[unknown, SEATTLE])["PhoneNumberErrors"]
    assert [(each["PhoneNumberId"], each["ErrorCode"]) for each in errors] == [(unknown, "NotFound")]
    assert errors[0]["ErrorMessage"] == "The phone number was not found."
    assert number_of(chime)["Status"] == "DeleteInProgress"


def test_countries_by_product(chime, voice):
    def countries(client, product):
        answer = client.list_supported_phone_number_countries(ProductType=product)["PhoneNumberCountries"]
        return {each["CountryCode"]: each["SupportedPhoneNumberTypes"] for each in answer}

    assert countries(chime, "BusinessCalling") == {"US": ["Local"]}
    assert countries(voice, "VoiceConnector") == {"US": ["Local", "TollFree"]}
    assert {"GB", "DE", "US"} < countries(chime, "SipMediaApplicationDialIn").keys()


def test_a_list_has_filters_and_pages(world, chime):
    ordered(world, chime, SEATTLE, "+12065550101")
    ordered(world, chime, "+12065550102", product="SipMediaApplicationDialIn")
    chime.delete_phone_number(PhoneNumberId=SEATTLE)

    def listed(**filters):
        return [each["E164PhoneNumber"][-1] for each in chime.list_phone_numbers(**filters)["PhoneNumbers"]]

    assert listed() == ["0", "1", "2"]
    assert listed(Status="Unassigned") == ["1", "2"]
    assert listed(Status="DeleteInProgress") == ["0"]
    assert listed(ProductType="SipMediaApplicationDialIn") == ["2"]
    token = chime.list_phone_numbers(MaxResults=2)["NextToken"]
    assert listed(NextToken=token) == ["2"]
    assert refusal(chime, "ListPhoneNumbers", NextToken=token, Status="Assigned")[0] == "BadRequestException"
    assert refusal(chime, "ListPhoneNumbers", FilterName="UserId")[0] == "BadRequestException"


def test_a_users_number(world, chime):
    account = new_account(chime)
    user, other = (new_user(chime, account, f"{name}@example.com") for name in ("ana", "ben"))
    ordered(world, chime, SEATTLE, "+12065550101", product="BusinessCalling")
    ordered(world, chime, "+12065550102")
    named = {"AccountId": account, "UserId": user}
    for number, code in (("+12065550102", "BadRequestException"), ("+12065550111", "NotFoundException")):
        assert refusal(chime, "AssociatePhoneNumberWithUser", **named, E164PhoneNumber=number)[0] == code
    chime.associate_phone_number_with_user(**named, E164PhoneNumber=SEATTLE)
    number = number_of(chime)
    assert number["Status"] == "Assigned"
    assert {each["Name"]: each["Value"] for each in number["Associations"]} == named
    assert chime.list_phone_numbers(FilterName="UserId", FilterValue=user)["PhoneNumbers"] == [number]
    assert chime.list_phone_numbers(FilterName="UserId", FilterValue=other)["PhoneNumbers"] == []
    # An assigned number is neither deleted nor given to another product or user, and a user has one number.
    for operation, parameters in (
        ("DeletePhoneNumber", {"PhoneNumberId": SEATTLE}),
        ("UpdatePhoneNumber", {"PhoneNumberId": SEATTLE, "ProductType": "VoiceConnector"}),
        ("AssociatePhoneNumberWithUser", {"AccountId": account, "UserId": other, "E164PhoneNumber": SEATTLE}),
        ("AssociatePhoneNumberWithUser", {**named, "E164PhoneNumber": "+12065550101"}),
    ):
        assert refusal(chime, operation, **parameters)[0] == "BadRequestException"
    chime.disassociate_phone_number_from_user(**named)
    assert (number_of(chime)["Status"], number_of(chime)["Associations"]) == ("Unassigned", [])
    assert refusal(chime, "DisassociatePhoneNumberFromUser", **named)[0] == "NotFoundException"
    unknown = {"AccountId": account, "UserId": NOBODY}
    assert refusal(chime, "AssociatePhoneNumberWithUser", **unknown, E164PhoneNumber=SEATTLE)[0] == "NotFoundException"


def test_with_its_account_a_users_number_becomes_free(world, chime):
    account = new_account(chime)
    user = new_user(chime, account, "ana@example.com")
    ordered(world, chime, SEATTLE, product="BusinessCalling")
    chime.associate_phone_number_with_user(AccountId=account, UserId=user, E164PhoneNumber=SEATTLE)
    chime.batch_suspend_user(AccountId=account, UserIdList=[user])
    chime.delete_account(AccountId=account)
    assert number_of(chime)["Status"] == "Unassigned"


def test_at_one_endpoint_for_all_services_the_request_tells_which_is_meant(world):
    chime, voice = world.client("chime", "admin"), world.client("chime-sdk-voice", "admin")
    ordered(world, chime, SEATTLE, product="BusinessCalling")
    order = ordered(world, voice, "+12065550101")
    number = voice.update_phone_number(PhoneNumberId="+12065550101", Name="front desk")["PhoneNumber"]
    assert (number["Name"], number["OrderId"]) == ("front desk", order)
    assert voice.get_phone_number_order(PhoneNumberOrderId=order)["PhoneNumberOrder"]["OrderType"] == "New"
    found = chime.list_phone_numbers(ProductType="BusinessCalling")["PhoneNumbers"]
    assert [each["E164PhoneNumber"] for each in found] == [SEATTLE]
    items = [{"PhoneNumberId": "+12065550101", "ProductType": "BusinessCalling"}]
    assert chime.batch_update_phone_number(UpdatePhoneNumberRequestItems=items)["PhoneNumberErrors"] == []
    chime.update_global_settings(BusinessCalling={"CdrBucket": "business"}, VoiceConnector={"CdrBucket": "connector"})
    assert chime.get_global_settings()["BusinessCalling"] == {"CdrBucket": "business"}
    assert voice.get_global_settings()["VoiceConnector"] == {"CdrBucket": "connector"}


def test_without_the_permission_nothing_is_ordered(world, chime):
    limited = chime_of(world, "limited")
    for operation, parameters in (
        ("create_phone_number_order", {"ProductType": "VoiceConnector", "E164PhoneNumbers": [SEATTLE]}),
        ("search_available_phone_numbers", {"AreaCode": "206"}),
        ("list_phone_numbers", {}),
        ("update_phone_number_settings", {"CallingName": "name"}),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(limited, operation)(**parameters)
        assert caught.value.response["Error"]["Code"] == "ForbiddenException"
    assert chime.list_phone_number_orders()["PhoneNumberOrders"] == []


def test_a_meeting_dials_out_from_a_number_of_the_callers(world, chime):
    meetings = world.client("chime-sdk-meetings", "admin", region="eu-central-1")
    made = [
        meetings.create_meeting(ClientRequestToken=token, MediaRegion="eu-central-1", ExternalMeetingId="m-1")
        for token in ("one", "two")
    ]
    meeting, other = (each["Meeting"]["MeetingId"] for each in made)
    token, others = (
        meetings.create_attendee(MeetingId=each, ExternalUserId="user")["Attendee"]["JoinToken"]
        for each in (meeting, other)
    )
    ordered(world, chime, SEATTLE)
    ordered(world, chime_of(world, "stranger"), "+12065550101")
    right = {"MeetingId": meeting, "FromPhoneNumber": SEATTLE, "ToPhoneNumber": "+12065550142", "JoinToken": token}
    answer = chime.create_meeting_dial_out(**right)
    assert len(answer["TransactionId"]) == 36
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    for wrong in (
        {"MeetingId": NOBODY},
        {"JoinToken": others},
        {"FromPhoneNumber": "+12065550101"},
        {"ToPhoneNumber": SEATTLE},
    ):
        assert refusal(chime, "CreateMeetingDialOut", **{**right, **wrong})[0] == "BadRequestException"
    stranger = chime_of(world, "stranger")
    assert refusal(stranger, "CreateMeetingDialOut", **right)[0] == "BadRequestException"
    meetings.delete_meeting(MeetingId=meeting)
    assert refusal(chime, "CreateMeetingDialOut", **right)[0] == "BadRequestException"


@pytest.mark.parametrize(
    ("method", "path", "body", "service"),
    [
        ("POST", "/phone-number-orders", {"ProductType": "BusinessCalling", "E164PhoneNumbers": [SEATTLE]}, "chime"),
        ("POST", "/phone-number-orders", {"ProductType": "VoiceConnector", "Name": "BusinessCalling"}, "voice"),
        ("POST", f"/phone-numbers/{SEATTLE_ID}", {"ProductType": "BusinessCalling"}, "chime"),
        # Texts of the caller are no values of an enumeration.
        ("POST", f"/phone-numbers/{SEATTLE_ID}", {"CallingName": "BusinessCalling"}, "voice"),
        ("POST", f"/phone-numbers/{SEATTLE_ID}", {"Name": "UserId"}, "voice"),
        (
            "POST",
            "/phone-numbers?operation=batch-update",
            {"UpdatePhoneNumberRequestItems": [{"PhoneNumberId": "1"}, {"ProductType": "BusinessCalling"}]},
            "chime",
        ),
        (
            "POST",
            "/phone-numbers?operation=batch-update",
            {"UpdatePhoneNumberRequestItems": [{"PhoneNumberId": "1", "Name": "AccountId"}]},
            "voice",
        ),
        ("GET", "/phone-numbers?product-type=BusinessCalling", None, "chime"),
        ("GET", "/phone-numbers?filter-name=AccountId&filter-value=1", None, "chime"),
        ("GET", "/phone-numbers?filter-name=VoiceConnectorId&filter-value=UserId", None, "voice"),
        # The voice service takes every text as a status.
        ("GET", "/phone-numbers?status=Assigned", None, "voice"),
        ("PUT", "/settings", {"BusinessCalling": {"CdrBucket": "a"}}, "chime"),
        ("PUT", "/settings", {"VoiceConnector": {"CdrBucket": "BusinessCalling"}}, "voice"),
        ("GET", "/settings", None, "chime"),
        ("PUT", "/settings/phone-number", {"CallingName": "AccountId"}, "voice"),
        # What cannot be read is the voice service's, which refuses it.
        ("PUT", "/settings", ["BusinessCalling"], "voice"),
        ("PUT", "/settings", b'{"BusinessCalling":', "voice"),
    ],
)
def test_the_models_tell_requests_of_chime_and_voice_apart(method, path, body, service):
    """At an endpoint of all services. Chime takes what its model alone has; voice answers more, and takes the rest."""
    target, _, query = path.partition("?")
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    request = HttpRequest(method, target, query, {"host": "127.0.0.1:4580"}, content)
    assert match(request, "chime").service.name == {"chime": "chime", "voice": "chime-sdk-voice"}[service]
