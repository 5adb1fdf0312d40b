"""SAML providers of IAM and their private keys: rows in, frozen records out."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from rolecall.reprs import repr_without
from rolecall.storage.context_providers import ContextProvider, propagation_columns, read_context_provider
from rolecall.storage.problems import AlreadyThere, problem_for_conflict
from rolecall.storage.tables import saml_private_keys as keys
from rolecall.storage.tables import saml_providers as providers


class SamlProvider(Struct, frozen=True):
    """A provider. ``provider_uuid`` is in the addresses that identity providers with encryption send to."""

    arn: str
    account_id: str
    name: str
    provider_uuid: str
    metadata: str
    assertion_encryption_mode: str | None
    valid_until_seconds: int | None
    created_at_seconds: int
    context_provider: ContextProvider | None = None
    identity_center_instance_arn: str | None = None

    __repr__ = repr_without("metadata")


class SamlPrivateKey(Struct, frozen=True):
    """A key that opens encrypted assertions, in PEM."""

    key_id: str
    private_key: str
    created_at_seconds: int

    __repr__ = repr_without("private_key")


_COLUMNS: tuple[Any, ...] = (
    providers.c.arn,
    providers.c.account_id,
    providers.c.name,
    providers.c.provider_uuid,
    providers.c.metadata,
    providers.c.assertion_encryption_mode,
    providers.c.valid_until_seconds,
    providers.c.created_at_seconds,
    providers.c.context_provider,
    providers.c.identity_center_instance_arn,
)
_BY_ARN = select(*_COLUMNS).where(providers.c.arn == bindparam("arn"))
_BY_ARN_FOR_UPDATE = _BY_ARN.with_for_update()
_OF_ACCOUNT = select(*_COLUMNS).where(providers.c.account_id == bindparam("account")).order_by(providers.c.arn)
_COUNT = select(func.count()).select_from(providers).where(providers.c.account_id == bindparam("account"))
_KEYS = (
    select(keys.c.key_id, keys.c.private_key, keys.c.created_at_seconds)
    .where(keys.c.arn == bindparam("arn"))
    .order_by(keys.c.created_at_seconds, keys.c.key_id)
)


def provider_by_arn(connection: Connection, arn: str, *, for_update: bool = False) -> SamlProvider | None:
    """The provider with that ARN. With ``for_update`` other writers wait, if the database allows several writers."""
    row = connection.execute(_BY_ARN_FOR_UPDATE if for_update else _BY_ARN, {"arn": arn}).first()
    return None if row is None else _record(row)


def _record(row: Row[Any]) -> SamlProvider:
    text = row.context_provider
    return SamlProvider(
        row.arn,
        row.account_id,
        row.name,
        row.provider_uuid,
        row.metadata,
        row.assertion_encryption_mode,
        row.valid_until_seconds,
        row.created_at_seconds,
        None if text is None else read_context_provider(text),
        row.identity_center_instance_arn,
    )


def providers_of(connection: Connection, account_id: str) -> list[SamlProvider]:
    """The account's providers, sorted by ARN."""
    return [_record(row) for row in connection.execute(_OF_ACCOUNT, {"account": account_id})]


def count_providers(connection: Connection, account_id: str) -> int:
    return int(connection.execute(_COUNT, {"account": account_id}).scalar_one())


def add_provider(connection: Connection, provider: SamlProvider) -> None:
    """Store a new provider. Raises AlreadyThere when the account has a provider with that name."""
    values = {
        "arn": provider.arn,
        "account_id": provider.account_id,
        "name": provider.name,
        "provider_uuid": provider.provider_uuid,
        "metadata": provider.metadata,
        "assertion_encryption_mode": provider.assertion_encryption_mode,
        "valid_until_seconds": provider.valid_until_seconds,
        "created_at_seconds": provider.created_at_seconds,
        **propagation_columns(provider.context_provider, provider.identity_center_instance_arn),
    }
    with problem_for_conflict(connection, AlreadyThere(provider.arn)):
        connection.execute(insert(providers), values)


def change_provider(
    connection: Connection, arn: str, metadata: str, encryption_mode: str | None, valid_until_seconds: int | None
) -> None:
    connection.execute(
        update(providers)
        .where(providers.c.arn == arn)
        .values(metadata=metadata, assertion_encryption_mode=encryption_mode, valid_until_seconds=valid_until_seconds)
    )


def set_propagation(
    connection: Connection, arn: str, context_provider: ContextProvider | None, instance_arn: str | None
) -> None:
    values = propagation_columns(context_provider, instance_arn)
    connection.execute(update(providers).where(providers.c.arn == arn).values(**values))


def remove_provider(connection: Connection, arn: str) -> None:
    """Delete a provider with its keys and tags."""
    connection.execute(delete(providers).where(providers.c.arn == arn))


def private_keys_of(connection: Connection, arn: str) -> list[SamlPrivateKey]:
    """A provider's private keys, oldest first."""
    return [SamlPrivateKey(*row) for row in connection.execute(_KEYS, {"arn": arn})]


def add_private_key(connection: Connection, arn: str, key: SamlPrivateKey) -> None:
    values = {"key_id": key.key_id, "private_key": key.private_key, "created_at_seconds": key.created_at_seconds}
    connection.execute(insert(keys), {"arn": arn, **values})


def remove_private_key(connection: Connection, arn: str, key_id: str) -> None:
    connection.execute(delete(keys).where(keys.c.arn == arn, keys.c.key_id == key_id))
