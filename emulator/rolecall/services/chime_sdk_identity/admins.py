"""Administrators of app instances: users and bots with a role (Amazon Chime SDK API reference)."""

from __future__ import annotations

from rolecall.contents.app_instances import new_admin
from rolecall.errors import AwsError, bad_request, limit_exceeded
from rolecall.services.app_instance_kinds import ADMIN_TYPE, APP_INSTANCE, BOT, PAGE_SIZE, SERVICE, USER
from rolecall.services.kinds import Ids, Kind, ResourceStore
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import delete, existing, keep
from rolecall.storage import resources
from rolecall.storage.resources import BEFORE_THE_FIRST, Position, Resource

# AWS General Reference, Amazon Chime SDK endpoints and quotas.
MAXIMUM_ADMINS = 100


class _Admins(ResourceStore):
    """The parent of an administrator is the user or the bot: with it the role goes, too.

    The ids are the ARNs of the app instance and of the administrator. The second begins with the first.
    """

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        instance_arn, admin_arn = ids
        if not admin_arn.startswith(f"{instance_arn}/"):
            return None
        found = resources.find(call.db, kind.place(call), admin_arn, locked=locked)
        return None if found is None or found.has_ended(call.now_seconds) else found

    def page(self, call: Call, kind: Kind, parent: Resource | None, after: Position, limit: int) -> list[Resource]:
        prefix = "" if parent is None else f"{parent.content['AppInstanceArn']}/"
        return resources.page(call.db, kind.place(call), after, limit, now_seconds=call.now_seconds, id_prefix=prefix)


ADMIN = Kind(SERVICE, ADMIN_TYPE, "AppInstanceAdminArn", _Admins(), APP_INSTANCE, PAGE_SIZE)

delete(ADMIN, "DeleteAppInstanceAdmin")


@operation(SERVICE, "CreateAppInstanceAdmin")
def create_admin(call: Call, *, AppInstanceArn: str, AppInstanceAdminArn: str) -> Answer:
    """Raises AwsError NotFoundException, ConflictException for an administrator, BadRequestException for another ARN.

    AWS's messages are not recorded.
    """
    instance = existing(call, APP_INSTANCE, AppInstanceArn, locked=True)
    member = _member(call, AppInstanceArn, AppInstanceAdminArn)
    if ADMIN.kept.find(call, ADMIN, (AppInstanceArn, AppInstanceAdminArn), locked=True) is not None:
        raise AwsError("ConflictException", f"{AppInstanceAdminArn} is an administrator already.")
    if len(ADMIN.kept.page(call, ADMIN, instance, BEFORE_THE_FIRST, MAXIMUM_ADMINS)) >= MAXIMUM_ADMINS:
        raise limit_exceeded(f"An app instance may have at most {MAXIMUM_ADMINS} administrators.")
    keep(call, ADMIN, AppInstanceAdminArn, new_admin(AppInstanceArn, call.now_seconds), parent=member)
    return {"AppInstanceAdmin": _identity(member, AppInstanceAdminArn), "AppInstanceArn": AppInstanceArn}


@operation(SERVICE, "DescribeAppInstanceAdmin")
def describe_admin(call: Call, *, AppInstanceArn: str, AppInstanceAdminArn: str) -> Answer:
    admin = existing(call, ADMIN, AppInstanceArn, AppInstanceAdminArn)
    member = _member(call, AppInstanceArn, AppInstanceAdminArn)
    return {"AppInstanceAdmin": {"Admin": _identity(member, AppInstanceAdminArn), **admin.content}}


@operation(SERVICE, "ListAppInstanceAdmins")
def list_admins(
    call: Call, *, AppInstanceArn: str, MaxResults: int = PAGE_SIZE, NextToken: str | None = None
) -> Answer:
    """Administrators with their present names, oldest first."""
    instance = existing(call, APP_INSTANCE, AppInstanceArn)
    scope = (call.region, AppInstanceArn)
    after = BEFORE_THE_FIRST if NextToken is None else position_of(call, scope, NextToken)
    found = ADMIN.kept.page(call, ADMIN, instance, after, MaxResults + 1)
    admins, rest = one_page(call, scope, found, MaxResults, lambda each: each.position)
    listed = [
        {"Admin": _identity(_member(call, AppInstanceArn, each.resource_id), each.resource_id)} for each in admins
    ]
    return {"AppInstanceArn": AppInstanceArn, "AppInstanceAdmins": listed, **rest}


def _member(call: Call, instance_arn: str, arn: str) -> Resource:
    """The user or the bot of the app instance. Raises AwsError NotFoundException, BadRequestException."""
    for kind in (USER, BOT):
        if kind.id_of(arn) and arn.startswith(f"{instance_arn}/"):
            return existing(call, kind, arn)
    raise bad_request("AppInstanceAdminArn must be the ARN of a user or a bot of the app instance.")


def _identity(member: Resource, arn: str) -> dict[str, str]:
    name = member.content.get("Name")
    return {"Arn": arn, **({} if name is None else {"Name": name})}
