"""What attendees may send and receive, and what a meeting's features allow (Chime SDK API: AttendeeCapabilities)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from rolecall.errors import bad_request

Capabilities = Mapping[str, str]
NONE = "None"
_RECEIVING = frozenset({"SendReceive", "Receive"})
# Chime SDK API, VideoFeatures and ContentFeatures: these resolutions need a stated MaxCount. AttendeeFeatures: a
# meeting has at most 250 attendees, one with such a resolution at most 25.
_HIGH_RESOLUTIONS = {"Video": "FHD", "Content": "UHD"}
MAXIMUM_ATTENDEES = 250
MAXIMUM_ATTENDEES_IN_HIGH_RESOLUTION = 25
# A name that begins so is AWS's own, in any case of its letters.
_RESERVED_PREFIX = "aws:"


class Audio(TypedDict, total=False):
    """Features of a meeting's sound."""

    EchoReduction: str


class Resolution(TypedDict, total=False):
    """Features of a meeting's video or content."""

    MaxResolution: str


class Size(TypedDict, total=False):
    """How many attendees a meeting may have."""

    MaxCount: int


class Features(TypedDict, total=False):
    """The features of a meeting in a request."""

    Audio: Audio
    Video: Resolution
    Content: Resolution
    Attendee: Size


def check_external_id(member: str, value: str | None) -> None:
    """Raises BadRequestException for a name that AWS reserves. The message is not recorded."""
    if value is not None and value.lower().startswith(_RESERVED_PREFIX):
        raise bad_request(f"{member} must not begin with {_RESERVED_PREFIX}, which AWS reserves.")


def maximum_attendees(features: Mapping[str, Any]) -> int:
    """How many attendees a meeting with these features may have."""
    return int(features.get("Attendee", {}).get("MaxCount", MAXIMUM_ATTENDEES))


def check_features(features: Mapping[str, Any]) -> None:
    """Raises BadRequestException for a resolution that needs a smaller meeting. The message is not recorded."""
    for member, high in _HIGH_RESOLUTIONS.items():
        if _resolution(features, member) != high:
            continue
        if maximum_attendees(features) > MAXIMUM_ATTENDEES_IN_HIGH_RESOLUTION:
            raise bad_request(
                f"{member} with the resolution {high} needs an Attendee MaxCount of at most "
                f"{MAXIMUM_ATTENDEES_IN_HIGH_RESOLUTION}."
            )


def default_capabilities(features: Mapping[str, Any]) -> dict[str, str]:
    """Everything that the features allow. Without video, content still needs that video is received."""
    content = NONE if _resolution(features, "Content") == NONE else "SendReceive"
    video = "SendReceive"
    if _resolution(features, "Video") == NONE:
        video = NONE if content == NONE else "Receive"
    return {"Audio": "SendReceive", "Video": video, "Content": content}


def check_capabilities(features: Mapping[str, Any], capabilities: Capabilities) -> None:
    """Raises BadRequestException for capabilities that the features, or each other, forbid. Messages not recorded."""
    for member in ("Video", "Content"):
        if _resolution(features, member) == NONE and capabilities[member] != NONE:
            raise bad_request(f"{member} must be None, because the meeting's {member} MaxResolution is None.")
    if capabilities["Content"] in _RECEIVING and capabilities["Video"] not in _RECEIVING:
        raise bad_request("Content can be SendReceive or Receive only when Video is SendReceive or Receive.")


def _resolution(features: Mapping[str, Any], member: str) -> str:
    return str(features.get(member, {}).get("MaxResolution", ""))
