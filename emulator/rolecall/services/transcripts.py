"""What meetings and media pipelines ask of Amazon Transcribe alike. AWS's messages are not recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rolecall.errors import bad_request

# The prose of PiiEntityTypes. The models have no enumeration.
_ENTITY_NAMES = (
    "ADDRESS ALL BANK_ACCOUNT_NUMBER BANK_ROUTING CREDIT_DEBIT_CVV CREDIT_DEBIT_EXPIRY CREDIT_DEBIT_NUMBER EMAIL NAME"
    " PHONE PIN SSN"
)
_ENTITY_TYPES = frozenset(_ENTITY_NAMES.split())


def check_personal_information(settings: Mapping[str, Any]) -> None:
    """Raises AwsError BadRequestException for what cannot be found in a transcript.

    API reference: both types in one request get BadRequestException; the entity types need one of the two.
    """
    found = [name for name in ("ContentIdentificationType", "ContentRedactionType") if name in settings]
    if len(found) > 1:
        raise bad_request("ContentIdentificationType and ContentRedactionType must not be there together.")
    entity_types = settings.get("PiiEntityTypes")
    if entity_types is None:
        return
    if not found:
        raise bad_request("PiiEntityTypes needs ContentIdentificationType or ContentRedactionType.")
    unknown = sorted({name.strip() for name in entity_types.split(",")} - _ENTITY_TYPES)
    if unknown:
        raise bad_request(
            f"PiiEntityTypes must not have {unknown[0]!r}: it may have {', '.join(sorted(_ENTITY_TYPES))}."
        )
