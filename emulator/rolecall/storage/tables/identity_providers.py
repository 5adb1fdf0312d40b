"""OIDC and SAML providers, with their keys and tags."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table, Text
from sqlalchemy.schema import SchemaItem

from rolecall.storage.schema import Snapshot, cascade, table
from rolecall.storage.tables.entities import tags


def _provider(table_name: str, *columns: SchemaItem) -> Table:
    """Identity providers of one kind, by ARN."""
    return table(
        table_name,
        bears_on_rights=True,
        snapshot=Snapshot.ROWS,
        columns=[
            Column("arn", String(2048), primary_key=True),
            Column("account_id", String(12), cascade("accounts.account_id"), nullable=False),
            *columns,
            Column("created_at_seconds", BigInteger, nullable=False),
            # What the provider propagates, as JSON, and the Identity Center instance that is associated with it.
            Column("context_provider", Text, nullable=True),
            Column("identity_center_instance_arn", String(1224), nullable=True),
            Index(None, "account_id"),
        ],
    )


def _of_provider(table_name: str, provider_table: str, *columns: SchemaItem) -> Table:
    """A table of things of which a provider may have several."""
    owner = Column("arn", String(2048), cascade(f"{provider_table}.arn"), primary_key=True)
    return table(table_name, bears_on_rights=True, snapshot=Snapshot.ROWS, columns=[owner, *columns])


# ``key_source`` says where the keys come from: the issuer's discovery document, ``jwks``, or Rolecall's own issuer.
oidc_providers = _provider(
    "oidc_providers",
    Column("url", String(255), nullable=False),
    Column("key_source", String(16), nullable=False, default="discovery"),
    Column("jwks", Text, nullable=True),
    CheckConstraint("key_source IN ('discovery', 'declared', 'own')", name="key_source"),
)

oidc_client_ids = _of_provider(
    "oidc_client_ids",
    "oidc_providers",
    Column("client_id", String(255), primary_key=True),
    Column("position", Integer, nullable=False),
)

oidc_thumbprints = _of_provider(
    "oidc_thumbprints",
    "oidc_providers",
    Column("thumbprint", String(40), primary_key=True),
    Column("position", Integer, nullable=False),
)

oidc_provider_tags = tags("oidc_provider_tags", "oidc_providers", "arn", 2048, snapshot=Snapshot.ROWS)

saml_providers = _provider(
    "saml_providers",
    Column("name", String(128), nullable=False),
    Column("provider_uuid", String(36), nullable=False),
    Column("metadata", Text, nullable=False),
    Column("assertion_encryption_mode", String(8), nullable=True),
    Column("valid_until_seconds", BigInteger, nullable=True),
    CheckConstraint("assertion_encryption_mode IN ('Required', 'Allowed')", name="assertion_encryption_mode"),
)

# Keys for assertions that the identity provider encrypts.
saml_private_keys = _of_provider(
    "saml_private_keys",
    "saml_providers",
    Column("key_id", String(64), primary_key=True),
    Column("private_key", Text, nullable=False),
    Column("created_at_seconds", BigInteger, nullable=False),
)

saml_provider_tags = tags("saml_provider_tags", "saml_providers", "arn", 2048, snapshot=Snapshot.ROWS)
