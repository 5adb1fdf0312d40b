"""Every declared operation fits its verb: what it takes and answers, in the model that is installed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.model import OperationModel, Shape
from botocore.session import Session

from rolecall.errors import AwsError
from rolecall.services import catalogue
from rolecall.services.kinds import Kept, Kind, shown
from rolecall.services.verbs import Declared, declared_operations, documents_named_by
from rolecall.wire import load_service

SESSION = Session()
# Loads every operation, also when this module is imported alone.
catalogue.all_operations()
DECLARED = list(declared_operations)
# What each verb asks of the place where a kind is kept.
METHODS = {
    "get": {"find"},
    "list": {"page"},
    "update": {"find", "set_content"},
    "delete": {"find", "remove"},
    "get setting": {"find", "setting"},
    "put setting": {"find", "put_setting"},
    "delete setting": {"find", "setting", "remove_setting"},
}


def shape_of(member: Shape | None) -> str:
    return "" if member is None else str(member.name)


def misfits(declared: Declared, model: OperationModel) -> list[str]:
    """What keeps an operation of that model from being the verb's."""
    taken: dict[str, Shape] = dict(model.input_shape.members) if model.input_shape else {}
    required = set(model.input_shape.required_members) if model.input_shape else set()
    answered: dict[str, Shape] = dict(model.output_shape.members) if model.output_shape else {}
    kind = declared.kind
    if declared.verb == "tags":
        return _misfits_of_tags(declared.name, taken, answered)
    assert kind is not None
    found = []
    if declared.verb == "list":
        above = () if kind.parent is None else kind.parent.id_members
        if set(taken) != {"NextToken", "MaxResults", *above} or required != set(above):
            found.append("takes more or less than a page")
        listed = [member for name, member in answered.items() if name not in ("NextToken", *above)]
        if "NextToken" not in answered or [member.type_name for member in listed] != ["list"]:
            found.append("answers no page of one list")
        elif kind.id_member not in getattr(getattr(listed[0], "member", None), "members", {}):
            found.append("lists something else")
        return found
    if not required.issuperset(kind.id_members):
        found.append("does not take the id")
    others = {name: member for name, member in taken.items() if name not in kind.id_members}
    structures = [member for member in answered.values() if member.type_name == "structure"]
    if declared.verb in ("get", "delete", "get setting", "delete setting") and others:
        found.append("takes more than the id")
    if declared.verb in ("delete", "delete setting") and answered:
        found.append("answers something")
    if declared.verb in ("get", "update", "get setting") and (len(answered) != 1 or len(structures) != 1):
        found.append("does not answer one structure")
    elif declared.verb in ("get", "update"):
        [answer] = structures
        found += [] if kind.id_member in answer.members else ["answers something else"]
        found += [f"takes {name}, which it does not answer" for name in others if name not in answer.members]
    if declared.verb == "put setting":
        documents = {name: shape_of(member) for name, member in others.items() if member.type_name == "structure"}
        if len(others) != 1 or len(documents) != 1 or not set(others) <= required:
            found.append("does not take one document")
        elif answered and {name: shape_of(member) for name, member in answered.items()} != documents:
            found.append("answers another document")
    return found


def _misfits_of_tags(name: str, taken: dict[str, Shape], answered: dict[str, Shape]) -> list[str]:
    members = {
        "TagResource": ({"ResourceARN", "Tags"}, set()),
        "UntagResource": ({"ResourceARN", "TagKeys"}, set()),
        "ListTagsForResource": ({"ResourceARN"}, {"Tags"}),
    }
    return [] if (set(taken), set(answered)) == members[name] else ["is no operation on tags"]


def model_of(service: str, name: str) -> OperationModel:
    return SESSION.get_service_model(service).operation_model(name)


def test_operations_are_declared() -> None:
    assert catalogue.MODULES
    assert len(DECLARED) >= 15


@pytest.mark.parametrize("declared", DECLARED, ids=lambda each: f"{each.service}.{each.name}")
def test_a_declared_operation_fits_its_verb(declared: Declared) -> None:
    assert misfits(declared, model_of(declared.service, declared.name)) == []
    if declared.kind is not None:
        kept = type(declared.kind.kept)
        lacking = {name for name in METHODS[declared.verb] if getattr(kept, name) is getattr(Kept, name)}
        assert lacking == set()


@pytest.mark.parametrize(
    "declared", [each for each in DECLARED if each.verb == "delete setting"], ids=lambda each: each.name
)
def test_a_deleted_document_is_one_that_is_put(declared: Declared) -> None:
    assert declared.kind is not None
    member = min(documents_named_by(declared.kind, declared.name), key=len)
    reading = declared.name.replace("Delete", "Get", 1)
    assert load_service(declared.service).operation(reading).output_members == (member,)


def call_of(declared: Declared) -> Any:
    """A call without a database, so that what reads one fails."""
    operation = load_service(declared.service).operation(declared.name)
    return SimpleNamespace(
        operation=declared.name,
        model=SimpleNamespace(
            input_paths=(*operation.input_paths, ("Unknown",)),
            output_members=operation.output_members,
            output_paths=operation.output_paths,
        ),
    )


@pytest.mark.parametrize("declared", DECLARED, ids=lambda each: f"{each.service}.{each.name}")
def test_a_member_that_a_newer_model_has_is_refused_and_not_ignored(declared: Declared) -> None:
    registered = catalogue.find(declared.service, declared.name)
    assert registered is not None
    required: dict[str, Any] = dict.fromkeys(load_service(declared.service).operation(declared.name).required_members)
    call = call_of(declared)
    with pytest.raises(AwsError) as caught:
        registered.function(call, **required, Unknown=1)
    message = f"Rolecall does not emulate the parameter Unknown of {declared.name} yet."
    assert (caught.value.code, caught.value.message) == ("NotImplemented", message)


def test_a_member_that_an_older_model_lacks_is_not_answered() -> None:
    model = SimpleNamespace(output_paths={("VoiceConnector",), ("VoiceConnector", "Name")})
    call: Any = SimpleNamespace(model=model)
    assert shown(call, "VoiceConnector", {"Name": "n", "NetworkType": "IPV4_ONLY"}) == {"Name": "n"}


CONNECTOR = Kind("chime-sdk-voice", "voice-connector", "VoiceConnectorId")
ACCOUNT = Kind("chime", "account", "AccountId")
# A room belongs to an account: as a kind without a parent its operations take more than they should.
ROOM = Kind("chime", "room", "RoomId")
CHANNEL = Kind("chime-sdk-messaging", "channel", "ChannelArn")


@pytest.mark.parametrize(
    ("kind", "verb", "name", "problem"),
    [
        (ROOM, "get", "GetRoom", "takes more than the id"),
        (CHANNEL, "get", "DescribeChannel", "takes more than the id"),
        (CONNECTOR, "get", "GetVoiceConnectorTermination", "answers something else"),
        (CONNECTOR, "get", "ListVoiceConnectors", "does not take the id"),
        (ROOM, "list", "ListRooms", "takes more or less than a page"),
        (CONNECTOR, "list", "ListVoiceConnectorGroups", "lists something else"),
        (CONNECTOR, "list", "GetVoiceConnector", "answers no page of one list"),
        (CONNECTOR, "update", "UpdateVoiceConnectorGroup", "does not take the id"),
        (CONNECTOR, "update", "PutVoiceConnectorTermination", "takes Termination, which it does not answer"),
        (CONNECTOR, "delete", "GetVoiceConnector", "answers something"),
        (CONNECTOR, "delete", "DeleteVoiceConnectorTerminationCredentials", "takes more than the id"),
        (CONNECTOR, "get setting", "ListVoiceConnectorTerminationCredentials", "does not answer one structure"),
        (CONNECTOR, "put setting", "PutVoiceConnectorProxy", "does not take one document"),
        (CONNECTOR, "put setting", "PutVoiceConnectorExternalSystemsConfiguration", "does not take one document"),
        (ACCOUNT, "put setting", "PutRetentionSettings", "answers another document"),
        (CONNECTOR, "put setting", "PutVoiceConnectorTerminationCredentials", "does not take one document"),
    ],
)
def test_an_operation_that_does_not_fit_is_found(kind: Any, verb: str, name: str, problem: str) -> None:
    assert problem in misfits(Declared(kind.service, name, verb, kind), model_of(kind.service, name))
