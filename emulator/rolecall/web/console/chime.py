"""Amazon Chime: the accounts with their users, rooms and bots, and which resources of the Chime SDK there are."""

from __future__ import annotations

import json

from flask import Request, Response
from sqlalchemy import Connection

from rolecall.clock import iso8601
from rolecall.sandbox import Sandbox
from rolecall.services.chime.bots import shown_bot
from rolecall.services.chime.kinds import shown_account
from rolecall.services.chime.rooms import shown_room
from rolecall.services.chime.users import shown_user
from rolecall.storage import chime_accounts, chime_bots, chime_rooms, chime_users, resources
from rolecall.storage.chime_accounts import ChimeAccount
from rolecall.storage.gather import account_names
from rolecall.web.console.identities import NO_ACCOUNT_MESSAGE
from rolecall.web.console.json_pages import shown_also_as_json
from rolecall.web.console.pages import ConsoleError, Page, Values, shown

NO_CHIME_ACCOUNT_MESSAGE = "The sandbox has no such Amazon Chime account."
NO_USER_MESSAGE = "The account has no such user, or the user has no PIN."
NO_BOT_MESSAGE = "The account has no such bot."
BAD_PLACE_MESSAGE = "This is not a place in a list."
LISTED = 100


def account_of(request: Request, accounts: dict[str, str]) -> str:
    """The AWS account that a page is about: the first one when the address names none. Raises ConsoleError."""
    account_id = request.args.get("account", "") or next(iter(accounts), "")
    if account_id not in accounts:
        raise ConsoleError(NO_ACCOUNT_MESSAGE, 404)
    return account_id


def place_in_list(request: Request) -> tuple[str, str] | None:
    """Behind which item a list goes on: two texts, as JSON in ``after``; None for its begin. Raises ConsoleError."""
    text = request.args.get("after", "")
    if not text:
        return None
    try:
        first, second = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ConsoleError(BAD_PLACE_MESSAGE) from error
    if not (isinstance(first, str) and isinstance(second, str)):
        raise ConsoleError(BAD_PLACE_MESSAGE)
    return first, second


def timed_place(request: Request) -> tuple[int, str] | None:
    """The same where the first of the two is a time in whole seconds. Raises ConsoleError."""
    place = place_in_list(request)
    if place is None:
        return None
    if not (place[0].isascii() and place[0].isdecimal() and len(place[0]) < 16):
        raise ConsoleError(BAD_PLACE_MESSAGE)
    return int(place[0]), place[1]


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    with sandbox.database.snapshot() as connection:
        accounts = account_names(connection)
        account_id = account_of(request, accounts)
        after = timed_place(request) or chime_accounts.BEFORE_THE_FIRST
        found = chime_accounts.list_accounts(connection, account_id, after=after, limit=LISTED + 1)
        listed = [shown_account(connection, each) for each in found[:LISTED]]
        kinds = resources.kinds_of(connection, account_id, sandbox.clock.now_seconds())
    content = {
        "Accounts": listed,
        "Resources": [{"Region": region, "Kind": kind, "Count": count} for region, kind, count in kinds],
    }
    last = found[LISTED - 1] if len(found) > LISTED else None
    return shown_also_as_json(
        request,
        "chime.html",
        content,
        accounts=accounts,
        account_id=account_id,
        iso8601=iso8601,
        after=None if last is None else json.dumps([str(last.created_at_seconds), last.account_id]),
    )


def _account(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    """One Chime account. The lists of rooms and bots begin at their begin: few accounts have more than a page."""
    with sandbox.database.snapshot() as connection:
        account = _chime_account(connection, request.args.get("account", ""), request.args.get("id", ""))
        after = place_in_list(request) or chime_users.BEFORE_THE_FIRST
        users = chime_users.list_users(connection, account.account_id, after=after, limit=LISTED + 1)
        rooms = chime_rooms.list_rooms(
            connection, account.account_id, member_id="", after=chime_rooms.BEFORE_THE_FIRST, limit=LISTED + 1
        )
        bots = chime_bots.list_bots(connection, account.account_id, after=chime_bots.BEFORE_THE_FIRST, limit=LISTED + 1)
        content = {
            "Account": shown_account(connection, account),
            "Users": [shown_user(user) for _, user in users[:LISTED]],
            "Rooms": [shown_room(room) for room in rooms[:LISTED]],
            "Bots": [shown_bot(bot) for bot in bots[:LISTED]],
        }
    return shown_also_as_json(
        request,
        "chime_account.html",
        content,
        iso8601=iso8601,
        after=json.dumps(users[LISTED - 1][0]) if len(users) > LISTED else None,
        more=[name for name, rows in (("rooms", rooms), ("bots", bots)) if len(rows) > LISTED],
    )


def _chime_account(connection: Connection, aws_account_id: str, account_id: str) -> ChimeAccount:
    found = chime_accounts.account(connection, aws_account_id, account_id)
    if found is None:
        raise ConsoleError(NO_CHIME_ACCOUNT_MESSAGE, 404)
    return found


def _secret(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    """The PIN of a user, or the security token of a bot."""
    account_id, chime_account_id, user_id, bot_id = (
        request.form.get(name, "") for name in ("account", "chime_account", "user", "bot")
    )
    with sandbox.database.snapshot() as connection:
        account = _chime_account(connection, account_id, chime_account_id)
        if bot_id:
            bot = chime_bots.bot(connection, account.account_id, bot_id)
            if bot is None:
                raise ConsoleError(NO_BOT_MESSAGE, 404)
            of, name, secret = bot.display_name, "SecurityToken", bot.security_token
        else:
            user = chime_users.user(connection, account_id, account.account_id, user_id)
            if user is None or not user.personal_pin:
                raise ConsoleError(NO_USER_MESSAGE, 404)
            of, name, secret = user.primary_email or user.display_name, "PersonalPIN", user.personal_pin
    return shown("chime_secret.html", name=name, of=of, secret=secret)


PAGES = (
    Page("/chime", _page, "Chime"),
    Page("/chime/account", _account),
    Page("/chime/account/secret", None, act=_secret),
)
