"""Names that a sandbox file declares twice, and references to things that it does not declare.

These checks read the file's plain values, so that their problems appear together with all others. They skip a value of
the wrong type, which another check notes. An entity with a problem of its own still counts as declared.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from rolecall.arns import iam_arn, parse_arn
from rolecall.data import managed_policy, service_linked_roles
from rolecall.policy import MalformedPolicy, PolicyKind, trusted_principals
from rolecall.storage.gather import ROOT_TARGET
from rolecall.storage.trust import PrincipalForm, UnknownPrincipal, principal_form
from rolecall.worlds.checking import accepted_policy, document_text
from rolecall.worlds.chime_references import dangling_chime
from rolecall.worlds.identity_center import declared_role_arns
from rolecall.worlds.located import Path
from rolecall.worlds.plain_values import (
    WITHOUT_CASE,
    Found,
    Values,
    mappings_in,
    repeated,
    repeats,
    text_in,
    texts_in,
)

# The name of an organizational unit. A unit with an id may have any other name, and is then referred to by its id.
UNIT_NAME_PATTERN = r"(?!(?:\d{12}|ROOT)$)(?=.*\S).{1,128}"
UNIT_NAME_MEANING = "a name of up to 128 characters that is neither an account id nor ROOT"
UNIT_NAME = re.compile(UNIT_NAME_PATTERN).fullmatch


class _Declared(Struct, frozen=True):
    """What the whole file declares.

    It has account ids, the ARNs of managed policies, the ARNs and unique ids of users and roles, and the accounts and
    names of roles.
    """

    accounts: frozenset[str]
    policies: frozenset[str]
    principals: frozenset[str]
    ids: frozenset[str]
    role_names: frozenset[tuple[str, str]]


def dangling(world: Any) -> Found:
    """Every such problem, with the path of its value."""
    accounts = list(mappings_in(world, "accounts"))
    principals = frozenset([*_principals(accounts), *declared_role_arns(world)])
    parsed = [arn for arn in map(parse_arn, principals) if arn is not None]
    declared = _Declared(
        accounts=frozenset(text_in(account, "id") for _, account in accounts),
        policies=frozenset(_arns("policies", "policy", accounts)),
        principals=principals,
        ids=frozenset(
            text_in(entity, "unique_id")
            for _, account in accounts
            for noun in ("users", "roles")
            for _, entity in mappings_in(account, noun)
        ),
        role_names=frozenset((arn.account_id, arn.resource_name) for arn in parsed if arn.resource_type == "role"),
    )
    yield from repeated(("accounts",), "id", accounts, WITHOUT_CASE)
    yield from _repeated_keys(accounts)
    yield from _repeated_ids(accounts)
    for index, account in accounts:
        path: Path = ("accounts", index)
        for noun in ("users", "groups", "policies", "roles", "instance_profiles"):
            yield from repeated((*path, noun), "name", list(mappings_in(account, noun)), WITHOUT_CASE)
        for noun in ("users", "groups", "roles"):
            for position, entity in mappings_in(account, noun):
                yield from _policies_of((*path, noun, position), entity, text_in(account, "id"), declared)
                yield from _repeated_tags((*path, noun, position), entity)
        yield from _repeated_devices(path, account)
        for position, role in mappings_in(account, "roles"):
            yield from _linked((*path, "roles", position), role)
        for position, policy in mappings_in(account, "policies"):
            yield from _versions((*path, "policies", position), policy)
        yield from _groups(path, account)
        yield from _instance_profiles((*path, "instance_profiles"), account)
        yield from _service_linked(path, account)
        yield from _trusted(path, account, declared)
        yield from _oidc_providers((*path, "oidc_providers"), account)
        yield from _saml_providers((*path, "saml_providers"), account)
        yield from dangling_chime(path, account)
    yield from _organization(world, declared)


# ARNs of what the file declares.


def _arn(account: Values, kind: str, entity: Values) -> str:
    return iam_arn(text_in(account, "id"), kind, text_in(entity, "path", "/"), text_in(entity, "name"))


def _arns(noun: str, kind: str, accounts: Iterable[tuple[int, Values]]) -> Iterator[str]:
    for _, account in accounts:
        for _, entity in mappings_in(account, noun):
            yield _arn(account, kind, entity)


def _principals(accounts: list[tuple[int, Values]]) -> Iterator[str]:
    yield from _arns("users", "user", accounts)
    yield from _arns("roles", "role", accounts)
    for _, account in accounts:
        for _, service in texts_in(account, "service_linked_roles"):
            if service in service_linked_roles():
                name = service_linked_roles()[service].role_name
                yield iam_arn(text_in(account, "id"), "role", f"/aws-service-role/{service}/", name)


# The checks.


def _repeated_keys(accounts: Iterable[tuple[int, Values]]) -> Found:
    seen: set[str] = set()
    for index, account in accounts:
        owners: list[tuple[Path, Values]] = [(("accounts", index, "root_access_keys"), account)]
        owners += [(("accounts", index, "users", i, "access_keys"), user) for i, user in mappings_in(account, "users")]
        for path, owner in owners:
            for position, key in mappings_in(owner, str(path[-1])):
                key_id = text_in(key, "id")
                if key_id and key_id in seen:
                    yield (*path, position, "id"), f"access key id {key_id!r} is declared twice"
                seen.add(key_id)


def _repeated_ids(accounts: Iterable[tuple[int, Values]]) -> Found:
    """Ids of entities. An id must be unique in the whole world."""
    owned: list[tuple[Path, str, Values]] = []
    for index, account in accounts:
        for noun in ("users", "groups", "policies", "roles", "instance_profiles"):
            owned += [(("accounts", index, noun, i), "unique_id", entity) for i, entity in mappings_in(account, noun)]
        for i, chime_account in mappings_in(account, "chime_accounts"):
            path: Path = ("accounts", index, "chime_accounts", i)
            owned.append((path, "id", chime_account))
            for noun in ("users", "rooms"):
                owned += [((*path, noun, j), "id", each) for j, each in mappings_in(chime_account, noun)]
    seen: set[str] = set()
    for path, member, entity in owned:
        unique_id = text_in(entity, member)
        if unique_id and unique_id in seen:
            yield (*path, member), f"{unique_id!r} is the id of two entities"
        seen.add(unique_id)


def _versions(path: Path, policy: Values) -> Found:
    versions = list(mappings_in(policy, "versions"))
    if versions and "default_version" not in policy:
        yield (*path, "versions"), "default_version is missing: give the number of the version in document"
    seen = [policy.get("default_version")]
    for index, version in versions:
        if version.get("version") in seen:
            yield (*path, "versions", index, "version"), f"version {version.get('version')} is declared twice"
        seen.append(version.get("version"))
    latest, numbers = policy.get("latest_version"), [number for number in seen if isinstance(number, int)]
    if isinstance(latest, int) and numbers and latest < max(numbers):
        yield (*path, "latest_version"), f"is too low: there is a version {max(numbers)}"


def _linked(path: Path, role: Values) -> Found:
    """A service-linked role must have the path that AWS gives it."""
    service = text_in(role, "linked_service")
    if service and service not in service_linked_roles():
        yield (*path, "linked_service"), f"no service-linked role is known for {service!r}"
    elif service and text_in(role, "path", "/") != f"/aws-service-role/{service}/":
        yield (*path, "path"), f"the path of this service-linked role is /aws-service-role/{service}/"


def _repeated_devices(path: Path, account: Values) -> Found:
    """A device belongs to one user only, or to the root user."""
    lists: list[tuple[Path, Values]] = [((*path, "root_mfa_devices"), account)]
    lists += [((*path, "users", index, "mfa_devices"), user) for index, user in mappings_in(account, "users")]
    named: list[tuple[Path, str]] = [
        ((*place, position, "name"), text_in(device, "name"))
        for place, owner in lists
        for position, device in mappings_in(owner, str(place[-1]))
    ]
    for index, name in repeats((index, name) for index, (_, name) in enumerate(named)):
        yield named[index][0], f"MFA device {name!r} is declared twice{WITHOUT_CASE}"


def _repeated_tags(path: Path, entity: Values) -> Found:
    tags = entity.get("tags")
    keys = list(tags) if isinstance(tags, dict) else []
    for _, key in repeats(enumerate(keys)):
        yield (*path, "tags", key), f"{key!r} appears twice (tag keys compare without case)"


def _policies_of(path: Path, entity: Values, account_id: str, declared: _Declared) -> Found:
    attached = texts_in(entity, "attached_policies")
    linked = service_linked_roles().get(text_in(entity, "linked_service"))
    for position, arn in attached:
        if linked is not None and arn == linked.policy_arn:
            continue
        problem = _policy_problem(arn, account_id, declared)
        if problem:
            yield (*path, "attached_policies", position), problem
    for position, arn in repeats(attached):
        yield (*path, "attached_policies", position), f"{arn} is attached twice"
    boundary = text_in(entity, "permissions_boundary")
    problem = _policy_problem(boundary, account_id, declared) if boundary else ""
    if problem:
        yield (*path, "permissions_boundary"), problem


def _policy_problem(arn: str, account_id: str, declared: _Declared) -> str:
    parsed = parse_arn(arn)
    if parsed is None or parsed.resource_type != "policy":
        return ""
    policy = managed_policy(arn)
    if policy is None and arn not in declared.policies:
        return f"there is no policy {arn}, neither of AWS nor in this file"
    if parsed.account_id not in ("aws", account_id):
        return f"{arn} belongs to another account and cannot be used here"
    if policy is not None and not policy.is_attachable:
        return f"{arn} belongs to a service-linked role and cannot be attached"
    return ""


def _groups(path: Path, account: Values) -> Found:
    known = {text_in(group, "name").lower() for _, group in mappings_in(account, "groups")}
    for index, user in mappings_in(account, "users"):
        names = texts_in(user, "groups")
        for position, name in names:
            if name.lower() not in known:
                yield (*path, "users", index, "groups", position), f"no group {name!r} is declared in this account"
        for position, name in repeats(names):
            yield (*path, "users", index, "groups", position), f"{name!r} appears twice"


def _instance_profiles(path: Path, account: Values) -> Found:
    """The role in a profile must be an ordinary role of the account."""
    roles = {text_in(role, "name").lower(): role for _, role in mappings_in(account, "roles")}
    for index, profile in mappings_in(account, "instance_profiles"):
        name = text_in(profile, "role")
        role = roles.get(name.lower(), {})
        if name and not role:
            yield (*path, index, "role"), f"no role {name!r} is declared in this account"
        elif text_in(role, "linked_service"):
            yield (*path, index, "role"), f"{name!r} is a service-linked role, which no instance profile can hold"


def _service_linked(path: Path, account: Values) -> Found:
    services = texts_in(account, "service_linked_roles")
    for index, service in services:
        if service not in service_linked_roles():
            yield (*path, "service_linked_roles", index), f"no service-linked role is known for {service!r}"
    for index, service in repeats(services):
        yield (*path, "service_linked_roles", index), f"{service!r} appears twice"


def _trusted(path: Path, account: Values, declared: _Declared) -> Found:
    """Trusted users and roles of declared accounts must be declared; other accounts are outside the sandbox."""
    for index, role in mappings_in(account, "roles"):
        try:
            principals = trusted_principals(accepted_policy(document_text(role.get("trust_policy")), PolicyKind.TRUST))
        except MalformedPolicy:
            continue
        trusted_ids = role.get("trusted_ids")
        bound = trusted_ids if isinstance(trusted_ids, dict) else {}
        for principal in bound:
            if principal not in principals:
                yield (*path, "roles", index, "trusted_ids", principal), "the trust policy names no such principal"
        for principal in principals:
            if principal in bound:
                continue
            problem = _trust_problem(principal, declared, is_bound=isinstance(trusted_ids, dict))
            if problem:
                yield (*path, "roles", index, "trust_policy"), f"trusts {principal}, {problem}"


def _trust_problem(principal: str, declared: _Declared, *, is_bound: bool) -> str:
    """Why the trust policy of a role that is set up cannot name this principal; empty if it can.

    With ``is_bound`` the role has its ids, as in a snapshot. Then a session's role may have been deleted since.
    """
    try:
        form, arn = principal_form(principal)
    except UnknownPrincipal:
        return "" if is_bound else "which is neither an account, a user, a role nor a session"
    if is_bound and form is not PrincipalForm.ENTITY:
        known = True
    elif form is PrincipalForm.UNIQUE_ID:
        known = principal in declared.ids
    elif arn is None or arn.account_id not in declared.accounts or form is PrincipalForm.ANYONE:
        known = True
    elif form is PrincipalForm.SESSION:
        known = (arn.account_id, arn.resource.split("/")[1]) in declared.role_names
    else:
        known = principal in declared.principals
    return "" if known else "which this file does not declare"


def _oidc_providers(path: Path, account: Values) -> Found:
    providers = list(mappings_in(account, "oidc_providers"))
    # The scheme is not part of a provider's ARN.
    named = [(index, text_in(provider, "url").partition("://")[2]) for index, provider in providers]
    seen: set[str] = set()
    for index, name in named:
        if name and name in seen:
            yield (*path, index, "url"), f"{name!r} is declared twice"
        seen.add(name)
    for index, provider in providers:
        if "jwks_file" in provider and "keys" in provider:
            yield (*path, index, "keys"), "excludes jwks_file: leave one of them out"
        for key in ("client_ids", "thumbprints"):
            values = [value for _, value in texts_in(provider, key)]
            for position, value in enumerate(values):
                if value in values[:position]:
                    yield (*path, index, key, position), f"{value!r} appears twice"
        yield from _instance_alone((*path, index), provider)
        yield from _repeated_tags((*path, index), provider)


def _instance_alone(path: Path, provider: Values) -> Found:
    if "identity_center_instance" in provider and "context_provider" not in provider:
        yield (*path, "identity_center_instance"), "needs a context_provider"


def _saml_providers(path: Path, account: Values) -> Found:
    providers = list(mappings_in(account, "saml_providers"))
    seen: set[str] = set()
    for index, provider in providers:
        name = text_in(provider, "name")
        if name and name in seen:
            yield (*path, index, "name"), f"{name!r} is declared twice"
        seen.add(name)
        given = [key for key in ("metadata", "metadata_file", "rolecall_idp") if key in provider]
        if len(given) != 1:
            yield (*path, index), "must have one of metadata, metadata_file and rolecall_idp"
        yield from _instance_alone((*path, index), provider)
        yield from _repeated_tags((*path, index), provider)


def _organization(world: Any, declared: _Declared) -> Found:
    organization = world.get("organization") if isinstance(world, dict) else None
    yield from _root_access(organization, declared)
    units = list(mappings_in(organization, "organizational_units"))
    yield from _units(units, declared)
    called = _unambiguous(units)
    targets = declared.accounts.union([ROOT_TARGET], called)
    seen: set[str] = set()
    for key in ("service_control_policies", "resource_control_policies", "management_policies"):
        policies = list(mappings_in(organization, key))
        path: Path = ("organization", key)
        for policy_type in dict.fromkeys(text_in(policy, "type") for _, policy in policies):
            of_type = [each for each in policies if text_in(each[1], "type") == policy_type]
            yield from repeated(path, "name", [each for each in of_type if "id" not in each[1]], WITHOUT_CASE)
        for index, policy in policies:
            yield from _targets((*path, index, "targets"), policy, targets)
            policy_id = text_in(policy, "id")
            if policy_id and policy_id in seen:
                yield (*path, index, "id"), f"{policy_id} is declared twice"
            seen.add(policy_id)
            if policy.get("attached") is False and policy.get("targets"):
                yield (*path, index, "targets"), "a policy that is not attached has no targets"


def referable_units(named: Iterable[tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """The units by what other sections may call them: by their ids, and by their names where a name means one unit.

    ``named`` are names and ids. A unit without an id has an empty one.
    """
    units = list(named)
    count = Counter(name for name, _ in units)
    by_name = {name: (name, ou_id) for name, ou_id in units if count[name] == 1 and UNIT_NAME(name)}
    return by_name | {ou_id: (name, ou_id) for name, ou_id in units if ou_id}


def _unambiguous(units: Sequence[tuple[int, Values]]) -> list[str]:
    """The names and ids that mean one unit."""
    return list(referable_units((text_in(unit, "name"), text_in(unit, "id")) for _, unit in units))


def _targets(path: Path, policy: Values, declared: frozenset[str]) -> Found:
    targets = texts_in(policy, "targets")
    for position, target in targets:
        if target not in declared:
            what = "account" if target.isdecimal() else "account or organizational unit"
            yield (*path, position), f"no {what} {target} is declared"
    for position, target in repeats(targets):
        yield (*path, position), f"{target} appears twice"


def _units(units: Sequence[tuple[int, Values]], declared: _Declared) -> Found:
    """Units declared twice, with an unknown parent or in a circle, and accounts in two units."""
    path: Path = ("organization", "organizational_units")
    yield from repeated(path, "name", [each for each in units if "id" not in each[1]], "")
    yield from repeated(path, "id", units, "")
    for index, unit in units:
        if not unit.get("id") and isinstance(unit.get("name"), str) and not UNIT_NAME(unit["name"]):
            yield (*path, index, "name"), f"must be {UNIT_NAME_MEANING}"
    parents = {text_in(unit, key): text_in(unit, "parent") for _, unit in units for key in ("name", "id")}
    unambiguous = frozenset(_unambiguous(units))
    circular = _in_circles(parents)
    placed: set[str] = set()
    for index, unit in units:
        parent = text_in(unit, "parent")
        if parent and parent not in unambiguous:
            yield (*path, index, "parent"), f"no organizational unit {parent} is declared"
        elif text_in(unit, "name") in circular:
            yield (*path, index, "parent"), "the unit is its own ancestor"
        for position, account_id in texts_in(unit, "accounts"):
            if account_id not in declared.accounts:
                yield (*path, index, "accounts", position), f"no account {account_id} is declared"
            if account_id in placed:
                yield (*path, index, "accounts", position), f"account {account_id} is in a unit already"
            placed.add(account_id)


def _in_circles(parents: Mapping[str, str]) -> set[str]:
    """The names whose parents lead round in a circle. Each name is visited once."""
    known: dict[str, bool] = {"": False}
    for name in parents:
        way: dict[str, None] = {}
        while name not in known and name not in way:
            way[name] = None
            name = parents.get(name, "")
        known |= dict.fromkeys(way, known.get(name, True))
    return {name for name, endless in known.items() if endless}


def _root_access(organization: Any, declared: _Declared) -> Found:
    """The accounts that manage the organization must be members of it. The management account needs no delegation."""
    if not isinstance(organization, dict):
        return
    management = text_in(organization, "management_account")
    if management and management not in declared.accounts:
        yield ("organization", "management_account"), f"no account {management} is declared"
    administrators = texts_in(organization, "delegated_administrators")
    path: Path = ("organization", "delegated_administrators")
    for position, account_id in administrators:
        if account_id not in declared.accounts:
            yield (*path, position), f"no account {account_id} is declared"
        elif account_id == management:
            yield (*path, position), f"{account_id} is the management account"
    for position, account_id in repeats(administrators):
        yield (*path, position), f"{account_id} appears twice"
    for position, feature in repeats(texts_in(organization, "features")):
        yield ("organization", "features", position), f"{feature} appears twice"
