"""What pipelines read and write: meetings and buckets, and the actions on them that the caller needs besides."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rolecall.access.permission import Permission
from rolecall.arns import PARTITION, parse_arn
from rolecall.data import actions
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_media_pipelines.pipelines import MEETING, PIPELINE
from rolecall.services.kinds import NOT_FOUND
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Call, Parameters
from rolecall.storage import resources

# Amazon S3 User Guide, General purpose bucket naming rules.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# Developer Guide, Creating a service-linked role for media pipelines: the streams of pools have such names.
_STREAMS = "stream/ChimeMediaPipelines-*"


def with_dependent_actions(
    call: Call, parameters: Parameters, resources_of: Mapping[str, Sequence[str]]
) -> list[Permission]:
    """The permissions by AWS's table, and its dependent actions: on these resources, on ``*`` for other actions."""
    own = [*table_permissions(call, parameters)]
    for action in actions("chime")[call.operation.lower()].dependent_actions:
        if not action.startswith("chime:Tag"):
            own += [Permission(action, resource) for resource in resources_of.get(action, ("*",))]
    return own


def streams_of_pools(call: Call, region: str) -> tuple[str, ...]:
    """The Kinesis video streams of the caller's pools in a Region, as the ARN of a request."""
    return (f"arn:{PARTITION}:kinesisvideo:{region}:{call.account_id}:{_STREAMS}",)


def absent(call: Call, message: str) -> AwsError:
    """The refusal of a source that does not exist. The models of some operations have no NotFoundException."""
    return AwsError(NOT_FOUND, message) if NOT_FOUND in call.model.error_codes else bad_request(message)


def meeting_of(call: Call, source_arn: str) -> str:
    """The id of the caller's meeting in this Region. Both forms of its ARN are taken (public demos send the older one).

    Raises AwsError BadRequestException or NotFoundException. AWS's words are not recorded.
    """
    parsed = parse_arn(source_arn)
    match = None if parsed is None else re.fullmatch("meeting[:/]([^:/]+)", parsed.resource)
    if parsed is None or match is None or (parsed.partition, parsed.service) != (PARTITION, "chime"):
        raise bad_request("SourceArn must be the ARN of a meeting.")
    meeting = None
    if parsed.account_id == call.account_id and parsed.region in ("", call.region):
        meeting = resources.find(call.db, PIPELINE.place(call)._replace(kind=MEETING), match[1])
    if meeting is None or meeting.has_ended(call.now_seconds):
        raise absent(call, f"Meeting {source_arn} was not found.")
    return match[1]


def media_region(call: Call, meeting_id: str) -> str:
    """Where the media of a meeting are that :func:`meeting_of` has found."""
    meeting = resources.find(call.db, PIPELINE.place(call)._replace(kind=MEETING), meeting_id)
    return "" if meeting is None else str(meeting.content["MediaRegion"])


def bucket_of(arn: str) -> str:
    """The ARN of the bucket in the ARN of a bucket or of a prefix in one. Empty for a text that is neither."""
    parsed = parse_arn(arn)
    if parsed is None or (parsed.service, parsed.region, parsed.account_id) != ("s3", "", ""):
        return ""
    bucket = parsed.resource.partition("/")[0]
    return f"arn:{parsed.partition}:s3:::{bucket}" if _BUCKET.fullmatch(bucket) else ""


def check_bucket(member: str, arn: str) -> None:
    """Rolecall has no S3, so the bucket and its policy are not looked up. Raises AwsError BadRequestException."""
    if not bucket_of(arn):
        raise bad_request(f"{member} must be the ARN of an S3 bucket, or of a prefix in one.")
