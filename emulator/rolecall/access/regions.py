"""Regions of STS: which one an endpoint's name stands for, and what is refused in one that is switched off.

IAM User Guide, "Manage AWS STS in an AWS Region". An endpoint that is no name of AWS's, such as ``localhost``, is
regional: there the credential scope alone says which Region is meant.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from rolecall.errors import DAMAGED_TOKEN_MESSAGE, AwsError, region_disabled
from rolecall.service_records import DEFAULT_REGION

GLOBAL_HOST = "sts.amazonaws.com"
# What the global endpoint answers to operations that it does not have.
UNKNOWN_OPERATION_MESSAGE = "Unknown Operation"
# The operations whose models declare RegionDisabledException: those that issue credentials.
_ISSUING = frozenset(
    {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "GetDelegatedAccessToken",
        "GetFederationToken",
        "GetSessionToken",
    }
)
# Regions that every account has; the others, begun after March 2019, an account opts in to.
REGIONS_OF_EVERY_ACCOUNT = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
    }
)
_regional_host = re.compile(r"sts(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?").fullmatch


@lru_cache(maxsize=256)
def region_of_host(host: str) -> str | None:
    """The Region of STS's endpoint by its ``Host`` header, us-east-1 for the global one; None for any other name."""
    name = host.partition(":")[0].lower()
    if name == GLOBAL_HOST:
        return DEFAULT_REGION
    found = _regional_host(name)
    return None if found is None else found[1]


@lru_cache(maxsize=256)
def is_global_host(host: str) -> bool:
    return host.partition(":")[0].lower() == GLOBAL_HOST


def check_region(disabled_regions: Collection[str], region: str, operation: str, account_id: str) -> None:
    """Raises AwsError RegionDisabledException for an operation of STS that issues credentials in such a Region."""
    if region in disabled_regions and operation in _ISSUING:
        raise region_disabled(account_id)


def check_token_region(region: str) -> None:
    """For a version 1 token of the global endpoint. Raises AwsError InvalidClientTokenId where it is not good."""
    if region not in REGIONS_OF_EVERY_ACCOUNT:
        raise AwsError("InvalidClientTokenId", DAMAGED_TOKEN_MESSAGE, reason="a version 1 token, in an opt-in Region")


def refuse_global_endpoint(host: str) -> None:
    """For operations that only regional endpoints have. Raises AwsError InvalidAction."""
    if is_global_host(host):
        raise AwsError("InvalidAction", UNKNOWN_OPERATION_MESSAGE, reason="only a regional endpoint of STS has this")
