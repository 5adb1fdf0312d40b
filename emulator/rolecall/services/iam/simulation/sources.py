"""The policies of a user, group or role at the start of a simulation, named as in its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypedDict

from msgspec import Struct

from rolecall.access.context import identity_keys
from rolecall.access.permission import ContextValue
from rolecall.access.policies import Authority, kept_document
from rolecall.arns import parse_arn
from rolecall.policy import CompiledPolicies, NamedPolicy, PolicyKind
from rolecall.policy.patterns import Test, glob, wildcards
from rolecall.principals import Caller, Principal
from rolecall.services.iam.groups.groups import existing_group
from rolecall.services.iam.policies.managed_policies import AWS_ACCOUNT
from rolecall.services.iam.roles.roles import existing_role
from rolecall.services.iam.simulation.inputs import SimulatedEntity, invalid
from rolecall.services.iam.users.users import existing_user
from rolecall.services.registry import Call
from rolecall.storage.entity_policies import EntityKind, attached_arns, inline_documents
from rolecall.storage.groups import groups_of

ONE_IDENTIFIER_MESSAGE = (
    "A policy identifier must specify exactly one of PolicyType, PolicyArn, or InlinePolicyIdentifier."
)
EXCLUDED_ARN_MESSAGE = "Policy exclusion ARN must identify a managed IAM policy."
ONE_STAR_MESSAGE = "A policy exclusion selector permits at most one '*' wildcard."

_INLINE = "inline"
_AWS_MANAGED = "aws-managed"
_USER_MANAGED = "user-managed"
_BOUNDARY = "permission-boundary"
_SCP = "scp"
# The session's part of aws:userid does not exist before the role is assumed.
_SESSION_KEYS = frozenset({"aws:userid"})


class Attached(Struct, frozen=True):
    """One policy of an entity. ``kind`` is a PolicyType of PolicyIdentifier; ``owner_name`` owns an inline policy."""

    kind: str
    name: str
    arn: str
    owner_kind: EntityKind
    owner_name: str
    policy: NamedPolicy


class InlinePolicyIdentifier(TypedDict):
    """Names an inline policy and its owner."""

    PolicyName: str
    AttachmentType: EntityKind
    AttachmentName: str


class PolicyIdentifier(TypedDict, total=False):
    """Selects policies by one of its members."""

    PolicyType: str
    PolicyArn: str
    InlinePolicyIdentifier: InlinePolicyIdentifier


class Exclusions(Struct, frozen=True):
    """The policies that PolicyExclusionList leaves out."""

    types: frozenset[str]
    arns: tuple[Test, ...]
    inline: tuple[tuple[str, EntityKind, Test], ...]

    def leaves_out(self, attached: Attached) -> bool:
        if attached.kind in self.types:
            return True
        if attached.kind == _INLINE:
            return any(
                (name, kind) == (attached.name, attached.owner_kind) and owner(attached.owner_name)
                for name, kind, owner in self.inline
            )
        # AWS compares with the ARN without its path. The ARN with its path names the same policy.
        pathless = f"{attached.arn[: attached.arn.index('/')]}/{attached.name}"
        return any(test(attached.arn) or test(pathless) for test in self.arns)


class Source(Struct, frozen=True):
    """An entity's part in a simulation: policies, boundary, service control policies, condition keys."""

    arn: str
    entity_id: str
    policies: tuple[NamedPolicy, ...]
    boundary: CompiledPolicies | None
    scps: tuple[CompiledPolicies, ...]
    context: Mapping[str, ContextValue]


def source_of(call: Call, entity: SimulatedEntity, exclusions: Exclusions) -> Source:
    """The entity's current policies. Raises AwsError NoSuchEntity."""
    owners: list[tuple[EntityKind, str, str]]
    if entity.kind == "user":
        user = existing_user(call, entity.name)
        arn, authority = user.arn, call.policies.user(call.db, user.user_id)
        owners = [("user", user.user_id, user.name)]
        owners += [("group", group.group_id, group.name) for group in groups_of(call.db, user.user_id)]
    elif entity.kind == "role":
        role = existing_role(call, entity.name)
        arn, authority = role.arn, call.policies.role(call.db, role.role_id)
        owners = [("role", role.role_id, role.name)]
    else:
        group = existing_group(call, entity.name)
        arn, authority = group.arn, call.policies.root(call.db, call.account_id)
        owners = [("group", group.group_id, group.name)]
    boundary = None if authority is None or _BOUNDARY in exclusions.types else authority.boundary
    return Source(
        arn=arn,
        entity_id=owners[0][1],
        policies=tuple(each.policy for each in _attached(call, owners) if not exclusions.leaves_out(each)),
        boundary=boundary,
        scps=() if authority is None or _SCP in exclusions.types else authority.scps,
        context=_own_keys(call, owners[0], arn, authority),
    )


def _own_keys(
    call: Call, owner: tuple[EntityKind, str, str], arn: str, authority: Authority | None
) -> Mapping[str, ContextValue]:
    """The condition keys that every call of the entity has, in any session."""
    kind, entity_id, name = owner
    if authority is None or kind == "group":
        return {}
    principal = Principal(
        type="User" if kind == "user" else "AssumedRole",
        account_id=call.account_id,
        arn=arn,
        principal_arn=arn,
        user_id=entity_id,
        entity_id=entity_id,
        name=name,
    )
    keys = identity_keys(Caller(principal, access_key_id=""), authority)
    return {key: value for key, value in keys.items() if kind == "user" or key not in _SESSION_KEYS}


def attached_policies(call: Call, entity: SimulatedEntity) -> list[NamedPolicy]:
    """The identity-based policies of an entity, with its groups' policies. Raises AwsError NoSuchEntity."""
    return list(source_of(call, entity, Exclusions(frozenset(), (), ())).policies)


def _attached(call: Call, owners: Sequence[tuple[EntityKind, str, str]]) -> Iterator[Attached]:
    """Every policy of the owners. A managed policy that several of them have counts once."""
    seen: set[str] = set()
    for kind, owner_id, owner_name in owners:
        for name, text in inline_documents(call.db, kind, owner_id).items():
            named = NamedPolicy(kept_document(text, PolicyKind.IDENTITY), f"{kind}_{owner_name}_{name}")
            yield Attached(_INLINE, name, "", kind, owner_name, named)
        for arn in attached_arns(call.db, kind, owner_id):
            document = None if arn in seen else call.policies.managed_document(call.db, arn)
            seen.add(arn)
            if document is not None:
                name = arn.rpartition("/")[2]
                named = NamedPolicy(kept_document(document, PolicyKind.IDENTITY), name, arn)
                yield Attached(_managed_kind(arn), name, arn, kind, owner_name, named)


def _managed_kind(arn: str) -> str:
    parsed = parse_arn(arn)
    return _AWS_MANAGED if parsed is not None and parsed.account_id == AWS_ACCOUNT else _USER_MANAGED


def exclusions_of(identifiers: Sequence[PolicyIdentifier] | None) -> Exclusions:
    """The policies that identifiers select. Raises AwsError InvalidInput for an identifier that can select none."""
    types: set[str] = set()
    arns: list[Test] = []
    inline: list[tuple[str, EntityKind, Test]] = []
    for identifier in identifiers or ():
        if len(identifier) != 1:
            raise invalid(ONE_IDENTIFIER_MESSAGE)
        if "PolicyType" in identifier:
            types.add(identifier["PolicyType"])
        elif "PolicyArn" in identifier:
            arns.append(_selector(_checked_arn(identifier["PolicyArn"])))
        else:
            meant = identifier["InlinePolicyIdentifier"]
            inline.append((meant["PolicyName"], meant["AttachmentType"], _selector(meant["AttachmentName"])))
    return Exclusions(frozenset(types), tuple(arns), tuple(inline))


def _checked_arn(text: str) -> str:
    """Wildcards may stand in the policy's name only."""
    arn = parse_arn(text)
    fixed = "" if arn is None else f"{arn.partition}{arn.service}{arn.region}{arn.account_id}"
    if arn is None or (arn.service, arn.resource_type) != ("iam", "policy") or "*" in fixed or "?" in fixed:
        raise invalid(EXCLUDED_ARN_MESSAGE)
    return text


def _selector(pattern: str) -> Test:
    if pattern.count("*") > 1:
        raise invalid(ONE_STAR_MESSAGE)
    return glob(wildcards(pattern))
