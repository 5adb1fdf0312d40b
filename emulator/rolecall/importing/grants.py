"""What one resource of a template gives to another one: attached policies, inline policies, members of groups.

The entity may be declared later or in another file, so everything is kept until all files were read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from rolecall.importing.found import Found, Place, Section


@dataclass(frozen=True, slots=True)
class _Grant:
    noun: str
    name: str
    account_id: str
    member: str
    value: Any
    place: Place
    label: str


@dataclass
class Grants:
    """The grants of all files. ``label`` is the name of the resource in its file, for messages."""

    found: Found
    kept: list[_Grant] = field(default_factory=list)

    def give(self, noun: str, name: str, member: str, value: Any, place: Place, label: str, account_id: str) -> None:
        """Keep a value for a member of an entity: ``attached_policies``, ``inline_policies``, ``groups``."""
        self.kept.append(_Grant(noun, name, account_id, member, value, place, label))

    def apply(self) -> None:
        """Give everything to its entity. An entity that no file has is noted. Raises EnoughFoundError."""
        by_name: dict[tuple[str, str], list[tuple[str, Section]]] = {}
        for account_id, account in self.found.accounts.items():
            for noun in ("users", "groups", "roles"):
                for entity in account.get(noun, ()):
                    by_name.setdefault((noun, str(entity["name"]).lower()), []).append((account_id, entity))
        for grant in self.kept:
            entities = by_name.get((grant.noun, grant.name.lower()), [])
            own = [each for each in entities if each[0] == grant.account_id] or entities
            if len(own) == 1:
                self._give(grant, own[0][1])
            else:
                what = f"{grant.noun.removesuffix('s')} {grant.name}"
                which = "no file declares" if not own else "several accounts have"
                self.found.note(grant.place, f"{grant.label}: {which} the {what}: it is left out")

    def _give(self, grant: _Grant, entity: Section) -> None:
        if isinstance(grant.value, dict):
            inline = entity.setdefault(grant.member, {})
            for name, document in grant.value.items():
                if inline.get(name, document) != document:
                    self.found.problem(grant.place, f"{grant.label}: {entity['name']} has two policies {name!r}")
                inline[name] = document
        elif grant.value not in entity.setdefault(grant.member, []):
            entity[grant.member].append(grant.value)


def document_in(value: Any) -> Any:
    """A policy document in a template: a mapping, also for JSON text. Other text stays as it is, for the check."""
    if not isinstance(value, str):
        return value
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return read if isinstance(read, dict) else value
