"""An app instance with users, and calls of messaging in their names, for the tests of messaging."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from botocore import xform_name
from botocore.exceptions import ClientError

from rolecall.storage import tables as t

ACCOUNT, OTHER = "111122223333", "444455556666"
ARN = f"arn:aws:chime:us-east-1:{ACCOUNT}:"


def allow(*actions: str, resource: Any = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def user(name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}],
        "inline_policies": {"own": {"Version": "2012-10-17", "Statement": list(statements)}},
    }


def world_of(*users: dict[str, Any]) -> str:
    accounts = [
        {"id": ACCOUNT, "users": [user("admin", allow("*")), *users]},
        {"id": OTHER, "users": [user("stranger", allow("*"))]},
    ]
    return json.dumps({"version": 1, "accounts": accounts})


class Chat:
    """Calls by the names of operations. The app instance has an administrator, root, and five users.

    ``as_`` names the user of ChimeBearer. Members ending in Arn take the id of a user, or a whole ARN.
    """

    def __init__(self, world: Any) -> None:
        self.world, self.clock = world, world.clock
        world.clock.freeze()
        self.messaging = world.client("chime-sdk-messaging", "admin")
        self.identity = world.client("chime-sdk-identity", "admin")
        self.instance = self.identity.create_app_instance(Name="chat")["AppInstanceArn"]
        for name in ("root", "ana", "ben", "cem", "dee", "eva"):
            self.identity.create_app_instance_user(
                AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name.title()
            )
        self.identity.create_app_instance_admin(AppInstanceArn=self.instance, AppInstanceAdminArn=self.arn("root"))

    def arn(self, name: str) -> str:
        return name if name.startswith("arn:") else f"{self.instance}/user/{name}"

    def call(self, operation: str, as_: str | None = None, client: Any = None, **parameters: Any) -> dict[str, Any]:
        if as_ is not None:
            parameters["ChimeBearer"] = self.arn(as_)
        for name in ("MemberArn", "ChannelModeratorArn", "AppInstanceUserArn"):
            if name in parameters:
                parameters[name] = self.arn(parameters[name])
        for name in ("MemberArns", "ModeratorArns"):
            if name in parameters:
                parameters[name] = [self.arn(each) for each in parameters[name]]
        answer = getattr(client or self.messaging, xform_name(operation))(**parameters)
        del answer["ResponseMetadata"]
        return dict(answer)

    def refused(self, operation: str, as_: str | None = None, client: Any = None, **parameters: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.call(operation, as_, client, **parameters)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    def code(self, operation: str, as_: str | None = None, **parameters: Any) -> str:
        """The code of the refusal; empty when the call is answered."""
        try:
            self.call(operation, as_, **parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    def channel(self, as_: str = "ana", **more: Any) -> str:
        parameters = {"AppInstanceArn": self.instance, "Name": "general", **more}
        return str(self.call("CreateChannel", as_, **parameters)["ChannelArn"])

    def join(self, channel: str, *names: str, as_: str = "ana", **more: Any) -> None:
        for name in names:
            self.call("CreateChannelMembership", as_, ChannelArn=channel, MemberArn=name, **{"Type": "DEFAULT", **more})

    def send(self, channel: str, as_: str = "ana", text: str = "hello", **more: Any) -> str:
        parameters = {"Content": text, "Type": "STANDARD", "Persistence": "PERSISTENT", **more}
        return str(self.call("SendChannelMessage", as_, ChannelArn=channel, **parameters)["MessageId"])

    def texts(self, channel: str, as_: str = "ana", **more: Any) -> list[str]:
        answer = self.call("ListChannelMessages", as_, ChannelArn=channel, **more)
        return [each["Content"] for each in answer["ChannelMessages"]]

    def members(self, channel: str, as_: str = "ana", **more: Any) -> list[str]:
        answer = self.call("ListChannelMemberships", as_, ChannelArn=channel, **more)
        return [each["Member"]["Name"].lower() for each in answer["ChannelMemberships"]]

    def events(self) -> list[dict[str, Any]]:
        """The rows of the table of events, oldest first, with their JSON read. The rows are removed."""
        with self.world.database.transaction() as connection:
            rows = connection.execute(sa.select(t.messaging_events).order_by(t.messaging_events.c.event_id))
            found = [dict(row._mapping) for row in rows]
            connection.execute(sa.delete(t.messaging_events))
        for row in found:
            row["payload"], row["user_arns"] = json.loads(row["payload"]), json.loads(row["user_arns"])
        return found
