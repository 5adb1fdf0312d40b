"""Random meetings, attendees and times against a small model of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DAY, UNUSED = 86_400, 300
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ADMIN = {
    "name": "admin",
    "access_keys": [{"id": "admin_key", "secret": "admin-secret"}],
    "inline_policies": {"own": ALL},
}
WORLD = json.dumps({"version": 1, "accounts": [{"id": "111122223333", "users": [ADMIN]}]})
NAMES = st.sampled_from(["ana", "bo", "cy"])
TOKENS = st.sampled_from(["t1", "t2", "t3"])
STEPS = st.one_of(
    st.tuples(st.just("create"), TOKENS),
    st.tuples(st.just("end"), TOKENS),
    st.tuples(st.just("join"), TOKENS, NAMES),
    st.tuples(st.just("leave"), TOKENS, NAMES),
    st.tuples(st.just("wait"), st.sampled_from([1, 150, 299, 300, DAY])),
)


class Model:
    """What ought to be: by token the meeting, its end, and its attendees by name. An ended meeting keeps its id."""

    def __init__(self) -> None:
        self.now = 0
        self.meetings: dict[str, dict[str, Any]] = {}

    def is_alive(self, token: str) -> bool:
        return token in self.meetings and self.now < self.meetings[token]["end"]

    def use(self, token: str) -> None:
        meeting = self.meetings[token]
        meeting["end"] = min(meeting["created"] + DAY, self.now + UNUSED)


def run(client: Any, clock: Any, model: Model, step: tuple[Any, ...]) -> None:
    action, *values = step
    if action == "wait":
        clock.advance(values[0])
        model.now += values[0]
        return
    token = values[0]
    if action == "create":
        asked = {"ClientRequestToken": token, "MediaRegion": "us-east-1", "ExternalMeetingId": "m1"}
        meeting_id = client.create_meeting(**asked)["Meeting"]["MeetingId"]
        if model.is_alive(token):
            assert meeting_id == model.meetings[token]["id"]
        else:
            assert meeting_id not in {each["id"] for each in model.meetings.values()}
            end = model.now + UNUSED
            model.meetings[token] = {"id": meeting_id, "created": model.now, "end": end, "people": {}}
        return
    if token not in model.meetings:
        return
    meeting = model.meetings[token]
    named, people = {"MeetingId": meeting["id"]}, meeting["people"]
    if not model.is_alive(token):
        with pytest.raises(client.exceptions.NotFoundException):
            client.get_meeting(**named)
        with pytest.raises(client.exceptions.NotFoundException):
            client.create_attendee(**named, ExternalUserId="ana")
        return
    if action == "end":
        client.delete_meeting(**named)
        meeting["end"] = model.now
    elif action == "join":
        found = client.create_attendee(**named, ExternalUserId=values[1])["Attendee"]
        assert people.setdefault(values[1], found) == found
        model.use(token)
    elif values[1] in people:
        client.delete_attendee(**named, AttendeeId=people.pop(values[1])["AttendeeId"])
        model.use(token)


@settings(max_examples=examples(50), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(STEPS, max_size=20))
def test_meetings_are_what_a_small_model_says(make_world: Any, steps: list[tuple[Any, ...]]) -> None:
    world = make_world(WORLD)
    world.clock.freeze()
    client, model = world.client("chime-sdk-meetings"), Model()
    for step in steps:
        run(client, world.clock, model, step)
    for token, meeting in model.meetings.items():
        named = {"MeetingId": meeting["id"]}
        if model.is_alive(token):
            listed = client.list_attendees(**named)["Attendees"]
            assert {each["ExternalUserId"]: each for each in listed} == meeting["people"]
        else:
            with pytest.raises(ClientError) as caught:
                client.get_meeting(**named)
            assert caught.value.response["Error"]["Code"] == "NotFoundException"
