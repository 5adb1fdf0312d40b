"""Phone numbers of Voice Connectors and of their groups, and the deletion of a connector, which must have none."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.data.phone_number_table import VOICE_CONNECTOR as VOICE_CONNECTOR_PRODUCT
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_voice.connector_groups import GROUP
from rolecall.services.chime_sdk_voice.sip_rules import SIP_RULE
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE, VOICE_CONNECTOR, permissions_to_delete
from rolecall.services.kinds import Kind
from rolecall.services.numbers import assign, number_errors, number_in_inventory, release
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import existing
from rolecall.storage import phone_numbers, resources
from rolecall.storage.resources import Resource

# Recorded from AWS: deleting a connector in use.
IN_USE_MESSAGE = "Service received a bad request"


@operation(SERVICE, "AssociatePhoneNumbersWithVoiceConnector")
def associate_with_connector(
    call: Call, *, VoiceConnectorId: str, E164PhoneNumbers: Sequence[str], ForceAssociate: bool = False
) -> Answer:
    return _associate(call, VOICE_CONNECTOR, VoiceConnectorId, E164PhoneNumbers, force=ForceAssociate)


@operation(SERVICE, "AssociatePhoneNumbersWithVoiceConnectorGroup")
def associate_with_group(
    call: Call, *, VoiceConnectorGroupId: str, E164PhoneNumbers: Sequence[str], ForceAssociate: bool = False
) -> Answer:
    return _associate(call, GROUP, VoiceConnectorGroupId, E164PhoneNumbers, force=ForceAssociate)


@operation(SERVICE, "DisassociatePhoneNumbersFromVoiceConnector")
def disassociate_from_connector(call: Call, *, VoiceConnectorId: str, E164PhoneNumbers: Sequence[str]) -> Answer:
    return _disassociate(call, VOICE_CONNECTOR, VoiceConnectorId, E164PhoneNumbers)


@operation(SERVICE, "DisassociatePhoneNumbersFromVoiceConnectorGroup")
def disassociate_from_group(call: Call, *, VoiceConnectorGroupId: str, E164PhoneNumbers: Sequence[str]) -> Answer:
    return _disassociate(call, GROUP, VoiceConnectorGroupId, E164PhoneNumbers)


@operation(SERVICE, "DeleteVoiceConnector", permissions=permissions_to_delete)
def delete_voice_connector(call: Call, *, VoiceConnectorId: str) -> Answer:
    """API reference: phone numbers and groups must be disassociated first. A SIP rule on it counts too."""
    resource = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    if _is_in_use(call, resource):
        raise bad_request(IN_USE_MESSAGE)
    resources.remove(call.db, resource.key)
    return {}


def _is_in_use(call: Call, connector: Resource) -> bool:
    id_member = VOICE_CONNECTOR.id_member
    groups = resources.all_of_kind(call.db, call.account_id, GROUP.name)
    grouped = {item[id_member] for each in groups for item in each.content["VoiceConnectorItems"]}
    rules = resources.all_of_kind(call.db, call.account_id, SIP_RULE.name)
    return (
        bool(phone_numbers.numbers_assigned_to(call.db, call.account_id, id_member, connector.resource_id))
        or connector.resource_id in grouped
        or any(each.content["TriggerValue"] == connector.content["OutboundHostName"] for each in rules)
    )


def _associate(call: Call, kind: Kind, resource_id: str, numbers: Sequence[str], *, force: bool) -> Answer:
    """PhoneNumberErrors lists the numbers that cannot be assigned. ``force`` takes one away from another connector."""
    resource = existing(call, kind, resource_id, locked=True)

    def change(e164: str) -> None:
        number = number_in_inventory(call, e164)
        if number.product_type != VOICE_CONNECTOR_PRODUCT:
            raise bad_request(f"The phone number must have the product type {VOICE_CONNECTOR_PRODUCT}.")
        held = {each.name: each.value for each in number.associations}
        if held == {kind.id_member: resource.resource_id}:
            return
        if held and not force:
            raise AwsError("ConflictException", "The phone number is assigned already.")
        release(call, number, *held)
        assign(call, number, {kind.id_member: resource.resource_id})

    return {"PhoneNumberErrors": number_errors(numbers, change)}


def _disassociate(call: Call, kind: Kind, resource_id: str, numbers: Sequence[str]) -> Answer:
    resource = existing(call, kind, resource_id, locked=True)

    def change(e164: str) -> None:
        number = number_in_inventory(call, e164)
        if not any(each[:2] == (kind.id_member, resource.resource_id) for each in number.associations):
            raise AwsError("NotFoundException", "The phone number is not assigned to it.")
        release(call, number, kind.id_member)

    return {"PhoneNumberErrors": number_errors(numbers, change)}
