"""The operations on the tags of a kind of entity: ``taggable`` declares all three."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, add_tags, listed_tags, tag_pairs
from rolecall.services.iam.declared import declare
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Precheck
from rolecall.storage.entity_tags import TaggedKind, is_case_sensitive, remove_tags

OwnerId = Callable[[Call, str], str]


class Taggable(Struct, frozen=True):
    """A kind of entity that has tags.

    ``existing`` and ``changeable`` give the key of an entity's tags from the request's name of it, or raise AwsError.
    ``changeable`` also locks the entity, because tags are counted before some are added.
    """

    kind: TaggedKind
    existing: OwnerId
    changeable: OwnerId

    def tag(self, call: Call, name: str, *, Tags: Sequence[Tag]) -> None:
        """Add tags; a tag with the same key is replaced.

        Raises AwsError: InvalidInput (a repeated or reserved key), NoSuchEntity, LimitExceeded.
        """
        tags = tag_pairs(Tags, case_sensitive=is_case_sensitive(self.kind))
        add_tags(call, self.kind, self.changeable(call, name), tags)

    def untag(self, call: Call, name: str, *, TagKeys: Sequence[str]) -> None:
        """Remove tags. A missing key is no error. Raises AwsError NoSuchEntity."""
        remove_tags(call.db, self.kind, self.changeable(call, name), TagKeys)

    def list_tags(
        self, call: Call, name: str, *, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
    ) -> Answer:
        """Tags by key. Raises AwsError: NoSuchEntity, ValidationError (marker)."""
        return listed_tags(call, self.kind, self.existing(call, name), Marker, MaxItems)


def taggable(
    kind: TaggedKind,
    noun: str,
    member: str,
    existing: OwnerId,
    *,
    changeable: OwnerId,
    precheck: Precheck | None = None,
) -> None:
    """Declare TagUser, UntagUser and ListUserTags for the noun ``User``; ``member`` names the entity in the request.

    See :class:`Taggable`. The permissions come from AWS's tables. ``precheck`` refuses what AWS refuses before it
    evaluates any policy.
    """
    tagged = Taggable(kind, existing, changeable)
    declare(f"Tag{noun}", member, tagged.tag, precheck=precheck)
    declare(f"Untag{noun}", member, tagged.untag, precheck=precheck)
    declare(f"List{noun}Tags", member, tagged.list_tags, precheck=precheck)
