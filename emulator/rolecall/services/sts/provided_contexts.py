"""Contexts that AssumeRole passes on: which providers sign them, and why Rolecall refuses every assertion.

AWS STS signs and encrypts an assertion for a context provider such as IAM Identity Center. Nothing in a sandbox makes
assertions, so none can be verified. Rolecall checks the permission, and then refuses the assertion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.errors import AwsError

# Neither sentence was recorded from AWS. The second is from the model's words for the error.
NO_PROVIDER_MESSAGE = "{arn} is not the ARN of a context provider."
NOT_VALID_MESSAGE = "The request was rejected because the context assertion that was provided is invalid."
_is_provider = re.compile(r"arn:aws:iam::aws:contextProvider/[\w+=,.@-]{1,128}").fullmatch

Contexts = Sequence[Mapping[str, Any]]


def context_providers(contexts: Contexts) -> tuple[str, ...]:
    """The providers' ARNs: the condition key sts:RequestContextProviders.

    Raises AwsError: ValidationError without an ARN, InvalidContextAssertion for an ARN of something else.
    """
    arns = tuple(str(context.get("ProviderArn", "")) for context in contexts)
    for arn in arns:
        if not _is_provider(arn):
            code = "InvalidContextAssertion" if arn else "ValidationError"
            raise AwsError(code, NO_PROVIDER_MESSAGE.format(arn=arn or "ProviderArn"))
    return arns


def refuse_assertions(contexts: Contexts) -> None:
    """Raises AwsError InvalidContextAssertion when there is any assertion.

    STS API reference, AssumeRole: the error for an assertion that "is malformed, has expired, or does not match a
    trusted context provider".
    """
    if contexts:
        reason = "no provider of this sandbox makes assertions"
        raise AwsError("InvalidContextAssertion", NOT_VALID_MESSAGE, reason=reason)
