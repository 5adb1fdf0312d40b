"""The tree of an organization: its root, its units, and the accounts in them.

API reference: ListRoots, ListParents, ListChildren, ListAccountsForParent, the operations on organizational units, and
MoveAccount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from rolecall.errors import AwsError
from rolecall.services.members import Tag
from rolecall.services.organizations.accounts import existing_account, shown_account
from rolecall.services.organizations.common import (
    Level,
    Organization,
    checked_tags,
    modelled,
    operation,
    page,
    violates,
)
from rolecall.services.registry import Answer, Call
from rolecall.storage.organization_access import put_tags
from rolecall.storage.organization_accounts import (
    Unit,
    accounts_below,
    add_unit,
    member_account,
    path_of,
    place_account,
    remove_unit,
    rename_unit,
    unit,
    units_of,
)
from rolecall.storage.organization_policies import attach_full_access, enabled_types

ROOT_NAME = "Root"
UNIT_ID_CHARACTERS = 8
# User Guide, Quotas: "OU maximum nesting in a root: 5 levels of OUs deep under a root".
MAXIMUM_DEPTH = 5
_ROOT_AND_ORGANIZATION = 2
# Not recorded from AWS. The first two are worded after what public issues quote.
NO_UNIT_MESSAGE = "You specified an organizational unit that doesn't exist."
NO_PARENT_MESSAGE = "You specified parent that doesn't exist."
NO_CHILD_MESSAGE = "You specified a child that doesn't exist."
DUPLICATE_UNIT_MESSAGE = "An OU with the same name already exists."
UNIT_NOT_EMPTY_MESSAGE = (
    "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try "
    "the operation again."
)
DEPTH_MESSAGE = "You attempted to create an OU tree that is too many levels deep."
COUNT_MESSAGE = "You attempted to exceed the number of OUs that you can have in an organization."
NO_SOURCE_MESSAGE = "You specified a source parent that doesn't exist."
NO_DESTINATION_MESSAGE = "You specified a destination parent that doesn't exist."
ALREADY_THERE_MESSAGE = "That account is already present in the specified destination."


def shown_root(call: Call, organization: Organization, member: str) -> Answer:
    types = [
        {"Type": each, "Status": "ENABLED"} for each in sorted(enabled_types(call.db, organization.organization_id))
    ]
    content = {
        "Id": organization.root_id,
        "Arn": organization.arn(f"root/{organization.organization_id}/{organization.root_id}"),
        "Name": ROOT_NAME,
        "PolicyTypes": types,
    }
    return modelled(call, member, content)


def existing_unit(call: Call, organization: Organization, ou_id: str) -> Unit:
    """Raises AwsError OrganizationalUnitNotFoundException."""
    found = unit(call.db, organization.organization_id, ou_id)
    if found is None:
        raise AwsError("OrganizationalUnitNotFoundException", NO_UNIT_MESSAGE)
    return found


def _shown_unit(call: Call, organization: Organization, units: Mapping[str, Unit], found: Unit, member: str) -> Answer:
    path = path_of(organization.organization_id, units, found.ou_id)
    content = {
        "Id": found.ou_id,
        "Arn": organization.arn(f"ou/{organization.organization_id}/{found.ou_id}"),
        "Name": found.name,
        "Path": "".join(f"{each}/" for each in path),
    }
    return modelled(call, member, content)


def _parent(
    call: Call,
    organization: Organization,
    parent_id: str,
    code: str = "ParentNotFoundException",
    message: str = NO_PARENT_MESSAGE,
) -> str | None:
    """The unit that an id names, None for the root. Raises AwsError with ``code``."""
    if parent_id == organization.root_id:
        return None
    found = unit(call.db, organization.organization_id, parent_id)
    if found is None:
        raise AwsError(code, message)
    return found.ou_id


def _units_below(units: Mapping[str, Unit], ou_id: str | None) -> list[Unit]:
    return [each for each in units.values() if each.parent_id == ou_id]


@operation("ListRoots", Level.DELEGATED)
def list_roots(
    call: Call, organization: Organization, *, NextToken: str | None = None, MaxResults: int | None = None
) -> Answer:
    return page(
        call,
        "Roots",
        [organization.root_id],
        lambda _: shown_root(call, organization, "Roots"),
        str,
        NextToken=NextToken,
        MaxResults=MaxResults,
    )


@operation("ListParents", Level.DELEGATED)
def list_parents(
    call: Call,
    organization: Organization,
    *,
    ChildId: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """The only parent of a unit or an account. Raises AwsError ChildNotFoundException."""
    if ChildId.isdecimal():
        account = member_account(call.db, organization.organization_id, ChildId)
        parent, known = (None, False) if account is None else (account.ou_id, True)
    else:
        found = unit(call.db, organization.organization_id, ChildId)
        parent, known = (None, False) if found is None else (found.parent_id, True)
    if not known:
        raise AwsError("ChildNotFoundException", NO_CHILD_MESSAGE)
    shown = {"Id": parent or organization.root_id, "Type": "ORGANIZATIONAL_UNIT" if parent else "ROOT"}
    return page(
        call,
        "Parents",
        [shown],
        lambda each: each,
        lambda each: each["Id"],
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[ChildId],
    )


@operation("ListChildren", Level.DELEGATED)
def list_children(
    call: Call,
    organization: Organization,
    *,
    ParentId: str,
    ChildType: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """The units, or the accounts, directly below. Raises AwsError ParentNotFoundException."""
    parent = _parent(call, organization, ParentId)
    if ChildType == "ACCOUNT":
        ids = [each.account_id for each in accounts_below(call.db, organization.organization_id, parent)]
    else:
        ids = [each.ou_id for each in _units_below(units_of(call.db, organization.organization_id), parent)]
    return page(
        call,
        "Children",
        ids,
        lambda each: {"Id": each, "Type": ChildType},
        str,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[ParentId, ChildType],
    )


@operation("ListAccountsForParent", Level.DELEGATED)
def list_accounts_for_parent(
    call: Call,
    organization: Organization,
    *,
    ParentId: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """The accounts directly below. Raises AwsError ParentNotFoundException."""
    parent = _parent(call, organization, ParentId)
    units = units_of(call.db, organization.organization_id)
    return page(
        call,
        "Accounts",
        accounts_below(call.db, organization.organization_id, parent),
        lambda each: shown_account(call, organization, units, each, "Accounts"),
        lambda each: each.account_id,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[ParentId],
    )


@operation("ListOrganizationalUnitsForParent", Level.DELEGATED)
def list_units_for_parent(
    call: Call,
    organization: Organization,
    *,
    ParentId: str,
    NextToken: str | None = None,
    MaxResults: int | None = None,
) -> Answer:
    """The units directly below. Raises AwsError ParentNotFoundException."""
    parent = _parent(call, organization, ParentId)
    units = units_of(call.db, organization.organization_id)
    return page(
        call,
        "OrganizationalUnits",
        _units_below(units, parent),
        lambda each: _shown_unit(call, organization, units, each, "OrganizationalUnits"),
        lambda each: each.ou_id,
        NextToken=NextToken,
        MaxResults=MaxResults,
        filters=[ParentId],
    )


@operation("DescribeOrganizationalUnit", Level.DELEGATED)
def describe_unit(call: Call, organization: Organization, *, OrganizationalUnitId: str) -> Answer:
    """Raises AwsError OrganizationalUnitNotFoundException."""
    found = existing_unit(call, organization, OrganizationalUnitId)
    units = units_of(call.db, organization.organization_id)
    return {"OrganizationalUnit": _shown_unit(call, organization, units, found, "OrganizationalUnit")}


@operation("CreateOrganizationalUnit", Level.MANAGEMENT)
def create_unit(
    call: Call, organization: Organization, *, ParentId: str, Name: str, Tags: Sequence[Tag] = ()
) -> Answer:
    """A new unit, with full access attached as AWS does it.

    Raises AwsError: ParentNotFoundException, DuplicateOrganizationalUnitException, ConstraintViolationException,
    InvalidInputException.
    """
    given = checked_tags(Tags)
    organization_id = organization.organization_id
    parent = _parent(call, organization, ParentId)
    units = units_of(call.db, organization_id)
    _check_name(units.values(), parent, Name)
    if len(path_of(organization_id, units, parent)) - _ROOT_AND_ORGANIZATION >= MAXIMUM_DEPTH:
        raise violates("OU_DEPTH_LIMIT_EXCEEDED", DEPTH_MESSAGE)
    if len(units) >= call.settings.quotas.organizational_units_count:
        raise violates("OU_NUMBER_LIMIT_EXCEEDED", COUNT_MESSAGE)
    root = organization.root_id.removeprefix("r-")
    new = Unit(f"ou-{root}-{call.ids.lower_id(UNIT_ID_CHARACTERS)}", Name, parent)
    add_unit(call.db, organization_id, new)
    attach_full_access(call.db, organization_id, new.ou_id)
    put_tags(call.db, organization_id, new.ou_id, given)
    shown = _shown_unit(call, organization, {**units, new.ou_id: new}, new, "OrganizationalUnit")
    return {"OrganizationalUnit": shown}


def _check_name(units: Iterable[Unit], parent: str | None, name: str, own_id: str = "") -> None:
    """Raises AwsError DuplicateOrganizationalUnitException when the parent has another unit of that name."""
    for each in units:
        if each.parent_id == parent and each.name == name and each.ou_id != own_id:
            raise AwsError("DuplicateOrganizationalUnitException", DUPLICATE_UNIT_MESSAGE)


@operation("UpdateOrganizationalUnit", Level.MANAGEMENT)
def update_unit(
    call: Call, organization: Organization, *, OrganizationalUnitId: str, Name: str | None = None
) -> Answer:
    """Another name. Raises AwsError: OrganizationalUnitNotFoundException, DuplicateOrganizationalUnitException."""
    found = existing_unit(call, organization, OrganizationalUnitId)
    units = units_of(call.db, organization.organization_id)
    if Name is not None:
        _check_name(units.values(), found.parent_id, Name, found.ou_id)
        rename_unit(call.db, found.ou_id, Name)
        found = replace(found, name=Name)
    return {"OrganizationalUnit": _shown_unit(call, organization, units, found, "OrganizationalUnit")}


@operation("DeleteOrganizationalUnit", Level.MANAGEMENT)
def delete_unit(call: Call, organization: Organization, *, OrganizationalUnitId: str) -> None:
    """Raises AwsError: OrganizationalUnitNotFoundException, OrganizationalUnitNotEmptyException."""
    found = existing_unit(call, organization, OrganizationalUnitId)
    accounts = accounts_below(call.db, organization.organization_id, found.ou_id)
    if accounts or _units_below(units_of(call.db, organization.organization_id), found.ou_id):
        raise AwsError("OrganizationalUnitNotEmptyException", UNIT_NOT_EMPTY_MESSAGE)
    remove_unit(call.db, organization.organization_id, found.ou_id)


@operation("MoveAccount", Level.MANAGEMENT)
def move_account(
    call: Call, organization: Organization, *, AccountId: str, SourceParentId: str, DestinationParentId: str
) -> None:
    """The control policies of the new place hold with the next call.

    Raises AwsError: AccountNotFoundException, SourceParentNotFoundException (also for a parent that is not the
    account's), DestinationParentNotFoundException, DuplicateAccountException.
    """
    account = existing_account(call, organization, AccountId)
    source = _parent(call, organization, SourceParentId, "SourceParentNotFoundException", NO_SOURCE_MESSAGE)
    destination = _parent(
        call, organization, DestinationParentId, "DestinationParentNotFoundException", NO_DESTINATION_MESSAGE
    )
    if account.ou_id == destination:
        raise AwsError("DuplicateAccountException", ALREADY_THERE_MESSAGE)
    if account.ou_id != source:
        raise AwsError("SourceParentNotFoundException", NO_SOURCE_MESSAGE)
    place_account(call.db, account.account_id, destination)
