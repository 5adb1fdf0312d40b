"""Writes declared attachments, of a sandbox file and of a running sandbox."""

from __future__ import annotations

import hashlib
from typing import Any

from rolecall.ids import INSTANCE_PROFILE_PREFIX, Identifiers
from rolecall.storage import tables as t
from rolecall.storage.attachments import facts_text
from rolecall.storage.world_rows import Row, WorldRows
from rolecall.worlds.attached import BadAttachmentError, DeclaredAttachment, DeclaredInstance, DeclaredTask, facts_of
from rolecall.worlds.members import columns_of, new_columns_of

_ID_DIGITS = 17
_TASK_DIGITS = 32


def put_attachment(
    db: WorldRows, account_id: str, record: Any, attachment_id: str, now_seconds: int, ids: Identifiers
) -> None:
    """Create the attachment, or bring it up to date. Raises BadAttachmentError for a role or profile that is unknown.

    An instance with a role gets the instance profile of the role. The profile is made if the role is in none, with the
    role's name, as IAM's console makes it with each role for EC2.
    """
    facts = facts_of(record)
    if isinstance(record, DeclaredInstance):
        facts.pop("role", None)
        facts |= _profile(db, account_id, record, now_seconds, ids)
    elif _role(db, account_id, record.role) is None:
        raise BadAttachmentError(f"no role {record.role!r} is in account {account_id}")
    columns = columns_of(record)
    values = {
        "account_id": account_id,
        "kind": record.kind,
        "facts": facts_text(facts),
        **{name: value for name, value in columns.items() if name != "attachment_id"},
    }
    new = {"created_at_seconds": now_seconds, "bound_port": None, **new_columns_of(record)}
    db.put(t.attachments, {"attachment_id": attachment_id}, values, new)


def declared_id(record: DeclaredAttachment, account_id: str, position: int) -> str:
    """The id of a declared attachment, or one that is the same each time the file is read."""
    known: str | None = getattr(record, "attachment_id", None)
    if known is not None:
        return known
    return _id(record, hashlib.sha256(f"{account_id}/{record.section}/{position}".encode()).hexdigest())


def new_id(record: DeclaredAttachment, ids: Identifiers) -> str:
    known: str | None = getattr(record, "attachment_id", None)
    return _id(record, ids.noise(_TASK_DIGITS).hex()) if known is None else known


def _id(record: DeclaredAttachment, digits: str) -> str:
    if isinstance(record, DeclaredTask):
        return digits[:_TASK_DIGITS]
    return f"{'i' if isinstance(record, DeclaredInstance) else 'a'}-{digits[:_ID_DIGITS]}"


def _role(db: WorldRows, account_id: str, name: str | None) -> Row | None:
    return db.find(t.roles, {"account_id": account_id, "name_key": (name or "").lower()})


def _profile(
    db: WorldRows, account_id: str, record: DeclaredInstance, now_seconds: int, ids: Identifiers
) -> dict[str, str]:
    """Name and id of the instance profile. EC2 keeps the id: another profile of the same name does not count."""
    if record.instance_profile is not None:
        key = {"account_id": account_id, "name_key": record.instance_profile.lower()}
        row = db.find(t.instance_profiles, key)
        if row is None and record.instance_profile_id is None:
            raise BadAttachmentError(f"no instance profile {record.instance_profile!r} is in account {account_id}")
        found = record.instance_profile_id or str(row and row["instance_profile_id"])
        return {"instance_profile": record.instance_profile, "instance_profile_id": found}
    role = _role(db, account_id, record.role)
    if role is None:
        raise BadAttachmentError(f"no role {record.role!r} is in account {account_id}")
    if role["linked_service"] is not None:
        raise BadAttachmentError(f"{role['name']!r} is a service-linked role, which no instance profile can hold")
    row = db.find(t.instance_profiles, {"account_id": account_id, "role_id": role["role_id"]})
    if row is None:
        row = _made_profile(db, account_id, role, now_seconds, ids)
    return {"instance_profile": row["name"], "instance_profile_id": row["instance_profile_id"]}


def _made_profile(db: WorldRows, account_id: str, role: Row, now_seconds: int, ids: Identifiers) -> Row:
    key = {"account_id": account_id, "name_key": role["name_key"]}
    other = db.find(t.instance_profiles, key)
    if other is not None and other["role_id"] is not None:
        name = role["name"]
        raise BadAttachmentError(
            f"the instance profile {name!r} has another role: put the role {name!r} into a profile, and name that"
        )
    new = {
        "instance_profile_id": ids.unique_id(INSTANCE_PROFILE_PREFIX),
        "name": role["name"],
        "path": "/",
        "created_at_seconds": now_seconds,
    }
    db.put(t.instance_profiles, key, {"role_id": role["role_id"]}, new)
    return db.find(t.instance_profiles, key) or new
