"""The verbs of IAM Roles Anywhere: each resource has a member ``enabled``, and an operation answers the whole resource.

``shape`` makes the answer of what is kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rolecall.services.kinds import Kind, shown
from rolecall.services.registry import Answer, Call, Function, operation, parameter_not_emulated
from rolecall.services.rolesanywhere.common import Tag, checked_tags, invalid, worded
from rolecall.services.verbs import change, existing, keep, page_of
from rolecall.storage.resources import Content

MAXIMUM_PAGE = 100
Shape = Callable[[Content], Content]


def made(call: Call, kind: Kind, content: Content, tags: Sequence[Tag], shape: Shape = dict) -> Answer:
    """Keep a new resource under the id in its content, with its ARN and times; answers it."""
    times = {"createdAt": call.now_seconds, "updatedAt": call.now_seconds}
    checked: Any = checked_tags(tags)
    resource_id = content[kind.id_member]
    arn_member = kind.id_member.removesuffix("Id") + "Arn"
    whole = {arn_member: kind.arn(call, resource_id), **content, **times}
    return answered(call, keep(call, kind, resource_id, whole, checked).content, shape)


def changed(call: Call, kind: Kind, resource_id: str, members: Content, shape: Shape = dict) -> Answer:
    """Change members of a resource; answers it. Raises AwsError ResourceNotFoundException."""
    return answered(call, change(call, kind, resource_id, members={**members, "updatedAt": call.now_seconds}), shape)


def answered(call: Call, content: Content, shape: Shape = dict) -> Answer:
    [member] = call.model.output_members
    return {member: shown(call, member, shape(content))}


def _declare(kind: Kind, name: str, verb: str, function: Function) -> None:
    frame = sys._getframe(2)
    operation(kind.service, name, verb=verb, place=(frame.f_code.co_filename, frame.f_lineno))(function)


def _only_id(call: Call, kind: Kind, members: dict[str, Any]) -> str:
    resource_id: str = members.pop(kind.id_member)
    if members:
        raise parameter_not_emulated(call.operation, min(members))
    return resource_id


def get(kind: Kind, name: str, shape: Shape = dict) -> None:
    """Takes the id, answers the resource."""

    def function(call: Call, **members: Any) -> Answer:
        return answered(call, existing(call, kind, _only_id(call, kind, members)).content, shape)

    _declare(kind, name, "get", function)


def list_(kind: Kind, name: str, shape: Shape = dict) -> None:
    """Takes nextToken and pageSize; answers the resources of the account in the Region, the oldest first."""

    def function(call: Call, *, nextToken: str | None = None, pageSize: int | None = None, **more: Any) -> Answer:
        if more:
            raise parameter_not_emulated(call.operation, min(more))
        if pageSize is not None and pageSize < 1:
            raise invalid("pageSize must be 1 or more.")
        [member] = set(call.model.output_members) - {"nextToken"}
        with worded():
            answer = page_of(call, kind, (), member, nextToken, min(pageSize or MAXIMUM_PAGE, MAXIMUM_PAGE))
        if "NextToken" in answer:
            answer["nextToken"] = answer.pop("NextToken")
        answer[member] = [shape(each) for each in answer[member]]
        return answer

    _declare(kind, name, "list", function)


def delete(kind: Kind, name: str, shape: Shape = dict) -> None:
    """Takes the id, answers the resource as it was."""

    def function(call: Call, **members: Any) -> Answer:
        found = existing(call, kind, _only_id(call, kind, members), locked=True)
        kind.kept.remove(call, kind, found)
        return answered(call, found.content, shape)

    _declare(kind, name, "delete", function)


def switch(kind: Kind, name: str, shape: Shape = dict) -> None:
    """EnableX or DisableX: takes the id, answers the resource."""
    enabled = name.startswith("Enable")

    def function(call: Call, **members: Any) -> Answer:
        return changed(call, kind, _only_id(call, kind, members), {"enabled": enabled}, shape)

    _declare(kind, name, "switch", function)
