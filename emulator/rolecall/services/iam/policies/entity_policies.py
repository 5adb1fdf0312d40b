"""Policies of users, groups and roles: the shared part of the operations of all three kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rolecall.arns import PARTITION, parse_arn
from rolecall.data import Quotas, managed_policy
from rolecall.errors import AwsError
from rolecall.policy import PolicyKind, document_size
from rolecall.services.iam.common import concurrent_modification, page
from rolecall.services.iam.policies.documents import checked_document
from rolecall.services.iam.policies.managed_policies import (
    AWS_ACCOUNT,
    NOT_ATTACHABLE_MESSAGE,
    NOT_FOUND_MESSAGE,
    encoded_document,
    parsed_policy_arn,
)
from rolecall.services.registry import Answer, Call, Parameters
from rolecall.storage.entity_policies import (
    EntityKind,
    attach_policy,
    attached_arns,
    detach_policy,
    inline_document,
    inline_documents,
    inline_names,
    lock_entity,
    put_inline,
    remove_inline,
)
from rolecall.storage.policies import policy_by_arn
from rolecall.storage.problems import AlreadyThere

PARTITION_MESSAGE = "Invalid ARN partition"
# Recorded for roles. What AWS says for users and groups was not recorded.
SERVICE_POLICY_MESSAGE = "Cannot attach a Service Role Policy to a Customer {kind}."
ATTACHED_COUNT_MESSAGE = "Cannot exceed quota for PoliciesPer{kind}: {limit}"
INLINE_NOT_FOUND_MESSAGE = "The {kind} policy with name {name} cannot be found."
INLINE_SIZE_MESSAGE = "Maximum policy size of {limit} bytes exceeded for {kind} {name}"

_ATTACHED_LIMIT: Mapping[EntityKind, Callable[[Quotas], int]] = MappingProxyType(
    {
        "user": lambda quotas: quotas.managed_policies_per_user_count,
        "group": lambda quotas: quotas.managed_policies_per_group_count,
        "role": lambda quotas: quotas.managed_policies_per_role_count,
    }
)
_INLINE_LIMIT: Mapping[EntityKind, Callable[[Quotas], int]] = MappingProxyType(
    {
        "user": lambda quotas: quotas.user_inline_policies_total_characters,
        "group": lambda quotas: quotas.group_inline_policies_total_characters,
        "role": lambda quotas: quotas.role_inline_policies_total_characters,
    }
)


@dataclass(frozen=True, slots=True)
class Owner:
    """The stored user, group or role that an operation is about."""

    kind: EntityKind
    entity_id: str
    name: str


def check_attached_arn(_call: Call, parameters: Parameters) -> None:
    """What AWS refuses before it evaluates any policy: an invalid PolicyArn. Raises AwsError ValidationError."""
    arn = parse_arn(parameters["PolicyArn"])
    if arn is not None and arn.partition != PARTITION:
        raise AwsError("ValidationError", PARTITION_MESSAGE)
    parsed_policy_arn(parameters["PolicyArn"])


def attach(call: Call, owner: Owner, arn: str) -> None:
    """Attach a managed policy. Attaching it again changes nothing.

    Raises AwsError: NoSuchEntity, PolicyNotAttachable, LimitExceeded.
    """
    policy_id = _attachable_policy_id(call, owner, arn)
    lock_entity(call.db, owner.kind, owner.entity_id)
    attached = attached_arns(call.db, owner.kind, owner.entity_id)
    if arn in attached:
        return
    limit = _ATTACHED_LIMIT[owner.kind](call.settings.quotas)
    if len(attached) >= limit:
        raise AwsError("LimitExceeded", ATTACHED_COUNT_MESSAGE.format(kind=owner.kind.capitalize(), limit=limit))
    try:
        attach_policy(call.db, owner.kind, owner.entity_id, arn, policy_id, int(call.now_seconds))
    except AlreadyThere as error:
        raise concurrent_modification() from error


def _attachable_policy_id(call: Call, owner: Owner, arn: str) -> str | None:
    """The unique id of a customer managed policy; None for a policy of AWS. Raises AwsError."""
    account_id = parsed_policy_arn(arn).account_id
    if account_id == AWS_ACCOUNT:
        managed = managed_policy(arn)
        if managed is not None:
            if not managed.is_attachable:
                raise AwsError("PolicyNotAttachable", SERVICE_POLICY_MESSAGE.format(kind=owner.kind.capitalize()))
            return None
    elif account_id == call.account_id:
        policy = policy_by_arn(call.db, arn)
        if policy is not None:
            return policy.policy_id
    raise AwsError("NoSuchEntity", NOT_ATTACHABLE_MESSAGE.format(arn=arn))


def detach(call: Call, owner: Owner, arn: str) -> None:
    """Detach a managed policy. Raises AwsError NoSuchEntity when it is not attached."""
    if not detach_policy(call.db, owner.kind, owner.entity_id, arn):
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(arn=arn))


def list_attached(call: Call, owner: Owner, path_prefix: str, marker: str | None, max_items: int) -> Answer:
    """One page of the managed policies attached to an entity, by name. Raises AwsError ValidationError (marker)."""
    attached = attached_arns(call.db, owner.kind, owner.entity_id)
    found = [arn for arn in attached if _policy_path(arn).startswith(path_prefix)]
    shown, rest = page(call, (owner.entity_id, path_prefix), found, _attached_position, marker, max_items)
    return {"AttachedPolicies": [{"PolicyName": _policy_name(arn), "PolicyArn": arn} for arn in shown], **rest}


def _policy_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _policy_path(arn: str) -> str:
    """``/`` and the path before the name. In a policy's ARN the resource is ``policy`` + path + name."""
    return arn[arn.index("/") : arn.rindex("/") + 1]


def _attached_position(arn: str) -> str:
    """The name without case; the ARN distinguishes AWS's policy from the customer's policy of the same name."""
    return f"{_policy_name(arn).lower()} {arn}"


def put(call: Call, owner: Owner, name: str, document: str) -> None:
    """Add an inline policy, or replace the one with that name.

    Raises AwsError: MalformedPolicyDocument, LimitExceeded.
    """
    checked_document(call, document, PolicyKind.IDENTITY, f"policy {name} of {owner.kind} {owner.name}")
    lock_entity(call.db, owner.kind, owner.entity_id)
    documents = {**inline_documents(call.db, owner.kind, owner.entity_id), name: document}
    limit = _INLINE_LIMIT[owner.kind](call.settings.quotas)
    if sum(document_size(text) for text in documents.values()) > limit:
        message = INLINE_SIZE_MESSAGE.format(limit=limit, kind=owner.kind, name=owner.name)
        raise AwsError("LimitExceeded", message)
    put_inline(call.db, owner.kind, owner.entity_id, name, document)


def get(call: Call, owner: Owner, name: str) -> Answer:
    """An inline policy's name and document, as all kinds answer them. Raises AwsError NoSuchEntity."""
    document = inline_document(call.db, owner.kind, owner.entity_id, name)
    if document is None:
        raise AwsError("NoSuchEntity", INLINE_NOT_FOUND_MESSAGE.format(kind=owner.kind, name=name))
    return {"PolicyName": name, "PolicyDocument": encoded_document(document)}


def delete(call: Call, owner: Owner, name: str) -> None:
    """Delete an inline policy. Raises AwsError NoSuchEntity."""
    if not remove_inline(call.db, owner.kind, owner.entity_id, name):
        raise AwsError("NoSuchEntity", INLINE_NOT_FOUND_MESSAGE.format(kind=owner.kind, name=name))


def list_inline(call: Call, owner: Owner, marker: str | None, max_items: int) -> Answer:
    """One page of the names of an entity's inline policies. Raises AwsError ValidationError (marker)."""
    names = inline_names(call.db, owner.kind, owner.entity_id)
    shown, rest = page(call, (owner.entity_id,), names, str, marker, max_items)
    return {"PolicyNames": list(shown), **rest}
