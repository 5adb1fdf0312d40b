"""Versions of managed policies. For AWS's own policies only the default version is known."""

from __future__ import annotations

import re

from rolecall.data import ManagedPolicy, managed_policy_document
from rolecall.errors import AwsError
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.iam.policies.managed_policies import (
    check_document,
    check_policy_arn,
    encoded_document,
    existing_policy,
    own_policy,
)
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.policies import (
    PolicyRecord,
    PolicyVersionRecord,
    add_version,
    policy_version,
    policy_versions,
    remove_version,
    set_default_version,
)

UPDATE_OUTSIDE_MESSAGE = "Cannot update policies outside your own account."
DELETE_OUTSIDE_MESSAGE = "Cannot delete policy versions for policies outside your own account."
NO_VERSION_MESSAGE = "Policy {arn} version {version} does not exist or is not attachable."
DELETE_DEFAULT_MESSAGE = "Cannot delete the default version of a policy."
COUNT_MESSAGE = (
    "A managed policy can have up to {limit} versions. Before you create a new version, you must delete an existing "
    "version."
)

# No policy ever reaches a version number with more digits.
_VERSION_ID = re.compile(r"v([1-9][0-9]{0,8})")


@operation("iam", "CreatePolicyVersion", precheck=check_policy_arn)
def create_policy_version(call: Call, *, PolicyArn: str, PolicyDocument: str, SetAsDefault: bool = False) -> Answer:
    """A new version. It is in force only when it is made the default. API reference: CreatePolicyVersion.

    Raises AwsError: ValidationError, AccessDenied (a policy of AWS), NoSuchEntity, MalformedPolicyDocument,
    LimitExceeded.
    """
    policy = own_policy(call, PolicyArn, UPDATE_OUTSIDE_MESSAGE)
    check_document(call, PolicyDocument, policy.name)
    limit = call.settings.quotas.versions_per_managed_policy_count
    if len(policy_versions(call.db, policy.policy_id)) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    version = add_version(call.db, policy, PolicyDocument, as_default=SetAsDefault, now_seconds=int(call.now_seconds))
    return {"PolicyVersion": shown_version(version, is_default=SetAsDefault)}


@operation("iam", "GetPolicyVersion", precheck=check_policy_arn)
def get_policy_version(call: Call, *, PolicyArn: str, VersionId: str) -> Answer:
    """One version with its document. Raises AwsError: ValidationError, NoSuchEntity."""
    policy = existing_policy(call, PolicyArn, _absent(VersionId))
    if isinstance(policy, ManagedPolicy):
        if policy.default_version_id != VersionId:
            raise _no_version(PolicyArn, VersionId)
        shown, document = shown_version_of_aws(policy), managed_policy_document(policy.arn)
    else:
        version = _version(call, policy, VersionId)
        shown, document = shown_version(version, is_default=version.version == policy.default_version), version.document
    return {"PolicyVersion": {"Document": encoded_document(document), **shown}}


@operation("iam", "ListPolicyVersions", precheck=check_policy_arn)
def list_policy_versions(
    call: Call, *, PolicyArn: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """The versions, newest first, without documents. Raises AwsError: ValidationError, NoSuchEntity."""
    policy = existing_policy(call, PolicyArn)
    if isinstance(policy, ManagedPolicy):
        return {"Versions": [shown_version_of_aws(policy)], "IsTruncated": False}
    versions = policy_versions(call.db, policy.policy_id)
    shown, rest = page(call, (PolicyArn,), versions, _position, Marker, MaxItems)
    default = policy.default_version
    return {"Versions": [shown_version(one, is_default=one.version == default) for one in shown], **rest}


@operation("iam", "SetDefaultPolicyVersion", precheck=check_policy_arn)
def set_default_policy_version(call: Call, *, PolicyArn: str, VersionId: str) -> None:
    """Put a version in force for every entity that has the policy.

    Raises AwsError: ValidationError, AccessDenied (a policy of AWS), NoSuchEntity.
    """
    policy = own_policy(call, PolicyArn, UPDATE_OUTSIDE_MESSAGE, _absent(VersionId))
    version = _version(call, policy, VersionId)
    set_default_version(call.db, policy.policy_id, version.version, int(call.now_seconds))


@operation("iam", "DeletePolicyVersion", precheck=check_policy_arn)
def delete_policy_version(call: Call, *, PolicyArn: str, VersionId: str) -> None:
    """Delete a version that is not the default one.

    Raises AwsError: ValidationError, AccessDenied (a policy of AWS), NoSuchEntity, DeleteConflict.
    """
    policy = own_policy(call, PolicyArn, DELETE_OUTSIDE_MESSAGE, _absent(VersionId))
    version = _version(call, policy, VersionId)
    if version.version == policy.default_version:
        raise AwsError("DeleteConflict", DELETE_DEFAULT_MESSAGE)
    remove_version(call.db, policy.policy_id, version.version)


def _version(call: Call, policy: PolicyRecord, version_id: str) -> PolicyVersionRecord:
    match = _VERSION_ID.fullmatch(version_id)
    version = None if match is None else policy_version(call.db, policy.policy_id, int(match[1]))
    if version is None:
        raise _no_version(policy.arn, version_id)
    return version


def _absent(version_id: str) -> str:
    """The message of operations on a policy version, when the policy does not exist."""
    return NO_VERSION_MESSAGE.replace("{version}", version_id)


def _no_version(arn: str, version_id: str) -> AwsError:
    return AwsError("NoSuchEntity", NO_VERSION_MESSAGE.format(arn=arn, version=version_id))


def _position(version: PolicyVersionRecord) -> str:
    """Makes ascending order show the highest number first, because newer versions come first."""
    return f"{999_999_999 - version.version:09d}"


def shown_version(version: PolicyVersionRecord, *, is_default: bool) -> Answer:
    return {
        "VersionId": f"v{version.version}",
        "IsDefaultVersion": is_default,
        "CreateDate": version.created_at_seconds,
    }


def shown_version_of_aws(policy: ManagedPolicy) -> Answer:
    return {
        "VersionId": policy.default_version_id,
        "IsDefaultVersion": True,
        "CreateDate": policy.update_date_seconds,
    }
