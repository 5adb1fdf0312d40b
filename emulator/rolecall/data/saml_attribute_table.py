"""Which SAML attributes become condition keys of trust policies. ``saml_attributes/README.md`` gives the source."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from msgspec import Struct

_FILE = Path(__file__).parent / "saml_attributes" / "saml_attributes.json"


class SamlAttribute(Struct, frozen=True):
    """``key`` is in lower case, as condition keys are compared. ``is_list`` keys hold every value."""

    name: str
    key: str
    is_list: bool


@cache
def saml_attributes() -> Mapping[str, SamlAttribute]:
    """Attributes by their name in an assertion, which is compared exactly."""
    rows = json.loads(_FILE.read_text(encoding="utf-8"))
    return MappingProxyType(
        {row["name"]: SamlAttribute(row["name"], row["key"].lower(), bool(row["list"])) for row in rows}
    )
