"""Media pipelines of all five kinds, which share their ids, and the status that moves with the sandbox's clock.

Source: API reference, MediaPipeline; Developer Guide, Amazon Chime SDK media pipelines. No media is read or written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rolecall.arns import parse_arn
from rolecall.errors import limit_exceeded
from rolecall.services.kinds import Ids, Kind, ResourceStore, kind_with_arn, shown
from rolecall.services.members import Tag
from rolecall.services.paging import one_page, position_of
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import (
    ENDED_ARE_KEPT_SECONDS,
    delete,
    existing,
    keep,
    list_,
    made_with_token,
)
from rolecall.storage import resources
from rolecall.storage.resources import BEFORE_THE_FIRST, Content, Resource
from rolecall.storage.service_linked_roles import RESOURCE_FINDERS, RoleUsage

SERVICE = "chime-sdk-media-pipelines"
# The service that assumes the roles of pipelines, and its service-linked role.
PRINCIPAL = "mediapipelines.chime.amazonaws.com"
# How long a pipeline initializes, and how long it stops. AWS's times are not recorded.
MOVE_SECONDS = 5
# Amazon Chime SDK endpoints and quotas: active media pipelines.
MAXIMUM_PIPELINES, MAXIMUM_PIPELINES_ELSEWHERE = 100, 10
DEFAULT_REGION = "us-east-1"
# The kind of services/chime_sdk_meetings in the resource store.
MEETING = "chime-sdk-meetings/meeting"

CAPTURE = "MediaCapturePipeline"
CONCATENATION = "MediaConcatenationPipeline"
LIVE_CONNECTOR = "MediaLiveConnectorPipeline"
INSIGHTS = "MediaInsightsPipeline"
STREAM = "MediaStreamPipeline"
VARIANTS = (CAPTURE, CONCATENATION, LIVE_CONNECTOR, INSIGHTS, STREAM)


class PipelineStore(ResourceStore):
    """Pipelines with the status of the moment. A pipeline's content has its id, its ARN and one member by its kind.

    ``Meetings`` are the ids of the meetings that it reads, ``Capture`` is the id of the pipeline that it reads, and
    ``Elements`` are the elements of its configuration. No operation answers these three.
    """

    def find(self, call: Call, kind: Kind, ids: Ids, *, locked: bool) -> Resource | None:
        found = super().find(call, kind, ids, locked=locked)
        return None if found is None else found._replace(content=content_now(call, found))

    def remove(self, call: Call, kind: Kind, resource: Resource) -> None:
        """A deleted pipeline is not found. Its trace is left, because a concatenation may still read what it wrote."""
        resources.set_end(call.db, resource.key, call.now_seconds)


PIPELINE = kind_with_arn(SERVICE, "media-pipeline", "MediaPipelineId", kept=PipelineStore())

list_(PIPELINE, "ListMediaPipelines")
delete(PIPELINE, "DeleteMediaPipeline")


@operation(SERVICE, "GetMediaPipeline")
def get_media_pipeline(call: Call, *, MediaPipelineId: str) -> Answer:
    """The pipeline as the member that its kind has in the union of the five."""
    content = existing(call, PIPELINE, MediaPipelineId).content
    variant, paths = variant_of(content), call.model.output_paths
    inner = {name: value for name, value in content[variant].items() if ("MediaPipeline", variant, name) in paths}
    return {"MediaPipeline": {variant: inner}}


@operation(SERVICE, "GetMediaCapturePipeline")
def get_media_capture_pipeline(call: Call, *, MediaPipelineId: str) -> Answer:
    """A pipeline of another kind is not found. AWS's answer to that is not recorded."""
    content = _capture(call, MediaPipelineId).content
    return {CAPTURE: shown(call, CAPTURE, content[CAPTURE])}


@operation(SERVICE, "ListMediaCapturePipelines")
def list_media_capture_pipelines(call: Call, *, NextToken: str | None = None, MaxResults: int | None = None) -> Answer:
    limit, scope = MaxResults or PIPELINE.page_size, (call.region,)
    after = BEFORE_THE_FIRST if NextToken is None else position_of(call, scope, NextToken)
    found = [each for each in _captures(call) if each.position > tuple(after)]
    page, rest = one_page(call, scope, found[: limit + 1], limit, lambda each: each.position)
    member = "MediaCapturePipelines"
    return {member: [shown(call, member, each.content) for each in page], **rest}


@operation(SERVICE, "DeleteMediaCapturePipeline")
def delete_media_capture_pipeline(call: Call, *, MediaPipelineId: str) -> Answer:
    PIPELINE.kept.remove(call, PIPELINE, _capture(call, MediaPipelineId, locked=True))
    return {}


def made_pipeline(
    call: Call,
    variant: str,
    content: Content,
    create_token: str | None,
    tags: Sequence[Tag],
    sources: Mapping[str, Any],
) -> Answer:
    """A new pipeline of that kind, as the answer of its operation. ``sources`` are the members of its content that no
    operation answers.

    Raises AwsError ResourceLimitExceededException, BadRequestException for tags that cannot be.
    """
    _check_count(call)
    place, pipeline_id = PIPELINE.place(call), call.ids.uuid()
    resources.remove_ended(call.db, place, call.now_seconds - ENDED_ARE_KEPT_SECONDS)
    names = {"MediaPipelineId": pipeline_id, "MediaPipelineArn": PIPELINE.arn(call, pipeline_id)}
    dates = {"CreatedTimestamp": call.now_seconds, "UpdatedTimestamp": call.now_seconds}
    inner = {**names, **content, "Status": "Initializing", **dates}
    token = _token(variant, create_token)
    made = keep(call, PIPELINE, pipeline_id, {**names, variant: inner, **sources}, tags, create_token=token)
    return {variant: shown(call, variant, content_now(call, made)[variant])}


def made_before(call: Call, variant: str, create_token: str | None) -> Answer | None:
    """The answer for the pipeline that an earlier call with this token made; None without one."""
    token = _token(variant, create_token)
    before = None if token is None else made_with_token(call, PIPELINE, token)
    return None if before is None else {variant: shown(call, variant, content_now(call, before)[variant])}


def variant_of(content: Content) -> str:
    return next(variant for variant in VARIANTS if variant in content)


def content_now(call: Call, pipeline: Resource) -> dict[str, Any]:
    """The content with the status of this moment, and the time when that status began."""
    content = dict(pipeline.content)
    variant = variant_of(content)
    status, since = _status(call, content, content[variant])
    content[variant] = {**content[variant], "Status": status, "UpdatedTimestamp": since}
    if "ElementStatuses" in content[variant]:
        elements = content[variant]["ElementStatuses"]
        content[variant]["ElementStatuses"] = [{**each, "Status": status} for each in elements]
    return content


def is_active(call: Call, pipeline: Resource) -> bool:
    """Whether a pipeline is neither deleted nor stopped."""
    if pipeline.has_ended(call.now_seconds):
        return False
    content = content_now(call, pipeline)
    return bool(content[variant_of(content)]["Status"] != "Stopped")


def pipelines_here(call: Call) -> list[Resource]:
    """The caller's pipelines of this Region that are not deleted, oldest first."""
    found = resources.all_of_kind(call.db, call.account_id, PIPELINE.name, call.region)
    return [each for each in found if not each.has_ended(call.now_seconds)]


def _status(call: Call, content: Content, inner: Content) -> tuple[str, float]:
    status, since = str(inner["Status"]), float(inner["UpdatedTimestamp"])
    if status == "Initializing":
        started = float(inner["CreatedTimestamp"]) + MOVE_SECONDS
        if call.now_seconds < started:
            return status, since
        status, since = "InProgress", started
    stops = _stops_at(call, content, since)
    if stops is None or call.now_seconds < stops:
        return status, since
    if call.now_seconds < stops + MOVE_SECONDS:
        return "Stopping", stops
    return "Stopped", stops + MOVE_SECONDS


def _stops_at(call: Call, content: Content, started: float) -> float | None:
    """When the pipeline has nothing to read any more: its meetings have ended, or its capture pipeline has stopped.

    None while that is not so. The rows of meetings and of pipelines that ended long ago are gone.
    """
    ends: list[float] = []
    if "Capture" in content:
        capture = resources.find(call.db, PIPELINE.place(call), content["Capture"])
        if capture is not None and not capture.has_ended(call.now_seconds):
            inner = content_now(call, capture)[CAPTURE]
            if inner["Status"] != "Stopped":
                return None
            ends.append(inner["UpdatedTimestamp"])
        elif capture is not None:
            ends.append(float(capture.ends_at_seconds or 0))
        return max([started, *ends])
    if "Meetings" not in content:
        return None
    place = PIPELINE.place(call)._replace(kind=MEETING)
    for meeting_id in content["Meetings"]:
        meeting = resources.find(call.db, place, meeting_id)
        if meeting is not None and not meeting.has_ended(call.now_seconds):
            return None
        ends.append(0.0 if meeting is None else float(meeting.ends_at_seconds or 0))
    return max([started, *ends])


def _check_count(call: Call) -> None:
    limit = MAXIMUM_PIPELINES if call.region == DEFAULT_REGION else MAXIMUM_PIPELINES_ELSEWHERE
    found = pipelines_here(call)
    if len(found) >= limit and sum(is_active(call, each) for each in found) >= limit:
        raise limit_exceeded(f"An account may have at most {limit} active media pipelines in {call.region}.")


def _token(variant: str, create_token: str | None) -> str | None:
    """The token of one operation does not count in another one."""
    return None if create_token is None else f"{variant}/{create_token}"


def _capture(call: Call, pipeline_id: str, *, locked: bool = False) -> Resource:
    found = existing(call, PIPELINE, pipeline_id, locked=locked)
    if CAPTURE not in found.content:
        raise PIPELINE.not_found(pipeline_id)
    return found


def _captures(call: Call) -> Iterator[Resource]:
    return (each for each in pipelines_here(call) if CAPTURE in each.content)


def _of_meetings(connection: Any, account_id: str) -> Sequence[RoleUsage]:
    """The pipelines that enter meetings with the service-linked role, by Region, until they are deleted."""
    by_region: dict[str, list[str]] = {}
    for each in resources.all_of_kind(connection, account_id, PIPELINE.name):
        parsed = parse_arn(each.content["MediaPipelineArn"])
        if parsed is not None and "Meetings" in each.content and each.ends_at_seconds is None:
            by_region.setdefault(parsed.region, []).append(str(parsed))
    return [RoleUsage(region, tuple(arns)) for region, arns in by_region.items()]


RESOURCE_FINDERS[PRINCIPAL] = _of_meetings
