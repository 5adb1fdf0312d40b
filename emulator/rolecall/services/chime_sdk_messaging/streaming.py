"""Where an app instance streams its messages (Amazon Chime SDK API reference). Rolecall streams nothing.

Developer Guide, Using service-linked roles for data streaming: the first configuration makes the service-linked role.
The role cannot be deleted while there are configurations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.access.permission import Permission
from rolecall.errors import AwsError, bad_request
from rolecall.services.app_instance_kinds import APP_INSTANCE
from rolecall.services.chime_sdk_messaging.kinds import SERVICE
from rolecall.services.linked_roles import ensure_role, permission_to_make
from rolecall.services.other_services import check_beside
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import existing
from rolecall.storage import resources
from rolecall.storage.service_linked_roles import RESOURCE_FINDERS, RoleUsage

STREAMING_SERVICE = "messaging.chime.amazonaws.com"
_STREAMING = "StreamingConfigurations"
# What the service-linked role does with a stream. AWS checks that the caller may do it, too: public code reports its
# refusals "Unable to access Kinesis stream NAME" and "Unable to create service linked role ARN", without their codes.
_ACTIONS_ON_STREAMS = ("kinesis:DescribeStream", "kinesis:PutRecord", "kinesis:PutRecords")
# Developer Guide, Streaming messaging data.
_STREAM_PREFIX = "stream/chime-messaging-"


class Streaming(TypedDict):
    """The Kinesis stream of one type of data."""

    DataType: str
    ResourceArn: str


def _permissions_to_stream(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The caller's own rights on the streams, and the right to make the role, where there is the app instance."""
    own = [*table_permissions(call, parameters)]
    if APP_INSTANCE.kept.find(call, APP_INSTANCE, (parameters["AppInstanceArn"],), locked=False) is None:
        return own
    streams = dict.fromkeys(each["ResourceArn"] for each in parameters[_STREAMING])
    own += [Permission(action, stream) for stream in streams for action in _ACTIONS_ON_STREAMS]
    making = permission_to_make(call, STREAMING_SERVICE)
    return own if making is None else [*own, making]


@operation(SERVICE, "PutMessagingStreamingConfigurations", permissions=_permissions_to_stream)
def put_streaming(call: Call, *, AppInstanceArn: str, StreamingConfigurations: Sequence[Streaming]) -> Answer:
    """Replace the configurations: one for each type of data. AWS's messages are not recorded.

    Developer Guide, Streaming messaging data: a stream is in the account and the Region of the app instance.
    """
    types = [each["DataType"] for each in StreamingConfigurations]
    if len(set(types)) < len(types):
        raise bad_request("StreamingConfigurations must not have the same DataType twice.")
    for each in StreamingConfigurations:
        stream = "a Kinesis stream whose name begins with chime-messaging-"
        check_beside(call, each["ResourceArn"], "kinesis", _STREAM_PREFIX, stream)
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    content = {_STREAMING: list(StreamingConfigurations)}
    APP_INSTANCE.kept.put_setting(call, instance, _STREAMING, content)
    ensure_role(call, STREAMING_SERVICE, "Streaming")
    return content


@operation(SERVICE, "GetMessagingStreamingConfigurations")
def get_streaming(call: Call, *, AppInstanceArn: str) -> Answer:
    """Raises AwsError NotFoundException before any are put."""
    found = APP_INSTANCE.kept.setting(call, existing(call, APP_INSTANCE, AppInstanceArn), _STREAMING)
    if found is None:
        raise AwsError("NotFoundException", "The app instance has no streaming configurations.")
    return dict(found)


@operation(SERVICE, "DeleteMessagingStreamingConfigurations")
def delete_streaming(call: Call, *, AppInstanceArn: str) -> Answer:
    """Without configurations nothing happens: the model has no error for that. AWS's answer is not recorded."""
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    APP_INSTANCE.kept.remove_setting(call, instance, _STREAMING)
    return {}


def _streaming_instances(connection: Any, account_id: str) -> Sequence[RoleUsage]:
    """The app instances that stream, by Region."""
    by_region: dict[str, list[str]] = {}
    found = resources.settings_of_kind(connection, account_id, APP_INSTANCE.name, _STREAMING)
    for region, instance, _ in found:
        by_region.setdefault(region, []).append(instance.content["AppInstanceArn"])
    return [RoleUsage(region, tuple(arns)) for region, arns in by_region.items()]


RESOURCE_FINDERS[STREAMING_SERVICE] = _streaming_instances
