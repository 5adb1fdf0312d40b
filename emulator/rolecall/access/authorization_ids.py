"""What a refusal of IAM ends with: by which id to ask for its details (IAM User Guide, Troubleshoot IAM)."""

from __future__ import annotations

from rolecall.ids import authorization_id
from rolecall.service_records import SERVICE_RECORDS

# AWS adds it to the refusals of most of IAM's operations since 2026.
TELLS_AUTHORIZATION_ID = True
AUTHORIZATION_TAIL = (
    " Go to https://{region}.console.aws.amazon.com/iam/home?region={region}#/authorization-details/{id} for complete "
    "details, or call the GetRequestAuthorizationDetails API with the following authorization id: {id}"
)


def authorization_tail(service: str, request_id: str, region: str) -> str:
    """The tail of a refusal's message; empty for every service that AWS gives none (its record says which)."""
    if not TELLS_AUTHORIZATION_ID or not SERVICE_RECORDS[service].refusals_have_ids:
        return ""
    return AUTHORIZATION_TAIL.format(region=region, id=authorization_id(request_id))
