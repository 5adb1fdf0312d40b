"""Bots of Enterprise accounts, and the configuration that sends events to one."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from rolecall.arns import parse_arn
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime.common import checked_email, enterprise_account
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage import chime_bots, chime_users
from rolecall.storage.chime_bots import BEFORE_THE_FIRST, ChimeBot

# API reference, ListBots.
DEFAULT_BOTS = 10
_NOT_IN_EMAIL = re.compile(r"[^A-Za-z0-9._-]+")


@operation("chime", "CreateBot")
def create_bot(call: Call, *, AccountId: str, DisplayName: str, Domain: str | None = None) -> Answer:
    """AWS CLI, create-bot: ``myBot`` of example.com is shown as ``myBot (Bot)``, ``myBot-chimebot@example.com``.

    Without ``Domain`` it is the domain of the account's users. Raises BadRequestException where there is none.
    """
    account = enterprise_account(call, AccountId)
    domain = Domain
    if domain is None:
        users = chime_users.list_users(call.db, account.account_id, limit=1)
        domain = next(((user.primary_email or "").rpartition("@")[2] for _, user in users), "")
    if not domain or not DisplayName.strip():
        raise bad_request("DisplayName and Domain must be given, because the bot's email address has both.")
    name = _NOT_IN_EMAIL.sub("", DisplayName)
    now, bot_id = int(call.now_seconds), call.ids.uuid()
    bot = ChimeBot(
        bot_id=bot_id,
        account_id=account.account_id,
        display_name=f"{DisplayName} (Bot)",
        bot_email=checked_email(f"{name}-chimebot@{domain}", "DisplayName with Domain"),
        security_token=call.ids.secret_access_key(),
        disabled=False,
        created_at_seconds=now,
        updated_at_seconds=now,
    )
    chime_bots.add_bot(call.db, bot)
    return {"Bot": shown_bot(bot)}


@operation("chime", "GetBot")
def get_bot(call: Call, *, AccountId: str, BotId: str) -> Answer:
    return {"Bot": shown_bot(_existing(call, AccountId, BotId))}


@operation("chime", "ListBots")
def list_bots(call: Call, *, AccountId: str, MaxResults: int = DEFAULT_BOTS, NextToken: str | None = None) -> Answer:
    account = enterprise_account(call, AccountId)
    filters = (account.account_id,)
    after = BEFORE_THE_FIRST if NextToken is None else position_of(call, filters, NextToken)
    found = chime_bots.list_bots(call.db, account.account_id, after=after, limit=MaxResults + 1)
    bots, rest = one_page(call, filters, found, MaxResults, lambda each: (each.created_at_seconds, each.bot_id))
    return {"Bots": [shown_bot(bot) for bot in bots], **rest}


@operation("chime", "UpdateBot")
def update_bot(call: Call, *, AccountId: str, BotId: str, Disabled: bool | None = None) -> Answer:
    bot = _existing(call, AccountId, BotId)
    disabled = bot.disabled if Disabled is None else Disabled
    changes: dict[str, Any] = {"disabled": disabled, "updated_at_seconds": int(call.now_seconds)}
    chime_bots.update_bot(call.db, bot.bot_id, changes)
    return {"Bot": shown_bot(bot._replace(**changes))}


@operation("chime", "RegenerateSecurityToken")
def regenerate_security_token(call: Call, *, AccountId: str, BotId: str) -> Answer:
    """Nothing but the token changes."""
    bot = _existing(call, AccountId, BotId)
    changes = {"security_token": call.ids.secret_access_key()}
    chime_bots.update_bot(call.db, bot.bot_id, changes)
    return {"Bot": shown_bot(bot._replace(**changes))}  # type: ignore[arg-type]


@operation("chime", "GetEventsConfiguration")
def get_events_configuration(call: Call, *, AccountId: str, BotId: str) -> Answer:
    bot = _existing(call, AccountId, BotId)
    if bot.events_https_endpoint is None and bot.events_lambda_arn is None:
        raise AwsError("NotFoundException", f"Bot {bot.bot_id} has no events configuration.")
    return {"EventsConfiguration": _shown_configuration(bot)}


@operation("chime", "PutEventsConfiguration")
def put_events_configuration(
    call: Call,
    *,
    AccountId: str,
    BotId: str,
    OutboundEventsHTTPSEndpoint: str | None = None,
    LambdaFunctionArn: str | None = None,
) -> Answer:
    """API reference: either an HTTPS endpoint or the ARN of a Lambda function."""
    bot = _existing(call, AccountId, BotId)
    if (OutboundEventsHTTPSEndpoint is None) == (LambdaFunctionArn is None):
        raise bad_request("Either OutboundEventsHTTPSEndpoint or LambdaFunctionArn must be given.")
    if OutboundEventsHTTPSEndpoint is not None and not _is_https(OutboundEventsHTTPSEndpoint):
        raise bad_request("OutboundEventsHTTPSEndpoint must be an HTTPS URL.")
    if LambdaFunctionArn is not None:
        parsed = parse_arn(LambdaFunctionArn)
        if parsed is None or parsed.service != "lambda" or not parsed.resource.startswith("function:"):
            raise bad_request("LambdaFunctionArn must be the ARN of a Lambda function.")
    changes = {"events_https_endpoint": OutboundEventsHTTPSEndpoint, "events_lambda_arn": LambdaFunctionArn}
    chime_bots.update_bot(call.db, bot.bot_id, changes)
    return {"EventsConfiguration": _shown_configuration(bot._replace(**changes))}  # type: ignore[arg-type]


@operation("chime", "DeleteEventsConfiguration")
def delete_events_configuration(call: Call, *, AccountId: str, BotId: str) -> Answer:
    """A bot without a configuration is no error: the model has no NotFoundException for it."""
    bot = _existing(call, AccountId, BotId)
    chime_bots.update_bot(call.db, bot.bot_id, {"events_https_endpoint": None, "events_lambda_arn": None})
    return {}


def _existing(call: Call, account_id: str, bot_id: str) -> ChimeBot:
    account = enterprise_account(call, account_id)
    found = chime_bots.bot(call.db, account.account_id, bot_id)
    if found is None:
        raise AwsError("NotFoundException", f"Bot {bot_id} was not found.")
    return found


def _is_https(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and text.isprintable() and " " not in text


def shown_bot(bot: ChimeBot) -> Answer:
    """A bot as the model's Bot. AWS CLI, create-bot: the bot's user has the bot's id."""
    return {
        "BotId": bot.bot_id,
        "UserId": bot.bot_id,
        "DisplayName": bot.display_name,
        "BotType": "ChatBot",
        "Disabled": bot.disabled,
        "CreatedTimestamp": bot.created_at_seconds,
        "UpdatedTimestamp": bot.updated_at_seconds,
        "BotEmail": bot.bot_email,
        "SecurityToken": bot.security_token,
    }


def _shown_configuration(bot: ChimeBot) -> Answer:
    return {
        "BotId": bot.bot_id,
        "OutboundEventsHTTPSEndpoint": bot.events_https_endpoint,
        "LambdaFunctionArn": bot.events_lambda_arn,
    }
