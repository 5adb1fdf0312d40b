"""Channels' members and messages, and what the messaging of the Chime SDK announces to its clients.

A channel itself is a resource of the store. ``channel_key`` and ``member_key`` are its key there, and its member's.
Times are microseconds since the epoch.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Text

from rolecall.storage.schema import IN_MEMBERS, Snapshot, cascade, table

# ``relation`` is member, moderator, ban or flow. The member of a flow's relation is the channel flow. The members of
# an elastic channel belong to one of its sub-channels; ``sub_channel_id`` is empty otherwise. ``membership_type``,
# ``read_marker_micros`` and ``preferences`` (JSON) are of members alone.
channel_relations = table(
    "channel_relations",
    bears_on_rights=False,
    kept_by="channel_key",
    snapshot=Snapshot.ROWS,
    columns=[
        Column("channel_key", String(36), cascade("resources.resource_key"), primary_key=True),
        Column("relation", String(16), primary_key=True),
        Column("member_key", String(36), cascade("resources.resource_key"), primary_key=True),
        Column("member_arn", String(256), nullable=False),
        Column("created_by_arn", String(256), nullable=False),
        Column("created_at_micros", BigInteger, nullable=False),
        Column("updated_at_micros", BigInteger, nullable=False),
        Column("sub_channel_id", String(128), primary_key=True),
        Column("membership_type", String(16), nullable=False),
        Column("read_marker_micros", BigInteger, nullable=True),
        Column("preferences", Text, nullable=True),
        Index("ix_channel_relations_page", "channel_key", "relation", "created_at_micros", "member_arn"),
        Index("ix_channel_relations_of_member", "member_key", "relation", "created_at_micros", "channel_key"),
    ],
)

# ``created_at_micros`` also is the order of a channel's messages: no two have the same. ``content`` is JSON in the
# API's spelling. Only ``listed`` messages are shown: persistent ones that are sent. A message of a channel with a flow
# is PENDING until its callback, or until ``settles_at_micros`` of the sandbox's clock. Then it becomes ``settles_as``.
channel_messages = table(
    "channel_messages",
    bears_on_rights=False,
    kept_by="channel_key",
    snapshot=Snapshot.ROWS,
    columns=[
        Column("message_id", String(64), primary_key=True),
        Column("channel_key", String(36), cascade("resources.resource_key"), nullable=False),
        Column("sub_channel_id", String(128), nullable=False),
        Column("created_at_micros", BigInteger, nullable=False),
        Column("sender_arn", String(256), nullable=False),
        Column("target_arn", String(256), nullable=True),
        Column("listed", Boolean, nullable=False),
        Column("status", String(16), nullable=False),
        Column("content", Text, nullable=False, info=IN_MEMBERS),
        Column("create_token", String(64), nullable=True),
        Column("callback_id", String(64), nullable=True, unique=True),
        Column("settles_at_micros", BigInteger, nullable=True),
        Column("settles_as", String(16), nullable=True),
        Index("uq_channel_messages_page", "channel_key", "created_at_micros", unique=True),
        Index("uq_channel_messages_create_token", "channel_key", "sender_arn", "create_token", unique=True),
        Index("ix_channel_messages_pending", "channel_key", "settles_at_micros"),
        Index("ix_channel_messages_unlisted", "channel_key", "listed", "created_at_micros"),
    ],
)

# One row for each event that AWS pushes to the clients of a channel, written in the transaction of the change.
# ``payload`` is the JSON that a client receives. With ``to_members`` the channel's members receive it, of the
# sub-channel if one is named, and so do the users in ``user_arns``, a JSON list. Few events have a reason.
messaging_events = table(
    "messaging_events",
    bears_on_rights=False,
    snapshot=Snapshot.LEFT_OUT,
    numbered=True,
    columns=[
        Column("event_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
        Column("account_id", String(12), nullable=False),
        Column("region", String(32), nullable=False),
        Column("app_instance_arn", String(256), nullable=False),
        Column("channel_arn", String(256), nullable=False),
        Column("channel_key", String(36), nullable=False),
        Column("sub_channel_id", String(128), nullable=False),
        Column("event_type", String(64), nullable=False),
        Column("message_type", String(16), nullable=False),
        Column("payload", Text, nullable=False),
        Column("to_members", Boolean, nullable=False),
        Column("user_arns", Text, nullable=False),
        Column("created_at_micros", BigInteger, nullable=False),
        Column("event_reason", String(64)),
        Index(None, "created_at_micros"),
    ],
)
