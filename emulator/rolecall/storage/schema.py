"""What all tables have in common: the metadata they belong to, and how their constraints are named."""

from __future__ import annotations

from sqlalchemy import ForeignKey, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def cascade(target: str) -> ForeignKey:
    """A reference that goes with what it refers to."""
    return ForeignKey(target, ondelete="CASCADE")
