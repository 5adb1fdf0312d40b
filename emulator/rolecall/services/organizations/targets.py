"""What a policy can be attached to: the root, a unit or an account."""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.organizations.common import Organization
from rolecall.services.registry import Answer, Call
from rolecall.storage.gather import ROOT_TARGET
from rolecall.storage.organization_accounts import member_account, unit

# Not recorded from AWS: worded after what public issues quote.
NO_TARGET_MESSAGE = "You specified a target that doesn't exist."


def no_target() -> AwsError:
    return AwsError("TargetNotFoundException", NO_TARGET_MESSAGE)


def target_of(call: Call, organization: Organization, target_id: str) -> str:
    """The stored form of a target's id. Raises AwsError TargetNotFoundException."""
    if target_id == organization.root_id:
        return ROOT_TARGET
    organization_id = organization.organization_id
    if target_id.isdecimal():
        known = member_account(call.db, organization_id, target_id) is not None
    else:
        known = unit(call.db, organization_id, target_id) is not None
    if not known:
        raise no_target()
    return target_id


def shown_target(call: Call, organization: Organization, target: str) -> Answer:
    """A target in the form of ListTargetsForPolicy."""
    organization_id, root_id = organization.organization_id, organization.root_id
    if target == ROOT_TARGET:
        arn = organization.arn(f"root/{organization_id}/{root_id}")
        return {"TargetId": root_id, "Arn": arn, "Name": "Root", "Type": "ROOT"}
    if target.isdecimal():
        account = member_account(call.db, organization_id, target)
        name = "" if account is None else account.name
        return {"TargetId": target, "Arn": organization.account_arn(target), "Name": name, "Type": "ACCOUNT"}
    found = unit(call.db, organization_id, target)
    arn = organization.arn(f"ou/{organization_id}/{target}")
    return {"TargetId": target, "Arn": arn, "Name": found.name if found else "", "Type": "ORGANIZATIONAL_UNIT"}
