"""Container credentials: what the agent of ECS answers to the containers of a task.

Source: aws/amazon-ecs-agent, the credentials endpoint of its task metadata server: paths, members and errors. It needs
no token. An SDK that is given a whole URL sends one, so here it is needed. AWS's answers to a wrong one are not
recorded, because ECS has none.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from base64 import urlsafe_b64encode

from rolecall.access.check import RefusedError
from rolecall.arns import iam_arn
from rolecall.clock import iso8601
from rolecall.delivery.asked import Asked, Delivered, Minting
from rolecall.delivery.issuing import Wanted, current, duration_of
from rolecall.delivery.kinds import KINDS
from rolecall.errors import AwsError
from rolecall.http import HttpAnswer
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.storage.attachments import Attachment
from rolecall.storage.roles import role_by_name

SERVICE = KINDS["ecs"].principal
_CREDENTIALS_PATH = "/v2/credentials"
# SDKs go there when they get a relative path.
RELATIVE_HOST = "169.254.170.2"
_RELATIVE_PORT = 80
_JSON = "application/json"
NO_ID_MESSAGE = "CredentialsV2Request: No ID in the request"
UNKNOWN_ID_MESSAGE = "CredentialsV2Request: ID not found"
NO_CREDENTIALS_MESSAGE = "CredentialsV2Request: Credentials uninitialized for ID"
TOKEN_MESSAGE = "The Authorization header must be the token of this task."  # noqa: S105 - a message


def credentials_id(attachment: Attachment) -> str:
    """The id in the path. The agent makes up one for each task."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rolecall task {attachment.account_id}/{attachment.attachment_id}"))


def operation_of(asked: Asked) -> str:
    """Raises AwsError for a request without the id of the task or without its token."""
    request = asked.request
    if request.method not in ("GET", "HEAD"):
        raise AwsError("MethodNotAllowed", "The method must be GET.", status=405)
    prefix, _, wanted = request.raw_path.rstrip("/").rpartition("/")
    if request.raw_path.rstrip("/") == _CREDENTIALS_PATH:
        raise AwsError("NoIdInRequest", NO_ID_MESSAGE, status=400)
    if prefix != _CREDENTIALS_PATH:
        raise AwsError("NotFound", "404 page not found", status=404)
    if not hmac.compare_digest(wanted.encode(), credentials_id(asked.attachment).encode()):
        raise AwsError("InvalidIdInRequest", UNKNOWN_ID_MESSAGE, status=400)
    if not _is_own_token(asked.keys, asked.attachment, request.headers.get("authorization", "")):
        raise AwsError("Unauthorized", TOKEN_MESSAGE, status=401)
    return "GetTaskCredentials"


def answer(asked: Asked, _operation: str) -> Delivered:
    attachment, facts = asked.attachment, asked.attachment.facts
    held = role_by_name(asked.db, attachment.account_id, facts["role"])
    path, name = ("/", facts["role"]) if held is None else (held.path, held.name)
    role_arn = iam_arn(attachment.account_id, "role", path, name)
    wanted = Wanted(
        service=SERVICE,
        role_arn=role_arn,
        session_name=attachment.attachment_id,
        region=facts["region"],
        duration_seconds=duration_of(asked),
        # ECS Developer Guide, confused deputy: "the aws:SourceArn … * as the cluster": no task or cluster is named.
        source_arn=f"arn:aws:ecs:{facts['region']}:{attachment.account_id}:*",
    )
    try:
        issued, decisions = current(asked, wanted)
    except RefusedError as refused:
        # The agent has no credentials for the task until ECS could assume its role.
        refused.code, refused.status, refused.message = "CredentialsUninitialized", 503, NO_CREDENTIALS_MESSAGE
        raise
    credentials = issued.credentials
    document = {
        "RoleArn": role_arn,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": iso8601(credentials.expires_at_seconds),
    }
    return Delivered(HttpAnswer(200, json.dumps(document).encode(), _JSON), issued.caller, decisions)


def refusal(error: AwsError) -> HttpAnswer:
    status = error.status or KINDS["ecs"].operations["GetTaskCredentials"].get(error.code, 500)
    document = {"code": error.code, "message": error.message, "HTTPErrorCode": status}
    return HttpAnswer(status, json.dumps(document).encode(), _JSON)


def environment(attachment: Attachment, url: str, minting: Minting) -> dict[str, str]:
    """A relative path where SDKs look for it; anywhere else the whole URL, with the token that goes with one."""
    path = f"{_CREDENTIALS_PATH}/{credentials_id(attachment)}"
    token = own_token(minting.keys.newest, attachment)
    if (attachment.host, attachment.bound_port) == (RELATIVE_HOST, _RELATIVE_PORT):
        return {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": path, "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{path}", "AWS_CONTAINER_AUTHORIZATION_TOKEN": token}


def own_token(key: SealingKey, attachment: Attachment) -> str:
    """The declared token, or one that only this sandbox can make."""
    declared: str | None = attachment.facts.get("authorization_token")
    if declared is not None:
        return declared
    text = f"task token\0{attachment.account_id}\0{attachment.attachment_id}"
    return urlsafe_b64encode(hmac.digest(key.delivery_key, text.encode(), hashlib.sha256)).decode("ascii").rstrip("=")


def _is_own_token(keys: KeyRing, attachment: Attachment, sent: str) -> bool:
    given = sent.encode("latin-1", "replace")
    known = [hmac.compare_digest(own_token(key, attachment).encode(), given) for key in keys.all()]
    return any(known)
