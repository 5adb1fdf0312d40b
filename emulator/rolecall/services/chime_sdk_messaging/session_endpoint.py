"""The host that clients open websockets to (Amazon Chime SDK API reference, GetMessagingSessionEndpoint)."""

from __future__ import annotations

from rolecall.services.chime_sdk_messaging.kinds import SERVICE
from rolecall.services.registry import Answer, Call, operation

# A client that has another way to Rolecall under one of AWS's names could reach AWS with the websocket. Names below
# localhost never leave the machine (RFC 6761). AWS's name is recorded: node001.ue1.ws-messaging.chime.aws.
_OWN_DOMAIN = "ws-messaging.chime.rolecall.localhost"
_AWS_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".aws")


@operation(SERVICE, "GetMessagingSessionEndpoint")
def get_session_endpoint(call: Call, *, NetworkType: str | None = None) -> Answer:
    """The name and port under which the client called: the websockets are there, too.

    AWS has another name for DUAL_STACK. A name that the client chose serves both kinds.
    """
    name, _, port = call.host.partition(":")
    if not name.lower().removesuffix(".").endswith(_AWS_DOMAINS):
        return {"Endpoint": {"Url": call.host}}
    own_name = f"node001.dualstack.{_OWN_DOMAIN}" if NetworkType == "DUAL_STACK" else f"node001.{_OWN_DOMAIN}"
    return {"Endpoint": {"Url": f"{own_name}:{port}" if port else own_name}}
