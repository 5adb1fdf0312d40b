"""YAML is read and written event by event. It means the same as with PyYAML's tree of nodes.

The tree takes much memory.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rolecall.settings import SandboxSettings
from rolecall.worlds.declare import InvalidWorldError, read_world
from rolecall.worlds.located import UnreadableError, read_located
from rolecall.worlds.snapshots import save_database
from rolecall.worlds.yaml_written import yaml_text

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=6),
    st.sampled_from(
        ["yes", "null", "~", "12", "0x1f", "1_000", "2012-10-17", "<<", "=", "", " a ", "a: b", "# c", "é\n"]
    ),
)
_KEYS = st.text(max_size=4) | st.sampled_from(["on", "1", "<", "2012-10-17"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=15,
)


def by_nodes(node: yaml.Node, path: tuple[str | int, ...] = ()) -> tuple[Any, dict[tuple[str | int, ...], int]]:
    """The value of PyYAML's tree of nodes, and the line of each part. A key has the line of its member."""
    lines = {path: node.start_mark.line + 1}
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, member in node.value:
            mapping[key.value], inner = by_nodes(member, (*path, key.value))
            lines |= inner | {(*path, key.value): key.start_mark.line + 1}
        return mapping, lines
    if isinstance(node, yaml.SequenceNode):
        items = []
        for index, member in enumerate(node.value):
            item, inner = by_nodes(member, (*path, index))
            items.append(item)
            lines |= inner
        return items, lines
    if node.tag == "tag:yaml.org,2002:timestamp":
        return node.value, lines
    return yaml.constructor.SafeConstructor().construct_object(node), lines


# PyYAML writes an anchor and aliases for a list or mapping that occurs again.
@given(_VALUES, st.lists(_VALUES, min_size=1, max_size=3), st.sampled_from([None, True, False]))
def test_a_text_means_what_its_nodes_mean(value: Any, again: list[Any], flow: bool | None) -> None:
    text = yaml.safe_dump({"a": again, "b": [value, again, {"c": again}], "d": again[0]}, default_flow_style=flow)
    wanted, lines = by_nodes(yaml.compose(text, Loader=yaml.SafeLoader))
    found = read_located(text)
    assert (found.value, found.lines) == (wanted, lines)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: &x [1, &y {k: v}]\nb: *y\nc: *x", {"a": [1, {"k": "v"}], "b": {"k": "v"}, "c": [1, {"k": "v"}]}),
        # An alias in what an alias repeats.
        ("a: &x 1\nb: &y [*x, *x]\nc: [*y, *x]", {"a": 1, "b": [1, 1], "c": [[1, 1], 1]}),
        # Keys with an anchor, and keys that are aliases.
        ("&k one: &v two\n*v : *k", {"one": "two", "two": "one"}),
        ("a: &x {&k b: 1}\nc: *x\nd: *k", {"a": {"b": 1}, "c": {"b": 1}, "d": "b"}),
        ("- &e []\n- *e\n- &n\n- *n\n- &m {}\n- *m", [[], [], None, None, {}, {}]),
        ("&root {a: 1}", {"a": 1}),
        ("--- &t !!str 12\n...\n", "12"),
    ],
)
def test_anchors_and_aliases(text: str, value: Any) -> None:
    found = read_located(text)
    assert found.value == value
    assert found.lines == by_nodes(yaml.compose(text, Loader=yaml.SafeLoader))[1]


def test_what_an_alias_repeats_is_a_value_of_its_own() -> None:
    value = read_located("a: &x {k: [1]}\nb: *x").value
    value["b"]["k"].append(2)
    assert value["a"] == {"k": [1]}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: *missing", 2, "found undefined alias"),
        ("*missing : 1", 1, "found undefined alias"),
        ("a: &x 1\nb: &x 2", 2, "second occurrence"),
        ("&x a: 1\nb:\n  &x c: 2", 3, "second occurrence"),
        ("a: &x\n  b: &y\n    c: [*y]", 3, "nested too deeply"),
        ("a: 1\n---\nb: 2", 2, "but found another document"),
        ("a: 1\nb: ]", 2, "while parsing|did not find|expected"),
        ("? [a]\n: 1", 1, "a key must be a single value"),
        ("a: &x [1]\n? *x\n: 1", 1, "a key must be a single value"),
        ("a: !what 1", 1, "could not determine a constructor"),
        ("a: 1\nb: !!binary aGk=", 2, "neither text nor a number"),
        ("a: 1\nb: {c: 1, c: 2}", 2, "'c' appears twice"),
        ("a: !!float nothing", 1, "not YAML"),
    ],
)
def test_texts_that_are_refused(text: str, line: int, message: str) -> None:
    with pytest.raises(UnreadableError, match=message) as caught:
        read_located(text)
    assert [problem.line for problem in caught.value.problems] == [line]


def test_all_problems_of_the_values_are_found() -> None:
    text = f"a: {{b: 1, b: 2}}\n? [x]\n: {{c: 1}}\nd: {'9' * 70}\ne: !!bool maybe"
    with pytest.raises(UnreadableError) as caught:
        read_located(text)
    assert [problem.line for problem in caught.value.problems] == [1, 2, 4, 5]


# Written: as PyYAML writes a tree of nodes.


def nodes(value: Any) -> yaml.Node:
    return yaml.representer.SafeRepresenter(default_flow_style=False, sort_keys=False).represent_data(value)


@given(_VALUES)
def test_a_value_is_written_as_its_nodes_are(value: Any) -> None:
    # A copy, because PyYAML makes an alias for an object that it has met.
    copied = json.loads(json.dumps(value))
    wanted = yaml.serialize(nodes(copied), Dumper=yaml.CSafeDumper, allow_unicode=True, width=120)
    assert yaml_text(value) == wanted


@given(st.dictionaries(_KEYS, st.lists(_VALUES, max_size=4), max_size=3), st.lists(_VALUES, max_size=3))
def test_iterators_are_written_as_lists(sections: dict[str, list[Any]], members: list[Any]) -> None:
    lazy = {"a": iter(members), "b": {name: iter(listed) for name, listed in sections.items()}}
    assert yaml_text(lazy) == yaml_text({"a": members, "b": sections})


@pytest.mark.parametrize("value", [1.5, float("inf"), b"bytes"])
def test_other_scalars_are_written_too(value: Any) -> None:
    assert yaml.safe_load(yaml_text({"a": [value]})) == {"a": [value]}


def test_what_yaml_cannot_say_is_not_written() -> None:
    with pytest.raises(yaml.YAMLError):
        yaml_text({"a": object()})


# Memory. The figures are multiples of the text, which is in memory too. With trees of nodes they were 40 and more.


def peak_of(work: Callable[[], Any]) -> tuple[Any, int]:
    """What the work gives, and the bytes that it needed at most."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _accounts(count: int, users: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        names = [f"user-{number}-{position}" for position in range(users)]
        yield {"id": f"{10**11 + number}", "users": [{"name": name, "tags": {"of": name}} for name in names]}


def test_writing_needs_the_memory_of_one_member() -> None:
    few, of_few = peak_of(lambda: yaml_text({"accounts": _accounts(4, 20)}))
    many, of_many = peak_of(lambda: yaml_text({"accounts": _accounts(40, 20)}))
    assert len(many) > 9 * len(few)
    # The text itself is there twice while its parts are joined.
    assert of_many - of_few < 3 * (len(many) - len(few))


def test_reading_keeps_no_tree_of_nodes() -> None:
    text = yaml_text({"version": 1, "accounts": _accounts(20, 40)})
    value, peak = peak_of(lambda: read_located(text).value)
    assert len(value["accounts"]) == 20
    assert peak < 13 * len(text)


def test_the_peaks_of_a_snapshot(make_world: Any) -> None:
    world = make_world(yaml_text({"version": 1, "accounts": _accounts(10, 10)}))
    # Tables, statements and checks are prepared for the first one.
    read_world(save_database(world.database, SandboxSettings()))
    saved, saving = peak_of(lambda: save_database(world.database, SandboxSettings()))
    declared, loading = peak_of(lambda: read_world(saved))
    assert sum(len(account.users) for account in declared.accounts) == 100
    assert saving < 22 * len(saved)
    assert loading < 18 * len(saved)


def test_a_file_with_a_problem_names_its_line() -> None:
    text = yaml_text({"version": 1, "accounts": _accounts(3, 2)}).replace("name: user-2-1", "nam: user-2-1")
    with pytest.raises(InvalidWorldError) as caught:
        read_world(text)
    wanted = text[: text.index("nam: ")].count("\n") + 1
    assert {problem.line for problem in caught.value.problems} == {wanted}
