"""Endpoints of STS by their names, and Regions in which it is switched off."""

from __future__ import annotations

from typing import Any

import pytest
from sts_calls import ACCOUNT, account, allow, answered, declared, deny, refusal, role, role_arn, root_arn, trust, user

from rolecall.access.regions import is_global_host, region_of_host

ISSUING: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": role_arn("operator"), "RoleSessionName": "session"},
    "GetSessionToken": {},
    "GetFederationToken": {"Name": "fed"},
}
MESSAGE = (
    f"STS is not activated in this region for account:{ACCOUNT}. Your account administrator can activate STS in this "
    "region using the IAM Console."
)


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    roles = [role("operator", trust(root_arn()), allow("*"))]
    settings = {"disabled_regions": ["ap-east-1", "eu-west-1"]}
    return make_shared_world(declared(account(roles=roles), settings=settings))


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sts.amazonaws.com", "us-east-1"),
        ("STS.amazonaws.com:443", "us-east-1"),
        ("sts.eu-west-1.amazonaws.com", "eu-west-1"),
        ("sts-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        # A name that ends with the root's dot is the same name (RFC 1034, 3.1).
        ("sts.amazonaws.com.", "us-east-1"),
        ("sts.amazonaws.com.:443", "us-east-1"),
        ("sts.eu-west-1.amazonaws.com.", "eu-west-1"),
        ("localhost:4580", None),
        ("sts.localhost", None),
        ("sts.eu-west-1.amazonaws.com.example.com", None),
        ("xsts.amazonaws.com", None),
        ("", None),
    ],
)
def test_the_name_of_an_endpoint_says_its_region(host: str, region: str | None) -> None:
    assert region_of_host(host) == region
    assert is_global_host(host) == (host.lower().startswith("sts.amazonaws.com"))


@pytest.mark.parametrize("region", ["ap-east-1", "eu-west-1"])
@pytest.mark.parametrize("operation", ISSUING)
def test_no_credentials_come_from_a_region_that_is_off(worlds: Any, region: str, operation: str) -> None:
    for endpoint in ("http://rolecall.localhost", f"http://sts.{region}.amazonaws.com"):
        sts = worlds.client("sts", region=region, endpoint_url=endpoint)
        assert refusal(sts, operation, **ISSUING[operation]) == (403, "RegionDisabledException", MESSAGE)
        assert answered(sts, "GetCallerIdentity") == "allowed"
    elsewhere = worlds.client("sts", region="eu-central-1")
    assert answered(elsewhere, operation, **ISSUING[operation]) == "allowed"


ROOT_TASK = {
    "TargetPrincipal": "444455556666",
    "TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"},
}


@pytest.mark.parametrize("region", ["ap-east-1", "eu-west-1"])
def test_every_other_operation_that_issues_credentials_is_off_there_too(worlds: Any, region: str) -> None:
    sts = worlds.client("sts", region=region)
    elsewhere = worlds.client("sts", region="eu-central-1")
    for operation, parameters in (("AssumeRoot", ROOT_TASK), ("GetDelegatedAccessToken", {"TradeInToken": "none"})):
        assert refusal(sts, operation, **parameters) == (403, "RegionDisabledException", MESSAGE)
        assert refusal(elsewhere, operation, **parameters)[1] == "AccessDenied"
    # This endpoint issues none.
    assert answered(sts, "GetAccessKeyInfo", AccessKeyId="ASIAY34FZKBOKMUTVV7A") == "allowed"


EVERY_ACCOUNT_HAS = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
]
TO_OPT_IN_TO = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
]


@pytest.fixture(scope="module")
def from_the_global_endpoint(make_shared_world: Any) -> tuple[Any, Any]:
    """A world, and a version 1 token from it."""
    world = make_shared_world(declared(account()))
    return world, world.client("sts", endpoint_url="http://sts.amazonaws.com").get_session_token()["Credentials"]


# AWS Account Management Reference Guide, Regions: those that are enabled by default, and those to opt in to.
@pytest.mark.parametrize("region", [*EVERY_ACCOUNT_HAS, *TO_OPT_IN_TO])
def test_where_a_token_of_the_global_endpoint_is_good(from_the_global_endpoint: tuple[Any, Any], region: str) -> None:
    world, credentials = from_the_global_endpoint
    sts = world.client("sts", credentials=credentials, region=region)
    if region in EVERY_ACCOUNT_HAS:
        assert answered(sts, "GetCallerIdentity") == "allowed"
    else:
        assert refusal(sts, "GetCallerIdentity")[:2] == (403, "InvalidClientTokenId")
    own = world.client("sts", region=region).get_session_token()["Credentials"]
    assert answered(world.client("sts", credentials=own, region=region), "GetCallerIdentity") == "allowed"


def test_a_wrong_key_is_reported_before_the_region(worlds: Any) -> None:
    sts = worlds.client("sts", region="ap-east-1", keys=("nobody_has_this_key", "secret"))
    assert refusal(sts, "GetSessionToken")[1] == "InvalidClientTokenId"


def test_other_services_do_not_mind(worlds: Any) -> None:
    assert answered(worlds.client("chime", region="ap-east-1"), "ListAccounts") == "allowed"


def test_an_endpoint_takes_signatures_of_its_own_region_only(worlds: Any) -> None:
    for endpoint, wrong in (("sts.us-west-2.amazonaws.com", "us-east-1"), ("sts.amazonaws.com", "us-west-2")):
        sts = worlds.client("sts", region=wrong, endpoint_url=f"http://{endpoint}")
        message = "Credential should be scoped to a valid region. "
        assert refusal(sts, "GetCallerIdentity") == (403, "SignatureDoesNotMatch", message)
    right = worlds.client("sts", region="us-west-2", endpoint_url="http://sts.us-west-2.amazonaws.com")
    assert answered(right, "GetCallerIdentity") == "allowed"
    assert answered(worlds.client("sts", endpoint_url="http://sts.amazonaws.com"), "GetSessionToken") == "allowed"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_services_of_one_endpoint_are_called_in_its_region(make_world: Any, region: str) -> None:
    """A policy that limits everything to one Region refuses calls there, as on AWS."""
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}
    ana = user("ana", allow("*"), deny("*", Condition=elsewhere))
    world = make_world(declared(account(users=[ana])))
    for service, operation in (("iam", "ListUsers"), ("chime", "ListAccounts")):
        assert refusal(world.client(service, "ana", region=region), operation)[0] == 403
    sts = world.client("sts", "ana", region=region)
    assert (answered(sts, "GetAccessKeyInfo", AccessKeyId="ana_key_for_tests") == "allowed") is (region == "eu-west-1")


def test_the_region_is_a_condition_key(make_world: Any) -> None:
    only = allow("sts:AssumeRole", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})
    users = [{"name": "ana", "access_keys": [{"id": "ana_key", "secret": "secret"}], "inline_policies": {"own": only}}]
    world = make_world(declared(account(users=users, roles=[role("operator", trust(root_arn()))])))
    endpoint = "http://sts.eu-west-1.amazonaws.com"
    there = world.client("sts", "ana", region="eu-west-1", endpoint_url=endpoint)
    assert answered(there, "AssumeRole", **ISSUING["AssumeRole"]) == "allowed"
    assert answered(world.client("sts", "ana"), "AssumeRole", **ISSUING["AssumeRole"])[1] == "AccessDenied"
