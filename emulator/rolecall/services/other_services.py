"""Resources of AWS services that Rolecall does not have. Their ARNs alone say whether Chime can use them."""

from __future__ import annotations

from rolecall.arns import parse_arn
from rolecall.errors import bad_request
from rolecall.services.registry import Call


def is_beside(call: Call, arn: str, service: str, begins: str) -> bool:
    """Whether it is the ARN of a service's resource in the call's own account and Region. Its last part begins so."""
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != service or not parsed.resource.startswith(begins):
        return False
    return (parsed.account_id, parsed.region) == (call.account_id, call.region)


def check_beside(call: Call, arn: str, service: str, begins: str, what: str) -> None:
    """Raises AwsError BadRequestException for any other ARN. ``what`` is its noun. AWS's messages are not recorded."""
    if not is_beside(call, arn, service, begins):
        raise bad_request(f"{arn} must be the ARN of {what} in the account and the Region of the app instance.")
