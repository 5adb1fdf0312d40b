"""Secrets are not in the text of the values that hold them, because a traceback or a log may show that text."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields, is_dataclass
from typing import Any

from msgspec import Struct

import rolecall
from rolecall.reprs import repr_without

SECRET = {
    *("control_token", "console_key", "delivery_key", "page_key", "password", "private_key", "secret"),
    *("secret_access_key", "seed", "session_token", "token_key", "token", "access_key_key"),
}

# These are a number that decides which calls a rule hits, and whether a member is a secret.
NOT_SECRET = {"rolecall.faults.rules.FaultRule.seed", "rolecall.worlds.members._Facts.secret"}


class Pair(Struct, frozen=True):
    name: str
    secret: str
    size: int = 1

    __repr__ = repr_without("secret")


def test_a_hidden_field_is_not_in_the_text() -> None:
    assert repr(Pair("ana", "hush")) == "Pair(name='ana', size=1)"
    assert Pair("ana", "hush") != Pair("ana", "hash")


def classes() -> dict[str, Any]:
    found = {}
    for module in pkgutil.walk_packages(rolecall.__path__, "rolecall."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, type) and value.__module__ == module.name:
                found[f"{module.name}.{name}"] = value
    return found


def names_of(made: Any) -> tuple[str, ...]:
    if issubclass(made, Struct):
        return made.__struct_fields__
    return tuple(each.name for each in fields(made)) if is_dataclass(made) else ()


def example_of(made: Any) -> Any:
    """A value of the class in which each field has its name."""
    values = {name: f"<{name}>" for name in names_of(made)}
    if issubclass(made, Struct):
        return made(**values)
    value = object.__new__(made)
    for name, text in values.items():
        object.__setattr__(value, name, text)
    return value


def test_no_class_of_values_shows_a_secret() -> None:
    holders = {where: made for where, made in classes().items() if SECRET & set(names_of(made))}
    assert len(holders) > 8
    shown = []
    for where, made in holders.items():
        value = example_of(made)
        shown += [f"{where}.{name}" for name in SECRET if f"<{name}>" in repr(value)]
    assert set(shown) == NOT_SECRET
