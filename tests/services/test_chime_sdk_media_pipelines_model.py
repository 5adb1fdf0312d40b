"""Random pipelines, meetings and times against a small model of their statuses."""

from __future__ import annotations

from typing import Any

import pytest
from amounts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline_calls import SERVICE, WORLD, analysing, capturing, configuring, meeting

MOVE = 5
NAMES = st.sampled_from(["p1", "p2", "p3"])
STEPS = st.one_of(
    st.tuples(st.just("capture"), NAMES),
    st.tuples(st.just("analyse"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("pause"), NAMES),
    st.tuples(st.just("resume"), NAMES),
    st.tuples(st.just("end")),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 5, 60])),
)


class Model:
    """What ought to be: the time, the meeting's end, and by name each pipeline that is not deleted."""

    def __init__(self) -> None:
        self.now = 0
        self.end: int | None = None
        self.pipelines: dict[str, dict[str, Any]] = {}

    def status(self, name: str) -> str:
        pipeline = self.pipelines[name]
        if self.now < pipeline["made"] + MOVE:
            return "Initializing"
        if pipeline["kind"] == "capture" and self.end is not None:
            stops = max(self.end, pipeline["made"] + MOVE)
            return "Stopping" if self.now < stops + MOVE else "Stopped"
        return "Paused" if pipeline["paused"] else "InProgress"


def run(world: Any, client: Any, model: Model, held: dict[str, Any], step: tuple[Any, ...]) -> None:
    action, *values = step
    if action == "wait":
        world.clock.advance(values[0])
        model.now += values[0]
    elif action == "end":
        if model.end is None:
            world.client("chime-sdk-meetings", "admin").delete_meeting(MeetingId=held["meeting"]["MeetingId"])
            model.end = model.now
    elif action in ("capture", "analyse"):
        make(client, model, held, action, values[0])
    elif values[0] in model.pipelines:
        change(client, model, action, values[0])


def make(client: Any, model: Model, held: dict[str, Any], action: str, name: str) -> None:
    if name in model.pipelines:
        return
    if action == "analyse":
        made = client.create_media_insights_pipeline(**analysing(held["configuration"]))["MediaInsightsPipeline"]
    elif model.end is not None:
        with pytest.raises(client.exceptions.BadRequestException):
            client.create_media_capture_pipeline(**capturing(held["meeting"]["MeetingArn"]))
        return
    else:
        made = client.create_media_capture_pipeline(**capturing(held["meeting"]["MeetingArn"]))["MediaCapturePipeline"]
    model.pipelines[name] = {"kind": action, "id": made["MediaPipelineId"], "made": model.now, "paused": False}


def change(client: Any, model: Model, action: str, name: str) -> None:
    pipeline = model.pipelines[name]
    if action == "delete":
        client.delete_media_pipeline(MediaPipelineId=pipeline["id"])
        with pytest.raises(client.exceptions.NotFoundException):
            client.get_media_pipeline(MediaPipelineId=pipeline["id"])
        del model.pipelines[name]
        return
    asked = {"Identifier": pipeline["id"], "UpdateStatus": action.title()}
    wanted = "InProgress" if action == "pause" else "Paused"
    if pipeline["kind"] == "capture":
        with pytest.raises(client.exceptions.NotFoundException):
            client.update_media_insights_pipeline_status(**asked)
    elif model.status(name) == wanted:
        client.update_media_insights_pipeline_status(**asked)
        pipeline["paused"] = action == "pause"
    else:
        with pytest.raises(client.exceptions.ConflictException):
            client.update_media_insights_pipeline_status(**asked)


@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=12))
def test_statuses_are_the_models(make_world: Any, steps: list[tuple[Any, ...]]) -> None:
    world, model = make_world(WORLD), Model()
    client = world.client(SERVICE, "admin")
    configuration = client.create_media_insights_pipeline_configuration(**configuring())
    arn = configuration["MediaInsightsPipelineConfiguration"]["MediaInsightsPipelineConfigurationArn"]
    held = {"meeting": meeting(world), "configuration": arn}
    for step in steps:
        # An unused meeting ends by itself.
        if model.end is None and model.now >= 240:
            return
        run(world, client, model, held, step)
        listed = {each["MediaPipelineId"] for each in client.list_media_pipelines()["MediaPipelines"]}
        assert listed == {each["id"] for each in model.pipelines.values()}
        for name, pipeline in model.pipelines.items():
            [inner] = client.get_media_pipeline(MediaPipelineId=pipeline["id"])["MediaPipeline"].values()
            assert inner["Status"] == model.status(name)
