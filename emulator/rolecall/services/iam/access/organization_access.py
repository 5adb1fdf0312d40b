"""Reports about when the accounts of an organization last used the services that its control policies allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from rolecall.access.permission import Permission
from rolecall.access.policies import EVERYTHING, kept_document
from rolecall.data import actions, service_prefixes
from rolecall.errors import AwsError
from rolecall.policy import PolicyKind
from rolecall.policy.document import Policy
from rolecall.services.iam.access.granted import Grants, services_of_levels
from rolecall.services.iam.access.jobs import (
    COMPLETED,
    Json,
    accesses_of,
    action_used,
    failed,
    finished,
    or_failed,
    service_name,
    shown_job,
    start_job,
)
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage import organization_policies
from rolecall.storage.gather import ROOT_TARGET, root_of, service_control_levels
from rolecall.storage.organization_accounts import OrganizationTree, organization_tree
from rolecall.storage.organizations import OrganizationRecord, organization_around

_GENERATE = "GenerateOrganizationsAccessReport"
OTHER_ORGANIZATION_MESSAGE = "The organization ID in the specified entity path is different than your organization ID."
PATH_CODE = "INVALID_ORGANIZATIONS_ENTITY_PATH"
PATH_MESSAGE = "The entity with the specified path does not exist in your organization."
POLICY_CODE = "INVALID_ORGANIZATIONS_POLICY"
POLICY_MESSAGE = "The policy with the specified ID does not exist in your organization."
# AWS's wording was not recorded.
NOT_MANAGEMENT_MESSAGE = (
    "The request was rejected because the account is not the management account of an organization."
)


class _Entity(NamedTuple):
    """What an entity path names: the targets from the root to it, and its accounts. ``below`` are the targets at it and
    below it.
    """

    targets: Sequence[str]
    accounts: Sequence[str]
    below: frozenset[str]


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The operation's own action on the path, and the actions of Organizations that it depends on.

    AWS accepts the call without these and lets the job fail. Rolecall refuses the call at once.
    """
    depends_on = actions("iam")[_GENERATE.lower()].dependent_actions
    return [*table_permissions(call, parameters), *(Permission(action) for action in depends_on)]


def _managed(call: Call) -> OrganizationRecord:
    """The organization that the caller's account manages. Raises AwsError AccessDenied."""
    organization = organization_around(call.db, call.account_id)
    if organization is None or organization.management_account_id != call.account_id:
        raise AwsError("AccessDenied", NOT_MANAGEMENT_MESSAGE, status=403)
    return organization


def _prepared(call: Call, parameters: Parameters) -> Json:
    """Raises AwsError AccessDenied for a path of another organization."""
    organization = _managed(call)
    organization_id, _, rest = parameters["EntityPath"].partition("/")
    if organization_id != organization.organization_id:
        raise AwsError("AccessDenied", OTHER_ORGANIZATION_MESSAGE, status=403)
    tree = organization_tree(call.db, organization_id)
    entity = _entity(organization, tree, rest.split("/"))
    if entity is None:
        return failed(PATH_CODE, PATH_MESSAGE)
    policy_id = parameters.get("OrganizationsPolicyId")
    accounts: Sequence[str]
    if call.account_id in entity.targets:
        services, accounts = sorted(service_prefixes()), [call.account_id]
    elif policy_id is None:
        services, accounts = services_of_levels(_levels(call, organization_id, entity.targets)), entity.accounts
    else:
        policy = organization_policies.policy(call.db, organization_id, policy_id)
        if policy is None or policy.policy_type != "SERVICE_CONTROL_POLICY":
            return failed(POLICY_CODE, POLICY_MESSAGE)
        services = Grants([kept_document(policy.document, PolicyKind.SCP)]).services()
        targets = organization_policies.targets_of(call.db, organization_id, policy)
        accounts = _accounts_with(tree, entity, frozenset(targets))
    return or_failed(lambda: _report(call, organization_id, tree, services, accounts))


def _entity(organization: OrganizationRecord, tree: OrganizationTree, parts: Sequence[str]) -> _Entity | None:
    """The entity of a path after the organization's id; None when there is no such entity."""
    root, *rest = parts
    if root != root_of(organization.organization_id):
        return None
    account_id = rest.pop() if rest and rest[-1] in tree.unit_of else None
    unit_id = rest[-1] if rest else None
    # The whole path counts, not its end alone.
    if rest != tree.levels_above(unit_id) or (unit_id is not None and unit_id not in tree.units):
        return None
    targets = [ROOT_TARGET, *rest]
    if account_id is not None:
        found = _Entity([*targets, account_id], [account_id], frozenset({account_id}))
        return found if tree.unit_of[account_id] == unit_id else None
    # Control policies do not restrict the management account.
    accounts = [each for each in tree.accounts_below(unit_id) if each != organization.management_account_id]
    units = [each for each in tree.units if unit_id is None or unit_id in tree.levels_above(each)]
    return _Entity(targets, accounts, frozenset({targets[-1], *units, *accounts}))


def _levels(call: Call, organization_id: str, targets: Sequence[str]) -> list[list[Policy]]:
    levels = service_control_levels(call.db, call.account_id, organization_id, targets)
    return [
        [kept_document(EVERYTHING if each.text is None else each.text, PolicyKind.SCP) for each in level]
        for level in levels
    ]


def _accounts_with(tree: OrganizationTree, entity: _Entity, targets: frozenset[str]) -> list[str]:
    """The entity's accounts below a target of the policy that is the entity itself or below it."""
    counted = targets & entity.below
    found = []
    for account_id in entity.accounts:
        above = {ROOT_TARGET, *tree.levels_above(tree.unit_of[account_id]), account_id}
        if above & counted:
            found.append(account_id)
    return found


def _report(
    call: Call, organization_id: str, tree: OrganizationTree, services: Iterable[str], accounts: Sequence[str]
) -> Json:
    """Raises LogUnavailableError."""
    root = root_of(organization_id)
    paths = {each: "/".join([organization_id, root, *tree.levels_above(tree.unit_of[each]), each]) for each in accounts}
    newest: dict[str, tuple[str, str, int]] = {}
    counted: dict[str, set[str]] = {}
    for access in accesses_of(call, accounts) if accounts else ():
        prefix = action_used(access).partition(":")[0]
        newest[prefix] = (paths[access.account_id], access.region, int(access.at_seconds))
        counted.setdefault(prefix, set()).add(access.account_id)
    return {"services": [[each, newest.get(each), len(counted.get(each, ()))] for each in services]}


@operation("iam", _GENERATE, permissions=_permissions, prepare=_prepared)
def generate_organizations_access_report(
    call: Call, *, EntityPath: str, OrganizationsPolicyId: str | None = None
) -> Answer:
    """Start a report about the root, a unit or an account. A path or policy that does not exist makes the job fail.

    API reference: GenerateOrganizationsAccessReport. Raises AwsError AccessDenied.
    """
    del EntityPath, OrganizationsPolicyId  # used before the transaction
    return start_job(call)


_BY_NAMESPACE = "SERVICE_NAMESPACE_ASCENDING"


@operation("iam", "GetOrganizationsAccessReport")
def get_organizations_access_report(
    call: Call,
    *,
    JobId: str,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
    Marker: str | None = None,
    SortKey: str = _BY_NAMESPACE,
) -> Answer:
    """The services of a report. Raises AwsError: AccessDenied, NoSuchEntity, ValidationError (marker)."""
    _managed(call)
    job, report = finished(call, JobId, _GENERATE)
    answer = shown_job(job, report)
    if report["status"] != COMPLETED:
        return {**answer, "IsTruncated": False, "ErrorDetails": report["error"]}
    services = sorted(report["services"], key=_time if "_TIME_" in SortKey else _namespace)
    if SortKey.endswith("_DESCENDING"):
        services.reverse()
    numbered = list(enumerate(services))
    shown, rest = page(call, (JobId, SortKey), numbered, lambda each: f"{each[0]:05d}", Marker, MaxItems)
    return {
        **answer,
        "NumberOfServicesAccessible": len(services),
        "NumberOfServicesNotAccessed": sum(not accounts for _, _, accounts in services),
        "AccessDetails": [_shown(*service) for _, service in shown],
        **rest,
    }


def _namespace(service: Sequence[object]) -> str:
    return str(service[0])


def _time(service: Sequence[object]) -> tuple[int, str]:
    newest = service[1]
    return (newest[2] if isinstance(newest, list) else 0), str(service[0])


def _shown(prefix: str, newest: Sequence[object] | None, accounts: int) -> Mapping[str, object]:
    shown: Answer = {
        "ServiceName": service_name(prefix),
        "ServiceNamespace": prefix,
        "TotalAuthenticatedEntities": accounts,
    }
    if newest is not None:
        shown["EntityPath"], shown["Region"], shown["LastAuthenticatedTime"] = newest
    return shown
