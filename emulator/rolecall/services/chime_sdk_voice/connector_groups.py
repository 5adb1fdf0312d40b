"""Groups of Voice Connectors (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.contents.voice import DEFAULT_DISTRIBUTION, MAXIMUM_CONNECTORS, new_connector_group
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE, VOICE_CONNECTOR
from rolecall.services.kinds import Kind
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import answer_of, change_resource, create, existing, get, list_
from rolecall.storage import phone_numbers, resources

GROUP = Kind(SERVICE, "voice-connector-group", "VoiceConnectorGroupId")

get(GROUP, "GetVoiceConnectorGroup")
list_(GROUP, "ListVoiceConnectorGroups")


class ConnectorItem(TypedDict, total=False):
    """A Voice Connector of a group."""

    VoiceConnectorId: str
    Priority: int


@operation(SERVICE, "CreateVoiceConnectorGroup")
def create_voice_connector_group(
    call: Call,
    *,
    Name: str,
    VoiceConnectorItems: Sequence[ConnectorItem] = (),
    CallDistributionType: str = DEFAULT_DISTRIBUTION,
) -> Answer:
    """Its connectors may be in any Region. Raises AwsError NotFoundException for one that the caller does not have."""
    _check_items(call, VoiceConnectorItems)
    group_id = call.ids.uuid()
    content = new_connector_group(group_id, Name, VoiceConnectorItems, CallDistributionType, call.now_seconds)
    return create(call, GROUP, group_id, content)


@operation(SERVICE, "UpdateVoiceConnectorGroup")
def update_voice_connector_group(
    call: Call,
    *,
    VoiceConnectorGroupId: str,
    Name: str,
    VoiceConnectorItems: Sequence[ConnectorItem],
    CallDistributionType: str | None = None,
) -> Answer:
    resource = existing(call, GROUP, VoiceConnectorGroupId, locked=True)
    _check_items(call, VoiceConnectorItems)
    members = {
        "Name": Name,
        "VoiceConnectorItems": VoiceConnectorItems,
        "CallDistributionType": CallDistributionType,
    }
    return answer_of(call, change_resource(call, GROUP, resource, members))


@operation(SERVICE, "DeleteVoiceConnectorGroup")
def delete_voice_connector_group(call: Call, *, VoiceConnectorGroupId: str) -> Answer:
    """API reference: a group with Voice Connectors or phone numbers cannot be deleted."""
    resource = existing(call, GROUP, VoiceConnectorGroupId, locked=True)
    numbers = phone_numbers.numbers_assigned_to(call.db, call.account_id, GROUP.id_member, resource.resource_id)
    if resource.content["VoiceConnectorItems"] or numbers:
        message = f"Voice Connector Group {resource.resource_id} still has Voice Connectors or phone numbers."
        raise AwsError("ConflictException", message)
    resources.remove(call.db, resource.key)
    return {}


def _check_items(call: Call, items: Sequence[ConnectorItem]) -> None:
    ids = [item["VoiceConnectorId"] for item in items]
    if len(set(ids)) < len(ids):
        raise bad_request("VoiceConnectorItems must not have a Voice Connector twice.")
    if len(ids) > MAXIMUM_CONNECTORS:
        message = f"A group may have at most {MAXIMUM_CONNECTORS} Voice Connectors."
        raise AwsError("ResourceLimitExceededException" if not _updates(call) else "BadRequestException", message)
    for connector_id in ids:
        if not resources.find_anywhere(call.db, call.account_id, VOICE_CONNECTOR.name, connector_id):
            raise VOICE_CONNECTOR.not_found(connector_id)


def _updates(call: Call) -> bool:
    """The model of the update has no ResourceLimitExceededException."""
    return "ResourceLimitExceededException" not in call.model.error_codes
