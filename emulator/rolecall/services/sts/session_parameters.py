"""What the operations that issue credentials share: session policies, tags, token size, and the answer's members."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from rolecall.access.policies import MalformedPolicy, parsed_policy
from rolecall.access.regions import is_global_host
from rolecall.arns import missing_arn_parts, parse_arn
from rolecall.errors import AwsError
from rolecall.policy import Policy, PolicyKind
from rolecall.principals import Caller
from rolecall.services.registry import Answer, Call
from rolecall.sessions.credentials import (
    MAXIMUM_TOKEN_BYTES,
    SessionRequest,
    TemporaryCredentials,
    TokenTooLargeError,
    issue,
)
from rolecall.storage.account_preferences import DEFAULT_TOKEN_VERSION, global_endpoint_token_version

# The limit is in AssumeRole's documentation, not in its model: plain text of inline and managed policies together.
MAXIMUM_POLICY_CHARACTERS = 2048
# This limit is in the documentation alone, too.
MAXIMUM_POLICY_ARNS = 10
# For tokens and assertions. The IAM User Guide's message, with the length that the model has since November 2026.
SOURCE_IDENTITY_MESSAGE = 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,256} and not begin with "aws:"'
_SOURCE_IDENTITY = re.compile(r"(?!aws:)[a-zA-Z_0-9+=,.@-]{2,256}", re.IGNORECASE)
# How many callers of a role chain the log keeps. Real chains are short; a program in a loop could make a long one.
CHAIN_LIMIT = 10
# The API reference says that the message has both sizes. AWS's words were not recorded.
TOO_LARGE_MESSAGE = "The session token size is {size} bytes, which exceeds the maximum allowed size of {maximum} bytes."
# Not recorded from AWS.
UNKNOWN_POLICY_ARN_MESSAGE = (
    "At least one Policy ARN in the PolicyArns parameter does not match an existing IAM Managed Policy ARN."
)
# AWS's wording was not recorded. This is IAM's wording for a resource that is not an ARN.
INCOMPLETE_ARN_MESSAGE = 'Resource {resource} must be in ARN format or "*".'
DUPLICATE_TAGS_MESSAGE = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
# AWS's wording was not recorded. The rule: IAM User Guide, Rules for tagging in IAM and AWS STS.
RESERVED_TAG_PREFIX = "aws:"
RESERVED_TAG_MESSAGE = "Tag keys and values beginning with 'aws:' are reserved for system use."
TRANSITIVE_KEY_MESSAGE = "The specified transitive tag key must be included in the requested tags."


def session_policies(call: Call, account_id: str, policy: str | None, policy_arns: Sequence[str]) -> tuple[str, ...]:
    """The inline session policy as a tuple of none or one, after all of AWS's checks of both kinds.

    ``account_id`` is the account whose managed policies may be named. Raises AwsError: ValidationError for a policy
    that is too long, too many ARNs or an ARN without a policy, MalformedPolicyDocument.
    """
    if len(policy_arns) > MAXIMUM_POLICY_ARNS:
        raise _too_long(f"[{', '.join(policy_arns)}]", "policyArns", MAXIMUM_POLICY_ARNS)
    for arn in policy_arns:
        parsed = parse_arn(arn)
        if parsed is None:
            raise AwsError("ValidationError", f"{arn} is invalid")
        if parsed.account_id not in ("aws", account_id) or call.policies.managed_document(call.db, arn) is None:
            raise AwsError("ValidationError", UNKNOWN_POLICY_ARN_MESSAGE)
    if policy is None:
        return ()
    if len(policy) > MAXIMUM_POLICY_CHARACTERS:
        raise _too_long(policy, "policy", MAXIMUM_POLICY_CHARACTERS)
    try:
        _refuse_incomplete_arns(parsed_policy(policy, PolicyKind.SESSION))
    except MalformedPolicy as error:
        raise AwsError("MalformedPolicyDocument", error.message, reason=str(error)) from error
    return (policy,)


def _refuse_incomplete_arns(policy: Policy) -> None:
    """IAM User Guide, Amazon Resource Names: session policies "do not support incomplete ARNs"."""
    for statement in policy.statements:
        for resource in statement.resources or ():
            if missing_arn_parts(resource):
                message = INCOMPLETE_ARN_MESSAGE.format(resource=resource)
                raise MalformedPolicy(message, f"Statement[{statement.index}]")


def _too_long(value: str, member: str, limit: int) -> AwsError:
    return AwsError(
        "ValidationError",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {limit}",
    )


def session_tags(tags: Iterable[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Key and value pairs as passed.

    Raises AwsError InvalidParameterValue for keys that differ in case only and for reserved keys and values.
    """
    pairs = tuple((tag["Key"], tag["Value"]) for tag in tags)
    if any(text.lower().startswith(RESERVED_TAG_PREFIX) for pair in pairs for text in pair):
        raise AwsError("InvalidParameterValue", RESERVED_TAG_MESSAGE)
    if len({key.lower() for key, _ in pairs}) != len(pairs):
        raise AwsError("InvalidParameterValue", DUPLICATE_TAGS_MESSAGE)
    return pairs


def checked_source_identity(value: object) -> str:
    """The source identity that a token or an assertion sets. Raises AwsError InvalidIdentityToken if not valid."""
    if not isinstance(value, str) or not _SOURCE_IDENTITY.fullmatch(value):
        raise AwsError("InvalidIdentityToken", SOURCE_IDENTITY_MESSAGE)
    return value


def arns_of(policy_arns: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The ARNs of a ``PolicyArns`` list. Its members may be empty structures, which AWS ignores."""
    return tuple(member["arn"] for member in policy_arns if "arn" in member)


def issued(call: Call, request: SessionRequest, chain: tuple[str, ...] | None = None) -> Answer:
    """New credentials, as the ``Credentials`` of the answer, and the size of their token.

    ``chain`` is the role chain of a session that exists already; None for a session that the caller opens. Models from
    before September 2026 lack the two members about the size. Raises AwsError PackedPolicyTooLarge.
    """
    if is_global_host(call.host):
        request = replace(request, everywhere=works_everywhere(call, request.principal.account_id))
    try:
        credentials = issue(
            call.keys, call.ids, call.now_seconds, request, chain_of(call.caller) if chain is None else chain
        )
    except TokenTooLargeError as error:
        raise token_too_large(error) from error
    return with_size(call, credentials)


def works_everywhere(call: Call, account_id: str) -> bool:
    """Whether a token that this call issues for the account works in every Region: False for version 1 tokens."""
    if not is_global_host(call.host):
        return True
    return global_endpoint_token_version(call.db, account_id) != DEFAULT_TOKEN_VERSION


def token_too_large(error: TokenTooLargeError) -> AwsError:
    message = TOO_LARGE_MESSAGE.format(size=error.size_bytes, maximum=MAXIMUM_TOKEN_BYTES)
    return AwsError("PackedPolicyTooLarge", message)


def with_size(call: Call, credentials: TemporaryCredentials) -> Answer:
    """The credentials in the form of an answer, and the size of their token where the model has it."""
    answer: Answer = {"Credentials": credentials_answer(credentials)}
    if "SessionTokenSize" in call.model.output_members:
        answer["SessionTokenSize"] = len(credentials.session_token)
        answer["SessionTokenUtilization"] = utilization(credentials.session_token)
    return answer


def with_packed_size(answer: Answer) -> Answer:
    """The answer with SessionTokenUtilization's older name as well, as the model has it since November 2026."""
    return {**answer, "PackedPolicySize": utilization(answer["Credentials"]["SessionToken"])}


def utilization(session_token: str) -> int:
    """The token's size in percent of the maximum size."""
    return math.ceil(100 * len(session_token) / MAXIMUM_TOKEN_BYTES)


def chain_of(caller: Caller) -> tuple[str, ...]:
    """The caller, after the callers who obtained the caller's own session; the newest ones of a long chain."""
    before = () if caller.session is None else caller.session.chain
    return tuple(arn for arn in (*before, caller.principal.arn) if arn)[-CHAIN_LIMIT:]


def credentials_answer(credentials: TemporaryCredentials) -> Answer:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": credentials.expires_at_seconds,
    }
