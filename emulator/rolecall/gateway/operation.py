"""The operation itself: its parameters within the model's limits, its function, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection

from rolecall.access.policies import PolicyStore
from rolecall.errors import AwsError
from rolecall.services.members import Path, first_given, refused_members
from rolecall.services.registry import (
    Answer,
    Call,
    Parameters,
    RegisteredOperation,
    not_emulated,
    parameter_not_emulated,
)
from rolecall.wire import Operation, Target, check_constraints

MODEL_MINIMUM_SESSION_SECONDS = 900
# The operations with that minimum. Other operations have durations of their own.
_OPERATIONS_WITH_MINIMUM = frozenset(
    {"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetFederationToken", "GetSessionToken"}
)
# The model's operation and its members that the function does not take. Few operations have one. Bounded by the number
# of operations.
_refused: dict[RegisteredOperation, tuple[Operation, frozenset[Path]]] = {}


def within_limits(target: Target, parameters: dict[str, Any], minimum_session_seconds: int) -> dict[str, Any]:
    """The same parameters, if they keep the model's limits. Raises AwsError otherwise."""
    asked, checked = parameters.get("DurationSeconds"), parameters
    shorter = isinstance(asked, int) and minimum_session_seconds <= asked < MODEL_MINIMUM_SESSION_SECONDS
    if shorter and target.operation.name in _OPERATIONS_WITH_MINIMUM:
        # The sandbox allows shorter sessions than AWS, for tests of refreshing. Every other limit stays.
        checked = {**parameters, "DurationSeconds": MODEL_MINIMUM_SESSION_SECONDS}
    check_constraints(target.operation, checked)
    return parameters


def emulated(
    registered: RegisteredOperation | None, target: Target, parameters: Mapping[str, Any]
) -> Callable[..., Answer | AwsError | None]:
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


def read_answer(call: Call, registered: RegisteredOperation | None, target: Target, parameters: Parameters) -> Any:
    """The answer of an operation that only reads, or what one that writes prepares for its transaction.

    Raises AwsError, also for an operation or a parameter that is not emulated.
    """
    function = emulated(registered, target, parameters)
    if registered is None or not registered.writes:
        return None if registered is None else function(call, **parameters)
    return None if registered.prepare is None else registered.prepare(call, parameters)


def write_answer(
    call: Call, registered: RegisteredOperation, parameters: Parameters, prepared: Any, transaction: Connection
) -> Answer | AwsError | None:
    """The answer of an operation that writes, or a refusal that keeps what was written.

    ``prepared`` is from :func:`read_answer`. Raises AwsError.
    """
    # A separate store: if the writes are rolled back, nothing read between them may stay in the cache.
    policies = PolicyStore(call.policies.generation)
    return registered.function(replace(call, db=transaction, policies=policies, prepared=prepared), **parameters)


def unless_refused(answer: Answer | AwsError | None) -> Answer | None:
    """The answer. Raises the AwsError that an operation returned, now that its transaction is over."""
    if isinstance(answer, AwsError):
        raise answer
    return answer
