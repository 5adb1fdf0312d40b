"""From paths to operations: as they were sent, and as a server that decodes them hands them over."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire.match import match
from rolecall.wire.models import KNOWN_SERVICES
from rolecall.wire.services import load_service

APP_INSTANCE = "arn:aws:chime:us-east-1:111122223333:app-instance/8f1c"
SERVICES = [name for name, known in KNOWN_SERVICES.items() if known.signing_name == "chime"]
# Words of paths, as ids that clients may choose.
WORDS = ["memberships", "messages", "bans", "endpoints", "streaming-configurations", "user", "channel", "users"]


def value_for(label: str, word: str) -> str:
    """What a client may send for a label of a path."""
    lower = label.lower()
    if lower in ("appinstancearn",):
        return APP_INSTANCE
    kinds = {"appinstanceuserarn": "user", "memberarn": "user", "appinstancebotarn": "bot", "channelarn": "channel"}
    kinds |= {"channelmoderatorarn": "user", "channelflowarn": "channel-flow", "appinstanceadminarn": "user"}
    if lower in kinds:
        return f"{APP_INSTANCE}/{kinds[lower]}/{word}"
    return word


def routes() -> list[tuple[str, str, str, str]]:
    return [(name, *route) for name in SERVICES for route in load_service(name).routes]


def sent(service: str, method: str, path: str, query: str, *, rebuilt: bool = False) -> HttpRequest:
    host = f"{KNOWN_SERVICES[service].endpoint_prefix}.us-east-1.amazonaws.com"
    return HttpRequest(method, path, query, {"host": host}, b"", path_is_rebuilt=rebuilt)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("rebuilt", [False, True], ids=["as sent", "decoded by the server"])
def test_every_operation_is_found_whatever_its_ids_are(word: str, rebuilt: bool) -> None:
    wrong = []
    assert len(routes()) > 200
    for service, operation, method, uri in routes():
        template, _, query = uri.partition("?")
        labels = [part.strip("{}+") for part in template.split("/") if part.startswith("{")]
        values = {label: value_for(label, word) for label in labels}
        if word in ("user", "channel") and any(value == APP_INSTANCE for value in values.values()) and rebuilt:
            # Nothing tells app-instance/ID/user/… of one ARN from an ARN and a label.
            continue
        escaped = template
        for label, value in values.items():
            escaped = escaped.replace(f"{{{label}}}", quote(value, safe="")).replace(
                f"{{{label}+}}", quote(value, safe="/")
            )
        path = quote(unquote(escaped), safe="/-._~") if rebuilt else escaped
        try:
            target = match(sent(service, method, path, query, rebuilt=rebuilt), "chime")
        except AwsError as error:
            wrong.append((service, operation, path, error.code))
            continue
        if (target.operation.name, dict(target.inputs), target.raw_path) != (operation, values, escaped):
            wrong.append((service, operation, path, f"{target.operation.name} {target.raw_path}"))
    assert wrong == []


def test_the_streaming_configurations_of_an_app_instance_are_messagings() -> None:
    path = f"/app-instances/{quote(APP_INSTANCE, safe='')}/streaming-configurations"
    for request in (
        HttpRequest("GET", path, "", {"host": "127.0.0.1:4580"}, b""),
        HttpRequest("GET", quote(unquote(path), safe="/-._~"), "", {}, b"", path_is_rebuilt=True),
    ):
        target = match(request, "chime")
        assert (target.service.name, target.operation.name) == (
            "chime-sdk-messaging",
            "GetMessagingStreamingConfigurations",
        )
        assert target.raw_path == path


def test_a_path_as_it_was_sent_is_not_guessed_at() -> None:
    path = f"/channels/{quote(APP_INSTANCE, safe='')}/channel/general"
    with pytest.raises(AwsError) as refused:
        match(sent("chime-sdk-messaging", "GET", path, ""), "chime")
    assert refused.value.code == "InvalidAction"
    found = match(sent("chime", "GET", "/accounts/a%2Fb/users/%C3%BC", ""), "chime")
    assert dict(found.inputs) == {"accountId": "a/b", "userId": "ü"}
