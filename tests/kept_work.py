"""Work of libraries that they repeat for each sandbox or client, with the same result. Tests make thousands of them.

A server or a user's test run makes few, so the product does without this.
"""

from __future__ import annotations

import copy
from functools import cache
from types import CodeType
from typing import Any

from botocore.hooks import EventAliaser
from botocore.utils import EVENT_ALIASES
from jinja2 import Environment
from werkzeug.routing.rules import Rule


def keep_work() -> None:
    """Let each process do this work once."""
    Rule._compile_builder = _kept_builder  # type: ignore[method-assign]
    Environment.compile = _kept_template  # type: ignore[assignment,method-assign]
    EventAliaser._alias_event_name = _kept_alias
    EventAliaser.__copy__ = _copied_aliaser


_compile_builder, _compile_template = Rule._compile_builder, Environment.compile
_alias_event_name = EventAliaser._alias_event_name
_builders: dict[tuple[Any, ...], Any] = {}
_templates: dict[tuple[Any, ...], CodeType] = {}


def _kept_builder(rule: Rule, append_unknown: bool = True) -> Any:
    """The function that makes a URL of a rule. The rule is its parameter, so rules alike share it."""
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (*rule._trace, append_unknown)
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


def _kept_template(
    environment: Environment, source: Any, name: Any = None, filename: Any = None, **options: Any
) -> Any:
    """The code of a template. What it depends on besides the text is the same in all applications of Flask."""
    if not isinstance(source, str) or options or type(environment).__module__ != "flask.templating":
        return _compile_template(environment, source, name, filename, **options)
    key = (source, name, filename, *environment.extensions)
    if key not in _templates:
        _templates[key] = _compile_template(environment, source, name, filename)
    return _templates[key]


@cache
def _alias(event_name: str) -> str:
    return str(_alias_event_name(EventAliaser(None, EVENT_ALIASES), event_name))


def _copied_aliaser(aliaser: EventAliaser) -> EventAliaser:
    """For a new client. botocore copies the aliases too, although nothing changes them."""
    return EventAliaser(copy.copy(aliaser._emitter), aliaser._event_aliases)


def _kept_alias(aliaser: EventAliaser, event_name: str) -> str:
    if aliaser._event_aliases is not EVENT_ALIASES:
        return str(_alias_event_name(aliaser, event_name))
    return _alias(event_name)
