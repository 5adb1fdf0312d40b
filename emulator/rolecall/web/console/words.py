"""The words that the editor completes: actions, their services, and condition keys."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from flask import Request, Response, jsonify

from rolecall.data import actions, condition_keys, global_condition_keys, service_prefixes
from rolecall.sandbox import Sandbox
from rolecall.web.console.pages import Page, Values

_WORDS = 20
_MAXIMUM_CHARACTERS = 200


def words(start: str) -> list[str]:
    """Up to 20 words that begin with a text, in any case: services, actions and condition keys."""
    start = start.lower()
    return list(islice(dict.fromkeys(_words(start)), _WORDS)) if 0 < len(start) <= _MAXIMUM_CHARACTERS else []


def _words(start: str) -> Iterator[str]:
    prefix, colon, _ = start.partition(":")
    if not colon:
        yield from (f"{each}:" for each in sorted(service_prefixes()) if each.startswith(prefix))
        return
    yield from (key for key in global_condition_keys() if key.lower().startswith(start))
    if prefix in service_prefixes():
        names = (f"{prefix}:{action.name}" for action in actions(prefix).values())
        yield from (name for name in sorted(names) if name.lower().startswith(start))
        yield from (key for key in sorted(condition_keys(prefix)) if key.lower().startswith(start))


def _words_page(_sandbox: Sandbox, request: Request, _values: Values) -> Response:
    answer: Response = jsonify(words=words(request.args.get("start", "")))
    return answer


PAGES = (Page("/words", _words_page),)
