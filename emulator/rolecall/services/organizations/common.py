"""What every operation of Organizations needs: who may call it, its pages, and the form of its answers.

Who may call an operation stands in its API reference: any account of the organization, its management account alone, or
also a delegated administrator. A member account that is registered for an AWS service may read. Everything else a
member account may do is what the organization's resource policy allows (User Guide, Delegated administrator for AWS
Organizations).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from msgspec import Struct

from rolecall.errors import AwsError
from rolecall.services.members import Tag
from rolecall.services.organizations.permissions import READING, delegable_permissions, organization_permissions
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call
from rolecall.services.registry import operation as registered_operation
from rolecall.storage.gather import root_of
from rolecall.storage.organization_access import delegations, resource_policy
from rolecall.storage.organizations import organization_around

# Recorded from AWS, in many public issues.
NOT_IN_USE_MESSAGE = "Your account is not a member of an organization."
NO_ACCESS_MESSAGE = "You don't have permissions to access this resource."
# API reference, InvalidInputException.
BAD_TOKEN_MESSAGE = "Get the value for the NextToken parameter from the response to a previous call of the operation."  # noqa: S105
DEFAULT_PAGE_ITEMS = 20
_ORGANIZATION = "organization"

Item = TypeVar("Item")


class Level(Enum):
    """Who may call an operation."""

    ANY_MEMBER = "any account of the organization"
    DELEGATED = "the management account or a delegated administrator"
    MANAGEMENT = "the management account"


class Organization(Struct, frozen=True):
    """The organization of the caller."""

    organization_id: str
    management_account_id: str

    @property
    def root_id(self) -> str:
        return root_of(self.organization_id)

    def arn(self, resource: str) -> str:
        """The ARN of a resource, such as ``account/o-example1234/111122223333``."""
        return f"arn:aws:organizations::{self.management_account_id}:{resource}"

    def account_arn(self, account_id: str) -> str:
        return self.arn(f"account/{self.organization_id}/{account_id}")


Function = Callable[..., Answer | None]


def operation(name: str, level: Level, *, writes: bool | None = None) -> Callable[[Function], Function]:
    """Register a function as an operation. It gets the call and the caller's :class:`Organization`.

    The operation raises AwsError AWSOrganizationsNotInUseException or AccessDeniedException for an account that may not
    call it.
    """

    def register(function: Function) -> Function:
        @functools.wraps(function)
        def checked(call: Call, **parameters: Any) -> Answer | None:
            return function(call, _organization(call, level), **parameters)

        signature = inspect.signature(function)
        others = [each for each in signature.parameters.values() if each.name != _ORGANIZATION]
        checked.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        permissions = delegable_permissions if level is Level.DELEGATED else organization_permissions
        registered_operation("organizations", name, permissions=permissions, writes=writes)(checked)
        return function

    return register


def _organization(call: Call, level: Level) -> Organization:
    """The caller's organization. Raises AwsError as :func:`operation` says."""
    found = organization_around(call.db, call.account_id)
    if found is None or found.management_account_id is None:
        raise AwsError("AWSOrganizationsNotInUseException", NOT_IN_USE_MESSAGE)
    may_call = level is Level.ANY_MEMBER or call.account_id == found.management_account_id
    if not may_call and level is Level.DELEGATED:
        may_call = _is_delegated(call, found.organization_id)
    if not may_call:
        raise AwsError("AccessDeniedException", NO_ACCESS_MESSAGE, reason=f"only {level.value} may call it")
    return Organization(found.organization_id, found.management_account_id)


def _is_delegated(call: Call, organization_id: str) -> bool:
    if call.operation.startswith(READING) and call.account_id in delegations(call.db, organization_id, 0):
        return True
    # With a resource policy the permissions of the call asked it, see organization_permissions.
    return resource_policy(call.db, organization_id) is not None


def manages(call: Call, organization: Organization) -> bool:
    """Whether the caller's account is the management account, or registered as a delegated administrator."""
    if call.account_id == organization.management_account_id:
        return True
    return call.account_id in delegations(call.db, organization.organization_id, 0)


def invalid_input(reason: str, message: str) -> AwsError:
    return AwsError("InvalidInputException", message, members={"Reason": reason})


def violates(reason: str, message: str) -> AwsError:
    return AwsError("ConstraintViolationException", message, members={"Reason": reason})


def page(
    call: Call,
    member: str,
    found: Sequence[Item],
    shown: Callable[[Item], Any],
    position: Callable[[Item], str],
    *,
    NextToken: str | None,
    MaxResults: int | None = None,
    filters: Sequence[str | None] = (),
) -> Answer:
    """One page of a list. ``found`` is everything, sorted by ``position``.

    Raises AwsError InvalidInputException for a token of another list.
    """
    after = _after(call, filters, NextToken)
    left = [each for each in found if position(each) > after]
    items, rest = one_page(call, filters, left, MaxResults or DEFAULT_PAGE_ITEMS, lambda each: (position(each),))
    return {member: [shown(each) for each in items], **rest}


def _after(call: Call, filters: Sequence[str | None], token: str | None) -> str:
    if token is None:
        return ""
    try:
        [after] = position_of(call, filters, token)
    except AwsError as error:
        raise invalid_input("INVALID_PAGINATION_TOKEN", BAD_TOKEN_MESSAGE) from error
    return str(after)


def modelled(call: Call, member: str, content: Mapping[str, Any]) -> Answer:
    """The members of a structure that the model has. An older model lacks some, such as State of an account."""
    return {name: value for name, value in content.items() if (member, name) in call.model.output_paths}


def checked_tags(given: Iterable[Tag]) -> dict[str, str]:
    """The tags of a request. Raises AwsError InvalidInputException for a repeated or a reserved key."""
    tags: dict[str, str] = {}
    for tag in given:
        check_tag_key(tag["Key"])
        if tag["Key"] in tags:
            message = "Tag keys must be unique among the tags attached to the same entity."
            raise invalid_input("DUPLICATE_TAG_KEY", message)
        tags[tag["Key"]] = tag["Value"]
    return tags


def check_tag_key(key: str) -> None:
    if key.lower().startswith("aws:"):
        message = "You specified a tag key that is a system tag. You can't add, edit, or delete system tag keys."
        raise invalid_input("INVALID_SYSTEM_TAGS_PARAMETER", message)
