"""Bots of app instances (Amazon Chime SDK API reference). Rolecall calls no Lex bot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from rolecall.contents.app_instances import new_bot
from rolecall.errors import bad_request
from rolecall.services.app_instance_kinds import APP_INSTANCE, BOT, SERVICE
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import change, delete, existing, get, keep, list_, made_with_token

list_(BOT, "ListAppInstanceBots")
get(BOT, "DescribeAppInstanceBot")
delete(BOT, "DeleteAppInstanceBot")


class InvokedBy(TypedDict):
    """Which messages a bot answers."""

    StandardMessages: str
    TargetedMessages: str


class Lex(TypedDict, total=False):
    """The Lex bot behind a bot."""

    RespondsTo: str
    InvokedBy: InvokedBy
    LexBotAliasArn: str
    LocaleId: str
    WelcomeIntent: str


class Configuration(TypedDict):
    """How a bot works."""

    Lex: Lex


@operation(SERVICE, "CreateAppInstanceBot")
def create_bot(
    call: Call,
    *,
    AppInstanceArn: str,
    Configuration: Configuration,
    ClientRequestToken: str,
    Name: str | None = None,
    Metadata: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """A new bot, or the bot that this token made in this app instance before.

    Raises AwsError NotFoundException for the app instance, BadRequestException.
    """
    _check(Configuration)
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    token = f"{instance.resource_id} {ClientRequestToken}"
    before = made_with_token(call, BOT, token)
    if before is not None:
        return {"AppInstanceBotArn": before.content["AppInstanceBotArn"]}
    bot_id = f"{instance.resource_id}/{call.ids.uuid()}"
    content = new_bot(BOT.arn(call, bot_id), Configuration, Name, Metadata, call.now_seconds)
    keep(call, BOT, bot_id, content, Tags, parent=instance, create_token=token)
    return {"AppInstanceBotArn": content["AppInstanceBotArn"]}


@operation(SERVICE, "UpdateAppInstanceBot")
def update_bot(
    call: Call, *, AppInstanceBotArn: str, Name: str, Metadata: str, Configuration: Configuration | None = None
) -> Answer:
    if Configuration is not None:
        _check(Configuration)
    members = {"Name": Name, "Metadata": Metadata, "Configuration": Configuration}
    change(call, BOT, AppInstanceBotArn, members=members)
    return {"AppInstanceBotArn": AppInstanceBotArn}


def _check(configuration: Mapping[str, Any]) -> None:
    """The reference: RespondsTo is the older form of InvokedBy. AWS's message is not recorded."""
    if ("RespondsTo" in configuration["Lex"]) == ("InvokedBy" in configuration["Lex"]):
        raise bad_request("Lex must have either RespondsTo or InvokedBy.")
