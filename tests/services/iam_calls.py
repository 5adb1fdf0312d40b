"""Shared by the tests of users, groups, keys and their policies: one world, and short ways to get refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

CASES = Path(__file__).parent / "cases"
ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
OF_A_SERVICE = "arn:aws:iam::aws:policy/aws-service-role/AmazonChimeServiceRolePolicy"
LIMITS = f"arn:aws:iam::{ACCOUNT}:policy/limits"
FILLERS = [f"filler-{number:02}" for number in range(10)]
FILLER_ARNS = [f"arn:aws:iam::{ACCOUNT}:policy/fill/{name}" for name in FILLERS]
CROWDS = [f"crowd-{number:02}" for number in range(10)]


def identity(action: str | list[str], resource: str = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A policy of one statement."""
    statement = {"Effect": effect, "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def key_id(name: str) -> str:
    """The id of a declared key. IAM's operations need ids of at least 16 characters."""
    return f"{name}_key_for_tests"


def declared_user(name: str, **more: Any) -> dict[str, Any]:
    """A user of a sandbox file, with a key."""
    return {"name": name, "access_keys": [{"id": f"{name}s_key", "secret": "secret"}], **more}


def _key(name: str) -> dict[str, str]:
    return {"id": key_id(name), "secret": f"{name}-secret"}


_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}
_LIMITS = {"name": "limits", "document": identity("chime:Get*")}
# Ana has one of everything, bob has a key and no rights, full is at every limit.
_MAIN: dict[str, Any] = {
    "id": ACCOUNT,
    "root_access_keys": [_key("root")],
    "policies": [_LIMITS, *({"name": name, "path": "/fill/", "document": identity("chime:Get*")} for name in FILLERS)],
    "users": [
        {"name": "admin", "access_keys": [_key("admin")], "attached_policies": [ADMINISTRATOR]},
        {
            "name": "ana",
            "path": "/team/",
            "tags": {"Team": "blue"},
            "access_keys": [_key("ana1"), _key("ana2")],
            "attached_policies": [READ_ONLY],
            "inline_policies": {"own": identity("chime:GetUser")},
            "groups": ["developers"],
        },
        {"name": "bob", "access_keys": [_key("bob1")]},
        {"name": "full", "attached_policies": FILLER_ARNS, "groups": CROWDS},
    ],
    "groups": [
        {"name": "developers", "attached_policies": [READ_ONLY], "inline_policies": {"own": identity("chime:GetUser")}},
        {"name": "spare", "attached_policies": [READ_ONLY]},
        *({"name": name, "attached_policies": FILLER_ARNS if name == CROWDS[0] else []} for name in CROWDS),
    ],
    "roles": [
        {"name": "manager", "trust_policy": _TRUST, "attached_policies": [ADMINISTRATOR]},
        {"name": "packed", "trust_policy": _TRUST, "attached_policies": FILLER_ARNS},
    ],
    "service_linked_roles": ["voiceconnector.chime.amazonaws.com"],
    "instance_profiles": [{"name": "web", "path": "/team/"}],
}
_OTHER = {
    "id": OTHER_ACCOUNT,
    "policies": [{"name": "theirs", "document": identity("chime:Get*")}],
    "users": [{"name": "kim", "access_keys": [_key("kim1")], "attached_policies": [ADMINISTRATOR]}],
    "groups": [{"name": "theirs"}],
}
WORLD = json.dumps({"version": 1, "accounts": [_MAIN, _OTHER]})


def fails(call: Any, code: str, message: str, status: int, **arguments: Any) -> None:
    """Check that the call is refused with exactly this error."""
    assert refusal(call, **arguments) == (code, message, status)


def refusal(call: Any, **arguments: Any) -> tuple[str, str, int]:
    """Code, message and HTTP status of a call that must fail, without a refusal's authorization id."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    message = without_authorization_id(response["Error"]["Message"])
    return response["Error"]["Code"], message, response["ResponseMetadata"]["HTTPStatusCode"]


def without_authorization_id(message: str) -> str:
    """The sentence of a refusal without IAM's addition, which differs for every call."""
    sentence, tail, _ = message.partition(" Go to https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#")
    assert not tail or " is not authorized to perform: iam:" in sentence
    return sentence


def cases(name: str) -> list[Any]:
    return json.loads((CASES / name).read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def put_rights(iam: Any, user: str, name: str, document: dict[str, Any]) -> None:
    """Give a user an inline policy."""
    iam.put_user_policy(UserName=user, PolicyName=name, PolicyDocument=json.dumps(document))


def context_entries(context: dict[str, Any]) -> list[dict[str, Any]]:
    """ContextEntries of the policy simulator."""
    return [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value] if isinstance(value, str) else list(value),
            "ContextKeyType": "string" if isinstance(value, str) else "stringList",
        }
        for key, value in context.items()
    ]
