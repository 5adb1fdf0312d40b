"""DecodeAuthorizationMessage: the reasons of a refusal, for a caller who may read them."""

from __future__ import annotations

import json

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.sessions.authorization_messages import open_message
from rolecall.sessions.tokens import BadTokenError

# AWS's wording was not recorded.
INVALID_MESSAGE = "Message is not valid"


@operation("sts", "DecodeAuthorizationMessage", writes=False)
def decode_authorization_message(call: Call, *, EncodedMessage: str) -> Answer:
    """What an encoded message says, as JSON text. API reference: DecodeAuthorizationMessage.

    Raises AwsError InvalidAuthorizationMessageException for a message that is damaged, expired, or from another account
    or sandbox.
    """
    try:
        message = open_message(call.keys, call.account_id, EncodedMessage, call.now_seconds)
    except BadTokenError as error:
        raise AwsError("InvalidAuthorizationMessageException", INVALID_MESSAGE, reason=str(error)) from error
    return {"DecodedMessage": json.dumps(message, separators=(",", ":"))}
