"""The JSON schemas for editors: they refuse what no check accepts, and nothing that a check accepts."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from full_world import declared_text
from yaml_tables import read_table, read_tables

from rolecall.cli import main
from rolecall.expectations.files import InvalidExpectationsError, expectations_schema, read_expectations
from rolecall.worlds.declare import InvalidWorldError, read_world, world_schema
from rolecall.worlds.located import UnreadableError, read_located

ROOT = Path(__file__).parent.parent.parent
PROBLEMS = read_tables((Path(__file__).parent / "cases" / "problems.yaml").read_text(encoding="utf-8"))
BAD_EXPECTATIONS = read_table((ROOT / "tests/expectations/cases/bad_files.yaml").read_text(encoding="utf-8"))
# What the checks say about one value by itself. References and the grammar of policies only the checks know.
OF_ONE_VALUE = re.compile(
    r"unknown key|: lacks \w+(, \w+)*$|expects nothing|must have either"
    r"|must be (a |an |text|true|a list|up to|[A-Z]\w+ or )"
)
MINIMAL: dict[str, Any] = {"version": 1, "accounts": [{"id": "111122223333", "users": [{"name": "ana"}]}]}


def refuses(schema: dict[str, Any], value: Any) -> bool:
    return next(jsonschema.Draft7Validator(schema).iter_errors(value), None) is not None


def at(path: str, value: Any) -> dict[str, Any]:
    """The minimal file with one member more, such as ``accounts.0.name``."""
    file: Any = copy.deepcopy(MINIMAL)
    place = file
    *parts, last = path.split(".")
    for part in parts:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    place[last] = value
    return dict(file)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("accont", []),
        ("version", 2),
        ("version", "1"),
        ("accounts", []),
        ("accounts.0.id", 111122223333),
        ("accounts.0.id", "1111"),
        ("accounts.0.nmae", "x"),
        ("accounts.0.users", {}),
        ("accounts.0.users.0.access_keys", [{"id": "test"}]),
        ("accounts.0.users.0.attached_policies", ["AdministratorAccess"]),
        ("accounts.0.users.0.tags", {"a": 1}),
        ("accounts.0.roles", [{"name": "r"}]),
        ("accounts.0.roles", [{"name": "r", "trust_policy": {"Statement": [{"Effect": "allow"}]}}]),
        ("accounts.0.roles", [{"name": "r", "trust_policy": {"Statements": []}}]),
        ("accounts.0.roles", [{"name": "r", "trust_policy": {"Statement": []}, "max_session_duration": 60}]),
        ("accounts.0.policies", [{"name": "p"}]),
        ("settings.strict", "no"),
        ("settings.minimum_session_seconds", 901),
        ("settings.quotas", {"RolesPerAcount": 1}),
        ("settings.quotas", {"RolesPerAccount": -1}),
        ("organization", {"id": "o-1"}),
    ],
    ids=repr,
)
def test_the_schema_of_the_sandbox_file_refuses(path: str, value: Any) -> None:
    wrong = at(path, value)
    with pytest.raises(InvalidWorldError):
        read_world(json.dumps(wrong))
    assert refuses(world_schema(), wrong)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("accounts.0.roles", [{"name": "r", "trust_policy_file": "trust.json"}]),
        ("accounts.0.policies", [{"name": "p", "document_file": "p.json"}]),
        ("accounts.0.users.0.inline_policy_files", {"own": "own.json"}),
        ("accounts.0.users.0.permissions_boundary", None),
        ("accounts.0.oidc_providers", [{"url": "https://idp.example.com", "jwks_file": "keys.json"}]),
    ],
    ids=repr,
)
def test_the_schema_knows_the_files_that_a_sandbox_file_may_name(path: str, value: Any) -> None:
    assert not refuses(world_schema(), at(path, value))


def readable(file: str) -> bool:
    try:
        read_located(file)
    except UnreadableError:
        return False
    return True


def of_one_value(cases: list[dict[str, Any]]) -> list[str]:
    """The files of a table in which a value is wrong by itself."""
    return [
        case["file"]
        for case in cases
        if readable(case["file"]) and any(OF_ONE_VALUE.search(message) for _, message in case["problems"])
    ]


@pytest.mark.parametrize(
    ("schema", "cases", "least"),
    [(world_schema(), PROBLEMS, 10), (expectations_schema(), BAD_EXPECTATIONS, 4)],
    ids=["sandbox", "expectations"],
)
def test_the_schema_refuses_the_files_with_problems_of_one_value(
    schema: dict[str, Any], cases: list[dict[str, Any]], least: int
) -> None:
    files = of_one_value(cases)
    assert len(files) >= least
    assert [file for file in files if not refuses(schema, read_located(file).value)] == []


def accepted_worlds() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "config").iterdir()):
        yield file.name, file.read_text(encoding="utf-8")
    yield "every key", declared_text()


@pytest.mark.parametrize(("name", "text"), list(accepted_worlds()), ids=lambda value: value[:20])
def test_the_schema_accepts_what_the_checks_accept(name: str, text: str) -> None:
    errors = jsonschema.Draft7Validator(world_schema()).iter_errors(read_located(text).value)
    assert [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors] == []


@pytest.mark.parametrize(
    "entry",
    [
        {"principal": "role/chime-reader", "may": ["chime:Get*", "chime:List*"], "may_not": "iam:*"},
        {"principal": ["user/ci", "user/ana"], "may_assume": ["role/deploy"], "only_if": {"sts:ExternalId": "x"}},
        {"nobody": {"may": "iam:CreateUser", "but": ["user/admin"], "on": "*"}},
    ],
    ids=repr,
)
def test_the_schema_of_expectations_accepts_what_the_checks_accept(entry: dict[str, Any]) -> None:
    file = {"expectations": [entry]}
    assert read_expectations(json.dumps(file))
    assert not refuses(expectations_schema(), file)


@pytest.mark.parametrize(
    "file",
    [
        {},
        {"expectations": []},
        {"expectations": [{}]},
        {"expectations": [{"principal": "user/ci"}]},
        {"expectations": [{"principal": "user/ci", "mya": "iam:*"}]},
        {"expectations": [{"principal": "user/ci", "may": []}]},
        {"expectations": [{"principal": "user/ci", "may": "iam:*", "nobody": {"may": "iam:*"}}]},
        {"expectations": [{"principal": "user/ci", "may": "iam:*", "given": {"ExternalId": "x"}}]},
    ],
    ids=repr,
)
def test_the_schema_of_expectations_refuses(file: dict[str, Any]) -> None:
    with pytest.raises(InvalidExpectationsError):
        read_expectations(json.dumps(file))
    assert refuses(expectations_schema(), file)


@pytest.mark.parametrize("schema", [world_schema(), expectations_schema()], ids=["sandbox", "expectations"])
def test_the_schemas_are_valid_and_editors_can_read_their_patterns(schema: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(schema)
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(schema))
    assert patterns
    for pattern in map(json.loads, patterns):
        # JavaScript has lookaheads, but neither flags within a pattern nor names in Python's way.
        assert not re.search(r"\(\?[aiLmsuxP]|\\[AZ]", pattern), pattern


@pytest.mark.parametrize(("kind", "schema"), [("sandbox", world_schema()), ("expectations", expectations_schema())])
def test_the_command_prints_the_schema(kind: str, schema: dict[str, Any]) -> None:
    done = CliRunner().invoke(main, ["schema", kind])
    assert (done.exit_code, json.loads(done.stdout)) == (0, schema)


def test_the_command_knows_no_other_file() -> None:
    done = CliRunner().invoke(main, ["schema", "policy"])
    assert done.exit_code == 2
    assert "'policy' is not one of 'sandbox', 'expectations'" in done.stderr
