"""Every change of AWS's models is noticed: operations and members are compared with a written list."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import botocore
import pytest
from loaded_scripts import loaded_script

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.follows_the_model
REWRITE = "read what AWS changed, decide what follows it, then run: python tools/model_members.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return loaded_script("tools/model_members.py")


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    written = (Path(__file__).parent / "cases" / "model_members.json").read_text(encoding="utf-8")
    return json.loads(written)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def found(tool: ModuleType) -> dict[str, Any]:
    return tool.found()  # type: ignore[no-any-return]


def _version(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def flat(services: dict[str, Any]) -> set[tuple[str, ...]]:
    """Every operation, and every member in the input or answer of an emulated one."""
    facts: set[tuple[str, ...]] = set()
    for service, operations in services.items():
        for name, members in operations.items():
            facts.add((service, name))
            for side in ("takes", "answers") if members else ():
                facts |= {(service, name, side, path) for path in members[side]}
    return facts


def test_every_part_of_the_model_is_known(known: dict[str, Any], found: dict[str, Any]) -> None:
    new = flat(found) - flat(known["services"])
    assert not new, f"new in botocore {botocore.__version__}: {sorted(new)}; {REWRITE}"


def test_what_is_known_is_still_there(known: dict[str, Any], found: dict[str, Any]) -> None:
    if _version(botocore.__version__) < _version(known["botocore"]):
        pytest.skip("an older botocore lacks what AWS has added since")
    gone = flat(known["services"]) - flat(found)
    assert not gone, f"gone from botocore {botocore.__version__}: {sorted(gone)}; {REWRITE}"


def test_the_list_of_what_is_not_emulated_is_up_to_date(known: dict[str, Any], found: dict[str, Any]) -> None:
    if _version(botocore.__version__) < _version(known["botocore"]):
        pytest.skip("an older botocore lacks what AWS has added since")
    for service, operations in found.items():
        for name, members in operations.items():
            assert members == known["services"][service][name], f"{service} {name}: {REWRITE}"


def test_the_page_lists_the_parameters_that_are_not_emulated(tool: ModuleType) -> None:
    page = tool.PAGE.read_text(encoding="utf-8")
    assert page == tool.with_list(page), REWRITE


def test_the_written_file_has_the_newest_of_aws(known: dict[str, Any]) -> None:
    services = known["services"]
    assert _version(known["botocore"]) >= [1, 44, 8]
    assert (len(services["sts"]), len(services["iam"]), len(services["chime"])) == (12, 181, 62)
    assert "MaxSigninSessionDuration" in services["iam"]["CreateRole"]["takes"]
    assert "Role.MaxSigninSessionDuration" in services["iam"]["GetRole"]["answers"]


@pytest.mark.parametrize(
    ("service", "operation", "side", "path"),
    [
        ("sts", "GetMoreCredentials", None, None),
        ("sts", "AssumeRole", "takes", "Newcomer"),
        ("sts", "AssumeRole", "takes", "Tags[].Newcomer"),
        ("iam", "GetRole", "answers", "Role.RoleLastUsed.Newcomer"),
    ],
)
def test_something_new_would_be_noticed(
    known: dict[str, Any], service: str, operation: str, side: str | None, path: str | None
) -> None:
    more = json.loads(json.dumps(known["services"]))
    if side is None:
        more[service][operation] = None
    else:
        more[service][operation][side].append(path)
    (new,) = flat(more) - flat(known["services"])
    assert new == tuple(part for part in (service, operation, side, path) if part is not None)
