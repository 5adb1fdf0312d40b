"""App instances, their users and bots: kinds that the identity and the messaging of the Chime SDK share.

The operations on them are those of identity. Messaging reads them.
"""

from __future__ import annotations

from rolecall.services.kinds import kind_with_arn
from rolecall.services.registry import Call
from rolecall.storage import resources
from rolecall.storage.resources import Place, Resource

SERVICE = "chime-sdk-identity"
# The length of a page of all lists of both services, and its maximum in the models. The default is not recorded.
PAGE_SIZE = 50

APP_INSTANCE = kind_with_arn(SERVICE, "app-instance", "AppInstanceArn", page_size=PAGE_SIZE)
USER = kind_with_arn(SERVICE, "app-instance-user", "AppInstanceUserArn", parent=APP_INSTANCE, page_size=PAGE_SIZE)
BOT = kind_with_arn(SERVICE, "app-instance-bot", "AppInstanceBotArn", parent=APP_INSTANCE, page_size=PAGE_SIZE)
# The role has no ARN: the ARN of the user or bot names it.
ADMIN_TYPE = "app-instance-admin"


def identity_of(call: Call, arn: str) -> Resource | None:
    """The caller's user or bot with that ARN; None without one."""
    for kind in (USER, BOT):
        if kind.own_id(call, arn):
            return kind.kept.find(call, kind, (arn,), locked=False)
    return None


def is_admin(call: Call, arn: str) -> bool:
    """Whether a user or bot is an administrator of its app instance."""
    place = Place(call.account_id, call.region, f"{SERVICE}/{ADMIN_TYPE}")
    found = resources.find(call.db, place, arn)
    return found is not None and not found.has_ended(call.now_seconds)
