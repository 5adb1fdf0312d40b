"""What the operations that assume a role share: its permissions and limits, and the answer's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.access.context import owner_keys
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import Membership, Trust
from rolecall.arns import parse_arn
from rolecall.delivery import role_session
from rolecall.errors import AwsError
from rolecall.policy import PolicyKind, compile_policies
from rolecall.principals import SessionType
from rolecall.services.registry import Answer, Call
from rolecall.services.sts.session_parameters import (
    arns_of,
    chain_of,
    session_policies,
    token_too_large,
    with_packed_size,
    with_size,
    works_everywhere,
)
from rolecall.sessions.credentials import TokenTooLargeError
from rolecall.storage.gather import TrustedRole

DEFAULT_DURATION_SECONDS = 3600
CHAINED_MAXIMUM_SECONDS = 3600
ROLE_MAXIMUM_MESSAGE = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
CHAINED_MAXIMUM_MESSAGE = (
    "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
)

# A role that does not exist is refused like a role that trusts no principal, so that the caller learns nothing.
_TRUSTS_NOBODY = compile_policies([], PolicyKind.TRUST)

Tags = tuple[tuple[str, str], ...]


class RequestedSession(Struct, frozen=True):
    """The requested session of a role. Every limit is checked but the role's own.

    ``latest_end_seconds`` is the latest end that the identity provider allows, whatever duration was requested.
    """

    type: SessionType
    name: str
    duration_seconds: int | None
    policy: str | None
    policy_arns: Sequence[Mapping[str, Any]]
    tags: Tags = ()
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str = ""
    chained: bool = False
    latest_end_seconds: int | None = None
    federated_provider: str = ""
    context: tuple[tuple[str, ContextValue], ...] = ()
    minimum_token_bytes: int = 0


class RoleToAssume(Struct, frozen=True):
    """The role to assume, and the organization of its account; ``trust`` is None when there is no such role."""

    arn: str
    account_id: str
    trust: Trust | None
    membership: Membership


def target_role(call: Call, role_arn: str) -> RoleToAssume:
    """The role of an ARN. A missing role is evaluated in its account too, so that the answer does not reveal it.

    For a caller of another partition no role is there: "direct role assumption with the AssumeRole API doesn't work
    across partition boundaries" (IAM User Guide, Federating AWS identities across AWS partitions).
    """
    parsed = parse_arn(role_arn)
    account_id = parsed.account_id if parsed else ""
    partition_of = call.settings.partition_of
    is_reachable = partition_of(account_id) == partition_of(call.caller.principal.account_id)
    trust = call.policies.trust(call.db, role_arn) if is_reachable else None
    membership = call.policies.membership(call.db, account_id) if trust is None else trust.membership
    return RoleToAssume(role_arn, account_id, trust, membership)


def role_permissions(
    actions: Sequence[str], target: RoleToAssume, context: Mapping[str, ContextValue], federated_provider: str = ""
) -> list[Permission]:
    """The permissions that assuming a role needs, each decided by its trust policy and its account's policies."""
    return [
        Permission(
            action,
            target.arn,
            target.account_id,
            context,
            _TRUSTS_NOBODY if target.trust is None else target.trust.policy,
            rcps=target.membership.rcps,
            federated_provider=federated_provider,
        )
        for action in actions
    ]


class FederatedParts(Struct, frozen=True):
    """What a token or assertion adds to a session besides its identity."""

    provider: str
    tags: Tags
    transitive_tag_keys: tuple[str, ...]
    source_identity: str


def federated_permissions(
    action: str, target: RoleToAssume, context: Mapping[str, ContextValue], brought: FederatedParts
) -> list[Permission]:
    """The permissions of a call whose proof is a parameter. Only the trust policy can grant them."""
    keys: dict[str, ContextValue] = {**context, **role_keys(target)}
    actions = [action]
    if brought.tags:
        actions.append("sts:TagSession")
        keys["aws:tagkeys"] = tuple(key for key, _ in brought.tags)
        keys.update({f"aws:requesttag/{key.lower()}": value for key, value in brought.tags})
    if brought.transitive_tag_keys:
        keys["sts:transitivetagkeys"] = brought.transitive_tag_keys
    if brought.source_identity:
        actions.append("sts:SetSourceIdentity")
        keys["sts:sourceidentity"] = brought.source_identity
    return role_permissions(actions, target, keys, brought.provider)


def role_keys(target: RoleToAssume) -> dict[str, ContextValue]:
    """The condition keys of the role that is assumed: its tags, its account and organization."""
    membership = target.membership
    keys = owner_keys(target.account_id, membership.organization_id, membership.path)
    for key, value in () if target.trust is None else target.trust.role.entity.tags:
        keys[f"aws:resourcetag/{key.lower()}"] = value
        keys[f"iam:resourcetag/{key.lower()}"] = value
    return keys


def assumed_role(call: Call, role: TrustedRole, wanted: RequestedSession) -> Answer:
    """Credentials of the role, and the other members that every Assume* operation answers.

    An MFA code of the call counts for this call only: in the session ``aws:MultiFactorAuthPresent`` is ``false`` (IAM
    User Guide, Secure API access with MFA; aws/aws-sdk-java-v2 issue 2554, reproduced by AWS).
    Raises AwsError: ValidationError (duration, policy ARNs), MalformedPolicyDocument, PackedPolicyTooLarge.
    """
    entity = role.entity
    duration_seconds = _duration(call, wanted, role.max_session_duration_seconds)
    policy_arns = arns_of(wanted.policy_arns)
    policies = session_policies(call, entity.account_id, wanted.policy, policy_arns)
    try:
        principal, credentials = role_session(
            call.keys,
            call.ids,
            call.now_seconds,
            entity,
            wanted.name,
            duration_seconds,
            type=wanted.type,
            chain=chain_of(call.caller),
            policies=policies,
            policy_arns=policy_arns,
            tags=wanted.tags,
            transitive_tag_keys=wanted.transitive_tag_keys,
            source_identity=wanted.source_identity,
            federated_provider=wanted.federated_provider,
            context=wanted.context,
            chained=wanted.chained,
            everywhere=works_everywhere(call, entity.account_id),
            minimum_token_bytes=wanted.minimum_token_bytes,
        )
    except TokenTooLargeError as error:
        raise token_too_large(error) from error
    answer: Answer = {
        **with_size(call, credentials),
        "AssumedRoleUser": {"AssumedRoleId": principal.user_id, "Arn": principal.arn},
    }
    if policies or policy_arns or wanted.tags:
        answer = with_packed_size(answer)
    if wanted.source_identity:
        answer["SourceIdentity"] = wanted.source_identity
    return answer


def _duration(call: Call, wanted: RequestedSession, role_maximum: int) -> int:
    asked = wanted.duration_seconds
    duration_seconds = DEFAULT_DURATION_SECONDS if asked is None else asked
    if duration_seconds > role_maximum:
        raise AwsError("ValidationError", ROLE_MAXIMUM_MESSAGE)
    if wanted.chained and duration_seconds > CHAINED_MAXIMUM_SECONDS:
        raise AwsError("ValidationError", CHAINED_MAXIMUM_MESSAGE)
    if wanted.latest_end_seconds is not None:
        return min(duration_seconds, wanted.latest_end_seconds - int(call.now_seconds))
    return duration_seconds
