"""One record holds the facts about a service. No other code compares the names of services."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from syntax_trees import walk

import rolecall
from rolecall.errors import AwsError
from rolecall.service_records import SERVICE_RECORDS, action_of, action_prefix, requested_region
from rolecall.wire import SERVICES, encode_error

PACKAGE = Path(rolecall.__file__).parent
# Variables and attributes that hold the name of a service, or its signing name. An ARN's service is another thing.
HOLDERS = ("service", "service_name", "signing_name")
OF_ARNS = ("arn", "parsed", "parsed_arn")


def compared_names(source: str) -> Iterator[str]:
    """Comparisons between a variable with a service's name and such a name, as written in the source."""
    for node in walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
            sides = [node.func.value, *node.args]
        else:
            continue
        texts = {text.value for side in sides for text in ast.walk(side) if isinstance(text, ast.Constant)}
        if texts & SERVICE_RECORDS.keys() and any(holds_service(side) for side in sides):
            yield ast.unparse(node)


def holds_service(side: ast.expr) -> bool:
    if isinstance(side, ast.Name):
        return side.id in HOLDERS
    if isinstance(side, ast.Attribute):
        return side.attr in HOLDERS and not (isinstance(side.value, ast.Name) and side.value.id in OF_ARNS)
    return False


def test_no_module_compares_the_names_of_services() -> None:
    found = {
        str(file.relative_to(PACKAGE)): list(compared_names(file.read_text(encoding="utf-8")))
        for file in PACKAGE.rglob("*.py")
    }
    # The service in a policy's ARN, which need not be one that Rolecall serves.
    found.pop("policy/validity.py")
    assert {file: comparisons for file, comparisons in found.items() if comparisons} == {}


def test_the_check_finds_what_it_is_for() -> None:
    for comparison in (
        'call.service == "sts"',
        'service in ("iam", "iam-toolbox")',
        'service.startswith("chime")',
        'signing_name != "chime"',
    ):
        assert list(compared_names(comparison)), comparison
    assert not list(compared_names('arn.service == "iam"'))
    assert not list(compared_names('call.operation == "chime"'))


@pytest.mark.parametrize(
    ("service", "prefix", "region"),
    [
        ("sts", "sts", "eu-west-1"),
        ("iam", "iam", "us-east-1"),
        ("iam-toolbox", "iam", "eu-west-1"),
        ("chime", "chime", "us-east-1"),
        ("chime-sdk-voice", "chime", "eu-west-1"),
        ("dynamodb", "dynamodb", "eu-west-1"),
    ],
)
def test_prefix_and_region_of_a_service(service: str, prefix: str, region: str) -> None:
    assert action_prefix(service) == prefix
    assert action_of(service, "GetThing") == f"{prefix}:GetThing"
    assert requested_region(service, "eu-west-1") == region


@pytest.mark.parametrize(
    ("service", "code", "form"),
    [
        ("sts", "ValidationError", b"<ErrorResponse "),
        ("iam", "ValidationError", b"<ErrorResponse "),
        ("chime", "BadRequestException", b'{"Code":'),
        ("chime-sdk-meetings", "BadRequestException", b'{"Code":'),
        ("iam-toolbox", "ValidationError", b'{"message":'),
    ],
)
def test_the_errors_of_a_service(service: str, code: str, form: bytes) -> None:
    assert SERVICE_RECORDS[service].constraint_code == code
    if service in SERVICES:
        assert encode_error(service, AwsError("ServiceUnavailable", "m"), "id").body.startswith(form)


@pytest.mark.follows_the_model
def test_the_regions_of_the_services_that_are_not_in_every_one() -> None:
    """The endpoints that botocore knows, in all partitions."""
    session = boto3.Session()
    partitions = session.get_available_partitions()
    found = {
        f"chime-sdk-{name}": {
            each for own in partitions for each in session.get_available_regions(f"chime-sdk-{name}", own)
        }
        for name in ("identity", "meetings", "media-pipelines", "messaging", "voice")
    }
    assert {name: record.regions for name, record in SERVICE_RECORDS.items() if record.regions} == found
    assert found["chime-sdk-messaging"] == {"us-east-1", "eu-central-1"}


def test_the_credentials_that_may_call_a_service() -> None:
    rules = {name: record.credential_rules for name, record in SERVICE_RECORDS.items() if record.credential_rules}
    assert rules == {"sts": "sts", "iam": "iam", "iam-toolbox": "iam"}
    assert [name for name, record in SERVICE_RECORDS.items() if not record.denied_code] == ["chime"]
    assert [name for name, record in SERVICE_RECORDS.items() if record.has_regional_endpoints] == ["sts"]
