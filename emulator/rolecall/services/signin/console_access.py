"""Access to the console: permission statements, the policy that they make up, and where it is enforced.

Sources: model and API reference of Sign-In; Sign-In User Guide, "Controlling console access with resource-based
policies and resource control policies". ``access.console_access`` says what the policy stops.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256, sha384
from typing import Any

from rolecall.access.console_access import policy_statements
from rolecall.contents.permission_statements import statement_problem
from rolecall.errors import AwsError
from rolecall.service_records import DEFAULT_REGION
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.signin.common import denied, invalid
from rolecall.sessions.pages import open_page, seal_page
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage.console_access import (
    PermissionStatement,
    add_statement,
    delete_statement,
    disable,
    enable,
    is_enabled,
    note_token,
    request_with_token,
    statements_of,
)
from rolecall.storage.organizations import organization_around

ACCOUNT_SCOPE, ORGANIZATION_SCOPE = "ACCOUNT", "ORGANIZATION"
# AWS documents no number. "AWS Sign-In has no increasable quotas" (General Reference).
MAXIMUM_STATEMENTS = 1000
_DEFAULT_RESULTS = 100
_is_account_id = re.compile(r"[0-9]{12}", re.ASCII).fullmatch

# AWS's wordings of these are not recorded.
REGION_MESSAGE = f"Write operations of AWS Sign-In policies must be performed in the Region {DEFAULT_REGION}."
TOKEN_MESSAGE = "The client token was used with other parameters."  # noqa: S105 - a message
STATEMENTS_MESSAGE = f"The account has the maximum number of permission statements: {MAXIMUM_STATEMENTS}."
NO_STATEMENT_MESSAGE = "Permission statement not found: {statement_id}"
NO_POLICY_MESSAGE = "The account has no resource-based policy."
NO_TARGET_MESSAGE = "Target not found: {target_id}"
TARGET_MESSAGE = "The target must be an account or an organization."
ACCOUNT_MESSAGE = "The caller's account cannot use the target {target_id}."
NEXT_TOKEN_MESSAGE = "The pagination token is invalid."  # noqa: S105 - a message


def _in_writing_region(call: Call, _parameters: Parameters) -> None:
    """User Guide: "Write operations must be performed in the us-east-1 Region"."""
    if call.region != DEFAULT_REGION:
        raise invalid(REGION_MESSAGE)


@operation("signin", "PutResourcePermissionStatement", precheck=_in_writing_region)
def put_resource_permission_statement(
    call: Call,
    *,
    sourceVpc: str | None = None,
    signinSourceVpce: str | None = None,
    consoleSourceVpce: str | None = None,
    vpcSourceIp: str | None = None,
    sourceIp: str | None = None,
    requestedRegion: str | None = None,
    excludedPrincipal: str | None = None,
    clientToken: str | None = None,
) -> Answer:
    """Add a statement to the account's policy. It has no effect until console authorization is enabled.

    The model calls the operation idempotent, so the id follows from the statement: the same one again is one statement.
    Raises AwsError: ValidationException, ConflictException, ServiceQuotaExceededException.
    """
    given = {
        "sourceVpc": sourceVpc,
        "signinSourceVpce": signinSourceVpce,
        "consoleSourceVpce": consoleSourceVpce,
        "vpcSourceIp": vpcSourceIp,
        "sourceIp": sourceIp,
        "requestedRegion": requestedRegion,
        "excludedPrincipal": excludedPrincipal,
    }
    parameters = {name: value for name, value in given.items() if value is not None}
    if problem := statement_problem(parameters):
        raise invalid(problem)
    text = json.dumps([call.account_id, parameters], sort_keys=True)
    # The model's pattern of an id: 64 characters of Base64.
    statement_id = b64encode(sha384(text.encode()).digest()).decode("ascii")
    is_new_request = _is_new_request(call, clientToken, text)
    present = statements_of(call.db, call.account_id)
    if is_new_request and all(each.statement_id != statement_id for each in present):
        if len(present) >= MAXIMUM_STATEMENTS:
            raise AwsError("ServiceQuotaExceededException", STATEMENTS_MESSAGE)
        add_statement(call.db, call.account_id, PermissionStatement(statement_id, parameters))
    return {"statementId": statement_id}


def _is_new_request(call: Call, client_token: str | None, text: str) -> bool:
    """Whether this is not a repeated request with the same client token. Raises AwsError ConflictException."""
    if client_token is None:
        return True
    digest = sha256(text.encode()).hexdigest()
    known = request_with_token(call.db, call.account_id, call.operation, client_token, call.now_seconds)
    if known is None:
        note_token(call.db, call.account_id, call.operation, client_token, digest, call.now_seconds)
        return True
    if known != digest:
        raise AwsError("ConflictException", TOKEN_MESSAGE)
    return False


@operation("signin", "DeleteResourcePermissionStatement", precheck=_in_writing_region)
def delete_resource_permission_statement(call: Call, *, statementId: str, clientToken: str | None = None) -> None:
    """Remove a statement. Raises AwsError ResourceNotFoundException, ConflictException."""
    is_new_request = _is_new_request(call, clientToken, statementId)
    if is_new_request and not delete_statement(call.db, call.account_id, statementId):
        raise AwsError("ResourceNotFoundException", NO_STATEMENT_MESSAGE.format(statement_id=statementId))


@operation("signin", "ListResourcePermissionStatements")
def list_resource_permission_statements(
    call: Call, *, maxResults: int = _DEFAULT_RESULTS, nextToken: str | None = None
) -> Answer:
    """The statements with their first condition, the oldest first. Raises AwsError ValidationException."""
    found = statements_of(call.db, call.account_id)
    scope = (call.account_id, call.service, call.operation)
    if nextToken:
        last = _position(call, scope, nextToken)
        known = [each.statement_id for each in found]
        # The statement may be gone by now. Then nothing tells where the page began.
        if last not in known:
            raise invalid(NEXT_TOKEN_MESSAGE)
        found = found[known.index(last) + 1 :]
    answer: Answer = {"permissionStatements": [_summary(call, each) for each in found[:maxResults]]}
    if len(found) > maxResults:
        token = seal_page(call.keys, scope, found[maxResults - 1].statement_id)
        # The model's pattern of the token has no dot.
        answer["nextToken"] = urlsafe_b64encode(token.encode()).decode("ascii")
    return answer


def _summary(call: Call, statement: PermissionStatement) -> dict[str, Any]:
    first = policy_statements(call.account_id, [statement.parameters])[0]
    return {"sid": statement.statement_id, "condition": first["Condition"]}


def _position(call: Call, scope: tuple[str, ...], token: str) -> str:
    try:
        return open_page(call.keys, scope, urlsafe_b64decode(token).decode())
    except (BadTokenError, ValueError) as error:
        raise invalid(NEXT_TOKEN_MESSAGE) from error


@operation("signin", "GetResourcePolicy")
def get_resource_policy(call: Call) -> Answer:
    """The policy that all statements make up. Raises AwsError ResourceNotFoundException without a statement."""
    found = statements_of(call.db, call.account_id)
    if not found:
        raise AwsError("ResourceNotFoundException", NO_POLICY_MESSAGE)
    statements = policy_statements(call.account_id, (each.parameters for each in found))
    shown = [{name[0].lower() + name[1:]: value for name, value in each.items()} for each in statements]
    return {"signinResourceBasedPolicy": {"version": "2012-10-17", "statement": shown}}


@operation("signin", "PutConsoleAuthorizationConfiguration", precheck=_in_writing_region)
def put_console_authorization_configuration(call: Call, *, targetId: str | None = None) -> Answer:
    """Enforce the policies of Sign-In for an account or an organization.

    Raises AwsError: ValidationException, AccessDeniedException, ResourceNotFoundException.
    """
    target_id, scope = _target(call, targetId)
    enable(call.db, target_id, of_organization=scope == ORGANIZATION_SCOPE)
    return _configuration(call, target_id, scope)


@operation("signin", "GetConsoleAuthorizationConfiguration")
def get_console_authorization_configuration(call: Call, *, targetId: str | None = None) -> Answer:
    """Whether the policies of Sign-In are enforced for a target. Raises AwsError as the Put does."""
    return _configuration(call, *_target(call, targetId))


@operation("signin", "DeleteConsoleAuthorizationConfiguration", precheck=_in_writing_region)
def delete_console_authorization_configuration(call: Call, *, targetId: str | None = None) -> Answer:
    """Enforce the policies of Sign-In no more. The statements stay. Raises AwsError as the Put does."""
    target_id, scope = _target(call, targetId)
    disable(call.db, target_id)
    return _configuration(call, target_id, scope)


def _configuration(call: Call, target_id: str, scope: str) -> Answer:
    return {"targetId": target_id, "scope": scope, "consoleAuthorizationEnabled": is_enabled(call.db, target_id)}


def _target(call: Call, target_id: str | None) -> tuple[str, str]:
    """The target and its scope. API reference: an account, an organization, or by default the caller's account.

    That an account sets up itself alone, and that the management account sets up the organization, is assumed.
    """
    if target_id is None or target_id == call.account_id:
        return call.account_id, ACCOUNT_SCOPE
    if _is_account_id(target_id):
        raise _not_theirs(target_id)
    # The pattern of the model has the id of a root, too. The API reference takes accounts and organizations.
    if not target_id.startswith("o-"):
        raise invalid(TARGET_MESSAGE)
    around = organization_around(call.db, call.account_id)
    if around is None or around.organization_id != target_id:
        raise AwsError("ResourceNotFoundException", NO_TARGET_MESSAGE.format(target_id=target_id))
    if around.management_account_id != call.account_id:
        raise _not_theirs(target_id)
    return target_id, ORGANIZATION_SCOPE


def _not_theirs(target_id: str) -> AwsError:
    return denied("INSUFFICIENT_PERMISSIONS", ACCOUNT_MESSAGE.format(target_id=target_id))
