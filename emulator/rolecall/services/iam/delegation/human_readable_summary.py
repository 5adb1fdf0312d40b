"""GetHumanReadableSummary. On AWS a language model writes the summary; Rolecall states the facts of the request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rolecall.access.permission import Permission
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.services.iam.delegation.delegation_requests import found_request, on_request
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.delegation_requests import DelegationRequest, account_name

# AWS's wording was not recorded. API reference: "At this time, the only supported entity type is delegation-request".
ENTITY_MESSAGE = "{arn} is not the ARN of a delegation request."
DEFAULT_LOCALE = "en"
_CHARACTERS = 10_000


def _request_id(arn: str) -> str:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.resource_type != "delegation-request":
        raise AwsError("InvalidInput", ENTITY_MESSAGE.format(arn=arn))
    return parsed.resource.partition("/")[2]


def _check_arn(_call: Call, parameters: Parameters) -> None:
    _request_id(parameters["EntityArn"])


def _on_entity(call: Call, parameters: Parameters) -> Sequence[Permission]:
    return on_request(call, {"DelegationRequestId": _request_id(parameters["EntityArn"])})


@operation("iam", "GetHumanReadableSummary", permissions=_on_entity, precheck=_check_arn)
def get_human_readable_summary(call: Call, *, EntityArn: str, Locale: str = DEFAULT_LOCALE) -> Answer:
    """What a delegation request asks for, in English. Rolecall supports no other language.

    The rules about who may see it are GetDelegationRequest's. Raises AwsError: InvalidInput, NoSuchEntity.
    """
    request = found_request(call, _request_id(EntityArn), to_requestor=True)
    if Locale.partition("-")[0] != DEFAULT_LOCALE:
        return {"Locale": Locale, "SummaryState": "NOT_SUPPORTED"}
    text = " ".join(_sentences(call, request))
    return {"SummaryContent": text[:_CHARACTERS], "Locale": Locale, "SummaryState": "AVAILABLE"}


def _sentences(call: Call, request: DelegationRequest) -> Iterator[str]:
    name = account_name(call.db, request.requestor_account_id)
    partner = f"account {request.requestor_account_id}" + (f" ({name})" if name else "")
    target = "an account" if request.owner_account_id is None else f"account {request.owner_account_id}"
    seconds = request.session_duration_seconds
    yield f"{partner[0].upper()}{partner[1:]} asks for access to {target} for {seconds} seconds."
    yield f"Its description is: {request.description}"
    statements = json.loads(request.permission_policy)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        yield _sentence(statement)


def _sentence(statement: dict[str, Any]) -> str:
    verb = "allow" if statement["Effect"] == "Allow" else "deny"
    actions = _listed(statement, "Action", "all actions except")
    resources = _listed(statement, "Resource", "all resources except")
    condition = " under conditions" if statement.get("Condition") else ""
    return f"The permissions {verb} {actions} on {resources}{condition}."


def _listed(statement: dict[str, Any], element: str, negated: str) -> str:
    values = statement.get(element)
    prefix = "" if values is not None else f"{negated} "
    values = statement.get(f"Not{element}", []) if values is None else values
    return prefix + ", ".join([values] if isinstance(values, str) else values)
