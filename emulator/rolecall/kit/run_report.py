"""The HTML page about a run: every call with its decision, and the smallest policy for each user and role.

The page is one file without scripts. Jinja escapes everything that calls and tests put into it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rolecall.call_log.shown import call_as_json, call_cells
from rolecall.kit.run_calls import RunCall, needed_by
from rolecall.printable import printable, printable_lines
from rolecall.version import __version__

_TEMPLATE = Path(__file__).with_name("run_report.html")


def anchor_of(test: str, request_id: str) -> str:
    """The place of a call in the page. Sandboxes with a seed repeat their request ids, so the test is part of it."""
    return f"call-{hashlib.sha256(test.encode()).hexdigest()[:8]}-{request_id}"


def report_page(calls: Sequence[RunCall], left_out: int) -> str:
    """The page as text."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    policies = [each for each in needed_by(calls) if each.policy is not None]
    return template.render(
        version=__version__,
        count=len(calls),
        refused=sum(bool(each.reasons) for each in calls),
        left_out=left_out,
        tests=[_shown_test(test, list(found)) for test, found in groupby(calls, key=lambda each: each.test)],
        policies=[
            {
                "principal": printable(each.principal),
                "calls": each.calls,
                "refused": each.refused,
                "notes": [printable(note) for note in each.notes],
                "policy": json.dumps(each.policy, indent=2),
            }
            for each in policies
        ],
    )


def _shown_test(test: str, calls: Sequence[RunCall]) -> dict[str, Any]:
    return {
        "name": printable(test) or "outside of tests",
        "refused": sum(bool(each.reasons) for each in calls),
        "calls": [_shown_call(each) for each in calls],
    }


def _shown_call(each: RunCall) -> dict[str, Any]:
    time, outcome, caller, asked, request_id = map(printable, call_cells(call_as_json(each.call)))
    return {
        "anchor": anchor_of(each.test, each.call.request_id),
        "time": time,
        "outcome": outcome,
        "allowed": each.call.outcome == "Allowed",
        "caller": caller,
        "asked": asked,
        "request_id": request_id,
        "reasons": printable_lines(each.reasons),
    }
