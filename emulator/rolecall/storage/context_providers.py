"""Context providers: which parts of a token or assertion an identity provider propagates as a trusted identity.

IAM API reference, ContextProvider. OIDC and SAML providers store one as JSON, in the API's own names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.arns import parse_arn
from rolecall.storage.organizations import organization_around

MAXIMUM_KEY_DEFINITIONS = 10
MAXIMUM_KEY_CHARACTERS = 128
# IAM API reference, ContextProvider: ASCII letters, digits, these signs, and single spaces, but not at an end. The
# model has no pattern.
KEY_PATTERN = rf"(?=.{{1,{MAXIMUM_KEY_CHARACTERS}}}$)[A-Za-z0-9_.:/=+\-@#]+( [A-Za-z0-9_.:/=+\-@#]+)*"
# IAM Identity Center API reference, InstanceMetadata, InstanceArn.
INSTANCE_PATTERN = r"arn:aws:sso:::instance/(sso)?ins-[a-zA-Z0-9.-]{16}"
_is_key = re.compile(KEY_PATTERN).fullmatch
_is_instance = re.compile(INSTANCE_PATTERN).fullmatch


class ContextProvider(Struct, frozen=True):
    """The configuration of one identity provider.

    ``subject_type_value`` is a fixed type, ``subject_type_source_key`` the claim or attribute that holds it; None when
    not set. ``key_definitions`` are pairs of a source key and a target key. A target key of None is the source key.
    """

    subject_source_key: str
    subject_type_value: str | None = None
    subject_type_source_key: str | None = None
    key_definitions: tuple[tuple[str, str | None], ...] = ()

    @property
    def targets(self) -> tuple[tuple[str, str], ...]:
        """Source and target of every key. That a missing target is the source is not documented."""
        return tuple((source, source if target is None else target) for source, target in self.key_definitions)

    def as_members(self) -> dict[str, Any]:
        """The members of the API's structure, without those that are not set."""
        members: dict[str, Any] = {"SubjectSourceKey": self.subject_source_key}
        if self.key_definitions:
            members["KeyDefinitionList"] = [
                {"SourceKey": source} if target is None else {"SourceKey": source, "TargetKey": target}
                for source, target in self.key_definitions
            ]
        if self.subject_type_value is not None:
            members["SubjectTypeValue"] = self.subject_type_value
        if self.subject_type_source_key is not None:
            members["SubjectTypeSourceKey"] = self.subject_type_source_key
        return members

    def as_text(self) -> str:
        return json.dumps(self.as_members(), separators=(",", ":"))


class Propagating(Protocol):
    """An OIDC or SAML provider as it is stored."""

    @property
    def arn(self) -> str: ...

    @property
    def account_id(self) -> str: ...

    @property
    def context_provider(self) -> ContextProvider | None: ...

    @property
    def identity_center_instance_arn(self) -> str | None: ...


def context_provider_of(members: Mapping[str, Any]) -> ContextProvider:
    """The record of the API's structure. Raises KeyError for a structure without its required members."""
    return ContextProvider(
        members["SubjectSourceKey"],
        members.get("SubjectTypeValue"),
        members.get("SubjectTypeSourceKey"),
        tuple((key["SourceKey"], key.get("TargetKey")) for key in members.get("KeyDefinitionList", ())),
    )


def read_context_provider(text: str) -> ContextProvider:
    """The record that :meth:`ContextProvider.as_text` wrote.

    Raises ValueError, TypeError or KeyError for a text that it did not write.
    """
    found = context_provider_of(json.loads(text))
    problem = context_provider_problem(found)
    if problem:
        raise ValueError(problem)
    return found


def context_provider_problem(provider: ContextProvider) -> str:
    """The first rule of the API reference that a configuration breaks; empty for a valid one.

    That two keys may not have one target is not documented. Condition keys compare without case, so only one of the two
    values could ever be read.
    """
    if any(not isinstance(key, str) or not _is_key(key) for key in _keys(provider)):
        return (
            "a source or target key may contain only letters, digits, single spaces and _ . : / = + - @ #, up to "
            f"{MAXIMUM_KEY_CHARACTERS} characters"
        )
    if provider.subject_type_value and provider.subject_type_source_key is not None:
        return "SubjectTypeValue and SubjectTypeSourceKey are mutually exclusive"
    value = provider.subject_type_value
    if value is not None and (not isinstance(value, str) or len(value) > MAXIMUM_KEY_CHARACTERS):
        return f"SubjectTypeValue may have up to {MAXIMUM_KEY_CHARACTERS} characters"
    targets = [target.lower() for _, target in provider.targets]
    if len(targets) > MAXIMUM_KEY_DEFINITIONS:
        return f"KeyDefinitionList may have up to {MAXIMUM_KEY_DEFINITIONS} mappings"
    if len(set(targets)) < len(targets):
        return "two mappings of KeyDefinitionList have the same target key"
    return ""


def propagation_columns(context_provider: ContextProvider | None, instance_arn: str | None) -> dict[str, str | None]:
    """The columns that OIDC and SAML providers share."""
    text = None if context_provider is None else context_provider.as_text()
    return {"context_provider": text, "identity_center_instance_arn": instance_arn}


def _keys(provider: ContextProvider) -> Iterator[object]:
    yield provider.subject_source_key
    if provider.subject_type_source_key is not None:
        yield provider.subject_type_source_key
    for pair in provider.targets:
        yield from pair


def instance_problem(arn: str) -> str:
    """Why a text cannot be the ARN of an Identity Center instance; empty when it can.

    Rolecall has no Identity Center, so it cannot know which instances exist.
    """
    return "" if _is_instance(arn) else f"{arn} is not the ARN of an IAM Identity Center instance"


def identity_store_arn(connection: Connection, account_id: str, instance_arn: str) -> str:
    """The ARN of the identity store of an Identity Center instance (AWS Service Authorization Reference, Identity
    Store).

    Identity Center would say which store an instance has. Here the id depends on the instance, so that it stays the
    same, and the owner is the account that manages the organization.
    """
    organization = organization_around(connection, account_id)
    owner = account_id if organization is None else organization.management_account_id or account_id
    parsed = parse_arn(instance_arn)
    digest = hashlib.sha256((instance_arn if parsed is None else parsed.resource_name).encode()).hexdigest()
    return f"arn:aws:identitystore::{owner}:identitystore/d-{digest[:10]}"
