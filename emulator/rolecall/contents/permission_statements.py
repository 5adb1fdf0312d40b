"""Permission statements of Sign-In: the parameters of PutResourcePermissionStatement that make one, and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

PRIVATE = ("sourceVpc", "signinSourceVpce", "consoleSourceVpce")
NETWORK = (*PRIVATE, "vpcSourceIp", "sourceIp", "requestedRegion")
PARAMETERS = (*NETWORK, "excludedPrincipal")
# AWS's wordings are not recorded.
NETWORK_MESSAGE = "At least one network condition is required."
REGION_MESSAGE = "requestedRegion is required when a VPC or a VPC endpoint is provided."
VPC_MESSAGE = "vpcSourceIp requires a VPC or a VPC endpoint."
ADDRESS_MESSAGE = "The value of {name} is not a valid IP address or CIDR range."


def statement_problem(parameters: Mapping[str, str]) -> str:
    """What is wrong with the parameters of a statement; empty for a possible one.

    Sources: model of Sign-In, requestedRegion; Sign-In User Guide, condition keys: "Always use the aws:VpcSourceIp
    condition key with the aws:SourceVpc or aws:SourceVpce condition keys". That a network is needed is assumed.
    """
    if not any(name in parameters for name in NETWORK):
        return NETWORK_MESSAGE
    has_private = any(name in parameters for name in PRIVATE)
    if has_private and "requestedRegion" not in parameters:
        return REGION_MESSAGE
    if "vpcSourceIp" in parameters and not has_private:
        return VPC_MESSAGE
    wrong = (name for name in ("sourceIp", "vpcSourceIp") if name in parameters and not _is_address(parameters[name]))
    return "".join(ADDRESS_MESSAGE.format(name=name) for name in wrong)


def _is_address(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
