"""The policy editor: the text with its problems at their lines, a question beside it, the difference, saving."""

from __future__ import annotations

import difflib
import json
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from flask import Request, Response
from msgspec import Struct

from rolecall.access.policies import parsed_policy
from rolecall.call_log.layers import LAYER_EFFECTS, LAYER_TITLES
from rolecall.clock import iso8601
from rolecall.data import managed_policies
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.principals import NoSuchNameError
from rolecall.expectations.trying import Draft
from rolecall.inspection import Examination, examine_policy
from rolecall.policy import NamedPolicy, PolicyKind
from rolecall.sandbox import Sandbox
from rolecall.storage.gather import account_names
from rolecall.storage.policies import list_policies
from rolecall.web.console.pages import ConsoleError, Page, Values, done, shown
from rolecall.web.console.questions import ask_with_draft
from rolecall.web.console.subjects import Subject, control_policies, save, subject_of

QUESTION = ("principal", "action", "resource", "context")
_LISTED = 200
_MAXIMUM_DIFFERENCE_LINES = 2000


class Line(Struct, frozen=True):
    """One line of a text, with what is said about it."""

    number: int
    text: str
    problems: list[str]
    advice: list[str]


def _list(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    name = request.args.get("name", "").strip()
    with sandbox.database.snapshot() as connection:
        accounts = account_names(connection)
        own = [
            (policy, account_id)
            for account_id in accounts
            for policy in list_policies(connection, account_id)
            if name.lower() in policy.name.lower()
        ]
        control = [each for each in control_policies(connection) if name.lower() in each[1].lower()]
    of_aws = list(islice((arn for arn in managed_policies() if name and name.lower() in arn.lower()), _LISTED))
    return shown(
        "policies.html",
        accounts=accounts,
        own=own[:_LISTED],
        control=control[:_LISTED],
        more=len(own) > _LISTED,
        of_aws=of_aws,
        name=name,
    )


def _show(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    subject = subject_of(sandbox, request.args)
    asked = {name: request.args.get(name, "") for name in QUESTION}
    return _editor(sandbox, subject, pretty(subject.document), asked)


def _act(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    subject = subject_of(sandbox, request.args)
    document = request.form.get("document", "").replace("\r\n", "\n")
    asked = {name: request.form.get(name, "").strip() for name in QUESTION}
    if request.form.get("do") != "save":
        return _editor(sandbox, subject, document, asked)
    try:
        notice = save(sandbox, request, subject, document)
    except ConsoleError as problem:
        # The text must not be lost.
        return _editor(sandbox, subject, document, asked, str(problem), problem.status)
    kept = {name: value for name, value in asked.items() if value}
    return done(f"/policies/one?{urlencode({**subject.query, **kept})}", notice)


def _editor(
    sandbox: Sandbox, subject: Subject, document: str, asked: dict[str, str], problem: str = "", status: int = 200
) -> Response:
    examined = examine_policy(document, subject.kind)
    answers: dict[str, Any] = {}
    if asked["action"] and not examined.problems:
        try:
            draft = _draft(subject, document)
            answers["after"], answers["before"], answers["bears"] = ask_with_draft(sandbox, asked, draft)
            answers["is_added"] = not (draft.is_control or draft.role_arn)
        except (BadQuestionError, NoSuchNameError) as error:
            answers["trouble"] = str(error)
    return shown(
        "policy.html",
        status,
        subject=subject,
        query=urlencode(subject.query),
        document=document,
        lines=_lines(document, examined),
        examined=examined,
        difference=_difference(pretty(subject.document), document),
        asked=asked,
        problem=problem,
        iso8601=iso8601,
        titles=LAYER_TITLES,
        effects=LAYER_EFFECTS,
        **answers,
    )


def _draft(subject: Subject, document: str) -> Draft:
    named = NamedPolicy(parsed_policy(document, subject.kind), subject.name, subject.arn)
    is_trust = subject.kind is PolicyKind.TRUST
    return Draft(named, subject.owner_arn if is_trust else "", "" if is_trust else subject.owner_arn)


def pretty(document: str) -> str:
    """A stored text as people read it. IAM keeps texts as they were sent."""
    try:
        return json.dumps(json.loads(document), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return document


def _lines(document: str, examined: Examination) -> list[Line]:
    """The lines of the text, each with the problems and the advice about it."""
    said: dict[int, tuple[list[str], list[str]]] = {}
    for problem in examined.problems:
        said.setdefault(problem.line, ([], []))[0].append(problem.message)
    for advice in examined.advice:
        said.setdefault(advice.line, ([], []))[1].append(advice.message)
    return [Line(number, text, *said.get(number, ([], []))) for number, text in enumerate(document.split("\n"), 1)]


def _difference(stored: str, document: str) -> list[tuple[str, str]]:
    """The lines of a unified difference, each with its sign; empty when nothing differs."""
    before, after = stored.splitlines(), document.splitlines()
    found = difflib.unified_diff(
        before[:_MAXIMUM_DIFFERENCE_LINES], after[:_MAXIMUM_DIFFERENCE_LINES], lineterm="", n=2
    )
    return [(line[:1], line) for line in islice(found, 2, None)]


PAGES = (Page("/policies", _list, "Policies"), Page("/policies/one", _show, act=_act))
