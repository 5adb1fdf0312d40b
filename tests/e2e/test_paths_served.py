"""Paths that are hard to read, from boto3 to the operation: in process and over a socket they mean the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from served import Server

from rolecall import Rolecall

Client = Callable[[str], Any]
APP_INSTANCE = "arn:aws:chime:us-east-1:111122223333:app-instance/8f1c"
WORDS = ["memberships", "messages", "bans", "endpoints"]


@pytest.fixture(params=["in process", "over a socket"])
def client(request: pytest.FixtureRequest) -> Client:
    """Makes clients of the built-in sandbox's administrator."""
    if request.param == "over a socket":
        served: Server = request.getfixturevalue("server")
        return served.client
    sandbox: Rolecall = request.getfixturevalue("rolecall")
    return lambda service: sandbox.client(service)


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("account_id", ["ü", "a/b", "a b", "a+b", "%2F", "~.-_", "日本", "a%C3%BC", "users"])
def test_ids_of_any_characters_are_read_as_they_were_given(client: Client, account_id: str) -> None:
    chime = client("chime")
    assert refusal(chime.get_account, AccountId=account_id) == (
        "NotFoundException",
        f"Account {account_id} was not found.",
    )


@pytest.mark.parametrize("word", WORDS)
def test_ids_that_read_like_words_of_paths(client: Client, word: str) -> None:
    bearer = f"{APP_INSTANCE}/user/{word}"
    messaging = client("chime-sdk-messaging")
    channel = f"{APP_INSTANCE}/channel/{word}"
    code, message = refusal(messaging.describe_channel, ChannelArn=channel, ChimeBearer=bearer)
    assert code != "InvalidSignature"
    assert "SignatureDoesNotMatch" not in message
    assert message == f"Channel {channel} was not found."
    _, message = refusal(
        messaging.describe_channel_membership, ChannelArn=channel, MemberArn=bearer, ChimeBearer=bearer
    )
    assert message == f"Channel {channel} was not found."
    _, message = refusal(client("chime-sdk-identity").describe_app_instance_user, AppInstanceUserArn=bearer)
    assert message == f"App Instance User {bearer} was not found."


def test_operations_below_an_app_instance(client: Client) -> None:
    messaging = client("chime-sdk-messaging")
    calls = {
        "GetMessagingStreamingConfigurations": messaging.get_messaging_streaming_configurations,
        "DeleteMessagingStreamingConfigurations": messaging.delete_messaging_streaming_configurations,
    }
    for operation, call in calls.items():
        code, message = refusal(call, AppInstanceArn=APP_INSTANCE)
        assert (code, message) == ("NotFoundException", f"App Instance {APP_INSTANCE} was not found."), operation
    configuration = {
        "DataType": "Channel",
        "ResourceArn": "arn:aws:kinesis:us-east-1:111122223333:stream/chime-messaging-a",
    }
    code, message = refusal(
        messaging.put_messaging_streaming_configurations,
        AppInstanceArn=APP_INSTANCE,
        StreamingConfigurations=[configuration],
    )
    assert (code, message) == ("NotFoundException", f"App Instance {APP_INSTANCE} was not found.")
