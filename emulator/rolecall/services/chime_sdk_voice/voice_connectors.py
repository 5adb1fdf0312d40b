"""Voice Connectors and the documents that hang on one (Amazon Chime SDK API reference)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.access.permission import Permission
from rolecall.contents.voice import CONNECTOR_ID_CHARACTERS, new_voice_connector
from rolecall.data import actions
from rolecall.errors import AwsError, bad_request
from rolecall.services.kinds import Kind, kind_with_arn
from rolecall.services.linked_roles import ensure_role, permission_to_make
from rolecall.services.members import Document, Tag
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import (
    create,
    delete_setting,
    existing,
    get,
    get_setting,
    list_,
    put_setting,
    remove_setting,
    replace_setting,
    update,
)
from rolecall.storage import resources
from rolecall.storage.service_linked_roles import RESOURCE_FINDERS, RoleUsage

SERVICE = "chime-sdk-voice"
# A kind of services/chime_sdk_media_pipelines, named by its ARN and only read here.
INSIGHTS_CONFIGURATION = Kind("chime-sdk-media-pipelines", "media-insights-pipeline-configuration", "ConfigurationArn")
STREAMING_SERVICE = "voiceconnector.chime.amazonaws.com"
# The reference's prose of Origination: Routes has 1 to 20 items. The model has no limit.
MAXIMUM_ROUTES = 20
# The action that each integration needs besides (Service Authorization Reference, CreateVoiceConnector).
_ACTIONS_OF_INTEGRATIONS = {
    "CONNECT_CALL_TRANSFER_CONNECTOR": "chime:CreateConnectCallTransferConnector",
    "CONNECT_ANALYTICS_CONNECTOR": "chime:CreateConnectAnalyticsConnector",
}
_COUNTRY = re.compile(r"[A-Z]{2}")

VOICE_CONNECTOR = kind_with_arn(SERVICE, "voice-connector", "VoiceConnectorId")

get(VOICE_CONNECTOR, "GetVoiceConnector")
list_(VOICE_CONNECTOR, "ListVoiceConnectors")
update(VOICE_CONNECTOR, "UpdateVoiceConnector")
get_setting(VOICE_CONNECTOR, "GetVoiceConnectorOrigination")
get_setting(VOICE_CONNECTOR, "GetVoiceConnectorTermination")
get_setting(VOICE_CONNECTOR, "GetVoiceConnectorLoggingConfiguration")
get_setting(VOICE_CONNECTOR, "GetVoiceConnectorStreamingConfiguration")
delete_setting(VOICE_CONNECTOR, "DeleteVoiceConnectorStreamingConfiguration")
get_setting(VOICE_CONNECTOR, "GetVoiceConnectorEmergencyCallingConfiguration")
put_setting(VOICE_CONNECTOR, "PutVoiceConnectorEmergencyCallingConfiguration")
delete_setting(VOICE_CONNECTOR, "DeleteVoiceConnectorEmergencyCallingConfiguration")


def _permissions_to_create(call: Call, parameters: Parameters) -> Sequence[Permission]:
    integration = _ACTIONS_OF_INTEGRATIONS.get(parameters.get("IntegrationType", ""))
    return (*table_permissions(call, parameters), *([Permission(integration)] if integration else ()))


@operation(SERVICE, "CreateVoiceConnector", permissions=_permissions_to_create)
def create_voice_connector(
    call: Call,
    *,
    Name: str,
    RequireEncryption: bool,
    AwsRegion: str = "us-east-1",
    Tags: Sequence[Tag] = (),
    IntegrationType: str | None = None,
    NetworkType: str = "IPV4_ONLY",
) -> Answer:
    """A connector of the endpoint's Region; ``AwsRegion`` is where its calls are handled.

    It makes no service-linked role: only streaming does.
    """
    connector_id = call.ids.lower_id(CONNECTOR_ID_CHARACTERS)
    content = new_voice_connector(
        connector_id,
        VOICE_CONNECTOR.arn(call, connector_id),
        Name,
        AwsRegion,
        require_encryption=RequireEncryption,
        network_type=NetworkType,
        integration_type=IntegrationType,
        now_seconds=call.now_seconds,
    )
    return create(call, VOICE_CONNECTOR, connector_id, content, Tags)


@operation(SERVICE, "ListAvailableVoiceConnectorRegions")
def list_available_regions(call: Call) -> Answer:
    """Every Region that the model has."""
    [member] = call.model.output_members
    return {member: list(call.model.output_enums[member])}


@operation(SERVICE, "PutVoiceConnectorOrigination")
def put_origination(call: Call, *, VoiceConnectorId: str, Origination: Document) -> Answer:
    """Routes or Disabled must be there. A route's port is 5060 by default."""
    if not {"Routes", "Disabled"} & Origination.keys():
        raise bad_request("Origination must have Routes or Disabled.")
    routes = Origination.get("Routes")
    if routes is not None and not 1 <= len(routes) <= MAXIMUM_ROUTES:
        raise bad_request(f"Origination must have 1 to {MAXIMUM_ROUTES} Routes.")
    content = dict(Origination)
    if routes is not None:
        content["Routes"] = [{**route, "Port": route.get("Port", 5060)} for route in routes]
    resource = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    return replace_setting(call, VOICE_CONNECTOR, resource, "Origination", content)


@operation(SERVICE, "PutVoiceConnectorTermination")
def put_termination(call: Call, *, VoiceConnectorId: str, Termination: Document) -> Answer:
    """One call a second, and not disabled, unless the request says otherwise. CallingRegions must be there."""
    if not Termination.get("CallingRegions"):
        raise bad_request("Termination must have CallingRegions.")
    if not all(_COUNTRY.fullmatch(country) for country in Termination["CallingRegions"]):
        raise bad_request("CallingRegions must be ISO 3166-1 alpha-2 codes of countries.")
    if not all(_is_network(text) for text in Termination.get("CidrAllowedList", ())):
        raise bad_request("CidrAllowedList must have IP networks in CIDR notation.")
    content = {"CpsLimit": 1, "Disabled": False, **Termination}
    resource = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    return replace_setting(call, VOICE_CONNECTOR, resource, "Termination", content)


@operation(SERVICE, "DeleteVoiceConnectorOrigination")
def delete_origination(call: Call, *, VoiceConnectorId: str) -> Answer:
    return _delete_before_emergency_calling(call, VoiceConnectorId, "Origination")


@operation(SERVICE, "DeleteVoiceConnectorTermination")
def delete_termination(call: Call, *, VoiceConnectorId: str) -> Answer:
    return _delete_before_emergency_calling(call, VoiceConnectorId, "Termination")


def _permissions_to_log(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Switching logs on makes a log delivery with the caller's own rights, so it needs the dependent actions."""
    own = table_permissions(call, parameters)
    return (*own, *_to_deliver_logs(call)) if any(parameters["LoggingConfiguration"].values()) else own


def permissions_to_delete(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Deleting a connector with logs ends its log delivery, which needs the dependent actions as well."""
    own = table_permissions(call, parameters)
    found = VOICE_CONNECTOR.kept.find(call, VOICE_CONNECTOR, (parameters["VoiceConnectorId"],), locked=False)
    logs = None if found is None else resources.setting(call.db, found.key, "LoggingConfiguration")
    return (*own, *_to_deliver_logs(call)) if logs is not None and any(logs.values()) else own


def _to_deliver_logs(call: Call) -> Sequence[Permission]:
    return [Permission(action) for action in actions("chime")[call.operation.lower()].dependent_actions]


@operation(SERVICE, "PutVoiceConnectorLoggingConfiguration", permissions=_permissions_to_log)
def put_logging(call: Call, *, VoiceConnectorId: str, LoggingConfiguration: Document) -> Answer:
    resource = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    return replace_setting(call, VOICE_CONNECTOR, resource, "LoggingConfiguration", LoggingConfiguration)


def _permissions_to_stream(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Streaming makes the service-linked role, where there is the connector and not yet the role.

    Service Authorization Reference: the caller also reads the media insights configuration that the request names.
    """
    own = table_permissions(call, parameters)
    insights_arn = _insights_arn(parameters["StreamingConfiguration"])
    if insights_arn:
        own = (*own, Permission("chime:GetMediaInsightsPipelineConfiguration", insights_arn))
    connector_id = parameters["VoiceConnectorId"]
    if parameters["StreamingConfiguration"]["Disabled"] or not VOICE_CONNECTOR.kept.find(
        call, VOICE_CONNECTOR, (connector_id,), locked=False
    ):
        return own
    making = permission_to_make(call, STREAMING_SERVICE)
    return own if making is None else (*own, making)


class NotificationTarget(TypedDict):
    """Where a connector sends events of its streams."""

    NotificationTarget: str


class Insights(TypedDict, total=False):
    """The configuration with which AWS analyses the calls of a connector."""

    Disabled: bool
    ConfigurationArn: str


class Streaming(TypedDict, total=False):
    """What a connector streams, and where it tells so."""

    DataRetentionInHours: int
    Disabled: bool
    StreamingNotificationTargets: Sequence[NotificationTarget]
    MediaInsightsConfiguration: Insights


@operation(SERVICE, "PutVoiceConnectorStreamingConfiguration", permissions=_permissions_to_stream)
def put_streaming(call: Call, *, VoiceConnectorId: str, StreamingConfiguration: Streaming) -> Answer:
    """Chime SDK Administrator Guide, Using the Voice Connector service linked role policy: streaming makes the role."""
    resource = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    _check_insights(call, StreamingConfiguration)
    answer = replace_setting(call, VOICE_CONNECTOR, resource, "StreamingConfiguration", StreamingConfiguration)
    if not StreamingConfiguration["Disabled"]:
        ensure_role(call, STREAMING_SERVICE, "Streaming")
    return answer


def _insights_arn(streaming: Streaming) -> str:
    """The ARN of the media insights configuration that a request names; empty without one."""
    return streaming.get("MediaInsightsConfiguration", {}).get("ConfigurationArn", "")


def _check_insights(call: Call, streaming: Streaming) -> None:
    """The configuration is the caller's, in this Region, and stays locked. AWS's messages are not recorded."""
    insights, arn = streaming.get("MediaInsightsConfiguration"), _insights_arn(streaming)
    if insights is not None and not arn and not insights.get("Disabled", False):
        raise bad_request("MediaInsightsConfiguration must have a ConfigurationArn, unless it is Disabled.")
    if arn and INSIGHTS_CONFIGURATION.kept.find(call, INSIGHTS_CONFIGURATION, (arn,), locked=True) is None:
        raise AwsError("NotFoundException", f"Media insights pipeline configuration {arn} was not found.")


def _delete_before_emergency_calling(call: Call, connector_id: str, member: str) -> Answer:
    """The API reference: emergency calling is deleted first. The error is not recorded."""
    resource = existing(call, VOICE_CONNECTOR, connector_id, locked=True)
    if resources.setting(call.db, resource.key, "EmergencyCallingConfiguration") is not None:
        raise bad_request(f"Delete the EmergencyCallingConfiguration before the {member}.")
    remove_setting(call, VOICE_CONNECTOR, resource, member)
    return {}


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _streaming_connectors(connection: Any, account_id: str) -> Sequence[RoleUsage]:
    """The connectors that stream, by Region: the role must stay while there are any."""
    by_region: dict[str, list[str]] = {}
    found = resources.settings_of_kind(connection, account_id, VOICE_CONNECTOR.name, "StreamingConfiguration")
    for region, connector, configuration in found:
        if not configuration["Disabled"]:
            by_region.setdefault(region, []).append(connector.content["VoiceConnectorArn"])
    return [RoleUsage(region, tuple(arns)) for region, arns in by_region.items()]


RESOURCE_FINDERS[STREAMING_SERVICE] = _streaming_connectors
