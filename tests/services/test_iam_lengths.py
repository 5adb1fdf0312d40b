"""The lengths of IAM's parameters, on both sides of the limits in AWS's pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from iam_calls import ACCOUNT, refusal
from saml_calls import idp
from yaml_tables import read_table

ROWS = read_table((Path(__file__).parent / "cases" / "iam_lengths.yaml").read_text(encoding="utf-8"))
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}
WORLD = {
    "version": 1,
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "admin_key_for_tests", "secret": "admin-secret"}],
                    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                },
                {"name": "ana"},
            ],
            "groups": [{"name": "team"}],
            "roles": [{"name": "worker", "trust_policy": TRUST}],
            "oidc_providers": [{"url": "https://issuer.example.com", "keys": "rolecall"}],
        }
    ],
}
NAMED = {"trust": json.dumps(TRUST), "document": json.dumps(DOCUMENT)}
FORMS = {
    "text": lambda length: "a" * length,
    "path": lambda length: "/" + "a" * (length - 2) + "/" if length > 1 else "/" * length,
    "password": lambda length: ("aA1!" * 33)[:length],
    "number": int,
    "tag key": lambda length: [{"Key": "a" * length, "Value": "v"}],
    "tag value": lambda length: [{"Key": "k", "Value": "a" * length}],
}


def named(row: dict[str, Any]) -> str:
    return f"{row['operation']}.{row['member']}{'.' + row['form'] if 'form' in row else ''}"


@pytest.fixture
def iam(make_world: Any) -> Any:
    """A client that checks nothing itself."""
    return make_world(json.dumps(WORLD)).client("iam", config=Config(parameter_validation=False))


def call(iam: Any, row: dict[str, Any], length: int) -> tuple[Any, dict[str, Any]]:
    """An operation and its arguments."""
    more = {name: NAMED.get(value, value) for name, value in row.get("more", {}).items()}
    if "SAMLMetadataDocument" in more:
        more["SAMLMetadataDocument"] = idp().metadata
    value = FORMS[row.get("form", "text")](length)
    return getattr(iam, xform_name(row["operation"])), {**more, row["member"]: value}


def check_refused(iam: Any, row: dict[str, Any], length: int, limit: str) -> None:
    operation, arguments = call(iam, row, length)
    code, message, status = refusal(operation, **arguments)
    assert (code, status) == ("ValidationError", 400)
    kind = "value" if row.get("form") == "number" else "length"
    assert f"Member must have {kind} {limit}" in message


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_the_longest_is_taken_and_one_more_is_not(iam: Any, row: dict[str, Any]) -> None:
    check_refused(iam, row, row["most"] + 1, f"less than or equal to {row['most']}")
    operation, arguments = call(iam, row, row["most"])
    operation(**arguments)


@pytest.mark.parametrize("row", [row for row in ROWS if row.get("least")], ids=named)
def test_the_shortest_is_taken_and_one_less_is_not(iam: Any, row: dict[str, Any]) -> None:
    check_refused(iam, row, row["least"] - 1, f"greater than or equal to {row['least']}")
    operation, arguments = call(iam, row, row["least"])
    operation(**arguments)


@pytest.mark.parametrize("row", [row for row in ROWS if row.get("least") == 0], ids=named)
def test_an_empty_text_is_taken_where_nothing_asks_for_more(iam: Any, row: dict[str, Any]) -> None:
    operation, arguments = call(iam, row, 0)
    operation(**arguments)
