"""Service-specific credentials of users: passwords for CodeCommit and Keyspaces, API keys for other services."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from rolecall.access.permission import Permission
from rolecall.arns import iam_arn
from rolecall.errors import AwsError
from rolecall.ids import SERVICE_CREDENTIAL_PREFIX
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.iam.users.users import check_user_is_named, existing_user, named_or_calling_user
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.access_keys import lock_account
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.service_credentials import (
    OwnedCredential,
    ServiceCredential,
    add_service_credential,
    public_name_is_taken,
    remove_service_credential,
    service_credential_by_id,
    service_credentials_in,
    service_credentials_of,
    set_service_credential_secret,
    set_service_credential_status,
)
from rolecall.storage.users import UserRecord

NOT_FOUND_MESSAGE = "No such credential {credential_id} exists"
NOT_THE_USERS_MESSAGE = "User {name} does not have a service specific credential with id {credential_id}"
UNSUPPORTED_MESSAGE = "No such service {service} is supported for Service Specific Credentials"
SERVICE_NAME_MESSAGE = "ServiceName must match [a-zA-Z0-9.-]*"
COUNT_MESSAGE = "Cannot exceed quota for ContextSpecificCredentialsPerUserPerContext: {limit}"
STATUS_MESSAGE = "Operation does not support status {status}"
# AWS's wording was not recorded. API reference, AllUsers: "cannot be specified together with UserName".
BOTH_MESSAGE = "UserName and AllUsers cannot be specified together."

# IAM User Guide, API keys for AWS services. An API key begins with the letters of its service, which recorded keys
# show. A service with None has a user name and a password instead.
KEY_PREFIXES: Mapping[str, str | None] = MappingProxyType(
    {
        "aws-external-anthropic.amazonaws.com": "AEAA",
        "bedrock.amazonaws.com": "ABSK",
        "cassandra.amazonaws.com": None,
        "cloudwatch.amazonaws.com": "APIAACWM",
        "codecommit.amazonaws.com": None,
        "logs.amazonaws.com": "ACWL",
    }
)
# Recorded passwords have 60 characters, the last of which is "=".
_SECRET_BYTES = 44
_DAY_SECONDS = 86_400
_SERVICE_NAME = re.compile(r"[a-zA-Z0-9.-]*")
_NAME_KEY = "iam:servicespecificcredentialservicename"


def _supported(name: str) -> str:
    """The service's name in lower case. Raises AwsError: ValidationError, NoSuchEntity."""
    if not _SERVICE_NAME.fullmatch(name):
        raise AwsError("ValidationError", SERVICE_NAME_MESSAGE)
    if name.lower() not in KEY_PREFIXES:
        raise AwsError("NoSuchEntity", UNSUPPORTED_MESSAGE.format(service=name))
    return name.lower()


def _creating(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The permission in AWS's tables. As AWS was seen to do, the service's name is compared in lower case."""
    return [
        replace(each, context={**each.context, _NAME_KEY: str(each.context[_NAME_KEY]).lower()})
        for each in table_permissions(call, parameters)
    ]


@operation("iam", "CreateServiceSpecificCredential", permissions=_creating)
def create_service_specific_credential(
    call: Call, *, UserName: str, ServiceName: str, CredentialAgeDays: int | None = None
) -> Answer:
    """A new credential. Its secret is only in this answer. API reference: CreateServiceSpecificCredential.

    Raises AwsError: NoSuchEntity (user, service), ValidationError, LimitExceeded.
    """
    service = _supported(ServiceName)
    user = existing_user(call, UserName)
    # The name of the credential must be free in the whole account.
    lock_account(call.db, call.account_id)
    limit = call.settings.quotas.service_specific_credentials_per_service_count
    present = service_credentials_of(call.db, user.user_id)
    if sum(each.service_name == service for each in present) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    public_name = _free_name(call, service, user)
    secret = _new_secret(call, service, public_name)
    now_seconds = int(call.now_seconds)
    credential = ServiceCredential(
        credential_id=call.ids.unique_id(SERVICE_CREDENTIAL_PREFIX),
        account_id=call.account_id,
        user_id=user.user_id,
        service_name=service,
        public_name=public_name,
        secret_digest=_digest(secret),
        status="Active",
        created_at_seconds=now_seconds,
        expires_at_seconds=None if CredentialAgeDays is None else now_seconds + CredentialAgeDays * _DAY_SECONDS,
    )
    try:
        add_service_credential(call.db, credential)
    except AlreadyThere as error:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit)) from error
    return _with_secret(call, OwnedCredential(credential, user.name), secret)


def _free_name(call: Call, service: str, user: UserRecord) -> str:
    """``ana-at-111122223333``; with ``ana+1``, ``ana+2`` … while a credential of any user has the name."""
    for number in itertools.count():
        addition = f"+{number}" if number else ""
        name = f"{user.name}{addition}-at-{call.account_id}"
        if not public_name_is_taken(call.db, call.account_id, service, name):
            return name
    raise AssertionError


def _new_secret(call: Call, service: str, public_name: str) -> str:
    """A password of 60 characters, or an API key: the service's letters, then alias and password in base64."""
    password = base64.b64encode(call.ids.noise(_SECRET_BYTES)).decode("ascii")
    prefix = KEY_PREFIXES.get(service)
    if prefix is None:
        return password
    return prefix + base64.b64encode(f"{public_name}:{password}".encode()).decode("ascii")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _metadata(call: Call, owned: OwnedCredential) -> Answer:
    credential = owned.credential
    expires_at_seconds = credential.expires_at_seconds
    is_expired = expires_at_seconds is not None and call.now_seconds >= expires_at_seconds
    has_password = KEY_PREFIXES.get(credential.service_name) is None
    shown: Answer = {
        "UserName": owned.user_name,
        "Status": "Expired" if is_expired else credential.status,
        "ServiceUserName" if has_password else "ServiceCredentialAlias": credential.public_name,
        "CreateDate": credential.created_at_seconds,
        "ServiceSpecificCredentialId": credential.credential_id,
        "ServiceName": credential.service_name,
    }
    if expires_at_seconds is not None:
        shown["ExpirationDate"] = expires_at_seconds
    return shown


def _with_secret(call: Call, owned: OwnedCredential, secret: str) -> Answer:
    has_password = KEY_PREFIXES.get(owned.credential.service_name) is None
    member = "ServicePassword" if has_password else "ServiceCredentialSecret"
    return {"ServiceSpecificCredential": {**_metadata(call, owned), member: secret}}


def _check_list(call: Call, parameters: Parameters) -> None:
    """What AWS refuses before it evaluates any policy."""
    if not parameters.get("AllUsers"):
        check_user_is_named(call, parameters)
    elif "UserName" in parameters:
        raise AwsError("ValidationError", BOTH_MESSAGE)


def _listing(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The permission on the user, or on ``user/*`` for all users, as AWS was seen to require."""
    if not parameters.get("AllUsers"):
        return table_permissions(call, parameters)
    # Without a user in the request, the table's permission is about the caller.
    action = f"{call.service}:{call.operation}"
    return [Permission(action, iam_arn(call.account_id, "user", "/", "*"))]


@operation("iam", "ListServiceSpecificCredentials", permissions=_listing, precheck=_check_list)
def list_service_specific_credentials(
    call: Call,
    *,
    UserName: str | None = None,
    ServiceName: str | None = None,
    AllUsers: bool = False,
    Marker: str | None = None,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
) -> Answer:
    """The credentials of a user, or of all users of the account, oldest first, without their secrets.

    The root user has none. Raises AwsError: ValidationError, NoSuchEntity (user, service).
    """
    service = None if ServiceName is None else _supported(ServiceName)
    if AllUsers:
        owner, found = "all", service_credentials_in(call.db, call.account_id)
    else:
        user = named_or_calling_user(call, UserName)
        owner = "root" if user is None else user.user_id
        found = [] if user is None else _owned(call, user)
    found = [each for each in found if service is None or each.credential.service_name == service]
    shown, rest = page(call, (owner, service or ""), found, _position, Marker, MaxItems)
    return {"ServiceSpecificCredentials": [_metadata(call, each) for each in shown], **rest}


def _owned(call: Call, user: UserRecord) -> list[OwnedCredential]:
    return [OwnedCredential(each, user.name) for each in service_credentials_of(call.db, user.user_id)]


def _position(owned: OwnedCredential) -> str:
    return f"{owned.credential.created_at_seconds:020d} {owned.credential.credential_id}"


def _existing(call: Call, user_name: str | None, credential_id: str) -> OwnedCredential:
    """Raises AwsError: ValidationError (another user's credential), NoSuchEntity."""
    user = named_or_calling_user(call, user_name)
    credential = service_credential_by_id(call.db, call.account_id, credential_id)
    if credential is None:
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(credential_id=credential_id))
    if user is None or credential.user_id != user.user_id:
        name = "root" if user is None else user.name
        raise AwsError("ValidationError", NOT_THE_USERS_MESSAGE.format(name=name, credential_id=credential_id))
    return OwnedCredential(credential, user.name)


@operation("iam", "UpdateServiceSpecificCredential", precheck=check_user_is_named)
def update_service_specific_credential(
    call: Call, *, ServiceSpecificCredentialId: str, Status: str, UserName: str | None = None
) -> None:
    """Switch a credential on or off. Raises AwsError: ValidationError, NoSuchEntity, InvalidInput."""
    owned = _existing(call, UserName, ServiceSpecificCredentialId)
    if Status not in ("Active", "Inactive"):
        raise AwsError("InvalidInput", STATUS_MESSAGE.format(status=Status))
    set_service_credential_status(call.db, owned.credential.credential_id, Status)


@operation("iam", "ResetServiceSpecificCredential", precheck=check_user_is_named)
def reset_service_specific_credential(
    call: Call, *, ServiceSpecificCredentialId: str, UserName: str | None = None
) -> Answer:
    """Give a credential another secret. Its status, creation date and expiry stay, as AWS was seen to keep them.

    Raises AwsError: ValidationError, NoSuchEntity.
    """
    owned = _existing(call, UserName, ServiceSpecificCredentialId)
    credential = owned.credential
    secret = _new_secret(call, credential.service_name, credential.public_name)
    set_service_credential_secret(call.db, credential.credential_id, _digest(secret))
    return _with_secret(call, owned, secret)


@operation("iam", "DeleteServiceSpecificCredential", precheck=check_user_is_named)
def delete_service_specific_credential(
    call: Call, *, ServiceSpecificCredentialId: str, UserName: str | None = None
) -> None:
    """Delete a credential. Raises AwsError: ValidationError, NoSuchEntity."""
    owned = _existing(call, UserName, ServiceSpecificCredentialId)
    remove_service_credential(call.db, owned.credential.credential_id)
