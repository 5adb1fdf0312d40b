"""Attribute mappings of profiles: which parts of a certificate become tags of the session."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.services.registry import Answer, Call, operation, parameter_not_emulated
from rolecall.services.rolesanywhere.common import SERVICE, invalid
from rolecall.services.rolesanywhere.profiles import PROFILES
from rolecall.services.rolesanywhere.verbs import changed
from rolecall.services.verbs import existing

_NAME = r"(?:\*|[A-Za-z]+|[0-9]+(?:\.[0-9]+)+)"
_SPECIFIERS = {
    "x509Subject": re.compile(_NAME),
    "x509Issuer": re.compile(_NAME),
    "x509SAN": re.compile(rf"DNS|URI|Name/{_NAME}"),
}


class MappingRule(TypedDict):
    """One part of a field of the certificate, such as CN."""

    specifier: str


def _shown(field: str, specifier: str) -> str:
    """The guide: "Both Name and Name/ are equivalent to Name/* and will be displayed as Name/*"."""
    return "Name/*" if field == "x509SAN" and specifier in ("Name", "Name/") else specifier


@operation(SERVICE, "PutAttributeMapping")
def put_attribute_mapping(
    call: Call, *, profileId: str, certificateField: str, mappingRules: Sequence[MappingRule]
) -> Answer:
    """The rules replace the present ones of the field."""
    mappings = existing(call, PROFILES, profileId, locked=True).content["attributeMappings"]
    specifiers = list(dict.fromkeys(_shown(certificateField, rule["specifier"]) for rule in mappingRules))
    if not specifiers:
        raise invalid("mappingRules must have at least one rule.")
    if not all(_SPECIFIERS[certificateField].fullmatch(each) for each in specifiers):
        # AWS may know more forms than its guide's examples have.
        raise parameter_not_emulated(call.operation, "mappingRules.specifier")
    mapping = {"certificateField": certificateField, "mappingRules": [{"specifier": each} for each in specifiers]}
    others = [each for each in mappings if each["certificateField"] != certificateField]
    return changed(call, PROFILES, profileId, {"attributeMappings": [*others, mapping]})


@operation(SERVICE, "DeleteAttributeMapping")
def delete_attribute_mapping(
    call: Call, *, profileId: str, certificateField: str, specifiers: Sequence[str] = ()
) -> Answer:
    """Without specifiers, all rules of the field go."""
    gone = {_shown(certificateField, each) for each in specifiers}
    left: list[dict[str, Any]] = []
    for each in existing(call, PROFILES, profileId, locked=True).content["attributeMappings"]:
        if each["certificateField"] != certificateField:
            left.append(each)
            continue
        rules = [rule for rule in each["mappingRules"] if gone and rule["specifier"] not in gone]
        if rules:
            left.append({**each, "mappingRules": rules})
    return changed(call, PROFILES, profileId, {"attributeMappings": left})
