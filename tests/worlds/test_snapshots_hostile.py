"""Snapshots that were edited or made to do harm: each is refused with its line, and changes nothing."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from amounts import examples
from full_world import FIRST, declared_text, fill
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshot_worlds import PLAIN_TABLES, saved

from rolecall.storage import worlds
from rolecall.storage.tables import metadata
from rolecall.worlds.declare import InvalidWorldError, read_world
from rolecall.worlds.located import MAXIMUM_VALUES, Problem, UnreadableError, read_located
from rolecall.worlds.yaml_written import yaml_text

URL = "/_rolecall/snapshot"


@pytest.fixture(scope="module")
def full(make_shared_world: Any) -> Any:
    handle = make_shared_world(declared_text())
    fill(handle)
    return handle


@pytest.fixture(scope="module")
def text(full: Any) -> str:
    return saved(full)


@pytest.fixture
def refused(full: Any, text: str) -> Any:
    """The problems of a snapshot that cannot be loaded. Loading it changes nothing."""

    def problems(changed: str) -> list[dict[str, Any]]:
        answer = full.application.test_client().put(URL, data=changed.encode("utf-8", "surrogatepass"))
        assert answer.status_code == 400, answer.text
        assert saved(full) == text
        return answer.json["problems"]  # type: ignore[no-any-return]

    return problems


@cache
def _world_of(text: str) -> str:
    """What the text says, read once. A copy of it takes a tenth of the time."""
    return json.dumps(read_located(text).value)


def _changed(text: str, change: Any) -> tuple[str, dict[str, Any]]:
    world = json.loads(_world_of(text))
    change(world)
    return text[: text.index("\n") + 1] + yaml_text(world) + "...\n", world


ROWS_THAT_CANNOT_BE: list[tuple[str, dict[str, Any], str]] = [
    ("mfa_devices", {"created_at_seconds": 10**30}, "created_at_seconds is too large a number"),
    ("mfa_devices", {"created_at_seconds": -1}, "created_at_seconds must be a time"),
    ("mfa_devices", {"created_at_seconds": 10**15}, "created_at_seconds must be a time"),
    ("mfa_devices", {"seed": "not base32!"}, "seed must be a base32 seed"),
    ("mfa_devices", {"serial_number": "a\0b"}, "serial_number holds a character"),
    ("mfa_devices", {"account_id": "999999999999"}, "account_id refers to nothing in this file: 999999999999"),
    ("mfa_devices", {"user_id": "AIDANOBODYNOBODYNOBOD"}, "user_id refers to nothing in this file"),
    ("mfa_device_tags", {"serial_number": "arn:gone"}, "serial_number refers to nothing in this file"),
    ("login_profiles", {"password_hash": "scrypt:1073741824:8:1$a$b"}, "password_hash must be the hash"),
    ("login_profiles", {"max_signin_session_duration_seconds": 3599}, "must be a whole number from 3600 to 7776000"),
    ("old_passwords", {"password_hash": "x"}, "password_hash must be the hash"),
    ("account_preferences", {"global_endpoint_token_version": "v3Token"}, "must be v1Token or v2Token"),
    ("oidc_providers", {"url": "ftp://x"}, "url must be the URL of a provider"),
    ("oidc_providers", {"jwks": "{"}, "jwks must be a JSON Web Key Set"),
    ("saml_providers", {"metadata": "<a/>"}, "metadata must be the metadata of an identity provider"),
    ("saml_private_keys", {"private_key": "x"}, "private_key must be a private key in PEM"),
    ("resources", {"content": "[]"}, "content must be a mapping"),
    ("resources", {"secret": "x"}, "secret must be JSON text"),
    ("resource_settings", {"content": "x"}, "content must be a mapping"),
    ("delegation_requests", {"permissions": "x"}, "permissions must be a mapping"),
    ("delegation_requests", {"permissions": "[]"}, "permissions must be a mapping"),
    ("delegation_requests", {"permission_policy": "{}"}, "permission_policy must be a policy"),
    ("delegation_requests", {"approval": '{"principal": 1}'}, "approval must be the stored record"),
    ("delegation_requests", {"approval": "[1]"}, "approval must be the stored record"),
    ("signing_keys", {"private_key": "x"}, "private_key must be a private key in PEM"),
    ("signing_keys", {"key_id": "another"}, "private_key must be a private key in PEM"),
    ("signing_keys", {"algorithm": "none"}, "algorithm must be the name of an algorithm"),
    ("service_linked_role_deletions", {"resources": "[1]"}, "resources must be a list"),
]


@pytest.mark.parametrize(("table", "values", "problem"), ROWS_THAT_CANNOT_BE)
def test_a_row_that_no_operation_would_have_written(
    refused: Any, text: str, table: str, values: dict[str, Any], problem: str
) -> None:
    changed, world = _changed(text, lambda world: world["rows"][table][-1].update(values))
    place = read_located(changed).line(("rows", table, len(world["rows"][table]) - 1))
    found = refused(changed)
    assert (found[0]["line"], problem in found[0]["message"]) == (place, True), found


@pytest.mark.parametrize("table", [name for name in PLAIN_TABLES if name != "outbound_federations"])
def test_a_row_that_is_there_twice(refused: Any, text: str, table: str) -> None:
    changed, world = _changed(text, lambda world: world["rows"][table].append(dict(world["rows"][table][0])))
    place = read_located(changed).line(("rows", table, len(world["rows"][table]) - 1))
    found = refused(changed)
    assert {problem["line"] for problem in found} == {place}
    assert " occurs twice: " in found[0]["message"]


def _checked_columns() -> list[tuple[str, str]]:
    """The columns of plain tables whose values a constraint of the schema limits."""
    found = []
    for table in PLAIN_TABLES:
        for constraint in metadata.tables[table].constraints:
            condition = str(getattr(constraint, "sqltext", ""))
            if condition:
                found.append((table, condition.partition(" ")[0]))
    return found


@pytest.mark.parametrize(("table", "column"), _checked_columns())
def test_what_the_schema_does_not_allow_is_reported_with_its_line(
    refused: Any, text: str, table: str, column: str
) -> None:
    changed, _world = _changed(text, lambda world: world["rows"][table][0].update({column: "other"}))
    place = read_located(changed).line(("rows", table, 0))
    found = refused(changed)
    assert (found[0]["line"], f"{column} must be " in found[0]["message"]) == (place, True), found


def test_every_reference_of_a_plain_table_is_looked_at(text: str) -> None:
    """A missing target of any column is reported before anything is written."""
    for table in PLAIN_TABLES:
        for column in worlds.references(table):
            gone = {str(column): "gone"}
            changed, _world = _changed(text, lambda world, t=table, c=gone: world["rows"][t][0].update(c))
            with pytest.raises(InvalidWorldError, match=f"{column} refers to nothing in this file: gone"):
                read_world(changed)


def _first(world: dict[str, Any]) -> dict[str, Any]:
    return world["accounts"][0]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "path", "problem"),
    [
        (
            lambda w: _first(w)["chime_accounts"][0]["users"].extend([{"username": "a"}, {"username": "a"}]),
            ("accounts", 0, "chime_accounts", 0, "users", 2, "username"),
            "'a' is declared twice",
        ),
        (
            lambda w: _first(w)["chime_accounts"][0]["users"].extend(
                [{"username": "a", "email": "x@example.com"}, {"username": "a", "email": "y@example.com"}]
            ),
            ("accounts", 0, "chime_accounts", 0, "users", 2, "username"),
            "'a' is declared twice",
        ),
        (
            lambda w: _first(w)["users"][0].update(created_at="0001-01-01T00:00:00Z"),
            ("accounts", 0, "users", 0, "created_at"),
            "must be a time such as",
        ),
        (
            lambda w: _first(w)["roles"][0].update(description="a\0b"),
            ("accounts", 0, "roles", 0, "description"),
            "holds a character that is not allowed in text",
        ),
        (
            lambda w: w["rows"]["oidc_providers"].pop(0),
            ("rows", "oidc_client_ids", 0),
            "arn refers to nothing in this file",
        ),
        (
            lambda w: _first(w).setdefault("saml_providers", []).append({"name": "corporate", "rolecall_idp": "c"}),
            ("rows", "saml_providers", 0),
            f"arn occurs twice: arn:aws:iam::{FIRST}:saml-provider/corporate",
        ),
    ],
)
def test_what_else_cannot_be(refused: Any, text: str, change: Any, path: tuple[str | int, ...], problem: str) -> None:
    changed, _world = _changed(text, change)
    lines = {found["line"] for found in refused(changed) if problem in found["message"]}
    assert min(lines) == read_located(changed).line(path)


PLACES = st.floats(0, 1, exclude_max=True)


@settings(max_examples=examples(30), deadline=None)
@given(place=PLACES)
def test_a_snapshot_that_is_cut_off_is_refused(text: str, place: float) -> None:
    """The snapshot may end anywhere: in most places the rest is a sandbox file that could be applied."""
    begin, end = "# A snapshot: ", text.rstrip()
    lines = text.splitlines(keepends=True)
    at_a_character = end[: len(begin) + int(place * (len(end) - len(begin)))]
    at_a_line = "".join(lines[: 1 + int(place * (len(lines) - 1))])
    for part in (at_a_character, at_a_line):
        problems = _problems(part)
        assert problems
        # The parser may place the end of a text one line below it.
        assert all(1 <= problem.line <= part.count("\n") + 2 for problem in problems)


@settings(max_examples=examples(20), deadline=None)
@given(places=st.tuples(PLACES, PLACES))
def test_any_part_of_a_snapshot_is_loaded_or_refused_but_never_fails(text: str, places: tuple[float, float]) -> None:
    begin, end = sorted(int(place * len(text)) for place in places)
    assert all(problem.line >= 1 for problem in _problems(text[begin:end]))


def _problems(text: str) -> list[Problem]:
    try:
        read_world(text)
    except InvalidWorldError as error:
        return error.problems
    return []


@settings(max_examples=examples(12), deadline=None)
@given(data=st.data())
def test_a_value_that_was_changed_is_loaded_or_refused_but_never_fails(
    full: Any, text: str, data: st.DataObject
) -> None:
    world = read_located(text).value
    place: Any = world
    key: Any = None
    while isinstance(place, dict | list) and place:
        owner, key = place, data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        place = owner[key]
        if data.draw(st.integers(0, 5)) == 0:
            break
    owner[key] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.integers()), st.just({}))
    )
    before = saved(full)
    answer = full.application.test_client().put(URL, data=yaml_text(world).encode())
    assert answer.status_code in (200, 400), (key, answer.text)
    if answer.status_code == 200:
        # Every loaded world can be saved and loaded again.
        assert full.application.test_client().put(URL, data=saved(full).encode()).status_code == 200
    else:
        assert "cannot store it" not in answer.text
        assert saved(full) == before
    assert full.application.test_client().put(URL, data=text.encode()).status_code == 200
    assert saved(full) == text


# YAML's own features.


def test_more_values_than_a_world_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAXIMUM_VALUES >= 250_000
    monkeypatch.setattr("rolecall.worlds.located.MAXIMUM_VALUES", 100)
    assert len(read_located("a:\n  [" + "1," * 97 + "]").value["a"]) == 97
    with pytest.raises(UnreadableError, match="line 2: more than"):
        read_located("a:\n  [" + "1," * 98 + "]")


def test_a_long_text_is_not_repeated_without_end() -> None:
    text = "a: &a " + "x" * 100_000 + "\nb: [" + "*a," * 1_000 + "]"
    with pytest.raises(UnreadableError, match="line 1: aliases expand to too much text"):
        read_located(text)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: é\nb: \x01", 2, "control characters are not allowed (#x0001)"),
        ("a: 1\nb: !!int x", 2, "not YAML: invalid literal"),
        ("a: 1\nb: " + "9" * 5000, 2, "a number of more than 64 characters"),
        ("a: 1\n---\nb: 2", 2, "but found another document"),
        ("a: 1\nb: &b [*b]", 2, "nested too deeply"),
    ],
)
def test_the_line_of_invalid_yaml(text: str, line: int, problem: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        read_located(text)
    assert (caught.value.problems[0].line, problem in caught.value.problems[0].message) == (line, True)


def test_json_may_write_a_character_in_two_halves() -> None:
    value = {"a": "😀", "b": '{"c": "\\ud83d\\ude00"}', "d\\ud83d\\ude00": "\\"}
    assert read_located(json.dumps(value)).value == value
    assert read_located("b: '\\ud83d\\ude00'").value == {"b": "\\ud83d\\ude00"}
    with pytest.raises(UnreadableError, match="invalid Unicode"):
        read_located('{"a": "\\ud83d"}')
