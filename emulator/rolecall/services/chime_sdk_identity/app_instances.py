"""App instances and how long their channels keep messages (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.contents.app_instances import RETENTION, new_app_instance
from rolecall.errors import limit_exceeded
from rolecall.services.app_instance_kinds import APP_INSTANCE, SERVICE
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import change, delete, existing, get, keep, list_, made_with_token
from rolecall.storage import resources

# AWS General Reference, Amazon Chime SDK endpoints and quotas.
MAXIMUM_APP_INSTANCES = 100
# Developer Guide, Managing message retention: messages are deleted after a grace period.
_GRACE_SECONDS = 30 * 86_400

get(APP_INSTANCE, "DescribeAppInstance")
list_(APP_INSTANCE, "ListAppInstances")
# AWS deletes what belongs to the instance after the answer, Rolecall before it.
delete(APP_INSTANCE, "DeleteAppInstance")


class ChannelRetention(TypedDict, total=False):
    """For how many days channels keep messages."""

    RetentionDays: int


class Retention(TypedDict, total=False):
    """What an app instance keeps."""

    ChannelRetentionSettings: ChannelRetention


@operation(SERVICE, "CreateAppInstance")
def create_app_instance(
    call: Call, *, Name: str, ClientRequestToken: str, Metadata: str | None = None, Tags: Sequence[Tag] = ()
) -> Answer:
    """A new app instance, or the one that this token made before."""
    before = made_with_token(call, APP_INSTANCE, ClientRequestToken)
    if before is not None:
        return {"AppInstanceArn": before.content["AppInstanceArn"]}
    if resources.count(call.db, APP_INSTANCE.place(call), now_seconds=call.now_seconds) >= MAXIMUM_APP_INSTANCES:
        raise limit_exceeded(f"An account may have at most {MAXIMUM_APP_INSTANCES} app instances.")
    instance_id = call.ids.uuid()
    content = new_app_instance(APP_INSTANCE.arn(call, instance_id), Name, Metadata, call.now_seconds)
    keep(call, APP_INSTANCE, instance_id, content, Tags, create_token=ClientRequestToken)
    return {"AppInstanceArn": content["AppInstanceArn"]}


@operation(SERVICE, "UpdateAppInstance")
def update_app_instance(call: Call, *, AppInstanceArn: str, Name: str, Metadata: str) -> Answer:
    change(call, APP_INSTANCE, AppInstanceArn, members={"Name": Name, "Metadata": Metadata})
    return {"AppInstanceArn": AppInstanceArn}


@operation(SERVICE, "PutAppInstanceRetentionSettings")
def put_retention(call: Call, *, AppInstanceArn: str, AppInstanceRetentionSettings: Retention) -> Answer:
    """Without RetentionDays messages are kept for ever."""
    resource = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    answer: Answer = {RETENTION: AppInstanceRetentionSettings}
    if "RetentionDays" in AppInstanceRetentionSettings.get("ChannelRetentionSettings", {}):
        answer["InitiateDeletionTimestamp"] = int(call.now_seconds) + _GRACE_SECONDS
    APP_INSTANCE.kept.put_setting(call, resource, RETENTION, answer)
    return answer


@operation(SERVICE, "GetAppInstanceRetentionSettings")
def get_retention(call: Call, *, AppInstanceArn: str) -> Answer:
    """Empty settings before any are put. The model has no error for that; AWS's answer is not recorded.

    Settings of the sandbox file have been in force for long: nothing is to be deleted at a later time.
    """
    resource = existing(call, APP_INSTANCE, AppInstanceArn)
    return dict(APP_INSTANCE.kept.setting(call, resource, RETENTION) or {RETENTION: {}})
