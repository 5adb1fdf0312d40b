"""Amazon Chime accounts and users for the verbs. They keep tables of their own, because these hold their invariants."""

from __future__ import annotations

from sqlalchemy import Connection

from rolecall.services.chime.common import SUPPORTED_LICENSES
from rolecall.services.chime.users import shown_user
from rolecall.services.kinds import Ids, Kept, Kind
from rolecall.services.registry import Answer, Call
from rolecall.storage import chime_accounts, chime_settings, chime_users
from rolecall.storage.chime_accounts import ChimeAccount
from rolecall.storage.resources import Content, Resource

_TELEPHONY = {"InboundCalling": "inbound_calling", "OutboundCalling": "outbound_calling", "SMS": "sms_messages"}
_SETTINGS = {"DisableRemoteControl": "disable_remote_control", "EnableDialOut": "enable_dial_out"}


class _Accounts(Kept):
    """The settings of an account are columns of it, so every account has them."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        [account_id] = ids
        read = chime_accounts.locked_account if locked else chime_accounts.account
        found = read(call.db, call.account_id, account_id)
        if found is None:
            return None
        return Resource(found.account_id, found.account_id, found.created_at_seconds, shown_account(call.db, found))

    def setting(self, call: Call, resource: Resource, name: str) -> Content | None:
        found = chime_accounts.account(call.db, call.account_id, resource.key)
        return found and {member: getattr(found, column) for member, column in _SETTINGS.items()}

    def put_setting(self, call: Call, resource: Resource, name: str, content: Content) -> None:
        """Settings that the request leaves out stay as they are."""
        chime_accounts.update_account(
            call.db, resource.key, {_SETTINGS[member]: value for member, value in content.items()}
        )


class _Users(Kept):
    """The telephony settings of a user are columns of it, so every user has them."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        found = chime_users.user(call.db, call.account_id, *ids)
        return None if found is None else Resource(found.user_id, found.user_id, 0, shown_user(found))

    def setting(self, call: Call, resource: Resource, name: str) -> Content | None:
        found = chime_users.telephony(call.db, call.account_id, resource.content["AccountId"], resource.key)
        return found and {"Telephony": {member: getattr(found, column) for member, column in _TELEPHONY.items()}}

    def put_setting(self, call: Call, resource: Resource, name: str, content: Content) -> None:
        changes = {_TELEPHONY[member]: value for member, value in content["Telephony"].items()}
        chime_users.update_user(call.db, resource.key, changes)


ACCOUNT = Kind("chime", "account", "AccountId", _Accounts())
USER = Kind("chime", "user", "UserId", _Users(), ACCOUNT)


def shown_account(connection: Connection, account: ChimeAccount) -> Answer:
    """An account as the model's Account."""
    groups = chime_settings.delegate_groups(connection, account.account_id)
    return {
        "AwsAccountId": account.aws_account_id,
        "AccountId": account.account_id,
        "Name": account.name,
        "AccountType": account.account_type,
        "CreatedTimestamp": account.created_at_seconds,
        "DefaultLicense": account.default_license,
        "SupportedLicenses": SUPPORTED_LICENSES,
        "AccountStatus": account.account_status,
        "SigninDelegateGroups": [{"GroupName": name} for name in groups] or None,
    }
