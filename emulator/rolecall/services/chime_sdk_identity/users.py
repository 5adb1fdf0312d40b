"""Users of app instances and when they expire (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.contents.app_instances import new_user
from rolecall.contents.expiration import expires_at_seconds
from rolecall.services.app_instance_kinds import APP_INSTANCE, SERVICE, USER, Expiration, put_expiration
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import change, delete, existing, get, keep, list_, made_with_token

list_(USER, "ListAppInstanceUsers")
get(USER, "DescribeAppInstanceUser")
delete(USER, "DeleteAppInstanceUser")


@operation(SERVICE, "CreateAppInstanceUser")
def create_user(
    call: Call,
    *,
    AppInstanceArn: str,
    AppInstanceUserId: str,
    Name: str,
    ClientRequestToken: str,
    Metadata: str | None = None,
    Tags: Sequence[Tag] = (),
    ExpirationSettings: Expiration | None = None,
) -> Answer:
    """A user with the caller's id, or the user that this token made in this app instance before.

    Raises AwsError NotFoundException for the app instance, ConflictException for an id that is taken, and for a
    token that made a user of another id.
    """
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    token = f"{instance.resource_id} {ClientRequestToken}"
    user_id = f"{instance.resource_id}/{AppInstanceUserId}"
    arn = {"AppInstanceUserArn": USER.arn(call, user_id)}
    if made_with_token(call, USER, token, arn) is not None:
        return arn
    content = new_user(arn["AppInstanceUserArn"], Name, Metadata, call.now_seconds)
    if ExpirationSettings is not None:
        content["ExpirationSettings"] = ExpirationSettings
    end = expires_at_seconds(content)
    keep(call, USER, user_id, content, Tags, parent=instance, create_token=token, ends_at_seconds=end)
    return arn


@operation(SERVICE, "UpdateAppInstanceUser")
def update_user(call: Call, *, AppInstanceUserArn: str, Name: str, Metadata: str) -> Answer:
    change(call, USER, AppInstanceUserArn, members={"Name": Name, "Metadata": Metadata})
    return {"AppInstanceUserArn": AppInstanceUserArn}


@operation(SERVICE, "PutAppInstanceUserExpirationSettings")
def put_user_expiration(call: Call, *, AppInstanceUserArn: str, ExpirationSettings: Expiration | None = None) -> Answer:
    user = existing(call, USER, AppInstanceUserArn, locked=True)
    return {"AppInstanceUserArn": AppInstanceUserArn, **put_expiration(call, USER, user, ExpirationSettings)}
