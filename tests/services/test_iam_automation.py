"""IAM under automation: the calls of Terraform's AWS provider for each resource, in its order, leave nothing behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore import xform_name
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, READ_ONLY, WORLD, identity
from saml_calls import idp
from sqlalchemy import select

from rolecall.storage.tables import metadata

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "automation.yaml").read_text(encoding="utf-8"))
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
# A deletion of a service-linked role keeps its record, as on AWS.
KEPT = {"generations", "service_linked_role_deletions"}


def member(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


def filled(value: Any, values: dict[str, str], answers: list[dict[str, Any]]) -> Any:
    """The value with what stands for ``{{…}}``: a value of the test, or a member of the newest answer that has it."""

    def known(match: re.Match[str]) -> str:
        if match[1] in values:
            return values[match[1]]
        for answer in reversed(answers):
            try:
                return str(member(answer, match[1]))
            except (KeyError, IndexError):
                continue
        raise LookupError(match[0])

    if isinstance(value, dict):
        return {name: filled(each, values, answers) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, values, answers) for each in value]
    return re.sub(r"\{\{([\w.]+)\}\}", known, value) if isinstance(value, str) else value


def outcome(call: Any, parameters: dict[str, Any]) -> dict[str, Any] | str:
    """The answer, or the code of the error."""
    try:
        return call(**parameters)  # type: ignore[no-any-return]
    except ClientError as error:
        return str(error.response["Error"]["Code"])


def everything(world: Any) -> dict[str, list[str]]:
    with world.database.snapshot() as connection:
        return {
            name: sorted(map(repr, connection.execute(select(table))))
            for name, table in metadata.tables.items()
            if name not in KEPT
        }


@pytest.mark.parametrize("resource", CASES)
def test_the_calls_of_a_resource_in_terraforms_order(make_world: Any, resource: str) -> None:
    world = make_world(WORLD)
    iam = world.client("iam")
    values = {
        "arn": f"arn:aws:iam::{ACCOUNT}",
        "read_only": READ_ONLY,
        "document": json.dumps(identity("chime:Get*")),
        "trust": json.dumps(TRUST),
        "metadata": idp().metadata,
        "thumbprint": "b" * 40,
    }
    before = everything(world)
    answers: list[dict[str, Any]] = []
    for number, (operation, parameters, *expected) in enumerate(CASES[resource]):
        step = f"{number}: {operation} {parameters}"
        wanted = filled(expected[0], values, answers) if expected else {}
        answer = outcome(getattr(iam, xform_name(operation)), filled(parameters, values, answers))
        if isinstance(wanted, dict) and isinstance(answer, dict):
            answers.append(answer)
            answer = {path: member(answer, path) for path in wanted}
        assert answer == wanted, step
    assert everything(world) == before
