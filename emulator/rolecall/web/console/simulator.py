"""The simulator: what a principal may do, action by action, decided as real calls are."""

from __future__ import annotations

from flask import Request, Response

from rolecall.call_log.layers import LAYER_EFFECTS, LAYER_TITLES
from rolecall.data import service_names, service_prefixes
from rolecall.expectations.asking import asking
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.principals import NoSuchNameError
from rolecall.sandbox import Sandbox
from rolecall.web.console.pages import Page, Values, shown
from rolecall.web.console.questions import MAXIMUM_ROWS, Row, ask_all

_NAMES_OFFERED = 300
_PATTERNS = 50
_RESOURCES = 20
TOO_MANY_MESSAGE = f"ask about at most {_PATTERNS} patterns of actions and {_RESOURCES} resources at once"


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    names = ("principal", "service", "action", "resource", "context")
    given = {name: request.args.get(name, "").strip() for name in names}
    service = given["service"].lower()
    patterns = [
        f"{service}:{each}" if service and ":" not in each else each
        for each in given["action"].replace(",", " ").split()
    ] or ([f"{service}:*"] if service else [])
    rows: list[Row] = []
    more, problem = False, ""
    if patterns:
        rows, more, problem = _rows(sandbox, given, patterns)
    return shown(
        "simulator.html",
        given=given,
        rows=rows,
        more=more,
        problem=problem,
        names=_names(sandbox),
        services=sorted((prefix, service_names().get(prefix, prefix)) for prefix in service_prefixes()),
        maximum=MAXIMUM_ROWS,
        titles=LAYER_TITLES,
        effects=LAYER_EFFECTS,
    )


def _rows(sandbox: Sandbox, given: dict[str, str], patterns: list[str]) -> tuple[list[Row], bool, str]:
    resources = given["resource"].split()
    if len(patterns) > _PATTERNS or len(resources) > _RESOURCES:
        return [], False, TOO_MANY_MESSAGE
    try:
        return *ask_all(sandbox, given["principal"], patterns, resources, given["context"], limit=MAXIMUM_ROWS), ""
    except (BadQuestionError, NoSuchNameError) as error:
        return [], False, str(error)


def _names(sandbox: Sandbox) -> list[str]:
    """Names to choose from."""
    with asking(sandbox) as asker:
        return [who.label for who in (*asker.principals.entities, *asker.principals.roots)][:_NAMES_OFFERED]


PAGES = (Page("/simulator", _page, "Simulator"),)
