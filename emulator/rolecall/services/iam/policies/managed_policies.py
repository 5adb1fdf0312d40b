"""Managed policies by ARN, the customer's and AWS's, as every operation on them needs them."""

from __future__ import annotations

from urllib.parse import quote

from rolecall.arns import Arn, parse_arn
from rolecall.caches import KEPT_POLICY_CHARACTERS, BoundedCache
from rolecall.data import ManagedPolicy, managed_policy
from rolecall.errors import AwsError
from rolecall.policy import PolicyKind, document_size
from rolecall.services.iam.policies.documents import checked_document
from rolecall.services.registry import Answer, Call, Parameters
from rolecall.storage.policies import PolicyRecord, attachment_counts, boundary_counts, policy_by_arn

AWS_ACCOUNT = "aws"
_ENCODED_LIMIT = 1024
# The longest document has about 10,000 characters, but most have some hundred.
_encoded: BoundedCache[str, str] = BoundedCache(_ENCODED_LIMIT, KEPT_POLICY_CHARACTERS)

INVALID_ARN_MESSAGE = "ARN {arn} is not valid."
NOT_FOUND_MESSAGE = "Policy {arn} was not found."
NOT_ATTACHABLE_MESSAGE = "Policy {arn} does not exist or is not attachable."
SIZE_MESSAGE = "Cannot exceed quota for PolicySize: {limit}"
SCOPE_NOT_FOUND_MESSAGE = "Scope ARN: {arn} does not exist or is not attachable."
# AWS's wording for an AWS policy that may not become a boundary was not recorded.
BOUNDARY_NOT_ATTACHABLE_MESSAGE = "Policy {arn} cannot be used as a permissions boundary."


def parsed_policy_arn(arn: str) -> Arn:
    """The parts of a managed policy's ARN. Raises AwsError ValidationError."""
    parsed = _parsed(arn)
    if parsed is None:
        raise AwsError("ValidationError", INVALID_ARN_MESSAGE.format(arn=arn))
    return parsed


def _parsed(arn: str) -> Arn | None:
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != "iam" or parsed.region or parsed.resource_type != "policy":
        return None
    return parsed


def check_policy_arn(_call: Call, parameters: Parameters) -> None:
    """What AWS refuses before it evaluates any policy: a PolicyArn that is not valid."""
    parsed_policy_arn(parameters["PolicyArn"])


def existing_policy(call: Call, arn: str, absent_message: str = NOT_FOUND_MESSAGE) -> PolicyRecord | ManagedPolicy:
    """A policy of the caller's account or of AWS. Raises AwsError NoSuchEntity, in the words of the operation."""
    policy = _existing(call, arn)
    if policy is None:
        raise AwsError("NoSuchEntity", absent_message.format(arn=arn))
    return policy


def own_policy(call: Call, arn: str, outside_message: str, absent_message: str = NOT_FOUND_MESSAGE) -> PolicyRecord:
    """A policy that the caller's account may change.

    Raises AwsError: AccessDenied with ``outside_message`` for a policy of AWS, NoSuchEntity.
    """
    if parsed_policy_arn(arn).account_id != call.account_id:
        raise AwsError("AccessDenied", outside_message)
    policy = policy_by_arn(call.db, arn, for_update=True)
    if policy is None:
        raise AwsError("NoSuchEntity", absent_message.format(arn=arn))
    return policy


def _existing(call: Call, arn: str) -> PolicyRecord | ManagedPolicy | None:
    parsed = _parsed(arn)
    if parsed is None:
        return None
    if parsed.account_id == AWS_ACCOUNT:
        return managed_policy(arn)
    return policy_by_arn(call.db, arn) if parsed.account_id == call.account_id else None


def check_boundary(call: Call, arn: str) -> None:
    """Raise AwsError when the policy of an ARN may not be a boundary or does not exist.

    The code is InvalidInput, NoSuchEntity or PolicyNotAttachable.
    """
    if _parsed(arn) is None:
        raise AwsError("InvalidInput", INVALID_ARN_MESSAGE.format(arn=arn))
    policy = _existing(call, arn)
    if policy is None:
        raise AwsError("NoSuchEntity", SCOPE_NOT_FOUND_MESSAGE.format(arn=arn))
    if isinstance(policy, ManagedPolicy) and not policy.is_attachable:
        raise AwsError("PolicyNotAttachable", BOUNDARY_NOT_ATTACHABLE_MESSAGE.format(arn=arn))


def shown_boundary(arn: str | None) -> Answer:
    """The member about the boundary of a user or role that has one."""
    if arn is None:
        return {}
    # AWS answers "Policy", although the model documents another value.
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}


def check_document(call: Call, text: str, name: str) -> None:
    """Raise AwsError for a text that is not a valid managed policy: MalformedPolicyDocument, LimitExceeded."""
    checked_document(call, text, PolicyKind.IDENTITY, f"policy {name}")
    limit = call.settings.quotas.managed_policy_characters
    if document_size(text) > limit:
        raise AwsError("LimitExceeded", SIZE_MESSAGE.format(limit=limit))


def encoded_document(text: str) -> str:
    """A document as IAM's answers hold it: percent-encoded (RFC 3986)."""
    encoded = _encoded.get(text)
    if encoded is None:
        encoded = quote(text, safe="")
        _encoded.put(text, encoded)
    return encoded


def shown_policy(policy: PolicyRecord | ManagedPolicy, attachments: int, boundaries: int) -> Answer:
    """A policy as lists show it: without description and tags."""
    shown: Answer = {
        "PolicyName": policy.name,
        "PolicyId": policy.policy_id,
        "Arn": policy.arn,
        "Path": policy.path,
        "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": boundaries,
    }
    if isinstance(policy, ManagedPolicy):
        shown["DefaultVersionId"] = policy.default_version_id
        shown["IsAttachable"] = policy.is_attachable
        shown["CreateDate"], shown["UpdateDate"] = policy.create_date_seconds, policy.update_date_seconds
    else:
        shown["DefaultVersionId"] = f"v{policy.default_version}"
        shown["IsAttachable"] = True
        shown["CreateDate"], shown["UpdateDate"] = policy.created_at_seconds, policy.updated_at_seconds
    return shown


def usage_of(call: Call, arn: str) -> tuple[int, int]:
    """How many entities of the caller's account have a policy attached, and how many have it as boundary."""
    attachments = attachment_counts(call.db, call.account_id, arn)
    boundaries = boundary_counts(call.db, call.account_id, arn)
    return attachments.get(arn, 0), boundaries.get(arn, 0)
