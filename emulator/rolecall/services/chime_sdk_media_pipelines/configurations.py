"""Configurations of media insights pipelines (API reference; Developer Guide, call analytics configurations)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.access.permission import Permission
from rolecall.arns import parse_arn
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_media_pipelines.elements import check_alerts, check_elements
from rolecall.services.chime_sdk_media_pipelines.pipelines import (
    INSIGHTS,
    PRINCIPAL,
    SERVICE,
    is_active,
    pipelines_here,
)
from rolecall.services.chime_sdk_media_pipelines.sources import bucket_of, with_dependent_actions
from rolecall.services.kinds import kind_with_arn, shown
from rolecall.services.members import Document, Tag
from rolecall.services.passed_roles import passing_permission, trusts_service
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import existing, get, keep, list_, made_with_token
from rolecall.storage import resources
from rolecall.storage.resources import Resource

MEMBER = "MediaInsightsPipelineConfiguration"
# The kind of services/chime_sdk_voice in the resource store, and the document that may name a configuration.
VOICE_CONNECTOR, STREAMING = "chime-sdk-voice/voice-connector", "StreamingConfiguration"

CONFIGURATION = kind_with_arn(
    SERVICE,
    "media-insights-pipeline-configuration",
    "MediaInsightsPipelineConfigurationName",
    identified_by="Identifier",
)

get(CONFIGURATION, "GetMediaInsightsPipelineConfiguration")
list_(CONFIGURATION, "ListMediaInsightsPipelineConfigurations")


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the role is passed, and the caller reads stream and bucket of the elements."""
    name = parameters.get("MediaInsightsPipelineConfigurationName") or parameters["Identifier"]
    arn = name if name.startswith("arn:") else CONFIGURATION.arn(call, name)
    found = with_dependent_actions(
        call,
        parameters,
        {
            "iam:PassRole": (),
            "kinesis:DescribeStream": _targets(parameters, "KinesisDataStreamSinkConfiguration", "InsightsTarget"),
            "s3:ListBucket": [
                bucket_of(each) or "*" for each in _targets(parameters, "S3RecordingSinkConfiguration", "Destination")
            ],
        },
    )
    return [*found, passing_permission(call, parameters["ResourceAccessRoleArn"], PRINCIPAL, arn)]


def _targets(parameters: Parameters, member: str, target: str) -> list[str]:
    configured = [each.get(member, {}) for each in parameters["Elements"]]
    return [each[target] for each in configured if target in each]


@operation(SERVICE, "CreateMediaInsightsPipelineConfiguration", permissions=_permissions)
def create_configuration(
    call: Call,
    *,
    MediaInsightsPipelineConfigurationName: str,
    ResourceAccessRoleArn: str,
    Elements: Sequence[Document],
    RealTimeAlertConfiguration: Document | None = None,
    Tags: Sequence[Tag] = (),
    ClientRequestToken: str | None = None,
) -> Answer:
    """The name is unique in account and Region. The same token answers the configuration that it made."""
    known = None if ClientRequestToken is None else made_with_token(call, CONFIGURATION, ClientRequestToken)
    if known is None:
        name = MediaInsightsPipelineConfigurationName
        content = {
            "MediaInsightsPipelineConfigurationName": name,
            "MediaInsightsPipelineConfigurationArn": CONFIGURATION.arn(call, name),
            **_asked(call, name, ResourceAccessRoleArn, Elements, RealTimeAlertConfiguration),
            "MediaInsightsPipelineConfigurationId": call.ids.uuid(),
            "CreatedTimestamp": call.now_seconds,
            "UpdatedTimestamp": call.now_seconds,
        }
        known = keep(call, CONFIGURATION, name, content, Tags, create_token=ClientRequestToken)
    return {MEMBER: shown(call, MEMBER, known.content)}


@operation(SERVICE, "UpdateMediaInsightsPipelineConfiguration", permissions=_permissions)
def update_configuration(
    call: Call,
    *,
    Identifier: str,
    ResourceAccessRoleArn: str,
    Elements: Sequence[Document],
    RealTimeAlertConfiguration: Document | None = None,
) -> Answer:
    """Replaces role, elements and alerts. Pipelines that run keep the elements with which they began."""
    found = existing(call, CONFIGURATION, Identifier, locked=True)
    asked = _asked(call, found.resource_id, ResourceAccessRoleArn, Elements, RealTimeAlertConfiguration)
    kept = {name: value for name, value in found.content.items() if name != "RealTimeAlertConfiguration"}
    content = {**kept, **asked, "UpdatedTimestamp": call.now_seconds}
    resources.set_content(call.db, found.key, content)
    return {MEMBER: shown(call, MEMBER, content)}


def _permissions_to_delete(call: Call, parameters: Parameters) -> Sequence[Permission]:
    return with_dependent_actions(call, parameters, {})


@operation(SERVICE, "DeleteMediaInsightsPipelineConfiguration", permissions=_permissions_to_delete)
def delete_configuration(call: Call, *, Identifier: str) -> Answer:
    """Raises AwsError ConflictException while a pipeline or a Voice Connector uses it."""
    found = existing(call, CONFIGURATION, Identifier, locked=True)
    if _is_in_use(call, found):
        message = f"Media insights pipeline configuration {found.resource_id} is in use."
        raise AwsError("ConflictException", message)
    resources.remove(call.db, found.key)
    return {}


def configuration_of(call: Call, arn: str) -> Resource:
    """The caller's configuration of that ARN, locked, so that it stays. Raises AwsError NotFoundException."""
    if parse_arn(arn) is None:
        raise bad_request("MediaInsightsPipelineConfigurationArn must be an ARN.")
    return existing(call, CONFIGURATION, arn, locked=True)


def _asked(
    call: Call, name: str, role_arn: str, elements: Sequence[Document], alerts: Document | None
) -> Mapping[str, Any]:
    """The checked members of a request.

    Raises AwsError BadRequestException for elements or alerts, ForbiddenException for a role that the service cannot
    assume. Terraform's provider waits for a new role while AWS answers that code; the words are not recorded.
    """
    check_elements(elements)
    if alerts is not None:
        check_alerts(alerts)
    if not trusts_service(call, role_arn, PRINCIPAL, CONFIGURATION.arn(call, name)):
        message = f"ResourceAccessRoleArn must be the ARN of a role of this account that {PRINCIPAL} may assume."
        raise AwsError("ForbiddenException", message)
    given = {} if alerts is None else {"RealTimeAlertConfiguration": alerts}
    return {"ResourceAccessRoleArn": role_arn, **given, "Elements": list(elements)}


def _is_in_use(call: Call, configuration: Resource) -> bool:
    arn = configuration.content["MediaInsightsPipelineConfigurationArn"]
    connectors = resources.settings_of_kind(call.db, call.account_id, VOICE_CONNECTOR, STREAMING)
    insights = [document.get("MediaInsightsConfiguration", {}) for _, _, document in connectors]
    return any(each.get("ConfigurationArn") == arn and not each.get("Disabled", False) for each in insights) or any(
        each.content[INSIGHTS]["MediaInsightsPipelineConfigurationArn"] == arn and is_active(call, each)
        for each in pipelines_here(call)
        if INSIGHTS in each.content
    )
