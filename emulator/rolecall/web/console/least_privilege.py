"""Least privilege: what a principal did, the smallest policy for that, and the difference to what it has."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Sequence

from flask import Request, Response
from msgspec import Struct

from rolecall.arns import parse_arn
from rolecall.call_log.filter import BadFilterError, since_seconds
from rolecall.call_log.written import WrittenCalls
from rolecall.clock import iso8601
from rolecall.expectations.asking import asking
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.principals import NoSuchNameError
from rolecall.expectations.trying import one_action, tried
from rolecall.least_privilege import (
    BadPrincipalError,
    LeastPrivilege,
    NoGrantsError,
    Traffic,
    Unused,
    least_privilege,
    observed,
    unused_grants,
    unused_notes,
    used_permissions,
)
from rolecall.sandbox import Sandbox
from rolecall.storage.decision_log import CallKind, LogUnavailableError
from rolecall.storage.dialects import shown_url
from rolecall.web.console.commands import curl
from rolecall.web.console.pages import ConsoleError, Page, Values, shown
from rolecall.web.decision_endpoints import NO_LOG_MESSAGE, UNAVAILABLE_MESSAGE

PATH = "/least-privilege"
FIELDS = ("principal", "since", "include_refused")
_NAMES_OFFERED = 300
_DONE_SHOWN = 200
# Each is a decision of the engine.
_ASKED_AGAIN = 200


class Done(Struct, frozen=True):
    """Calls of one kind with one outcome. ``last`` is the newest one's time, ``request_id`` leads to its page."""

    operation: str
    outcome: str
    count: int
    last: str
    request_id: str


class Lacking(Struct, frozen=True):
    """A permission that was used and that the principal does not have now. The principal is as questions name it."""

    principal: str
    action: str
    resource: str
    outcome: str
    reason: str


class Report(Struct, frozen=True):
    """What the page shows about one principal. ``lacking`` are permissions that it used and does not have now."""

    found: LeastPrivilege
    policy: str
    done: list[Done]
    unused: Unused | None
    notes: list[str]
    lacking: list[Lacking]
    asked: int
    more_asked: bool


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    given = {name: request.args.get(name, "").strip() for name in FIELDS}
    report, problem, status = None, "", 200
    if given["principal"]:
        try:
            report = _report(
                sandbox, given["principal"], given["since"], include_refused=bool(given["include_refused"])
            )
        except (BadFilterError, BadPrincipalError) as error:
            problem, status = str(error), 400
    with asking(sandbox) as asker:
        principals = asker.principals
        names = [who.arn for who in (*principals.entities, *principals.roots)][:_NAMES_OFFERED]
    return shown(
        "least_privilege.html",
        status,
        given=given,
        names=names,
        report=report,
        problem=problem,
        command=_command(sandbox, request, given),
    )


def _command(sandbox: Sandbox, request: Request, given: dict[str, str]) -> str:
    """The command line that prints the same policy. Only the server itself reaches a log in memory."""
    principal = given["principal"] or "ARN"
    if sandbox.database.in_memory:
        options = [("since", given["since"]), ("include_refused", "true" if given["include_refused"] else "")]
        words = [word for name, value in options if value for word in ("--data-urlencode", f"{name}={value}")]
        return curl(request, "policy", "-G", "--data-urlencode", f"principal={principal}", *words)
    since = ("--since", given["since"]) if given["since"] else ()
    refused = ("--include-refused",) if given["include_refused"] else ()
    database = ("--database", shown_url(sandbox.database.url))
    return shlex.join(("rolecall", "policy", "--principal", principal, *since, *refused, *database))


def _report(sandbox: Sandbox, principal: str, since: str, *, include_refused: bool) -> Report:
    """Raises BadFilterError, BadPrincipalError and ConsoleError."""
    if sandbox.decisions is None:
        raise ConsoleError(NO_LOG_MESSAGE, 404)
    log = WrittenCalls(sandbox.decisions)
    try:
        traffic = observed(log, principal, since_seconds(since, log.now_seconds))
    except LogUnavailableError as error:
        raise ConsoleError(UNAVAILABLE_MESSAGE, 503) from error
    found = least_privilege(traffic, include_refused=include_refused)
    unused, notes = None, [*found.notes, *(note for note in unused_notes(traffic) if note not in found.notes)]
    try:
        with sandbox.database.snapshot() as connection:
            unused = unused_grants(connection, traffic)
    except NoGrantsError as error:
        notes.append(f"{error}.")
    lacking, asked, more = _asked_again(sandbox, traffic, include_refused=include_refused)
    policy = "" if found.policy is None else json.dumps(found.policy, indent=2, ensure_ascii=False)
    return Report(found, policy, _done(log, traffic.kinds), unused, notes, lacking, asked, more)


def _done(log: WrittenCalls, kinds: Sequence[CallKind]) -> list[Done]:
    """What was done, the most frequent first. ``kinds`` come newest first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    newest: dict[tuple[str, str, str], int] = {}
    for kind in kinds:
        key = (kind.service, kind.operation or "(no operation)", kind.outcome)
        counts[key] += kind.calls
        newest.setdefault(key, kind.newest_position)
    shown = counts.most_common(_DONE_SHOWN)
    places = log.places([newest[key] for key, _ in shown]) if shown else {}
    found = []
    for (service, operation, outcome), count in shown:
        # A call may leave the log while its kind is counted.
        at_seconds, request_id = places.get(newest[service, operation, outcome], (None, ""))
        last = "" if at_seconds is None else iso8601(at_seconds)
        found.append(Done(f"{service} {operation}", outcome, count, last, request_id))
    return found


def _asked_again(sandbox: Sandbox, traffic: Traffic, *, include_refused: bool) -> tuple[list[Lacking], int, bool]:
    """The used permissions that are not there now, how many were asked about, and whether there are more.

    Condition keys of the calls are not part of the question.
    """
    used = used_permissions(traffic.kinds, include_refused=include_refused).permissions
    pairs = [(action, resource) for action in sorted(used) for resource in sorted(used[action])]
    lacking: list[Lacking] = []
    asked = 0
    with asking(sandbox) as asker:
        try:
            who = asker.principals.single(_name(traffic.principal))
        except NoSuchNameError:
            return [], 0, False
        for action, resource in pairs[:_ASKED_AGAIN]:
            try:
                answered = tried(asker, who, one_action(action), resource, {})
            except BadQuestionError:
                continue
            asked += 1
            if not answered.allowed:
                outcome = "Refused" if answered.decision is None else answered.decision.outcome
                lacking.append(Lacking(who.arn, action, resource, outcome, answered.reason))
    return lacking, asked, len(pairs) > _ASKED_AGAIN


def _name(principal: str) -> str:
    """The principal as questions name it: the role for a session of it."""
    arn = parse_arn(principal)
    if arn is None or arn.resource_type != "assumed-role":
        return principal
    return f"{arn.account_id}:role/{arn.resource.split('/')[1]}"


PAGES = (Page(PATH, _page, "Least privilege"),)
