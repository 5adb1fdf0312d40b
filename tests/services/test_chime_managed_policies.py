"""Every operation of Amazon Chime and the Chime SDK, called with each of AWS's managed policies for it.

What must be allowed is a table of its own, read from AWS's documents. The operations come from botocore's models.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from chime_requests import ACCOUNT, SERVICES, operations, smallest
from yaml_tables import read_table

from rolecall.data import actions, managed_policies, managed_policy_document
from rolecall.inprocess import ENDPOINT_URL

TABLE: dict[str, list[str]] = read_table(
    (Path(__file__).parent / "cases" / "chime_managed_policies.yaml").read_text(encoding="utf-8")
)
ARNS = {policy.name: arn for arn, policy in managed_policies().items() if "Chime" in policy.name}
ALL_OPERATIONS = list(operations())
DENIED = re.compile(r"is not authorized to perform: (\S+)")
NONE = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "none:*", "Resource": "*"}}


def _user(name: str, document: str) -> dict[str, Any]:
    """A service-linked role's policy cannot be attached, so each user has the document as an inline policy."""
    return {
        "name": name,
        "access_keys": [{"id": f"{name}_key"[:128], "secret": f"{name}-secret"}],
        "inline_policies": {"own": json.loads(document)},
    }


@pytest.fixture(scope="module")
def world(make_shared_world: Any) -> Any:
    documents = {name: managed_policy_document(arn) for name, arn in ARNS.items()} | {"nothing": json.dumps(NONE)}
    # The name of the longest policy would be too long for a key.
    users = [_user(f"u{number}", document) for number, document in enumerate(documents.values())]
    return make_shared_world(json.dumps({"version": 1, "accounts": [{"id": ACCOUNT, "users": users}]}))


def refused_action(client: Any, operation: str, parameters: dict[str, Any]) -> str:
    """The action that the caller lacks, by the refusal; empty when policies allow the call."""
    try:
        getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        found = DENIED.search(error.response["Error"]["Message"])
        return found[1] if found else ""
    return ""


def test_the_table_has_every_policy_and_every_action_of_its_document() -> None:
    assert set(TABLE) == set(ARNS)
    for name, arn in ARNS.items():
        statements = json.loads(managed_policy_document(arn))["Statement"]
        about_chime = []
        for statement in statements:
            named = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
            own = [action.removeprefix("chime:") for action in named if action.startswith("chime:")]
            if own:
                assert statement["Resource"] in ("*", ["*"])
                assert (statement["Effect"], "Condition" in statement) == ("Allow", False)
            about_chime += own
        assert sorted(about_chime) == sorted(TABLE[name]), name


def test_there_are_as_many_operations_as_the_models_have() -> None:
    assert len(ALL_OPERATIONS) >= 286
    assert {service for service, _ in ALL_OPERATIONS} == set(SERVICES)


@pytest.mark.parametrize(("number", "policy"), list(enumerate([*ARNS, "nothing"])))
def test_a_policy_allows_what_its_document_says(world: Any, number: int, policy: str) -> None:
    clients = {
        service: world.client(service, f"u{number}", endpoint_url=f"{ENDPOINT_URL}/{service}") for service in SERVICES
    }
    patterns = TABLE.get(policy, [])
    differences = []
    for service, operation in ALL_OPERATIONS:
        is_allowed = any(fnmatchcase(operation, pattern) for pattern in patterns)
        lacking = refused_action(clients[service], operation, smallest(service, operation))
        if is_allowed and lacking and lacking != f"chime:{operation}":
            # Another action that the operation needs: AWS's table must name it, and the document must lack it.
            needed = actions("chime")[operation.lower()].dependent_actions
            is_right = lacking in needed and not _has(policy, lacking)
        else:
            is_right = is_allowed is not (lacking == f"chime:{operation}")
        if not is_right:
            differences.append((service, operation, is_allowed, lacking))
    assert differences == []


def _has(policy: str, action: str) -> bool:
    """Whether the document allows that action on everything."""
    for statement in json.loads(managed_policy_document(ARNS[policy]))["Statement"]:
        named = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        if statement["Resource"] in ("*", ["*"]) and any(fnmatchcase(action, each) for each in named):
            return True
    return False
