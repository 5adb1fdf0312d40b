"""The resources of a call, from AWS's tables and the request's members, compared with rows written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from yaml_tables import read_table

from rolecall.access.resources import compile_resources
from rolecall.service_records import action_prefix
from rolecall.wire import SERVICES, load_service

ACCOUNT = "111122223333"
ROWS = read_table((Path(__file__).parent / "resources_of_calls.yaml").read_text(encoding="utf-8"))
CASES = [(service, row) for service, rows in ROWS.items() for row in rows]
# The operations about "*". The reference gives their actions no resource type, except for the groups below.
LISTED = read_table((Path(__file__).parent / "calls_about_everything.yaml").read_text(encoding="utf-8"))


def compiled(service: str, operation: str) -> Any:
    members = load_service(service).operation(operation).input_paths
    return compile_resources(action_prefix(service), operation, members)


@pytest.mark.parametrize(("service", "row"), CASES, ids=[f"{service}.{row['operation']}" for service, row in CASES])
def test_a_call_is_about_what_the_reference_says(service: str, row: dict[str, Any]) -> None:
    resources = compiled(service, row["operation"]).of(row["parameters"], row.get("region", "us-east-1"), ACCOUNT)
    assert [resource.arn for resource in resources] == row["resources"]


@pytest.mark.parametrize(("service", "row"), CASES, ids=[f"{service}.{row['operation']}" for service, row in CASES])
def test_nothing_but_the_named_members_decides_what_a_call_is_about(service: str, row: dict[str, Any]) -> None:
    """So the resources of a request may be remembered by the values of these members."""
    of_operation, region = compiled(service, row["operation"]), row.get("region", "us-east-1")
    read: set[str] = set()

    class Watched(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            read.add(name)
            return super().__getitem__(name)

        def __contains__(self, name: object) -> bool:
            read.add(str(name))
            return super().__contains__(name)

        def get(self, name: str, default: Any = None) -> Any:
            read.add(name)
            return super().get(name, default)

    found = of_operation.of(Watched(row["parameters"]), region, ACCOUNT)
    assert [resource.arn for resource in found] == row["resources"]
    assert read <= set(of_operation.members)


def everything() -> Iterator[tuple[str, str]]:
    """The operations of every model that are about ``*``, whatever the request names."""
    for service in SERVICES:
        for operation in sorted(load_service(service).operation_names):
            if not compiled(service, operation).sources:
                [resource] = compiled(service, operation).of({}, "us-east-1", ACCOUNT)
                if resource.arn == "*":
                    yield service, operation


def test_the_operations_about_everything_are_those_that_are_written_down() -> None:
    written = {(service, name) for service, reasons in LISTED.items() for names in reasons.values() for name in names}
    found = {pair for pair in everything() if pair[0] != "chime"}
    assert found == {
        pair for pair in written if pair[0] in SERVICES and pair[1] in load_service(pair[0]).operation_names
    }
    # Of Chime's own 62 operations one has a resource.
    chime = {name for service, name in everything() if service == "chime"}
    assert load_service("chime").operation_names - chime == {"CreateMeetingDialOut"}


def test_the_name_of_a_resource_stays_what_it_is() -> None:
    """A request's text inside a name stays a name: it cannot make another ARN."""
    named = compiled("chime-sdk-voice", "GetVoiceConnector")
    for hostile in ("*", "a/../b", "${aws:username}", "x:y", "\\g<1>", "arn-like"):
        [resource] = named.of({"VoiceConnectorId": hostile}, "us-east-1", ACCOUNT)
        assert resource.arn == f"arn:aws:chime:us-east-1:{ACCOUNT}:vc/{hostile}"


def test_another_accounts_arn_stays_another_accounts() -> None:
    arn = "arn:aws:chime:us-east-1:444455556666:vc/v1"
    [resource] = compiled("chime-sdk-voice", "TagResource").of({"ResourceARN": arn}, "us-east-1", ACCOUNT)
    assert (resource.arn, resource.type) == (arn, "voice-connector")
    [foreign] = compiled("chime-sdk-voice", "TagResource").of({"ResourceARN": "arn:aws:s3:::b"}, "us-east-1", ACCOUNT)
    assert (foreign.arn, foreign.type) == ("arn:aws:s3:::b", "")


def test_the_most_specific_type_is_the_type_of_an_arn() -> None:
    tag = compiled("chime-sdk-identity", "TagResource")
    for arn, resource_type in (
        ("app-instance/i", "app-instance"),
        ("app-instance/i/user/u", "app-instance-user"),
        ("app-instance/i/channel/c", "channel"),
        ("app-instance/i/channel-flow/f", "channel-flow"),
    ):
        [resource] = tag.of({"ResourceARN": f"arn:aws:chime:us-east-1:{ACCOUNT}:{arn}"}, "us-east-1", ACCOUNT)
        assert resource.type == resource_type


def test_an_operation_without_an_action_is_about_everything() -> None:
    for prefix, operation in (("iam", "NoSuchOperation"), ("no-such-prefix", "GetThing"), ("../iam", "GetUser")):
        [resource] = compile_resources(prefix, operation, [("Arn",)]).of({"Arn": "arn:x"}, "us-east-1", ACCOUNT)
        assert (resource.arn, resource.type) == ("*", "")
