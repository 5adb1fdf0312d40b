"""New calls of the log as server-sent events (HTML Living Standard, section 9.2): rows for the list of decisions.

The answer holds what has come since the browser's place in the log. A server that can keep it open sends what
:func:`news` gives from then on. Any other server ends it, and the browser asks again after ``RETRY_MILLISECONDS``.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask, Request, Response, current_app, make_response
from msgspec import Struct

from rolecall.call_log.filter import BadFilterError
from rolecall.call_log.shown import call_as_json
from rolecall.call_log.writer import DecisionLog
from rolecall.call_log.written import WrittenCalls
from rolecall.sandbox import Sandbox
from rolecall.storage.decision_log import CallFilter, LoggedCall, LogPlace, LogUnavailableError
from rolecall.web.console.decisions import filter_of, place_text, read_log
from rolecall.web.console.pages import Page, Values
from rolecall.web.console_door import CONSOLE_PATH
from rolecall.web.streamed import STREAM_KEY

__all__ = ["PAGES", "Follower", "LogUnavailableError", "news"]

RETRY_MILLISECONDS = 2000
PLACE_MESSAGE = "after must be a place that this console gave out."
_PLACE = re.compile(r"([0-9]{1,15})@([0-9]{1,12}\.[0-9]{1,9})", re.ASCII)
_END_OF_LINE = re.compile("\r\n|\r|\n")


class Follower(Struct, eq=False):
    """A browser that follows the log: which calls it wants, and behind which place."""

    wanted: CallFilter
    place: LogPlace


def news(application: Flask, sandbox: Sandbox, followers: Iterable[Follower]) -> Iterator[tuple[bytes, list[Follower]]]:
    """What each follower has not got yet, as events. Moves the followers on. Raises LogUnavailableError.

    Followers that want the same are served together. Only the newest calls come when more have come than fit the list.
    """
    log = sandbox.decisions
    if log is None:
        return
    newest = log.newest_place()
    alike: dict[tuple[CallFilter, LogPlace], list[Follower]] = defaultdict(list)
    for follower in followers:
        if follower.place != newest:
            alike[follower.wanted, follower.place].append(follower)
    for (wanted, place), members in alike.items():
        reached, events = _events(application, log, wanted, place)
        for follower in members:
            follower.place = reached
        if events:
            yield events, members


def _events(application: Flask, log: DecisionLog, wanted: CallFilter, place: LogPlace) -> tuple[LogPlace, bytes]:
    reached, calls = log.calls_after(place, wanted)
    events = b""
    if reached.cleared_at_seconds != place.cleared_at_seconds:
        events += _event("cleared", reached, "The log was emptied.")
    if calls:
        events += _event("calls", reached, _rows(application, calls))
    return reached, events


def _rows(application: Flask, calls: list[LoggedCall]) -> str:
    template = application.jinja_env.get_template("console/new_calls.html")
    return template.render(console=CONSOLE_PATH, calls=[call_as_json(call) for call in calls])


def _event(name: str, place: LogPlace, text: str) -> bytes:
    data = "".join(f"data: {line}\n" for line in _END_OF_LINE.split(text))
    return f"id: {place_text(place)}\nevent: {name}\n{data}\n".encode("utf-8", "replace")


def _read_place(text: str) -> LogPlace:
    found = _PLACE.fullmatch(text)
    if found is None or not math.isfinite(float(found[2])):
        raise BadFilterError(PLACE_MESSAGE)
    return LogPlace(float(found[2]), int(found[1]))


def _stream(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    def begin(log: WrittenCalls) -> tuple[Follower, bytes]:
        wanted = filter_of(request.args, log.now_seconds)
        # What a browser sends when it connects again counts more than the address, which stays the same.
        given = request.headers.get("Last-Event-ID") or request.args.get("after", "")
        follower = Follower(wanted, _read_place(given) if given else log.newest_place())
        log.flush()
        application: Any = current_app
        return follower, b"".join(events for events, _ in news(application, sandbox, [follower]))

    follower, events = read_log(sandbox, begin)
    if STREAM_KEY in request.environ and request.method == "GET":
        request.environ[STREAM_KEY] = follower
    answer = make_response(b"retry: %d\n\n%s" % (RETRY_MILLISECONDS, events))
    answer.headers["Content-Type"] = "text/event-stream; charset=utf-8"
    # nginx would otherwise keep events back.
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


PAGES = (Page("/decisions/stream", _stream),)
