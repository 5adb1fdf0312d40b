"""Who calls: the checks of a signature's scope, and proofs of identity among the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rolecall.access.regions import region_of_host
from rolecall.errors import AwsError
from rolecall.faults.rules import CallFacts
from rolecall.gateway.received import region_of
from rolecall.http import HttpRequest
from rolecall.identities import Identity, unsigned_identity
from rolecall.service_records import SERVICE_RECORDS
from rolecall.services.registry import Call, Parameters, Proof, RegisteredOperation, SecondFactor, not_emulated
from rolecall.signing import Signature, check_scope
from rolecall.wire import Target

MISSING_TOKEN_MESSAGE = "Request is missing Authentication Token"  # noqa: S105


def check_call_scope(signature: Signature, target: Target, request: HttpRequest) -> None:
    """Raises AwsError SignatureDoesNotMatch. A regional endpoint accepts only signatures of its own Region."""
    signing_name = target.service.signing_name
    has_own_region = SERVICE_RECORDS[target.service.name].has_regional_endpoints
    region = region_of_host(request.headers.get("host", "")) if has_own_region else None
    if region is None:
        check_scope(signature, service=signing_name)
    else:
        check_scope(signature, service=signing_name, valid_region=region.__eq__)


def facts_of(request: HttpRequest, target: Target, signature: Signature | None, identity: Identity) -> CallFacts:
    """The facts that fault rules compare. When the proof is among the parameters, the caller is not known yet."""
    caller = identity.caller if target.operation.signed else None
    has_token = signature is not None and caller is not None and bool(signature.session_token)
    return CallFacts(target.service.name, target.operation.name, region_of(signature, request), caller, has_token)


def check_signed(signature: Signature | None, target: Target, registered: RegisteredOperation | None) -> None:
    """Raises AwsError MissingAuthenticationToken for a call that needs a signature and has none.

    An operation that AWS accepts unsigned has its proof of identity among the parameters.
    """
    if target.operation.signed:
        if signature is None:
            raise AwsError("MissingAuthenticationToken", MISSING_TOKEN_MESSAGE)
    elif registered is None or registered.proof is None:
        raise not_emulated(target.service.name, target.operation.name)


def proven(call: Call, proof: Proof, parameters: Mapping[str, Any]) -> tuple[Call, Identity]:
    """The call and the identity that the proof among the parameters proves."""
    proven = proof(call, parameters)
    return replace(call, caller=proven.caller, proof=proven.facts), unsigned_identity(proven.caller)


def second_factor_of(registered: RegisteredOperation | None, parameters: Parameters) -> SecondFactor | None:
    """The second factor that the call tries to prove, if any."""
    factor = None if registered is None else registered.second_factor
    return None if factor is None or factor.parameters.isdisjoint(parameters) else factor
