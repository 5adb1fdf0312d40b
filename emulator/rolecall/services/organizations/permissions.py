"""The permissions of an operation: on real ARNs, with the keys of Organizations, and by the resource policy.

The Service Authorization Reference names the resource types and condition keys. The ids of a request become the ARNs
that the API shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from rolecall.access.context import owner_keys
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import kept_document
from rolecall.access.resources import Resource
from rolecall.arns import organization_policy_arn, parse_arn
from rolecall.policy import CompiledPolicies, NamedPolicy, PolicyKind, compile_policies
from rolecall.services.permissions import Described, resource_kind, table_permissions
from rolecall.services.registry import Call, Parameters
from rolecall.storage.organization_access import delegations, resource_policy, tags
from rolecall.storage.organization_policies import policy
from rolecall.storage.organizations import OrganizationRecord, organization_around

# What operations begin with that change nothing.
READING = ("Describe", "List")
_TYPE_KEY = "organizations:policytype"
# The member Type of these operations is no type of policies.
_TRANSFERS = ("ResponsibilityTransfers", "TransferResponsibility")
_TYPE_MEMBERS = ("Type", "Filter", "PolicyType")
_ID_MEMBERS = ("account", "organizationalunit", "root", "policy", "resourcepolicy")


def organization_permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The permissions of the tables, with the ids and the keys of the organization."""
    permissions = table_permissions(call, parameters)
    found = organization_around(call.db, call.account_id)
    if found is None or found.management_account_id is None:
        return permissions
    own = f"/{found.organization_id}/"
    # The tables do not know the organization's id where the request names no resource.
    permissions = [replace(each, resource=each.resource.replace("/o-*/", own)) for each in permissions]
    if call.account_id != found.management_account_id:
        permissions = [_owned(call, found.management_account_id, each) for each in permissions]
    policy_type = next((parameters[member] for member in _TYPE_MEMBERS if member in parameters), None)
    if policy_type is None or call.operation.endswith(_TRANSFERS):
        return permissions
    return [_of_type(call, found, each, policy_type) for each in permissions]


def delegable_permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The same for an operation that member accounts can call: the resource policy must allow it, if there is one."""
    permissions = organization_permissions(call, parameters)
    found = organization_around(call.db, call.account_id)
    allowed_by = None if found is None else _asked_policy(call, found)
    if found is None or allowed_by is None:
        return permissions
    owner = found.management_account_id or ""
    return [replace(each, account_id=owner, resource_policy=allowed_by) for each in permissions]


def _owned(call: Call, owner: str, permission: Permission) -> Permission:
    """The permission with the keys of the management account, if it is about a resource: its ARN has that account.

    The caller's policies decide alone whether they allow it, because the organization lets its administrators call.
    """
    if permission.resource == "*":
        return permission
    membership = call.policies.membership(call.db, owner)
    keys = owner_keys(owner, membership.organization_id, membership.path)
    return replace(permission, context={**keys, **permission.context})


def _of_type(call: Call, found: OrganizationRecord, permission: Permission, policy_type: str) -> Permission:
    """The permission with the key organizations:PolicyType; CreatePolicy is about the policies of that type."""
    context = {_TYPE_KEY: policy_type, **permission.context}
    if call.operation != "CreatePolicy":
        return replace(permission, context=context)
    owner, kind = found.management_account_id, policy_type.lower()
    resource = f"arn:aws:organizations::{owner}:policy/{found.organization_id}/{kind}/*"
    return replace(permission, resource=resource, context=context)


def _asked_policy(call: Call, found: OrganizationRecord) -> CompiledPolicies | None:
    """The resource policy that must allow the call; None for an account that needs none, and where there is none."""
    if call.account_id == found.management_account_id:
        return None
    if call.operation.startswith(READING) and call.account_id in delegations(call.db, found.organization_id, 0):
        return None
    stored = resource_policy(call.db, found.organization_id)
    if stored is None:
        return None
    named = NamedPolicy(kept_document(stored.document, PolicyKind.RESOURCE), "resource policy of the organization")
    return compile_policies([named], PolicyKind.RESOURCE)


_PREFIXES: Mapping[str, str] = {"r-": "root", "ou-": "ou", "rp-": "resourcepolicy"}


def _described(call: Call, resource: Resource) -> Described:
    """A root, unit, account or policy by the id in the request, whatever type the tables took it for."""
    given = resource.given
    parsed = parse_arn(given) if given.startswith("arn:") else None
    if parsed is not None:
        return Described(given, {})
    if given and not given.isdecimal() and not given.startswith(("p-", *_PREFIXES)):
        # No id of an organization's. The target of an invitation may be an email address, which belongs in no log.
        return Described(f"arn:aws:organizations::{call.account_id}:account/o-*/*", {})
    found = organization_around(call.db, call.account_id)
    if found is None or found.management_account_id is None:
        return Described(resource.arn, {})
    organization_id = found.organization_id
    context: dict[str, ContextValue] = {
        f"aws:resourcetag/{key.lower()}": value for key, value in tags(call.db, organization_id, given).items()
    }
    if given.startswith("p-"):
        record = policy(call.db, organization_id, given)
        policy_type = "*" if record is None else record.policy_type
        arn = organization_policy_arn(found.management_account_id, organization_id, policy_type, given)
        if record is not None:
            context[_TYPE_KEY] = policy_type
        return Described(arn, context)
    return Described(_arn(found.management_account_id, organization_id, given, resource), context)


def _arn(owner: str, organization_id: str, given: str, resource: Resource) -> str:
    kind = next((name for prefix, name in _PREFIXES.items() if given.startswith(prefix)), "account")
    if kind == "account" and not given.isdecimal():
        return resource.arn
    return f"arn:aws:organizations::{owner}:{kind}/{organization_id}/{given}"


for _kind in _ID_MEMBERS:
    resource_kind("organizations", _kind)(_described)
