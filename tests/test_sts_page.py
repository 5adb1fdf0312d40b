"""The pages about STS and Organizations have every operation, as in the registry, the model, the code and the tests."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from loaded_scripts import loaded_script

ROOT = Path(__file__).resolve().parent.parent
each_service = pytest.mark.parametrize("service", ["sts", "organizations"])


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    return loaded_script("tools/sts_table.py")


@pytest.mark.follows_the_model
@each_service
def test_the_table_is_up_to_date(writer: ModuleType, service: str) -> None:
    page = writer.page_of(service).read_text(encoding="utf-8")
    assert page == writer.with_table(page, service), "run: python tools/sts_table.py"


def test_the_table_finds_what_the_code_raises_and_which_tests_cover_it(writer: ModuleType) -> None:
    (line,) = [line for line in writer.table("sts").splitlines() if line.startswith("| `AssumeRole` |")]
    assert "`MalformedPolicyDocument`" in line
    assert "`AccessDenied`" in line
    assert "`test_sts_trust`" in line
    assert "`RoleSessionName` 2 to 64 characters" in line


@each_service
def test_every_operation_is_tested(writer: ModuleType, service: str) -> None:
    lines = [line for line in writer.table(service).splitlines()[2:] if "`NotImplemented`" not in line]
    assert len(lines) >= 6
    assert [line.split("|")[1] for line in lines if not line.split("|")[4].strip()] == []
