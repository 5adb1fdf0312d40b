"""Writes the declared resources of the Chime SDK.

A declared resource without an id gets one that is the same each time, so that programs can know its ARN.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from rolecall.arns import arn_format, formatted_arn
from rolecall.contents.app_instances import (
    ENDPOINT_SECRET,
    RETENTION,
    new_admin,
    new_app_instance,
    new_bot,
    new_endpoint,
    new_user,
)
from rolecall.contents.channels import (
    CHANNEL_ID_BYTES,
    ELASTIC,
    FLOW_MEMBER,
    PERSISTENT,
    STANDARD,
    new_channel,
    new_flow,
    new_message,
)
from rolecall.contents.expiration import CREATED, EXPIRATION, expires_at_seconds
from rolecall.contents.meetings import LONGEST_MEETING_SECONDS, attendee_token, new_attendee, new_meeting
from rolecall.contents.voice import (
    CONNECTOR_ID_CHARACTERS,
    HOST_NAME_TRIGGER,
    new_connector_group,
    new_sip_application,
    new_sip_rule,
    new_voice_connector,
    outbound_host_name,
)
from rolecall.data import resource_types
from rolecall.ids import Identifiers, base36_of, uuid_of
from rolecall.storage import tables as t
from rolecall.storage.channel_messages import SENT
from rolecall.storage.channel_relations import BAN, FLOW, MEMBER, MODERATOR
from rolecall.storage.resources import content_text
from rolecall.storage.world_rows import WorldRows
from rolecall.worlds import chime_sdk as d
from rolecall.worlds.phone_number_setup import CONNECTOR_ID, GROUP_ID, put_phone_number
from rolecall.worlds.voice_references import referable

Content = Mapping[str, Any]
_SERVICES = {
    "app-instance": "chime-sdk-identity",
    "app-instance-user": "chime-sdk-identity",
    "app-instance-bot": "chime-sdk-identity",
    "app-instance-admin": "chime-sdk-identity",
    "app-instance-user-endpoint": "chime-sdk-identity",
    "channel": "chime-sdk-messaging",
    "channel-flow": "chime-sdk-messaging",
    "meeting": "chime-sdk-meetings",
    "attendee": "chime-sdk-meetings",
    "voice-connector": "chime-sdk-voice",
    "sip-media-application": "chime-sdk-voice",
    "voice-connector-group": "chime-sdk-voice",
    "sip-rule": "chime-sdk-voice",
}
# Members of a resource that a file does not declare: what is there stays.
_MOMENTS = frozenset({"CreatedTimestamp", "LastUpdatedTimestamp", "UpdatedTimestamp", "LastMessageTimestamp"})
_CHANGED_AT = ("LastUpdatedTimestamp", "UpdatedTimestamp")
_PRIVACIES = ("public", "private")
# The model has no ARN for these.
_WITHOUT_ARN = frozenset({"app-instance-user-endpoint", "attendee", "voice-connector-group", "sip-rule"})
_NO_COLUMNS: frozenset[str] = frozenset()
_DATES = frozenset({"created_by_arn", "created_at_micros", "updated_at_micros"})


class _Written(NamedTuple):
    """A user or bot, or the resource that others belong to."""

    key: str
    resource_id: str
    arn: str


class ChimeSdkRows:
    """Writes what one AWS account declares."""

    def __init__(self, db: WorldRows, account_id: str, now_seconds: int, ids: Identifiers) -> None:
        self._db = db
        self._account_id = account_id
        self._now_seconds = now_seconds
        self._ids = ids

    def put(self, account: Any) -> None:
        """The app instances, meetings, Voice Connectors and SIP media applications of a declared account."""
        for instance in account.app_instances:
            self._app_instance(instance)
        for meeting in account.meetings:
            self._meeting(meeting)
        connectors = [
            (each.name, each.connector_id or "", self._voice_connector(each)) for each in account.voice_connectors
        ]
        applications = [
            (each.name, each.application_id or "", (self._sip_application(each), each.aws_region))
            for each in account.sip_media_applications
        ]
        groups = [
            (each.name, each.group_id or "", self._connector_group(each, referable(connectors)))
            for each in account.voice_connector_groups
        ]
        for number in account.phone_numbers:
            self._phone_number(number, referable(connectors), referable(groups))
        for rule in account.sip_rules:
            self._sip_rule(rule, referable(connectors), referable(applications))

    # The resources.

    def _app_instance(self, declared: d.DeclaredAppInstance) -> None:
        now, region = self._now_seconds, declared.region
        instance_id = declared.instance_id or self._uuid(region, "app-instance", declared.name)
        arn = self._arn("app-instance", region, instance_id)
        content = new_app_instance(arn, declared.name, declared.metadata, now)
        instance = self._put("app-instance", region, instance_id, content, declared.tags)
        known: dict[str, _Written] = {}
        for user in declared.users:
            user_id = f"{instance_id}/{user.user_id}"
            user_arn = self._arn("app-instance-user", region, user_id)
            content = new_user(user_arn, user.name or user.user_id, user.metadata, now)
            content |= _expiration(user.expiration_days, CREATED)
            known[user.user_id] = self._put("app-instance-user", region, user_id, content, user.tags, instance)
            for endpoint in user.endpoints:
                self._endpoint(region, known[user.user_id], endpoint)
        for bot in declared.bots:
            bot_id = f"{instance_id}/{bot.bot_id or self._uuid(region, 'app-instance-bot', instance_id, bot.name)}"
            bot_arn = self._arn("app-instance-bot", region, bot_id)
            content = new_bot(bot_arn, _lex(bot), bot.name, bot.metadata, now)
            known[bot.name] = self._put("app-instance-bot", region, bot_id, content, bot.tags, instance)
        for name in declared.admins:
            admin = known[name]
            self._put("app-instance-admin", region, admin.arn, new_admin(arn, now), {}, admin)
        if declared.retention_days is not None:
            self._retention(instance, declared.retention_days)
        flows = {flow.name: self._flow(region, instance, flow) for flow in declared.channel_flows}
        for channel in declared.channels:
            self._channel(region, instance, channel, known, flows)

    def _endpoint(self, region: str, user: _Written, declared: d.DeclaredUserEndpoint) -> None:
        kind = "app-instance-user-endpoint"
        endpoint_id = declared.endpoint_id or self._uuid(region, kind, user.resource_id, declared.device_token)
        attributes = {"DeviceToken": declared.device_token}
        if declared.voip_device_token is not None:
            attributes["VoipDeviceToken"] = declared.voip_device_token
        content = new_endpoint(
            user.arn,
            endpoint_id,
            declared.type,
            declared.application,
            attributes,
            declared.allow_messages,
            declared.name,
            self._now_seconds,
        )
        secret = json.dumps(content.pop(ENDPOINT_SECRET))
        self._put(kind, region, endpoint_id, content, {}, user, always={"secret": secret})

    def _retention(self, instance: _Written, days: int) -> None:
        """Without a grace period: it is in force from now on."""
        content = content_text({RETENTION: {"ChannelRetentionSettings": {"RetentionDays": days}}})
        key = {"resource_key": instance.key, "name": RETENTION}
        present = self._db.find(t.resource_settings, key)
        # A call may have put the same days, with a grace period.
        if present is None or _days_of(present) != days:
            self._db.put(t.resource_settings, key, {"content": content}, {})

    def _flow(self, region: str, instance: _Written, declared: d.DeclaredChannelFlow) -> _Written:
        own_id = declared.flow_id or self._uuid(region, "channel-flow", instance.resource_id, declared.name)
        flow_id = f"{instance.resource_id}/{own_id}"
        processor = {
            "Name": declared.name,
            "Configuration": {"Lambda": {"ResourceArn": declared.lambda_arn, "InvocationType": "ASYNC"}},
            "ExecutionOrder": 1,
            "FallbackAction": declared.fallback,
        }
        content = new_flow(self._arn("channel-flow", region, flow_id), declared.name, [processor], self._now_seconds)
        return self._put("channel-flow", region, flow_id, content, declared.tags, instance)

    def _channel(
        self,
        region: str,
        instance: _Written,
        declared: d.DeclaredChannel,
        known: Mapping[str, _Written],
        flows: Mapping[str, _Written],
    ) -> None:
        derived = self._digest(region, "channel", instance.resource_id, declared.name)[:CHANNEL_ID_BYTES].hex()
        own_id = declared.channel_id or derived
        channel_id = f"{instance.resource_id}/{own_id}"
        arn, creator = self._arn("channel", region, channel_id), known[declared.creator].arn
        optional = {
            "Metadata": declared.metadata,
            "LastMessageTimestamp": self._now_seconds if declared.messages else None,
            ELASTIC: None if declared.elastic is None else _elastic(declared.elastic),
            FLOW_MEMBER: None if declared.flow is None else flows[declared.flow].arn,
        }
        if declared.expiration is not None:
            optional |= _expiration(declared.expiration.days, declared.expiration.criterion)
        content = new_channel(arn, declared.name, declared.mode, declared.privacy, creator, optional, self._now_seconds)
        channel = self._put("channel", region, channel_id, content, declared.tags, instance)
        for relation, names in ((MEMBER, declared.members), (MODERATOR, declared.moderators), (BAN, declared.banned)):
            for position, name in enumerate(names):
                sub_channel_id = self._sub_channel(channel, declared, position) if relation == MEMBER else ""
                self._relation(channel, relation, known[name], creator, sub_channel_id)
        if declared.flow is not None:
            flow = flows[declared.flow]
            row = {"member_key": flow.key, "sub_channel_id": "", **self._columns(flow, creator, "")}
            self._db.replace(t.channel_relations, {"channel_key": channel.key, "relation": FLOW}, [row], _DATES)
        for relation in _PRIVACIES:
            wanted = {"sub_channel_id": "", **self._columns(instance, creator, "")}
            rows = [{"member_key": instance.key, **wanted}] if relation == declared.privacy.lower() else []
            owner = {"channel_key": channel.key, "relation": relation}
            self._db.replace(t.channel_relations, owner, rows, _DATES)
        for position, message in enumerate(declared.messages):
            self._message(channel, position, message, known[message.sender].arn)

    def _sub_channel(self, channel: _Written, declared: d.DeclaredChannel, position: int) -> str:
        """The sub-channel of a member of an elastic channel: one after the other is filled. Else empty."""
        if declared.elastic is None:
            return ""
        number = position // declared.elastic.target_memberships_per_sub_channel
        return hashlib.sha256(f"{channel.arn} {number}".encode()).hexdigest()

    def _relation(
        self, channel: _Written, relation: str, member: _Written, creator: str, sub_channel_id: str = ""
    ) -> None:
        """A member or moderator is not banned, and a banned one is no member. A member stays in its sub-channel."""
        of_member = {"channel_key": channel.key, "member_key": member.key}
        excluded = {**of_member, "relation": MEMBER if relation == BAN else BAN}
        self._db.replace(t.channel_relations, excluded, [], _NO_COLUMNS)
        owner = {**of_member, "relation": relation}
        if sub_channel_id and self._db.find(t.channel_relations, owner) is not None:
            return
        membership_type = "DEFAULT" if relation == MEMBER else ""
        key = {**owner, "sub_channel_id": sub_channel_id}
        self._db.put(t.channel_relations, key, {}, self._columns(member, creator, membership_type))

    def _columns(self, member: _Written, creator: str, membership_type: str) -> dict[str, Any]:
        now_micros = self._now_seconds * 1_000_000
        return {
            "member_arn": member.arn,
            "created_by_arn": creator,
            "created_at_micros": now_micros,
            "updated_at_micros": now_micros,
            "membership_type": membership_type,
        }

    def _message(self, channel: _Written, position: int, declared: d.DeclaredChannelMessage, sender_arn: str) -> None:
        key = {"message_id": hashlib.sha256(f"{channel.arn} {position}".encode()).hexdigest()}
        optional = {"Metadata": declared.metadata}
        content = new_message(declared.content, STANDARD, PERSISTENT, optional, self._now_seconds)
        present = self._db.find(t.channel_messages, key)
        if present is not None:
            restored = self._restored(json.loads(present["content"]), content)
            self._db.put(t.channel_messages, key, {"content": content_text(restored)}, {})
            return
        # The order of a channel's messages: no two have the same.
        for created_at_micros in itertools.count(self._now_seconds * 1_000_000 + position):
            place = {"channel_key": channel.key, "created_at_micros": created_at_micros}
            if self._db.find(t.channel_messages, place) is None:
                break
        values = {
            **place,
            "sub_channel_id": "",
            "sender_arn": sender_arn,
            "listed": True,
            "status": SENT,
            "content": content_text(content),
        }
        self._db.put(t.channel_messages, key, {}, values)

    def _meeting(self, declared: d.DeclaredMeeting) -> None:
        region = declared.region
        meeting_id = declared.meeting_id or self._uuid(region, "meeting", declared.external_meeting_id)
        members = {"ExternalMeetingId": declared.external_meeting_id, "MediaRegion": declared.media_region}
        if declared.meeting_host_id is not None:
            members["MeetingHostId"] = declared.meeting_host_id
        content = new_meeting(meeting_id, self._arn("meeting", region, meeting_id), members)
        ends = self._now_seconds + LONGEST_MEETING_SECONDS
        meeting = self._put("meeting", region, meeting_id, content, declared.tags, ends_at_seconds=ends)
        for each in declared.attendees:
            attendee_id = each.attendee_id or self._uuid(region, "attendee", meeting_id, each.external_user_id)
            content = new_attendee(attendee_id, each.external_user_id, self._ids.uuid(), {}, each.capabilities)
            token = content.pop("JoinToken")
            new = {"create_token": attendee_token(meeting_id, each.external_user_id), "secret": json.dumps(token)}
            self._put("attendee", region, attendee_id, content, {}, meeting, new=new)

    def _voice_connector(self, declared: d.DeclaredVoiceConnector) -> _Written:
        region = declared.region
        derived = base36_of(self._digest(region, "voice-connector", declared.name))[:CONNECTOR_ID_CHARACTERS]
        connector_id = declared.connector_id or derived
        content = new_voice_connector(
            connector_id,
            self._arn("voice-connector", region, connector_id),
            declared.name,
            declared.aws_region,
            require_encryption=declared.require_encryption,
            network_type=declared.network_type,
            integration_type=None,
            now_seconds=self._now_seconds,
        )
        return self._put("voice-connector", region, connector_id, content, declared.tags)

    def _sip_application(self, declared: d.DeclaredSipApplication) -> _Written:
        region = declared.region
        application_id = declared.application_id or self._uuid(region, "sip-media-application", declared.name)
        arn, endpoints = (
            self._arn("sip-media-application", region, application_id),
            [{"LambdaArn": declared.lambda_arn}],
        )
        content = new_sip_application(
            application_id, arn, declared.name, declared.aws_region, endpoints, self._now_seconds
        )
        return self._put("sip-media-application", region, application_id, content, declared.tags)

    def _connector_group(self, declared: d.DeclaredConnectorGroup, connectors: Mapping[str, _Written]) -> _Written:
        region = declared.region
        group_id = declared.group_id or self._uuid(region, "voice-connector-group", declared.name)
        items = [
            {"VoiceConnectorId": connectors[each.connector].resource_id, "Priority": each.priority}
            for each in declared.connectors
        ]
        content = new_connector_group(group_id, declared.name, items, declared.distribution, self._now_seconds)
        return self._put("voice-connector-group", region, group_id, content, {})

    def _phone_number(
        self,
        declared: d.DeclaredPhoneNumber,
        connectors: Mapping[str, _Written],
        groups: Mapping[str, _Written],
    ) -> None:
        owners = {
            CONNECTOR_ID: connectors.get(declared.voice_connector or ""),
            GROUP_ID: groups.get(declared.voice_connector_group or ""),
        }
        associations = {name: owner.resource_id for name, owner in owners.items() if owner is not None}
        put_phone_number(self._db, self._account_id, declared, associations, self._now_seconds)

    def _sip_rule(
        self,
        declared: d.DeclaredSipRule,
        connectors: Mapping[str, _Written],
        applications: Mapping[str, tuple[_Written, str]],
    ) -> None:
        region = declared.region
        rule_id = declared.rule_id or self._uuid(region, "sip-rule", declared.name)
        host_name = outbound_host_name(connectors[declared.voice_connector].resource_id)
        targets = []
        for each in declared.applications:
            application, aws_region = applications[each.application]
            targets.append(
                {
                    "SipMediaApplicationId": application.resource_id,
                    "Priority": each.priority,
                    "AwsRegion": aws_region,
                }
            )
        content = new_sip_rule(
            rule_id,
            declared.name,
            HOST_NAME_TRIGGER,
            host_name,
            targets,
            disabled=declared.disabled,
            now_seconds=self._now_seconds,
        )
        self._put("sip-rule", region, rule_id, content, {}, always={"create_token": host_name})

    # Rows.

    def _put(
        self,
        resource_type: str,
        region: str,
        resource_id: str,
        content: Content,
        tags: Mapping[str, str],
        parent: _Written | None = None,
        *,
        ends_at_seconds: int | None = None,
        new: Mapping[str, Any] | None = None,
        always: Mapping[str, Any] | None = None,
    ) -> _Written:
        """Create the resource, or bring it up to date. One that has ended starts again."""
        place = {
            "account_id": self._account_id,
            "region": region,
            "kind": f"{_SERVICES[resource_type]}/{resource_type}",
            "resource_id": resource_id,
        }
        values: dict[str, Any] = {
            "content": content_text(content),
            "parent_key": None if parent is None else parent.key,
            "created_at_seconds": self._now_seconds,
            "ends_at_seconds": ends_at_seconds,
        }
        present = self._db.find(t.resources, place)
        if present is not None and not self._has_ended(present):
            content = self._restored(json.loads(present["content"]), content)
            values = {"content": content_text(content), "parent_key": values["parent_key"]}
        if EXPIRATION in content:
            values["ends_at_seconds"] = expires_at_seconds(content)
        values |= always or {}
        key = self._ids.uuid() if present is None else str(present["resource_key"])
        self._db.put(t.resources, place, values, {"resource_key": key, **(new or {})})
        rows = [{"key": name, "value": value} for name, value in tags.items()]
        self._db.replace(t.resource_tags, {"resource_key": key}, rows, _NO_COLUMNS)
        arn = "" if resource_type in _WITHOUT_ARN else self._arn(resource_type, region, resource_id)
        return _Written(key, resource_id, arn)

    def _has_ended(self, row: Mapping[str, Any]) -> bool:
        return row["ends_at_seconds"] is not None and row["ends_at_seconds"] <= self._now_seconds

    def _restored(self, present: Content, declared: Content) -> Content:
        """The present content with the declared members. Members that the file does not know stay."""
        restored = {**present, **{name: value for name, value in declared.items() if name not in _MOMENTS}}
        if restored == present:
            return present
        return {**restored, **{name: self._now_seconds for name in _CHANGED_AT if name in present}}

    # Ids.

    def _arn(self, resource_type: str, region: str, resource_id: str) -> str:
        if resource_type == "app-instance-admin":
            return resource_id
        form = arn_format(resource_types("chime")[resource_type].arn)
        return formatted_arn(form, region, self._account_id, resource_id)

    def _uuid(self, region: str, *names: str) -> str:
        return uuid_of(self._digest(region, *names)[:16])

    def _digest(self, region: str, *names: str) -> bytes:
        return hashlib.sha256(json.dumps([self._account_id, region, *names]).encode()).digest()


def _lex(bot: d.DeclaredAppInstanceBot) -> Content:
    invoked_by = {"StandardMessages": bot.standard_messages, "TargetedMessages": bot.targeted_messages}
    lex = {"InvokedBy": invoked_by, "LexBotAliasArn": bot.lex_bot_alias, "LocaleId": bot.locale}
    return {"Lex": lex if bot.welcome_intent is None else {**lex, "WelcomeIntent": bot.welcome_intent}}


def _expiration(days: int | None, criterion: str) -> Content:
    return {} if days is None else {EXPIRATION: {"ExpirationDays": days, "ExpirationCriterion": criterion}}


def _elastic(declared: d.DeclaredElastic) -> Content:
    return {
        "MaximumSubChannels": declared.maximum_sub_channels,
        "TargetMembershipsPerSubChannel": declared.target_memberships_per_sub_channel,
        "MinimumMembershipPercentage": declared.minimum_membership_percentage,
    }


def _days_of(setting: Mapping[str, Any]) -> Any:
    """The days of stored retention settings."""
    return json.loads(setting["content"])[RETENTION].get("ChannelRetentionSettings", {}).get("RetentionDays")
