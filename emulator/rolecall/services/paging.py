"""Pages of a list. A token is refused in another AWS account, in another list, and with other filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rolecall.errors import bad_request
from rolecall.services.registry import Answer, Call
from rolecall.sessions.pages import open_page, seal_page
from rolecall.sessions.tokens import BadTokenError

# ListAccounts and ListUsers of the API reference: MaxResults defaults to this.
DEFAULT_MAX_RESULTS = 100
Item = TypeVar("Item")


def _scope(call: Call, filters: Sequence[str | None]) -> tuple[str, ...]:
    return (call.account_id, call.service, call.operation, *(json.dumps(value) for value in filters))


def next_token(call: Call, filters: Sequence[str | None], position: Sequence[str | int]) -> str:
    """A token that goes on after ``position`` in the list of these filters."""
    return seal_page(call.keys, _scope(call, filters), json.dumps(position))


def one_page(
    call: Call,
    filters: Sequence[str | None],
    found: Sequence[Item],
    max_results: int,
    position: Callable[[Item], Sequence[str | int]],
) -> tuple[Sequence[Item], Answer]:
    """The items of a page, and the member NextToken when ``found`` has more than these."""
    if len(found) <= max_results:
        return found, {}
    shown = found[:max_results]
    return shown, {"NextToken": next_token(call, filters, position(shown[-1]))}


def position_of(call: Call, filters: Sequence[str | None], token: str) -> tuple[Any, ...]:
    """What :func:`next_token` was given for the same call and filters. Raises BadRequestException."""
    try:
        return tuple(json.loads(open_page(call.keys, _scope(call, filters), token)))
    except BadTokenError:
        message = "NextToken is not a token of this list, or was given for other filters."
        raise bad_request(message) from None
