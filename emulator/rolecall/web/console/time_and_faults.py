"""The sandbox's clock, its fault rules, and the sandbox as a whole: snapshots and the reset."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from flask import Request, Response, make_response
from msgspec import Struct

from rolecall.clock import BadTimeError, written_change
from rolecall.faults.active import InvalidFaultError, NoSuchRuleError
from rolecall.faults.rules import KEYS, KINDS
from rolecall.sandbox import Sandbox
from rolecall.settings import MAXIMUM_SNAPSHOT_BYTES
from rolecall.storage.clock_states import load_clock
from rolecall.storage.dialects import shown_url
from rolecall.web.bodies import BadBodyError
from rolecall.web.body_limits import FORM_AROUND_BYTES
from rolecall.web.clock_endpoint import apply_change, clock_as_json
from rolecall.web.console.commands import curl, in_a_notice, rolecall
from rolecall.web.console.pages import ConsoleError, Page, Values, done, shown
from rolecall.web.snapshot_endpoints import (
    INVALID_MESSAGE,
    NOT_TEXT_MESSAGE,
    YAML,
)
from rolecall.wire import SERVICES
from rolecall.worlds.declare import InvalidWorldError
from rolecall.worlds.snapshots import UnsavableError

PATH = "/time"
NO_FILE_MESSAGE = "Choose a file first."
CONFIRM_MESSAGE = "Tick the box first. Nothing was changed."
SNAPSHOT_NAME = "rolecall-snapshot.yaml"
_STEPS = ("+15m", "+1h", "+1d", "-1h")
_PROBLEMS_SHOWN = 100
# What a key takes that is not text.
_NUMBERS = frozenset({"status", "delay_seconds", "nth", "times", "probability", "seed"})
_COUNTS = frozenset({"id", "calls", "hits"})


class Move(Struct, frozen=True):
    """A change of the clock: its name on a button, what the field would take, and its command line."""

    label: str
    change: str
    command: str


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    return _shown(sandbox, request)


def _shown(
    sandbox: Sandbox,
    request: Request,
    status: int = 200,
    *,
    problem: str = "",
    problems: list[str] | None = None,
    given: Mapping[str, str] | None = None,
) -> Response:
    with sandbox.database.snapshot() as connection:
        clock = clock_as_json(load_clock(connection), sandbox.clock.wall_seconds())
    return shown(
        "time_and_faults.html",
        status,
        clock=clock,
        moves=_moves(request, frozen=clock["frozen"]),
        rules=[
            (rule, _as_written(rule), rolecall(request, "faults", "remove", rule["id"])) for rule in _rules(sandbox)
        ],
        kinds=[("", "as the other fields say"), *KINDS.items()],
        keys={key: words for key, (_, words) in KEYS.items()},
        services=SERVICES,
        given=given or {},
        problem=problem,
        problems=(problems or [])[:_PROBLEMS_SHOWN],
        commands=_commands(sandbox, request),
        dumped=json.dumps,
    )


def _rules(sandbox: Sandbox) -> list[dict[str, Any]]:
    return sandbox.faults.rules


def _as_written(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule as its author wrote it: without its id and its counts."""
    return {key: value for key, value in rule.items() if key not in _COUNTS}


def _moves(request: Request, *, frozen: bool) -> list[Move]:
    words = (*((step, step) for step in _STEPS), ("Run on", "unfreeze") if frozen else ("Freeze", "freeze"))
    return [Move(label, change, rolecall(request, "clock", change)) for label, change in (*words, ("Reset", "reset"))]


def _commands(sandbox: Sandbox, request: Request) -> dict[str, str]:
    """The command lines of the other forms. Only the server itself reaches a database in memory."""
    if sandbox.database.in_memory:
        save = f"{curl(request, 'snapshot')} > {SNAPSHOT_NAME}"
        load = curl(request, "snapshot", "-X", "PUT", "--data-binary", f"@{SNAPSHOT_NAME}")
    else:
        database = ("--database", shown_url(sandbox.database.url))
        save = shlex.join(("rolecall", "snapshot", "save", SNAPSHOT_NAME, *database))
        load = shlex.join(("rolecall", "snapshot", "load", SNAPSHOT_NAME, *database))
    return {
        "set": rolecall(request, "clock", "2030-01-01T00:00:00Z"),
        "add": rolecall(request, "faults", "add", '{"service": "sts", "error": "Throttling", "times": 2}'),
        "clear": rolecall(request, "faults", "clear"),
        "save": save,
        "load": load,
        "reset": curl(request, "reset", "-X", "POST"),
    }


def _move(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    change = request.form.get("change", "").strip()
    try:
        apply_change(sandbox.clock, written_change(change))
    except (BadTimeError, BadBodyError) as error:
        return _shown(sandbox, request, 400, problem=str(error), given={"change": change})
    return done(PATH, in_a_notice("The clock is changed.", rolecall(request, "clock", change)))


def _add(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    given = {key: request.form.get(key, "").strip() for key in KEYS}
    rule = {key: _value(key, text) for key, text in given.items() if text}
    try:
        sandbox.faults.add_rule(rule)
    except InvalidFaultError as error:
        problems = [line.removeprefix("Rule 1: ") for line in str(error).splitlines()]
        return _shown(sandbox, request, 400, problem="The rule cannot be added.", problems=problems, given=given)
    return done(PATH, in_a_notice("The rule is added.", rolecall(request, "faults", "add", json.dumps(rule))))


def _value(key: str, text: str) -> Any:
    """A number where the key takes one. A text that is none stays, and the rule's own check refuses it."""
    if key not in _NUMBERS:
        return text
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _remove(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    rule_id = request.form.get("id", "")
    try:
        sandbox.faults.remove(rule_id)
    except NoSuchRuleError as error:
        raise ConsoleError(str(error), 404) from error
    return done(PATH, in_a_notice("The rule is removed.", rolecall(request, "faults", "remove", rule_id)))


def _clear(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    sandbox.faults.clear()
    return done(PATH, in_a_notice("No fault rules are left.", rolecall(request, "faults", "clear")))


def _save(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    """The snapshot as a file. It has secrets, so a form asks for it."""
    try:
        text = sandbox.save(last_used=request.form.get("last_used") == "yes")
    except UnsavableError as error:
        raise ConsoleError(f"{error}.", 409) from error
    answer = make_response(text, 200)
    answer.headers["Content-Type"] = YAML
    answer.headers["Content-Disposition"] = f'attachment; filename="{SNAPSHOT_NAME}"'
    return answer


def _load(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    file = request.files.get("file")
    if file is None or not file.filename:
        return _shown(sandbox, request, 400, problem=NO_FILE_MESSAGE)
    if request.form.get("confirm") != "yes":
        return _shown(sandbox, request, 400, problem=CONFIRM_MESSAGE)
    try:
        sandbox.load(file.read().decode("utf-8"))
    except UnicodeDecodeError:
        return _shown(sandbox, request, 400, problem=NOT_TEXT_MESSAGE)
    except InvalidWorldError as error:
        lines = [f"line {problem.line}: {problem.message}" for problem in error.problems]
        return _shown(sandbox, request, 400, problem=INVALID_MESSAGE, problems=lines)
    return done(PATH, "The snapshot is loaded. Access keys and sessions from before may be gone.")


def _reset(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    if request.form.get("confirm") != "yes":
        return _shown(sandbox, request, 400, problem=CONFIRM_MESSAGE)
    sandbox.reset()
    return done(PATH, in_a_notice("The sandbox is as its file declares it.", curl(request, "reset", "-X", "POST")))


PAGES = (
    Page(PATH, _page, "Time and faults"),
    Page(f"{PATH}/clock", None, act=_move),
    Page(f"{PATH}/faults", None, act=_add),
    Page(f"{PATH}/faults/remove", None, act=_remove),
    Page(f"{PATH}/faults/clear", None, act=_clear),
    Page(f"{PATH}/snapshot", None, act=_save),
    Page(f"{PATH}/load", None, act=_load, form_bytes=MAXIMUM_SNAPSHOT_BYTES + FORM_AROUND_BYTES),
    Page(f"{PATH}/reset", None, act=_reset),
)
