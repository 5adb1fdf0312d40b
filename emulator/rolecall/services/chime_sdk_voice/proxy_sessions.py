"""Proxy sessions of Voice Connectors: two people talk through a third number (Amazon Chime SDK API reference).

AWS ended support on 2026-04-07. Its SDKs still have the operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.data import range_of
from rolecall.data.phone_number_table import LOCAL, UNITED_STATES, NumberRange
from rolecall.errors import bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE, VOICE_CONNECTOR
from rolecall.services.kinds import Kind, shown
from rolecall.services.members import given
from rolecall.services.numbers import present_numbers
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import (
    change_resource,
    delete,
    delete_setting,
    existing,
    get_setting,
    keep,
    replace_setting,
    setting_of,
)
from rolecall.storage import phone_numbers, resources
from rolecall.storage.resources import Content, Resource

PROXY = "Proxy"
OPEN, CLOSED = "Open", "Closed"
COUNTRY, AREA_CODE = "Country", "AreaCode"
PREFER_STICKY, AVOID_STICKY = "PreferSticky", "AvoidSticky"

SESSION = Kind(SERVICE, "proxy-session", "ProxySessionId", parent=VOICE_CONNECTOR)

get_setting(VOICE_CONNECTOR, "GetVoiceConnectorProxy")
delete_setting(VOICE_CONNECTOR, "DeleteVoiceConnectorProxy")
delete(SESSION, "DeleteProxySession")


class Place(TypedDict):
    """Where a proxy number should be."""

    Country: str
    AreaCode: str


@operation(SERVICE, "PutVoiceConnectorProxy")
def put_voice_connector_proxy(
    call: Call,
    *,
    VoiceConnectorId: str,
    DefaultSessionExpiryMinutes: int,
    PhoneNumberPoolCountries: Sequence[str],
    FallBackPhoneNumber: str | None = None,
    Disabled: bool = False,
) -> Answer:
    """Replaces the configuration. Sessions that are open stay open."""
    if DefaultSessionExpiryMinutes < 1:
        raise bad_request("DefaultSessionExpiryMinutes must be at least 1.")
    content = {
        "DefaultSessionExpiryMinutes": DefaultSessionExpiryMinutes,
        "Disabled": Disabled,
        **({} if FallBackPhoneNumber is None else {"FallBackPhoneNumber": FallBackPhoneNumber}),
        "PhoneNumberCountries": list(PhoneNumberPoolCountries),
    }
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    return replace_setting(call, VOICE_CONNECTOR, connector, PROXY, content)


@operation(SERVICE, "CreateProxySession")
def create_proxy_session(
    call: Call,
    *,
    VoiceConnectorId: str,
    ParticipantPhoneNumbers: Sequence[str],
    Capabilities: Sequence[str],
    Name: str | None = None,
    ExpiryMinutes: int | None = None,
    NumberSelectionBehavior: str | None = None,
    GeoMatchLevel: str | None = None,
    GeoMatchParams: Place | None = None,
) -> Answer:
    """Both participants see the same number, as in the AWS CLI's examples. The connector must have one for them."""
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    proxy = setting_of(call, VOICE_CONNECTOR, connector, PROXY)
    if proxy["Disabled"]:
        raise bad_request("The proxy configuration of the Voice Connector is disabled.")
    participants = _two(ParticipantPhoneNumbers)
    if GeoMatchParams is not None and GeoMatchLevel is None:
        raise bad_request("GeoMatchParams needs a GeoMatchLevel.")
    wanted = {
        "NumberSelectionBehavior": NumberSelectionBehavior,
        "GeoMatchLevel": GeoMatchLevel,
        "GeoMatchParams": GeoMatchParams,
        "Name": Name,
    }
    content: dict[str, Any] = {
        "VoiceConnectorId": connector.resource_id,
        "ProxySessionId": call.ids.uuid(),
        "ExpiryMinutes": proxy["DefaultSessionExpiryMinutes"] if ExpiryMinutes is None else ExpiryMinutes,
        "Capabilities": _distinct(Capabilities),
        "CreatedTimestamp": call.now_seconds,
        "UpdatedTimestamp": call.now_seconds,
        **given(wanted),
    }
    number = _proxy_number(call, connector, proxy, participants, content)
    content["Participants"] = [{"PhoneNumber": each, "ProxyPhoneNumber": number} for each in participants]
    keep(call, SESSION, content["ProxySessionId"], content, parent=connector)
    return {"ProxySession": _shown(call, content, "ProxySession")}


@operation(SERVICE, "GetProxySession")
def get_proxy_session(call: Call, *, VoiceConnectorId: str, ProxySessionId: str) -> Answer:
    found = existing(call, SESSION, VoiceConnectorId, ProxySessionId)
    return {"ProxySession": _shown(call, found.content, "ProxySession")}


@operation(SERVICE, "ListProxySessions")
def list_proxy_sessions(
    call: Call,
    *,
    VoiceConnectorId: str,
    Status: str | None = None,
    NextToken: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
) -> Answer:
    """The sessions of a connector, oldest first. A call never goes on, so none is InProgress."""
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId)
    filters = (call.region, connector.resource_id, Status)
    after = None if NextToken is None else position_of(call, filters, NextToken)
    found = [
        each
        for each in resources.children(call.db, connector.key, SESSION.name)
        if (after is None or each.position > after) and Status in (None, _status(each.content, call.now_seconds)[0])
    ]
    page, rest = one_page(call, filters, found, MaxResults, lambda each: each.position)
    return {"ProxySessions": [_shown(call, each.content, "ProxySessions") for each in page], **rest}


@operation(SERVICE, "UpdateProxySession")
def update_proxy_session(
    call: Call,
    *,
    VoiceConnectorId: str,
    ProxySessionId: str,
    Capabilities: Sequence[str],
    ExpiryMinutes: int | None = None,
) -> Answer:
    """The minutes count from the session's creation. A closed session does not open again (not recorded)."""
    found = existing(call, SESSION, VoiceConnectorId, ProxySessionId, locked=True)
    if _status(found.content, call.now_seconds)[0] == CLOSED:
        raise bad_request(f"Proxy Session {found.resource_id} is closed.")
    capabilities = _distinct(Capabilities)
    [number, *_] = [each["ProxyPhoneNumber"] for each in found.content["Participants"]]
    if not _can(number, capabilities):
        raise bad_request("The proxy number of the session does not have these Capabilities.")
    members = {"Capabilities": capabilities, "ExpiryMinutes": ExpiryMinutes}
    content = change_resource(call, SESSION, found, members)
    return {"ProxySession": _shown(call, content, "ProxySession")}


def _two(numbers: Sequence[str]) -> list[str]:
    found = ["+" + each.removeprefix("+") for each in numbers]
    if len(set(found)) < len(found):
        raise bad_request("ParticipantPhoneNumbers must be two different numbers.")
    return found


def _distinct(capabilities: Sequence[str]) -> list[str]:
    if not capabilities:
        raise bad_request("Capabilities must have Voice, SMS or both.")
    return list(dict.fromkeys(capabilities))


def _status(content: Content, now_seconds: float) -> tuple[str, float | None]:
    """The status by the sandbox's clock, and when the session ended."""
    ends = content["CreatedTimestamp"] + 60 * content["ExpiryMinutes"]
    return (OPEN, None) if now_seconds < ends else (CLOSED, ends)


def _shown(call: Call, content: Content, member: str) -> Answer:
    status, ended = _status(content, call.now_seconds)
    answer = {**content, "Status": status, **({} if ended is None else {"EndedTimestamp": ended})}
    return shown(call, member, answer)


def _proxy_number(
    call: Call, connector: Resource, proxy: Content, participants: Sequence[str], content: Content
) -> str:
    """The best free number of the connector. Raises AwsError BadRequestException where there is none."""
    before: list[str] = []
    busy: set[str] = set()
    for each in resources.children(call.db, connector.key, SESSION.name):
        people = {one["PhoneNumber"]: one["ProxyPhoneNumber"] for one in each.content["Participants"]}
        if set(people) == set(participants):
            before += people.values()
        if _status(each.content, call.now_seconds)[0] == OPEN:
            busy |= {number for person, number in people.items() if person in participants}
    assigned = phone_numbers.numbers_assigned_to(
        call.db, call.account_id, VOICE_CONNECTOR.id_member, connector.resource_id
    )
    free = []
    for number in present_numbers(call, assigned):
        where = range_of(number.phone_number)
        if where is None or where.country not in proxy["PhoneNumberCountries"] or number.phone_number in busy:
            continue
        if _can(number.phone_number, content["Capabilities"]):
            unwanted = _is_elsewhere(where, participants[0], content)
            free.append((unwanted, _is_unwanted(number.phone_number, before, content), number.phone_number))
    if not free:
        # AWS's wording was not recorded.
        raise bad_request("The Voice Connector has no free phone number for this proxy session.")
    return min(free)[-1]


def _can(number: str, capabilities: Sequence[str]) -> bool:
    """Local numbers of the United States take text messages, as GetPhoneNumber says."""
    where = range_of(number)
    return "SMS" not in capabilities or (
        where is not None and (where.country, where.number_type) == (UNITED_STATES, LOCAL)
    )


def _is_elsewhere(where: NumberRange, first_participant: str, content: Content) -> bool:
    """Whether a number misses the preferred place: the given one, or the place of the first participant."""
    level, place = content.get("GeoMatchLevel"), content.get("GeoMatchParams")
    if level is None:
        return False
    if place is None:
        home: Any = range_of(first_participant)
        place = {COUNTRY: home.country, AREA_CODE: home.area_code} if home else {}
    if where.country != place.get(COUNTRY):
        return True
    return bool(level == AREA_CODE and where.area_code != place.get(AREA_CODE))


def _is_unwanted(number: str, before: Sequence[str], content: Content) -> bool:
    """Whether the two participants should rather not have this number, by what they had before."""
    behaviour = content.get("NumberSelectionBehavior")
    if behaviour == PREFER_STICKY:
        return bool(before) and number != before[-1]
    return behaviour == AVOID_STICKY and number in before
