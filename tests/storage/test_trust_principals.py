"""Principals of a trust policy: which become unique ids, which stay as they are, which are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rolecall.access.context import RequestContext
from rolecall.storage import worlds
from rolecall.storage.problems import BadRowError
from rolecall.storage.trust import UnknownPrincipal, resolve_trust
from rolecall.storage.world_rows import WorldRows

ACCOUNT, ABSENT = "111122223333", "999988887777"
WORLD = """
version: 1
accounts:
  - id: "111122223333"
    users: [{name: Ana, path: /team/, unique_id: AIDAANAANAANAANAANAA1}]
    roles:
      - name: worker
        unique_id: AROAWORKERWORKERWORK1
        trust_policy: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {AWS: "111122223333"},
          Action: "sts:AssumeRole"}]}
"""


@pytest.fixture(scope="module")
def database(make_shared_world: Any) -> Any:
    return make_shared_world(WORLD).database


@pytest.fixture
def connection(database: Any) -> Iterator[Any]:
    with database.snapshot() as connection:
        yield connection


@pytest.mark.parametrize(
    ("principal", "unique_id"),
    [
        (f"arn:aws:iam::{ACCOUNT}:user/team/Ana", "AIDAANAANAANAANAANAA1"),
        (f"arn:aws:iam::{ACCOUNT}:role/worker", "AROAWORKERWORKERWORK1"),
        ("AIDAANAANAANAANAANAA1", "AIDAANAANAANAANAANAA1"),
        ("AROAWORKERWORKERWORK1", "AROAWORKERWORKERWORK1"),
    ],
)
def test_entities_become_their_ids(connection: Any, principal: str, unique_id: str) -> None:
    assert resolve_trust(connection, [principal]) == {principal: unique_id}


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        ACCOUNT,
        ABSENT,
        f"arn:aws:iam::{ACCOUNT}:root",
        f"arn:aws:iam::{ABSENT}:root",
        f"arn:aws:iam::{ABSENT}:user/anybody",
        f"arn:aws:iam::{ABSENT}:role/any/role",
        f"arn:aws:sts::{ACCOUNT}:federated-user/anybody",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/session",
        f"arn:aws:sts::{ABSENT}:assumed-role/anything/session",
    ],
)
def test_what_stays_as_it_is(connection: Any, principal: str) -> None:
    assert resolve_trust(connection, [principal]) == {}


@pytest.mark.parametrize(
    "principal",
    [
        "",
        "Ana",
        "11112222333",
        "1111222233334",
        "AIDAANAANAANAANAANAA2",
        "AROAANAANAANAANAANAA1",
        "AKIAANAANAANAANAANAA1",
        f"arn:aws:iam::{ACCOUNT}:user/Ana",
        f"arn:aws:iam::{ACCOUNT}:user/team/ana",
        f"arn:aws:iam::{ACCOUNT}:user/",
        f"arn:aws:iam::{ACCOUNT}:user/*",
        f"arn:aws:iam::{ACCOUNT}:role/team/worker",
        f"arn:aws:iam::{ACCOUNT}:role/Ana",
        f"arn:aws:iam::{ACCOUNT}:group/team",
        f"arn:aws:iam::{ACCOUNT}:*",
        f"arn:aws:iam:us-east-1:{ACCOUNT}:user/team/Ana",
        "arn:aws:iam:::user/team/Ana",
        "arn:aws:iam::11112222333:root",
        f"arn:aws:sts::{ACCOUNT}:federated-user/",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/worker",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/",
        f"arn:aws:sts::{ACCOUNT}:assumed-role//session",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/a/b",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/session",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/absent/session",
        f"arn:aws:sts::{ACCOUNT}:root",
        f"arn:aws:s3::{ACCOUNT}:user/team/Ana",
    ],
)
def test_what_is_no_principal(connection: Any, principal: str) -> None:
    with pytest.raises(UnknownPrincipal) as caught:
        resolve_trust(connection, ["*", principal])
    assert caught.value.principal == principal


def test_a_row_that_cannot_be(database: Any) -> None:
    row = {"account_id": ABSENT, "global_endpoint_token_version": "v2Token"}

    def write() -> None:
        with database.transaction() as connection:
            rows = WorldRows(connection)
            worlds.put_row(rows, "account_preferences", row)
            rows.written()

    with pytest.raises(
        BadRowError, match=r"(?i)^a row of account_preferences cannot be stored: .*foreign key constraint.*$"
    ):
        write()


def test_a_context_is_a_mapping() -> None:
    context = RequestContext({"a": "1"}, {"a": "2", "b": "3"}, object())  # type: ignore[arg-type]
    assert (context["a"], context["b"]) == ("1", "3")
    moment: Any = {}
    with pytest.raises(KeyError, match="absent"):
        RequestContext({}, {}, moment)["absent"]
