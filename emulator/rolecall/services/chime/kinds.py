"""Amazon Chime accounts for the verbs. They have tables of their own, because users and licenses depend on them."""

from __future__ import annotations

from rolecall.services.chime.common import SUPPORTED_LICENSES
from rolecall.services.kinds import Kept, Kind
from rolecall.services.registry import Answer, Call
from rolecall.storage import chime_accounts
from rolecall.storage.chime_accounts import ChimeAccount
from rolecall.storage.resources import Content, Resource

_SETTINGS = {"DisableRemoteControl": "disable_remote_control", "EnableDialOut": "enable_dial_out"}


class _Accounts(Kept):
    """The settings of an account are columns of it, so every account has them."""

    def find(self, call: Call, kind: Kind, resource_id: str, *, locked: bool) -> Resource | None:
        read = chime_accounts.locked_account if locked else chime_accounts.account
        found = read(call.db, call.account_id, resource_id)
        if found is None:
            return None
        return Resource(found.account_id, found.account_id, found.created_at_seconds, shown_account(found))

    def setting(self, call: Call, key: str, name: str) -> Content | None:
        found = chime_accounts.account(call.db, call.account_id, key)
        return found and {member: getattr(found, column) for member, column in _SETTINGS.items()}

    def put_setting(self, call: Call, key: str, name: str, content: Content) -> None:
        """Settings that the request leaves out stay as they are."""
        chime_accounts.update_account(call.db, key, {_SETTINGS[member]: value for member, value in content.items()})


ACCOUNT = Kind("chime", "account", "AccountId", _Accounts())


def shown_account(account: ChimeAccount) -> Answer:
    """An account as the model's Account."""
    return {
        "AwsAccountId": account.aws_account_id,
        "AccountId": account.account_id,
        "Name": account.name,
        "AccountType": account.account_type,
        "CreatedTimestamp": account.created_at_seconds,
        "DefaultLicense": account.default_license,
        "SupportedLicenses": SUPPORTED_LICENSES,
        "AccountStatus": account.account_status,
    }
