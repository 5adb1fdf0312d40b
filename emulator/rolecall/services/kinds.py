"""Kinds of resources: what the verbs of services/verbs.py must know of one, and where its resources are kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rolecall.access.resources import Resource as RequestedResource
from rolecall.arns import PARTITION, parse_arn
from rolecall.data import resource_types
from rolecall.errors import AwsError
from rolecall.service_records import action_prefix
from rolecall.services.permissions import Described, resource_kind
from rolecall.services.registry import Call, not_emulated
from rolecall.storage import resources as store
from rolecall.storage.resources import Content, Place, Position, Resource

Ids = tuple[str, ...]
NOT_FOUND = "NotFoundException"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Kept:
    """Where the resources of a kind are kept. A kind with tables of its own has those methods that its verbs use."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        """The caller's resource of these ids, its parent's first; ``locked`` where the call changes it."""
        raise NotImplementedError

    def page(self, call: Call, kind: Kind, after: Position, limit: int) -> list[Resource]:
        raise NotImplementedError

    def set_content(self, call: Call, resource: Resource, content: Content) -> None:
        raise NotImplementedError

    def remove(self, call: Call, resource: Resource) -> None:
        raise NotImplementedError

    def setting(self, call: Call, resource: Resource, name: str) -> Content | None:
        raise NotImplementedError

    def put_setting(self, call: Call, resource: Resource, name: str, content: Content) -> None:
        raise NotImplementedError

    def remove_setting(self, call: Call, resource: Resource, name: str) -> None:
        raise NotImplementedError


class ResourceStore(Kept):
    """The table of resources, which have no parents. Each belongs to the Region whose endpoint was called."""

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        [resource_id] = ids
        return store.find(call.db, kind.place(call), resource_id, locked=locked)

    def page(self, call: Call, kind: Kind, after: Position, limit: int) -> list[Resource]:
        return store.page(call.db, kind.place(call), after, limit)

    def set_content(self, call: Call, resource: Resource, content: Content) -> None:
        store.set_content(call.db, resource.key, content)

    def remove(self, call: Call, resource: Resource) -> None:
        store.remove(call.db, resource.key)

    def setting(self, call: Call, resource: Resource, name: str) -> Content | None:
        return store.setting(call.db, resource.key, name)

    def put_setting(self, call: Call, resource: Resource, name: str, content: Content) -> None:
        store.put_setting(call.db, resource.key, name, content)

    def remove_setting(self, call: Call, resource: Resource, name: str) -> None:
        store.remove_setting(call.db, resource.key, name)


RESOURCES = ResourceStore()


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    ``resource_type`` is the Service Authorization Reference's word; one that the reference does not have has no ARN.
    ``id_member`` is the member that names a resource, in requests and in answers. A resource that belongs to one of
    another kind, its ``parent``, is named by both ids; such kinds have tables of their own.
    """

    service: str
    resource_type: str
    id_member: str
    kept: Kept = field(default=RESOURCES)
    parent: Kind | None = None

    def place(self, call: Call) -> Place:
        """Where the caller's resources of this kind are in the store."""
        return Place(call.account_id, call.region, self.name)

    @cached_property
    def name(self) -> str:
        return f"{self.service}/{self.resource_type}"

    @cached_property
    def id_members(self) -> tuple[str, ...]:
        """The members that name a resource, its parent's first."""
        return (*(() if self.parent is None else self.parent.id_members), self.id_member)

    @cached_property
    def noun(self) -> str:
        """``Voice Connector`` of ``VoiceConnectorId``: the kind in messages."""
        return _WORDS.sub(" ", self.id_member.removesuffix("Id").removesuffix("Arn"))

    def not_found(self, resource_id: str) -> AwsError:
        return AwsError(NOT_FOUND, f"{self.noun} {resource_id} was not found.")

    def arn(self, call: Call, resource_id: str) -> str:
        """The ARN of the caller's resource. Raises KeyError for a kind that has none."""
        known: Mapping[str, str] = {"Partition": PARTITION, "Region": call.region, "AccountId": call.account_id}
        return _VARIABLE.sub(lambda match: known.get(match[1], resource_id), self._template)

    def id_of(self, arn: str) -> str:
        """The id in an ARN of this kind; empty for an ARN of another one."""
        match = self._pattern.fullmatch(arn)
        return "" if match is None else match[1]

    @cached_property
    def _template(self) -> str:
        return resource_types(action_prefix(self.service))[self.resource_type].arn

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        around = {"Partition", "Region", "AccountId"}
        parts = _VARIABLE.split(self._template)
        return re.compile(
            "".join(
                re.escape(part) if at % 2 == 0 else "[^:/]*" if part in around else "([^:/]+)"
                for at, part in enumerate(parts)
            )
        )


# Kinds in the store that have ARNs. The ARN of a call that tags says which of them is meant.
_tagged: list[Kind] = []


def kind_with_arn(service: str, resource_type: str, id_member: str) -> Kind:
    """A kind in the resource store whose resources have ARNs: policies name them, and they may have tags."""
    made = Kind(service, resource_type, id_member)
    _tagged.append(made)

    @resource_kind(action_prefix(service), resource_type)
    def describe(call: Call, resource: RequestedResource) -> Described:
        resource_id = made.id_of(resource.arn)
        if resource_id == "" or resource.arn != made.arn(call, resource_id):
            # Another account's, or another Region's: this call does not know its tags.
            return Described(resource.arn, {})
        tags = store.tags_by_id(call.db, made.place(call), resource_id)
        return Described(resource.arn, {f"aws:resourcetag/{key.lower()}": value for key, value in tags})

    return made


def resource_of_arn(call: Call, arn: str, *, locked: bool) -> tuple[Kind, Resource]:
    """The caller's resource of that ARN.

    Raises AwsError NotFoundException, and NotImplemented for a type of resource that no operation here makes.
    """
    for kind in _tagged:
        resource_id = kind.id_of(arn)
        if resource_id:
            is_here = kind.service == call.service and arn == kind.arn(call, resource_id)
            found = kind.kept.find(call, kind, (resource_id,), locked=locked) if is_here else None
            if found is None:
                raise AwsError(NOT_FOUND, f"Resource {arn} was not found.")
            return kind, found
    parsed = parse_arn(arn)
    prefix = action_prefix(call.service)
    if parsed is None or parsed.service != prefix:
        raise AwsError("BadRequestException", f"ResourceARN must be the ARN of a resource of {prefix}.")
    raise not_emulated(call.service, call.operation)


def shown(call: Call, member: str, content: Content) -> dict[str, Any]:
    """The content as the answer's member ``member`` has it: an older model may lack some of its members."""
    return {name: value for name, value in content.items() if (member, name) in call.model.output_paths}
