"""SAML providers of templates, plans and states: their metadata is in the file."""

from __future__ import annotations

from collections.abc import Mapping

from rolecall.importing.found import Found, Place
from rolecall.sessions.saml.on_demand import read_metadata
from rolecall.sessions.saml.records import BadMetadataError, SamlNotInstalledError


def add_saml_provider(
    found: Found, account_id: str, place: Place, *, name: str, metadata: str, tags: Mapping[str, str]
) -> None:
    """Add a provider; without the extra ``saml`` it is left out, and this is noted. Raises EnoughFoundError."""
    try:
        read_metadata(metadata)
    except BadMetadataError as error:
        found.problem(place, f"the metadata cannot be used: {error}")
    except SamlNotInstalledError as error:
        found.note(place, f"{error.message}; it is left out")
    else:
        section = {"name": name, "metadata": metadata, "tags": dict(tags)}
        found.add(account_id, "saml_providers", section, place)
