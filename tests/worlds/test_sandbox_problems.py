"""Problems of a sandbox file: each kind, all reported at once, and on the right lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from amounts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from yaml_tables import read_tables

from rolecall.worlds.declare import InvalidWorldError, read_world, read_world_file

CASES = read_tables((Path(__file__).parent / "cases" / "problems.yaml").read_text(encoding="utf-8"))
MINIMAL = 'version: 1\naccounts: [{id: "111122223333"}]\n'


def problems_of(text: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidWorldError) as caught:
        read_world(text)
    return [(problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_every_problem_is_reported_with_its_line(case: dict[str, Any]) -> None:
    found = problems_of(case["file"])
    assert len(found) == len(case["problems"]), found
    for (line, message), (expected_line, expected) in zip(found, case["problems"], strict=True):
        if expected.endswith("…"):
            assert message.startswith(expected[:-1])
        else:
            assert message == expected
        assert line == expected_line, message


def test_the_error_itself_says_every_problem() -> None:
    with pytest.raises(InvalidWorldError, match=r"line 1: lacks accounts; line 1: lacks version: 1"):
        read_world("settings: {}")


def test_json_is_read_too() -> None:
    world = read_world(json.dumps({"version": 1, "accounts": [{"id": "111122223333", "users": [{"name": "ana"}]}]}))
    assert world.accounts[0].users[0].name == "ana"


def test_dates_in_policies_are_text() -> None:
    text = MINIMAL.replace("}]", "", 1).rstrip() + (
        ", policies: [{name: p, document: {Version: 2012-10-17, "
        'Statement: [{Effect: Allow, Action: "*", Resource: "*"}]}}]}]\n'
    )
    assert json.loads(read_world(text).accounts[0].policies[0].document)["Version"] == "2012-10-17"


def test_a_policy_may_be_json_text() -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    account = {"id": "111122223333", "policies": [{"name": "p", "document": json.dumps(document)}]}
    world = read_world(json.dumps({"version": 1, "accounts": [account]}))
    assert json.loads(world.accounts[0].policies[0].document) == document


def test_a_service_linked_role_may_be_trusted() -> None:
    arn = "arn:aws:iam::111122223333:role/aws-service-role/chime.amazonaws.com/AWSServiceRoleForAmazonChime"
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    role = {"name": "r", "trust_policy": {"Version": "2012-10-17", "Statement": [statement]}}
    account = {"id": "111122223333", "roles": [role], "service_linked_roles": ["chime.amazonaws.com"]}
    assert read_world(json.dumps({"version": 1, "accounts": [account]})).accounts[0].roles[0].name == "r"
    del account["service_linked_roles"]
    [(_, message)] = problems_of(json.dumps({"version": 1, "accounts": [account]}))
    assert message.endswith("which this file does not declare")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.yaml"
    file.write_bytes(b"version: 1\naccounts: \xff\n")
    with pytest.raises(InvalidWorldError, match="line 2: not UTF-8 text"):
        read_world_file(str(file))
    with pytest.raises(OSError, match="missing"):
        read_world_file(str(tmp_path / "missing.yaml"))


def test_aliases_cannot_unfold_without_end() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    [(line, message)] = problems_of("\n".join(lines))
    assert message == "aliases expand to too much text"
    assert line >= 1


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=10),
        st.sampled_from(
            ["111122223333", "arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::111122223333:user/ana", "*"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        "id",
        "name",
        "users",
        "groups",
        "policies",
        "roles",
        "path",
        "tags",
        "access_keys",
        "attached_policies",
        "inline_policies",
        "permissions_boundary",
        "trust_policy",
        "document",
        "service_linked_roles",
        "chime_accounts",
        "email",
        "secret",
        "targets",
        "service_control_policies",
        "root_access_keys",
        "root_mfa_devices",
        "mfa_devices",
        "seed",
    ]
)
NESTED = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
WORLDS = st.fixed_dictionaries(
    {},
    optional={
        "version": st.just(1),
        "accounts": st.lists(NESTED, max_size=3),
        "organization": NESTED,
        "settings": NESTED,
    },
)


@settings(max_examples=examples(400), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.one_of(
        WORLDS.map(lambda value: json.dumps(value, default=str)), NESTED.map(yaml.safe_dump), st.text(max_size=80)
    )
)
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    try:
        read_world(text)
    except InvalidWorldError as error:
        problems = error.problems
    else:
        problems = None
    assert problems is None or (problems and all(problem.line >= 1 and problem.message for problem in problems))


@pytest.mark.parametrize(
    ("kind", "limit", "statement"),
    [
        ("service", 10_240, {"Effect": "Deny", "Action": "chime:*", "Resource": "*"}),
        ("resource", 5_120, {"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Resource": "*"}),
    ],
)
def test_control_policies_are_held_to_the_sizes_of_organizations(
    kind: str, limit: int, statement: dict[str, Any]
) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Sid": "", **statement}]}
    spare = limit - len(json.dumps(document, separators=(",", ":")))
    key = f"{kind}_control_policies"

    def world(written: Any) -> str:
        organization = {"id": "o-example1234", key: [{"name": "long", "document": written}]}
        return json.dumps({"version": 1, "organization": organization, "accounts": [{"id": "111122223333"}]})

    document["Statement"][0]["Sid"] = "a" * spare  # type: ignore[index]
    read_world(world(document))
    text = json.dumps(document, separators=(",", ":"))
    read_world(world(text))
    # White space between elements counts in a text, as on AWS.
    said = f"organization.{key}[0].document: has {limit + 1} characters; AWS accepts at most {limit}"
    assert problems_of(world(f"{text} ")) == [(1, said)]
    document["Statement"][0]["Sid"] = "a" * (spare + 1)  # type: ignore[index]
    assert problems_of(world(document)) == [(1, said)]


def test_suggestions_are_looked_for_a_bounded_number_of_times() -> None:
    names = {f"RolesPerAccoun{number}": 1 for number in range(40)}
    text = json.dumps({"version": 1, "accounts": [{"id": "111122223333"}], "settings": {"quotas": names}})
    with pytest.raises(InvalidWorldError) as caught:
        read_world(text)
    messages = [problem.message for problem in caught.value.problems]
    assert len(messages) == 40
    assert sum("did you mean 'RolesPerAccount'?" in message for message in messages) == 20
