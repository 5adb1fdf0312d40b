"""SAML providers of templates, plans and states: their metadata is in the file."""

from __future__ import annotations

from collections.abc import Mapping

from rolecall.importing.found import Found, Place
from rolecall.worlds.checking import saml_is_missing


def add_saml_provider(
    found: Found, account_id: str, place: Place, *, name: str, metadata: str, tags: Mapping[str, str]
) -> None:
    """Add a provider. Without the extra ``saml`` it is left out, and this is noted."""
    missing = saml_is_missing()
    if missing:
        found.note(place, f"{missing}; it is left out")
    else:
        found.add(account_id, "saml_providers", {"name": name, "metadata": metadata, "tags": dict(tags)}, place)
