"""Instances, tasks and pods of the sandbox file: their members, and what they may refer to.

A kind is declared once, by its record here and by its :class:`rolecall.delivery.kinds.Kind`. The record drives the
check of a file and of ``POST /_rolecall/attach``, the set-up, the list and the snapshot. Members without a column are
the *facts* of the kind. The row keeps them as JSON.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from rolecall.storage.problems import BadRowError
from rolecall.worlds import checking as c
from rolecall.worlds.json_schema import accepting
from rolecall.worlds.located import Located, Path
from rolecall.worlds.members import Declared, column, columns_of, member, members_of, moment, new_columns_of, record_of

Row = Mapping[str, Any]
# An EC2 role's and an EKS pod's credentials last six hours on AWS.
MAXIMUM_SESSION_SECONDS = 43_200
USUAL_MINIMUM_SESSION_SECONDS = 900
DEFAULT_HOST = "127.0.0.1"
# EC2 User Guide, Run commands when you launch an EC2 instance with user data input.
MAXIMUM_USER_DATA_BYTES = 16_384
_REGION = c.matching(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", "a Region such as eu-west-1")
_NAME = c.matching(r"[\w+=,.@-]{1,128}", "a name of up to 128 letters, digits and +=,.@_-")
# RFC 1123, labels: the names of Kubernetes' namespaces, service accounts and pods.
_KUBERNETES_NAME = c.matching(
    r"(?=.{1,63}$)[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "a name of up to 63 small letters, digits, - and ."
)


@accepting(lambda: {"type": "string", "description": "an IP address, such as 127.0.0.1"})
def _address(notes: c.Notes, path: Path, value: Any) -> str | None:
    try:
        if isinstance(value, str):
            return str(ipaddress.ip_address(value))
    except ValueError:
        pass
    notes.add(path, "must be an IP address, such as 127.0.0.1")
    return None


def _user_data_problem(text: str) -> str:
    size_bytes = len(text.encode(errors="replace"))
    return f"must have at most {MAXIMUM_USER_DATA_BYTES} bytes" if size_bytes > MAXIMUM_USER_DATA_BYTES else ""


class DeclaredAttachment(Declared):
    """What every kind has. ``port`` 0 takes a free one. Only a loopback address is bound unless ``host`` names one."""

    kind: ClassVar[str]
    section: ClassVar[str]

    host: str = column(_address, DEFAULT_HOST)
    port: int = column(c.between(0, 65_535), 0)
    role: str | None = member(c.text, None)
    region: str = member(_REGION, "us-east-1")
    session_seconds: int | None = member(c.between(1, MAXIMUM_SESSION_SECONDS), None)
    created_at_seconds: int | None = moment(once=True)


class DeclaredInstance(DeclaredAttachment):
    """An EC2 instance. It has an instance profile; a role without one gets one of the same name.

    ``hops`` says how far its programs are from the metadata service: 2 for a container behind a bridge.
    """

    kind = "imds"
    section = "instances"

    attachment_id: str | None = column(
        c.matching(r"i-[0-9a-f]{8}([0-9a-f]{9})?", "an instance id such as i-0123456789abcdef0"), None, key="id"
    )
    instance_profile: str | None = member(_NAME, None)
    instance_profile_id: str | None = member(c.matching(r"AIPA[A-Z0-9]{12,28}", "the id of an instance profile"), None)
    http_tokens: str = member(c.one_of("required", "optional"), "required")
    http_put_response_hop_limit: int = member(c.between(1, 64), 1)
    hops: int = member(c.between(1, 64), 1)
    availability_zone: str | None = member(
        c.matching(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}[a-z]", "an Availability Zone such as eu-west-1a"), None
    )
    instance_type: str = member(c.matching(r"[a-z0-9-]{1,32}\.[a-z0-9-]{1,32}", "a type such as t3.micro"), "t3.micro")
    image_id: str = member(
        c.matching(r"ami-[0-9a-f]{8}([0-9a-f]{9})?", "an image id such as ami-0123456789abcdef0"),
        "ami-00000000000000000",
    )
    private_ip: str | None = member(_address, None)
    vpc: str | None = member(c.matching(r"vpc-[0-9a-f]{8}([0-9a-f]{9})?", "an id such as vpc-0123456789abcdef0"), None)
    user_data: str | None = member(c.checked(c.text, _user_data_problem), None)


class DeclaredTask(DeclaredAttachment):
    """An ECS task, whose containers get credentials of the task role."""

    kind = "ecs"
    section = "tasks"

    attachment_id: str | None = column(
        c.matching(r"[0-9a-f]{32}", "a task id of 32 hexadecimal digits"), None, key="id"
    )
    cluster: str = member(c.matching(r"[\w-]{1,255}", "a name of up to 255 letters, digits, - and _"), "default")
    authorization_token: str | None = member(
        c.matching(r"[!-~]{1,4096}", "a token of up to 4096 printable characters"), None, secret=True
    )


class DeclaredPod(DeclaredAttachment):
    """A pod of an EKS cluster, whose service account has a Pod Identity association with the role."""

    kind = "eks"
    section = "pods"

    attachment_id: str | None = column(
        c.matching(r"a-[0-9a-z]{17}", "an association id such as a-0123456789abcdef0"), None, key="id"
    )
    cluster: str = member(
        c.matching(r"[0-9A-Za-z][A-Za-z0-9_-]{0,99}", "a name of up to 100 letters, digits, - and _"), "default"
    )
    namespace: str = member(_KUBERNETES_NAME, "default")
    service_account: str = member(_KUBERNETES_NAME, "default")
    pod: str = member(_KUBERNETES_NAME, "app-0")
    pod_uid: str | None = member(c.matching(r"[0-9a-f-]{36}", "a UUID in small letters"), None)
    session_tags: bool = member(c.boolean, True)


RECORDS: Mapping[str, type[Any]] = {make.kind: make for make in (DeclaredInstance, DeclaredTask, DeclaredPod)}


class BadAttachmentError(BadRowError, ValueError):
    """An attachment that cannot be made. The message names every problem, one on each line."""


def read_attachment(kind: str, value: Any) -> Any:
    """The record of a value, as the sandbox file would have it. Raises BadAttachmentError."""
    make = RECORDS.get(kind)
    if make is None:
        raise BadAttachmentError(f"kind must be {' or '.join(RECORDS)}")
    notes = c.Notes(Located(value, {}))
    record = record_of(make)(notes, (), value)
    if isinstance(value, dict):
        for problem in _problems_alone(make, value):
            notes.add((), problem)
    if record is None or notes.problems:
        raise BadAttachmentError("\n".join(problem.message for problem in notes.problems))
    return record


def facts_of(record: DeclaredAttachment) -> dict[str, Any]:
    """The members without a column that have a value, by key."""
    make: Any = type(record)
    members = members_of(make).items()
    found = {each.key: getattr(record, name) for name, each in members if not each.column}
    return {name: value for name, value in found.items() if value is not None}


def section_of_attachment(row: Row) -> dict[str, Any]:
    """A snapshot's mapping of a row, in the order of the record. Members with their defaults are left out."""
    make: Any = RECORDS[row["kind"]]
    facts = json.loads(row["facts"])
    shown: dict[str, Any] = {"id": row["attachment_id"]}
    for each in members_of(make).values():
        value = row[each.column] if each.column else facts.get(each.key)
        if each.key != "id" and value is not None:
            shown[each.key] = each.show(value)
    return shown


__all__ = [
    "RECORDS",
    "BadAttachmentError",
    "DeclaredAttachment",
    "DeclaredInstance",
    "DeclaredPod",
    "DeclaredTask",
    "columns_of",
    "dangling_attachments",
    "facts_of",
    "new_columns_of",
    "read_attachment",
    "section_of_attachment",
]


# What a file may declare.

Found = Iterator[tuple[Path, str]]


def dangling_attachments(world: Any) -> Found:
    """Roles and instance profiles that no account declares, and ids and ports that two attachments have."""
    settings = world.get("settings") if isinstance(world, dict) else None
    minimum = settings.get("minimum_session_seconds") if isinstance(settings, dict) else None
    minimum_seconds = minimum if type(minimum) is int else USUAL_MINIMUM_SESSION_SECONDS
    ids: set[Any] = set()
    places: set[Any] = set()
    for position, account in _mappings(world, "accounts"):
        roles = {str(role.get("name")).lower() for _, role in _mappings(account, "roles")}
        profiles = {str(profile.get("name")).lower() for _, profile in _mappings(account, "instance_profiles")}
        for make in RECORDS.values():
            for index, value in _mappings(account, make.section):
                path: Path = ("accounts", position, make.section, index)
                for problem in _problems_alone(make, value):
                    yield path, problem
                yield from _unknown_names(path, value, roles, profiles)
                seconds = value.get("session_seconds")
                if type(seconds) is int and seconds < minimum_seconds:
                    yield (*path, "session_seconds"), too_short(minimum_seconds)
                own_id, port = value.get("id"), value.get("port", 0)
                if isinstance(own_id, str) and own_id in ids:
                    yield (*path, "id"), f"{own_id!r} is declared twice"
                place = str(value.get("host", DEFAULT_HOST)), str(port)
                if port and place in places:
                    yield (*path, "port"), f"port {port} is declared twice"
                ids.add(str(own_id))
                places.add(place)


def too_short(minimum_seconds: int) -> str:
    return f"must be at least minimum_session_seconds, which is {minimum_seconds}"


def _problems_alone(make: type[Any], value: Mapping[str, Any]) -> Iterator[str]:
    if make is DeclaredInstance:
        if "role" in value and "instance_profile" in value:
            yield "has a role and an instance_profile: give one of them"
        elif not {"role", "instance_profile"} & value.keys():
            yield "lacks role or instance_profile"
    elif "role" not in value:
        yield "lacks role"


def _unknown_names(path: Path, value: Mapping[str, Any], roles: set[str], profiles: set[str]) -> Found:
    role, profile = value.get("role"), value.get("instance_profile")
    if isinstance(role, str) and role.lower() not in roles:
        yield (*path, "role"), f"no role {role!r} is declared in this account"
    # A snapshot keeps an instance whose profile was deleted, as EC2 does.
    if isinstance(profile, str) and profile.lower() not in profiles and "instance_profile_id" not in value:
        yield (*path, "instance_profile"), f"no instance profile {profile!r} is declared in this account"


def _mappings(owner: Any, key: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    members = owner.get(key) if isinstance(owner, dict) else None
    for index, each in enumerate(members if isinstance(members, list) else ()):
        if isinstance(each, dict):
            yield index, each
