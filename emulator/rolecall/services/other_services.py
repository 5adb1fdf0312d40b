"""Resources of AWS services that Rolecall does not have. Their ARNs alone say whether Chime can use them."""

from __future__ import annotations

from rolecall.arns import parse_arn
from rolecall.errors import bad_request
from rolecall.services.registry import Call


def check_beside(call: Call, arn: str, service: str, begins: str, what: str) -> None:
    """Raises AwsError BadRequestException for any but a resource of the call's own account and Region.

    The ARN's last part ``begins`` so. ``what`` is the noun of the message. AWS's messages are not recorded.
    """
    parsed = parse_arn(arn)
    if parsed is None or parsed.service != service or not parsed.resource.startswith(begins):
        raise bad_request(f"{arn} is not the ARN of {what}.")
    if (parsed.account_id, parsed.region) != (call.account_id, call.region):
        raise bad_request(f"{arn} must be in the account and the Region of the app instance.")
