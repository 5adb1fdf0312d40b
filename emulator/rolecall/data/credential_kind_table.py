"""Which kinds of credentials may call which operation of STS. ``credential_kinds/README.md`` explains the cells."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_FILE = Path(__file__).parent / "credential_kinds" / "sts.tsv"


@cache
def credential_kinds() -> Mapping[str, Mapping[str, str]]:
    """By operation (``iam:*`` for IAM as a whole): a cell for each kind of credentials."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["operation"]: _cells(row) for row in csv.DictReader(file, delimiter="\t")})


def _cells(row: dict[str, str]) -> Mapping[str, str]:
    return MappingProxyType({name: cell for name, cell in row.items() if name not in ("operation", "source")})
