"""The host that clients open websockets to (Amazon Chime SDK API reference, GetMessagingSessionEndpoint)."""

from __future__ import annotations

from rolecall.services.chime_sdk_messaging.kinds import SERVICE
from rolecall.services.registry import Answer, Call, operation

# A client that has another way to Rolecall under one of AWS's names could reach AWS with the websocket. Names below
# localhost never leave the machine (RFC 6761). The first label is recorded: ``node001.ue1.ws-messaging.chime.aws``.
_OWN_NAME = "node001.ws-messaging.chime.rolecall.localhost"
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".aws")


@operation(SERVICE, "GetMessagingSessionEndpoint")
def get_session_endpoint(call: Call, *, NetworkType: str | None = None) -> Answer:
    """The name and port under which the client called: the websockets are there too.

    AWS answers another name for DUAL_STACK. Here one name serves both, as far as it has addresses of both kinds.
    """
    name, _, port = call.host.partition(":")
    if name.lower().removesuffix(".").endswith(_AWS_DOMAINS):
        return {"Endpoint": {"Url": f"{_OWN_NAME}:{port}" if port else _OWN_NAME}}
    return {"Endpoint": {"Url": call.host}}
