"""The permissions that a call needs by AWS's tables: the default of every operation, whether it is built or not.

An operation that needs other permissions names them in its decorator. This module knows no service. A service
registers its kinds of resources with :func:`resource_kind`: what is stored about one, and AWS's words for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rolecall.access.permission import ContextValue, Permission
from rolecall.access.resources import ActionResources, Resource, compile_resources
from rolecall.arns import parse_arn
from rolecall.caches import BoundedCache
from rolecall.data import actions, resource_members
from rolecall.service_records import SERVICE_RECORDS, action_prefix
from rolecall.services.registry import Call, Parameters

_ACCOUNT_ID_DIGITS = 12
# For each operation.
_REMEMBERED_REQUESTS = 128


class Described(Struct, frozen=True):
    """A stored resource: its ARN, its condition keys, and AWS's words for it in a refusal if they are not the ARN."""

    arn: str
    context: Mapping[str, ContextValue]
    shown_as: str = ""


Describe = Callable[[Call, Resource], Described]
Implied = Callable[[Call], Described]


class ResourceKind(Struct, frozen=True):
    """What a service knows about a resource type.

    - ``describe``: gives the stored facts of a resource that the request names.
    - ``implied``: gives the stored facts of the resource that is meant when the request names none.
    - ``made_by``: the operation that creates one.
    - ``made_as``: AWS's words for it in a refusal of that operation, with ``{name}``.
    - ``tagged_by``: the further action that creating one with tags needs.
    - ``kept``: whether ``describe`` reads only tables that bear on rights. Then its result holds for a generation.
    """

    describe: Describe
    implied: Implied | None
    made_by: str
    made_as: str
    tagged_by: str
    kept: bool


_kinds: dict[tuple[str, str], ResourceKind] = {}


def as_named(_call: Call, resource: Resource) -> Described:
    """For kinds that are not stored yet: the resource with the ARN from the request."""
    return Described(resource.arn, {})


def resource_kind(
    service_prefix: str,
    resource_type: str,
    *,
    made_by: str = "",
    made_as: str = "",
    tagged_by: str = "",
    implied: Implied | None = None,
    kept: bool = False,
) -> Callable[[Describe], Describe]:
    """Register a resource type by its name in the Service Authorization Reference. See :class:`ResourceKind`."""

    def register(describe: Describe) -> Describe:
        if (service_prefix, resource_type) in _kinds:
            raise ValueError(f"{resource_type} of {service_prefix} is registered twice")
        _kinds[service_prefix, resource_type] = ResourceKind(describe, implied, made_by, made_as, tagged_by, kept)
        return describe

    return register


class _Compiled(Struct, frozen=True):
    """What all calls of an operation share. ``members_of_keys`` are pairs of a condition key and its member."""

    prefix: str
    action: str
    # The members of the model for which this was compiled.
    input_paths: Sequence[tuple[str, ...]]
    resources: ActionResources
    members_of_keys: tuple[tuple[str, str], ...]
    has_tags: bool
    tagging_action: str
    # AWS's words in a refusal of a call that is about no resource; empty where it has none.
    everything: str
    # The permissions of an operation without resources, tags and condition keys.
    always: Sequence[Permission] | None
    # The resources of requests, by Region, account and the members that may name them.
    resources_known: BoundedCache[tuple[Any, ...], Sequence[Resource]]


# By service and operation. Bounded by the number of operations in the models.
_compiled: dict[tuple[str, str], _Compiled] = {}


def table_permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The operation's own action on each resource that the request names, or on ``*`` for an action without types.

    Creating a resource with tags also needs the permission to tag, where the tables say so.
    """
    compiled = _compiled.get((call.service, call.operation))
    if compiled is None or compiled.input_paths is not call.model.input_paths:
        compiled = _compiled[call.service, call.operation] = _compile(call)
    if compiled.always is not None:
        return compiled.always
    context = _requested(compiled, parameters)
    permissions: list[Permission] = []
    for resource in _resources(compiled, call, parameters):
        kind = _kinds.get((compiled.prefix, resource.type))
        permissions.append(_permission(call, compiled, resource, kind, context))
        tagging = compiled.tagging_action
        if kind is not None and kind.made_by == call.operation and kind.tagged_by:
            tagging = f"{compiled.prefix}:{kind.tagged_by}"
        if tagging and (parameters.get("Tags") or parameters.get("tags")):
            permissions.append(replace(permissions[-1], action=tagging))
    return permissions


def _resources(compiled: _Compiled, call: Call, parameters: Parameters) -> Sequence[Resource]:
    """The resources that the request names. The same parameters name the same ones, so they are remembered."""
    key = (call.region, call.account_id, *map(parameters.get, compiled.resources.members))
    try:
        found = compiled.resources_known.get(key)
    except TypeError:
        # A list or a structure cannot be looked up.
        return compiled.resources.of(parameters, call.region, call.account_id)
    if found is None:
        found = compiled.resources.of(parameters, call.region, call.account_id)
        compiled.resources_known.put(key, found)
    return found


def _permission(
    call: Call,
    compiled: _Compiled,
    resource: Resource,
    kind: ResourceKind | None,
    context: Mapping[str, ContextValue],
) -> Permission:
    described, owner = _described(call, resource, kind), _owner(resource)
    # A policy must learn nothing about the resource of another account: its author could guess until a value fits.
    is_own = owner in ("", call.account_id)
    keys = {**described.context, **context} if described.context and is_own else context
    shown_as = described.shown_as or (compiled.everything if described.arn == "*" else "")
    return Permission(compiled.action, described.arn, owner, keys, shown_as=shown_as)


def _described(call: Call, resource: Resource, kind: ResourceKind | None) -> Described:
    if kind is None:
        return Described(resource.arn, {})
    if not resource.given:
        return Described(resource.arn, {}) if kind.implied is None else kind.implied(call)
    if kind.made_by == call.operation:
        return Described(resource.arn, {}, kind.made_as.format(name=resource.given))
    if not kind.kept:
        return kind.describe(call, resource)
    # Permissions are worked out in a snapshot of the store's generation, before anything is written.
    key = (kind.describe, call.operation, call.account_id, resource.arn, resource.given)
    described: Described | None = call.policies.resources.get(key)
    if described is None:
        described = kind.describe(call, resource)
        call.policies.resources.put(key, described)
    return described


def stored_keys(call: Call, prefix: str, resource_type: str, arn: str) -> Mapping[str, ContextValue]:
    """The condition keys that a stored resource adds to a call of an action about its type; none if it is not stored.

    ``call`` is about one resource of the caller's account, under its whole ARN.
    """
    kind = _kinds.get((prefix, resource_type))
    if kind is None or kind.made_by == call.operation:
        return {}
    described = kind.describe(call, Resource(resource_type, arn, arn))
    return described.context if described.arn == arn else {}


def _owner(resource: Resource) -> str:
    """The account in an ARN of the request. Empty for the caller's own account and for AWS's."""
    parsed = parse_arn(resource.given) if resource.given.startswith("arn:") else None
    if parsed is None or len(parsed.account_id) != _ACCOUNT_ID_DIGITS:
        return ""
    return parsed.account_id


def _compile(call: Call) -> _Compiled:
    prefix = action_prefix(call.service)
    try:
        row = actions(prefix).get(call.operation.lower())
    except KeyError:
        row = None
    members = {path[0] for path in call.model.input_paths}
    action = f"{prefix}:{call.operation}"
    resources = compile_resources(prefix, call.operation, call.model.input_paths)
    keys = _members_of_keys(prefix, () if row is None else row.condition_keys, members)
    depends_on = () if row is None else row.dependent_actions
    tagging = next((each for each in depends_on if each.startswith(f"{prefix}:Tag")), "")
    has_tags = not members.isdisjoint({"Tags", "TagKeys", "tags", "tagKeys"})
    is_plain = not (resources.sources or resources.unnamed or keys or has_tags) and not resources.implied_type
    everything = "*" if SERVICE_RECORDS[call.service].refusals_name_everything else ""
    always = (Permission(action, shown_as=everything),) if is_plain else None
    return _Compiled(
        prefix,
        action,
        call.model.input_paths,
        resources,
        keys,
        has_tags,
        tagging,
        everything,
        always,
        BoundedCache(_REMEMBERED_REQUESTS),
    )


def _members_of_keys(prefix: str, condition_keys: Sequence[str], members: set[str]) -> tuple[tuple[str, str], ...]:
    """The action's own condition keys whose values are members of the request: same name, or a row of the table."""
    by_name = {member.lower(): member for member in members}
    written = resource_members(prefix).condition_keys
    found = []
    for key in condition_keys:
        service, _, name = key.partition(":")
        member = written.get(key, by_name.get(name.lower(), ""))
        if service == prefix and member in members:
            found.append((key.lower(), member))
    return tuple(found)


def _requested(compiled: _Compiled, parameters: Parameters) -> Mapping[str, ContextValue]:
    context: dict[str, ContextValue] = requested_tags(parameters) if compiled.has_tags else {}
    for key, member in compiled.members_of_keys:
        value = _context_value(parameters.get(member))
        if value is not None:
            context[key] = value
    return context


def requested_tags(parameters: Parameters) -> dict[str, ContextValue]:
    """The condition keys for the tags, or the tag keys, in a request. Some models begin all members in lower case."""
    context: dict[str, ContextValue] = {}
    tags = parameters.get("Tags") or parameters.get("tags") or ()
    pairs = (
        list(tags.items())
        if isinstance(tags, Mapping)
        else [(tag["Key"], tag["Value"]) for tag in tags if "Key" in tag]
        or [(tag["key"], tag["value"]) for tag in tags if "key" in tag]
    )
    for key, value in pairs:
        context[f"aws:requesttag/{key.lower()}"] = value
    keys = (*(key for key, _ in pairs), *(parameters.get("TagKeys") or parameters.get("tagKeys") or ()))
    if keys:
        context["aws:tagkeys"] = keys
    return context


def _context_value(value: Any) -> ContextValue | None:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    return None
