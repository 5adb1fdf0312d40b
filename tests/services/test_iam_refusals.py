"""Tables of refusals: IAM's answers to invalid calls about users, groups, keys and their policies."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from botocore import xform_name
from iam_calls import ACCOUNT, WORLD, cases, refusal
from sqlalchemy import select

from rolecall.storage.tables import metadata


def everything(world: Any) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with world.database.snapshot() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in metadata.tables.values()}


def test_refused_calls_say_so_in_aws_words_and_change_nothing(make_world: Any) -> None:
    world = make_world(WORLD)
    iam = world.client("iam")
    before = everything(world)
    wrong = []
    for case in cases("iam_refusals.json"):
        expected = (case["code"], case["message"], case["status"])
        found = refusal(getattr(iam, xform_name(case["operation"])), **case["arguments"])
        if found != expected:
            wrong.append((case["operation"], case["arguments"], found, expected))
    assert wrong == []
    assert everything(world) == before


def test_callers_without_rights_see_what_they_lack(make_world: Any) -> None:
    world = make_world(WORLD)
    iam = world.client("iam", user="bob")
    before = everything(world)
    wrong = []
    for case in cases("iam_unauthorized.json"):
        action = f"iam:{case['operation']}"
        message = (
            f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: {action}"
            + (f" on resource: {case['resource']}" if case["resource"] else "")
            + f" because no identity-based policy allows the {action} action"
        )
        found = refusal(getattr(iam, xform_name(case["operation"])), **case["arguments"])
        if found != ("AccessDenied", message, 403):
            wrong.append((case["arguments"], found, message))
    assert wrong == []
    assert everything(world) == before


def test_every_operation_of_the_table_is_refused_for_lack_of_rights_too() -> None:
    refused = Counter(case["operation"] for case in cases("iam_refusals.json"))
    unauthorized = Counter(case["operation"] for case in cases("iam_unauthorized.json"))
    assert set(refused) - set(unauthorized) == {"GetAccessKeyLastUsed"}


@pytest.mark.parametrize("name", ["iam_refusals.json", "iam_unauthorized.json"])
def test_no_case_stands_twice_in_its_table(name: str) -> None:
    texts = Counter(repr((case["operation"], case["arguments"])) for case in cases(name))
    assert [text for text, count in texts.items() if count > 1] == []
