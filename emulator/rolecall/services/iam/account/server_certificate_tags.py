"""Tags of server certificates. Their keys are case-sensitive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.errors import AwsError
from rolecall.services.iam.account.server_certificates import existing_server_certificate
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, listed_tags, tag_pairs
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.access_keys import lock_account
from rolecall.storage.entity_tags import remove_tags

NO_TAGS_MESSAGE = "The provided tag map must not be null/empty."
NO_KEYS_MESSAGE = "The provided tag keys must not be null/empty."


@operation("iam", "TagServerCertificate")
def tag_server_certificate(call: Call, *, ServerCertificateName: str, Tags: Sequence[Mapping[str, Any]]) -> None:
    """Add tags; a tag with the same key is replaced. Raises AwsError: InvalidInput, NoSuchEntity, LimitExceeded."""
    if not Tags:
        raise AwsError("InvalidInput", NO_TAGS_MESSAGE)
    tags = tag_pairs(Tags, case_sensitive=True)
    certificate = existing_server_certificate(call, ServerCertificateName)
    lock_account(call.db, call.account_id)
    add_tags(call, "server_certificate", certificate.certificate_id, tags)


@operation("iam", "UntagServerCertificate")
def untag_server_certificate(call: Call, *, ServerCertificateName: str, TagKeys: Sequence[str]) -> None:
    """Remove tags. A missing key is no error. Raises AwsError: InvalidInput, NoSuchEntity."""
    if not TagKeys:
        raise AwsError("InvalidInput", NO_KEYS_MESSAGE)
    certificate = existing_server_certificate(call, ServerCertificateName)
    remove_tags(call.db, "server_certificate", certificate.certificate_id, TagKeys)


@operation("iam", "ListServerCertificateTags")
def list_server_certificate_tags(
    call: Call, *, ServerCertificateName: str, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """Tags by key. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
    certificate = existing_server_certificate(call, ServerCertificateName)
    return listed_tags(call, "server_certificate", certificate.certificate_id, Marker, MaxItems)
