"""Tables of cases in YAML, read by libyaml where it is there: each process of a run reads all of them."""

from __future__ import annotations

from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_table(text: str) -> Any:
    return yaml.load(text, _Loader)  # noqa: S506  a safe loader


def read_tables(text: str) -> list[Any]:
    """The documents of a file with several."""
    return list(yaml.load_all(text, _Loader))
