"""What a call is about: the ARNs of its resources, from AWS's tables and the members of the request.

The Service Authorization Reference says which resource types an action has, and how the ARN of each type is written.
A member of the request names the resource, by its ARN or by the last part of the ARN. Each operation is compiled once
into the members that matter. This module knows no service: data/actions/resource_members.json holds what the tables do
not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.arns import PARTITION
from rolecall.data import ResourceType, actions, resource_members, resource_types

EVERYTHING = "*"
# The path to a member of an input. ("TargetApplications", "SipMediaApplicationId") is inside a list of structures.
MemberPath = tuple[str, ...]

# Members that can name a resource of any type.
_OF_ANY_TYPE = frozenset({"arn", "entityarn", "identifier", "resourcearn"})
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_WITH_PATH = "WithPath"
_PATH_MEMBER = "Path"
_ACCOUNT_VARIABLES = frozenset({"Account", "AccountId"})
_NAMED_BY = ("", "id", "name", "arn", "identifier")


class Resource(Struct, frozen=True):
    """One resource of a call. ``type`` is its type in the reference, empty for ``*`` and for an ARN of another type.

    ``given`` is the name, id or ARN in the request. It is empty when the request names no resource.
    """

    type: str
    arn: str
    given: str = ""


class _Template(Struct, frozen=True):
    """The ARN template of a resource type. The resource's name fills the variable ``last``, if there is one."""

    type: str
    text: str
    variables: tuple[str, ...]
    literal_count: int
    pattern: re.Pattern[str]

    @property
    def last(self) -> str:
        return self.variables[-1] if self.variables else ""


def _template(row: ResourceType) -> _Template:
    parts = _VARIABLE.split(row.arn)
    variables = tuple(name for name in parts[1::2] if name not in _ACCOUNT_VARIABLES | {"Partition", "Region"})
    written = "".join(
        re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^:]*)" if part not in variables else f"(?P<{part}>.+)"
        for index, part in enumerate(parts)
    )
    return _Template(row.name, row.arn, variables, sum(map(len, parts[0::2])), re.compile(written))


class _Source(Struct, frozen=True):
    """A member that names resources of some types. With ``holds_arns`` its value is never a name or an id."""

    path: MemberPath
    types: tuple[_Template, ...]
    holds_arns: bool


class ActionResources(Struct, frozen=True):
    """One operation, compiled: see :func:`compile_resources`."""

    sources: tuple[_Source, ...]
    # The types of the operation, when no member can name a resource.
    unnamed: tuple[_Template, ...]
    # By variable, without the last one: the member that fills it, and the template of that member if it is an ARN.
    fillers: Mapping[str, tuple[MemberPath, _Template | None]]
    # The type of the resource when the request names none. Empty for an operation with several types or no type.
    implied_type: str
    # The members of the request that ``of`` looks at, or looks into.
    members: tuple[str, ...]

    def of(self, parameters: Mapping[str, Any], region: str, account_id: str) -> Sequence[Resource]:
        """The resources that a request names. If it names none: the operation's only type, or type "", on ``*``.

        Nothing but ``members``, ``region`` and ``account_id`` counts.
        """
        found: dict[str, Resource] = {}
        for source in self.sources:
            for value in _values(parameters, source.path):
                resource = self._named(source, value, parameters, region, account_id)
                found[resource.arn] = resource
        if found:
            return list(found.values())
        if len(self.unnamed) == 1:
            template = self.unnamed[0]
            return [Resource(template.type, self._filled(template, EVERYTHING, parameters, region, account_id))]
        return [Resource(self.implied_type, EVERYTHING)]

    def _named(
        self, source: _Source, value: str, parameters: Mapping[str, Any], region: str, account_id: str
    ) -> Resource:
        if source.holds_arns or value.startswith("arn:"):
            return Resource(_type_of(source.types, value), value, value)
        template = source.types[0]
        arn = self._filled(template, value.partition("://")[2] or value, parameters, region, account_id)
        return Resource(template.type, arn, value)

    def _filled(
        self, template: _Template, name: str, parameters: Mapping[str, Any], region: str, account_id: str
    ) -> str:
        """The template's ARN with ``name`` as its last variable, and ``*`` for variables that the request lacks."""

        def value(match: re.Match[str]) -> str:
            variable = match[1]
            if variable == "Partition":
                return PARTITION
            if variable == "Region":
                return region
            if variable in _ACCOUNT_VARIABLES:
                return account_id
            if variable != template.last:
                return self._filler(variable, parameters)
            path = parameters.get(_PATH_MEMBER, "/") if variable.endswith(_WITH_PATH) else "/"
            return path.removeprefix("/") + name

        return _VARIABLE.sub(value, template.text)

    def _filler(self, variable: str, parameters: Mapping[str, Any]) -> str:
        path, template = self.fillers.get(variable, ((), None))
        for value in _values(parameters, path) if path else ():
            if template is None:
                return value
            match = template.pattern.fullmatch(value)
            if match is not None:
                return match[variable]
        return EVERYTHING


_NOTHING = ActionResources((), (), {}, "", ())


def compile_resources(service_prefix: str, operation: str, members: Sequence[MemberPath]) -> ActionResources:
    """The members that name the resources of an operation. ``members`` are all member paths of its input.

    The operation has an action of the same name.
    """
    try:
        row = actions(service_prefix).get(operation.lower())
        known = resource_types(service_prefix)
    except KeyError:
        return _NOTHING
    rows = resource_members(service_prefix)
    written = rows.actions.get(operation, {})
    names = dict.fromkeys([*(() if row is None else row.resource_types), *written])
    templates = [_template(known[name]) for name in names if name in known]
    paths = {".".join(path): path for path in members}
    by_type = {
        template: _members_naming(template, paths, written.get(template.type), rows.types) for template in templates
    }
    if not any(by_type.values()):
        of_any: list[MemberPath] = [path for path in members if len(path) == 1 and path[0].lower() in _OF_ANY_TYPE]
        by_type = {template: of_any if template.type not in written else [] for template in templates}
    by_path: dict[MemberPath, list[_Template]] = {}
    for template, named_by in by_type.items():
        for path in named_by:
            by_path.setdefault(path, []).append(template)
    fillers = _fillers(templates, [_template(each) for each in known.values()], members)
    return ActionResources(
        sources=tuple(_Source(path, tuple(types), _holds_arns(path)) for path, types in by_path.items()),
        unnamed=() if by_path else tuple(templates),
        fillers=fillers,
        implied_type=templates[0].type if len(templates) == 1 else "",
        members=tuple(
            dict.fromkeys([*(path[0] for path in by_path), *(path[0] for path, _ in fillers.values()), _PATH_MEMBER])
        ),
    )


def _members_naming(
    template: _Template,
    paths: Mapping[str, MemberPath],
    written: Sequence[str] | None,
    written_of_types: Mapping[str, Sequence[str]],
) -> list[MemberPath]:
    """The members that name a resource of the type: from the rows of the table, otherwise by similar names."""
    if written is not None:
        return [paths[member] for member in written if member in paths]
    listed = [paths[member] for member in written_of_types.get(template.type, ()) if member in paths]
    if listed:
        return listed
    of_type = template.type.replace("-", "").lower()
    plain = template.last.removesuffix(_WITH_PATH)
    if not plain:
        return []
    wanted = {template.last.lower(), plain.lower(), *(of_type + end for end in _NAMED_BY)}
    alike = [path for path in paths.values() if path[-1].lower() in wanted]
    # The request's own members come before members inside of them.
    outer: list[MemberPath] = [path for path in alike if len(path) == 1]
    return outer or alike


def _fillers(
    templates: Sequence[_Template], known: Sequence[_Template], members: Sequence[MemberPath]
) -> dict[str, tuple[MemberPath, _Template | None]]:
    """Members that fill variables other than the last: by the variable's name, or from a parent resource's ARN."""
    fillers: dict[str, tuple[MemberPath, _Template | None]] = {}
    outer = {path[0].lower(): path for path in members if len(path) == 1}
    for variable in {variable for template in templates for variable in template.variables[:-1]}:
        if variable.lower() in outer:
            fillers[variable] = (outer[variable.lower()], None)
            continue
        for whole in known:
            member = outer.get(whole.type.replace("-", "").lower() + "arn")
            if whole.last == variable and member is not None:
                fillers[variable] = (member, whole)
    return fillers


def _holds_arns(path: MemberPath) -> bool:
    return path[-1].lower().endswith("arn")


def _type_of(templates: Sequence[_Template], arn: str) -> str:
    """The type of an ARN: the matching template with the most literal characters; empty when no template matches."""
    fitting = [template for template in templates if template.pattern.fullmatch(arn)]
    return max(fitting, key=lambda template: template.literal_count).type if fitting else ""


def _values(value: Any, path: MemberPath) -> Iterator[str]:
    """The texts at the path, also inside lists."""
    if isinstance(value, list):
        for each in value:
            yield from _values(each, path)
    elif path:
        if isinstance(value, Mapping) and path[0] in value:
            yield from _values(value[path[0]], path[1:])
    elif isinstance(value, str) and value:
        yield value
