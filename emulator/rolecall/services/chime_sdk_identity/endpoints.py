"""Devices to which a user's messages are pushed (Amazon Chime SDK API reference). Rolecall pushes nothing to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, cast

from rolecall.access.permission import Permission
from rolecall.contents.app_instances import ENDPOINT_SECRET, MAXIMUM_ENDPOINTS, new_endpoint
from rolecall.errors import limit_exceeded
from rolecall.services.app_instance_kinds import PAGE_SIZE, SERVICE, USER
from rolecall.services.kinds import Kind
from rolecall.services.other_services import is_beside
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import change, delete, existing, get, keep, list_, made_with_token
from rolecall.storage import resources

# The attributes are tokens with which anybody could send to the device.
ENDPOINT = Kind(
    SERVICE,
    "app-instance-user-endpoint",
    "EndpointId",
    parent=USER,
    page_size=PAGE_SIZE,
    secret_member=ENDPOINT_SECRET,
)

get(ENDPOINT, "DescribeAppInstanceUserEndpoint")
list_(ENDPOINT, "ListAppInstanceUserEndpoints")
delete(ENDPOINT, "DeregisterAppInstanceUserEndpoint")


class _Device(TypedDict):
    DeviceToken: str


class Attributes(_Device, total=False):
    """The tokens of a device."""

    VoipDeviceToken: str


def _permissions_to_register(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the caller must be able to read the Pinpoint application, too."""
    reading = Permission("mobiletargeting:GetApp", parameters["ResourceArn"])
    return (*table_permissions(call, parameters), reading)


@operation(SERVICE, "RegisterAppInstanceUserEndpoint", permissions=_permissions_to_register)
def register_endpoint(
    call: Call,
    *,
    AppInstanceUserArn: str,
    Type: str,
    ResourceArn: str,
    EndpointAttributes: Attributes,
    ClientRequestToken: str,
    Name: str | None = None,
    AllowMessages: str = "ALL",
) -> Answer:
    """A new endpoint of the user, or the one that this token made before.

    Developer Guide, Using mobile push notifications: the Pinpoint application is in the account and the Region of the
    app instance. API reference, EndpointState: with an invalid ARN the endpoint is inactive.
    """
    user = existing(call, USER, AppInstanceUserArn, locked=True)
    token = f"{user.key} {ClientRequestToken}"
    before = made_with_token(call, ENDPOINT, token, {"Type": Type, "ResourceArn": ResourceArn})
    if before is not None:
        return {"AppInstanceUserArn": AppInstanceUserArn, "EndpointId": before.resource_id}
    place = ENDPOINT.place(call)
    if resources.count(call.db, place, now_seconds=call.now_seconds, parent_key=user.key) >= MAXIMUM_ENDPOINTS:
        raise limit_exceeded(f"A user may have at most {MAXIMUM_ENDPOINTS} endpoints.")
    endpoint_id = call.ids.uuid()
    attributes = cast("dict[str, str]", EndpointAttributes)
    content = new_endpoint(
        AppInstanceUserArn, endpoint_id, Type, ResourceArn, attributes, AllowMessages, Name, call.now_seconds
    )
    if not is_beside(call, ResourceArn, "mobiletargeting", "apps/"):
        content["EndpointState"] = {"Status": "INACTIVE", "StatusReason": "INVALID_PINPOINT_ARN"}
    keep(call, ENDPOINT, endpoint_id, content, parent=user, create_token=token)
    return {"AppInstanceUserArn": AppInstanceUserArn, "EndpointId": endpoint_id}


@operation(SERVICE, "UpdateAppInstanceUserEndpoint")
def update_endpoint(
    call: Call, *, AppInstanceUserArn: str, EndpointId: str, Name: str | None = None, AllowMessages: str | None = None
) -> Answer:
    """Members that are left out stay as they are."""
    members = {"Name": Name, "AllowMessages": AllowMessages}
    change(call, ENDPOINT, AppInstanceUserArn, EndpointId, members=members)
    return {"AppInstanceUserArn": AppInstanceUserArn, "EndpointId": EndpointId}
