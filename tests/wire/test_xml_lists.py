"""A long list tests the texts of its members together. It must read as if each member stood alone."""

from __future__ import annotations

from typing import Any

import pytest
from amounts import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.wire.services import load_service

LIST_ROLES = load_service("iam").operation("ListRoles")
_TEXT = st.one_of(
    st.sampled_from(["", "plain", "<", "&amp;", '"', "\r", "\0", "\ud800", "\uffff", "ü", "a]]>b"]), st.text(max_size=6)
)
_ROLE = st.fixed_dictionaries(
    {"RoleName": _TEXT, "Path": st.none() | _TEXT},
    optional={
        "MaxSessionDuration": st.integers(3600, 43200),
        "Tags": st.lists(st.fixed_dictionaries({"Key": _TEXT, "Value": _TEXT}), max_size=2),
        "PermissionsBoundary": st.fixed_dictionaries({"PermissionsBoundaryArn": _TEXT}),
    },
)


def _inside(roles: list[dict[str, Any]]) -> str:
    return LIST_ROLES.encode_xml({"Roles": roles}).removeprefix("<Roles>").removesuffix("</Roles>")


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(_ROLE, min_size=8, max_size=12))
def test_a_long_list_reads_as_its_members_do(roles: list[dict[str, Any]]) -> None:
    assert _inside(roles) == "".join(_inside([role]) for role in roles)


@pytest.mark.parametrize("count", [1, 7, 8, 100])
def test_one_text_that_needs_an_escape_gets_it(count: int) -> None:
    plain = [{"RoleName": "plain"}] * (count - 1)
    assert _inside([*plain, {"RoleName": "<&"}]).endswith("<RoleName>&lt;&amp;</RoleName></member>")


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("role", [{"RoleName": 7}, {"Unknown": "text"}])
def test_a_member_of_the_wrong_type_is_refused_in_every_list(count: int, role: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        _inside([role] * count)
