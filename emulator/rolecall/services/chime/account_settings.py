"""Settings of an Amazon Chime account."""

from __future__ import annotations

from rolecall.services.chime.kinds import ACCOUNT
from rolecall.services.verbs import get_setting, put_setting

get_setting(ACCOUNT, "GetAccountSettings")
put_setting(ACCOUNT, "UpdateAccountSettings")
