"""Makes the permission policy of a delegation request from a template and its parameters.

On AWS a partner registers its templates when it is onboarded, in a form that is not public. In Rolecall a template is a
managed policy of AWS or of the requestor's account. Its texts may hold placeholders like ``@{bucketName}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.access.policies import MalformedPolicy, kept_document, parsed_policy
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.policy import NamedPolicy, PolicyKind, compile_policies
from rolecall.services.registry import Call

# None of these was recorded from AWS.
UNKNOWN_TEMPLATE_MESSAGE = "Policy template {arn} does not exist."
REPEATED_MESSAGE = "Policy parameter {name} is given more than once."
MISSING_MESSAGE = "Policy parameter {name} of the policy template is missing."
UNKNOWN_PARAMETER_MESSAGE = "Policy parameter {name} does not occur in the policy template."
UNNAMED_MESSAGE = "Policy parameters need a name and a type."
ONE_VALUE_MESSAGE = "Policy parameter {name} of type string needs exactly one value."
NO_LIST_MESSAGE = "Policy parameter {name} of type stringList stands for a whole value of the policy template."
MALFORMED_MESSAGE = "The policy template with these parameters is not a valid policy: {problem}"

_placeholder = re.compile(r"@\{([^{}]*)\}")
# One text, or the texts of a list.
Values = Mapping[str, str | list[str]]


def permission_policy(call: Call, template_arn: str, parameters: Sequence[Mapping[str, Any]]) -> str:
    """The policy that a request asks for. Raises AwsError InvalidInput."""
    parsed = parse_arn(template_arn)
    document = None
    if parsed is not None and parsed.account_id in ("aws", call.account_id):
        document = call.policies.managed_document(call.db, template_arn)
    if document is None:
        raise AwsError("InvalidInput", UNKNOWN_TEMPLATE_MESSAGE.format(arn=template_arn))
    rendered = render(document, _values(parameters))
    try:
        parsed_policy(rendered, PolicyKind.SESSION)
    except MalformedPolicy as error:
        raise AwsError("InvalidInput", MALFORMED_MESSAGE.format(problem=error.message), reason=str(error)) from error
    return rendered


def role_boundaries(policy: str) -> list[str]:
    """The permissions boundaries that a policy requires of the roles it lets the session create."""
    named = NamedPolicy(kept_document(policy, PolicyKind.SESSION), "permission policy")
    return [
        value
        for compiled in compile_policies([named], PolicyKind.SESSION).statements
        if compiled.statement.effect == "Allow" and compiled.matches_action("iam:createrole")
        for condition in compiled.statement.conditions
        if condition.key.lower() == "iam:permissionsboundary"
        for value in condition.values
    ]


def _values(parameters: Sequence[Mapping[str, Any]]) -> Values:
    found: dict[str, str | list[str]] = {}
    for parameter in parameters:
        name, kind, values = parameter.get("Name", ""), parameter.get("Type", ""), parameter.get("Values", ())
        if not name or not kind:
            raise AwsError("InvalidInput", UNNAMED_MESSAGE)
        if name in found:
            raise AwsError("InvalidInput", REPEATED_MESSAGE.format(name=name))
        if kind == "string" and len(values) != 1:
            raise AwsError("InvalidInput", ONE_VALUE_MESSAGE.format(name=name))
        found[name] = values[0] if kind == "string" else list(values)
    return found


def render(template: str, values: Values) -> str:
    """The template's JSON with its placeholders filled in. A value goes into a text, so it can never add JSON.

    Raises AwsError InvalidInput for a placeholder without a value, and for a value without a placeholder.
    """
    used: set[str] = set()
    rendered = _filled(json.loads(template), values, used)
    unused = sorted(set(values) - used)
    if unused:
        raise AwsError("InvalidInput", UNKNOWN_PARAMETER_MESSAGE.format(name=unused[0]))
    return json.dumps(rendered, ensure_ascii=False)


def _filled(part: Any, values: Values, used: set[str]) -> Any:
    if isinstance(part, str):
        return _filled_text(part, values, used)
    if isinstance(part, list):
        items = [_filled(item, values, used) for item in part]
        return [text for item in items for text in (item if isinstance(item, list) else [item])]
    if isinstance(part, dict):
        return {_single(key, values, used): _filled(value, values, used) for key, value in part.items()}
    return part


def _filled_text(text: str, values: Values, used: set[str]) -> str | list[str]:
    """The filled text; or a list of texts when the whole text is one placeholder for a list."""
    whole = _placeholder.fullmatch(text)
    if whole is not None and isinstance(values.get(whole[1]), list):
        used.add(whole[1])
        return values[whole[1]]
    return _single(text, values, used)


def _single(text: str, values: Values, used: set[str]) -> str:
    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            raise AwsError("InvalidInput", MISSING_MESSAGE.format(name=match[1]))
        if isinstance(value, list):
            raise AwsError("InvalidInput", NO_LIST_MESSAGE.format(name=match[1]))
        used.add(match[1])
        return value

    return _placeholder.sub(value_of, text)
