"""GetAccountAuthorizationDetails: all users, groups, roles and policies of an account, in pages with one marker.

The sections come one after the other: users, groups, roles, customer managed policies, policies of AWS. Within a
section the entities come by name. AWS does not document an order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.data import ManagedPolicy, managed_policy, managed_policy_document
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, opened_marker, page_of, tag_answer
from rolecall.services.iam.groups.groups import shown_group
from rolecall.services.iam.policies.managed_policies import encoded_document, shown_boundary, shown_policy
from rolecall.services.iam.policies.policy_versions import shown_version, shown_version_of_aws
from rolecall.services.iam.roles.instance_profiles import shown_profiles
from rolecall.services.iam.roles.roles import last_used, named_role
from rolecall.services.iam.roles.trust import shown_trust_policies
from rolecall.services.iam.users.users import shown_user
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.account_details import attached_to, group_names_of, inline_of, tags_of_all, versions_of
from rolecall.storage.entity_policies import EntityKind
from rolecall.storage.groups import GroupRecord, list_groups
from rolecall.storage.instance_profiles import profiles_of_roles
from rolecall.storage.policies import PolicyRecord, attachment_counts, boundary_counts, list_policies
from rolecall.storage.roles import RoleRecord, list_roles
from rolecall.storage.users import UserRecord, list_users

Found = Sequence[Any]


class _Section(Struct, frozen=True):
    """One kind of entity in the answer.

    ``find`` takes the call, the name in lower case after which the section starts, and how many entities are wanted.
    ``show`` gives the answer's entries of such entities.
    """

    answered_as: str
    find: Callable[[Call, str, int], Found]
    show: Callable[[Call, Found], list[Answer]]


def _named_in_account(find: Callable[..., Found]) -> Callable[[Call, str, int], Found]:
    return lambda call, after, limit: find(call.db, call.account_id, after_name_key=after, limit=limit)


def _used_policies_of_aws(call: Call, after: str, limit: int) -> list[ManagedPolicy]:
    """The policies of AWS that the account uses: AWS lists no other ones."""
    used = {*attachment_counts(call.db, call.account_id), *boundary_counts(call.db, call.account_id)}
    policies = [policy for arn in used if (policy := managed_policy(arn)) is not None]
    return sorted((policy for policy in policies if policy.name.lower() > after), key=_name_key)[:limit]


def _name_key(record: Any) -> str:
    return str(record.name.lower())


def _users(call: Call, users: Sequence[UserRecord]) -> list[Answer]:
    ids = [user.user_id for user in users]
    inline = _inline(call, "user", ids)
    attached = _attached(call, "user", ids)
    groups = group_names_of(call.db, ids)
    tags = tags_of_all(call.db, "user", ids)
    details = []
    for user in users:
        shown = shown_user(user)
        # Recorded: a user without inline policies lacks this member, a group or role has it empty.
        if user.user_id in inline:
            shown["UserPolicyList"] = inline[user.user_id]
        shown["GroupList"] = groups.get(user.user_id, [])
        shown["AttachedManagedPolicies"] = attached.get(user.user_id, [])
        shown.update(shown_boundary(user.permissions_boundary_arn))
        shown["Tags"] = tag_answer(tags.get(user.user_id, ()))
        details.append(shown)
    return details


def _groups(call: Call, groups: Sequence[GroupRecord]) -> list[Answer]:
    ids = [group.group_id for group in groups]
    inline = _inline(call, "group", ids)
    attached = _attached(call, "group", ids)
    return [
        {
            **shown_group(group),
            "GroupPolicyList": inline.get(group.group_id, []),
            "AttachedManagedPolicies": attached.get(group.group_id, []),
        }
        for group in groups
    ]


def _roles(call: Call, roles: Sequence[RoleRecord]) -> list[Answer]:
    ids = [role.role_id for role in roles]
    inline = _inline(call, "role", ids)
    attached = _attached(call, "role", ids)
    tags = tags_of_all(call.db, "role", ids)
    profiles = profiles_of_roles(call.db, ids)
    details = []
    for role, trust_policy in zip(roles, shown_trust_policies(call, roles), strict=True):
        shown = named_role(role, trust_policy)
        shown["InstanceProfileList"] = shown_profiles(call, profiles.get(role.role_id, ()))
        shown["RolePolicyList"] = inline.get(role.role_id, [])
        shown["AttachedManagedPolicies"] = attached.get(role.role_id, [])
        shown.update(shown_boundary(role.permissions_boundary_arn))
        shown["Tags"] = tag_answer(tags.get(role.role_id, ()))
        shown["RoleLastUsed"] = last_used(call, role)
        details.append(shown)
    return details


def _inline(call: Call, kind: EntityKind, ids: Sequence[str]) -> Mapping[str, list[Answer]]:
    return {
        owner_id: [{"PolicyName": name, "PolicyDocument": encoded_document(text)} for name, text in policies]
        for owner_id, policies in inline_of(call.db, kind, ids).items()
    }


def _attached(call: Call, kind: EntityKind, ids: Sequence[str]) -> Mapping[str, list[Answer]]:
    return {
        owner_id: [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]
        for owner_id, arns in attached_to(call.db, kind, ids).items()
    }


def _local_policies(call: Call, policies: Sequence[PolicyRecord]) -> list[Answer]:
    versions = versions_of(call.db, [policy.policy_id for policy in policies])
    return _with_versions(
        call,
        policies,
        lambda policy: [
            (shown_version(each, is_default=each.version == policy.default_version), each.document)
            for each in versions[policy.policy_id]
        ],
    )


def _policies_of_aws(call: Call, policies: Sequence[ManagedPolicy]) -> list[Answer]:
    """Of a policy of AWS the default version is known alone."""
    return _with_versions(
        call, policies, lambda policy: [(shown_version_of_aws(policy), managed_policy_document(policy.arn))]
    )


def _with_versions(
    call: Call, policies: Sequence[Any], versions_of_one: Callable[[Any], Iterable[tuple[Answer, str]]]
) -> list[Answer]:
    attachments = attachment_counts(call.db, call.account_id)
    boundaries = boundary_counts(call.db, call.account_id)
    return [
        {
            **shown_policy(policy, attachments.get(policy.arn, 0), boundaries.get(policy.arn, 0)),
            "PolicyVersionList": [
                {**shown, "Document": encoded_document(text)} for shown, text in versions_of_one(policy)
            ],
        }
        for policy in policies
    ]


# By the values of Filter, in the order of the answer.
_SECTIONS: Mapping[str, _Section] = {
    "User": _Section("UserDetailList", _named_in_account(list_users), _users),
    "Group": _Section("GroupDetailList", _named_in_account(list_groups), _groups),
    "Role": _Section("RoleDetailList", _named_in_account(list_roles), _roles),
    "LocalManagedPolicy": _Section("Policies", _named_in_account(list_policies), _local_policies),
    "AWSManagedPolicy": _Section("Policies", _used_policies_of_aws, _policies_of_aws),
}
_NUMBERS = {name: str(number) for number, name in enumerate(_SECTIONS)}


@operation("iam", "GetAccountAuthorizationDetails")
def get_account_authorization_details(
    call: Call, *, Filter: Sequence[str] = (), MaxItems: int = DEFAULT_PAGE_ITEMS, Marker: str | None = None
) -> Answer:
    """A page of the account's entities with their policies; ``MaxItems`` counts the entities of all sections.

    Raises AwsError ValidationError for a marker of another list.
    """
    wanted = [name for name in _SECTIONS if not Filter or name in Filter]
    number, _, after = opened_marker(call, wanted, Marker).partition(" ")
    found: list[tuple[str, Any]] = []
    for name in wanted:
        if _NUMBERS[name] >= number and len(found) <= MaxItems:
            start = after if _NUMBERS[name] == number else ""
            records = _SECTIONS[name].find(call, start, MaxItems + 1 - len(found))
            found += [(name, record) for record in records]
    shown, rest = page_of(call, wanted, found, _position, MaxItems)
    answer: Answer = {section.answered_as: [] for section in _SECTIONS.values()}
    for name in wanted:
        section = _SECTIONS[name]
        records = [record for section_name, record in shown if section_name == name]
        if records:
            answer[section.answered_as] += section.show(call, records)
    return {**answer, **rest}


def _position(item: tuple[str, Any]) -> str:
    name, record = item
    return f"{_NUMBERS[name]} {_name_key(record)}"
