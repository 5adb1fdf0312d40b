"""Policies of users, groups and roles: ``policies_of`` declares the operations of a kind, all with the same meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct

from rolecall.arns import PARTITION, parse_arn
from rolecall.data import Quotas, managed_policy
from rolecall.errors import AwsError
from rolecall.policy import PolicyKind, document_size
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, concurrent_modification, page
from rolecall.services.iam.declared import declare
from rolecall.services.iam.named import NamedKind, Record
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
DELETE_ATTACHED_MESSAGE = "Cannot delete entity, must detach all policies first."
DELETE_INLINE_MESSAGE = "Cannot delete entity, must delete policies first."
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


class Owner(Struct, frozen=True):
    """The stored user, group or role that an operation is about."""

    entity_id: str
    name: str


FindOwner = Callable[[Call, str], Owner]


class PolicyOwners(Struct, frozen=True):
    """A kind of entity that policies can be attached to and that has inline policies.

    ``existing`` finds an entity by the name in a request, ``changeable`` finds one whose policies the caller may
    change. Both raise AwsError.
    """

    kind: EntityKind
    # The member that names the entity.
    member: str
    existing: FindOwner
    changeable: FindOwner

    def attach(self, call: Call, name: str, *, PolicyArn: str) -> None:
        """Attach a managed policy. Attaching it again changes nothing.

        Raises AwsError: ValidationError (ARN), NoSuchEntity, UnmodifiableEntity (a role of a service),
        PolicyNotAttachable, LimitExceeded.
        """
        owner = self.changeable(call, name)
        policy_id = _attachable_policy_id(call, self.kind, PolicyArn)
        lock_entity(call.db, self.kind, owner.entity_id)
        attached = attached_arns(call.db, self.kind, owner.entity_id)
        if PolicyArn in attached:
            return
        limit = _ATTACHED_LIMIT[self.kind](call.settings.quotas)
        if len(attached) >= limit:
            raise AwsError("LimitExceeded", ATTACHED_COUNT_MESSAGE.format(kind=self.kind.capitalize(), limit=limit))
        try:
            attach_policy(call.db, self.kind, owner.entity_id, PolicyArn, policy_id, int(call.now_seconds))
        except AlreadyThere as error:
            raise concurrent_modification() from error

    def detach(self, call: Call, name: str, *, PolicyArn: str) -> None:
        """Detach a managed policy.

        Raises AwsError: ValidationError (ARN), NoSuchEntity (when it is not attached, too), UnmodifiableEntity.
        """
        if not detach_policy(call.db, self.kind, self.changeable(call, name).entity_id, PolicyArn):
            raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(arn=PolicyArn))

    def list_attached(
        self,
        call: Call,
        name: str,
        *,
        PathPrefix: str = "/",
        Marker: str | None = None,
        MaxItems: int = DEFAULT_PAGE_ITEMS,
    ) -> Answer:
        """Managed policies attached to the entity itself, by name. The policies of a user's groups are left out.

        Raises AwsError: NoSuchEntity, ValidationError (marker).
        """
        owner = self.existing(call, name)
        attached = attached_arns(call.db, self.kind, owner.entity_id)
        found = [arn for arn in attached if _policy_path(arn).startswith(PathPrefix)]
        shown, rest = page(call, (owner.entity_id, PathPrefix), found, _attached_position, Marker, MaxItems)
        return {"AttachedPolicies": [{"PolicyName": _policy_name(arn), "PolicyArn": arn} for arn in shown], **rest}

    def put(self, call: Call, name: str, *, PolicyName: str, PolicyDocument: str) -> None:
        """Add an inline policy, or replace the one with that name.

        Raises AwsError: NoSuchEntity, UnmodifiableEntity, MalformedPolicyDocument, LimitExceeded.
        """
        owner = self.changeable(call, name)
        what = f"policy {PolicyName} of {self.kind} {owner.name}"
        checked_document(call, PolicyDocument, PolicyKind.IDENTITY, what, is_inline=True)
        lock_entity(call.db, self.kind, owner.entity_id)
        documents = {**inline_documents(call.db, self.kind, owner.entity_id), PolicyName: PolicyDocument}
        limit = _INLINE_LIMIT[self.kind](call.settings.quotas)
        if sum(document_size(text) for text in documents.values()) > limit:
            message = INLINE_SIZE_MESSAGE.format(limit=limit, kind=self.kind, name=owner.name)
            raise AwsError("LimitExceeded", message)
        put_inline(call.db, self.kind, owner.entity_id, PolicyName, PolicyDocument)

    def get(self, call: Call, name: str, *, PolicyName: str) -> Answer:
        """One inline policy. Raises AwsError NoSuchEntity."""
        owner = self.existing(call, name)
        document = inline_document(call.db, self.kind, owner.entity_id, PolicyName)
        if document is None:
            raise self._not_found(PolicyName)
        return {self.member: owner.name, "PolicyName": PolicyName, "PolicyDocument": encoded_document(document)}

    def delete(self, call: Call, name: str, *, PolicyName: str) -> None:
        """Delete an inline policy. Raises AwsError: NoSuchEntity, UnmodifiableEntity."""
        if not remove_inline(call.db, self.kind, self.changeable(call, name).entity_id, PolicyName):
            raise self._not_found(PolicyName)

    def list_inline(
        self, call: Call, name: str, *, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
    ) -> Answer:
        """Names of inline policies. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
        owner = self.existing(call, name)
        names = inline_names(call.db, self.kind, owner.entity_id)
        shown, rest = page(call, (owner.entity_id,), names, str, Marker, MaxItems)
        return {"PolicyNames": list(shown), **rest}

    def _not_found(self, name: str) -> AwsError:
        return AwsError("NoSuchEntity", INLINE_NOT_FOUND_MESSAGE.format(kind=self.kind, name=name))


def policies_of(
    kind: EntityKind, entities: NamedKind[Record], *, changeable: Callable[[Call, str], Record] | None = None
) -> None:
    """Declare the seven operations on the policies of a kind: attach, detach and list, put, get, delete and list.

    ``changeable`` finds an entity whose policies the caller may change, where that is not every entity.
    """

    def found_by(find: Callable[[Call, str], Record]) -> FindOwner:
        def owner(call: Call, name: str) -> Owner:
            record = find(call, name)
            return Owner(entities.id_of(record), record.name)

        return owner

    noun = kind.capitalize()
    member = f"{noun}Name"
    owners = PolicyOwners(kind, member, found_by(entities.existing), found_by(changeable or entities.existing))
    declare(f"Attach{noun}Policy", member, owners.attach, precheck=_check_attached_arn)
    declare(f"Detach{noun}Policy", member, owners.detach, precheck=_check_attached_arn)
    declare(f"ListAttached{noun}Policies", member, owners.list_attached)
    declare(f"Put{noun}Policy", member, owners.put)
    declare(f"Get{noun}Policy", member, owners.get)
    declare(f"Delete{noun}Policy", member, owners.delete)
    declare(f"List{noun}Policies", member, owners.list_inline)


def refuse_policies_left(call: Call, kind: EntityKind, entity_id: str) -> None:
    """Raises AwsError DeleteConflict for an entity that still has policies, attached ones first."""
    if attached_arns(call.db, kind, entity_id):
        raise AwsError("DeleteConflict", DELETE_ATTACHED_MESSAGE)
    if inline_names(call.db, kind, entity_id):
        raise AwsError("DeleteConflict", DELETE_INLINE_MESSAGE)


def _check_attached_arn(_call: Call, parameters: Parameters) -> None:
    """What AWS refuses before it evaluates any policy: an invalid PolicyArn. Raises AwsError ValidationError."""
    arn = parse_arn(parameters["PolicyArn"])
    if arn is not None and arn.partition != PARTITION:
        raise AwsError("ValidationError", PARTITION_MESSAGE)
    parsed_policy_arn(parameters["PolicyArn"])


def _attachable_policy_id(call: Call, kind: EntityKind, arn: str) -> str | None:
    """The unique id of a customer managed policy; None for a policy of AWS. Raises AwsError."""
    account_id = parsed_policy_arn(arn).account_id
    if account_id == AWS_ACCOUNT:
        managed = managed_policy(arn)
        if managed is not None:
            if not managed.is_attachable:
                raise AwsError("PolicyNotAttachable", SERVICE_POLICY_MESSAGE.format(kind=kind.capitalize()))
            return None
    elif account_id == call.account_id:
        policy = policy_by_arn(call.db, arn)
        if policy is not None:
            return policy.policy_id
    raise AwsError("NoSuchEntity", NOT_ATTACHABLE_MESSAGE.format(arn=arn))


def _policy_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _policy_path(arn: str) -> str:
    """``/`` and the path before the name. In a policy's ARN the resource is ``policy`` + path + name."""
    return arn[arn.index("/") : arn.rindex("/") + 1]


def _attached_position(arn: str) -> str:
    """The name without case; the ARN distinguishes AWS's policy from the customer's policy of the same name."""
    return f"{_policy_name(arn).lower()} {arn}"
