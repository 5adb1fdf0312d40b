"""IAM Identity Center in the sandbox file: its directory, its permission sets, and what they may refer to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from rolecall.arns import iam_arn
from rolecall.data import managed_policy
from rolecall.policy import PolicyKind
from rolecall.service_records import DEFAULT_REGION
from rolecall.storage.roles import SSO_PATH
from rolecall.worlds import checking as c
from rolecall.worlds.located import Path
from rolecall.worlds.members import Declared, column, list_of, member
from rolecall.worlds.plain_values import Found, Values, mappings_in, repeats, text_in, texts_in
from rolecall.worlds.row_checks import DIRECTORY_USER_PATTERN

DEFAULT_INSTANCE_ID = "ssoins-1234567890abcdef"
DEFAULT_IDENTITY_STORE_ID = "d-1234567890"
# IAM Identity Center User Guide, "Set session duration": 8 hours by default.
DEFAULT_SIGN_IN_SECONDS = 28_800
_SUFFIX_CHARACTERS = 16
_AWS_POLICY = c.matching(r"arn:aws:iam::aws:policy/[!-\x7f]+", "the ARN of a managed policy of AWS")
# A policy of the account, by path and name, as a permission set refers to it.
_OWN_POLICY = c.matching(
    r"(/[!-\x7f]{1,510}/|/)?[\w+=,.@-]{1,128}", "the name of a policy, with its path if it has one"
)
_BOUNDARY = c.matching(
    r"arn:aws:iam::aws:policy/[!-\x7f]+|(/[!-\x7f]{1,510}/|/)?[\w+=,.@-]{1,128}",
    "the ARN of a managed policy of AWS, or the name of a policy",
)
_ACCOUNT_ID = c.matching(r"\d{12}", "an account id of 12 digits")
_USER_NAME = c.matching(DIRECTORY_USER_PATTERN, "a name of 2 to 64 letters, digits and +=,.@_-")
_GROUP_NAME = c.matching(r"(?=.*\S)[^\0]{1,1024}", "a name of up to 1024 characters")
_DIRECTORY_ID = c.matching(
    r"([0-9a-f]{10}-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "an id of the identity store, which ends with a UUID"
)
_ATTRIBUTES = c.mapping_of(
    c.matching(r"[\w\s.:/=+\-@]{0,256}", "a tag value of up to 256 characters"),
    c.matching(r"[\w\s.:/=+\-@]{1,128}", "a tag key of up to 128 characters"),
)


class DeclaredDirectoryUser(Declared):
    """A user who signs in at IAM Identity Center. ``attributes`` are those for access control."""

    name: str = column(_USER_NAME)
    user_id: str | None = member(_DIRECTORY_ID, None, key="id")
    email: str = column(c.matching(r"[^\s\0]{0,320}", "an email address"), "")
    display_name: str = column(c.matching(r"[^\0]{0,1024}", "a text of up to 1024 characters"), "")
    groups: tuple[str, ...] = member(c.list_of(c.text), ())
    attributes: Mapping[str, str] = member(_ATTRIBUTES, factory=dict)


class DeclaredIdentityCenter(Declared):
    """The instance. Its start URL ends like those of AWS, with the id of the identity store in its name."""

    instance_id: str = column(
        c.matching(r"ssoins-[0-9a-f]{16}", "an id such as ssoins-1234567890abcdef"), DEFAULT_INSTANCE_ID
    )
    identity_store_id: str = column(
        c.matching(r"d-[0-9a-f]{10}", "an id such as d-1234567890"), DEFAULT_IDENTITY_STORE_ID
    )
    start_url: str = member(c.matching(r"https?://[!-~]{1,490}", "an http or https URL"), "")
    region: str = column(c.matching(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", "a Region such as eu-west-1"), DEFAULT_REGION)
    session_duration_seconds: int = column(c.between(900, 7_776_000), DEFAULT_SIGN_IN_SECONDS, key="session_duration")
    users: tuple[DeclaredDirectoryUser, ...] = list_of(DeclaredDirectoryUser)
    groups: tuple[str, ...] = member(c.list_of(_GROUP_NAME), ())

    @property
    def portal_url(self) -> str:
        return self.start_url or f"https://{self.identity_store_id}.awsapps.com/start"


class DeclaredAssignment(Declared):
    """Users and groups who get the permission set in accounts."""

    accounts: tuple[str, ...] = member(c.list_of(_ACCOUNT_ID))
    users: tuple[str, ...] = member(c.list_of(c.text), ())
    groups: tuple[str, ...] = member(c.list_of(c.text), ())


class DeclaredPermissionSet(Declared):
    """A permission set. It gets a role in each account of its assignments."""

    name: str = column(c.matching(r"[\w+=,.@-]{1,32}", "a name of up to 32 letters, digits and +=,.@_-"))
    permission_set_id: str | None = member(
        c.matching(r"ps-[0-9a-f]{16}", "an id such as ps-1234567890abcdef"), None, key="id"
    )
    description: str = column(c.matching(r"[^\0]{0,700}", "a text of up to 700 characters"), "")
    session_duration_seconds: int = column(c.between(3600, 43_200), 3600, key="session_duration")
    managed_policies: tuple[str, ...] = member(c.list_of(_AWS_POLICY), ())
    customer_managed_policies: tuple[str, ...] = member(c.list_of(_OWN_POLICY), ())
    inline_policy: str | None = member(c.policy(PolicyKind.IDENTITY), None)
    permissions_boundary: str | None = member(c.optional(_BOUNDARY), None)
    assignments: tuple[DeclaredAssignment, ...] = list_of(DeclaredAssignment)

    @property
    def account_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for assignment in self.assignments for each in assignment.accounts))


def role_path(region: str) -> str:
    """IAM Identity Center User Guide, "Referencing permission sets": us-east-1 has no part for its Region."""
    return SSO_PATH if region == DEFAULT_REGION else f"{SSO_PATH}{region}/"


def role_name(permission_set: str, account_id: str) -> str:
    """The name of a permission set's role. AWS's ending is random. This one stays, so that policies can name it."""
    digits = hashlib.sha256(f"{account_id}/{permission_set}".encode()).hexdigest()[:_SUFFIX_CHARACTERS]
    return f"AWSReservedSSO_{permission_set}_{digits}"


def policy_arn(account_id: str, text: str) -> str:
    """The ARN of a policy that a permission set names by its ARN, or by path and name."""
    if text.startswith("arn:"):
        return text
    path, _, name = text.rpartition("/")
    return iam_arn(account_id, "policy", f"{path}/", name)


def declared_role_arns(world: Any) -> Iterator[str]:
    """The ARNs of the roles that the permission sets of a file get. Its values may have any type."""
    center = world.get("identity_center") if isinstance(world, dict) else None
    region = text_in(center, "region") if isinstance(center, dict) else ""
    for _, permission_set in mappings_in(world, "permission_sets"):
        name = text_in(permission_set, "name")
        for _, assignment in mappings_in(permission_set, "assignments"):
            for _, account_id in texts_in(assignment, "accounts"):
                yield iam_arn(account_id, "role", role_path(region or DEFAULT_REGION), role_name(name, account_id))


def dangling_center(world: Any) -> Found:
    """Names declared twice; users, groups, accounts and policies that no part of the file declares."""
    found = world.get("identity_center") if isinstance(world, dict) else None
    center: Values = found if isinstance(found, dict) else {}
    users = list(mappings_in(center, "users"))
    yield from _twice(("identity_center", "users"), [((index, "name"), text_in(user, "name")) for index, user in users])
    yield from _twice(("identity_center", "users"), [((index, "id"), text_in(user, "id")) for index, user in users])
    groups = texts_in(center, "groups")
    yield from _twice(("identity_center", "groups"), [((index,), name) for index, name in groups])
    known_groups = {name.lower() for _, name in groups}
    for index, user in users:
        place: Path = ("identity_center", "users", index, "groups")
        yield from _unknown(place, texts_in(user, "groups"), known_groups, "group of identity_center")
    known_users = {text_in(user, "name").lower() for _, user in users}
    policies = {text_in(account, "id"): set(_policies(account)) for _, account in mappings_in(world, "accounts")}
    sets = list(mappings_in(world, "permission_sets"))
    for key in ("name", "id"):
        yield from _twice(("permission_sets",), [((index, key), text_in(each, key)) for index, each in sets])
    for index, each in sets:
        path: Path = ("permission_sets", index)
        account_ids: dict[str, None] = {}
        for position, assignment in mappings_in(each, "assignments"):
            place = (*path, "assignments", position)
            yield from _unknown(
                (*place, "users"), texts_in(assignment, "users"), known_users, "user of identity_center"
            )
            yield from _unknown(
                (*place, "groups"), texts_in(assignment, "groups"), known_groups, "group of identity_center"
            )
            yield from _unknown((*place, "accounts"), texts_in(assignment, "accounts"), set(policies), "account")
            account_ids |= dict.fromkeys(account_id for _, account_id in texts_in(assignment, "accounts"))
        yield from _policies_of(path, each, {account_id: policies.get(account_id) for account_id in account_ids})


def _policies_of(path: Path, permission_set: Values, policies: Mapping[str, set[str] | None]) -> Found:
    named = [((*path, "managed_policies", index), arn) for index, arn in texts_in(permission_set, "managed_policies")]
    own = texts_in(permission_set, "customer_managed_policies")
    named += [((*path, "customer_managed_policies", index), name) for index, name in own]
    boundary = text_in(permission_set, "permissions_boundary")
    for place, text in [*named, *([((*path, "permissions_boundary"), boundary)] if boundary else [])]:
        if text.startswith("arn:"):
            policy = managed_policy(text)
            if policy is None:
                yield place, f"there is no policy {text} of AWS"
            elif not policy.is_attachable:
                yield place, f"{text} belongs to a service-linked role and cannot be attached"
            continue
        for account_id, known in policies.items():
            if known is not None and policy_arn(account_id, text) not in known:
                yield place, f"account {account_id} declares no policy {text!r}"
    yield from _twice((), [(place, text) for place, text in named])


def _policies(account: Values) -> Iterator[str]:
    for _, policy in mappings_in(account, "policies"):
        yield iam_arn(text_in(account, "id"), "policy", text_in(policy, "path") or "/", text_in(policy, "name"))


def _twice(path: Path, named: list[tuple[Path, str]]) -> Found:
    for index, name in repeats((index, name) for index, (_, name) in enumerate(named)):
        yield (*path, *named[index][0]), f"{name!r} is declared twice"


def _unknown(path: Path, named: list[tuple[int, str]], known: set[str], what: str) -> Found:
    for index, name in named:
        if name.lower() not in known:
            yield (*path, index), f"no {what} {name!r} is declared"
