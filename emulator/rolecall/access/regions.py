"""Regions: the Region of an endpoint's name, Regions without an endpoint, and Regions where STS is switched off.

IAM User Guide, "Manage AWS STS in an AWS Region". An endpoint without an AWS name, such as ``localhost``, is regional:
the credential scope alone says which Region a call is for.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from rolecall.errors import DAMAGED_TOKEN_MESSAGE, REGION_DISABLED_CODE, AwsError, region_disabled
from rolecall.http import name_of_host
from rolecall.service_records import DEFAULT_REGION, SERVICE_RECORDS

GLOBAL_HOST = "sts.amazonaws.com"
# The global endpoint's answer to operations that it does not have.
UNKNOWN_OPERATION_MESSAGE = "Unknown Operation"
# The recorded message about a wrong Region, and what helps: AWS's clients find no address there.
NO_ENDPOINT_MESSAGE = (
    "Credential should be scoped to a valid region. {service} has no endpoint in {region}, so AWS's clients cannot "
    "connect to it there. It has endpoints in {regions}."
)
# Regions that every account has. An account must opt in to the others, which AWS opened after March 2019.
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
# Endpoints of Sign-In begin with their Region, unlike other services'.
_sign_in_host = re.compile(r"([a-z]{2}(?:-[a-z]+)+-[0-9])\.(?:oauth\.)?signin\..+").fullmatch
_regional_host = re.compile(r"sts(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?").fullmatch
_own_host = re.compile(r"(?P<prefix>[a-z-]+?)(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)").fullmatch


@lru_cache(maxsize=256)
def region_of_host(host: str) -> str | None:
    """The Region of an STS endpoint by its ``Host`` header, us-east-1 for the global one; None for other names."""
    name = name_of_host(host)
    if name == GLOBAL_HOST:
        return DEFAULT_REGION
    found = _regional_host(name)
    return None if found is None else found[1]


@lru_cache(maxsize=256)
def region_of_endpoint(service: str, host: str) -> str | None:
    """The Region in AWS's name of a service's endpoint; None for other names, and for services in every Region."""
    record = SERVICE_RECORDS[service]
    if record.has_regional_endpoints:
        return region_of_host(host)
    found = _own_host(name_of_host(host)) if record.regions else None
    return found["region"] if found is not None and found["prefix"] == record.endpoint_prefix else None


def check_endpoint(service: str, region: str) -> None:
    """Raises AwsError SignatureDoesNotMatch for a Region in which AWS has no endpoint of the service.

    AWS's clients find no address there. At Rolecall's one address they would, and a program that AWS cannot serve
    would pass its tests.
    """
    regions = SERVICE_RECORDS[service].regions
    if regions and region not in regions:
        message = NO_ENDPOINT_MESSAGE.format(service=service, region=region, regions=listed(regions))
        raise AwsError("SignatureDoesNotMatch", message, reason=f"AWS has no endpoint of {service} in {region}")


def listed(regions: Collection[str]) -> str:
    """Two Regions or more, in words."""
    *others, last = sorted(regions)
    return f"{', '.join(others)} and {last}"


@lru_cache(maxsize=256)
def sign_in_region(host: str) -> str | None:
    """The Region of a Sign-In endpoint by its ``Host`` header, such as ``eu-west-1.signin.localhost``; else None."""
    found = _sign_in_host(name_of_host(host))
    return None if found is None else found[1]


@lru_cache(maxsize=256)
def is_global_host(host: str) -> bool:
    return name_of_host(host) == GLOBAL_HOST


def check_region(disabled_regions: Collection[str], region: str, error_codes: Collection[str], account_id: str) -> None:
    """Raises AwsError RegionDisabledException for an operation that issues credentials in a disabled Region.

    ``error_codes`` are the errors that the model declares for the operation: this one, if it issues credentials.
    """
    if region in disabled_regions and REGION_DISABLED_CODE in error_codes:
        raise region_disabled(account_id)


def check_token_region(region: str) -> None:
    """Checks the Region of a version 1 token. Raises AwsError InvalidClientTokenId where the token is not valid."""
    if region not in REGIONS_OF_EVERY_ACCOUNT:
        raise AwsError("InvalidClientTokenId", DAMAGED_TOKEN_MESSAGE, reason="a version 1 token, in an opt-in Region")


def refuse_global_endpoint(host: str) -> None:
    """Raises AwsError InvalidAction at the global endpoint, for operations that only regional endpoints have."""
    if is_global_host(host):
        raise AwsError("InvalidAction", UNKNOWN_OPERATION_MESSAGE, reason="only a regional endpoint of STS has this")
