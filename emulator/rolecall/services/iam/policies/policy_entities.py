"""The entities that use a managed policy."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.iam.policies.managed_policies import NOT_ATTACHABLE_MESSAGE, check_policy_arn, existing_policy
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.entity_policies import EntityKind, PolicyUser, entities_with_policy

# The kinds of entities that EntityFilter can ask for. Its other values name kinds of policies.
_FILTERS: Mapping[str | None, tuple[EntityKind, ...]] = MappingProxyType(
    {None: ("group", "user", "role"), "User": ("user",), "Group": ("group",), "Role": ("role",)}
)


@operation("iam", "ListEntitiesForPolicy", precheck=check_policy_arn)
def list_entities_for_policy(
    call: Call,
    *,
    PolicyArn: str,
    EntityFilter: str | None = None,
    PathPrefix: str = "/",
    PolicyUsageFilter: str | None = None,
    Marker: str | None = None,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
) -> Answer:
    """Groups, then users, then roles of the caller's account that have a policy attached or as their boundary.

    ``PolicyUsageFilter`` selects one of the two uses. Raises AwsError: ValidationError, NoSuchEntity.
    """
    existing_policy(call, PolicyArn, NOT_ATTACHABLE_MESSAGE)
    usages = [False, True]
    if PolicyUsageFilter is not None:
        usages = [PolicyUsageFilter == "PermissionsBoundary"]
    found: dict[str, PolicyUser] = {}
    for kind in _FILTERS.get(EntityFilter, ()):
        for as_boundary in usages:
            users = entities_with_policy(
                call.db, call.account_id, PolicyArn, kind, as_boundary=as_boundary, path_prefix=PathPrefix
            )
            found.update((user.entity_id, user) for user in users)
    filters = (PolicyArn, EntityFilter or "", PathPrefix, PolicyUsageFilter or "")
    shown, rest = page(call, filters, found.values(), _position, Marker, MaxItems)
    return {
        "PolicyGroups": [{"GroupName": one.name, "GroupId": one.entity_id} for one in shown if one.kind == "group"],
        "PolicyUsers": [{"UserName": one.name, "UserId": one.entity_id} for one in shown if one.kind == "user"],
        "PolicyRoles": [{"RoleName": one.name, "RoleId": one.entity_id} for one in shown if one.kind == "role"],
        **rest,
    }


_ORDER: Mapping[EntityKind, int] = MappingProxyType({"group": 0, "user": 1, "role": 2})


def _position(one: PolicyUser) -> str:
    return f"{_ORDER[one.kind]} {one.name.lower()}"
