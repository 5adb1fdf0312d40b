"""Changes that UpdateUser and BatchUpdateUser make to a user, and what such a change needs beyond its own action.

Amazon Chime Administration Guide, Using roles with shared Alexa for Business devices: Chime makes its service-linked
role when Alexa for Business is turned on for a shared device. IAM User Guide, Service-linked role permissions: the
caller then needs iam:CreateServiceLinkedRole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from rolecall.access.permission import Permission
from rolecall.arns import parse_arn
from rolecall.errors import bad_request
from rolecall.services.chime.common import checked_license
from rolecall.services.linked_roles import ensure_role, permission_to_make
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Call, Parameters
from rolecall.storage import chime_accounts, chime_users
from rolecall.storage.chime_users import ALEXA_SERVICE, ChimeUser

MAXIMUM_ARN_LENGTH = 2048
Changes = dict[str, Any]


class AlexaForBusiness(TypedDict, total=False):
    """The Alexa for Business settings of a user."""

    IsAlexaForBusinessEnabled: bool
    AlexaForBusinessRoomArn: str


class UserUpdate(TypedDict, total=False):
    """The changes of one user in a batch."""

    UserId: str
    LicenseType: str
    UserType: str
    AlexaForBusinessMetadata: AlexaForBusiness


def changes_of(license_type: str | None, user_type: str | None, alexa_for_business: AlexaForBusiness | None) -> Changes:
    """The columns that a request sets. Raises BadRequestException."""
    changes: Changes = {}
    if license_type is not None:
        changes["license_type"] = checked_license(license_type, "LicenseType")
    if user_type is not None:
        changes["user_type"] = user_type
    alexa_for_business = alexa_for_business or {}
    if "IsAlexaForBusinessEnabled" in alexa_for_business:
        changes["alexa_for_business_enabled"] = alexa_for_business["IsAlexaForBusinessEnabled"]
    if "AlexaForBusinessRoomArn" in alexa_for_business:
        arn = alexa_for_business["AlexaForBusinessRoomArn"]
        if len(arn) > MAXIMUM_ARN_LENGTH or parse_arn(arn) is None:
            raise bad_request("AlexaForBusinessRoomArn must be the ARN of a room.")
        changes["alexa_for_business_room_arn"] = arn
    return changes


def apply_changes(call: Call, user: ChimeUser, changes: Changes) -> ChimeUser:
    """The user as it is afterwards. Makes the service-linked role when the change needs it.

    Raises BadRequestException when an ordinary role stands where that one belongs.
    """
    changed = user._replace(**changes)
    if _uses_alexa(changed) and not _uses_alexa(user):
        ensure_role(call, ALEXA_SERVICE, "Alexa for Business")
    chime_users.update_user(call.db, user.user_id, changes)
    return changed


def _uses_alexa(user: ChimeUser) -> bool:
    return user.user_type == "SharedDevice" and user.alexa_for_business_enabled


def permissions_to_update_user(call: Call, parameters: Parameters) -> Sequence[Permission]:
    return _permissions(call, parameters, [parameters])


def permissions_to_update_users(call: Call, parameters: Parameters) -> Sequence[Permission]:
    return _permissions(call, parameters, parameters["UpdateUserRequestItems"])


def _permissions(call: Call, parameters: Parameters, items: Iterable[Parameters]) -> Sequence[Permission]:
    """The operation's own action; with it the making of the role, when an item turns on Alexa and there is none yet."""
    own = table_permissions(call, parameters)
    touched = [item for item in items if "AlexaForBusinessMetadata" in item or "UserType" in item]
    if not touched or chime_accounts.account(call.db, call.account_id, parameters["AccountId"]) is None:
        return own
    making = permission_to_make(call, ALEXA_SERVICE)
    if making is None:
        return own
    users = chime_users.users_by_id(call.db, parameters["AccountId"], {item["UserId"] for item in touched})
    if not any(_turns_alexa_on(users[item["UserId"]], item) for item in touched if item["UserId"] in users):
        return own
    return (*own, making)


def _turns_alexa_on(user: ChimeUser, item: Parameters) -> bool:
    alexa_for_business = item.get("AlexaForBusinessMetadata") or {}
    changed = user._replace(
        user_type=item.get("UserType") or user.user_type,
        alexa_for_business_enabled=alexa_for_business.get("IsAlexaForBusinessEnabled", user.alexa_for_business_enabled),
    )
    return _uses_alexa(changed) and not _uses_alexa(user)
