"""Contexts that AssumeRole passes on: which providers sign them, and why Rolecall refuses every assertion.

AWS STS signs and encrypts an assertion for a context provider such as IAM Identity Center. Nothing in a sandbox makes
assertions, so none can be verified. Rolecall checks the permission, and then refuses the assertion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.errors import AwsError

# Neither sentence was recorded from AWS.
NO_PROVIDER_MESSAGE = "{arn} is not the ARN of a context provider."
NOT_VALID_MESSAGE = "The context assertion that was passed is expired or is not valid."
_is_provider = re.compile(r"arn:aws:iam::aws:contextProvider/[\w+=,.@-]{1,128}").fullmatch

Contexts = Sequence[Mapping[str, Any]]


def context_providers(contexts: Contexts) -> tuple[str, ...]:
    """The providers' ARNs: the condition key sts:RequestContextProviders. Raises AwsError ValidationError."""
    arns = tuple(str(context.get("ProviderArn", "")) for context in contexts)
    for arn in arns:
        if not _is_provider(arn):
            raise AwsError("ValidationError", NO_PROVIDER_MESSAGE.format(arn=arn or "ProviderArn"))
    return arns


def refuse_assertions(contexts: Contexts) -> None:
    """Raises AwsError ExpiredTokenException when there is any assertion. AWS uses this code for invalid ones, too."""
    if contexts:
        raise AwsError(
            "ExpiredTokenException", NOT_VALID_MESSAGE, reason="no provider of this sandbox makes assertions"
        )
