"""AWS's role templates, from which AcquireRole makes roles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from msgspec import Struct

_FILE = Path(__file__).parent / "role_templates" / "role_templates.json"


class RoleTemplate(Struct, frozen=True):
    """One minor version of a template. ``answer`` is GetRoleTemplateVersion's, with times in ISO 8601."""

    arn: str
    minor_version: int
    answer: Mapping[str, Any]

    @property
    def is_default(self) -> bool:
        return bool(self.minor_version == self.answer["DefaultMinorVersion"])

    @property
    def inline_policies(self) -> Mapping[str, str]:
        """The templates of the inline policies, by name."""
        return {each["PolicyName"]: each["PolicyDocument"] for each in self.answer.get("InlinePolicyTemplates", ())}

    @property
    def managed_policy_arns(self) -> tuple[str, ...]:
        return tuple(self.answer.get("ManagedPolicyArns", ()))


@cache
def role_templates() -> Mapping[tuple[str, int], RoleTemplate]:
    """Every template version, by ARN and minor version."""
    rows = json.loads(_FILE.read_text(encoding="utf-8"))
    templates = (RoleTemplate(row["TemplateArn"], row["MinorVersion"], MappingProxyType(row)) for row in rows)
    return MappingProxyType({(template.arn, template.minor_version): template for template in templates})


def role_template(arn: str, minor_version: int | None = None) -> RoleTemplate | None:
    """A version of a template, by default its default version; None when there is no such version."""
    if minor_version is not None:
        return role_templates().get((arn, minor_version))
    return next((each for each in role_templates().values() if each.arn == arn and each.is_default), None)
