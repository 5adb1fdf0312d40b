"""Trust anchors: the certificate authorities whose certificates get sessions (IAM Roles Anywhere API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from rolecall.delivery.anywhere.contents import DEFAULT_NOTIFICATIONS, TRUST_ANCHOR, noted
from rolecall.services.kinds import RESOURCE_NOT_FOUND, kind_with_arn
from rolecall.services.registry import Answer, Call, operation, parameter_not_emulated
from rolecall.services.rolesanywhere.anchor_certificates import check_bundle
from rolecall.services.rolesanywhere.common import SERVICE, Tag, check_count, invalid
from rolecall.services.rolesanywhere.verbs import changed, delete, get, list_, made, switch

# The guide, "Quotas".
MAXIMUM_ANCHORS = 50

ANCHOR = kind_with_arn(
    SERVICE, TRUST_ANCHOR, "trustAnchorId", identified_by="trustAnchorId", absent_code=RESOURCE_NOT_FOUND
)

get(ANCHOR, "GetTrustAnchor")
list_(ANCHOR, "ListTrustAnchors")
delete(ANCHOR, "DeleteTrustAnchor")
switch(ANCHOR, "EnableTrustAnchor")
switch(ANCHOR, "DisableTrustAnchor")


class SourceData(TypedDict, total=False):
    """The certificates of a trust anchor, as PEM."""

    x509CertificateData: str


class Source(TypedDict, total=False):
    """Where the certificates of a trust anchor come from."""

    sourceType: str
    sourceData: SourceData


class NotificationSetting(TypedDict, total=False):
    """When AWS notifies about certificates that expire soon. Rolecall sends no notification."""

    enabled: bool
    event: str
    threshold: int
    channel: str


@operation(SERVICE, "CreateTrustAnchor", slow=True)
def create_trust_anchor(
    call: Call,
    *,
    name: str,
    source: Source,
    enabled: bool = False,
    tags: Sequence[Tag] = (),
    notificationSettings: Sequence[NotificationSetting] = (),
) -> Answer:
    """An anchor that trusts a bundle of certificates. Raises AwsError ValidationException for a bundle that is none."""
    check_count(call, ANCHOR, MAXIMUM_ANCHORS, "trust anchors")
    content: dict[str, Any] = {
        "trustAnchorId": call.ids.uuid(),
        "name": name,
        "source": checked_source(call, source),
        "enabled": enabled,
        "notificationSettings": noted(DEFAULT_NOTIFICATIONS, notificationSettings, call.account_id),
    }
    return made(call, ANCHOR, content, tags)


@operation(SERVICE, "UpdateTrustAnchor", slow=True)
def update_trust_anchor(
    call: Call, *, trustAnchorId: str, name: str | None = None, source: Source | None = None
) -> Answer:
    """What the request leaves out stays as it is."""
    members: dict[str, Any] = {} if name is None else {"name": name}
    if source is not None:
        members["source"] = checked_source(call, source)
    return changed(call, ANCHOR, trustAnchorId, members)


def checked_source(call: Call, source: Source) -> Source:
    """The source, after AWS's rules for certificates of authorities. Rolecall serves no ACM Private CA."""
    bundle = source.get("sourceData", {}).get("x509CertificateData")
    if source.get("sourceType") != "CERTIFICATE_BUNDLE":
        if source.get("sourceType") in ("AWS_ACM_PCA", "SELF_SIGNED_REPOSITORY"):
            raise parameter_not_emulated(call.operation, f"source.sourceType={source['sourceType']}")
        raise invalid("source must have a sourceType.")
    if bundle is None:
        raise invalid("A source of type CERTIFICATE_BUNDLE must have x509CertificateData.")
    check_bundle(bundle)
    return source
