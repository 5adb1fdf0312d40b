"""Where an app instance streams its messages (Amazon Chime SDK API reference). Rolecall streams nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.arns import parse_arn
from rolecall.errors import AwsError, bad_request
from rolecall.services.app_instance_kinds import APP_INSTANCE
from rolecall.services.chime_sdk_messaging.kinds import SERVICE
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import existing

_STREAMING = "StreamingConfigurations"
# Developer Guide, Streaming messaging data.
_STREAM_PREFIX = "stream/chime-messaging-"


class Streaming(TypedDict):
    """The Kinesis stream of one type of data."""

    DataType: str
    ResourceArn: str


@operation(SERVICE, "PutMessagingStreamingConfigurations")
def put_streaming(call: Call, *, AppInstanceArn: str, StreamingConfigurations: Sequence[Streaming]) -> Answer:
    """Replace the configurations: one for each type of data. AWS's messages are not recorded."""
    types = [each["DataType"] for each in StreamingConfigurations]
    if len(set(types)) < len(types):
        raise bad_request("StreamingConfigurations must not have the same DataType twice.")
    for each in StreamingConfigurations:
        stream = parse_arn(each["ResourceArn"])
        if stream is None or stream.service != "kinesis" or not stream.resource.startswith(_STREAM_PREFIX):
            raise bad_request("ResourceArn must be a Kinesis stream whose name begins with chime-messaging-.")
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    content = {_STREAMING: list(StreamingConfigurations)}
    APP_INSTANCE.kept.put_setting(call, instance, _STREAMING, content)
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
