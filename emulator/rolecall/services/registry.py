"""The registry of operations: a function per operation, under its AWS name.

An operation is ``(call, *, RoleArn, DurationSeconds=3600, …) -> dict``. Parameters and answer are spelled as in the
service's model, so the signature is the typed request. The decorator holds what the model lacks: which permissions are
needed, and whether anything is written. When the model has a parameter that the function lacks, the gateway refuses it
as not emulated and never ignores it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import Struct, field

from rolecall.access.permission import Permission
from rolecall.access.policies import PolicyStore
from rolecall.errors import AwsError
from rolecall.ids import Identifiers
from rolecall.principals import Caller
from rolecall.reprs import repr_without
from rolecall.sessions.credentials import OpenedSession
from rolecall.sessions.flaws import FLAWLESS, Flaw
from rolecall.sessions.issuer_keys import IssuerKeys
from rolecall.sessions.keys import KeyRing
from rolecall.settings import SandboxSettings
from rolecall.storage.decision_log import Access, RefusalDetails
from rolecall.storage.last_use import Use

Parameters = Mapping[str, Any]
Answer = dict[str, Any]
PARAMETER_NOT_EMULATED_MESSAGE = "Rolecall does not emulate the parameter {parameter} of {operation} yet."

NOT_EMULATED_MESSAGE = "Rolecall does not emulate {operation} of {service} yet."


def not_emulated(service: str, operation: str) -> AwsError:
    return AwsError("NotImplemented", NOT_EMULATED_MESSAGE.format(operation=operation, service=service))


def parameter_not_emulated(operation: str, parameter: str) -> AwsError:
    return AwsError("NotImplemented", PARAMETER_NOT_EMULATED_MESSAGE.format(parameter=parameter, operation=operation))


class PendingUses(Protocol):
    """Uses of access keys and roles that are known but not written yet."""

    def of_key(self, access_key_id: str) -> Use | None: ...

    def of_role(self, role_id: str) -> Use | None: ...


class SandboxParts(Protocol):
    """The parts of a sandbox, beside its database and its clock, that outlive a call and that some operations need."""

    @property
    def issuer_keys(self) -> IssuerKeys: ...

    @property
    def last_uses(self) -> PendingUses: ...

    def refusal(self, request_id: str) -> RefusalDetails | None:
        """What explains the refusal of a call; None when the decision log has nothing about it, or there is no log."""

    def accesses(self, account_ids: Sequence[str], since_seconds: float) -> list[Access]:
        """The last accesses of these accounts' callers since then; none without a log. Raises LogUnavailableError."""


class OperationModel(Protocol):
    """The members of an operation's input and answer, and its errors. An older model lacks what AWS has added since.

    Paths are members inside of others, such as ``("VoiceConnector", "Name")``.
    """

    @property
    def input_paths(self) -> Sequence[tuple[str, ...]]: ...

    @property
    def output_members(self) -> Collection[str]: ...

    @property
    def output_paths(self) -> Collection[tuple[str, ...]]: ...

    @property
    def output_enums(self) -> Mapping[str, tuple[str, ...]]:
        """The values of the answer's members that are enumerations, or lists of them."""

    @property
    def error_codes(self) -> frozenset[str]: ...


class Call(Struct, frozen=True):
    """Everything an operation may know of the call it serves.

    ``db`` is a SQLAlchemy connection. It reads a snapshot while permissions are worked out and in operations that only
    read. Operations that write have a transaction: committed when they return, rolled back when they raise. A refusal
    that must keep what was written is returned.
    ``account_id`` is the caller's account. Times are seconds since the epoch.
    """

    service: str
    operation: str
    caller: Caller
    account_id: str
    region: str
    now_seconds: float
    request_id: str
    db: Any
    keys: KeyRing
    ids: Identifiers
    settings: SandboxSettings
    policies: PolicyStore
    model: OperationModel
    sandbox: SandboxParts
    # Set by a fault rule: an operation that needs an OIDC provider's keys must fail as if AWS could not reach them.
    identity_provider_down: bool = False
    # Set by fault rules: what must be wrong with credentials that a program's provider asks for.
    flaw: Flaw = FLAWLESS
    # What the operation's ``proof`` found in the token or assertion among the parameters.
    proof: Any = None
    # The Host header. STS recognises its global endpoint by it.
    host: str = ""
    # The scheme of the request: http or https.
    scheme: str = "http"
    # The time of an MFA proof in this very call, which is now; None without one.
    mfa_at_seconds: int | None = None
    # What the operation's ``prepare`` found before the transaction began.
    prepared: Any = None
    # The headers of the request, with names in lower case, and the wall clock's time at which it came.
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at_seconds: float = 0.0

    __repr__ = repr_without("headers")


class Proven(Struct, frozen=True):
    """The identity that a token or assertion proves, and what it says.

    The identity is for the log and has no policies. With ``opened`` the call has the rights of that session.
    """

    caller: Caller
    facts: Any
    opened: OpenedSession | None = None


# An operation may return a refusal instead of raising it. Then what it wrote is kept, as a used code must be.
Function = Callable[..., Answer | AwsError | None]
_Registered = TypeVar("_Registered", bound=Function)
PermissionsOf = Callable[[Call, Parameters], Sequence[Permission]]
Precheck = Callable[[Call, Parameters], None]
Proof = Callable[[Call, Parameters], Proven]
Prepare = Callable[[Call, Parameters], Any]


class SecondFactor(Struct, frozen=True):
    """A second factor that a call may carry: its parameters, and the function that checks it.

    ``use`` checks the proof and uses it up, in a transaction of its own, before any policy is evaluated. It is called
    when a call has any of the parameters. It raises AwsError for a proof that fails.
    """

    parameters: frozenset[str]
    use: Callable[[Call, Parameters], None]


class RegisteredOperation(Struct, frozen=True, eq=False):
    """One emulated operation. Equal only to itself, so that it is a quick key of a dictionary."""

    service: str
    name: str
    function: Function
    # None: the permissions in AWS's tables, see services/permissions.py.
    permissions: PermissionsOf | None
    precheck: Precheck | None
    writes: bool
    parameters: frozenset[str]
    # The verb of an operation that is declared, see services/verbs.py; empty for one that is written.
    verb: str = ""
    # The file and the line where the operation stands.
    place: tuple[str, int] = ("", 0)
    proof: Proof | None = None
    second_factor: SecondFactor | None = None
    prepare: Prepare | None = None


_READING_PREFIXES = ("Get", "List", "Describe", "Search", "Simulate")
# Simulations decide hundreds of questions. A SAML response is decrypted and verified as XML. A page of a whole account
# holds up to a thousand entities with all their policies. A report may name thousands of users, and two hundred
# services may be looked for in every policy of a user.
_LONG_PREFIXES = (
    "Simulate",
    "AssumeRoleWithSAML",
    "GetAccountAuthorizationDetails",
    "GetOrganizationsAccessReport",
    "GetServiceLastAccessedDetails",
    "ListPoliciesGrantingServiceAccess",
)
_operations: dict[tuple[str, str], RegisteredOperation] = {}
# Services whose family is loaded. A service is added last, so that no thread finds a part of what bears on a call. The
# set stands beside the operations because a nested run of pytest forgets the modules that it loaded.
loaded_services: set[str] = set()


def no_permission(_call: Call, _parameters: Parameters) -> Sequence[Permission]:
    """For the few operations that no policy can forbid."""
    return ()


def _place_of(function: Function) -> tuple[str, int]:
    code = inspect.unwrap(function).__code__
    return code.co_filename, code.co_firstlineno


def operation(
    service: str,
    name: str,
    *,
    permissions: PermissionsOf | None = None,
    precheck: Precheck | None = None,
    writes: bool | None = None,
    proof: Proof | None = None,
    second_factor: SecondFactor | None = None,
    prepare: Prepare | None = None,
    verb: str = "",
    place: tuple[str, int] | None = None,
) -> Callable[[_Registered], _Registered]:
    """Register a function as an operation.

    ``permissions`` returns the permissions that the caller needs, where AWS differs from its tables. ``precheck``
    raises AwsError for refusals that come before any policy is evaluated. ``proof`` is for the operations that AWS
    accepts unsigned: it verifies the token or assertion among the parameters. It raises AwsError for one that proves
    nothing, or KeysWantedError when it needs keys first. ``second_factor`` is a proof besides the signature.
    ``prepare`` is for an operation that writes. It does the long work, such as reading the decision log, in the
    snapshot in which the caller was authorised. So the transaction holds up no other call. It may raise AwsError.
    ``writes`` defaults to False for Get, List, Describe, Search and Simulate, else True. ``verb`` and
    ``place`` are for services/verbs.py: its functions accept every member of the model, and their place is the line
    that declares them.
    """

    def register(function: _Registered) -> _Registered:
        if (service, name) in _operations:
            raise ValueError(f"{service}:{name} is registered twice")
        parameters = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
        _operations[service, name] = RegisteredOperation(
            service=service,
            name=name,
            function=function,
            permissions=permissions,
            precheck=precheck,
            writes=not name.startswith(_READING_PREFIXES) if writes is None else writes,
            parameters=frozenset(parameter.name for parameter in parameters),
            proof=proof,
            second_factor=second_factor,
            prepare=prepare,
            verb=verb,
            place=place or _place_of(function),
        )
        return function

    return register


def takes_long(service: str, name: str, inputs: Iterable[str]) -> bool:
    """Whether a call may wait for others who write, or compute for longer than calls usually do.

    ``inputs`` are the names of its parameters: a second factor is used up, so proving one writes.
    """
    registered = find(service, name)
    if registered is None:
        return False
    factor = registered.second_factor
    proves = factor is not None and not factor.parameters.isdisjoint(inputs)
    return registered.writes or proves or name.startswith(_LONG_PREFIXES)


def find(service: str, name: str) -> RegisteredOperation | None:
    return _operations.get((service, name))


def all_operations() -> list[RegisteredOperation]:
    return [_operations[key] for key in sorted(_operations)]
