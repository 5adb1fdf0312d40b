"""Certificate revocation lists (IAM Roles Anywhere API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rolecall.delivery.anywhere.contents import CRL
from rolecall.services.kinds import RESOURCE_NOT_FOUND, kind_with_arn
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.rolesanywhere.anchor_certificates import check_revocation_list
from rolecall.services.rolesanywhere.common import SERVICE, Tag, over_quota
from rolecall.services.rolesanywhere.trust_anchors import ANCHOR
from rolecall.services.rolesanywhere.verbs import changed, delete, get, list_, made, switch
from rolecall.services.verbs import existing
from rolecall.storage import resources as store
from rolecall.storage.resources import Content

# The guide, "Quotas": for each trust anchor, "Adjustable: No".
MAXIMUM_LISTS = 2

CRLS = kind_with_arn(SERVICE, CRL, "crlId", identified_by="crlId", absent_code=RESOURCE_NOT_FOUND)


def shape(content: Content) -> Content:
    """The list is kept as text, and answered as bytes."""
    return {**content, "crlData": content["crlData"].encode("ascii")}


get(CRLS, "GetCrl", shape)
list_(CRLS, "ListCrls", shape)
delete(CRLS, "DeleteCrl", shape)
switch(CRLS, "EnableCrl", shape)
switch(CRLS, "DisableCrl", shape)


@operation(SERVICE, "ImportCrl")
def import_crl(
    call: Call, *, name: str, crlData: bytes, trustAnchorArn: str, enabled: bool = False, tags: Sequence[Tag] = ()
) -> Answer:
    """A list for one trust anchor. Raises AwsError ValidationException, ResourceNotFoundException (the anchor)."""
    if not trustAnchorArn.startswith("arn:"):
        raise ANCHOR.not_found(trustAnchorArn)
    anchor = existing(call, ANCHOR, trustAnchorArn)
    present = store.all_of_kind(call.db, call.account_id, CRLS.name, call.region)
    if sum(each.content["trustAnchorArn"] == trustAnchorArn for each in present) >= MAXIMUM_LISTS:
        raise over_quota(f"A trust anchor may have at most {MAXIMUM_LISTS} revocation lists.")
    content: dict[str, Any] = {
        "crlId": call.ids.uuid(),
        "name": name,
        "enabled": enabled,
        "crlData": check_revocation_list(crlData, _bundle(anchor.content)),
        "trustAnchorArn": trustAnchorArn,
    }
    return made(call, CRLS, content, tags, shape)


@operation(SERVICE, "UpdateCrl", slow=True)
def update_crl(call: Call, *, crlId: str, name: str | None = None, crlData: bytes | None = None) -> Answer:
    """What the request leaves out stays as it is."""
    members: dict[str, Any] = {} if name is None else {"name": name}
    if crlData is not None:
        of_anchor = existing(call, CRLS, crlId, locked=True).content["trustAnchorArn"]
        anchor = ANCHOR.kept.find(call, ANCHOR, (of_anchor,), locked=False)
        members["crlData"] = check_revocation_list(crlData, "" if anchor is None else _bundle(anchor.content))
    return changed(call, CRLS, crlId, members, shape)


def _bundle(content: Content) -> str:
    text: str = content["source"]["sourceData"]["x509CertificateData"]
    return text
