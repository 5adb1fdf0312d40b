"""Kinds of entities that have a name, which is unique in its account without case, and a path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from rolecall.caches import KeptList
from rolecall.errors import AwsError
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, opened_marker, page_of, rest_of
from rolecall.services.registry import Answer, Call
from rolecall.storage.problems import AlreadyThere


class Named(Protocol):
    """The stored record of an entity."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> str: ...


Record = TypeVar("Record", bound=Named)


def name_key(entity: Named) -> str:
    """The form of a name in which names are compared and sorted."""
    return entity.name.lower()


class NamedKind(Struct, Generic[Record], frozen=True):
    """A kind of entity: how its records are found, and AWS's messages about it, with ``{name}``.

    ``by_name`` takes a connection, an account id and a name.
    """

    id_of: Callable[[Record], str]
    by_name: Callable[[Any, str, str], Record | None]
    not_found_message: str
    already_exists_message: str

    def existing(self, call: Call, name: str) -> Record:
        """The account's entity with that name. Raises AwsError NoSuchEntity."""
        record = self.by_name(call.db, call.account_id, name)
        if record is None:
            raise AwsError("NoSuchEntity", self.not_found_message.format(name=name))
        return record

    def existing_id(self, call: Call, name: str) -> str:
        """The unique id of the account's entity with that name. Raises AwsError NoSuchEntity."""
        return self.id_of(self.existing(call, name))

    def already_exists(self, name: str) -> AwsError:
        return AwsError("EntityAlreadyExists", self.already_exists_message.format(name=name))

    def page(
        self, call: Call, find: Callable[..., Sequence[Record]], path_prefix: str, marker: str | None, max_items: int
    ) -> tuple[Sequence[Record], Answer]:
        """A page of the account's entities below a path, by name; ``find`` is the storage's list of the kind.

        Raises AwsError ValidationError (marker).
        """
        after = opened_marker(call, (path_prefix,), marker)
        found = find(call.db, call.account_id, path_prefix=path_prefix, after_name_key=after, limit=max_items + 1)
        return page_of(call, (path_prefix,), found, name_key, max_items)

    def shown_page(
        self,
        call: Call,
        member: str,
        find: Callable[..., Sequence[Record]],
        shown: Callable[[Call, Sequence[Record]], Sequence[Answer]],
        path_prefix: str,
        marker: str | None,
        max_items: int,
    ) -> Answer:
        """The answer with a page of the account's entities: ``member`` holds what ``shown`` makes of them.

        Only for an operation that reads, and for kinds whose tables bear on rights: a page is kept for the generation.
        Raises AwsError ValidationError (marker).
        """
        after = opened_marker(call, (path_prefix,), marker)
        key = (member, call.account_id, path_prefix, after, max_items)
        known: tuple[KeptList, Record | None] | None = call.policies.pages.get(key)
        if known is None:
            found = find(call.db, call.account_id, path_prefix=path_prefix, after_name_key=after, limit=max_items + 1)
            more = found[max_items - 1] if len(found) > max_items else None
            known = KeptList(shown(call, found[:max_items])), more
            if max_items <= DEFAULT_PAGE_ITEMS:
                call.policies.pages.put(key, known)
        items, more = known
        return {member: items, **rest_of(call, (path_prefix,), None if more is None else name_key(more))}

    def move(
        self, call: Call, move: Callable[[Any, str, str, str], None], name: str, new_name: str | None, path: str | None
    ) -> None:
        """Change an entity's name, its path, or both; ``move`` is the storage's function for it.

        Raises AwsError: NoSuchEntity, EntityAlreadyExists.
        """
        record = self.existing(call, name)
        wanted = new_name or record.name
        namesake = self.by_name(call.db, call.account_id, wanted)
        if namesake is not None and self.id_of(namesake) != self.id_of(record):
            raise self.already_exists(wanted)
        try:
            move(call.db, self.id_of(record), wanted, path or record.path)
        except AlreadyThere as error:
            raise self.already_exists(wanted) from error
