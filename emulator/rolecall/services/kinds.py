"""Kinds of resources: what the verbs of services/verbs.py must know of one, and where its resources are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rolecall.access.resources import Resource as RequestedResource
from rolecall.arns import arn_format, formatted_arn, parse_arn
from rolecall.caches import BoundedCache
from rolecall.data import actions, resource_types
from rolecall.errors import AwsError, bad_request
from rolecall.service_records import action_prefix
from rolecall.services.paging import DEFAULT_MAX_RESULTS
from rolecall.services.permissions import Described, resource_kind
from rolecall.services.registry import Call, not_emulated
from rolecall.storage import resources as store
from rolecall.storage.resources import Content, Place, Position, Resource

Ids = tuple[str, ...]
NOT_FOUND = "NotFoundException"
RESOURCE_NOT_FOUND = "ResourceNotFoundException"
# The ids in ARNs are worked out once.
_own_ids: BoundedCache[tuple[str, str, str, str], str] = BoundedCache(4096)
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Kept:
    """Where the resources of a kind are kept. A kind with tables of its own has those methods that its verbs use."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        """The caller's resource of these ids, its parent's first; ``locked`` where the call changes it."""
        raise NotImplementedError

    def absent(self, call: Call, kind: Kind, ids: Ids) -> AwsError:
        """The refusal of ids that :meth:`find` does not find, although the parent is there."""
        return kind.not_found(ids[-1])

    def page(self, call: Call, kind: Kind, parent: Resource | None, after: Position, limit: int) -> list[Resource]:
        raise NotImplementedError

    def set_content(self, call: Call, kind: Kind, resource: Resource, content: Content) -> None:
        raise NotImplementedError

    def remove(self, call: Call, kind: Kind, resource: Resource) -> None:
        raise NotImplementedError

    def setting(self, call: Call, resource: Resource, name: str) -> Content | None:
        raise NotImplementedError

    def put_setting(self, call: Call, resource: Resource, name: str, content: Content) -> None:
        raise NotImplementedError

    def remove_setting(self, call: Call, resource: Resource, name: str) -> None:
        raise NotImplementedError


class ResourceStore(Kept):
    """The table of resources. Each belongs to the Region whose endpoint was called, and goes with its parent.

    A resource ends by the sandbox's clock. From then on it is not found.
    """

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        found = self._stored(call, kind, ids[-1], locked=locked)
        if found is None or found.has_ended(call.now_seconds):
            return None
        if len(ids) > 1 and kind.parent is not None:
            parent = kind.parent.kept.find(call, kind.parent, ids[:-1], locked=locked)
            if parent is None or parent.key != found.parent_key:
                return None
        return with_secret(kind, found)

    def absent(self, call: Call, kind: Kind, ids: Ids) -> AwsError:
        """An ended resource of some kinds has a message of its own, as long as its row is there."""
        if kind.ended_message and self._stored(call, kind, ids[-1], locked=False) is not None:
            return AwsError(NOT_FOUND, kind.ended_message)
        return kind.not_found(ids[-1])

    def page(self, call: Call, kind: Kind, parent: Resource | None, after: Position, limit: int) -> list[Resource]:
        parent_key = None if parent is None else parent.key
        found = store.page(call.db, kind.place(call), after, limit, now_seconds=call.now_seconds, parent_key=parent_key)
        return [with_secret(kind, resource) for resource in found]

    def set_content(self, call: Call, kind: Kind, resource: Resource, content: Content) -> None:
        kept = {name: value for name, value in content.items() if name != kind.secret_member}
        store.set_content(call.db, resource.key, kept)

    def remove(self, call: Call, kind: Kind, resource: Resource) -> None:
        """Delete a resource with what belongs to it. One with a message about its end is left for that message."""
        if kind.ended_message:
            store.set_end(call.db, resource.key, call.now_seconds)
        else:
            store.remove(call.db, resource.key)

    def setting(self, call: Call, resource: Resource, name: str) -> Content | None:
        return store.setting(call.db, resource.key, name)

    def put_setting(self, call: Call, resource: Resource, name: str, content: Content) -> None:
        store.put_setting(call.db, resource.key, name, content)

    def remove_setting(self, call: Call, resource: Resource, name: str) -> None:
        store.remove_setting(call.db, resource.key, name)

    def _stored(self, call: Call, kind: Kind, named: str, *, locked: bool) -> Resource | None:
        is_arn = kind.is_named_by_arn or (kind.identified_by != "" and named.startswith("arn:"))
        resource_id = kind.own_id(call, named) if is_arn else named
        if is_arn and not resource_id:
            return None
        return store.find(call.db, kind.place(call), resource_id, locked=locked)


def with_secret(kind: Kind, resource: Resource) -> Resource:
    """The resource with its secret member in the content, as the API answers it."""
    if not kind.secret_member:
        return resource
    return resource._replace(content={**resource.content, kind.secret_member: resource.secret})


RESOURCES = ResourceStore()


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    - ``resource_type`` is the Service Authorization Reference's word; one that the reference does not have has no ARN.
    - ``id_member`` is the member that names a resource, in requests and in answers: its id or its ARN.
    - ``parent`` is the kind that its resources belong to, and go with. Both ids name a resource, unless an ARN does.
    - ``page_size`` is the length of a page where the request does not say it.
    - ``secret_member`` is the member that is kept apart from the others.
    - ``absent_message`` is AWS's message for an id that does not exist, with ``{noun}`` and ``{id}``.
    - ``ended_message`` is AWS's message for a resource that has ended, where it differs.
    - ``identified_by`` is the member of requests that has the id or the ARN, where ``id_member`` is not in them.
    - ``absent_code`` is the error code for an id that does not exist.
    - ``is_named_alone``: the id names a resource without its parent's.
    """

    service: str
    resource_type: str
    id_member: str
    kept: Kept = field(default=RESOURCES)
    parent: Kind | None = None
    page_size: int = DEFAULT_MAX_RESULTS
    secret_member: str = ""
    absent_message: str = "{noun} {id} was not found."
    ended_message: str = ""
    identified_by: str = ""
    absent_code: str = NOT_FOUND
    is_named_alone: bool = False

    def place(self, call: Call) -> Place:
        """Where the caller's resources of this kind are in the store."""
        return Place(call.account_id, call.region, self.name)

    @cached_property
    def name(self) -> str:
        return f"{self.service}/{self.resource_type}"

    @cached_property
    def is_named_by_arn(self) -> bool:
        """Whether the member that names a resource is its own ARN. A relation is named by the ARN of another kind."""
        return self.id_member.endswith("Arn") and self.resource_type in resource_types(action_prefix(self.service))

    @cached_property
    def id_members(self) -> tuple[str, ...]:
        """The members that name a resource, its parent's first."""
        above = () if self.is_named_by_arn or self.is_named_alone else self.parent_members
        return (*above, self.identified_by or self.id_member)

    @property
    def parent_members(self) -> tuple[str, ...]:
        """The members that name the parent, as a list of its resources takes them."""
        return () if self.parent is None else self.parent.id_members

    @cached_property
    def noun(self) -> str:
        """``Voice Connector`` of ``VoiceConnectorId``: the kind in messages."""
        return _WORDS.sub(" ", re.sub("(Id|Arn|Name)$", "", self.id_member))

    def not_found(self, resource_id: str) -> AwsError:
        return AwsError(self.absent_code, self.absent_message.format(noun=self.noun, id=resource_id))

    def arn(self, call: Call, resource_id: str) -> str:
        """The ARN of the caller's resource. Raises KeyError for a kind that has none.

        The id of a kind whose ARN has several variables has them all, such as ``INSTANCE/USER``.
        """
        return formatted_arn(self._format, call.region, call.account_id, resource_id)

    def id_of(self, arn: str) -> str:
        """The id in an ARN of this kind; empty for an ARN of another one."""
        match = self._pattern.fullmatch(arn)
        return "" if match is None else "/".join(match.groups())

    def own_id(self, call: Call, arn: str) -> str:
        """The id in an ARN of the caller's account and Region; empty for any other ARN."""
        key = self.name, arn, call.region, call.account_id
        known = _own_ids.get(key)
        if known is None:
            resource_id = self.id_of(arn)
            known = resource_id if resource_id and arn == self.arn(call, resource_id) else ""
            _own_ids.put(key, known)
        return known

    @cached_property
    def _template(self) -> str:
        return resource_types(action_prefix(self.service))[self.resource_type].arn

    @cached_property
    def _format(self) -> str:
        return arn_format(self._template)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        around = {"Partition", "Region", "Account", "AccountId"}
        parts = _VARIABLE.split(self._template)
        last = max(at for at in range(1, len(parts), 2))
        written = []
        for at, part in enumerate(parts):
            if at % 2 == 0:
                written.append(re.escape(part))
            elif part in around:
                written.append("[^:/]*")
            else:
                # Ids that callers choose may have colons. The last one ends the ARN.
                written.append("([^/]+)" if at == last else "([^:/]+)")
        return re.compile("".join(written))


# Kinds in the store that have ARNs. The ARN of a call that tags says which of them is meant.
_tagged: list[Kind] = []


def kind_with_arn(service: str, resource_type: str, id_member: str, **traits: Any) -> Kind:
    """A kind in the resource store whose resources have ARNs: policies name them, and they may have tags.

    ``traits`` are further fields of :class:`Kind`.
    """
    made = Kind(service, resource_type, id_member, **traits)
    _tagged.append(made)

    @resource_kind(action_prefix(service), resource_type, kept_as_read=True)
    def describe(call: Call, resource: RequestedResource) -> Described:
        resource_id = made.own_id(call, resource.arn)
        if not resource_id:
            # Another account's, or another Region's: this call does not know its tags.
            return Described(resource.arn, {})
        tags = store.tags_by_id(call.db, made.place(call), resource_id)
        return Described(resource.arn, {f"aws:resourcetag/{key.lower()}": value for key, value in tags})

    return made


def resource_of_arn(call: Call, arn: str, *, locked: bool) -> tuple[Kind, Resource]:
    """The caller's resource of that ARN.

    Raises AwsError NotFoundException or ResourceNotFoundException, whichever the operation's model has,
    BadRequestException for a type of resource without tags, and NotImplemented for one that no operation here makes.
    """
    for kind in _tagged:
        resource_id = kind.id_of(arn)
        if resource_id:
            is_here = kind.service == call.service and arn == kind.arn(call, resource_id)
            named = arn if kind.is_named_by_arn else resource_id
            found = kind.kept.find(call, kind, (named,), locked=locked) if is_here else None
            if found is None:
                code = RESOURCE_NOT_FOUND if RESOURCE_NOT_FOUND in call.model.error_codes else NOT_FOUND
                raise AwsError(code, f"Resource {arn} was not found.")
            return kind, found
    parsed = parse_arn(arn)
    prefix = action_prefix(call.service)
    if parsed is None or parsed.service != prefix:
        raise bad_request(f"ResourceARN must be the ARN of a resource of {prefix}.")
    with_tags = actions(prefix)[call.operation.lower()].resource_types
    if not any(Kind(call.service, each, "Arn").id_of(arn) for each in with_tags):
        # The Service Authorization Reference names no such type of resource. AWS's answer was not recorded.
        raise bad_request(f"A resource with the ARN {arn} takes no tags.")
    raise not_emulated(call.service, call.operation)


def shown(call: Call, member: str, content: Content) -> dict[str, Any]:
    """The content as the answer's member ``member`` has it: an older model may lack some of its members."""
    return {name: value for name, value in content.items() if (member, name) in call.model.output_paths}
