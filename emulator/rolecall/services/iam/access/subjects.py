"""The user, group, role or policy that a report is about: its policies, and the users and roles that have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from rolecall.access.policies import kept_document
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.policy import PolicyKind
from rolecall.policy.document import Policy
from rolecall.services.iam.groups.groups import existing_group
from rolecall.services.iam.policies.managed_policies import AWS_ACCOUNT, existing_policy
from rolecall.services.iam.roles.roles import existing_role
from rolecall.services.iam.users.users import existing_user
from rolecall.services.registry import Call
from rolecall.storage.entity_policies import EntityKind, attached_arns, entities_with_policy, inline_documents
from rolecall.storage.groups import groups_of, members_of

# AWS's wording of these two was not recorded.
ARN_MESSAGE = "Invalid ARN: {arn} must identify a user, group, role or policy of IAM."
OTHER_ACCOUNT_MESSAGE = "The resource must belong to this account."

Owner = tuple[EntityKind, str, str]
_EVERYBODY = 1_000_000


class PolicyOfEntity(Struct, frozen=True):
    """A policy, and the entity through which it applies. An inline policy has no ARN."""

    name: str
    arn: str
    owner_kind: EntityKind
    owner_name: str
    policy: Policy


class Subject(Struct, frozen=True):
    """What a report is about. ``entities`` are the unique ids of the users and roles that have its permissions."""

    kind: str
    policies: Sequence[Policy]
    entities: Sequence[str]


def subject_of(call: Call, arn: str) -> Subject:
    """The user, group, role or policy of an ARN. Raises AwsError: InvalidInput, AccessDenied, NoSuchEntity."""
    kind, name = named(call, arn)
    if kind == "policy":
        existing_policy(call, arn)
        text = call.policies.managed_document(call.db, arn)
        policies = [] if text is None else [kept_document(text, PolicyKind.IDENTITY)]
        return Subject(kind, policies, _entities_with(call, arn))
    owners = owners_of(call, kind, name)
    policies = [each.policy for each in policies_of_owners(call, owners)]
    [(_, entity_id, _), *_] = owners
    if kind == "group":
        return Subject(kind, policies, [user.user_id for user in members_of(call.db, entity_id, limit=_EVERYBODY)])
    return Subject(kind, policies, [entity_id])


def named(call: Call, arn: str) -> tuple[str, str]:
    """The kind and the name in an ARN of the caller's account, or of AWS for a policy.

    Raises AwsError: InvalidInput, AccessDenied.
    """
    parsed = parse_arn(arn)
    is_of_iam = parsed is not None and parsed.service == "iam" and not parsed.region and parsed.resource_name
    if parsed is None or not is_of_iam or parsed.resource_type not in ("user", "group", "role", "policy"):
        raise AwsError("InvalidInput", ARN_MESSAGE.format(arn=arn))
    of_aws = parsed.resource_type == "policy" and parsed.account_id == AWS_ACCOUNT
    if parsed.account_id != call.account_id and not of_aws:
        raise AwsError("AccessDenied", OTHER_ACCOUNT_MESSAGE, status=403)
    return parsed.resource_type, parsed.resource_name


def owners_of(call: Call, kind: str, name: str) -> list[Owner]:
    """The entity itself, and for a user its groups. Raises AwsError NoSuchEntity."""
    if kind == "group":
        group = existing_group(call, name)
        return [("group", group.group_id, group.name)]
    if kind == "role":
        role = existing_role(call, name)
        return [("role", role.role_id, role.name)]
    user = existing_user(call, name)
    groups: list[Owner] = [("group", group.group_id, group.name) for group in groups_of(call.db, user.user_id)]
    return [("user", user.user_id, user.name), *groups]


def policies_of_owners(call: Call, owners: Sequence[Owner]) -> Iterator[PolicyOfEntity]:
    """The policies of some entities. A managed policy that several of them have counts once."""
    seen: set[str] = set()
    for kind, owner_id, owner_name in owners:
        for arn in attached_arns(call.db, kind, owner_id):
            document = None if arn in seen else call.policies.managed_document(call.db, arn)
            seen.add(arn)
            if document is not None:
                policy = kept_document(document, PolicyKind.IDENTITY)
                yield PolicyOfEntity(arn.rpartition("/")[2], arn, kind, owner_name, policy)
        for name, text in inline_documents(call.db, kind, owner_id).items():
            yield PolicyOfEntity(name, "", kind, owner_name, kept_document(text, PolicyKind.IDENTITY))


def _entities_with(call: Call, policy_arn: str) -> list[str]:
    """The users and roles that have a managed policy, users also through their groups."""
    found: dict[str, None] = {}
    for group in entities_with_policy(call.db, call.account_id, policy_arn, "group"):
        found.update((user.user_id, None) for user in members_of(call.db, group.entity_id, limit=_EVERYBODY))
    for kind in ("user", "role"):
        users = entities_with_policy(call.db, call.account_id, policy_arn, kind)
        found.update((one.entity_id, None) for one in users)
    return list(found)
