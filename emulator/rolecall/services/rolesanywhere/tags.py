"""Tags of trust anchors, profiles, revocation lists and subjects."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.errors import AwsError
from rolecall.services.kinds import resource_of_arn
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.rolesanywhere.common import MAXIMUM_TAGS, SERVICE, Tag, checked_tags, worded
from rolecall.storage import resources as store


@operation(SERVICE, "TagResource")
def tag_resource(call: Call, *, resourceArn: str, tags: Sequence[Tag]) -> Answer:
    with worded():
        _, resource = resource_of_arn(call, resourceArn, locked=True)
    added = [(tag["Key"], tag["Value"]) for tag in checked_tags(tags)]
    if len(dict(store.tags_of(call.db, resource.key)).keys() | dict(added).keys()) > MAXIMUM_TAGS:
        raise AwsError("TooManyTagsException", f"A resource may have at most {MAXIMUM_TAGS} tags.")
    store.put_tags(call.db, resource.key, added)
    return {}


@operation(SERVICE, "UntagResource")
def untag_resource(call: Call, *, resourceArn: str, tagKeys: Sequence[str]) -> Answer:
    with worded():
        _, resource = resource_of_arn(call, resourceArn, locked=True)
    store.remove_tags(call.db, resource.key, dict.fromkeys(tagKeys))
    return {}


@operation(SERVICE, "ListTagsForResource")
def list_tags(call: Call, *, resourceArn: str) -> Answer:
    with worded():
        _, resource = resource_of_arn(call, resourceArn, locked=False)
    return {"tags": [{"key": key, "value": value} for key, value in store.tags_of(call.db, resource.key)]}
