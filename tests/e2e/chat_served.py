"""A chat on a served sandbox: an app instance with users and a channel, and credentials that act as one user alone."""

from __future__ import annotations

import json
from typing import Any

from pushed_messages import presigned
from served import ADMIN, Server, boto3_session


class ServedChat:
    """Ana, Ben and Cem; Ana and Ben are in the channel. ``verify`` is the file of the authority for https."""

    def __init__(self, server: Server, verify: Any = None) -> None:
        self.server, self._verify = server, verify
        identity = self.client("chime-sdk-identity")
        self.instance = identity.create_app_instance(Name="chat")["AppInstanceArn"]
        for name in ("ana", "ben", "cem"):
            identity.create_app_instance_user(AppInstanceArn=self.instance, AppInstanceUserId=name, Name=name)
        messaging = self.client("chime-sdk-messaging")
        named = {"AppInstanceArn": self.instance, "Name": "lunch", "ChimeBearer": self.arn("ana")}
        self.channel = messaging.create_channel(**named)["ChannelArn"]
        messaging.create_channel_membership(
            ChannelArn=self.channel, MemberArn=self.arn("ben"), Type="DEFAULT", ChimeBearer=self.arn("ana")
        )

    def client(self, service: str) -> Any:
        """The administrator's client, with a connection of its own."""
        return boto3_session().client(
            service,
            endpoint_url=self.server.url,
            aws_access_key_id=ADMIN[0],
            aws_secret_access_key=ADMIN[1],
            verify=self._verify,
        )

    def arn(self, name: str) -> str:
        return f"{self.instance}/user/{name}"

    def send(self, text: str, client: Any = None) -> None:
        (client or self.client("chime-sdk-messaging")).send_channel_message(
            ChannelArn=self.channel,
            Content=text,
            Type="STANDARD",
            Persistence="PERSISTENT",
            ChimeBearer=self.arn("ana"),
        )

    def credentials_of(self, name: str) -> tuple[str, str, str]:
        """Id, secret and token that may only act as this user."""
        actions = ["Connect", "SendChannelMessage", "ListChannelMessages"]
        statements = [
            {"Effect": "Allow", "Action": "chime:GetMessagingSessionEndpoint", "Resource": "*"},
            {
                "Effect": "Allow",
                "Action": [f"chime:{action}" for action in actions],
                "Resource": [self.arn(name), f"{self.instance}/channel/*"],
            },
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        issued = self.client("sts").get_federation_token(Name=name, Policy=policy)["Credentials"]
        return issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]

    def url(self, name: str, keys: tuple[str, ...] | None = None, **more: str) -> str:
        """What a page of the user opens."""
        endpoint = self.client("chime-sdk-messaging").get_messaging_session_endpoint()["Endpoint"]["Url"]
        scheme = self.server.url.partition(":")[0]
        return presigned(f"{scheme}://{endpoint}", self.arn(name), keys or self.credentials_of(name), **more)
