"""OpenID Connect providers of IAM: rows in, frozen records out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Row, Table, bindparam, delete, func, insert, select, update

from rolecall.storage import tables as t
from rolecall.storage.context_providers import ContextProvider, propagation_columns, read_context_provider
from rolecall.storage.problems import AlreadyThere, problem_for_conflict


class OidcProvider(Struct, frozen=True):
    """A provider. ``key_source`` is ``discovery``, ``declared`` (the keys are ``jwks``, a JWK Set) or ``own``."""

    arn: str
    account_id: str
    url: str
    key_source: str
    jwks: str | None
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    created_at_seconds: int
    context_provider: ContextProvider | None = None
    identity_center_instance_arn: str | None = None


_BY_ARN = select(t.oidc_providers).where(t.oidc_providers.c.arn == bindparam("arn"))
_BY_ARN_FOR_UPDATE = _BY_ARN.with_for_update()


def provider_by_arn(connection: Connection, arn: str, *, for_update: bool = False) -> OidcProvider | None:
    """The provider with that ARN. With ``for_update`` other writers wait, if the database allows several writers."""
    row = connection.execute(_BY_ARN_FOR_UPDATE if for_update else _BY_ARN, {"arn": arn}).first()
    return None if row is None else _record(connection, row)


def _record(connection: Connection, row: Row[Any]) -> OidcProvider:
    return OidcProvider(
        row.arn,
        row.account_id,
        row.url,
        row.key_source,
        row.jwks,
        _listed(connection, t.oidc_client_ids, "client_id", row.arn),
        _listed(connection, t.oidc_thumbprints, "thumbprint", row.arn),
        row.created_at_seconds,
        None if row.context_provider is None else read_context_provider(row.context_provider),
        row.identity_center_instance_arn,
    )


def _listed(connection: Connection, table: Table, column: str, arn: str) -> tuple[str, ...]:
    statement = select(table.c[column]).where(table.c.arn == arn).order_by(table.c.position)
    return tuple(connection.execute(statement).scalars())


def listed_providers(connection: Connection, account_id: str) -> list[tuple[str, bool]]:
    """The ARNs of the account's providers, sorted, and whether an Identity Center instance is associated with each."""
    columns = t.oidc_providers.c
    statement = select(columns.arn, columns.identity_center_instance_arn).where(columns.account_id == account_id)
    return [(arn, instance is not None) for arn, instance in connection.execute(statement.order_by(columns.arn))]


def own_provider_urls(connection: Connection) -> set[str]:
    """The URLs of providers that a sandbox file declares as Rolecall's own: Rolecall signs their tokens."""
    statement = select(t.oidc_providers.c.url).where(t.oidc_providers.c.key_source == "own")
    return set(connection.execute(statement).scalars())


def count_providers(connection: Connection, account_id: str) -> int:
    statement = select(func.count()).select_from(t.oidc_providers).where(t.oidc_providers.c.account_id == account_id)
    return int(connection.execute(statement).scalar_one())


def add_provider(connection: Connection, provider: OidcProvider) -> None:
    """Store a new provider. Raises AlreadyThere when the account has a provider with that URL."""
    values = {
        "arn": provider.arn,
        "account_id": provider.account_id,
        "url": provider.url,
        "key_source": provider.key_source,
        "jwks": provider.jwks,
        "created_at_seconds": provider.created_at_seconds,
        **propagation_columns(provider.context_provider, provider.identity_center_instance_arn),
    }
    with problem_for_conflict(connection, AlreadyThere(provider.arn)):
        connection.execute(insert(t.oidc_providers), values)
    set_client_ids(connection, provider.arn, provider.client_ids)
    set_thumbprints(connection, provider.arn, provider.thumbprints)


def remove_provider(connection: Connection, arn: str) -> None:
    """Delete a provider with everything that belongs to it. A missing provider is no error."""
    connection.execute(delete(t.oidc_providers).where(t.oidc_providers.c.arn == arn))


def set_propagation(
    connection: Connection, arn: str, context_provider: ContextProvider | None, instance_arn: str | None
) -> None:
    values = propagation_columns(context_provider, instance_arn)
    connection.execute(update(t.oidc_providers).where(t.oidc_providers.c.arn == arn).values(**values))


def set_client_ids(connection: Connection, arn: str, client_ids: Iterable[str]) -> None:
    _replace(connection, t.oidc_client_ids, "client_id", arn, client_ids)


def set_thumbprints(connection: Connection, arn: str, thumbprints: Iterable[str]) -> None:
    _replace(connection, t.oidc_thumbprints, "thumbprint", arn, thumbprints)


def _replace(connection: Connection, table: Table, column: str, arn: str, values: Iterable[str]) -> None:
    """Store exactly these values, each once, in this order."""
    connection.execute(delete(table).where(table.c.arn == arn))
    rows = [{"arn": arn, column: value, "position": place} for place, value in enumerate(dict.fromkeys(values))]
    if rows:
        connection.execute(insert(table), rows)
