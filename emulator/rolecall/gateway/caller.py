"""Who calls: the checks of a signature's scope, and proofs of identity among the parameters."""

from __future__ import annotations

from msgspec.structs import replace
from sqlalchemy import Connection

from rolecall.access.policies import PolicyStore
from rolecall.access.regions import check_endpoint, check_token_region, region_of_endpoint
from rolecall.errors import AwsError
from rolecall.faults.rules import CallFacts
from rolecall.gateway.received import Received, region_of
from rolecall.http import HttpRequest
from rolecall.identities import NOBODY, Identity, IdentityStore, unsigned_identity
from rolecall.services.registry import Call, Parameters, RegisteredOperation, SecondFactor, not_emulated
from rolecall.settings import SandboxSettings
from rolecall.signing import Signature, check_scope, check_signature
from rolecall.wire import Target

MISSING_TOKEN_MESSAGE = "Request is missing Authentication Token"  # noqa: S105


def check_call_scope(signature: Signature, target: Target, request: HttpRequest) -> None:
    """Raises AwsError SignatureDoesNotMatch. A regional endpoint accepts only signatures of its own Region."""
    service, signing_name = target.service.name, target.service.signing_name
    region = region_of_endpoint(service, request.headers.get("host", ""))
    if region is None:
        check_scope(signature, service=signing_name)
    else:
        check_scope(signature, service=signing_name, valid_region=region.__eq__)
    check_endpoint(service, signature.region)


def authenticate(
    connection: Connection,
    identities: IdentityStore,
    received: Received,
    target: Target,
    signature: Signature | None,
    now_seconds: float,
    settings: SandboxSettings,
) -> Identity:
    """The caller whose secret signed the call; nobody when the proof of identity is among the parameters.

    Raises AwsError.
    """
    if signature is None or not target.operation.signed:
        return NOBODY
    check_call_scope(signature, target, received.request)
    identity, has_secret = resolve(connection, identities, signature, now_seconds, settings)
    if has_secret:
        check_signature(received.request, signature, identity.secret_access_key, raw_path=target.raw_path)
    return identity


def resolve(
    connection: Connection,
    identities: IdentityStore,
    signature: Signature,
    now_seconds: float,
    settings: SandboxSettings,
) -> tuple[Identity, bool]:
    """The identity for the key and the token, and whether its secret must have signed the call. Raises AwsError."""
    try:
        identity = identities.resolve(connection, signature.access_key_id, signature.session_token, now_seconds)
        session = identity.caller.session
        if session is not None and not session.everywhere:
            check_token_region(signature.region)
    except AwsError:
        lenient = not settings.strict and not signature.session_token
        if not lenient or identities.knows_key(connection, signature.access_key_id):
            raise
        # The sandbox is lenient by its own setting. This key has no known secret, so there is nothing to compare.
        return identities.administrator(connection, signature.access_key_id), False
    return identity, True


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


def proven(
    call: Call,
    identity: Identity,
    registered: RegisteredOperation | None,
    parameters: Parameters,
    identities: IdentityStore,
) -> tuple[Call, Identity]:
    """The call and its identity, after the proof of identity among the parameters, if the operation has one.

    Raises AwsError for a proof that proves nothing, and KeysWantedError when it needs keys first.
    """
    if registered is None or registered.proof is None:
        return call, identity
    proven = registered.proof(call, parameters)
    if proven.opened is None:
        return replace(call, caller=proven.caller, proof=proven.facts), unsigned_identity(proven.caller)
    identity = identities.of_session(call.db, proven.opened)
    account_id = identity.caller.principal.account_id
    return replace(call, caller=identity.caller, account_id=account_id, proof=proven.facts), identity


def second_factor_of(registered: RegisteredOperation | None, parameters: Parameters) -> SecondFactor | None:
    """The second factor that the call tries to prove, if any."""
    factor = None if registered is None else registered.second_factor
    return None if factor is None or factor.parameters.isdisjoint(parameters) else factor


def use_second_factor(call: Call, factor: SecondFactor, parameters: Parameters, transaction: Connection) -> None:
    """Check the second factor and use it up. Raises AwsError for a proof that fails."""
    factor.use(replace(call, db=transaction), parameters)


def with_second_factor(call: Call, snapshot: Connection) -> Call:
    """The call of a caller who has just proved a second factor, in a new snapshot."""
    # A separate store: this snapshot may be of a later generation, so its data must not enter the cache.
    policies = PolicyStore(call.policies.generation)
    return replace(call, db=snapshot, policies=policies, mfa_at_seconds=int(call.now_seconds))
