"""Who may open a websocket, and what comes first on it (Developer Guide, Using websockets to receive messages)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from messaging_calls import ACCOUNT, ARN, OTHER, Chat, allow, user, world_of
from pushed_messages import http_request, presigned

from rolecall.errors import AwsError
from rolecall.gateway.connect import PushSession, connect
from rolecall.http import DroppedConnectionError

URL = "http://rolecall.localhost"
DENY = {"Effect": "Deny", "Action": "chime:Connect", "Resource": "*"}
TAGGED = {**allow("chime:Connect"), "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}
KEYS = {name: (f"{name}_key", f"{name}-secret") for name in ("admin", "nothing", "other", "tagged", "denied")}


@pytest.fixture
def chat(make_world: Any) -> Chat:
    return Chat(
        make_world(
            world_of(
                user("nothing", allow("chime:GetMessagingSessionEndpoint")),
                user("other", allow("chime:Connect", resource=f"{ARN}app-instance/*/user/ben")),
                user("tagged", TAGGED),
                user("denied", allow("*"), DENY),
            )
        )
    )


def opened(chat: Chat, name: str = "ana", keys: tuple[str, ...] = KEYS["admin"], **more: str) -> PushSession:
    return asked(chat, presigned(URL, chat.arn(name), keys, **more))


def asked(chat: Chat, url: str) -> PushSession:
    return connect(chat.world.application.sandbox, http_request(url))


def refused(chat: Chat, url: str) -> AwsError:
    """The refusal, as the log of calls has it."""
    with pytest.raises(AwsError) as caught:
        asked(chat, url)
    assert chat.world.outcomes[-1].error is caught.value
    assert chat.world.outcomes[-1].operation == "Connect"
    return caught.value


def test_a_connect_is_authorised_on_the_user_and_logged(chat: Chat) -> None:
    session = opened(chat, keys=KEYS["other"], name="ben")
    assert (session.user_arn, session.expires_at_seconds, list(session.details)) == (chat.arn("ben"), None, [])
    outcome = chat.world.outcomes[-1]
    assert (outcome.service, outcome.operation, outcome.status) == ("chime-sdk-messaging", "Connect", 101)
    [decision] = outcome.decisions
    assert (decision.question.action, decision.question.resource) == ("chime:Connect", chat.arn("ben"))
    assert decision.allowed
    assert outcome.access_key_id == "other_key"


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        (("admin_key", "another-secret"), "SignatureDoesNotMatch"),
        (("AKIAUNKNOWN", "admin-secret"), "InvalidClientTokenId"),
        (("admin_key", "admin-secret", "no-token"), "InvalidClientTokenId"),
        (KEYS["nothing"], "AccessDenied"),
        (KEYS["other"], "AccessDenied"),
        (KEYS["tagged"], "AccessDenied"),
        (KEYS["denied"], "AccessDenied"),
        # The user's ARN names another account.
        (("stranger_key", "stranger-secret"), "AccessDenied"),
    ],
    ids=["secret", "key", "token", "no permission", "another user", "no tag", "deny", "another account"],
)
def test_a_caller_who_may_not_connect_is_refused(chat: Chat, keys: tuple[str, ...], code: str) -> None:
    assert refused(chat, presigned(URL, chat.arn("ana"), keys)).code == code


def test_a_refusal_names_action_user_and_resource(chat: Chat) -> None:
    error = refused(chat, presigned(URL, chat.arn("ana"), KEYS["nothing"]))
    assert error.message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/nothing is not authorized to perform: chime:Connect on resource: "
        f"{chat.arn('ana')} because no identity-based policy allows the chime:Connect action"
    )
    assert chat.world.outcomes[-1].status == 403


def test_the_tags_of_the_user_count(chat: Chat) -> None:
    chat.identity.tag_resource(ResourceARN=chat.arn("ana"), Tags=[{"Key": "team", "Value": "blue"}])
    assert opened(chat, keys=KEYS["tagged"]).user_arn == chat.arn("ana")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda url: url.replace("user%2Fana", "user%2Fben"), "SignatureDoesNotMatch"),
        (lambda url: f"{url}&userArn=x", "SignatureDoesNotMatch"),
        (lambda url: f"{url}&prefetch-on=connect", "SignatureDoesNotMatch"),
        (lambda url: url.replace("X-Amz-Expires=10", "X-Amz-Expires=604800"), "SignatureDoesNotMatch"),
        (lambda url: url.replace("rolecall.localhost", "localhost"), "SignatureDoesNotMatch"),
        (lambda url: url.partition("?")[0], "MissingAuthenticationToken"),
        (lambda url: url.replace("X-Amz-Signature=", "X-Amz-Other="), "IncompleteSignature"),
    ],
    ids=["user", "second user", "prefetch", "longer", "host", "nothing signed", "no signature"],
)
def test_what_was_signed_cannot_be_changed(chat: Chat, change: Callable[[str], str], code: str) -> None:
    url = presigned(URL, chat.arn("ana"), KEYS["admin"])
    assert refused(chat, change(url)).code == code


def test_a_signature_is_for_chime_and_for_ten_seconds(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(chat, presigned(URL, chat.arn("ana"), KEYS["admin"], service="sts")).code == "SignatureDoesNotMatch"
    url = presigned(URL, chat.arn("ana"), KEYS["admin"])
    later = time.time() + 12
    monkeypatch.setattr(type(chat.clock), "wall_seconds", lambda _clock: later)
    error = refused(chat, url)
    assert error.code == "SignatureDoesNotMatch"
    assert error.message.startswith("Signature expired")


@pytest.mark.parametrize("kept", [{"prefetch_on": "always"}, {"prefetch_sort_by": "name"}], ids=["on", "sort"])
def test_unknown_values_are_refused(chat: Chat, kept: dict[str, str]) -> None:
    assert refused(chat, presigned(URL, chat.arn("ana"), KEYS["admin"], **kept)).code == "BadRequestException"


def test_a_connect_needs_a_session_id_and_few_parameters(chat: Chat) -> None:
    # An empty value is not sent.
    url = presigned(URL, chat.arn("ana"), KEYS["admin"], sessionId="")
    assert refused(chat, url).message == "sessionId is missing."
    many = {f"p{number}": "x" for number in range(40)}
    assert refused(chat, presigned(URL, chat.arn("ana"), KEYS["admin"], **many)).code == "BadRequestException"


def test_the_user_must_be_a_user_of_the_app_instance_and_region(chat: Chat) -> None:
    bot = f"{chat.instance}/bot/b1"
    for arn in ("", "ana", chat.instance, bot, f"{chat.instance}/channel/c1", f"{chat.arn('ana')}/x"):
        assert refused(chat, presigned(URL, arn, KEYS["admin"])).code == "BadRequestException"
    gone = chat.identity.create_app_instance(Name="other")["AppInstanceArn"]
    for arn in (f"{gone}/user/ana", chat.arn("nobody"), chat.arn("ana").replace("us-east-1", "eu-central-1")):
        assert refused(chat, presigned(URL, arn, KEYS["admin"])).code == "NotFoundException"
    elsewhere = presigned(URL, chat.arn("ana"), KEYS["admin"], region="eu-central-1")
    assert refused(chat, elsewhere).code == "NotFoundException"
    # AWS has no endpoint there.
    nowhere = refused(chat, presigned(URL, chat.arn("ana"), KEYS["admin"], region="eu-north-1"))
    assert (nowhere.code, "eu-central-1 and us-east-1" in nowhere.message) == ("SignatureDoesNotMatch", True)
    foreign = chat.arn("ana").replace(ACCOUNT, OTHER)
    assert refused(chat, presigned(URL, foreign, KEYS["admin"])).code == "AccessDenied"


def test_a_deleted_user_and_an_expired_one_are_refused(chat: Chat) -> None:
    url = presigned(URL, chat.arn("eva"), KEYS["admin"])
    chat.identity.delete_app_instance_user(AppInstanceUserArn=chat.arn("eva"))
    assert refused(chat, url).code == "NotFoundException"
    chat.identity.put_app_instance_user_expiration_settings(
        AppInstanceUserArn=chat.arn("dee"),
        ExpirationSettings={"ExpirationDays": 1, "ExpirationCriterion": "CREATED_TIMESTAMP"},
    )
    assert opened(chat, "dee").user_arn == chat.arn("dee")
    chat.clock.advance(86_400)
    assert refused(chat, presigned(URL, chat.arn("dee"), KEYS["admin"])).code == "NotFoundException"


def test_session_credentials_connect_until_they_expire(chat: Chat) -> None:
    policy = {"Version": "2012-10-17", "Statement": [allow("chime:Connect", resource=chat.arn("ana"))]}
    sts = chat.world.client("sts", "admin")
    issued = sts.get_federation_token(Name="ana", Policy=json.dumps(policy), DurationSeconds=900)["Credentials"]
    keys = (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
    assert opened(chat, keys=keys).expires_at_seconds == int(issued["Expiration"].timestamp())
    assert refused(chat, presigned(URL, chat.arn("ben"), keys)).code == "AccessDenied"
    chat.clock.advance(901)
    assert refused(chat, presigned(URL, chat.arn("ana"), keys)).code == "ExpiredToken"


# Prefetch.


def details(chat: Chat, name: str, **more: str) -> list[dict[str, Any]]:
    frames = [json.loads(text) for text in opened(chat, name, prefetch_on="connect", **more).details]
    for frame in frames:
        assert frame["Headers"] == {
            "x-amz-chime-event-type": "CHANNEL_DETAILS",
            "x-amz-chime-message-type": "SYSTEM",
        }
    return [json.loads(frame["Payload"]) for frame in frames]


def test_prefetch_shows_the_channels_of_the_user_alone(chat: Chat) -> None:
    channel, _ = chat.channel(Name="lunch"), chat.channel("ben", Name="secret")
    chat.join(channel, "cem")
    message = chat.send(channel, text="soup")
    chat.send(channel, text="for cem", Target=[{"MemberArn": chat.arn("cem")}])
    chat.call("UpdateChannelReadMarker", "ana", ChannelArn=channel)
    chat.join(channel, "dee", Type="HIDDEN")
    [ana] = details(chat, "ana")
    assert ana["Channel"]["ChannelArn"] == channel
    assert set(ana["Channel"]) == {"ChannelArn", "Name", "Mode", "Privacy", "LastMessageTimestamp"}
    # Ana has sent the message with a target, so she sees it.
    assert [each["Content"] for each in ana["ChannelMessages"]] == ["for cem", "soup"]
    assert ana["ChannelMessages"][1]["MessageId"] == message
    assert ana["ChannelMessages"][1]["CreatedTimestamp"].endswith("Z")
    assert [each["Member"]["Name"] for each in ana["ChannelMemberships"]] == ["Ana", "Cem"]
    assert ana["ReadMarkerTimestamp"] >= ana["Channel"]["LastMessageTimestamp"]
    assert ana["ChannelMessagesHasMore"] is False
    [dee] = details(chat, "dee")
    assert [each["Content"] for each in dee["ChannelMessages"]] == ["soup"]
    assert "ReadMarkerTimestamp" not in dee
    assert details(chat, "eva") == []
    assert list(opened(chat).details) == []


def test_prefetch_has_twenty_messages_and_says_that_there_are_more(chat: Chat) -> None:
    channel = chat.channel()
    for number in range(21):
        chat.send(channel, text=str(number))
    [found] = details(chat, "ana")
    assert [each["Content"] for each in found["ChannelMessages"]] == [str(number) for number in range(20, 0, -1)]
    assert found["ChannelMessagesHasMore"] is True


def test_unread_channels_come_first_and_then_the_latest_message(chat: Chat) -> None:
    names = ("read late", "unread early", "unread late", "empty")
    channels = {name: chat.channel(Name=name) for name in names}
    for name in ("unread early", "unread late", "read late"):
        chat.clock.advance(1)
        chat.send(channels[name])
    chat.call("UpdateChannelReadMarker", "ana", ChannelArn=channels["read late"])

    def order(**more: str) -> list[str]:
        return [each["Channel"]["Name"] for each in details(chat, "ana", **more)]

    assert order() == ["unread late", "unread early", "read late", "empty"]
    assert order(prefetch_sort_by="last-message-timestamp") == ["read late", "unread late", "unread early", "empty"]
    assert set(order(prefetch_sort_by="unread")[:2]) == {"unread late", "unread early"}
    assert order(prefetch_sort_by="unread")[2:] in (["read late", "empty"], ["empty", "read late"])


def test_prefetch_has_fifty_channels(chat: Chat) -> None:
    for number in range(51):
        chat.channel(Name=f"c{number}")
    assert len(details(chat, "ana")) == 50


def test_the_endpoint_is_the_address_of_the_caller_and_never_awss(chat: Chat) -> None:
    assert chat.call("GetMessagingSessionEndpoint") == {"Endpoint": {"Url": "rolecall.localhost"}}

    def url(endpoint_url: str, **parameters: Any) -> str:
        client = chat.world.client("chime-sdk-messaging", endpoint_url=endpoint_url)
        return str(client.get_messaging_session_endpoint(**parameters)["Endpoint"]["Url"])

    assert url("https://localhost:4580", NetworkType="DUAL_STACK") == "localhost:4580"
    assert url("http://[::1]:4580") == "[::1]:4580"
    aws = "https://messaging-chime.us-east-1.amazonaws.com"
    assert url(aws) == "node001.ws-messaging.chime.rolecall.localhost"
    assert url(aws, NetworkType="DUAL_STACK") == "node001.dualstack.ws-messaging.chime.rolecall.localhost"
    assert url(f"{aws}:4580") == "node001.ws-messaging.chime.rolecall.localhost:4580"


@pytest.fixture
def pauses(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays that fault rules ask for, without waiting for them."""
    found: list[float] = []
    monkeypatch.setattr(chat.world.clock, "pause", found.append)
    return found


@pytest.mark.parametrize(
    ("rule", "code", "status", "paused"),
    [
        ({"error": "ThrottledClientException"}, "ThrottledClientException", 429, []),
        ({"error": "ServiceUnavailableException", "delay_seconds": 3}, "ServiceUnavailableException", 503, [3]),
        ({"error": "ForbiddenException", "service": "chime-sdk-messaging"}, "ForbiddenException", 403, []),
        ({"kind": "revoked_credentials"}, "InvalidClientTokenId", 403, []),
        # Long-term keys do not expire, and no other call is struck.
        ({"kind": "expired_credentials"}, "", 101, []),
        ({"kind": "delay", "delay_seconds": 2}, "", 101, [2]),
        ({"error": "ThrottledClientException", "operation": "SendChannel*"}, "", 101, []),
    ],
)
def test_a_fault_rule_strikes_a_connect(
    chat: Chat, pauses: list[float], rule: dict[str, Any], code: str, status: int, paused: list[float]
) -> None:
    chat.world.application.sandbox.faults.add(**{"operation": "Connect", "times": 1, **rule})
    url = presigned(URL, chat.arn("ana"), KEYS["admin"])
    if code:
        assert refused(chat, url).code == code
    else:
        asked(chat, url)
    assert (chat.world.outcomes[-1].status, pauses) == (status, paused)
    # The rule counts a connect once.
    asked(chat, url)
    assert pauses == paused


@pytest.mark.parametrize("kind", ["drop", "drop_answer"])
def test_a_fault_rule_drops_the_connection_of_a_connect(chat: Chat, kind: str) -> None:
    chat.world.application.sandbox.faults.add(operation="Connect", kind=kind)
    with pytest.raises(DroppedConnectionError):
        opened(chat)
    assert chat.world.outcomes[-1].operation == "Connect"


def test_what_happens_during_a_delay_comes_before_the_session(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = chat.channel()
    chat.world.application.sandbox.faults.add(operation="Connect", delay_seconds=2)
    monkeypatch.setattr(chat.world.clock, "pause", lambda _seconds: chat.send(channel))
    before = opened(chat, name="ben").since_event_id
    monkeypatch.setattr(chat.world.clock, "pause", lambda _seconds: None)
    assert opened(chat, name="ben").since_event_id == before


def test_a_caller_who_is_not_proven_is_not_struck(chat: Chat) -> None:
    """A fault rule says nothing about credentials that are wrong, and does not count them."""
    sandbox = chat.world.application.sandbox
    sandbox.faults.add(operation="Connect", error="ThrottledClientException")
    code = refused(chat, presigned(URL, chat.arn("ana"), ("admin_key", "another-secret"))).code
    assert code == "SignatureDoesNotMatch"
    assert [(rule["calls"], rule["hits"]) for rule in sandbox.faults.rules] == [(0, 0)]
