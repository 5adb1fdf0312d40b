"""A policy document as records: parsing makes this tree, and compiling reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from msgspec import Struct

Effect = Literal["Allow", "Deny"]

VERSION_WITH_VARIABLES = "2012-10-17"
VERSION_WITHOUT_VARIABLES = "2008-10-17"


class PolicyKind(StrEnum):
    """What a policy is attached to (IAM User Guide, Policies and permissions in IAM, Policy types)."""

    IDENTITY = "identity"
    SESSION = "session"
    # The Policy of one GetScopedCredentials call (IAM User Guide, Permissions for GetScopedCredentials).
    SCOPE_DOWN = "scope-down"
    BOUNDARY = "boundary"
    SCP = "scp"
    RCP = "rcp"
    RESOURCE = "resource"
    TRUST = "trust"


class MalformedPolicy(ValueError):  # noqa: N818  the name of AWS's exception
    """A document that is no valid policy of its kind.

    ``message`` is the wording of AWS's MalformedPolicyDocument. ``pointer`` is the place of the problem, such as
    ``Statement[1].Resource``. It is empty for a problem of the document as a whole.
    """

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message if not pointer else f"{message} ({pointer})")
        self.message = message
        self.pointer = pointer


class Condition(Struct, frozen=True):
    """One operator on one key: ``operator`` and ``key`` as written, ``values`` as text."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Principals:
    """The principals a statement lists, by type. ``"*"`` alone is stored as the AWS principal ``*``, its equal.

    ``written_as_star`` says that ``"*"`` was written alone, which a role trust policy must not do.
    """

    aws: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical_users: tuple[str, ...] = ()
    written_as_star: bool = field(default=False, compare=False)


class Statement(Struct, frozen=True):
    """One statement. A ``…_negated`` flag means that the element was written with Not.

    ``resources`` and ``principals`` are None when the statement has no such element. ``index`` counts from 0.
    """

    index: int
    sid: str
    effect: Effect
    actions: tuple[str, ...]
    actions_negated: bool
    resources: tuple[str, ...] | None
    resources_negated: bool
    principals: Principals | None
    principals_negated: bool
    conditions: tuple[Condition, ...]


class Policy(Struct, frozen=True):
    """A parsed policy; ``text`` is the document as it was received."""

    kind: PolicyKind
    text: str
    version: str
    id: str
    statements: tuple[Statement, ...]


class NamedPolicy(Struct, frozen=True):
    """A policy under the name it has where it is attached; ``arn`` is empty for an inline policy.

    ``group`` is the group through which a user has it.
    """

    policy: Policy
    name: str
    arn: str = ""
    group: str = ""
