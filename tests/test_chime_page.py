"""The page about Chime has every operation of the six services, as the registry and AWS's tables have it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from botocore import xform_name
from loaded_scripts import loaded_script

from rolecall.services.catalogue import find
from rolecall.wire import load_service

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    return loaded_script("tools/chime_table.py")


@pytest.mark.follows_the_model
def test_the_tables_are_up_to_date(writer: ModuleType) -> None:
    page = writer.PAGE.read_text(encoding="utf-8")
    assert page == writer.with_table(page), "run: python tools/chime_table.py"


def test_the_tables_have_every_operation_once(writer: ModuleType) -> None:
    names = [
        (service, name)
        for service in writer.SERVICES
        for name in re.findall(r"^\| `(\w+)` ", writer.table(service), re.MULTILINE)
    ]
    assert len(names) == len(set(names)) >= 286
    assert len(writer.SERVICES) == 6


def test_a_row_says_what_the_tables_of_aws_say(writer: ModuleType) -> None:
    def row(service: str, name: str) -> list[str]:
        [line] = [each for each in writer.table(service).splitlines() if each.startswith(f"| `{name}` |")]
        return [cell.strip() for cell in line.strip("|").split("|")][1:4]

    # Service Authorization Reference: resource types and dependent actions; errors of the models.
    assert row("chime-sdk-voice", "CreateVoiceProfileDomain")[:2] == [
        "`*`",
        "`chime:TagResource`, `kms:CreateGrant`, `kms:DescribeKey`",
    ]
    assert row("chime-sdk-voice", "GetVoiceProfile") == ["`voice-profile`", "", "`NotFound`"]
    assert row("chime-sdk-meetings", "CreateMeeting")[0] == "`meeting/*`"
    assert row("chime", "GetUser")[0] == "`*`"


@cache
def words_of_tests() -> frozenset[str]:
    files = [*(ROOT / "tests" / "services").rglob("*.py"), *(ROOT / "tests" / "services" / "cases").glob("*.yaml")]
    return frozenset(word for file in files for word in re.findall(r"\w+", file.read_text(encoding="utf-8")))


def test_every_emulated_operation_is_named_in_a_test(writer: ModuleType) -> None:
    emulated = [
        name for each in writer.SERVICES for name in load_service(each).operation_names if find(each, name) is not None
    ]
    assert len(emulated) > 200
    assert [name for name in emulated if not {name, xform_name(name)} & words_of_tests()] == []
