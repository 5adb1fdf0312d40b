"""Shared by the tests of STS: short policies, worlds declared in the test, and exact refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
OTHER = "444455556666"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
# These tests are about the server's refusals, so botocore must not check before it sends.
UNCHECKED = Config(parameter_validation=False)


def role_arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def user_arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def root_arn(account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:root"


def session_arn(role: str, session: str = "session", account: str = ACCOUNT) -> str:
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"


def statement(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    """A policy of one Allow; ``condition`` as ``Condition={…}``."""
    return policy(statement(action, resource, **condition))


def deny(action: Any, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    return policy(statement(action, resource, "Deny", **condition))


def trust(principal: Any, action: Any = "sts:AssumeRole", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A trust policy of one statement; ``principal`` is an AWS principal, a list of them, or the whole element."""
    element = principal if isinstance(principal, dict) else {"AWS": principal}
    return policy({"Effect": effect, "Principal": element, "Action": action, **more})


def user(name: str, *documents: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A declared user with a key of its own and these inline policies."""
    inline = {f"policy-{number}": document for number, document in enumerate(documents)}
    return {"name": name, "access_keys": [declared_key(name)], "inline_policies": inline, **more}


def role(name: str, trust_policy: dict[str, Any], *documents: dict[str, Any], **more: Any) -> dict[str, Any]:
    inline = {f"policy-{number}": document for number, document in enumerate(documents)}
    return {"name": name, "trust_policy": trust_policy, "inline_policies": inline, **more}


def declared_key(name: str) -> dict[str, str]:
    return {"id": f"{name}_key_for_tests", "secret": f"{name}-secret"}


def account(account_id: str = ACCOUNT, **nouns: Any) -> dict[str, Any]:
    """A declared account with an administrator and the given parts. Its root user has a key too."""
    name = "admin" if account_id == ACCOUNT else "other_admin"
    administrator = user(name, attached_policies=[ADMINISTRATOR])
    users = [administrator, *nouns.pop("users", [])]
    return {"id": account_id, "root_access_keys": [declared_key(f"root{account_id}")], "users": users, **nouns}


def declared(*accounts: dict[str, Any], **more: Any) -> str:
    """The text of a sandbox file."""
    return json.dumps({"version": 1, "accounts": list(accounts), **more})


def root_user(account_id: str = ACCOUNT) -> str:
    """The name of an account's root user in ``world.client(user=…)``."""
    return f"root of {account_id}"


def refusal(client: Any, operation: str, **parameters: Any) -> tuple[int, str, str]:
    """Status, code and message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        getattr(client, xform_name(operation))(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]


def answered(client: Any, operation: str, **parameters: Any) -> tuple[int, str, str] | str:
    """``allowed``, or the refusal."""
    try:
        getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        response = error.response
        return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"], response["Error"]["Message"]
    return "allowed"


def not_authorized(caller_arn: str, action: str, resource: str = "", because: str = "") -> str:
    """The sentence of a refusal."""
    message = f"User: {caller_arn} is not authorized to perform: {action}"
    return message + (f" on resource: {resource}" if resource else "") + (f" {because}" if because else "")


def no_allow(kind: str, action: str) -> str:
    """``because no … allows the … action``; ``kind`` such as ``identity-based policy``."""
    return f"because no {kind} allows the {action} action"
