"""The end of IAM's refusals: the id with which a caller gets the details (IAM User Guide, Troubleshoot IAM)."""

from __future__ import annotations

from rolecall.ids import authorization_id
from rolecall.service_records import SERVICE_RECORDS

# Since 2026 AWS adds the id to the refusals of most of IAM's operations.
ADDS_AUTHORIZATION_ID = True
AUTHORIZATION_TAIL = (
    " Go to https://{region}.console.aws.amazon.com/iam/home?region={region}#/authorization-details/{id} for complete "
    "details, or call the GetRequestAuthorizationDetails API with the following authorization id: {id}"
)


def authorization_tail(service: str, request_id: str, region: str) -> str:
    """The tail of a refusal's message. It is empty for a service whose record says that AWS gives no id."""
    if not ADDS_AUTHORIZATION_ID or not SERVICE_RECORDS[service].refusals_have_ids:
        return ""
    return AUTHORIZATION_TAIL.format(region=region, id=authorization_id(request_id))
