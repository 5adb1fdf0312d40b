"""An app instance of the Chime SDK with users, made by real calls, as most tests of identity and messaging begin."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SERVICE = "chime-sdk-identity"
DEFAULT_USERS = ("user-1", "user-2")


@dataclass(frozen=True, slots=True)
class AppInstance:
    """An app instance. ``users`` are the ARNs of its users, by their ids."""

    arn: str
    users: Mapping[str, str]


def made_app_instance(
    client: Any, users: Sequence[str], admins: Sequence[str], members: Mapping[str, Any]
) -> AppInstance:
    """A new app instance with users of these ids, and administrators. Each id is the name of its user, too.

    Raises ClientError.
    """
    asked = {"Name": "rolecall", "ClientRequestToken": str(uuid.uuid4()), **members}
    arn = client.create_app_instance(**asked)["AppInstanceArn"]
    ids = dict.fromkeys((*users, *admins) or DEFAULT_USERS)
    made = {
        each: client.create_app_instance_user(
            AppInstanceArn=arn, AppInstanceUserId=each, Name=each, ClientRequestToken=str(uuid.uuid4())
        )["AppInstanceUserArn"]
        for each in ids
    }
    for each in admins:
        client.create_app_instance_admin(AppInstanceArn=arn, AppInstanceAdminArn=made[each])
    return AppInstance(arn, made)
