"""Shared by the tests of importing: a database to set sandboxes up in, files, and worlds drawn at random."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from rolecall.ids import Identifiers
from rolecall.importing.exported import account_details
from rolecall.importing.reading import imported
from rolecall.importing.written import Imported
from rolecall.settings import SandboxSettings
from rolecall.storage.engine import Database
from rolecall.storage.migrate import upgrade
from rolecall.worlds.declare import read_world
from rolecall.worlds.snapshots import load_database, save_database

FIRST, SECOND = "111122223333", "444455556666"
IAM = f"arn:aws:iam::{FIRST}"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
NOW_SECONDS = 1_900_000_000


@contextmanager
def database() -> Iterator[Database]:
    made = Database("sqlite://")
    try:
        upgrade(made)
        yield made
    finally:
        made.close()


def snapshot_of(db: Database, text: str) -> str:
    """The snapshot of a sandbox that a text declares."""
    load_database(db, text, NOW_SECONDS, Identifiers(seed=7))
    return save_database(db, SandboxSettings())


def details_of(snapshot: str) -> dict[str, dict[str, Any]]:
    """The details of each account in a snapshot, by account id."""
    world = read_world(snapshot)
    return {account.account_id: account_details(world, account) for account in world.accounts}


def import_values(folder: Path, *values: Any) -> Imported:
    """What ``rolecall import`` makes of files with these values: text as it is, other values as JSON."""
    names = []
    for number, value in enumerate(values):
        file = folder / f"{number}.json"
        file.write_text(value if isinstance(value, str) else json.dumps(value, indent=1), encoding="utf-8")
        names.append(str(file))
    return imported(names, Identifiers(seed=1))


# Random worlds.

_NAMES = st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9_+=,.@-]{0,8}", fullmatch=True), max_size=3, unique_by=str.lower)
_PATHS = st.sampled_from(["/", "/team/", "/a/b-1/"])
_WORDS = st.from_regex(r"[A-Za-z0-9 :/=+@_.-]{0,12}", fullmatch=True)
_TAGS = st.dictionaries(st.from_regex(r"[A-Za-z]{1,4}", fullmatch=True), _WORDS, max_size=2).filter(
    lambda tags: len({key.lower() for key in tags}) == len(tags)
)
_ACTIONS = st.lists(st.sampled_from(["chime:*", "iam:Get*", "sts:AssumeRole", "chime:List*"]), min_size=1, max_size=2)
_CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike"]), st.dictionaries(st.just("aws:username"), _WORDS, min_size=1)
)
_RESOURCES = st.sampled_from(["*", "arn:aws:iam::*:role/a%20b", "arn:aws:iam::1:user/é", ["*"]])


@st.composite
def documents(draw: Any) -> dict[str, Any]:
    """An identity policy."""
    statements = draw(
        st.lists(
            st.fixed_dictionaries(
                {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": _ACTIONS, "Resource": _RESOURCES},
                optional={"Condition": _CONDITIONS},
            ),
            min_size=1,
            max_size=2,
        )
    )
    return {"Version": "2012-10-17", "Statement": statements}


_INLINE = st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), documents(), max_size=2)


@st.composite
def _account(draw: Any, account_id: str) -> dict[str, Any]:
    policies = [
        {
            "name": name,
            "path": draw(_PATHS),
            "document": draw(documents()),
            **draw(st.sampled_from([{}, {"default_version": 3, "latest_version": 3}])),
        }
        for name in draw(_NAMES)
    ]
    for policy in policies:
        if "default_version" in policy:
            policy["versions"] = [{"version": number, "document": draw(documents())} for number in (1, 2)]
    arns = [f"arn:aws:iam::{account_id}:policy{each['path']}{each['name']}" for each in policies] + [READ_ONLY]
    groups = [{"name": name, "path": draw(_PATHS), **draw(_grants(arns))} for name in draw(_NAMES)]
    boundary = st.none() | st.sampled_from(arns)
    users = [
        {
            "name": name,
            "path": draw(_PATHS),
            "tags": draw(_TAGS),
            "groups": [group["name"] for group in groups if draw(st.booleans())],
            "permissions_boundary": draw(boundary),
            **draw(_grants(arns)),
        }
        for name in draw(_NAMES)
    ]
    trusted = [f"arn:aws:iam::{account_id}:user{each['path']}{each['name']}" for each in users]
    principals = st.sampled_from([{"Service": "ec2.amazonaws.com"}, {"AWS": [f"arn:aws:iam::{FIRST}:root", *trusted]}])
    roles = [
        {
            "name": name,
            "path": draw(_PATHS),
            "tags": draw(_TAGS),
            "trust_policy": _trust(draw(principals)),
            "permissions_boundary": draw(boundary),
            **draw(st.sampled_from([{}, {"last_used_at": "2026-01-01T00:00:00Z", "last_used_region": "us-east-1"}])),
            **draw(_grants(arns)),
        }
        for name in draw(_NAMES)
    ]
    profiles = (
        [{"name": name, "path": draw(_PATHS), "role": draw(st.sampled_from(roles))["name"]} for name in draw(_NAMES)]
        if roles
        else []
    )
    # So that the answer names the account.
    roles.append({"name": "the-last", "trust_policy": _trust({"Service": "ec2.amazonaws.com"})})
    return {
        "id": account_id,
        "users": users,
        "groups": groups,
        "policies": policies,
        "roles": roles,
        "instance_profiles": profiles,
        "service_linked_roles": draw(st.sampled_from([[], ["voiceconnector.chime.amazonaws.com"]])),
    }


@st.composite
def _grants(draw: Any, arns: list[str]) -> dict[str, Any]:
    return {
        "attached_policies": draw(st.lists(st.sampled_from(arns), unique=True, max_size=2)),
        "inline_policies": draw(_INLINE),
        "created_at": draw(st.sampled_from(["2020-02-03T04:05:06Z", "2026-10-11T12:13:14Z"])),
    }


def _trust(principal: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }


@st.composite
def worlds(draw: Any) -> dict[str, Any]:
    """A sandbox of one or two accounts, with everything that the details of an account tell."""
    accounts = [draw(_account(FIRST))]
    if draw(st.booleans()):
        accounts.append(draw(_account(SECOND)))
    return {"version": 1, "accounts": accounts}
