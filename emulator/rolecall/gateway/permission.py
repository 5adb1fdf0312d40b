"""Whether a call is allowed, and whether Rolecall emulates the operation and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rolecall.access.check import check
from rolecall.access.context import Moment
from rolecall.http import HttpRequest
from rolecall.identities import Identity
from rolecall.policy import Decision
from rolecall.service_records import SERVICE_RECORDS, requested_region
from rolecall.services.members import Path, first_given, refused_members
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import (
    Answer,
    Call,
    RegisteredOperation,
    not_emulated,
    parameter_not_emulated,
)
from rolecall.wire import Operation, Target

# The model's operation and its members that the function does not take. Few operations have one. Bounded by the number
# of operations.
_refused: dict[RegisteredOperation, tuple[Operation, frozenset[Path]]] = {}


def authorise(
    call: Call,
    registered: RegisteredOperation | None,
    parameters: Mapping[str, Any],
    request: HttpRequest,
    identity: Identity,
) -> list[Decision]:
    """Check every permission of the call, also for an operation that is not emulated: its refusal comes first."""
    written = None if registered is None else registered.permissions
    permissions = (written or table_permissions)(call, parameters)
    if not permissions:
        return []
    session = identity.caller.session
    mfa_at_seconds = session.mfa_authenticated_at_seconds if session is not None else None
    moment = Moment(request, call.now_seconds, requested_region(call.service, call.region), mfa_at_seconds)
    denied_code = SERVICE_RECORDS[call.service].denied_code or call.settings.chime_denied_as
    return check(identity.rights, permissions, moment, denied_code)


def emulated(
    registered: RegisteredOperation | None, target: Target, parameters: Mapping[str, Any]
) -> Callable[..., Answer | None]:
    """The operation's function. Raises AwsError NotImplemented for an operation or parameter that is not emulated."""
    if registered is None:
        raise not_emulated(target.service.name, target.operation.name)
    operation = target.operation
    known = _refused.get(registered)
    if known is None or known[0] is not operation:
        known = _refused[registered] = operation, refused_members(registered, operation.input_paths)
    if known[1]:
        given = first_given(parameters, known[1])
        if given is not None:
            raise parameter_not_emulated(operation.name, ".".join(given))
    return registered.function
