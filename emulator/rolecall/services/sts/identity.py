"""The caller's identity: GetCallerIdentity and GetAccessKeyInfo."""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.ids import account_of_access_key
from rolecall.services.registry import Answer, Call, no_permission, operation
from rolecall.storage import gather

# Not recorded from AWS.
UNKNOWN_ACCESS_KEY_MESSAGE = "The access key id carries no account and is not one of this sandbox: {access_key_id}"


@operation("sts", "GetCallerIdentity", permissions=no_permission)
def get_caller_identity(call: Call) -> Answer:
    """The principal behind the credentials. Works under an explicit deny, as on AWS."""
    principal = call.caller.principal
    return {"UserId": principal.user_id, "Account": principal.account_id, "Arn": principal.arn}


@operation("sts", "GetAccessKeyInfo")
def get_access_key_info(call: Call, *, AccessKeyId: str) -> Answer:
    """The account of an access key id. It is read from the id itself; the key need not exist.

    Ids that carry no account (older and invented ones) are looked up among the sandbox's keys.
    """
    account_id = account_of_access_key(AccessKeyId)
    if account_id is None:
        key = gather.access_key(call.db, AccessKeyId)
        if key is None:
            raise AwsError("ValidationError", UNKNOWN_ACCESS_KEY_MESSAGE.format(access_key_id=AccessKeyId))
        account_id = key.account_id
    return {"Account": account_id}
