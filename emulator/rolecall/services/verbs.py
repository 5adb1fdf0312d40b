"""Operations that are declared: a verb takes the kind and the operation's name, and nothing else.

What an operation takes and answers is the model's; a test holds that each fits its verb. An operation that needs more
than its verb is written as a function, over :func:`existing`, :func:`create`, :func:`replace_setting` and the store.
Content is kept as the API spells it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct

from rolecall.errors import AwsError, bad_request
from rolecall.services.kinds import NOT_FOUND, Ids, Kind, resource_of_arn, shown, with_secret
from rolecall.services.members import Tag
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call, Function, operation, parameter_not_emulated
from rolecall.storage import resources as store
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.resources import BEFORE_THE_FIRST, Content, Resource

# Members of a resource that say when it was last changed.
_CHANGED_AT = ("UpdatedTimestamp", "LastUpdatedTimestamp")
_PAGE_MEMBERS = frozenset({"NextToken", "MaxResults"})
# The models: TagResource takes 1 to 50 tags, and a resource has no more.
MAXIMUM_TAGS = 50
# The trace of an ended resource stays for a day, so that a client with its id learns that it has ended.
ENDED_ARE_KEPT_SECONDS = 86_400
TAG_OPERATIONS = ("TagResource", "UntagResource", "ListTagsForResource")


class Declared(Struct, frozen=True):
    """One operation that a verb answers; ``kind`` is None for the operations on tags, where the ARN tells it."""

    service: str
    name: str
    verb: str
    kind: Kind | None


declared_operations: list[Declared] = []


def _declare(service: str, name: str, verb: str, kind: Kind | None, function: Function) -> None:
    # The line that calls the verb is where the operation stands, for `rolecall operations`.
    frame = sys._getframe(2)
    operation(service, name, verb=verb, place=(frame.f_code.co_filename, frame.f_lineno))(function)
    declared_operations.append(Declared(service, name, verb, kind))


def get(kind: Kind, name: str) -> None:
    """Takes the id, answers the resource as its one member."""

    def function(call: Call, **members: Any) -> Answer:
        return _answer(call, existing(call, kind, *_only_ids(call, kind, members)).content)

    _declare(kind.service, name, "get", kind, function)


def list_(kind: Kind, name: str) -> None:
    """Takes NextToken, MaxResults and the parent's ids; answers the parent's or the account's resources and NextToken.

    The oldest is the first.
    """

    def function(call: Call, *, NextToken: str | None = None, MaxResults: int | None = None, **more: Any) -> Answer:
        ids = tuple(more.pop(member) for member in kind.id_members[:-1])
        _refuse(call, more)
        [member] = set(call.model.output_members) - _PAGE_MEMBERS
        return page_of(call, kind, ids, member, NextToken, MaxResults)

    _declare(kind.service, name, "list", kind, function)


def update(kind: Kind, name: str) -> None:
    """Takes the id and members of the resource, answers the resource. Members that are left out stay as they are."""

    def function(call: Call, **members: Any) -> Answer:
        ids = _ids(kind, members)
        [answered] = call.model.output_members
        _refuse(call, [member for member in members if (answered, member) not in call.model.output_paths])
        return _answer(call, change(call, kind, *ids, members=members))

    _declare(kind.service, name, "update", kind, function)


def delete(kind: Kind, name: str) -> None:
    """Takes the id. Settings and tags go with the resource."""

    def function(call: Call, **members: Any) -> Answer:
        kind.kept.remove(call, kind, existing(call, kind, *_only_ids(call, kind, members), locked=True))
        return {}

    _declare(kind.service, name, "delete", kind, function)


def get_setting(kind: Kind, name: str) -> None:
    """Takes the id, answers the document that was last put. There is none before that, nor after it was deleted."""

    def function(call: Call, **members: Any) -> Answer:
        resource = existing(call, kind, *_only_ids(call, kind, members))
        [member] = call.model.output_members
        return {member: shown(call, member, setting_of(call, kind, resource, member))}

    _declare(kind.service, name, "get setting", kind, function)


def put_setting(kind: Kind, name: str) -> None:
    """Takes the id and the document, which replaces the present one; answers the document, or nothing."""
    names = documents_named_by(kind, name)

    def function(call: Call, **members: Any) -> Answer:
        ids = _ids(kind, members)
        [member] = names & members.keys()
        content = members.pop(member)
        _refuse(call, members)
        return replace_setting(call, kind, existing(call, kind, *ids, locked=True), member, content)

    _declare(kind.service, name, "put setting", kind, function)


def delete_setting(kind: Kind, name: str) -> None:
    """Takes the id. The operation's name ends with the name of the document, after the name of the kind."""
    member = min(documents_named_by(kind, name), key=len)

    def function(call: Call, **members: Any) -> Answer:
        resource = existing(call, kind, *_only_ids(call, kind, members), locked=True)
        remove_setting(call, kind, resource, member)
        return {}

    _declare(kind.service, name, "delete setting", kind, function)


def tags(service: str) -> None:
    """TagResource, UntagResource and ListTagsForResource of a service. The ARN tells kind and resource."""
    functions: tuple[Function, ...] = (_tag, _untag, _list_tags)
    for name, function in zip(TAG_OPERATIONS, functions, strict=True):
        _declare(service, name, "tags", None, function)


def _tag(call: Call, *, ResourceARN: str, Tags: Sequence[Tag], **more: Any) -> Answer:
    _refuse(call, more)
    _, resource = resource_of_arn(call, ResourceARN, locked=True)
    added = checked_tags(Tags)
    if len({key for key, _ in store.tags_of(call.db, resource.key)} | dict(added).keys()) > MAXIMUM_TAGS:
        raise AwsError(
            _first_code(call, "TooManyTagsException", "ResourceLimitExceededException"),
            f"A resource may have at most {MAXIMUM_TAGS} tags.",
        )
    store.put_tags(call.db, resource.key, added)
    return {}


def _untag(call: Call, *, ResourceARN: str, TagKeys: Sequence[str], **more: Any) -> Answer:
    _refuse(call, more)
    _, resource = resource_of_arn(call, ResourceARN, locked=True)
    store.remove_tags(call.db, resource.key, dict.fromkeys(TagKeys))
    return {}


def _list_tags(call: Call, *, ResourceARN: str, **more: Any) -> Answer:
    _refuse(call, more)
    _, resource = resource_of_arn(call, ResourceARN, locked=False)
    return {"Tags": [{"Key": key, "Value": value} for key, value in store.tags_of(call.db, resource.key)]}


# For operations that are written.


def existing(call: Call, kind: Kind, *ids: str, locked: bool = False) -> Resource:
    """The caller's resource of that id, its parent's ids before it; ``locked`` where the call changes it.

    Raises AwsError NotFoundException, for a parent that is absent too.
    """
    found = kind.kept.find(call, kind, ids, locked=locked)
    if found is None:
        if kind.parent is not None and len(ids) > 1:
            existing(call, kind.parent, *ids[:-1])
        raise kind.kept.absent(call, kind, ids)
    return found


def page_of(
    call: Call, kind: Kind, parent_ids: Ids, member: str, asked_token: str | None, max_results: int | None
) -> Answer:
    """A page of the resources of a parent, or of the account's, as ``member`` of the answer; and NextToken.

    Raises AwsError NotFoundException for the parent, BadRequestException for a token of another list.
    """
    parent = existing(call, kind.parent, *parent_ids) if kind.parent is not None and parent_ids else None
    scope, limit = (call.region, *parent_ids), max_results or kind.page_size
    after = BEFORE_THE_FIRST if asked_token is None else position_of(call, scope, asked_token)
    found = kind.kept.page(call, kind, parent, after, limit + 1)
    resources, rest = one_page(call, scope, found, limit, lambda each: each.position)
    return {member: [shown(call, member, each.content) for each in resources], **rest}


def create(call: Call, kind: Kind, resource_id: str, content: Content, tags: Sequence[Tag] = (), **more: Any) -> Answer:
    """Keep a new resource in the store, as :func:`keep` does; answers it as the operation's one member."""
    return _answer(call, keep(call, kind, resource_id, content, tags, **more).content)


def keep(
    call: Call,
    kind: Kind,
    resource_id: str,
    content: Content,
    tags: Sequence[Tag] = (),
    *,
    parent: Resource | None = None,
    create_token: str | None = None,
    ends_at_seconds: int | None = None,
) -> Resource:
    """A new resource of the store, which belongs to ``parent`` and ends then. An ended one gives its id back.

    Raises AwsError ConflictException when its id or its token is taken, BadRequestException for tags that cannot be.
    """
    place, parent_key = kind.place(call), None if parent is None else parent.key
    secret = content.get(kind.secret_member) if kind.secret_member else None
    public = {name: value for name, value in content.items() if name != kind.secret_member}
    added = checked_tags(tags)
    before = store.find(call.db, place, resource_id)
    if before is not None and before.has_ended(call.now_seconds):
        store.remove(call.db, before.key)
    if ends_at_seconds is not None:
        # What is left of ended resources goes, so that it does not grow for ever.
        store.remove_ended(call.db, place, call.now_seconds - ENDED_ARE_KEPT_SECONDS)
    resource = Resource(
        call.ids.uuid(),
        resource_id,
        int(call.now_seconds),
        public,
        parent_key,
        ends_at_seconds,
        create_token,
        secret,
    )
    try:
        store.add(call.db, place, resource)
    except AlreadyThere as problem:
        raise AwsError("ConflictException", f"{kind.noun} {resource_id} exists already.") from problem
    store.put_tags(call.db, resource.key, added)
    return resource._replace(content=content)


def made_with_token(call: Call, kind: Kind, create_token: str, asked: Content | None = None) -> Resource | None:
    """The resource that an earlier call with this token made. The token of one that has ended makes a new one.

    ``asked`` are members of the request that no later call changes. Raises AwsError ConflictException where the
    resource has other values: it is not what the caller asks for. AWS's wording was not recorded.
    """
    found = store.find_by_token(call.db, kind.place(call), create_token)
    if found is None:
        return None
    if found.has_ended(call.now_seconds):
        store.drop_token(call.db, found.key)
        return None
    if any(found.content.get(member) != value for member, value in (asked or {}).items()):
        raise AwsError("ConflictException", "ClientRequestToken was used with other parameters.")
    return with_secret(kind, found)


def change(call: Call, kind: Kind, *ids: str, members: Content) -> Content:
    """The content of a resource after these members of it were changed. Raises AwsError NotFoundException."""
    resource = existing(call, kind, *ids, locked=True)
    changed_at = {member: call.now_seconds for member in _CHANGED_AT if member in resource.content}
    content = {**resource.content, **members, **changed_at}
    kind.kept.set_content(call, kind, resource, content)
    return content


def setting_of(call: Call, kind: Kind, resource: Resource, member: str) -> Content:
    """The document of that name that hangs on a resource. Raises AwsError NotFoundException where there is none."""
    content = kind.kept.setting(call, resource, member)
    if content is None:
        raise AwsError(NOT_FOUND, f"{kind.noun} {resource.resource_id} has no {member}.")
    return content


def replace_setting(call: Call, kind: Kind, resource: Resource, member: str, content: Content) -> Answer:
    """Keep a document of a locked resource in place of the present one; answers it if the operation does."""
    kind.kept.put_setting(call, resource, member, content)
    return {member: content} if call.model.output_members else {}


def remove_setting(call: Call, kind: Kind, resource: Resource, member: str) -> None:
    """Delete a document of a locked resource. Raises AwsError NotFoundException where there is none."""
    setting_of(call, kind, resource, member)
    kind.kept.remove_setting(call, resource, member)


def checked_tags(tags: Sequence[Tag]) -> list[store.Tag]:
    """Key and value of each. Raises BadRequestException for a key that is AWS's own, or there twice."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise bad_request("Tags must not have the same key twice.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise bad_request("The keys of tags must not begin with aws:, which AWS reserves.")
    return pairs


def documents_named_by(kind: Kind, name: str) -> frozenset[str]:
    """What the document may be called: of PutVoiceConnectorTermination, VoiceConnectorTermination or Termination."""
    whole = re.sub("^(Put|Update|Delete)", "", name)
    return frozenset({whole, whole.removeprefix(kind.noun.replace(" ", ""))})


def _ids(kind: Kind, members: dict[str, Any]) -> Ids:
    """The ids among the members, which keep the others."""
    return tuple(members.pop(member) for member in kind.id_members)


def _only_ids(call: Call, kind: Kind, members: dict[str, Any]) -> Ids:
    """The ids of an operation that takes nothing else."""
    ids = _ids(kind, members)
    _refuse(call, members)
    return ids


def _first_code(call: Call, *codes: str) -> str:
    """The first of these error codes that the operation's model has; the last where it has none."""
    return next((code for code in codes if code in call.model.error_codes), codes[-1])


def _refuse(call: Call, unknown: Collection[str]) -> None:
    """What a newer model lets clients send, and the verb would ignore."""
    if unknown:
        raise parameter_not_emulated(call.operation, min(unknown))


def _answer(call: Call, content: Content) -> Answer:
    [member] = call.model.output_members
    return {member: shown(call, member, content)}
