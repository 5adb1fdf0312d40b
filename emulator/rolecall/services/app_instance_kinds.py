"""App instances, their users and bots: kinds that the identity and the messaging of the Chime SDK share.

The operations on them are those of identity. Messaging reads them.
"""

from __future__ import annotations

from typing import TypedDict

from rolecall.contents.expiration import EXPIRATION, expires_at_seconds
from rolecall.services.kinds import Kind, kind_with_arn
from rolecall.services.registry import Answer, Call
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


class Expiration(TypedDict):
    """When AWS deletes a user or a channel: so many days after it was made, or after a channel's last message."""

    ExpirationDays: int
    ExpirationCriterion: str


def put_expiration(call: Call, kind: Kind, resource: Resource, settings: Expiration | None) -> Answer:
    """Let a locked resource expire, or never without settings. The answer is the members that tell of it.

    AWS deletes an expired user or channel within six hours. Rolecall does so at the end of the last day.
    """
    put: Answer = {} if settings is None else {EXPIRATION: settings}
    content = {name: value for name, value in resource.content.items() if name != EXPIRATION} | put
    kind.kept.set_content(call, kind, resource, content)
    resources.set_end(call.db, resource.key, expires_at_seconds(content))
    return put
