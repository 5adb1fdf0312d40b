"""Phone numbers of a sandbox file that nobody can have, that two accounts have, or that nothing can be assigned."""

from __future__ import annotations

from typing import Any

from rolecall.data import range_of
from rolecall.data.phone_number_table import VOICE_CONNECTOR, product_problem
from rolecall.worlds.located import Path
from rolecall.worlds.plain_values import Found, Values, mappings_in, text_in
from rolecall.worlds.voice_references import called_by

_OWNERS = {
    "voice_connector": ("voice_connectors", "Voice Connector"),
    "voice_connector_group": ("voice_connector_groups", "group of Voice Connectors"),
}


def dangling_numbers(world: Any) -> Found:
    """Every such problem, with the path of its value."""
    seen: set[str] = set()
    for position, account in mappings_in(world, "accounts"):
        for index, declared in mappings_in(account, "phone_numbers"):
            path: Path = ("accounts", position, "phone_numbers", index)
            number = text_in(declared, "number")
            if number and number in seen:
                yield (*path, "number"), f"{number!r} is declared twice"
            seen.add(number)
            yield from _product(path, declared, number)
            yield from _owner(path, declared, account)


def _product(path: Path, declared: Values, number: str) -> Found:
    where = range_of(number)
    if where is None:
        # Another check reports what is no number at all.
        if number.startswith("+"):
            yield (*path, "number"), "must be a number that can be ordered: +1, an area code and 5550100 to 5550199"
        return
    problem = product_problem(where, text_in(declared, "product_type", VOICE_CONNECTOR))
    if problem:
        yield (*path, "product_type"), problem


def _owner(path: Path, declared: Values, account: Values) -> Found:
    given = [key for key in _OWNERS if text_in(declared, key)]
    if len(given) > 1:
        yield path, "must have at most one of voice_connector and voice_connector_group"
    if given and text_in(declared, "product_type", VOICE_CONNECTOR) != VOICE_CONNECTOR:
        yield (*path, given[0]), f"only a number of the product type {VOICE_CONNECTOR} can have this"
    for key in given:
        section, noun = _OWNERS[key]
        called = text_in(declared, key)
        if called not in called_by(account, section):
            message = f"no {noun} {called!r} is declared in this account, or more than one has this name"
            yield (*path, key), message
