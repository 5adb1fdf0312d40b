"""SIP rules: which application answers a number or a Voice Connector's host name (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.contents.voice import new_sip_rule
from rolecall.data.phone_number_table import DIAL_IN
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_voice.sip_applications import SIP_APPLICATION
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE, VOICE_CONNECTOR
from rolecall.services.kinds import Kind, shown
from rolecall.services.numbers import assign, number_in_inventory, release
from rolecall.services.paging import DEFAULT_MAX_RESULTS, one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import answer_of, change_resource, create, existing, get
from rolecall.storage import phone_numbers, resources

SIP_RULE = Kind(SERVICE, "sip-rule", "SipRuleId")
TO_PHONE_NUMBER = "ToPhoneNumber"

get(SIP_RULE, "GetSipRule")


class Target(TypedDict, total=False):
    """An application that a rule calls."""

    SipMediaApplicationId: str
    Priority: int
    AwsRegion: str


@operation(SERVICE, "CreateSipRule")
def create_sip_rule(
    call: Call,
    *,
    Name: str,
    TriggerType: str,
    TriggerValue: str,
    TargetApplications: Sequence[Target],
    Disabled: bool = False,
) -> Answer:
    """One rule for each number and host name of the caller's."""
    _check_targets(call, TargetApplications)
    value = _trigger(call, TriggerType, TriggerValue)
    if any(each.content["TriggerValue"] == value for each in _rules(call)):
        raise AwsError("ConflictException", f"Another SIP rule has the TriggerValue {value}.")
    rule_id = call.ids.uuid()
    content = new_sip_rule(
        rule_id, Name, TriggerType, value, TargetApplications, disabled=Disabled, now_seconds=call.now_seconds
    )
    if TriggerType == TO_PHONE_NUMBER:
        assign(call, number_in_inventory(call, value), {SIP_RULE.id_member: rule_id})
    # As its token, the trigger makes one rule even where two calls look at the same time.
    return create(call, SIP_RULE, rule_id, content, create_token=value)


@operation(SERVICE, "ListSipRules")
def list_sip_rules(
    call: Call,
    *,
    SipMediaApplicationId: str | None = None,
    MaxResults: int = DEFAULT_MAX_RESULTS,
    NextToken: str | None = None,
) -> Answer:
    """The rules of the endpoint's Region, or the rules that call one application, oldest first."""
    filters = (call.region, SipMediaApplicationId)
    after = None if NextToken is None else position_of(call, filters, NextToken)
    found = [
        each
        for each in resources.all_of_kind(call.db, call.account_id, SIP_RULE.name, call.region)
        if (after is None or each.position > after)
        and SipMediaApplicationId
        in (None, *(target.get("SipMediaApplicationId") for target in each.content["TargetApplications"]))
    ]
    rules, rest = one_page(call, filters, found, MaxResults, lambda each: each.position)
    return {"SipRules": [shown(call, "SipRules", each.content) for each in rules], **rest}


@operation(SERVICE, "UpdateSipRule")
def update_sip_rule(
    call: Call,
    *,
    SipRuleId: str,
    Name: str,
    Disabled: bool | None = None,
    TargetApplications: Sequence[Target] | None = None,
) -> Answer:
    rule = existing(call, SIP_RULE, SipRuleId, locked=True)
    if TargetApplications is not None:
        _check_targets(call, TargetApplications)
    members = {"Name": Name, "Disabled": Disabled, "TargetApplications": TargetApplications}
    return answer_of(call, change_resource(call, SIP_RULE, rule, members))


@operation(SERVICE, "DeleteSipRule")
def delete_sip_rule(call: Call, *, SipRuleId: str) -> Answer:
    """Administrator Guide: a rule must be disabled before it can be deleted. Its number becomes free."""
    rule = existing(call, SIP_RULE, SipRuleId, locked=True)
    if not rule.content["Disabled"]:
        raise AwsError("ConflictException", f"SIP rule {rule.resource_id} must be disabled before it can be deleted.")
    for number in phone_numbers.numbers_assigned_to(call.db, call.account_id, SIP_RULE.id_member, rule.resource_id):
        release(call, number, SIP_RULE.id_member)
    resources.remove(call.db, rule.key)
    return {}


@operation(SERVICE, "DeleteSipMediaApplication")
def delete_sip_media_application(call: Call, *, SipMediaApplicationId: str) -> Answer:
    """An application that a rule calls stays. Its calls go with it."""
    application = existing(call, SIP_APPLICATION, SipMediaApplicationId, locked=True)
    for rule in _rules(call):
        targets = [target.get("SipMediaApplicationId") for target in rule.content["TargetApplications"]]
        if application.resource_id in targets:
            message = f"SIP rule {rule.resource_id} still calls SIP media application {application.resource_id}."
            raise AwsError("ConflictException", message)
    resources.remove(call.db, application.key)
    return {}


def _rules(call: Call) -> list[resources.Resource]:
    return resources.all_of_kind(call.db, call.account_id, SIP_RULE.name)


def _trigger(call: Call, trigger_type: str, value: str) -> str:
    """The number or host name of the caller's. Raises AwsError BadRequestException for any other one."""
    if trigger_type != TO_PHONE_NUMBER:
        connectors = resources.all_of_kind(call.db, call.account_id, VOICE_CONNECTOR.name)
        if all(each.content["OutboundHostName"] != value for each in connectors):
            raise bad_request("TriggerValue must be the OutboundHostName of a Voice Connector.")
        return value
    try:
        number = number_in_inventory(call, value)
    except AwsError as error:
        raise bad_request(error.message) from error
    if number.product_type != DIAL_IN:
        raise bad_request(f"The phone number must have the product type {DIAL_IN}.")
    if number.associations:
        raise AwsError("ConflictException", "The phone number is assigned already.")
    return number.phone_number


def _check_targets(call: Call, targets: Sequence[Target]) -> None:
    """Developer Guide: each alternate target is in another Region. Raises AwsError BadRequestException."""
    for member in ("Priority", "AwsRegion"):
        values = [target.get(member) for target in targets]
        if len(set(values)) < len(values):
            raise bad_request(f"TargetApplications must not have the same {member} twice.")
    for target in targets:
        application_id = target.get("SipMediaApplicationId", "")
        found = resources.find_anywhere(call.db, call.account_id, SIP_APPLICATION.name, application_id)
        if not any(each.content["AwsRegion"] == target.get("AwsRegion") for each in found):
            raise bad_request(f"SIP Media Application {application_id} was not found in {target.get('AwsRegion')}.")
