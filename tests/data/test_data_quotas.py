"""The quotas: each has a number, a source and a field."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

import rolecall.data
from rolecall.data import QUOTAS, Quotas

SOURCES = {
    "IAM User Guide",
    "IAM FAQ",
    "STS API Reference",
    "IAM API Reference",
    "AWS Organizations User Guide",
}
ROWS = json.loads((Path(rolecall.data.__file__).parent / "quotas" / "quotas.json").read_text(encoding="utf-8"))


def test_the_file_and_the_record_name_the_same_quotas() -> None:
    assert list(ROWS) == [field.name for field in fields(Quotas)]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_quota_has_a_source_and_ends_in_its_unit(name: str) -> None:
    row = ROWS[name]
    assert set(row) <= {"value", "on_request", "source", "note"}
    assert row["source"].split(",")[0] in SOURCES
    assert name.endswith(("_characters", "_count"))
    assert getattr(QUOTAS, name) == row["value"] > 0
    assert row.get("on_request", row["value"] + 1) > row["value"]


def test_the_quotas_aws_states() -> None:
    assert (
        QUOTAS.user_inline_policies_total_characters,
        QUOTAS.group_inline_policies_total_characters,
        QUOTAS.role_inline_policies_total_characters,
        QUOTAS.managed_policy_characters,
        QUOTAS.role_trust_policy_characters,
    ) == (2048, 5120, 10240, 6144, 2048)
    assert (QUOTAS.access_keys_per_user_count, QUOTAS.versions_per_managed_policy_count) == (2, 5)


def test_quotas_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        QUOTAS.access_keys_per_user_count = 3  # type: ignore[misc]
