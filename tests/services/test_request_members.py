"""Members inside the structures of a request: an operation takes those that it uses, and the gateway refuses others."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, TypedDict

import pytest
from botocore.model import Shape
from botocore.session import Session

from rolecall.services.catalogue import all_operations
from rolecall.services.members import Document, Tag, first_given, refused_members
from rolecall.services.registry import RegisteredOperation
from rolecall.wire import load_service

SESSION = Session()
Path = tuple[str, ...]
NEWCOMER = "Newcomer"
# Structures that are kept and answered as they came, so a member that a newer model adds is kept too.
KEPT_WHOLE = {
    ("chime", "UpdateAccountSettings", ("AccountSettings",)),
    ("chime", "UpdateUserSettings", ("UserSettings",)),
    ("chime", "UpdateUserSettings", ("UserSettings", "Telephony")),
    ("chime-sdk-meetings", "StartMeetingTranscription", ("TranscriptionConfiguration",)),
    (
        "chime-sdk-meetings",
        "StartMeetingTranscription",
        ("TranscriptionConfiguration", "EngineTranscribeMedicalSettings"),
    ),
    ("chime-sdk-meetings", "StartMeetingTranscription", ("TranscriptionConfiguration", "EngineTranscribeSettings")),
    (
        "chime-sdk-voice",
        "PutSipMediaApplicationLoggingConfiguration",
        ("SipMediaApplicationLoggingConfiguration",),
    ),
    ("chime-sdk-voice", "PutVoiceConnectorEmergencyCallingConfiguration", ("EmergencyCallingConfiguration",)),
    ("chime-sdk-voice", "PutVoiceConnectorEmergencyCallingConfiguration", ("EmergencyCallingConfiguration", "DNIS")),
    ("chime-sdk-voice", "PutVoiceConnectorLoggingConfiguration", ("LoggingConfiguration",)),
    ("chime-sdk-voice", "PutVoiceConnectorOrigination", ("Origination",)),
    ("chime-sdk-voice", "PutVoiceConnectorOrigination", ("Origination", "Routes")),
    ("chime-sdk-voice", "PutVoiceConnectorTermination", ("Termination",)),
}

# The same for everything inside these members.
PIPELINES = "chime-sdk-media-pipelines"
KEPT_DEEPLY = {
    (PIPELINES, "CreateMediaCapturePipeline", "ChimeSdkMeetingConfiguration"),
    (PIPELINES, "CreateMediaCapturePipeline", "SseAwsKeyManagementParams"),
    (PIPELINES, "CreateMediaConcatenationPipeline", "Sinks"),
    (PIPELINES, "CreateMediaConcatenationPipeline", "Sources"),
    (PIPELINES, "CreateMediaInsightsPipeline", "KinesisVideoStreamRecordingSourceRuntimeConfiguration"),
    (PIPELINES, "CreateMediaInsightsPipeline", "S3RecordingSinkRuntimeConfiguration"),
    (PIPELINES, "CreateMediaInsightsPipelineConfiguration", "Elements"),
    (PIPELINES, "CreateMediaInsightsPipelineConfiguration", "RealTimeAlertConfiguration"),
    (PIPELINES, "CreateMediaLiveConnectorPipeline", "Sinks"),
    (PIPELINES, "CreateMediaLiveConnectorPipeline", "Sources"),
    (PIPELINES, "UpdateMediaInsightsPipelineConfiguration", "Elements"),
    (PIPELINES, "UpdateMediaInsightsPipelineConfiguration", "RealTimeAlertConfiguration"),
}


def structures(shape: Shape | None, above: Path = (), seen: tuple[str, ...] = ()) -> set[Path]:
    """The members below a shape that are structures, or lists or maps of them, in botocore's model."""
    found: set[Path] = set()
    members = {} if shape is None else shape.members
    for name, member in members.items():
        inner = member
        while inner.type_name in ("list", "map"):
            inner = inner.member if inner.type_name == "list" else inner.value
        if inner.type_name == "structure" and inner.name not in seen:
            found |= {(*above, name)} | structures(inner, (*above, name), (*seen, inner.name))
    return found


# Maps of structures. The operations look into them themselves: test_iam_role_templates.py and
# test_chime_sdk_messaging_messages.py.
LOOKED_INTO = {
    ("AcquireRole", ("ReplacementValues",)),
    ("SendChannelMessage", ("MessageAttributes",)),
    ("ChannelFlowCallback", ("ChannelMessage", "MessageAttributes")),
}


def structures_of(operation: RegisteredOperation) -> set[Path]:
    model = SESSION.get_service_model(operation.service).operation_model(operation.name)
    return {path for path in structures(model.input_shape) if (operation.name, path) not in LOOKED_INTO}


def model_paths(operation: RegisteredOperation) -> tuple[Path, ...]:
    return load_service(operation.service).operation(operation.name).input_paths


WITH_STRUCTURES = [operation for operation in all_operations() if structures_of(operation)]
each = pytest.mark.parametrize("operation", WITH_STRUCTURES, ids=lambda each: f"{each.service}.{each.name}")


def test_there_are_operations_with_structures() -> None:
    assert len(WITH_STRUCTURES) >= 28


@each
def test_a_member_that_a_newer_model_adds_to_a_structure_is_refused(operation: RegisteredOperation) -> None:
    paths = model_paths(operation)
    present = refused_members(operation, paths)
    for structure in structures_of(operation):
        named = (operation.service, operation.name)
        kept_deeply = any((*named, ".".join(structure[:depth])) in KEPT_DEEPLY for depth in (1, 2))
        # A structure that the list of members does not reach could hide a newcomer, unless it is kept whole.
        reached = any(path[:-1] == structure for path in paths)
        assert reached or kept_deeply, f"{structure} is not in the list"
        newcomer = (*structure, NEWCOMER)
        refused = refused_members(operation, (*paths, newcomer)) - present
        below_a_refused_one = any(newcomer[: len(path)] == path for path in present)
        if (*named, structure) in KEPT_WHOLE or kept_deeply:
            assert refused == set()
        else:
            assert refused == (set() if below_a_refused_one else {newcomer})


@each
def test_a_new_member_beside_the_structures_is_refused(operation: RegisteredOperation) -> None:
    refused = refused_members(operation, (*model_paths(operation), (NEWCOMER,)))
    # A verb refuses it itself: tests/services/test_declared_operations.py.
    assert ((NEWCOMER,) in refused) == (not operation.verb)


def test_what_is_kept_whole_is_still_a_structure_of_its_operation() -> None:
    known = {
        (operation.service, operation.name, path) for operation in WITH_STRUCTURES for path in structures_of(operation)
    }
    assert known >= KEPT_WHOLE
    assert {(service, name, ".".join(path[:depth])) for service, name, path in known for depth in (1, 2)} >= KEPT_DEEPLY


class Inner(TypedDict, total=False):
    """A structure inside another."""

    Deep: str
    Tags: Sequence[Tag] | None


class Outer(TypedDict, total=False):
    """A structure with another one."""

    Inner: Inner
    Inners: list[Inner]
    Text: str


def takes(
    call: Any, *, Name: str, Given: Outer | None = None, Kept: Document | None = None, Loose: dict[str, Any]
) -> None:
    """An operation whose parameters have every kind of type."""


TAKES = RegisteredOperation(
    service="iam",
    name="Takes",
    function=takes,
    permissions=None,
    precheck=None,
    writes=False,
    parameters=frozenset(inspect.signature(takes).parameters) - {"call"},
)


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        (("Name",), None),
        (("Other",), ("Other",)),
        (("Other", "Key"), ("Other",)),
        (("Given",), None),
        (("Given", "Text"), None),
        (("Given", "Other"), ("Given", "Other")),
        (("Given", "Inner", "Deep"), None),
        (("Given", "Inner", "Other"), ("Given", "Inner", "Other")),
        (("Given", "Inner", "Other", "More"), ("Given", "Inner", "Other")),
        (("Given", "Inners", "Tags", "Key"), None),
        (("Given", "Inners", "Tags", "Other"), ("Given", "Inners", "Tags", "Other")),
        (("Given", "Text", "Other"), ("Given", "Text", "Other")),
        (("Kept", "Other", "More"), None),
        # A type that does not say its members takes none.
        (("Loose", "Key"), ("Loose", "Key")),
    ],
)
def test_the_types_of_an_operation_say_what_it_takes(path: Path, refused: Path | None) -> None:
    assert refused_members(TAKES, [path]) == (frozenset() if refused is None else {refused})


@pytest.mark.parametrize(
    ("parameters", "given"),
    [
        ({}, None),
        ({"Name": "n"}, None),
        ({"Other": None}, ("Other",)),
        ({"Tags": []}, None),
        ({"Tags": [{"Key": "a"}, {"Key": "b", "Other": ""}]}, ("Tags", "Other")),
        ({"Tags": "Other"}, None),
        ({"Tags": ["Other"]}, None),
        ({"Tags": [[{"Other": 1}]], "Other": 1}, ("Other",)),
    ],
)
def test_a_refused_member_is_found_in_every_element_of_a_list(parameters: dict[str, Any], given: Path | None) -> None:
    assert first_given(parameters, {("Tags", "Other"), ("Other",)}) == given
