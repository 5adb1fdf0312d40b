"""The instance metadata service of EC2, versions 1 and 2: credentials of an instance profile, and facts of an instance.

Sources: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata" and "Retrieve security
credentials from instance metadata"; IAM User Guide, "Troubleshoot IAM and Amazon EC2" for the errors of ``iam/``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from rolecall.access.check import RefusedError
from rolecall.clock import iso8601
from rolecall.delivery.asked import Asked, Delivered, Issued, Minting, WorkWantedError
from rolecall.delivery.identity_documents import (
    ALGORITHM,
    PURPOSE,
    availability_zone,
    identity_document,
    new_identity_key,
    private_ip,
    signature,
    signed_document,
)
from rolecall.delivery.imds_tokens import MAXIMUM_TTL_SECONDS, MINIMUM_TTL_SECONDS, new_token, seconds_left
from rolecall.delivery.issuing import Wanted, current, duration_of
from rolecall.delivery.kinds import KINDS
from rolecall.delivery.metadata_versions import VERSIONS, is_role_path, of_version
from rolecall.errors import AwsError
from rolecall.http import HttpAnswer
from rolecall.storage.attachments import Attachment
from rolecall.storage.engine import Database
from rolecall.storage.gather import Entity, role
from rolecall.storage.instance_profiles import InstanceProfile, profile_by_id
from rolecall.storage.signing_keys import StoredSigningKey, kept_first, newest_signing_key

SERVICE = KINDS["imds"].principal
TOKEN_HEADER = "x-aws-ec2-metadata-token"  # noqa: S105 - a name
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
USER_DATA = "user-data"
_TEXT = "text/plain"
# EC2 User Guide, Run commands when you launch an EC2 instance with user data input: "treated as opaque data".
_OPAQUE = "application/octet-stream"
_PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
# The body of AWS's refusals.
_PAGE = (
    '<?xml version="1.0" encoding="iso-8859-1"?>\n'
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
    '\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
    '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
    " <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
)
_HEADERS = {"Server": "EC2ws"}
_TROUBLESHOOTING = (
    "Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/"
    "troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc."
)
# For the decision log alone.
HOPS_CODE = "HopLimitExceeded"
UNAUTHORIZED_CODE = "AssumeRoleUnauthorizedAccess"
UNAUTHORIZED_MESSAGE = f"EC2 cannot assume the role {{role}}.  {_TROUBLESHOOTING}"
NO_PROFILE_MESSAGE = f"Instance Profile {{arn}} cannot be found. {_TROUBLESHOOTING}"
NO_ROLE_MESSAGE = f"Instance Profile does not contain a role. {_TROUBLESHOOTING}"

# A file is a text, a folder a mapping of names to either.
Tree = Mapping[str, Any]


def operation_of(asked: Asked) -> str:
    """Raises AwsError for a request that the service refuses whatever it is about.

    "If a PUT request contains an X-Forwarded-For header, a token is not issued": EC2 User Guide.
    """
    request, path = asked.request, _path(asked)
    if path == TOKEN_PATH:
        if request.method != "PUT":
            raise AwsError("MethodNotAllowed", status=405)
        if "x-forwarded-for" in request.headers:
            raise AwsError("Forbidden", status=403, reason="a proxy forwarded the request: X-Forwarded-For is set")
        _ttl_seconds(asked)
        return "GetToken"
    if request.method not in ("GET", "HEAD"):
        raise AwsError("MethodNotAllowed", status=405)
    _version(asked)
    is_role = is_role_path(_parts(path)) and not path.endswith("/")
    return "GetSecurityCredentials" if is_role else "GetMetadata"


def answer(asked: Asked, operation: str) -> Delivered:
    """Raises AwsError with the status of AWS's answer."""
    if operation == "GetToken":
        if asked.attachment.facts["hops"] > asked.attachment.facts["http_put_response_hop_limit"]:
            # EC2 User Guide, HttpPutResponseHopLimit: the response with the token does not reach the program.
            return Delivered(None, error=AwsError(HOPS_CODE, reason="the response may not travel so many hops"))
        ttl_seconds = _ttl_seconds(asked)
        expires_at_seconds = int(asked.now_seconds) + ttl_seconds
        token = new_token(asked.keys, asked.ids, asked.attachment.attachment_id, expires_at_seconds)
        return Delivered(_text(token, {TTL_HEADER: str(ttl_seconds)}))
    headers = _ttl_left(asked)
    path = _path(asked)
    if operation == "GetSecurityCredentials":
        return _credentials(asked, path.rpartition("/")[2], headers)
    content_type = _OPAQUE if _parts(path)[1:] == [USER_DATA] else _TEXT
    return Delivered(_text(_found(asked, path), headers, content_type))


def refusal(error: AwsError) -> HttpAnswer:
    status = error.status or KINDS["imds"].operations["GetMetadata"].get(error.code, 500)
    page = _PAGE.format(title=f"{status} - {_PHRASES.get(status, error.code)}")
    return HttpAnswer(status, page.encode(), "text/html", _HEADERS)


def environment(_attachment: Attachment, url: str, _minting: Minting) -> dict[str, str]:
    """Older clients join the path to the address without a slash, so the address ends with one."""
    return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{url}/"}


# Tokens.


def _ttl_seconds(asked: Asked) -> int:
    text = asked.request.headers.get(TTL_HEADER, "")
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    if not MINIMUM_TTL_SECONDS <= seconds <= MAXIMUM_TTL_SECONDS:
        raise AwsError("BadRequest", status=400, reason=f"{TTL_HEADER} must be from 1 to 21600")
    return seconds


def _version(asked: Asked) -> str:
    """``2.0`` for a request with a token, ``1.0`` for one without. Raises AwsError Unauthorized.

    A token that is not valid is refused even where none is needed.
    """
    token = asked.request.headers.get(TOKEN_HEADER)
    if token is None:
        if asked.attachment.facts["http_tokens"] == "required":
            raise AwsError("Unauthorized", status=401, reason="the instance requires a token (IMDSv2)")
        return "1.0"
    if not _seconds_left(asked, token):
        reason = "the token has expired, or is not a token of this instance"
        raise AwsError("Unauthorized", status=401, reason=reason)
    return "2.0"


def _seconds_left(asked: Asked, token: str) -> int:
    return seconds_left(asked.keys, asked.attachment.attachment_id, token, asked.now_seconds)


def _ttl_left(asked: Asked) -> dict[str, str]:
    token = asked.request.headers.get(TOKEN_HEADER)
    return {} if token is None else {TTL_HEADER: str(_seconds_left(asked, token))}


# The tree of metadata.


def _path(asked: Asked) -> str:
    """The path with its escapes decoded. Repeated slashes count as one, because some clients send two."""
    parts = [part for part in unquote(asked.request.raw_path).split("/") if part]
    slash = "/" if asked.request.raw_path.endswith("/") and parts else ""
    return f"/{'/'.join(parts)}{slash}"


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _found(asked: Asked, path: str) -> str:
    """A file's text, or a folder's list. Raises AwsError NotFound."""
    version, *parts = _parts(path) or [""]
    if not version:
        return "\n".join(VERSIONS)
    if version not in VERSIONS:
        raise AwsError("NotFound", status=404)
    place: Any = of_version(_tree(asked), version)
    for part in parts:
        if not isinstance(place, Mapping) or part not in place:
            raise AwsError("NotFound", status=404)
        place = place[part]
    if callable(place):
        place = place()
    if isinstance(place, str):
        if path.endswith("/"):
            raise AwsError("NotFound", status=404)
        return place
    # The lists of versions and of what a version has are without slashes.
    marks = bool(parts)
    return "\n".join(
        f"{name}/" if marks and isinstance(below, Mapping) and below else name for name, below in place.items()
    )


def _tree(asked: Asked) -> Tree:
    """What the newest version has. Without user data, its path is not found."""
    attachment = asked.attachment
    document = identity_document(attachment)
    user_data = attachment.facts.get("user_data")
    return {
        "dynamic": {
            "instance-identity": {
                "document": document,
                "pkcs7": lambda: _signed(asked, document),
                "rsa2048": lambda: _signed(asked, document),
                "signature": lambda: signature(document, _identity_key(asked)[0]),
            }
        },
        "meta-data": _metadata(asked),
        **({} if user_data is None else {USER_DATA: user_data}),
    }


def _metadata(asked: Asked) -> Tree:
    attachment, facts = asked.attachment, asked.attachment.facts
    address, zone = private_ip(attachment), availability_zone(attachment)
    name = f"ip-{address.replace('.', '-').replace(':', '-')}.{_domain(facts['region'])}"
    digits = attachment.attachment_id[-10:]
    mac = "02:" + ":".join(digits[start : start + 2] for start in range(0, 10, 2))
    interface = {
        "device-number": "0",
        "local-hostname": name,
        "local-ipv4s": address,
        "mac": mac,
        "owner-id": attachment.account_id,
        **({"vpc-id": facts["vpc"]} if "vpc" in facts else {}),
    }
    return {
        "ami-id": facts["image_id"],
        "ami-launch-index": "0",
        "hostname": name,
        "iam": _iam(asked),
        "identity-credentials": {"ec2": {"info": _identity_info(asked)}},
        "instance-id": attachment.attachment_id,
        "instance-life-cycle": "on-demand",
        "instance-type": facts["instance_type"],
        "local-hostname": name,
        "local-ipv4": address,
        "mac": mac,
        "network": {"interfaces": {"macs": {mac: interface}}},
        "placement": {"availability-zone": zone, "region": facts["region"]},
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }


def _domain(region: str) -> str:
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def _identity_info(asked: Asked) -> str:
    return _json(
        {
            "Code": "Success",
            "LastUpdated": iso8601(asked.now_seconds),
            "AccountId": asked.attachment.account_id,
        }
    )


def _signed(asked: Asked, document: str) -> str:
    return signed_document(document, *_identity_key(asked))


def _identity_key(asked: Asked) -> tuple[str, str]:
    """The private key and its certificate. Raises WorkWantedError as long as there is none."""
    key = newest_signing_key(asked.db, PURPOSE, ALGORITHM)
    if key is None or key.certificate is None:
        raise WorkWantedError(partial(_make_identity_key, asked.now_seconds))
    return key.private_key, key.certificate


def _make_identity_key(now_seconds: float, database: Database) -> StoredSigningKey:
    return database.write(partial(kept_first, new_identity_key(now_seconds)))


def identity_certificate(database: Database, now_seconds: float) -> str:
    """The certificate of the sandbox's identity documents (PEM). It is made when it is first asked for."""
    with database.snapshot() as connection:
        known = newest_signing_key(connection, PURPOSE, ALGORITHM)
    return (known or _make_identity_key(now_seconds, database)).certificate or ""


# Credentials.


def _profile(asked: Asked) -> tuple[InstanceProfile | None, Entity | None]:
    """The instance's profile, and its role. A profile that was deleted and made again is another one."""
    profile = profile_by_id(asked.db, asked.attachment.facts["instance_profile_id"])
    return profile, None if profile is None or profile.role_id is None else role(asked.db, profile.role_id)


def _iam(asked: Asked) -> Tree:
    profile, held = _profile(asked)
    return {
        "info": _info(asked, profile, held),
        **({"security-credentials": {held.name: ""}} if held is not None else {}),
    }


def _info(asked: Asked, profile: InstanceProfile | None, held: Entity | None) -> str:
    updated = {"LastUpdated": iso8601(asked.now_seconds)}
    if profile is None:
        name = asked.attachment.facts["instance_profile"]
        arn = f"arn:aws:iam::{asked.attachment.account_id}:instance-profile/{name}"
        return _json({"Code": "InstanceProfileNotFound", "Message": NO_PROFILE_MESSAGE.format(arn=arn), **updated})
    return _json(
        {
            "Code": "Success",
            **({"Message": NO_ROLE_MESSAGE} if held is None else {}),
            **updated,
            "InstanceProfileArn": profile.arn,
            "InstanceProfileId": profile.instance_profile_id,
        }
    )


def _credentials(asked: Asked, role_name: str, headers: Mapping[str, str]) -> Delivered:
    _, held = _profile(asked)
    if held is None or held.name != role_name:
        raise AwsError("NotFound", status=404, reason=f"the instance profile has no role {role_name[:64]!r}")
    version = _version(asked)
    attachment = asked.attachment
    wanted = Wanted(
        service=SERVICE,
        role_arn=held.arn,
        session_name=attachment.attachment_id,
        region=attachment.facts["region"],
        duration_seconds=duration_of(asked),
        context=tuple(_session_keys(attachment, version).items()),
    )
    try:
        issued, decisions = current(asked, wanted, version)
    except RefusedError as refused:
        refused.code, refused.status = UNAUTHORIZED_CODE, 200
        refused.message = UNAUTHORIZED_MESSAGE.format(role=held.name)
        updated = iso8601(asked.now_seconds)
        document = {"Code": refused.code, "Message": refused.message, "LastUpdated": updated}
        return Delivered(_text(_json(document), headers), error=refused)
    return Delivered(_text(_json(_document(issued)), headers), issued.caller, decisions)


def _session_keys(attachment: Attachment, version: str) -> dict[str, str]:
    """The condition keys of an instance's session (Service Authorization Reference, EC2; IAM's global keys)."""
    facts, account_id = attachment.facts, attachment.account_id
    keys = {
        "ec2:roledelivery": version,
        "ec2:sourceinstancearn": f"arn:aws:ec2:{facts['region']}:{account_id}:instance/{attachment.attachment_id}",
    }
    if "vpc" in facts:
        keys["aws:ec2instancesourcevpc"] = facts["vpc"]
    if "private_ip" in facts:
        keys["aws:ec2instancesourceprivateipv4"] = facts["private_ip"]
    return keys


def _document(issued: Issued) -> dict[str, str]:
    credentials = issued.credentials
    return {
        "Code": "Success",
        "LastUpdated": iso8601(issued.issued_at_seconds),
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": iso8601(credentials.expires_at_seconds),
    }


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, separators=(",", " : "))


def _text(text: str, headers: Mapping[str, str], content_type: str = _TEXT) -> HttpAnswer:
    return HttpAnswer(200, text.encode(), content_type, {**_HEADERS, **headers})
