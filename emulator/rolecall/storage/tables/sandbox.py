"""Rolecall's own state: the source of the world, the keys that seal and sign, and the generation for caches."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Text

from rolecall.storage.schema import Snapshot, table

# One row for each cache that must notice changes. Every transaction that writes one of its tables raises the value.
generations = table(
    "generations",
    bears_on_rights=False,
    snapshot=Snapshot.LEFT_OUT,
    columns=[Column("name", String(32), primary_key=True), Column("value", BigInteger, nullable=False)],
)

sealing_keys = table(
    "sealing_keys",
    bears_on_rights=True,
    snapshot=Snapshot.LEFT_OUT,
    columns=[
        Column("key_id", String(32), primary_key=True),
        Column("secret", LargeBinary, nullable=False),
        Column("created_at_seconds", BigInteger, nullable=False),
        Column("position", Integer, nullable=False, unique=True),
    ],
)

# What the sandbox was last set up from, so that a restart does not overwrite the user's changes.
sandbox_states = table(
    "sandbox_states",
    bears_on_rights=True,
    snapshot=Snapshot.LEFT_OUT,
    columns=[Column("name", String(32), primary_key=True), Column("value", Text, nullable=False)],
)

# Private keys of Rolecall's own issuers. ``purpose`` names the issuer, such as "outbound 111122223333".
signing_keys = table(
    "signing_keys",
    bears_on_rights=True,
    snapshot=Snapshot.ROWS,
    columns=[
        Column("key_id", String(64), primary_key=True),
        Column("purpose", String(128), nullable=False),
        Column("algorithm", String(16), nullable=False),
        Column("private_key", Text, nullable=False),
        Column("certificate", Text, nullable=True),
        Column("created_at_seconds", BigInteger, nullable=False),
        Index(None, "purpose"),
    ],
)

# Stored apart from the rules: a hit must not make every process read everything again.
fault_hits = table(
    "fault_hits",
    bears_on_rights=False,
    snapshot=Snapshot.LEFT_OUT,
    columns=[
        Column("rule_id", String(36), primary_key=True),
        Column("calls", BigInteger, nullable=False),
        Column("hits", BigInteger, nullable=False),
    ],
)
