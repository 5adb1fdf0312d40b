"""A role template with its parameters replaced: what the role must be like."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.data import RoleTemplate
from rolecall.errors import AwsError

UNRECOGNIZED_MESSAGE = "Failed to render template: Unrecognized parameter: {name}"
MISSING_MESSAGE = "Failed to render template: Parameter '{name}' not found."
ONE_VALUE_MESSAGE = "{name} replacement value must contain exactly one value, got {count}"
_PLACEHOLDER = re.compile(r"@\{(\w+)\}")
# A statement with this member is in the policy only when the named parameter has the value True.
_ENABLED = "@Enabled"

Values = Mapping[str, Sequence[str]]


class RenderedRole(Struct, frozen=True):
    """A role as a template describes it. Documents are JSON texts."""

    name: str
    path: str
    description: str
    trust_policy: str
    inline_policies: Mapping[str, str]
    managed_policy_arns: Sequence[str]
    max_session_duration_seconds: int


def rendered(template: RoleTemplate, given: Values) -> RenderedRole:
    """The role that a template describes with these values. Raises AwsError: InvalidInput, ValidationError.

    A parameter without a value and without a default is missing only where the template uses it.
    """
    renderer = _Renderer(template, given)
    answer = template.answer
    return RenderedRole(
        name=renderer.text(answer["RoleNamePattern"]),
        path=renderer.text(answer.get("RolePathPattern", "/")),
        description=renderer.text(answer.get("RoleDescriptionPattern", "")),
        trust_policy=renderer.document(answer["AssumeRolePolicyDocumentTemplate"]),
        inline_policies={name: renderer.document(text) for name, text in template.inline_policies.items()},
        managed_policy_arns=template.managed_policy_arns,
        max_session_duration_seconds=answer["MaxSessionDuration"],
    )


class _Renderer:
    def __init__(self, template: RoleTemplate, given: Values) -> None:
        definitions = {each["Name"]: each for each in template.answer["ParametersDefinition"]}
        for name, values in given.items():
            if name not in definitions:
                raise AwsError("InvalidInput", UNRECOGNIZED_MESSAGE.format(name=name))
            if not _is_list(definitions[name]) and len(values) != 1:
                raise AwsError("ValidationError", ONE_VALUE_MESSAGE.format(name=name, count=len(values)))
        self._lists = {name for name, definition in definitions.items() if _is_list(definition)}
        defaults = {name: [each["DefaultValue"]] for name, each in definitions.items() if "DefaultValue" in each}
        self._values: Values = {**defaults, **given}

    def text(self, pattern: str) -> str:
        return _PLACEHOLDER.sub(lambda match: self._of(match.group(1))[0], pattern)

    def _of(self, name: str) -> Sequence[str]:
        if name not in self._values:
            raise AwsError("InvalidInput", MISSING_MESSAGE.format(name=name))
        return self._values[name]

    def document(self, text: str) -> str:
        document = json.loads(text)
        statements = [each for each in document["Statement"] if self._is_enabled(each)]
        replaced = self._replaced({**document, "Statement": statements})
        return json.dumps(replaced, separators=(",", ":"))

    def _is_enabled(self, statement: Mapping[str, Any]) -> bool:
        switch = statement.get(_ENABLED)
        return switch is None or self._of(switch)[0] == "True"

    def _replaced(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._replaced(each) for key, each in value.items() if key != _ENABLED}
        if isinstance(value, list):
            return [self._replaced(each) for each in value]
        if not isinstance(value, str):
            return value
        whole = _PLACEHOLDER.fullmatch(value)
        if whole is not None and whole.group(1) in self._lists:
            return list(self._of(whole.group(1)))
        return self.text(value)


def _is_list(definition: Mapping[str, Any]) -> bool:
    return str(definition["Type"]).endswith("List")
