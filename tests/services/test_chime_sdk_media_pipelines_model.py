"""Random calls of media pipelines through boto3, against a small model of them."""

from __future__ import annotations

from typing import Any

import pipeline_calls as p
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from state_machines import PLACE, Machine, at, run_machine

CONFLICT, NOT_FOUND = "ConflictException", "NotFoundException"


class MediaPipelines(Machine):
    """Captures that start, stop with their meeting and are deleted; configurations in use; pools that come and go."""

    service = p.SERVICE
    declaration = p.WORLD
    # How long a pipeline or a pool takes for a change of its status.
    MOVE_SECONDS = 5

    def __init__(self) -> None:
        super().__init__()
        self.meetings = self.world.client("chime-sdk-meetings", "admin")
        self.meeting_count = 0
        self.meeting: dict[str, Any] | None = None
        # By id: the moment of creation, the id of the meeting, and when that ended.
        self.captures: dict[str, dict[str, Any]] = {}
        self.configurations: dict[str, str] = {}
        # By id: the moment of creation, the name of the configuration, and whether it is paused.
        self.insights: dict[str, dict[str, Any]] = {}
        # By name: since when, and whether it goes.
        self.pools: dict[str, tuple[int, bool]] = {}

    @precondition(lambda self: self.meeting is None)
    @rule()
    def meet(self) -> None:
        self.meeting_count += 1
        self.meeting = p.meeting(self.world, f"m{self.meeting_count}")
        meeting_id = self.meeting["MeetingId"]
        joined = self.meetings.create_attendee(MeetingId=meeting_id, ExternalUserId="ana")["Attendee"]
        # Changing something keeps a meeting from ending unused.
        same = {"Audio": "Send", "Video": "Send", "Content": "None"}
        self.use = {"MeetingId": meeting_id, "AttendeeId": joined["AttendeeId"], "Capabilities": same}

    @precondition(lambda self: self.meeting is not None)
    @rule()
    def end_meeting(self) -> None:
        assert self.meeting is not None
        meeting_id, self.meeting = self.meeting["MeetingId"], None
        self.meetings.delete_meeting(MeetingId=meeting_id)
        for each in self.captures.values():
            if each["meeting"] == meeting_id:
                each["ended"] = self.now

    @precondition(lambda self: self.meeting is not None)
    @rule(token=st.sampled_from(["t1", "t2", ""]))
    def capture(self, token: str) -> None:
        assert self.meeting is not None
        asked = {**p.capturing(self.meeting["MeetingArn"]), **({"ClientRequestToken": token} if token else {})}
        made = self.call("CreateMediaCapturePipeline", **asked)["MediaCapturePipeline"]["MediaPipelineId"]
        before = [one for one, each in self.captures.items() if token and each["token"] == token]
        if before:
            assert [made] == before
            return
        assert made not in self.captures
        new = {"token": token, "made": self.now, "meeting": self.meeting["MeetingId"], "ended": None}
        self.captures[made] = new

    def status(self, pipeline: dict[str, Any]) -> str:
        started = pipeline["made"] + self.MOVE_SECONDS
        if self.now < started:
            return "Initializing"
        if pipeline["ended"] is None:
            return "Paused" if pipeline.get("paused") else "InProgress"
        stopped = max(started, pipeline["ended"]) + self.MOVE_SECONDS
        return "Stopping" if self.now < stopped else "Stopped"

    @precondition(lambda self: self.captures)
    @rule(place=PLACE)
    def delete_capture(self, place: int) -> None:
        capture = at(self.captures, place)
        del self.captures[capture]
        self.call("DeleteMediaPipeline", MediaPipelineId=capture)
        for operation in ("GetMediaPipeline", "GetMediaCapturePipeline", "DeleteMediaPipeline"):
            self.refused(NOT_FOUND, operation, MediaPipelineId=capture)

    @rule(name=st.sampled_from(["calls", "others"]))
    def configure(self, name: str) -> None:
        asked = p.configuring(name)
        if name in self.configurations:
            self.refused(CONFLICT, "CreateMediaInsightsPipelineConfiguration", **asked)
            return
        made = self.call("CreateMediaInsightsPipelineConfiguration", **asked)["MediaInsightsPipelineConfiguration"]
        self.configurations[name] = made["MediaInsightsPipelineConfigurationArn"]

    @precondition(lambda self: self.configurations)
    @rule(place=PLACE)
    def analyse(self, place: int) -> None:
        name = at(self.configurations, place)
        asked = p.analysing(self.configurations[name])
        made = self.call("CreateMediaInsightsPipeline", **asked)["MediaInsightsPipeline"]["MediaPipelineId"]
        self.insights[made] = {"made": self.now, "of": name, "paused": False, "ended": None}

    @precondition(lambda self: self.insights)
    @rule(place=PLACE)
    def stop_analysis(self, place: int) -> None:
        pipeline = at(self.insights, place)
        del self.insights[pipeline]
        self.call("DeleteMediaPipeline", MediaPipelineId=pipeline)

    @precondition(lambda self: self.insights or self.captures)
    @rule(place=PLACE, is_pause=st.booleans())
    def pause_or_resume(self, place: int, is_pause: bool) -> None:
        pipeline = at([*self.insights, *self.captures], place)
        asked = {"Identifier": pipeline, "UpdateStatus": "Pause" if is_pause else "Resume"}
        operation = "UpdateMediaInsightsPipelineStatus"
        if pipeline in self.captures:
            self.refused(NOT_FOUND, operation, **asked)
        elif self.status(self.insights[pipeline]) != ("InProgress" if is_pause else "Paused"):
            self.refused(CONFLICT, operation, **asked)
        else:
            self.call(operation, **asked)
            self.insights[pipeline]["paused"] = is_pause

    @precondition(lambda self: self.configurations)
    @rule(place=PLACE)
    def delete_configuration(self, place: int) -> None:
        name = at(self.configurations, place)
        if name in [each["of"] for each in self.insights.values()]:
            self.refused(CONFLICT, "DeleteMediaInsightsPipelineConfiguration", Identifier=name)
            return
        self.call("DeleteMediaInsightsPipelineConfiguration", Identifier=name)
        del self.configurations[name]
        self.refused(NOT_FOUND, "GetMediaInsightsPipelineConfiguration", Identifier=name)

    @rule(name=st.sampled_from(["p1", "p2"]))
    def create_pool(self, name: str) -> None:
        asked = {"PoolName": name, "StreamConfiguration": {"Region": "us-east-1", "DataRetentionInHours": 1}}
        if name in self.pools:
            self.refused(CONFLICT, "CreateMediaPipelineKinesisVideoStreamPool", **asked)
            return
        self.call("CreateMediaPipelineKinesisVideoStreamPool", **asked)
        self.pools[name] = (self.now, False)

    @precondition(lambda self: self.pools)
    @rule(place=PLACE)
    def delete_pool(self, place: int) -> None:
        name = at(self.pools, place)
        if self.pools[name][1]:
            self.refused(CONFLICT, "DeleteMediaPipelineKinesisVideoStreamPool", Identifier=name)
            return
        self.call("DeleteMediaPipelineKinesisVideoStreamPool", Identifier=name)
        self.pools[name] = (self.now, True)

    @rule(seconds=st.sampled_from([1, 4, 5, 60]))
    def time_passes(self, seconds: int) -> None:
        if self.meeting is not None:
            self.meetings.update_attendee_capabilities(**self.use)
        self.wait(seconds)
        for name, (since, is_going) in list(self.pools.items()):
            if is_going and self.now >= since + self.MOVE_SECONDS:
                del self.pools[name]

    def everything_is_as_in_the_model(self) -> None:
        listed = {each["MediaPipelineId"] for each in self.call("ListMediaPipelines")["MediaPipelines"]}
        assert listed == self.captures.keys() | self.insights.keys()
        captures = self.call("ListMediaCapturePipelines")["MediaCapturePipelines"]
        assert {each["MediaPipelineId"] for each in captures} == set(self.captures)
        for pipeline, known in (*self.captures.items(), *self.insights.items()):
            [found] = self.call("GetMediaPipeline", MediaPipelineId=pipeline)["MediaPipeline"].values()
            assert found["Status"] == self.status(known)
        found = self.call("ListMediaInsightsPipelineConfigurations")["MediaInsightsPipelineConfigurations"]
        assert {each["MediaInsightsPipelineConfigurationName"] for each in found} == set(self.configurations)
        pools = self.call("ListMediaPipelineKinesisVideoStreamPools")["KinesisVideoStreamPools"]
        assert {each["PoolName"] for each in pools} == set(self.pools)


def test_media_pipelines_are_as_their_model() -> None:
    run_machine(MediaPipelines)
