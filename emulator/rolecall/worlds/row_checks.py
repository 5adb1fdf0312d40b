"""The rows of a snapshot: the possible values of their columns, and what they may refer to.

Normally only ``rolecall snapshot save`` writes rows. If a user edits one, these checks report a value that no operation
would have written. Otherwise calls would fail because of it later.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rolecall.arns import iam_arn, oidc_provider_arn, saml_provider_arn
from rolecall.clock import EARLIEST_SECONDS
from rolecall.contents.permission_statements import PARAMETERS, statement_problem
from rolecall.issuers import issuer_problem
from rolecall.policy import MalformedPolicy, PolicyKind, parse_policy
from rolecall.sessions.algorithms import ALGORITHMS
from rolecall.sessions.delegation import delegated_session
from rolecall.sessions.saml.on_demand import check_private_key, read_metadata
from rolecall.sessions.saml.records import BadMetadataError, EncryptionError, SamlNotInstalledError
from rolecall.sessions.web_identity import BadKeySetError, read_key_set
from rolecall.storage import worlds
from rolecall.storage.context_providers import INSTANCE_PATTERN, read_context_provider
from rolecall.storage.gather import ACCOUNT_STATES
from rolecall.worlds.checking import LATEST_DATE_SECONDS, Notes
from rolecall.worlds.json_schema import accepting
from rolecall.worlds.located import Path
from rolecall.worlds.snapshot_tables import PLAIN_TABLES

ROWS = "rows"
# Base32 of ten or more whole bytes. Other numbers of characters cannot be whole bytes.
SEED_PATTERN = r"(?:[A-Z2-7]{8}){2,16}(?:[A-Z2-7]{2}|[A-Z2-7]{4}|[A-Z2-7]{5}|[A-Z2-7]{7})?"
# The name becomes the name of role sessions.
DIRECTORY_USER_PATTERN = r"[\w+=,.@-]{2,64}"
_DATE = re.compile(r"_(at|until)_seconds$")
# The stored form of a password. With larger numbers a check of the password could take all of the machine.
_PASSWORD_HASH = re.compile(r"scrypt:\d{1,5}:\d{1,2}:\d\$[^$]{1,64}\$[0-9a-f]{128}")
_Row = Mapping[str, Any]


@accepting(lambda: {"type": "object", "description": "rows of tables, as a snapshot has them"})
def rows(notes: Notes, path: Path, value: object) -> dict[str, tuple[dict[str, object], ...]]:
    """Rows of tables, each with values that its columns can hold."""
    if not isinstance(value, dict):
        notes.add(path, "must be a mapping of tables to lists of rows")
        return {}
    for table, listed in value.items():
        if table not in PLAIN_TABLES:
            notes.add((*path, table), "there is no such table, or the file has other keys for its content")
        elif not isinstance(listed, list):
            notes.add((*path, table), "must be a list of rows")
        else:
            for index, row in enumerate(listed):
                problems = worlds.row_problems(table, row)
                for problem in problems or _problems(table, row):
                    notes.add((*path, table, index), problem)
    return {table: tuple(listed) for table, listed in value.items() if isinstance(listed, list)}


def _problems(table: str, row: _Row) -> Iterator[str]:
    for column, value in row.items():
        if value is None:
            continue
        if _DATE.search(column) and not EARLIEST_SECONDS <= value <= LATEST_DATE_SECONDS:
            yield f"{column} must be a time in seconds since 1970, of the year 9999 at most"
        check = _CHECKS.get(f"{table}.{column}")
        problem = "" if check is None else check(value)
        if problem:
            yield f"{column} must be {problem}"
    if table == "signing_keys" and not _is_signing_key(row):
        yield "private_key must be a private key in PEM for its algorithm"


def _matching(pattern: str, description: str) -> Callable[[str], str]:
    return lambda value: "" if re.fullmatch(pattern, value) else description


def _one_of(*choices: str) -> Callable[[str], str]:
    return lambda value: "" if value in choices else " or ".join(choices)


def _readable(read: Callable[[str], object], description: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        try:
            read(value)
        except SamlNotInstalledError:
            # The value cannot be checked without the extra, and nothing here uses it.
            return ""
        except (BadKeySetError, BadMetadataError, EncryptionError, MalformedPolicy, ValueError) as error:
            return f"{description}: {error}"
        # Text that is nested too deeply ends in the last one.
        except (TypeError, KeyError, AttributeError, RecursionError):
            return description
        return ""

    return check


def _issuer(value: str) -> str:
    problem = issuer_problem(value)
    return f"the URL of a provider: {problem}" if problem else ""


def _mapping(value: str) -> None:
    if not isinstance(json.loads(value), dict):
        raise TypeError


def _texts_by_name(value: str) -> None:
    for texts in json.loads(value).values():
        if not texts or not all(isinstance(each, str) for each in texts):
            raise TypeError


def _texts_of_mapping(value: str) -> None:
    if not all(isinstance(each, str) for each in json.loads(value).values()):
        raise TypeError


def _usages(value: str) -> None:
    usages = json.loads(value)
    if not isinstance(usages, list):
        raise TypeError
    for usage in usages:
        region, resources = usage["region"], usage["resources"]
        if not isinstance(region, str) or not isinstance(resources, list):
            raise TypeError
        if not all(isinstance(each, str) for each in resources):
            raise TypeError


def _between(lowest: int, highest: int) -> Callable[[int], str]:
    return lambda value: "" if lowest <= value <= highest else f"a whole number from {lowest} to {highest}"


def _ssh_public_key(value: str) -> None:
    importlib.import_module("rolecall.worlds.ssh_keys").check_ssh_public_key(value)


_CONTEXT_PROVIDER = _readable(read_context_provider, "a context provider, as JSON text")
_INSTANCE = _matching(INSTANCE_PATTERN, "the ARN of an IAM Identity Center instance")
_PASSWORD = _matching(_PASSWORD_HASH.pattern, "the hash of a password")
_RETENTION_DAYS = _between(1, 5475)
_PHONE_NUMBER = _matching(r"\+[1-9]\d{1,14}", "a phone number in E.164 format")


def _statement(value: str) -> None:
    parameters = json.loads(value)
    if not isinstance(parameters, dict) or not parameters.keys() <= set(PARAMETERS):
        raise ValueError(value)
    if not all(isinstance(each, str) for each in parameters.values()) or statement_problem(parameters):
        raise ValueError(value)


_PRODUCT_TYPE = _one_of("BusinessCalling", "VoiceConnector", "SipMediaApplicationDialIn")
_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "account_preferences.global_endpoint_token_version": _one_of("v1Token", "v2Token"),
    "oidc_providers.key_source": _one_of("discovery", "declared", "own"),
    "saml_providers.assertion_encryption_mode": _one_of("Required", "Allowed"),
    "delegation_requests.state": _one_of(
        "UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "FINALIZED", "ACCEPTED", "REJECTED", "EXPIRED"
    ),
    "service_linked_role_deletions.status": _one_of("NOT_STARTED", "IN_PROGRESS", "SUCCEEDED", "FAILED"),
    "organization_accounts.joined_method": _one_of("INVITED", "CREATED"),
    "organization_accounts.state": _one_of(*ACCOUNT_STATES),
    "account_creations.state": _one_of("SUCCEEDED", "FAILED"),
    "organization_resource_policies.document": _readable(
        lambda value: parse_policy(value, PolicyKind.RESOURCE), "a policy"
    ),
    "signin_permission_statements.parameters": _readable(_statement, "a permission statement, as JSON text"),
    "signing_certificates.status": _one_of("Active", "Inactive"),
    "ssh_public_keys.status": _one_of("Active", "Inactive"),
    "ssh_public_keys.body": _readable(_ssh_public_key, "an SSH public key"),
    "service_credentials.status": _one_of("Active", "Inactive"),
    "acquired_roles.replacement_values": _readable(_texts_by_name, "lists of texts by name, as JSON text"),
    "mfa_devices.seed": _matching(SEED_PATTERN, "a base32 seed"),
    "login_profiles.password_hash": _PASSWORD,
    "login_profiles.max_signin_session_duration_seconds": _between(3600, 7_776_000),
    "old_passwords.password_hash": _PASSWORD,
    "oidc_providers.url": _issuer,
    "oidc_providers.jwks": _readable(read_key_set, "a JSON Web Key Set"),
    "saml_providers.metadata": _readable(read_metadata, "the metadata of an identity provider"),
    "oidc_providers.context_provider": _CONTEXT_PROVIDER,
    "saml_providers.context_provider": _CONTEXT_PROVIDER,
    "oidc_providers.identity_center_instance_arn": _INSTANCE,
    "saml_providers.identity_center_instance_arn": _INSTANCE,
    "saml_private_keys.private_key": _readable(check_private_key, "a private key in PEM"),
    "delegation_requests.permissions": _readable(_mapping, "a mapping, as JSON text"),
    "delegation_requests.permission_policy": _readable(
        lambda value: parse_policy(value, PolicyKind.SESSION), "a policy"
    ),
    "delegation_requests.approval": _readable(
        lambda value: delegated_session(value, "", 0), "the stored record of an approver"
    ),
    "service_linked_role_deletions.resources": _readable(_usages, "a list of resources in use, as JSON text"),
    "resources.content": _readable(_mapping, "a mapping, as JSON text"),
    "resources.secret": _readable(json.loads, "JSON text"),
    "resource_settings.content": _readable(_mapping, "a mapping, as JSON text"),
    "chime_room_memberships.member_type": _one_of("User", "Bot"),
    "chime_room_memberships.role": _one_of("Administrator", "Member"),
    "chime_retention_settings.room_days": _RETENTION_DAYS,
    "chime_retention_settings.conversation_days": _RETENTION_DAYS,
    "phone_numbers.phone_number": _PHONE_NUMBER,
    "ordered_phone_numbers.phone_number": _PHONE_NUMBER,
    "phone_numbers.product_type": _PRODUCT_TYPE,
    "phone_number_orders.product_type": _PRODUCT_TYPE,
    "phone_number_associations.name": _one_of(
        "AccountId", "UserId", "VoiceConnectorId", "VoiceConnectorGroupId", "SipRuleId"
    ),
    "identity_centers.number": _between(1, 1),
    "identity_centers.session_duration_seconds": _between(900, 7_776_000),
    "permission_sets.session_duration_seconds": _between(3600, 43_200),
    "directory_users.name": _matching(DIRECTORY_USER_PATTERN, "a name of 2 to 64 letters, digits and +=,.@_-"),
    "directory_users.attributes": _readable(_texts_of_mapping, "a mapping of texts, as JSON text"),
    "signing_keys.algorithm": _matching("|".join(sorted(ALGORITHMS)), "the name of an algorithm, such as RS256"),
}


def _is_signing_key(row: _Row) -> bool:
    # Loaded with the first such row, because few sandbox files have any.
    load_signing_key = importlib.import_module("rolecall.sessions.signing_keys").load_signing_key
    try:
        return bool(load_signing_key(row["algorithm"], row["private_key"]).key_id == str(row["key_id"]))
    except ValueError:
        return False


# References between rows.


def dangling_rows(world: Any) -> Iterator[tuple[Path, str]]:
    """Rows that occur twice, and rows that refer to something missing in the file, with their paths.

    These checks read the file's plain values. Another check notes a value of the wrong type.
    """
    given = world.get(ROWS) if isinstance(world, dict) else None
    if not isinstance(given, dict):
        return
    listed = {
        table: [(index, row) for index, row in enumerate(given[table]) if isinstance(row, dict)]
        for table in PLAIN_TABLES
        if isinstance(given.get(table), list)
    }
    known = _declared(world)
    for table, numbered in listed.items():
        for columns in worlds.unique_columns(table):
            yield from _repeated(table, columns, numbered, known)
    for table, numbered in listed.items():
        for column, (other, member) in worlds.references(table).items():
            present = {row.get(member) for _, row in listed.get(other, ())} | known.get((other, member), set())
            for index, row in numbered:
                if row.get(column) is not None and row[column] not in present:
                    yield (ROWS, table, index), f"{column} refers to nothing in this file: {row[column]}"


def _repeated(
    table: str,
    columns: tuple[str, ...],
    numbered: Sequence[tuple[int, _Row]],
    known: Mapping[tuple[str, str], set[str]],
) -> Iterator[tuple[Path, str]]:
    seen: set[Any] = {(value,) for value in known.get((table, columns[0]), ())} if len(columns) == 1 else set()
    for index, row in numbered:
        values = tuple(row.get(column) for column in columns)
        if None in values or any(isinstance(value, dict | list) for value in values):
            continue
        if values in seen:
            yield (ROWS, table, index), f"{', '.join(columns)} occurs twice: {', '.join(map(str, values))}"
        seen.add(values)


def _declared(world: _Row) -> dict[tuple[str, str], set[str]]:
    """What the rest of the file declares and a row may refer to, by table and column."""
    known: dict[tuple[str, str], set[str]] = {
        ("accounts", "account_id"): set(),
        ("organizations", "organization_id"): set(),
        ("users", "user_id"): set(),
        ("roles", "role_id"): set(),
        ("mfa_devices", "serial_number"): set(),
        ("oidc_providers", "arn"): set(),
        ("saml_providers", "arn"): set(),
        ("chime_accounts", "account_id"): set(),
    }
    organization = world.get("organization")
    if isinstance(organization, dict):
        known["organizations", "organization_id"].add(_text(organization, "id"))
    for account in _mappings(world, "accounts"):
        account_id = _text(account, "id")
        known["accounts", "account_id"].add(account_id)
        chime_accounts = _mappings(account, "chime_accounts")
        known["chime_accounts", "account_id"].update(_text(each, "id") for each in chime_accounts)
        users = _mappings(account, "users")
        known["users", "user_id"].update(_text(user, "unique_id") for user in users)
        roles = (*_mappings(account, "roles"), *_mappings(account, "service_linked_roles"))
        known["roles", "role_id"].update(_text(role, "unique_id") for role in roles)
        devices = [device for user in users for device in _mappings(user, "mfa_devices")]
        known["mfa_devices", "serial_number"].update(
            iam_arn(account_id, "mfa", "/", _text(device, "name"))
            for device in (*devices, *_mappings(account, "root_mfa_devices"))
        )
        known["oidc_providers", "arn"].update(
            oidc_provider_arn(account_id, _text(provider, "url")) for provider in _mappings(account, "oidc_providers")
        )
        known["saml_providers", "arn"].update(
            saml_provider_arn(account_id, _text(provider, "name")) for provider in _mappings(account, "saml_providers")
        )
    return known


def _mappings(owner: _Row, key: str) -> list[_Row]:
    members = owner.get(key)
    return [member for member in members if isinstance(member, dict)] if isinstance(members, list) else []


def _text(owner: _Row, key: str) -> str:
    value = owner.get(key)
    return value if isinstance(value, str) else ""
